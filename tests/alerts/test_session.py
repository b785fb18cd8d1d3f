"""A session that raises alerts, and whoever delivers them: what is recorded, what survives a restart, what trading
hears of it (nothing)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import alert_service, reports_alerts
from app.alert_service import deliver
from app.alerts.delivery import Delivery
from app.alerts.message import Message
from app.alerts.model import Answer, Outcome
from app.errors import Severity
from tests.execution.harness import Rig, rig

ON = {"alerts.channels": "phone,mail"}
DONE, WRONG = Answer(Outcome.DELIVERED), Answer(Outcome.ABSENT)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Message]]:
    """What is sent, in the place of couriers: every channel takes everything, but for one called broken."""
    found: list[tuple[str, Message]] = []

    async def send(channel: str, message: Message) -> Answer:
        found.append((channel, message))
        return WRONG if channel == "broken" else DONE

    real = Delivery.__init__
    monkeypatch.setattr(Delivery, "__init__", lambda self, *a, **k: real(self, *a, **{**k, "send": send}))
    return found


def begin(r: Rig, said: list[str] | None = None) -> Delivery:
    made = deliver(r.session, (said if said is not None else []).append)
    assert made is not None
    return made


async def until(r: Rig, condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)
            await r.settle()


async def until_sent(sent: list[tuple[str, Message]], count: int) -> None:
    """Not by the writer, which may be out of order."""
    async with asyncio.timeout(10):
        while len(sent) < count:  # noqa: ASYNC110 -- what is awaited is another task's turn
            await asyncio.sleep(0)


def deliveries(r: Rig) -> dict[tuple[str, str], str]:
    """State by kind and channel."""
    found = reports_alerts.deliveries(r.session.reader, limit=100, offset=0)
    return {(each.kind, each.channel): each.state for each in found}


async def test_an_alert_is_stored_delivered_and_recorded(tmp_path: Path, sent: list[tuple[str, Message]]) -> None:
    async with rig(tmp_path, settings=ON) as r:
        made = begin(r)
        r.desk.alert(Severity.CRITICAL, "halted", "New trades stopped.", "x")
        r.desk.alert(Severity.LOW, "risk.level", "Back to normal.")
        await until(r, lambda: deliveries(r).get(("halted", "mail")) == "DELIVERED")
        assert deliveries(r) == {("halted", "phone"): "DELIVERED", ("halted", "mail"): "DELIVERED"}
        await until(r, lambda: len(r.alerts()) >= 2)
        assert r.alerts() == ["halted", "risk.level"], "both are stored; the second is not severe enough to be sent"
        assert {channel for channel, _ in sent} == {"phone", "mail"}
        assert sent[0][1].title == "countersign PAPER: CRITICAL halted"
        await made.close()
        r.assert_sound()


async def test_what_was_raised_while_the_session_opened_is_delivered_too(
    tmp_path: Path, sent: list[tuple[str, Message]]
) -> None:
    async with rig(tmp_path, settings=ON) as r:
        r.desk.alert(Severity.CRITICAL, "reconcile", "The venue says otherwise.")
        made = begin(r)
        await until(r, lambda: len(sent) == 2)
        await until(r, lambda: deliveries(r).get(("reconcile", "phone")) == "DELIVERED")
        await made.close()


async def test_no_channel_no_delivery(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        assert deliver(r.session, lambda _: None) is None
        r.desk.alert(Severity.CRITICAL, "halted", "x")
        await r.settle()
        assert deliveries(r) == {}
    async with rig(tmp_path, settings={**ON, "alerts.enabled": "false"}) as r:
        assert deliver(r.session, lambda _: None) is None


async def test_what_a_session_did_not_get_to_goes_out_in_the_next(
    tmp_path: Path, sent: list[tuple[str, Message]]
) -> None:
    async with rig(tmp_path, settings=ON) as r:
        made = begin(r)
        for task in made._tasks:
            task.cancel()  # the process is killed before anything goes out
        r.desk.alert(Severity.HIGH, "health", "Not so any more.", "disk")
        await r.settle()
        assert set(deliveries(r).values()) == {"PENDING"}
        number = r.desk.alarms._last
    later: dict[str, Any] = {"alerts.channels": "phone,new"}
    async with rig(tmp_path, settings=later) as r:
        made = begin(r)
        await until(r, lambda: deliveries(r).get(("health", "phone")) == "DELIVERED")
        assert [channel for channel, _ in sent] == ["phone"], "once, and not over what is a channel only now"
        assert deliveries(r)["health", "mail"] == "FAILED", "which is no channel any more"
        r.desk.alert(Severity.HIGH, "health", "Still not.", "disk")
        await r.settle()
        assert len(sent) == 1, "what rests, rests over a restart"
        assert r.desk.alarms._last == number + 1
        r.person.passes(3_600_000)
        r.desk.alert(Severity.HIGH, "health", "Still not.", "disk")
        await until(r, lambda: len(sent) == 3)
        assert "1 more like it before" in sent[-1][1].body
        await made.close()


async def test_what_waited_for_too_long_is_not_sent_any_more(tmp_path: Path, sent: list[tuple[str, Message]]) -> None:
    async with rig(tmp_path, settings=ON) as r:
        made = begin(r)
        for task in made._tasks:
            task.cancel()
        r.desk.alert(Severity.CRITICAL, "halted", "x")
        await r.settle()
        person = r.person
    person.passes(alert_service._STALE_MS + 1)
    async with rig(tmp_path, settings=ON, person=person) as r:
        made = begin(r)
        await r.settle()
        assert set(deliveries(r).values()) == {"FAILED"}
        assert sent == []
        await made.close()


async def test_a_channel_that_does_not_work_is_one_error_and_no_alert_and_decides_nothing(
    tmp_path: Path, sent: list[tuple[str, Message]]
) -> None:
    said: list[str] = []
    async with rig(tmp_path, settings={"alerts.channels": "broken", "risk.errors": "0"}) as r:
        made = begin(r, said)
        for number in range(5):
            r.desk.alert(Severity.CRITICAL, "halted", f"{number}", str(number))
            await until_sent(sent, number + 1)
        await until(r, lambda: len(deliveries(r)) == 1 and set(deliveries(r).values()) == {"FAILED"})
        await until(r, lambda: bool(r.rows("SELECT 1 FROM errors")) and bool(said))
        errors = r.rows("SELECT code, severity, next_step FROM errors")
        assert [(each["code"], each["severity"]) for each in errors] == [("alerts.undelivered", "HIGH")]
        assert "secrets set alert.broken" in errors[0]["next_step"]
        assert len(said) == 1
        await until(r, lambda: len(r.alerts()) >= 5)
        assert r.alerts() == ["halted"] * 5, "a failed delivery raises no alert of its own"
        trade = await r.trade()
        assert trade.state.value != "DENIED", "with not one error allowed, this one is not counted"
        assert r.desk.risk_state("ETH-USDT").errors == 0
        await made.close()
    async with rig(tmp_path, settings={"risk.errors": "0"}) as r:
        assert r.desk.risk_state("ETH-USDT").errors == 0, "nor after a restart"


async def test_what_reached_nobody_does_not_rest_over_a_restart(
    tmp_path: Path, sent: list[tuple[str, Message]]
) -> None:
    async with rig(tmp_path, settings={"alerts.channels": "broken"}) as r:
        made = begin(r)
        r.desk.alert(Severity.HIGH, "health", "Not so any more.", "disk")
        await until(r, lambda: deliveries(r).get(("health", "broken")) == "FAILED")
        await made.close()
    async with rig(tmp_path, settings=ON) as r:
        made = begin(r)
        r.desk.alert(Severity.HIGH, "health", "Still not.", "disk")
        await until(r, lambda: deliveries(r).get(("health", "phone")) == "DELIVERED")
        await made.close()


async def test_a_disk_that_is_full_does_not_silence_the_alarm(tmp_path: Path, sent: list[tuple[str, Message]]) -> None:
    async with rig(tmp_path, settings=ON) as r:
        made = begin(r)
        r.watch_commits()
        r.fill_disk()
        r.desk.alert(Severity.CRITICAL, "halted", "The database failed.")
        r.desk.commit(r.desk.transition(), "test", "")
        await until_sent(sent, 2)
        r.free_disk()
        await r.rebuilt()
        await made.close()


async def test_alerts_are_numbered_on_from_the_record(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        for number in range(3):
            r.desk.alert(Severity.LOW, "k", str(number))
        await r.settle()
        first = [row["id"] for row in r.rows("SELECT id FROM alerts ORDER BY id")]
    async with rig(tmp_path) as r:
        r.desk.alert(Severity.LOW, "k", "last")
        await r.settle()
        numbers = [row["id"] for row in r.rows("SELECT id FROM alerts ORDER BY id")]
        assert numbers == [*first, first[-1] + 1]
