"""What disk or venue say and can not be: refused before anything moves, and no reason to lose the rest."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app import paths
from app.config.load import load as load_config
from app.errors import VenueError
from app.execution.records import Role
from app.execution.state import load as load_state
from app.execution.verify import verify
from app.ids import client_order_id
from app.venues.base import OrderReport, OrderRequest, OrderState, SignedText
from storage.faults import TransitionLost
from storage.journal import read_mirror
from strategies.model import Book, Side
from tests.execution.acts import late_fill, spy_on_signer
from tests.execution.harness import WIDE, Between, rig
from tests.execution.memory import assert_memory_is_disk
from tests.execution.test_lost_commits import signed_and_cut_off
from tests.execution.test_recheck import OtherKey


def tampered(db: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(statement, values)


# -- disk: what a restart would send ------------------------------------------------------------------------------


def larger(db: Path) -> None:
    with closing(sqlite3.connect(db)) as connection, connection:
        for client_id, text in connection.execute("SELECT client_id, terms FROM orders").fetchall():
            terms = json.dumps(json.loads(text) | {"quantity": "50"}, separators=(",", ":"))
            connection.execute("UPDATE orders SET terms = ? WHERE client_id = ?", (terms, client_id))


@pytest.mark.parametrize(
    "change",
    [
        larger,
        lambda db: tampered(
            db, "UPDATE orders SET terms = json_set(terms, '$.limit_price', '150') WHERE role = 'entry'"
        ),
        lambda db: tampered(db, "DELETE FROM orders WHERE role = 'stop'"),
        lambda db: tampered(db, "UPDATE authorisations SET signature = '00'"),
        lambda db: tampered(db, "UPDATE authorisations SET address = '0x0000000000000000000000000000000000000001'"),
        lambda db: tampered(db, "UPDATE payloads SET text = replace(text, 'BUY 1 ', 'BUY 2 ')"),
        lambda db: tampered(db, "UPDATE authorisations SET text = 'countersign trade 1'"),
    ],
)
async def test_signed_bytes_that_were_changed_on_disk_are_never_sent(tmp_path: Path, change: Any) -> None:
    async with signed_and_cut_off(tmp_path) as trade:
        pass
    change(tmp_path / "a.db")
    async with rig(tmp_path, auto_confirm=False) as r:
        await r.settle()
        assert r.pipeline.proposals.waiting() == []
        assert r.sent() == []
        assert r.stored(trade)["state"] == "FAILED"
        assert r.hold(trade) == ("0", "RELEASED")
        assert "signature.refused" in r.alerts()
        assert r.desk.halted


async def test_a_signature_of_another_key_is_alerted_and_stops_new_trades(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.session.device._signer = OtherKey()
        trade = await r.trade()
        assert trade.state == "FAILED"
        assert r.alerts() == ["signature.refused", "halted"]
        assert r.sent() == []


async def test_a_database_that_can_not_be_read_again_at_first_is_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
        load, calls = load_state, []

        def failing(*arguments: Any) -> Any:
            calls.append(arguments)
            if len(calls) == 1:
                raise sqlite3.OperationalError("disk I/O error")
            return load(*arguments)

        monkeypatch.setattr("app.session.load", failing)
        r.watch_commits()
        r.fill_disk()
        with suppress(TransitionLost):
            await r.desk.commit(r.desk.transition(), "test.any", "")
        r.free_disk()
        await r.rebuilt()
        assert len(calls) == 2
        assert not r.desk.stale
        assert r.session.fatal is not None
        assert not r.session.fatal.done()
        await r.book("89.00", "89.10")
        assert r.held() == 0  # the stop's fill was booked
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_tightening_whose_commit_is_lost_holds_and_is_journaled_when_asked_again(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        config = r.session.config
        config._reload = lambda: load_config(tmp_path / "config.toml", {}, {**WIDE, "risk.position": "1000"})
        r.watch_commits()
        r.fill_disk()
        with pytest.raises(TransitionLost):
            await config.tighten(r.desk)
        r.free_disk()
        await r.rebuilt()
        assert r.desk.limits.position == 1000
        assert config.version == 1
        assert await config.tighten(r.desk) == ["risk.position"]
        assert config.version == r.desk.terms.config_version == 2
        assert list(verify(r.session.reader, read_mirror(r.session.plan.db))) == []


async def test_two_tightenings_at_once_are_two_versions_and_neither_is_lost(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        config = r.session.config
        wanted = iter(({"risk.position": "1000"}, {"risk.position": "1000", "risk.exposure": "2000"}))
        config._reload = lambda: load_config(tmp_path / "config.toml", {}, {**WIDE, **next(wanted)})
        first, second = await asyncio.gather(config.tighten(r.desk), config.tighten(r.desk))
        assert (first, second) == (["risk.position"], ["risk.exposure"])
        assert config.version == r.desk.terms.config_version == 3
        assert list(verify(r.session.reader, read_mirror(r.session.plan.db))) == []


# -- the venue ----------------------------------------------------------------------------------------------------


async def test_an_answer_that_can_not_be_is_not_half_booked(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
        submit = r.desk.venue.submit

        async def lies(orders: tuple[OrderRequest, ...], signed: SignedText | None) -> tuple[OrderReport, ...]:
            first, *rest = await submit(orders, signed)
            more = replace(first.fills[0], fill_id="odd", quantity=Decimal(5))
            return (replace(first, fills=(*first.fills, more), filled=Decimal(6)), *rest)

        r.desk.venue.submit = lies
        close = await r.close_position("1")
        await r.rebuilt()
        assert "holds" in r.desk.halted
        assert_memory_is_disk(r.session)
        assert r.stored(close)["state"] == "FILLED"  # what the venue says when it is asked again
        assert r.held() == 0
        r.assert_sound()


async def test_a_fill_for_a_trade_that_was_never_sent_moves_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path, lockstep=False) as r:
        spy_on_signer(r, before=lambda: r.desk.halt("test"))
        trade = await r.trade()
        await r.finished(trade)
        assert trade.state == "DENIED"
        r.session._on_report(late_fill(r, trade, OrderState.FILLED))
        await r.settle()
        assert r.held() == 0
        assert r.rows("SELECT * FROM fills") == []
        assert_memory_is_disk(r.session)
        assert r.rows("SELECT code FROM errors ORDER BY id DESC LIMIT 1") == [{"code": "machine.edge"}]


@pytest.mark.parametrize(
    "change", [{"symbol": "BTC-USDT"}, {"side": Side.SELL}, {"client_id": "x"}, {"price": Decimal(0)}]
)
async def test_a_fill_of_another_order_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        trade = await r.trade()
        report = late_fill(r, trade, OrderState.FILLED)
        odd = replace(report, fills=(replace(report.fills[0], **change),))
        r.session._on_report(odd)
        await r.settle()
        assert r.held() == 0
        assert r.rows("SELECT code FROM errors") == [{"code": "venue.fill_foreign"}]
        assert_memory_is_disk(r.session)


async def test_a_contradiction_about_signed_bytes_is_no_reason_not_to_start(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
        between = Between(r)

        async def cut(_: object) -> None:
            await asyncio.Event().wait()

        between.after.append(cut)
        close = r.pipeline.propose(r.intent(Side.SELL, "1", "99.5"))
        assert close is not None
        while len(r.sent()) < 2:  # noqa: ASYNC110 -- until the venue has it
            await asyncio.sleep(0)
        await r.cut_off()
    client_id = client_order_id(close.id, Role.CLOSE)
    venue = paths.venue_db(tmp_path / "a.db")
    tampered(venue, "UPDATE fills SET quantity = '6' WHERE client_id = ?", client_id)
    tampered(venue, "UPDATE orders SET filled = '6' WHERE client_id = ?", client_id)
    async with rig(tmp_path) as r:
        assert "holds" in r.desk.halted
        assert r.stored(close)["state"] == "SIGNED"
        assert_memory_is_disk(r.session)


async def test_a_report_that_came_between_two_look_ups_is_no_contradiction(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        between = Between(r)

        async def cut(_: object) -> None:
            await asyncio.Event().wait()

        between.after.append(cut)
        trade = r.pipeline.propose(r.intent())
        assert trade is not None
        while not r.sent():  # noqa: ASYNC110 -- until the venue has it
            await asyncio.sleep(0)
        await r.pipeline.work.abandon()
        r.desk.venue.submit = between._submit
        order = r.desk.venue.order
        asked: list[str] = []

        async def slow(client_id: str) -> OrderReport | None:
            report: OrderReport | None = await order(client_id)
            if not asked:
                asked.append(client_id)
                r.position += 1
                levels = ((Decimal("99.90"), Decimal(1)),), ((Decimal("100.00"), Decimal("0.4")),)
                await r.venue.market(Book("ETH-USDT", r.now, *levels), r.position)
            return report

        r.desk.venue.order = slow
        await r.session.recovery.resume(r.pipeline)
        assert trade.state == "PARTIALLY_FILLED"
        assert r.desk.halted == ""
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_the_market_does_not_wait_for_ever_for_a_venue_that_never_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.execution.recovery._WAITS_S", (0.0, 0.0, 0.0, 0.0, 0.2))
    async with rig(tmp_path) as r:
        between = Between(r)

        async def cut() -> None:
            await r.venue._flush()
            r.stop_listening()

        async def gone() -> None:
            raise VenueError("paper.start", "The paper venue did not start.")

        between.before.append(cut)
        start = r.process.start
        r.process.start = gone  # type: ignore[method-assign]  # as when its disk is full
        trade = r.pipeline.propose(r.intent())
        assert trade is not None
        while not r.rows("SELECT 1 FROM alerts WHERE kind = 'order.unknown'"):  # noqa: ASYNC110 -- until it was said
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await r.desk.activity.settle()
        assert r.order_states(trade)["entry"] == "UNKNOWN"
        r.process.start = start  # type: ignore[method-assign]  # it is back
        await r.finished(trade)
        assert r.order_states(trade)["entry"] == "FILLED"
        r.assert_sound()
        r.assert_agrees_with_venue()
