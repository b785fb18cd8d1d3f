"""The emergency stop: entries are cancelled, exits kept, and with --flatten everything is sold once."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app.errors import SafetyError
from app.execution.orders import flatten_of
from app.execution.records import Order, Role, Trade
from app.execution.state import load_trade
from strategies.model import Side
from tests.execution.acts import entry_id
from tests.execution.harness import Between, Rig, rig

HAPPY = ["RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "FILLED"]


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


async def test_a_flattening_that_found_no_buyer_is_tried_again(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        held = await r.trade()
        r.desk.stop.create("test")
        await r.book("99.90", "100.00", "0.3")
        assert (await r.session.emergency.act(flatten=True)).flattened == ["ETH-USDT"]
        assert (await r.session.emergency.act(flatten=True)).flattened == []  # the first is still under way
        await r.advance(r.desk.terms.time_in_force_ms)
        await r.book("99.90", "100.00", "0")
        flattens = "SELECT state, filled FROM orders WHERE role = 'flatten' ORDER BY rowid"
        assert r.rows(flattens) == [{"state": "EXPIRED", "filled": "0.3"}]
        assert (await r.session.emergency.act(flatten=True)).flattened == ["ETH-USDT"]
        r.assert_sound()
        again = load_trade(r.session.reader, held.id)  # what a restart would know
        assert sorted(again.orders) == ["entry", "flatten", "flatten:2", "stop", "target"]
        await r.book("99.50", "99.60", "10")
        assert r.held() == 0
        assert [row["state"] for row in r.rows(flattens)] == ["EXPIRED", "FILLED"]
        sold = r.venue_rows("SELECT quantity FROM fills WHERE side = 'sell'")
        assert sum(Decimal(quantity) for (quantity,) in sold) == 1
        assert r.desk.state.trades == {}
        assert r.desk.state.orders == {}
        r.assert_sound()
        r.assert_agrees_with_venue()


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_flattening_whose_answer_is_lost_is_looked_up(tmp_path: Path, arrives: bool) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        between = Between(r)

        async def cut() -> None:
            await r.venue._flush()
            if arrives:
                r.stop_listening()
            else:
                pid = r.process.pid
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
        good = flatten_of(trade, trade.orders[Role.STOP].request, r.now, 60_000)
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
