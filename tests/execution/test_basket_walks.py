"""Baskets under prices, depths, cancellations and restarts that nobody thought of. What must hold at every settled
instant: nothing is bought beyond what was signed, no reservation is negative or grows, every unit held has its stop,
the books balance, and memory, disk and venue agree."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.execution.records import Trade
from app.execution.withdrawal import withdraw
from app.money import ZERO, add, from_text
from strategies.model import MOST_LEGS, Side
from tests.execution.basket_acts import assert_covered, assert_within, basket_intent
from tests.execution.harness import Rig, rig

CENTS = Decimal("0.01")

Legs = list[tuple[str, str, str]]


@st.composite
def shapes(draw: st.DrawFn) -> tuple[Legs, str]:
    """Legs from 100.50 (takes at once) down to 92, and a stop below them."""
    prices = draw(st.lists(st.integers(9_200, 10_050), min_size=1, max_size=MOST_LEGS, unique=True))
    legs = [
        (str(price * CENTS), f"0.{draw(st.integers(1, 999)):03d}", str((price + draw(st.integers(1, 400))) * CENTS))
        for price in sorted(prices, reverse=True)
    ]
    return legs, str((min(prices) - draw(st.integers(1, 300))) * CENTS)


market = st.tuples(
    st.just("book"),
    st.integers(8_700, 10_400),  # bid
    st.integers(1, 600),  # spread
    st.integers(0, 2_000),  # thousandths on each side
    st.sampled_from([1, 1_000, 40_000]),
)
touches = st.tuples(st.just("touch"), st.integers(0, MOST_LEGS - 1), st.integers(1, 2_000))
"""An offer at exactly a leg's price: nothing is bought better than it was reserved for."""
others = st.sampled_from([("cancel leg",), ("cancel all",), ("restart",), ("close",), ("again",)])
walks = st.lists(st.one_of(market, market, market, touches, touches, others), min_size=1, max_size=14)


class Walk:
    """One account through one walk."""

    def __init__(self, folder: Path, shape: tuple[Legs, str], rest_ms: int) -> None:
        self._folder = folder
        self._shape = shape
        self._rest_ms = rest_ms
        self._holds: dict[str, Decimal] = {}
        self._trades: list[Trade] = []
        self._numbers = itertools.count(1)

    async def run(self, moves: Sequence[tuple[Any, ...]]) -> None:
        async with AsyncExitStack() as stack:
            r = await stack.enter_async_context(rig(self._folder))
            await self._propose(r)
            for move in moves:
                if move[0] == "restart":
                    await stack.aclose()
                    r = await stack.enter_async_context(rig(self._folder, market=False))
                else:
                    await self._do(r, move)
                self._check(r)
            await r.book("50.00", "200.00", "1000")
            await r.book("50.00", "200.00", "1000")
            await r.advance(self._rest_ms + 1)
            await r.book("60.00", "60.10", "0")
            self._check(r)
            assert r.held() == 0, "a stop at hand sells everything"
            assert r.desk.state.purse.holds == {}

    async def _propose(self, r: Rig) -> None:
        r._numbers = self._numbers
        legs, stop = self._shape
        trade = r.pipeline.propose(basket_intent(r, legs, stop=stop, rest_ms=self._rest_ms))
        await r.settle()
        if trade is not None:
            self._trades.append(trade)

    async def _do(self, r: Rig, move: tuple[Any, ...]) -> None:
        live = [t for t in r.desk.state.trades.values() if t.intent.legs]
        match move:
            case ("book", bid, spread, size, after_ms):
                await r.book(
                    str(bid * CENTS), str((bid + spread) * CENTS), str(Decimal(size) / 1000), after_ms=after_ms
                )
            case ("touch", number, size):
                price = Decimal(self._shape[0][number % len(self._shape[0])][0])
                await r.book(str(price - CENTS), str(price), str(Decimal(size) / 1000))
            case ("again",):
                await self._propose(r)
            case ("cancel all",) if live and live[-1].resting_entries():
                await withdraw(r.desk, r.pipeline, live[-1].id)
            case ("cancel leg",) if live and live[-1].resting_entries():
                await r.pipeline.cancel_order(live[-1].resting_entries()[0])
            case ("close",) if groups := r.desk.state.exit_groups("m", "ETH-USDT"):
                r._numbers = self._numbers
                intent = r.intent(side=Side.SELL, quantity=str(groups[0][1]), worst="80")
                r.pipeline.propose(intent)
        await r.settle()

    def _check(self, r: Rig) -> None:
        r.assert_sound()
        r.assert_agrees_with_venue()
        assert_covered(r)
        for trade in r.desk.state.trades.values():
            if trade.intent.legs:
                assert_within(r, trade)
        for trade_id, hold in r.desk.state.purse.holds.items():
            assert ZERO <= hold.remaining <= self._holds.get(trade_id, hold.amount)
            self._holds[trade_id] = hold.remaining
        sums: dict[str, Decimal] = {}
        for row in r.rows("SELECT asset, amount FROM postings"):
            sums[row["asset"]] = add(sums.get(row["asset"], ZERO), from_text(row["amount"]))
        assert not any(sums.values()), sums


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], print_blob=False)
@given(shapes(), walks, st.sampled_from([5_000, 60_000, 600_000]))
def test_whatever_the_market_does_a_basket_keeps_within_what_was_signed(
    shape: tuple[Legs, str], moves: list[tuple[Any, ...]], rest_ms: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(Walk(Path(folder), shape, rest_ms).run(moves))
