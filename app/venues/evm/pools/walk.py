"""The way of a swap through a V3 pool in one direction: what it has taken and paid at the end of each step.

Source: the loop of `UniswapV3Pool.swap`, `SwapMath.computeSwapStep` and `TickBitmap.nextInitializedTickWithinOneWord`
(v3-core). A step ends at the next initialised tick or at the end of its bitmap word, whichever is nearer; since each
step rounds, those ends matter to the last unit.

What a whole step costs does not depend on the amount that is swapped: with `a` for what a step takes before the fee,
the contract ends the step at its target when ``floor(rest * (1e6 - fee) / 1e6) >= a``, that is when `rest` is at least
``ceil(a * 1e6 / (1e6 - fee))``, and that same number is what it takes, fee included. So the ends are reckoned once for
a pool and direction, as far as somebody asks; a quote is a search in them and one step that is not finished.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Final

from app.venues.evm.pools.faults import NoQuote, Why
from app.venues.evm.pools.prices import amount0, amount1
from app.venues.evm.pools.ticks import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    sqrt_ratio_at_tick,
)

MILLION: Final = 1_000_000


class Walk:
    """One direction of one pool as it was at one block; grows as it is asked, otherwise never changes.

    Attributes:
        taken, paid: base units of the tokens in and out from the start to the end of step `i`; index 0 is the start.
            Neither ever falls.
        prices: at those ends.
        liquidities: what the step after each end begins with.
        crossed: how many initialised ticks lie behind each end.
        end: why it can go no further, once that is so: LIQUIDITY_RAN_OUT at the lowest or highest price, BEYOND_LOADED.
    """

    __slots__ = (
        "_fee",
        "_keys",
        "_nets",
        "_spacing",
        "_tick",
        "_words",
        "crossed",
        "down",
        "end",
        "liquidities",
        "paid",
        "prices",
        "taken",
    )

    def __init__(
        self,
        *,
        down: bool,
        price: int,
        tick: int,
        liquidity: int,
        fee_ppm: int,
        spacing: int,
        nets: Mapping[int, tuple[int, int]],
        keys: Sequence[int],
        words: tuple[int, int],
    ) -> None:
        """Args as `V3Pool`'s; `down` is token0 in, so that the price falls."""
        self.down = down
        self.taken, self.paid, self.prices, self.liquidities, self.crossed = [0], [0], [price], [liquidity], [0]
        self.end: Why | None = None
        self._fee, self._spacing, self._tick = fee_ppm, spacing, tick
        self._nets, self._keys, self._words = nets, keys, words

    def step_taking(self, amount: int) -> int:
        """Index of the first end at which at least `amount` has been taken; `amount` > 0.

        Raises:
            NoQuote: the walk ends before that.
        """
        taken = self.taken
        while taken[-1] < amount:
            self.grow()
        return bisect_left(taken, amount)

    def step_paying(self, amount: int) -> int:
        """Index of the first end at which at least `amount` has been paid; `amount` > 0.

        Raises:
            NoQuote: the walk ends before that.
        """
        paid = self.paid
        while paid[-1] < amount:
            self.grow()
        return bisect_left(paid, amount)

    def cost(self, start: int, end: int, liquidity: int) -> tuple[int, int]:
        """What a whole step between two prices takes, fee included, and pays."""
        if self.down:
            needed, paid = amount0(end, start, liquidity, up=True), amount1(end, start, liquidity, up=False)
        else:
            needed, paid = amount1(start, end, liquidity, up=True), amount0(start, end, liquidity, up=False)
        return -(-needed * MILLION // (MILLION - self._fee)), paid

    def grow(self) -> None:
        """One more step.

        Raises:
            NoQuote: there is none.
        """
        if self.end is not None:
            raise NoQuote(self.end)
        start, liquidity = self.prices[-1], self.liquidities[-1]
        tick, initialised = self._next() if liquidity else self._over_nothing()
        target = sqrt_ratio_at_tick(tick)
        target = max(target, MIN_SQRT_RATIO + 1) if self.down else min(target, MAX_SQRT_RATIO - 1)
        taken, paid = self.cost(start, target, liquidity)
        reached = target == sqrt_ratio_at_tick(tick)
        if initialised and reached:
            net = self._nets[tick][1]
            liquidity += -net if self.down else net
            if liquidity < 0:
                self.end = Why.INCONSISTENT
                raise NoQuote(self.end)
        self.taken.append(self.taken[-1] + taken)
        self.paid.append(self.paid[-1] + paid)
        self.prices.append(target)
        self.liquidities.append(liquidity)
        self.crossed.append(self.crossed[-1] + (initialised and reached))
        self._tick = tick - 1 if self.down else tick
        if target in {MIN_SQRT_RATIO + 1, MAX_SQRT_RATIO - 1}:
            self.end = Why.LIQUIDITY_RAN_OUT

    def _next(self) -> tuple[int, bool]:
        """The tick at which the next step ends, and whether it is initialised."""
        place = self._tick // self._spacing + (0 if self.down else 1)
        self._known(place * self._spacing)
        word = place >> 8
        first, last = (word << 8) * self._spacing, ((word << 8) + 255) * self._spacing
        keys = self._keys
        if self.down:
            at = bisect_right(keys, place * self._spacing) - 1
            if at >= 0 and keys[at] >= first:
                return keys[at], True
            return max(first, MIN_TICK), False
        at = bisect_left(keys, place * self._spacing)
        if at < len(keys) and keys[at] <= last:
            return keys[at], True
        return min(last, MAX_TICK), False

    def _over_nothing(self) -> tuple[int, bool]:
        """The same where there is no liquidity: nothing is swapped, so nothing is rounded at the ends of words, and the
        step may go on to the next initialised tick, or to the last tick there is."""
        keys, spacing = self._keys, self._spacing
        place = (self._tick // spacing + (0 if self.down else 1)) * spacing
        self._known(place)
        at = bisect_right(keys, place) - 1 if self.down else bisect_left(keys, place)
        if 0 <= at < len(keys):
            return keys[at], True
        last = MIN_TICK if self.down else MAX_TICK
        self._known(last)
        return last, False

    def _known(self, tick: int) -> None:
        """Nothing is said of a word that was not read."""
        if not self._words[0] <= tick // self._spacing >> 8 <= self._words[1]:
            self.end = Why.BEYOND_LOADED
            raise NoQuote(self.end)
