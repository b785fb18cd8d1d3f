"""Entries that must not happen: of a module that is cold, of an instrument it may not trade, of one that was paused a
moment ago, beyond the capital it has now. And closes that must: of one that failed or is off."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.engine.lifecycle import ModuleState
from app.market.events import MarketEvent
from signers.demo import DemoSigner
from storage.faults import StorageFault
from strategies.model import Bar, Book, Level, Position, Side
from tests.execution.basket_acts import basket
from tests.execution.harness import BTC, ETH
from tests.execution.test_lost_commits import signed_and_cut_off
from tests.unit.engine.stage import Script, Stage, entries, flat, install, long, on, plugin, stage

ASKS = {"trade.proposal_expiry_ms": "86400000", "trade.authorisation_validity_ms": "86400000"}


def buys() -> Script:
    return Script(opinion=lambda _, position: long() if position is None else None)


def seen_after(s: Stage, name: str) -> dict[str, int]:
    return s.view(name).counters.skipped


async def test_an_entry_of_a_cold_strategy_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", buys(), warmup=3))
    async with stage(tmp_path, settings=on("a")) as s:
        assert s.state("a") == "running", "there was no past to warm it with"
        await s.bars(3)
        assert entries(s.r, "a") == {"a": 0}
        assert seen_after(s, "a") == {"not warm": 3}
        await s.bar()
        assert entries(s.r, "a") == {"a": 1}


async def test_a_cold_strategy_may_still_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[MarketEvent] = []
    script = buys()
    install(monkeypatch, plugin("a", script))
    async with stage(tmp_path, events=events, settings=on("a")) as s:
        await s.bar()
        assert s.r.held(module="a") > 0
    script.opinion = lambda _, position: flat() if position is not None else None
    install(monkeypatch, plugin("a", script, warmup=5))
    async with stage(tmp_path, events=events, settings=on("a")) as s:
        await s.bar()
        await s.book("100.00")
        assert s.r.held(module="a") == 0


async def test_an_opinion_about_another_instrument_than_the_bars_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(opinion=lambda _, position: long("BTC-USDT", 90.0, 200.0) if position is None else None)
    install(monkeypatch, plugin("a", script))
    only = on("a")
    async with stage(tmp_path, settings=only, instruments=(BTC, ETH)) as s:
        await s.book("100.00", symbol="BTC-USDT")
        await s.bar()
        assert entries(s.r, "a") == {"a": 0}
        assert s.state("a") == "failed"
        assert "BTC-USDT" in s.view("a").reason


async def test_flat_with_levels_is_no_basket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = replace(flat(), stop=80.0, levels=(Level(95.0, 99.0),), rest_ms=60_000)
    install(monkeypatch, plugin("a", Script(opinion=lambda *_: odd)))
    async with stage(tmp_path, settings=on("a")) as s:
        await s.manager.pause("a")
        await s.bar()
        assert entries(s.r, "a") == {"a": 0}


async def test_an_entry_that_confirms_itself_is_withdrawn_by_a_pause_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = buys()
    install(monkeypatch, plugin("a", script))
    async with stage(tmp_path, settings=on("a")) as s:
        pausing: list[asyncio.Task[Any]] = []

        def opinion(_bar: Bar, position: Position | None) -> Any:
            if position is None and not pausing:
                pausing.append(asyncio.ensure_future(s.manager.pause("a")))
                return long()
            return None

        script.opinion = opinion
        await s.bar()
        await pausing[0]
        await s.r.settle()
        (row,) = s.r.rows("SELECT state, reason FROM trades")
        assert (row["state"], row["reason"]) == ("CANCELLED", "Module a is paused: it takes no new entry.")
        assert s.r.sent() == []
        s.r.assert_sound()


# -- a price that ran away --------------------------------------------------------------------------------------------


def runs_away(s: Stage, bid: str, ask: str) -> None:
    """While the device is asked, once, the market moves."""
    moved: list[bool] = []

    class Slow(DemoSigner):
        def sign(self, request: Any, person: Any) -> bytes:
            if not moved:
                moved.append(True)
                size = Decimal(1000)
                book = Book("ETH-USDT", s.r.now, ((Decimal(bid), size),), ((Decimal(ask), size),))
                s.r.desk.market.apply(book, s.r.session.synthetic)  # in lockstep the loop waits for the device
            return super().sign(request, person)

    s.r.session.device._signer = Slow()


async def confirmed(s: Stage, trade: Any) -> None:
    s.r.pipeline.proposals.confirm(trade.id)
    await s.r.finished(trade)


@pytest.mark.parametrize("off", ["fail", "disable", "pause"])
async def test_a_close_whose_price_ran_away_comes_back_whatever_became_of_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: str
) -> None:
    events: list[MarketEvent] = []
    script = buys()
    install(monkeypatch, plugin("a", script))
    async with stage(tmp_path, events=events, settings=on("a") | ASKS) as s:
        await s.bar()
    script.opinion = lambda _, position: flat() if position is not None else None
    async with stage(tmp_path, events=events, settings=on("a") | ASKS, auto_confirm=False) as s:
        await s.bar()
        (trade,) = s.r.pipeline.proposals.waiting()
        assert trade.intent.side is Side.SELL
        if off == "fail":
            s.manager.on_failure("a", RuntimeError("broken"))
        else:
            await getattr(s.manager, off)("a")
        runs_away(s, "97.90", "98.00")
        await confirmed(s, trade)
        assert s.r.stored(trade)["reason"].startswith("The bid fell to 97.9;")
        (again,) = s.r.pipeline.proposals.waiting()
        assert again.intent.side is Side.SELL
        assert again.intent.worst_price < trade.intent.worst_price


async def test_a_fresh_proposal_keeps_to_the_capital_there_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", buys()))
    given = {"sizing.fixed": "500"}
    async with stage(tmp_path, settings=on("a") | ASKS | given, auto_confirm=False) as s:
        await s.bar()
        (trade,) = s.r.pipeline.proposals.waiting()
        await s.manager.allocate("a", Decimal(50))
        runs_away(s, "102.90", "103.00")
        await confirmed(s, trade)
        assert s.r.stored(trade)["state"] == "DENIED"
        for again in s.r.pipeline.proposals.waiting():
            assert again.intent.quantity * again.intent.worst_price <= 50
        assert s.manager.modules[0].committed() <= 50


# -- what the screen says of exits ------------------------------------------------------------------------------------


async def test_a_position_that_its_stops_cover_in_part_is_said_to_be_uncovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", Script()))
    async with stage(tmp_path, settings=on("a")) as s:
        await s.r.trade(module="a")
        second = await s.r.trade(module="a")
        stop = next(order for order in second.orders.values() if order.role == "stop")
        await s.r.pipeline.cancel_order(stop)
        await s.r.settle()
        assert s.r.held(module="a") == 2
        assert s.view("a").exits_managed_by == "UNCOVERED: no exit rests for 1 of 2 ETH-USDT"


async def test_entries_that_rest_are_named_beside_a_module_that_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", Script()))
    async with stage(tmp_path, settings=on("a")) as s:
        await basket(s.r, module="a")
        await s.manager.disable("a")
        words = "nobody needs to: it holds nothing; 3 resting entry orders may still buy"
        assert s.view("a").exits_managed_by == words


# -- what outlives a session, or a disk -------------------------------------------------------------------------------


@pytest.mark.parametrize("paused", [1, 0])
async def test_what_a_paused_module_had_signed_before_a_restart_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paused: int
) -> None:
    install(monkeypatch, plugin("m", Script()))
    async with signed_and_cut_off(tmp_path) as trade:
        pass
    with closing(sqlite3.connect(tmp_path / "a.db")) as data, data:
        data.execute(
            "INSERT INTO modules (name, version, state, allocation, reason, updated_ms, paused) "
            "VALUES ('m', '1', 'paused', '1000', '', 0, ?)",
            (paused,),
        )
    (tmp_path / "config.toml").unlink()
    async with stage(tmp_path, settings=on("m"), auto_confirm=False) as s:
        waiting = [each.id for each in s.r.pipeline.proposals.waiting()]
        assert waiting == ([] if paused else [trade.id])
        assert s.r.stored(trade)["state"] == ("CANCELLED" if paused else "SIGNED")
        assert s.r.sent() == []
        s.r.assert_sound()


async def test_a_pause_that_the_disk_lost_can_be_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", buys()))
    async with stage(tmp_path, settings=on("a")) as s:
        s.r.watch_commits()
        s.r.fill_disk()
        with pytest.raises(StorageFault):
            await s.manager.pause("a")
        s.r.free_disk()
        await s.r.rebuilt()
        assert s.state("a") == "paused"
        assert s.stored("a")["paused"] == 0
        await s.manager.pause("a")
        assert s.stored("a")["paused"] == 1


# -- without a module that it needs -----------------------------------------------------------------------------------


async def test_who_needs_a_module_that_failed_takes_no_entry_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("broken")

    needed = Script(opinion=breaks)
    install(monkeypatch, plugin("a", buys(), after=("b",)), plugin("b", needed))
    async with stage(tmp_path, settings=on("a", "b")) as s:
        await s.bar()
        assert (s.state("a"), s.state("b")) == ("running", "failed")
        assert entries(s.r, "a") == {"a": 0}
        assert seen_after(s, "a") == {"needs b, which is failed": 1}
        needed.opinion = lambda *_: None
        await s.manager.pause("b")
        await s.bars(2)
        assert s.state("b") == "paused"
        assert entries(s.r, "a") == {"a": 1}, "a paused module goes on seeing the market, and saying what it sees"


async def test_who_refuses_an_entry_that_begins_to_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", Script()), plugin("off", Script()))
    async with stage(tmp_path, settings=on("a")) as s:
        slot = s.manager.slot("a")
        module = slot.module
        assert module is not None
        for state in ModuleState:
            module.state = state
            refused = state not in {ModuleState.RUNNING, ModuleState.ENABLED}
            assert bool(s.manager.refuses("a")) is refused, state
        module.state, slot.paused = ModuleState.ENABLED, True
        assert s.manager.refuses("a") == "Module a is enabled: it takes no new entry."
        module.state, slot.paused = ModuleState.RUNNING, False
        assert s.manager.refuses("off") == "Module off is registered: it takes no new entry."
        assert s.manager.refuses("manual") == ""
