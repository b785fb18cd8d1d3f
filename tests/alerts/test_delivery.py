"""What is sent, when, how often, and what is said when it can not be; attempts are answered by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.alerts import delivery as module
from app.alerts.delivery import Delivery
from app.alerts.message import Message, Waiting, compose
from app.alerts.model import Alert, Answer, Outcome, Policy, Quiet, rank
from app.errors import AlertUndelivered, Severity
from tests.execution.person import PersonClock

DONE, DEAD, WRONG = Answer(Outcome.DELIVERED), Answer(Outcome.REFUSED), Answer(Outcome.ABSENT)
HOUR = 3_600_000


def alert(
    number: int = 1, severity: Severity = Severity.HIGH, kind: str = "health", subject: str = "", text: str = ""
) -> Alert:
    return Alert(number, 0, severity, kind, text or f"text {number}", subject)


class Desk:
    """What stands around a delivery: servers that answer as told, and the record."""

    def __init__(self, answers: dict[str, list[Answer]]) -> None:
        self.answers = answers
        self.sent: list[tuple[str, Message]] = []
        self.rows: dict[tuple[int, str], tuple[str, str, int]] = {}
        self.told: list[AlertUndelivered] = []
        self.clock = PersonClock()
        self.gate: asyncio.Event | None = None
        self.changed = asyncio.Event()

    async def send(self, channel: str, message: Message) -> Answer:
        self.sent.append((channel, message))
        self.changed.set()
        if self.gate is not None:
            await self.gate.wait()
        answers = self.answers[channel]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def record(self, statements: Any) -> None:
        for sql, (number, channel, state, reason, attempts, *_) in statements:
            assert sql == module.SAVE
            self.rows[number, channel] = (state, reason, attempts)
        self.changed.set()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def ended(self, number: int, channel: str = "a") -> bool:
        return self.rows.get((number, channel), ("PENDING",))[0] != "PENDING"


@asynccontextmanager
async def delivering(desk: Desk, **policy: Any) -> AsyncIterator[Delivery]:
    made = Delivery(
        Policy(tuple(desk.answers), **policy), "PAPER", last_ms={}, record=desk.record, clock=desk.clock,
        tell=lambda error, _channel: desk.told.append(error), send=desk.send, pauses_ms=(1, 1, 1),
    )  # fmt: skip
    made.start()
    try:
        yield made
    finally:
        await made.close()


def _sent(desk: Desk, count: int) -> bool:
    return len(desk.sent) == count


async def test_each_channel_gets_it_and_it_is_on_record() -> None:
    desk = Desk({"a": [DONE], "b": [WRONG]})
    async with delivering(desk) as made:
        desk.record(made.accept(alert()))
        assert desk.rows == {(1, "a"): ("PENDING", "", 0), (1, "b"): ("PENDING", "", 0)}
        await desk.until(lambda: desk.ended(1, "a") and desk.ended(1, "b"))
        assert desk.rows[1, "a"] == ("DELIVERED", "", 1)
        assert desk.rows[1, "b"] == ("FAILED", WRONG.words, 1)
        assert [view.lost for view in made.view()] == [0, 1]
        assert made.view()[1].reason == WRONG.words
    (error,) = desk.told
    assert "channel b" in error.what
    assert "secrets set alert.b" in error.next_step


async def test_it_is_tried_again_a_bounded_number_of_times_and_told_once() -> None:
    desk = Desk({"a": [DEAD]})
    async with delivering(desk) as made:
        made.accept(alert())
        await desk.until(lambda: desk.ended(1))
        assert len(desk.sent) == 4
        assert desk.rows[1, "a"] == ("FAILED", DEAD.words, 4)
        made.accept(alert(2, subject="other"))
        await desk.until(lambda: desk.ended(2))
        assert len(desk.sent) == 8
        assert len(desk.told) == 1, "a channel that does not work is told once"
        desk.answers["a"] = [DONE, DEAD]
        made.accept(alert(3, subject="third"))
        await desk.until(lambda: desk.ended(3))
        assert "2 alerts before could not be delivered" in desk.sent[-1][1].body
        made.accept(alert(4, subject="fourth"))
        await desk.until(lambda: desk.ended(4))
        assert "could not be delivered" not in desk.sent[-1][1].body
    assert len(desk.told) == 2, "and again once it had worked in between"


async def test_what_passes_is_tried_again_until_it_arrives() -> None:
    desk = Desk({"a": [DEAD, Answer(Outcome.HTTP, 503), DONE]})
    async with delivering(desk) as made:
        made.accept(alert())
        await desk.until(lambda: desk.ended(1))
    assert desk.rows[1, "a"] == ("DELIVERED", "", 3)
    assert desk.told == []


async def test_what_arrives_meanwhile_goes_out_together_and_uses_up_nobodys_patience() -> None:
    desk = Desk({"a": [DEAD, DEAD, DEAD, DEAD, DEAD, DONE]})
    made = Delivery(
        Policy(("a",)), "PAPER", last_ms={}, record=desk.record, clock=desk.clock,
        tell=lambda error, _channel: desk.told.append(error), send=desk.send, pauses_ms=(60_000, 60_000),
    )  # fmt: skip
    made.start()
    made.accept(alert(1))
    for number in range(2, 7):
        await desk.until(partial(_sent, desk, number - 1))
        made.accept(alert(number, Severity.CRITICAL, subject=str(number)))
    await desk.until(lambda: all(desk.ended(number) for number in range(1, 7)))
    assert {row[0] for row in desk.rows.values()} == {"DELIVERED"}
    last = desk.sent[-1][1]
    assert last.title == "countersign PAPER: CRITICAL 6 alerts"
    assert [line.split(": ")[1] for line in last.body.splitlines()][-1] == "text 1", "the worst first"
    await made.close()


async def test_it_never_makes_anybody_wait() -> None:
    desk = Desk({"a": [DONE]})
    desk.gate = asyncio.Event()
    async with delivering(desk) as made:
        for number in range(1, 1_001):
            made.accept(alert(number, subject=str(number)))
        assert made.view()[0].waiting == 200
        rows = made.accept(alert(1_001, subject="last"))
        assert ("FAILED", "too many waited") in [row[1][2:4] for row in rows]
        desk.gate.set()
        await desk.until(lambda: desk.ended(1_001))
        bodies = [message.body for _, message in desk.sent]
        assert any("more: countersign alerts" in body for body in bodies)
        assert all(len(message.body) <= 4_000 for _, message in desk.sent), "Telegram takes 4,096 characters"


async def test_what_is_under_way_at_the_end_arrives_and_the_rest_is_left_on_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk({"a": [DONE], "b": [DONE], "c": [DEAD]})
    async with delivering(desk) as made:
        made.accept(alert())
    assert desk.rows[1, "a"] == desk.rows[1, "b"] == ("DELIVERED", "", 1)
    assert (1, "c") not in desk.rows, "still waiting, as it was recorded"
    monkeypatch.setattr(module, "_GRACE_S", 0.05)
    hung = Desk({"a": [DONE]})
    hung.gate = asyncio.Event()
    async with asyncio.timeout(5), delivering(hung) as made:
        made.accept(alert())
    assert hung.rows == {}


async def test_a_fault_of_ours_is_told_and_ends_nothing_else() -> None:
    desk = Desk({"a": [DONE], "b": [DONE]})
    send = desk.send

    async def faulty(channel: str, message: Message) -> Answer:
        if channel == "a":
            raise ZeroDivisionError
        return await send(channel, message)

    desk.send = faulty  # type: ignore[method-assign]
    async with delivering(desk) as made:
        made.accept(alert())
        await desk.until(lambda: desk.ended(1, "b"))
        assert [error.code for error in desk.told] == ["alerts.undelivered"]
        assert made.view()[0].reason


async def test_one_that_reached_nobody_does_not_silence_the_next() -> None:
    desk = Desk({"a": [WRONG, DONE], "b": [WRONG, DONE]})
    async with delivering(desk) as made:
        made.accept(alert(1))
        await desk.until(lambda: desk.ended(1, "a") and desk.ended(1, "b"))
        assert made.accept(alert(2)), "the first was heard by nobody"
        await desk.until(lambda: desk.ended(2, "a") and desk.ended(2, "b"))
        assert made.accept(alert(3)) == []
    heard = Desk({"a": [WRONG], "b": [DONE]})
    async with delivering(heard) as made:
        made.accept(alert(1))
        await heard.until(lambda: heard.ended(1, "a") and heard.ended(1, "b"))
        assert made.accept(alert(2)) == [], "somebody heard the first"


# -- which ones, and in which words: pure ----------------------------------------------------------------------------

ALERTS = st.lists(
    st.tuples(
        st.sampled_from(list(Severity)), st.sampled_from("kl"), st.sampled_from(["", "s"]), st.integers(-HOUR, 2 * HOUR)
    ),
    max_size=40,
)  # fmt: skip


@given(ALERTS, st.sampled_from(list(Severity)), st.integers(0, 2 * HOUR))
def test_quiet_holds_back_what_rests_and_never_what_is_critical(
    given_alerts: list[tuple[Severity, str, str, int]], least: Severity, rest: int
) -> None:
    quiet, now, last = Quiet(Policy(("a",), least, rest)), 10 * HOUR, dict[tuple[str, str], int]()
    held = dict[tuple[str, str], int]()
    for number, (severity, kind, subject, passes) in enumerate(given_alerts):
        now, key = now + passes, (kind, subject)
        found = quiet.passes(alert(number, severity, kind, subject), now)
        if rank(severity) < rank(least):
            assert found is None
            continue
        resting = key in last and 0 <= now - last[key] < rest
        if severity is Severity.CRITICAL or not resting:
            assert found == held.pop(key, 0), "what was held back is counted once"
            last[key] = now
        else:
            assert found is None
            held[key] = held.get(key, 0) + 1


def test_memory_of_what_was_sent_is_bounded() -> None:
    quiet = Quiet(Policy(("a",), Severity.LOW, HOUR))
    for number in range(25_000):
        assert quiet.passes(alert(number, subject=str(number)), number) == 0
    assert len(quiet._last_ms) <= 10_000


def test_words_from_outside_neither_obey_nor_give_away() -> None:
    text = "ev\x1b[31mil \u202e and api_key=abcdef0123456789 0x" + "ab" * 32
    message = compose([Waiting(alert(1, kind="order.foreign", text=text), 0)], "PAPER")
    assert message.title == "countersign PAPER: HIGH order.foreign"
    assert "\x1b" not in message.body
    assert "\u202e" not in message.body
    assert "abcdef0123456789" not in message.body
    assert "ab" * 32 not in message.body


@given(
    st.lists(
        st.builds(alert, st.integers(1, 9), st.sampled_from(list(Severity)), text=st.text(max_size=600)), min_size=1
    )
)
def test_a_message_is_never_too_long(alerts: list[Alert]) -> None:
    message = compose([Waiting(each, 0) for each in alerts], "PAPER", 3)
    assert len(message.body) < 4_096
    assert max((each.severity for each in alerts), key=rank) is message.severity
