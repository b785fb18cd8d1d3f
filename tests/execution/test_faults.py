"""Lost answers, lost commits, restarts, odd reports, the emergency stop: nothing is guessed, nothing is sent twice."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app import paths
from app.engine.intents import IntentMaker
from app.engine.modules import Module
from app.errors import SafetyError, VenueError
from app.execution.orders import flatten_of
from app.execution.records import Order, Role, Trade
from app.execution.states import TradeState
from app.ids import client_order_id
from app.venues.base import OrderKind, OrderReport, OrderRequest, OrderState, VenueFill
from signers.demo import DemoSigner
from strategies.base import API_VERSION, ModuleSpec
from strategies.model import Bar, Book, Direction, Intent, Position, Side, Signal
from tests.execution.harness import Between, Rig, rig

HAPPY = ["RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "FILLED"]


# -- the answer is lost -------------------------------------------------------------------------------------------


async def test_a_list_that_never_arrived_is_proven_so(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        between = Between(r)

        async def freeze_then_kill() -> None:
            await r.session.venue._flush()
            pid = r.session.process.pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)  # it will never read what is written now
            asyncio.get_running_loop().call_later(0.05, os.kill, pid, signal.SIGKILL)

        between.before.append(freeze_then_kill)
        trade = await r.trade()
        assert r.states(trade)[:5] == [*HAPPY[:4], "SUBMITTED"]
        assert r.journal(trade)[-2:] == ["trade.unknown", "trade.cancelled"]
        assert r.stored(trade)["reason"] == "The venue proves that it never arrived."
        assert r.order_states(trade) == {"entry": "CANCELLED", "stop": "CANCELLED", "target": "CANCELLED"}
        assert [row["state"] for row in r.rows("SELECT state FROM payloads")] == ["DROPPED"]
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.rows("SELECT sent FROM errors") == [{"sent": "unknown"}]
        assert r.sent() == []
        between.before.clear()
        r.assert_sound()
        assert r.states(await r.trade()) == HAPPY
        r.assert_agrees_with_venue()


@pytest.mark.parametrize("killed", [False, True])
async def test_a_list_that_arrived_is_found_by_our_own_ids(tmp_path: Path, killed: bool) -> None:
    async with rig(tmp_path) as r:
        between = Between(r)
        r.session.venue._deadline_s = 0.3

        async def stop_listening() -> None:
            await r.session.venue._flush()
            r.stop_listening()
            if killed:
                watcher.append(asyncio.create_task(kill_once_recorded()))

        async def kill_once_recorded() -> None:
            while not r.sent():  # noqa: ASYNC110 -- another process's database
                await asyncio.sleep(0.005)
            r.kill_venue()

        watcher: list[asyncio.Task[None]] = []
        between.before.append(stop_listening)
        trade = await r.trade()
        assert "trade.unknown" in r.journal(trade)
        assert trade.state is TradeState.FILLED
        assert r.order_states(trade) == {"entry": "FILLED", "stop": "OPEN", "target": "OPEN"}
        assert [row["state"] for row in r.rows("SELECT state FROM payloads")] == ["LANDED"]
        assert len(r.sent()) == 1
        assert r.hold(trade) == ("0", "RELEASED")
        r.assert_sound()
        r.assert_agrees_with_venue()
        await r.book("89.00", "89.10")  # and what rests there still works
        assert r.held() == 0
        r.assert_agrees_with_venue()


async def test_while_an_order_is_unknown_no_new_trade_is_taken(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        between = Between(r)
        denied: list[dict[str, int]] = []
        progress = r.pipeline._on_progress

        def try_another(trade: Trade) -> None:
            progress(trade)
            if trade.state is TradeState.SUBMITTED and not denied:
                assert r.pipeline.propose(r.intent(module="n")) is None
                denied.append(dict(r.desk.counters.by_rule))

        async def kill() -> None:
            await r.session.venue._flush()
            r.kill_venue()

        r.pipeline._on_progress = try_another
        between.before.append(kill)
        await r.trade()
        assert denied == [{"unknown_orders": 1}]
        r.assert_sound()


async def test_a_report_before_the_answer_is_no_trouble(tmp_path: Path) -> None:
    """The venue's push of a fill overtakes the reply to the submission."""
    async with rig(tmp_path) as r:
        between = Between(r)

        async def overtake(reports: tuple[OrderReport, ...]) -> None:
            for report in reports:
                r.session._on_report(report)
                r.session._on_report(report)

        between.after.append(overtake)
        trade = await r.trade()
        assert trade.state is TradeState.FILLED
        assert r.hold(trade) == ("0", "RELEASED")
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_an_order_that_expired_before_its_answer_was_open_before(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        between = Between(r)
        await r.book("99.90", "100.00", "0")

        async def expire(reports: tuple[OrderReport, ...]) -> None:
            r.session._on_report(replace(reports[0], state=OrderState.EXPIRED, revision=reports[0].revision + 1))

        between.after.append(expire)
        trade = await r.trade()
        events = r.rows("SELECT to_state FROM order_events WHERE client_id = ? ORDER BY rowid", entry_id(trade))
        assert [event["to_state"] for event in events] == ["PENDING", "OPEN", "EXPIRED"]
        assert trade.state is TradeState.EXPIRED
        assert r.hold(trade) == ("0", "RELEASED")
        r.assert_sound()


def entry_id(trade: Trade) -> str:
    return client_order_id(trade.id, Role.ENTRY)


# -- odd reports --------------------------------------------------------------------------------------------------


async def test_repeated_and_reordered_reports_change_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        trade = await r.trade(quantity="3")
        kept: list[OrderReport] = []
        r.session.venue.subscribe(kept.append)
        for size in ("0.5", "1", "0.25"):
            await r.book("99.90", "100.00", size)
        assert len(kept) == 3
        for report in [*reversed(kept), *kept, *kept]:
            r.session._on_report(report)
        await r.settle()
        assert r.held() == Decimal("1.75")
        assert len(r.rows("SELECT * FROM fills")) == 3
        assert trade.state is TradeState.PARTIALLY_FILLED
        r.assert_sound()
        r.assert_agrees_with_venue()


@pytest.mark.parametrize("state", [OrderState.FILLED, OrderState.CANCELLED])
async def test_a_fill_after_the_order_had_ended_is_booked_and_alerted(tmp_path: Path, state: OrderState) -> None:
    """Whether the venue then calls it filled, or keeps calling it cancelled with more filled."""
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        trade = await r.trade()
        await r.pipeline.cancel_order(trade.orders[Role.ENTRY])
        assert (r.stored(trade)["state"], r.hold(trade)) == ("CANCELLED", ("0", "RELEASED"))
        assert r.desk.state.trades == {}
        late = late_fill(r, trade, state)
        r.session._on_report(late)
        await r.settle()
        assert r.stored(trade)["state"] == state.value
        assert r.held() == 1
        assert r.alerts() == ["order.late_fill"]
        r.assert_sound()
        r.session._on_report(late)
        await r.settle()
        assert r.held() == 1


def late_fill(r: Rig, trade: Trade, state: OrderState) -> OrderReport:
    client_id, one = entry_id(trade), Decimal(1)
    fill = VenueFill("late", client_id, "ETH-USDT", Side.BUY, Decimal(100), one, Decimal("0.1"), "USDT", r.now)
    return OrderReport(client_id, "v1", state, one, one, (fill,), 99, r.now)


async def test_a_report_that_contradicts_the_record_is_an_error_and_stops_new_trades(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        fill = VenueFill("odd", entry_id(trade), "ETH-USDT", Side.BUY, Decimal(100), Decimal(1), Decimal(0), "USDT", 1)
        report = OrderReport(entry_id(trade), "v1", OrderState.OPEN, Decimal(1), Decimal(1), (fill,), 99, r.now)
        r.session._on_report(report)
        await r.settle()
        assert [row["code"] for row in r.rows("SELECT code FROM errors")] == ["machine.edge"]
        assert "can not go from FILLED to OPEN" in r.desk.halted
        assert r.held() == 1
        r.assert_sound()
        await r.book("89.00", "89.10")  # the reader lives, the exits are managed
        assert r.held() == 0
        r.assert_agrees_with_venue()


async def test_fills_that_do_not_sum_up_stop_new_trades(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        trade = await r.trade()
        report = OrderReport(entry_id(trade), "v1", OrderState.PARTIALLY_FILLED, Decimal(1), Decimal("0.5"), (), 99, 1)
        r.session._on_report(report)
        await r.settle()
        assert [row["code"] for row in r.rows("SELECT code FROM errors")] == ["venue.fills_disagree"]
        assert r.desk.halted == "the venue's fills do not add up"


async def test_an_order_that_is_not_ours_halts(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        await r.session.venue.submit((foreign_order(r),), None)
        await r.book("99.90", "100.00", "5")
        assert r.alerts() == ["order.foreign"]
        assert r.pipeline.propose(r.intent()) is None
        assert r.desk.counters.by_rule == {"halted": 1}
        await r.settle()


def foreign_order(r: Rig) -> OrderRequest:
    return OrderRequest(
        client_id="e" * 32,
        symbol="ETH-USDT",
        side=Side.BUY,
        kind=OrderKind.LIMIT,
        quantity=Decimal(1),
        valid_until_ms=r.now + 60_000,
        limit_price=Decimal("100.00"),
    )


async def test_an_order_that_is_not_ours_is_found_at_the_start(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        foreign = foreign_order(r)
        await r.session.venue.submit((foreign,), None)
    async with rig(tmp_path) as r:
        assert f"order {foreign.client_id} rests at the venue and is not in this database" in r.desk.halted
        assert r.alerts()[0] == "reconcile"


async def test_balances_that_differ_halt_with_the_numbers(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
    with closing(sqlite3.connect(paths.venue_db(tmp_path / "a.db"))) as connection, connection:
        connection.execute("UPDATE balances SET amount = '9000.5' WHERE asset = 'USDT'")
    async with rig(tmp_path, market=False) as r:
        assert r.desk.halted == (
            "the venue and the ledger differ: USDT: the venue holds 9000.5, the ledger 9899.9 (difference -899.4)"
        )
        assert r.desk.state.purse.balance("USDT") == Decimal("9899.9")  # nothing is posted by itself
        await r.book("99.90", "100.00")
        assert r.pipeline.propose(r.intent(module="n")) is None
        assert r.desk.counters.by_rule == {"halted": 1}
        await r.book("89.00", "89.10")
        assert r.held() == 0  # exits stay managed
        r.assert_sound()


async def test_an_accepted_order_that_the_venue_forgot_halts(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
    with closing(sqlite3.connect(paths.venue_db(tmp_path / "a.db"))) as connection, connection:
        connection.execute("DELETE FROM orders WHERE state = 'OPEN'")
    async with rig(tmp_path, market=False) as r:
        assert r.desk.halted == "an accepted order is missing at the venue"


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
        await r.session.close("cut off")
        assert r.sent() == []
        yield trade
        r.desk.activity._count = 0  # the harness settles what it opened; this one was cut off


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


async def test_a_fill_whose_commit_failed_is_learned_again_from_the_venue(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        r.watch_commits()
        r.fill_disk()
        asyncio.get_running_loop().call_later(0.2, r.free_disk)
        await r.book("89.00", "89.10")
        await r.rebuilt()
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
            failures = r.session.writer.stats.failures
            r.fill_disk()
            asyncio.get_running_loop().call_later(0.05, r.free_disk)
            await r.book(bid, "100.00", size)
            await r.rebuilt()
            assert r.session.writer.stats.failures > failures
            r.assert_sound()
            r.assert_agrees_with_venue()
        assert r.held() == 0


async def test_a_report_while_memory_is_read_again_is_not_lost(tmp_path: Path) -> None:
    """Between the writer's reset and the new state, nothing that follows from the old one may be written."""
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        trade = await r.trade(quantity="3")
        kept: list[OrderReport] = []
        r.session.venue.subscribe(kept.append)
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


# -- the emergency stop -------------------------------------------------------------------------------------------


async def position_and_open_entry(r: Rig) -> tuple[Trade, Trade]:
    held = await r.trade()
    await r.book("99.90", "100.00", "0")
    return held, await r.trade(module="n")


async def test_the_stop_cancels_entries_and_keeps_exits(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        held, entry = await position_and_open_entry(r)
        r.desk.stop.create("test")
        report = await r.session.emergency.act(flatten=False)
        await r.settle()
        assert (report.cancelled, report.kept_exits) == ([entry_id(entry)], 2)
        assert (report.flattened, report.unknown) == ([], [])
        assert r.stored(entry)["state"] == "CANCELLED"
        assert r.hold(entry) == ("0", "RELEASED")
        assert r.order_states(held) == {"entry": "FILLED", "stop": "OPEN", "target": "OPEN"}
        assert r.held() == 1
        r.assert_sound()
        again = await r.session.emergency.act(flatten=False)
        assert (again.cancelled, again.kept_exits) == ([], 2)
        await r.book("89.00", "89.10")
        assert r.held() == 0
        r.assert_agrees_with_venue()


async def test_flattening_sells_what_is_held_and_nothing_twice(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        held, _ = await position_and_open_entry(r)
        await r.book("99.90", "100.00", "0.4")  # too thin to sell it all at once
        assert r.held(module="n") == Decimal("0.4")
        r.desk.stop.create("test")
        report = await r.session.emergency.act(flatten=True)
        await r.settle()
        assert report.flattened == ["ETH-USDT", "ETH-USDT"]
        assert 0 < r.held() + r.held(module="n") <= 1
        r.assert_sound()
        await r.book("95.00", "96.00", "10")
        assert r.held() == r.held(module="n") == 0
        states = r.order_states(held)
        assert states["flatten"] == "FILLED"
        assert states["stop"] == states["target"] == "CANCELLED"
        assert r.desk.state.trades == {}
        r.assert_sound()
        r.assert_agrees_with_venue()
        sold = r.venue_rows("SELECT quantity FROM fills WHERE side = 'sell'")
        assert sum(Decimal(quantity) for (quantity,) in sold) == Decimal("1.4")


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_flattening_whose_answer_is_lost_is_looked_up(tmp_path: Path, arrives: bool) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        between = Between(r)
        r.session.venue._deadline_s = 0.2

        async def cut() -> None:
            await r.session.venue._flush()
            if arrives:
                r.stop_listening()
            else:
                pid = r.session.process.pid
                assert pid is not None
                os.kill(pid, signal.SIGSTOP)
                asyncio.get_running_loop().call_later(0.05, os.kill, pid, signal.SIGKILL)

        between.before.append(cut)
        r.desk.stop.create("test")
        report = await r.session.emergency.act(flatten=True)
        assert len(report.unknown) == 1
        await r.settle()
        assert r.held() == (0 if arrives else 1)
        assert r.order_states(trade)["flatten"] == ("FILLED" if arrives else "CANCELLED")
        assert r.desk.state.unknown_orders() == 0
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_only_a_reduce_only_sale_after_a_stop_needs_no_signature(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        good = flatten_of(trade.id, trade.orders[Role.STOP].request, r.now, 60_000)
        with pytest.raises(SafetyError, match="needs no authorisation"):
            await r.pipeline.flatten(trade, good)  # no stop is in force
        r.desk.stop.create("test")
        for bad in (
            replace(good.request, reduce_only=False),
            replace(good.request, side=Side.BUY),
        ):
            with pytest.raises(SafetyError, match="needs no authorisation"):
                await r.pipeline.flatten(trade, Order(bad, trade.id, Role.FLATTEN))
        assert len(r.sent()) == 1
        r.assert_sound()


# -- the price ran away -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Params:
    """None."""


class Once:
    """Buys on the first bar."""

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        if position is not None:
            return None
        return Signal(bar.symbol, Direction.LONG, 0.5, 0.5, "breakout", 80.0, 200.0)


def module_of(r: Rig, proposed: list[Intent]) -> Module:
    spec = ModuleSpec("m", "1", API_VERSION, Params, lambda _: Once(), lambda _: 0)
    sizing = replace(r.session.settings.sizing.sizing(), fixed=Decimal(100))

    def propose(intent: Intent) -> Trade | None:
        proposed.append(intent)
        trade: Trade | None = r.pipeline.propose(intent)
        return trade

    return Module(
        spec=spec,
        params=Params(),
        allocation=Decimal(1_000_000),
        sizing=sizing,
        maker=IntentMaker(r.desk, "m", sizing, Decimal(1_000_000)),
        run=r.session.run,
        trades=lambda _: True,
        propose=propose,
    )


async def test_a_price_that_runs_away_is_proposed_afresh_three_times_and_says_why(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        proposed: list[Intent] = []
        module = module_of(r, proposed)
        r.pipeline._on_worse = module.propose_again
        asks = (Decimal(100 + 2 * n) for n in itertools.count(1))
        _signing(r, lambda: _jump(r, next(asks)))
        module.on_bar(_bar(r))
        await r.settle()
        assert [intent.worst_price for intent in proposed] == [Decimal(101), Decimal("103.02"), Decimal("105.04"),
                                                              Decimal("107.06")]  # fmt: skip
        assert {intent.quantity for intent in proposed} == {proposed[0].quantity}
        assert proposed[1].reason == "breakout [The ask rose to 102; the trade allows 101 or better.]"
        states = r.rows("SELECT state FROM trades ORDER BY rowid")
        assert [row["state"] for row in states] == ["DENIED"] * 4
        assert r.sent() == []
        r.assert_sound()


async def test_a_fresh_proposal_that_holds_is_traded(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        proposed: list[Intent] = []
        module = module_of(r, proposed)
        r.pipeline._on_worse = module.propose_again
        _signing(r, lambda: _jump(r, Decimal(102)))
        module.on_bar(_bar(r))
        await r.settle()
        assert len(proposed) == 2
        assert r.rows("SELECT state FROM trades ORDER BY rowid LIMIT 1") == [{"state": "DENIED"}]
        assert len(r.sent()) == 1


def _signing(r: Rig, act: Callable[[], None]) -> None:
    class Slow(DemoSigner):
        def sign(self, request: Any, on_state: Any) -> bytes:
            act()
            return super().sign(request, on_state)

    r.session.device._signer = Slow()


def _jump(r: Rig, ask: Decimal) -> None:
    # in lockstep the loop waits for the device, so this thread is alone with the market
    r.desk.market.apply(Book("ETH-USDT", r.now, ((ask - 1, Decimal(9)),), ((ask, Decimal(9)),)), r.session.synthetic)


def _bar(r: Rig) -> Bar:
    one = Decimal(100)
    return Bar("ETH-USDT", r.now - 60_000, 60_000, one, one, one, one, Decimal(1000))
