"""Deposits, withdrawals, trades, comparisons, adjustments and restarts in any order. At each step the books sum to zero
and what was earned is what trades earned; after an adjustment the ledger is what the venue has."""

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

from app.errors import SafetyError
from app.execution.adjustments import adjust
from app.money import ZERO, add, from_text
from app.portfolio.ledger import ADJUSTMENT
from tests.execution.harness import Rig, rig
from tests.execution.outside import Outside, wanted

_AMOUNTS = ("-3000", "-40.5", "-0.000001", "0.000001", "7", "2500.25")
_LEAST = {"USDT": Decimal(-6000), "ETH": ZERO}
"""More than a venue has can not leave it."""
moves = st.lists(
    st.one_of(
        st.tuples(st.just("outside"), st.sampled_from(["USDT", "ETH"]), st.sampled_from(_AMOUNTS)),
        st.tuples(st.just("compare")),
        st.tuples(st.just("adjust"), st.sampled_from(["USDT", "ETH"])),
        st.tuples(st.just("buy"), st.sampled_from(["0.4", "3"])),
        st.tuples(st.just("stopped out")),
        st.tuples(st.just("restart")),
    ),
    min_size=2,
    max_size=14,
)


class Walk:
    """One account. `outside` lives longer than a session: the venue is where it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._moved: dict[str, Decimal] = {}
        self._numbers = itertools.count(1)

    async def run(self, steps: Sequence[tuple[Any, ...]]) -> None:
        async with AsyncExitStack() as stack:
            r, outside = await self._open(stack)
            for name, *terms in steps:
                if name == "restart":
                    await stack.aclose()
                    r, outside = await self._open(stack)
                else:
                    await self._do(r, outside, name, *terms)
                await r.settle()
                await self._check(r)
            await self._end(r, outside)

    async def _open(self, stack: AsyncExitStack) -> tuple[Rig, Outside]:
        r = await stack.enter_async_context(rig(self._folder))
        outside = Outside(r, self._moved)
        await outside.look()  # the start compared with a venue that had not heard of the world yet
        return r, outside

    async def _do(self, r: Rig, outside: Outside, name: str, *terms: str) -> None:
        if name == "outside":
            asset, amount = terms
            if add(self._moved.get(asset, ZERO), Decimal(amount)) >= _LEAST[asset]:
                outside.move(asset, amount)
        elif name == "compare":
            self._agrees(r, len(await outside.look()))
        elif name == "adjust":
            await self._adjust(r, outside, terms[0])
        elif name == "buy":
            halted = bool(r.desk.halted)
            r._numbers = self._numbers
            await r.book("99.90", "100.00")
            admitted = r.pipeline.propose(r.intent(quantity=terms[0], module=f"m{next(self._numbers)}"))
            assert not (halted and admitted is not None), "a known difference stops new trades"
        else:
            await r.book("89.00", "89.10")

    async def _adjust(self, r: Rig, outside: Outside, asset: str) -> None:
        found = {each.subject: each for each in await outside.look()}
        if asset not in found:
            return
        try:
            await adjust(r.desk, r.session.recovery, wanted(found[asset]))
        except SafetyError as error:
            if error.code == "reconcile.reserved":
                return
            raise
        theirs = (await r.desk.venue.reading()).balances.get(asset, ZERO)
        assert r.desk.state.purse.balance(asset) == theirs
        self._agrees(r, len(found) - 1)

    def _agrees(self, r: Rig, differences: int) -> None:
        assert bool(r.desk.halted) == bool(differences)

    async def _check(self, r: Rig) -> None:
        r.assert_sound()
        sums: dict[str, Decimal] = {}
        for row in r.rows("SELECT asset, amount FROM balances"):
            sums[row["asset"]] = add(sums.get(row["asset"], ZERO), from_text(row["amount"]))
        assert not any(sums.values()), sums
        earned = r.desk.valuation.trading_profit(r.desk.state.positions, r.desk.instruments, r.desk.state.gas)
        moved = r.rows("SELECT amount FROM balances WHERE account LIKE 'trading:%' OR account = 'expenses:fees'")
        if not r.desk.state.positions.open_holdings():
            assert earned == -sum((from_text(row["amount"]) for row in moved), ZERO), "what trades earned, and no more"

    async def _end(self, r: Rig, outside: Outside) -> None:
        """All is stopped out, what is left is adjusted: then both are one."""
        await r.book("89.00", "89.10")
        for difference in await outside.look():
            await adjust(r.desk, r.session.recovery, wanted(difference))
        await r.settle()
        assert await outside.look() == ()
        assert r.desk.halted == ""
        posted = {
            row["asset"]: -from_text(row["amount"])
            for row in r.rows("SELECT asset, amount FROM balances WHERE account = ?", ADJUSTMENT)
        }
        assert {a: v for a, v in posted.items() if v} == {a: v for a, v in self._moved.items() if v}
        await self._check(r)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(moves)
def test_books_and_venue_through_any_walk(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(Walk(Path(folder)).run(steps))
