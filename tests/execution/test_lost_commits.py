"""Restarts, and commits that fail: memory is what disk says, exits stay managed, nothing is sent twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app import paths
from app.errors import VenueError
from app.execution.records import Role, Trade
from app.execution.states import TradeState
from app.ids import client_order_id
from app.venues.base import OrderReport, OrderState
from strategies.model import Side
from tests.execution.acts import late_fill
from tests.execution.harness import Between, Rig, rig

HAPPY = ["RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "FILLED"]


# -- restarts -----------------------------------------------------------------------------------------------------


async def test_what_was_not_signed_expires_and_is_released(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await r.trade()
    async with rig(tmp_path, auto_confirm=False) as r:
        assert r.stored(trade)["state"] == "EXPIRED"
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.pipeline.proposals.waiting() == []
        r.assert_sound()


@asynccontextmanager
async def signed_and_cut_off(folder: Path) -> AsyncIterator[Trade]:
    """A trade whose signature is on disk when the program ends, before a byte was sent."""
    async with rig(folder) as r:
        between = Between(r)
        between.before.append(asyncio.Event().wait)
        trade = r.pipeline.propose(r.intent())
        assert trade is not None
        while not between.calls:  # noqa: ASYNC110 -- until it stands right before the send
            await asyncio.sleep(0)
        await r.cut_off()
        assert r.sent() == []
        yield trade


async def test_signed_and_unsent_waits_for_the_market_to_speak_and_a_no_does_not(tmp_path: Path) -> None:
    async with signed_and_cut_off(tmp_path) as trade:
        pass
    async with rig(tmp_path, market=False) as r:  # confirms by itself
        await r.settle()
        assert r.stored(trade)["state"] == "SIGNED"
        assert r.sent() == []
        await r.book("99.90", "100.00")
        await r.finished(r.desk.state.trades.get(trade.id, trade))
        assert r.stored(trade)["state"] == "FILLED"
        r.assert_agrees_with_venue()


async def test_signed_and_unsent_declined_before_any_market_ends_at_once(tmp_path: Path) -> None:
    async with signed_and_cut_off(tmp_path) as trade:
        pass
    async with rig(tmp_path, market=False, auto_confirm=False) as r:
        r.pipeline.proposals.decline(trade.id)
        await r.settle()
        assert r.stored(trade)["state"] == "DECLINED"


@pytest.mark.parametrize(
    ("answer", "state"),
    [("confirm", "FILLED"), ("decline", "DECLINED"), ("stop", "CANCELLED"), ("late", "EXPIRED"), ("worse", "DENIED"),
     ("lapsed", "DENIED")],
)  # fmt: skip
async def test_signed_and_unsent_the_trader_is_asked_and_the_same_bytes_go(
    tmp_path: Path, answer: str, state: str
) -> None:
    async with signed_and_cut_off(tmp_path) as trade:
        pass
    if answer == "late":
        _later(tmp_path, 900_001)
    if answer == "lapsed":
        _later(tmp_path, 60_001)  # the text is still valid; its order's time in force has run out
    async with rig(tmp_path, auto_confirm=False) as r:
        if answer == "late":
            assert r.stored(trade)["state"] == "EXPIRED"
            return
        (waiting,) = r.pipeline.proposals.waiting()
        assert (waiting.id, waiting.resumed, waiting.state) == (trade.id, True, TradeState.SIGNED)
        if answer == "worse":
            await r.book("101.00", "101.10")
        if answer == "stop":
            r.desk.stop.create("test")
            await r.session.emergency.act(flatten=False)
        elif answer == "decline":
            r.pipeline.proposals.decline(trade.id)
        else:
            r.pipeline.proposals.confirm(trade.id)
        await r.settle()
        assert r.stored(trade)["state"] == state
        ids = [client_order_id(trade.id, role) for role in ("entry", "stop", "target")]
        assert r.sent() == ([ids] if state == "FILLED" else [])
        assert r.hold(trade) == ("0", "RELEASED")
        assert len(r.rows("SELECT * FROM authorisations")) == 1  # not signed again
        r.assert_sound()
        r.assert_agrees_with_venue()


def _later(folder: Path, ms: int) -> None:
    with closing(sqlite3.connect(folder / "a.db")) as connection, connection:
        connection.execute("UPDATE cursor SET ts_ms = ts_ms + ?", (ms,))


async def test_signed_with_the_stop_in_force_is_dropped_at_the_start(tmp_path: Path) -> None:
    async with signed_and_cut_off(tmp_path) as trade:
        pass
    (tmp_path / "a.db.stop").touch()
    async with rig(tmp_path) as r:
        assert r.stored(trade)["state"] == "CANCELLED"
        assert r.sent() == []
        r.assert_sound()


async def test_a_venue_that_dies_while_trades_are_under_way_concludes_nothing_for_them(tmp_path: Path) -> None:
    """The market feed reconnects and looks up; a trade that waits for its trader goes on waiting."""
    async with rig(tmp_path, auto_confirm=False) as r:
        await r.trade()
        r.pipeline.proposals.confirm(r.pipeline.proposals.waiting()[0].id)
        await r.settle()
        waits = await r.trade(module="n")
        r.kill_venue()
        await asyncio.sleep(0.05)
        await r.book("99.90", "100.00")
        assert waits.state is TradeState.PREPARED
        r.pipeline.proposals.confirm(waits.id)
        await r.settle()
        assert r.states(waits) == HAPPY
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_session_that_can_not_start_says_why(tmp_path: Path) -> None:
    paths.venue_db(tmp_path / "a.db").mkdir(parents=True)
    with pytest.raises(VenueError, match="did not start"):
        async with rig(tmp_path):
            pass


# -- a commit fails -----------------------------------------------------------------------------------------------

STEPS = ["trade.reserved", "trade.prepared", "trade.confirmed", "trade.signed", "trade.submitted"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_failed_commit_at_any_step_leaves_memory_and_disk_alike(tmp_path: Path, step: str) -> None:
    async with rig(tmp_path) as r:
        held = await r.trade()  # an earlier position with its exits
        failed: list[str] = []

        def fail(kind: str) -> None:
            if kind == step and not failed:
                failed.append(kind)
                r.fill_disk()
                asyncio.get_running_loop().call_later(0.05, r.free_disk)

        r.watch_commits(fail)
        r.desk.terms = replace(r.desk.terms, auto_confirm=False)
        trade = r.pipeline.propose(r.intent(module="n"))
        assert trade is not None
        if step not in {"trade.reserved", "trade.prepared"}:
            await r.settle()
            r.pipeline.proposals.confirm(trade.id)
        await r.settle()
        await r.rebuilt()
        assert failed == [step]
        assert r.desk.halted.startswith("the database failed")
        r.assert_sound()
        sent = step == "trade.submitted"
        assert len(r.sent()) == 1 + sent
        if step == "trade.reserved":
            assert r.rows("SELECT * FROM trades WHERE module = 'n'") == []
        else:
            assert r.stored(trade)["state"] == ("FILLED" if sent else "EXPIRED")
            assert r.hold(trade) == ("0", "RELEASED")
        assert r.pipeline.propose(r.intent(module="o")) is None
        assert r.desk.counters.by_rule == {"halted": 1}
        await r.book("89.00", "89.10")  # the exits of both are managed
        assert r.held() == r.held(module="n") == 0
        assert r.order_states(held)["stop"] == "FILLED"
        r.assert_sound()
        r.assert_agrees_with_venue()


async def freed_once_it_failed(r: Rig) -> None:
    """The disk has space again as soon as a commit has failed for want of it."""
    stats = r.session.writer.stats
    before = stats.failures
    while stats.failures == before:  # noqa: ASYNC110 -- the writer is a thread
        await asyncio.sleep(0.002)
    r.free_disk()


async def test_a_fill_whose_commit_failed_is_learned_again_from_the_venue(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        r.watch_commits()
        r.fill_disk()
        freeing = asyncio.create_task(freed_once_it_failed(r))
        await r.book("89.00", "89.10")
        await r.rebuilt()
        await freeing
        assert r.held() == 0
        assert r.order_states(trade) == {"entry": "FILLED", "stop": "FILLED", "target": "CANCELLED"}
        assert r.session.writer.stats.failures >= 1
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_second_failure_is_recovered_like_the_first(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade(quantity="3")
        r.watch_commits()
        for bid, size in (("89.00", "1"), ("88.00", "1"), ("87.00", "1")):
            r.fill_disk()
            freeing = asyncio.create_task(freed_once_it_failed(r))
            await r.book(bid, "100.00", size)
            await r.rebuilt()
            await freeing
            r.assert_sound()
            r.assert_agrees_with_venue()
        assert r.held() == 0


async def test_a_report_while_memory_is_read_again_is_not_lost(tmp_path: Path) -> None:
    """Between the writer's reset and the new state, nothing that follows from the old one may be written."""
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        trade = await r.trade(quantity="3")
        kept: list[OrderReport] = []
        r.venue.subscribe(kept.append)
        await r.book("99.90", "100.00", "1")
        await r.book("99.90", "100.00", "1")
        first, second = kept
        r.watch_commits()
        r.fill_disk()
        r.session._on_report(first)
        assert r.held() == 1
        close = r.intent(Side.SELL, "1", "99.5")
        reset = r.session.writer.reset

        async def reset_and_report() -> None:
            r.free_disk()
            await reset()
            r.session._on_report(second)  # memory still has the first fill, disk has not
            assert r.pipeline.propose(close) is not None  # of the position that only memory has

        r.session.writer.reset = reset_and_report  # type: ignore[method-assign]  # the instant under test
        await r.settle()
        await r.rebuilt()
        assert r.held() == 2
        assert trade.id in r.desk.state.trades
        assert r.rows("SELECT * FROM trades WHERE id = ?", close.id) == []
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_late_fill_while_memory_is_read_again_is_not_lost(tmp_path: Path) -> None:
    """The order had ended, so no look-up would ask for it again."""
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        ended = await r.trade()
        await r.pipeline.cancel_order(ended.orders[Role.ENTRY])
        await r.trade(module="n")
        late = late_fill(r, ended, OrderState.FILLED)
        r.watch_commits()
        r.fill_disk()
        reset = r.session.writer.reset

        async def reset_and_report() -> None:
            r.free_disk()
            await reset()
            r.session._on_report(late)

        r.session.writer.reset = reset_and_report  # type: ignore[method-assign]  # the instant under test
        await r.book("99.90", "100.00", "0.5")
        await r.rebuilt()
        assert r.held(module="n") == Decimal("0.5")
        assert r.held() == 1
        assert r.stored(ended)["state"] == "FILLED"
        assert "order.late_fill" in r.alerts()


async def test_a_disk_that_stays_full_ends_the_session_and_the_next_start_concludes(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
        r.watch_commits()
        r.fill_disk()
        await r.book("89.00", "89.10")
        await r.rebuilt()
        fatal = r.session.fatal
        assert fatal is not None
        assert fatal.done()
        assert "SQLITE_FULL" in str(fatal.result())
    async with rig(tmp_path, market=False) as r:
        assert r.held() == 0
        assert not r.desk.halted
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_halt_for_another_reason_does_not_hide_a_lost_commit(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        r.desk.halt("an order at the venue is not ours")
        r.watch_commits()
        r.fill_disk()
        asyncio.get_running_loop().call_later(0.05, r.free_disk)
        await r.book("89.00", "89.10")
        await r.rebuilt()
        assert r.desk.halted == "an order at the venue is not ours"
        assert r.order_states(trade)["stop"] == "FILLED"
        r.assert_sound()
