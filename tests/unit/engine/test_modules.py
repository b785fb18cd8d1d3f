"""From bars to intents: what a module is fed, what it may say, and the exact bounds of what comes out."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.engine.bus import Bus
from app.engine.intents import IntentMaker, Skipped
from app.engine.lifecycle import ModuleState
from app.engine.modules import Module
from app.execution.preview import walk
from app.ids import intent_id
from app.money import ZERO, add, apply_bps, from_float, mul, sub
from app.risk.gate import check
from app.risk.model import Allow, Sizing
from strategies.base import API_VERSION, ModuleSpec
from strategies.model import Bar, Direction, Intent, Position, Side, Signal
from tests.execution.harness import ETH, Rig, rig

Opinion = Callable[[Bar, Position | None], Signal | None]


@dataclass(frozen=True)
class Params:
    """None."""


class Scripted:
    """Says what the test says."""

    def __init__(self, opinion: Opinion) -> None:
        self.seen: list[Bar] = []
        self.positions: list[Position | None] = []
        self._opinion = opinion

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        self.seen.append(bar)
        self.positions.append(position)
        return self._opinion(bar, position)


def long(symbol: str = "ETH-USDT", stop: float | None = 90.0, target: float | None = 200.0) -> Signal:
    return Signal(symbol, Direction.LONG, 0.5, 0.5, "up", stop, target)


def flat(symbol: str = "ETH-USDT") -> Signal:
    return Signal(symbol, Direction.FLAT, 0.5, 0.5, "down")


def bar(r: Rig, symbol: str = "ETH-USDT", close: str = "100") -> Bar:
    price = Decimal(close)
    return Bar(symbol, r.now - 60_000, 60_000, price, price, price, price, Decimal(1000))


class Bench:
    """One module on one rig."""

    def __init__(self, r: Rig, opinion: Opinion, *, trades: Callable[[str], bool] = lambda _: True) -> None:
        self.made: list[Scripted] = []
        self.proposed: list[Intent] = []
        self.r = r
        sizing = Sizing(fixed=Decimal(100))
        self.module = Module(
            spec=ModuleSpec("m", "1", API_VERSION, Params, lambda _: self._factory(opinion), lambda _: 0),
            params=Params(),
            sizing=sizing,
            maker=IntentMaker(r.desk, "m", sizing, Decimal(1_000_000)),
            run="run",
            trades=trades,
            propose=self._propose,
        )
        self.module.move(ModuleState.RUNNING)

    def _factory(self, opinion: Opinion) -> Scripted:
        self.made.append(Scripted(opinion))
        return self.made[-1]

    def _propose(self, intent: Intent) -> Any:
        self.proposed.append(intent)
        return self.r.pipeline.propose(intent)


async def test_opinions_about_the_past_are_ignored_and_the_past_is_remembered(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        bench = Bench(r, lambda *_: long())
        for _ in range(5):
            bench.module.warm(bar(r), aloud=True)
        assert bench.proposed == []
        assert (bench.module.counters.bars, bench.module.counters.signals) == (0, 0)
        bench.module.on_bar(bar(r))
        assert len(bench.proposed) == 1
        assert len(bench.made[0].seen) == 6
        assert vars_of(bench) == (1, 1, 1, 0)
        await r.settle()


def vars_of(bench: Bench) -> tuple[int, int, int, int]:
    counters = bench.module.counters
    return counters.bars, counters.signals, counters.intents, sum(counters.skipped.values())


async def test_one_strategy_per_instrument_and_none_for_what_it_may_not_trade(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        bench = Bench(r, lambda *_: None, trades=lambda symbol: symbol != "XRP-USDT")
        for symbol in ("ETH-USDT", "BTC-USDT", "ETH-USDT", "XRP-USDT"):
            bench.module.on_bar(bar(r, symbol))
        bench.module.warm(bar(r, "XRP-USDT"), aloud=True)
        assert [[each.symbol for each in s.seen] for s in bench.made] == [["ETH-USDT"] * 2, ["BTC-USDT"]]


async def test_a_strategy_that_raises_fails_its_module_only(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:

        def broken(*_: object) -> Signal | None:
            raise ZeroDivisionError

        bad, good = Bench(r, broken), Bench(r, lambda *_: None)
        bus = Bus(lambda _, error: bad.module.move(ModuleState.FAILED, repr(error)))
        bus.subscribe(Bar, "bad", bad.module.on_bar)
        bus.subscribe(Bar, "good", good.module.on_bar)
        bus.publish(bar(r))
        bus.publish(bar(r))
        assert (bad.module.state, bad.module.reason) == (ModuleState.FAILED, "ZeroDivisionError()")
        assert len(bad.made[0].seen) == 1
        assert len(good.made[0].seen) == 2


async def test_a_failed_module_proposes_nothing_afresh(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        bench = Bench(r, lambda *_: long())
        trade = await r.trade()
        bench.module.move(ModuleState.FAILED, "broken")
        bench.module.propose_again(trade)
        assert bench.proposed == []


async def test_a_paused_module_is_fed_takes_no_entry_and_still_closes(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        said = [long(), long(), flat()]
        bench = Bench(r, lambda *_: said.pop(0))
        await r.trade(quantity="2")
        bench.module.move(ModuleState.PAUSED)
        for _ in range(3):
            bench.module.on_bar(bar(r))
        assert bench.module.counters.skipped == {"paused": 2}
        (close,) = bench.proposed
        assert (close.side, close.quantity) == (Side.SELL, Decimal(2))
        await r.settle()
        assert r.held() == 0


async def test_fresh_proposals_of_a_paused_module_are_closes_only(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        bench = Bench(r, lambda *_: None)
        entry_trade = await r.trade(quantity="2")
        bench.module.move(ModuleState.PAUSED)
        bench.module.propose_again(entry_trade)
        assert bench.proposed == []
        close = await r.close_position("1")
        bench.module.propose_again(close)
        assert [intent.side for intent in bench.proposed] == [Side.SELL]
        await r.settle()


async def test_another_allocation_holds_for_the_next_intent(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        bench = Bench(r, lambda *_: long())
        bench.module.allocate(Decimal(50))
        bench.module.on_bar(bar(r))
        assert Decimal(45) < mul(bench.proposed[0].quantity, bench.proposed[0].worst_price) <= 50
        bench.module.allocate(Decimal(20))
        await r.settle()
        bench.module.on_bar(bar(r))
        assert bench.module.counters.skipped == {"no room for one lot": 1}
        assert bench.module.committed() > bench.module.allocation, "what is open stays open"


async def test_denied_and_dropped_are_counted_by_module(tmp_path: Path) -> None:
    async with rig(tmp_path, settings={"risk.trades_per_day": "1"}) as r:
        bench, other = Bench(r, lambda *_: long()), Bench(r, lambda *_: None)
        bench.module.on_bar(bar(r))
        bench.module.on_bar(bar(r))  # the first is still in flight
        await r.settle()
        bench.module.on_bar(bar(r))
        counters = bench.module.counters
        assert (counters.intents, counters.dropped, counters.denied) == (3, 1, 1)
        assert (other.module.counters.dropped, other.module.counters.denied) == (0, 0)
        await r.settle()


async def test_ids_follow_from_run_module_and_sequence(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        bench = Bench(r, lambda *_: long())
        for _ in range(3):
            bench.module.on_bar(bar(r))
        assert [intent.id for intent in bench.proposed] == [intent_id("run", "m", n) for n in (1, 2, 3)]
        await r.settle()


async def test_a_strategy_sees_what_its_module_holds(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        bench = Bench(r, lambda *_: None)
        bench.module.on_bar(bar(r))
        await r.trade(module="other")
        bench.module.on_bar(bar(r))
        await r.trade(quantity="2")
        bench.module.on_bar(bar(r))
        assert bench.made[0].positions[:2] == [None, None]
        held = bench.made[0].positions[2]
        assert held is not None
        assert (held.quantity, held.average_entry) == (Decimal(2), Decimal(100))


# -- bounds ---------------------------------------------------------------------------------------------------------


def entry(r: Rig, signal: Signal, **sizing: Any) -> Intent | Skipped:
    maker = IntentMaker(r.desk, "m", replace(Sizing(fixed=Decimal(100)), **sizing), Decimal(10_000))
    return maker.from_signal(signal, "0" * 32, None)


async def test_every_entry_is_within_slippage_on_tick_on_lot_and_admitted(tmp_path: Path) -> None:
    """Whatever the touch, the size wanted and the exits: the gate has nothing to say against it."""
    randomly = random.Random(5)
    async with rig(tmp_path, settings={"risk.position": "150", "risk.exposure": "200"}) as r:
        made = 0
        for _ in range(150):
            bid = Decimal(randomly.randint(1000, 200_000)).scaleb(-2)
            ask = add(bid, Decimal(randomly.randint(1, 20)).scaleb(-2))
            await r.book(str(bid), str(ask))
            stop, target = float(bid) * randomly.uniform(0.5, 0.99), float(ask) * randomly.uniform(1.001, 2)
            wish = Decimal(randomly.randint(1, 400))
            intent = entry(r, long(stop=stop, target=target), fixed=wish)
            if isinstance(intent, Skipped):
                assert intent.why in {"no room for one lot", "the target is too near to pay the ask"}
                continue
            made += 1
            slippage = r.desk.terms.slippage_bps
            assert ask <= intent.worst_price <= add(ask, apply_bps(ask, slippage))
            assert intent.worst_price < from_float(target)
            assert not intent.worst_price % ETH.tick
            assert not intent.quantity % ETH.lot
            assert mul(intent.quantity, intent.worst_price) <= min(wish, Decimal(150))
            assert intent.exits is not None
            assert intent.exits.target is not None
            assert sub(from_float(stop), ETH.tick) < intent.exits.stop <= from_float(stop)
            assert from_float(target) <= intent.exits.target < add(from_float(target), ETH.tick)
            assert isinstance(check(intent, r.desk.risk_state("ETH-USDT"), r.desk.limits), Allow)
            fee = walk(r.desk.market.book("ETH-USDT"), Side.BUY, intent.quantity, intent.worst_price,
                       r.desk.venue_info.taker_fee_bps).fee  # fmt: skip
            assert fee <= intent.max_fee
        assert made > 100


async def test_the_fee_bound_covers_an_order_that_rests_where_makers_pay_more(tmp_path: Path) -> None:
    async with rig(tmp_path, settings={"paper.taker_fee_bps": "1", "paper.maker_fee_bps": "20"}) as r:
        intent = entry(r, long())
        assert isinstance(intent, Intent)
        assert intent.max_fee > apply_bps(mul(intent.quantity, intent.worst_price), Decimal(20))
        await r.trade(quantity="2")
        close = entry(r, flat())
        assert isinstance(close, Intent)
        assert close.max_fee > apply_bps(mul(close.quantity, Decimal("99.90")), Decimal(20))


async def test_the_position_limit_cuts_each_entry_until_no_lot_fits(tmp_path: Path) -> None:
    async with rig(tmp_path, settings={"risk.position": "150"}) as r:
        sizes: list[Decimal] = []
        while isinstance(intent := entry(r, long()), Intent):
            room = sub(Decimal(150), mul(r.held(), Decimal("99.95")))  # valued at the middle
            most = min(room, Decimal(100))
            assert mul(intent.quantity, intent.worst_price) <= most
            assert mul(add(intent.quantity, ETH.lot), intent.worst_price) > most
            sizes.append(intent.quantity)
            assert r.pipeline.propose(replace(intent, id=f"{len(sizes):032d}")) is not None
            await r.settle()
        assert intent == Skipped("no room for one lot")
        assert sizes[0] > sizes[1] > sizes[-1]
        assert Decimal("149.8") < mul(r.held(), Decimal("99.95")) <= 150


async def test_the_allocation_cuts_what_a_module_commits(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        maker = IntentMaker(r.desk, "m", Sizing(fixed=Decimal(80)), Decimal(100))
        first = maker.from_signal(long(), "0" * 32, None)
        assert isinstance(first, Intent)
        assert mul(first.quantity, first.worst_price) <= 80
        r.pipeline.propose(first)
        await r.settle()
        assert maker.committed() == mul(first.quantity, Decimal(100))
        second = maker.from_signal(long(), "1" * 32, None)
        assert isinstance(second, Intent)
        assert mul(second.quantity, second.worst_price) <= sub(Decimal(100), maker.committed())


@pytest.mark.parametrize(
    ("signal", "why"),
    [
        (long(stop=None), "no stop"),
        (flat(), "nothing to close"),
        (long(target=99.0), "the target is too near to pay the ask"),
    ],
)
async def test_a_signal_that_can_not_be_an_intent_is_skipped_and_counted(
    tmp_path: Path, signal: Signal, why: str
) -> None:
    async with rig(tmp_path) as r:
        assert entry(r, signal) == Skipped(why)
        bench = Bench(r, lambda *_: signal)
        bench.module.on_bar(bar(r))
        assert vars_of(bench) == (1, 1, 0, 1)
        assert bench.proposed == []


async def test_without_a_quote_or_a_value_there_is_no_intent(tmp_path: Path) -> None:
    async with rig(tmp_path, market=False) as r:
        assert entry(r, long()) == Skipped("no quote")
        assert entry(r, flat()) == Skipped("no quote")
        await r.book("99.90", "100.00")
        r.desk.valuation._reference.clear()
        assert entry(r, long()) == Skipped("no fresh value for USDT")


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
async def test_a_stop_that_is_no_number_fails_the_module_and_sends_nothing(tmp_path: Path, odd: float) -> None:
    async with rig(tmp_path) as r:
        bench, failed = Bench(r, lambda *_: long(stop=odd)), []
        bus = Bus(lambda name, error: failed.append((name, repr(error))))
        bus.subscribe(Bar, "m", bench.module.on_bar)
        bus.publish(bar(r))
        assert len(failed) == 1
        assert "is no amount" in failed[0][1]
        assert bench.proposed == []


# -- closes ---------------------------------------------------------------------------------------------------------


async def test_a_close_takes_exactly_what_the_oldest_exits_still_cover(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade(quantity="2")
        await r.trade(quantity="3")
        intent = entry(r, flat())
        assert isinstance(intent, Intent)
        assert (intent.quantity, intent.side, intent.reduce_only) == (Decimal(2), Side.SELL, True)
        assert intent.exits is None
        assert intent.worst_price == Decimal("98.91")  # 1 % below 99.90, up to the tick
        bound = apply_bps(mul(intent.quantity, Decimal("99.90")), r.desk.venue_info.taker_fee_bps)
        assert intent.max_fee > bound  # a better price than the worst has a larger fee
        assert r.pipeline.propose(intent) is not None
        await r.settle()
        assert r.held() == 3
        again = entry(r, flat())
        assert isinstance(again, Intent)
        assert again.quantity == 3


async def test_a_close_of_a_partly_sold_position_takes_the_rest(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade(quantity="2")
        await r.book("120.00", "120.10", "0.75")  # the target sells a part
        assert r.held() == Decimal("1.25")
        intent = entry(r, flat())
        assert isinstance(intent, Intent)
        assert intent.quantity == Decimal("1.25")
        r.pipeline.propose(intent)
        await r.settle()
        await r.book("120.00", "120.10", "10")
        assert r.held() == ZERO
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_bid_of_one_tick_can_still_be_bounded(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade(stop="0.02", target=None)
        await r.book("0.01", "0.02", "0")
        intent = entry(r, flat())
        assert isinstance(intent, Intent)
        assert intent.worst_price == Decimal("0.01")


async def test_flat_withdraws_an_entry_that_waits_and_says_nothing_of_others(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        said: list[Signal | None] = [long(), None, long(), flat()]
        bench = Bench(r, lambda *_: said.pop(0))
        other = await r.trade(module="n")
        bench.module.on_bar(bar(r))
        await r.settle()
        (entry,) = [trade for trade in r.pipeline.proposals.waiting() if trade is not other]
        bench.module.on_bar(bar(r))  # silence is no withdrawal
        bench.module.on_bar(bar(r))  # the same once more is dropped
        await r.settle()
        assert r.pipeline.proposals.waiting() == [other, entry]
        bench.module.on_bar(bar(r))
        assert r.pipeline.proposals.waiting() == [other]
        await r.settle()
        assert r.stored(entry)["reason"] == "Its module no longer wants it."
        assert bench.module.counters.skipped == {"nothing to close": 1}
