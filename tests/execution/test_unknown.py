"""Lost answers and odd reports: evidence decides, nothing is guessed, nothing is sent twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app import paths
from app.execution.records import Role, Trade
from app.execution.states import TradeState
from app.ids import client_order_id
from app.venues.base import OrderKind, OrderReport, OrderRequest, OrderState, VenueFill
from strategies.model import Side
from tests.execution.acts import entry_id, late_fill
from tests.execution.harness import Between, Rig, rig

HAPPY = ["RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "FILLED"]


# -- the answer is lost -------------------------------------------------------------------------------------------


async def test_a_list_that_never_arrived_is_proven_so(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        between = Between(r)

        async def freeze_then_kill() -> None:
            await r.venue._flush()
            pid = r.process.pid
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

        async def stop_listening() -> None:
            await r.venue._flush()
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
            await r.venue._flush()
            r.kill_venue()

        r.pipeline._sent._on_progress = try_another
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


# -- odd reports --------------------------------------------------------------------------------------------------


async def test_repeated_and_reordered_reports_change_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        trade = await r.trade(quantity="3")
        kept: list[OrderReport] = []
        r.venue.subscribe(kept.append)
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


async def test_a_sale_of_more_than_is_held_books_nothing_and_stops_new_trades(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        stop = client_order_id(trade.id, Role.STOP)
        parts = [Decimal("0.6"), Decimal("0.6")]  # the first alone would fit
        fills = tuple(
            VenueFill(f"odd {n}", stop, "ETH-USDT", Side.SELL, Decimal(90), part, Decimal(0), "USDT", 1)
            for n, part in enumerate(parts)
        )
        report = OrderReport(stop, "v1", OrderState.FILLED, Decimal(1), sum(parts), fills, 99, r.now)  # type: ignore[arg-type]  # never the int 0
        r.session._on_report(report)
        await r.settle()
        assert [row["code"] for row in r.rows("SELECT code FROM errors")] == ["venue.oversold"]
        assert r.held() == 1
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_contradiction_found_at_the_start_halts_and_lets_the_session_start(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
    with closing(sqlite3.connect(paths.venue_db(tmp_path / "a.db"))) as connection, connection:
        # the venue's record says that the stop was refused after all
        connection.execute(
            "UPDATE orders SET state = 'REJECTED', revision = 99 WHERE client_id = ?",
            (client_order_id(trade.id, Role.STOP),),
        )
    async with rig(tmp_path) as r:
        assert "can not go from OPEN to REJECTED" in r.desk.halted
        assert r.held() == 1
        close = await r.close_position("1")
        assert close.state is TradeState.FILLED
        r.assert_sound()


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
        await r.venue.submit((foreign_order(r),), None)
        await r.book("99.90", "100.00", "5")
        assert r.alerts() == ["order.foreign", "halted"]
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
        await r.venue.submit((foreign,), None)
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
