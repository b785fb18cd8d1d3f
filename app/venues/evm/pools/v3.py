"""Concentrated liquidity: Uniswap V3 and its forks.

Sources: `UniswapV3Pool.swap`, `SwapMath`, `SqrtPriceMath` (v3-core); whitepaper 6.2-6.3 for virtual reserves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from app.venues.evm.pools.faults import NoQuote, Why
from app.venues.evm.pools.prices import Q96, amount0, amount1, price_after_input, price_after_output
from app.venues.evm.pools.ticks import MAX_SQRT_RATIO, MIN_SQRT_RATIO
from app.venues.evm.pools.walk import MILLION, Walk

_MAX_INT256: Final = 2**255 - 1


@dataclass(frozen=True, slots=True)
class Swap:
    """What one swap comes to, as the pool itself would answer.

    Attributes:
        taken, paid: base units of the token in and out. Less is taken (exact-in) or paid (exact-out) than was asked
            where the price met the limit first.
        price: its square root times 2^96, afterwards.
        liquidity: in range, afterwards.
        crossed: initialised ticks on the way, each costing gas.
    """

    taken: int
    paid: int
    price: int
    liquidity: int
    crossed: int


@dataclass(frozen=True, slots=True)
class V3Pool:
    """One pool as it was at one block.

    Attributes:
        dex: name of its exchange.
        token0, token1: their addresses, the lower one first.
        fee_ppm: millionths of what is paid in ("hundredths of a basis point").
        spacing: ticks between two that may be initialised.
        price: square root of token1 per token0 times 2^96; 0 before the pool is initialised.
        tick: as slot0 has it: one lower than the price's own where the price came down onto a tick.
        liquidity: in range.
        ticks: each initialised tick within `words`: its gross and net liquidity.
        words: first and last word of the tick bitmap that were read; beyond them nothing is known.
        keys: `ticks`, sorted; made when left out.
    """

    address: bytes
    dex: str
    token0: bytes
    token1: bytes
    fee_ppm: int
    spacing: int
    price: int
    tick: int
    liquidity: int
    ticks: Mapping[int, tuple[int, int]]
    words: tuple[int, int]
    keys: tuple[int, ...] = ()
    _walks: dict[bool, Walk] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.keys) != len(self.ticks):
            object.__setattr__(self, "keys", tuple(sorted(self.ticks)))

    def exact_in(self, zero_for_one: bool, amount: int) -> int:
        """What the pool pays for all of `amount`, both in base units; 0 where the pool would pay 0.

        Raises:
            NoQuote: where the pool reverts or could take only a part; BEYOND_LOADED where more must be read first.
        """
        return self.through(zero_for_one, amount)[0]

    def through(self, zero_for_one: bool, amount: int) -> tuple[int, int]:
        """As `exact_in`, and how many initialised ticks are crossed.

        Raises:
            NoQuote: as `exact_in`.
        """
        if not 0 < amount <= _MAX_INT256:
            raise NoQuote(Why.OVERFLOW if amount > 0 else Why.ZERO_INPUT, self.address)
        walk = self._walks.get(zero_for_one) or self.walk(zero_for_one)
        if walk.end is not None and walk.taken[-1] < amount:
            raise NoQuote(walk.end, self.address)
        try:
            step = walk.step_taking(amount)
            if walk.taken[step] == amount:
                return walk.paid[step], walk.crossed[step]
            step -= 1
            start, liquidity = walk.prices[step], walk.liquidities[step]
            rest = (amount - walk.taken[step]) * (MILLION - self.fee_ppm) // MILLION
            end = price_after_input(start, liquidity, rest, zero_for_one=zero_for_one)
        except NoQuote as fault:
            raise NoQuote(fault.why, self.address) from None
        if zero_for_one:
            return walk.paid[step] + (liquidity * (start - end) >> 96), walk.crossed[step]
        return walk.paid[step] + (liquidity << 96) * (end - start) // end // start, walk.crossed[step]

    def exact_out(self, zero_for_one: bool, amount: int) -> int:
        """What must be paid in to be paid `amount`.

        Raises:
            NoQuote: where the pool reverts or could pay only a part; BEYOND_LOADED where more must be read first.
        """
        return self.through_out(zero_for_one, amount)[0]

    def through_out(self, zero_for_one: bool, amount: int) -> tuple[int, int]:
        """As `exact_out`, and how many initialised ticks are crossed.

        Raises:
            NoQuote: as `exact_out`.
        """
        if not 0 < amount <= _MAX_INT256:
            raise NoQuote(Why.OVERFLOW if amount > 0 else Why.ZERO_OUTPUT, self.address)
        walk = self._walks.get(zero_for_one) or self.walk(zero_for_one)
        try:
            step = walk.step_paying(amount)
            if walk.paid[step] == amount:
                return walk.taken[step], walk.crossed[step]
            return walk.taken[step - 1] + self._rest_out(walk, step, amount)[0], walk.crossed[step - 1]
        except NoQuote as fault:
            raise NoQuote(fault.why, self.address) from None

    def swap(self, zero_for_one: bool, amount: int, *, exact_in: bool = True, limit: int | None = None) -> Swap:
        """What `UniswapV3Pool.swap` would do, step by step, parts included: `exact_in` and `exact_out` are shortcuts.

        Args:
            amount: base units in (exact_in) or out.
            limit: square root price that the swap does not go beyond; None is the furthest there is, as the routers
                have it.

        Raises:
            NoQuote: where the pool reverts, or takes nothing at all, which routers refuse; BEYOND_LOADED.
        """
        if not 0 < amount <= _MAX_INT256:
            raise NoQuote(Why.OVERFLOW if amount > 0 else Why.ZERO_INPUT, self.address)
        walk = self.walk(zero_for_one)
        end = (MIN_SQRT_RATIO + 1 if zero_for_one else MAX_SQRT_RATIO - 1) if limit is None else limit
        if not (MIN_SQRT_RATIO < end < self.price if zero_for_one else self.price < end < MAX_SQRT_RATIO):
            raise NoQuote(Why.BAD_LIMIT, self.address)
        try:
            done = self._swap(walk, amount, end, exact_in=exact_in)
        except NoQuote as fault:
            raise NoQuote(fault.why, self.address) from None
        if done.taken == 0:
            raise NoQuote(Why.LIQUIDITY_RAN_OUT, self.address)
        return done

    def _swap(self, walk: Walk, amount: int, end: int, *, exact_in: bool) -> Swap:
        totals, step = walk.taken if exact_in else walk.paid, 0
        while totals[step] != amount and walk.prices[step] != end:
            step += 1
            if step == len(totals):
                walk.grow()
            if walk.prices[step] < end if walk.down else walk.prices[step] > end:
                return self._up_to(walk, step, amount, end, exact_in=exact_in)
            if totals[step] > amount:
                return self._part(walk, step, amount, exact_in=exact_in)
        return Swap(walk.taken[step], walk.paid[step], walk.prices[step], walk.liquidities[step], walk.crossed[step])

    def _up_to(self, walk: Walk, step: int, amount: int, end: int, *, exact_in: bool) -> Swap:
        """A last step that the limit cuts short, or the amount before it."""
        start, liquidity = walk.prices[step - 1], walk.liquidities[step - 1]
        taken, paid = walk.cost(start, end, liquidity)
        rest = amount - (walk.taken if exact_in else walk.paid)[step - 1]
        if rest < (taken if exact_in else paid):
            return self._part(walk, step, amount, exact_in=exact_in)
        taken, paid = taken + walk.taken[step - 1], paid + walk.paid[step - 1]
        return Swap(taken, paid, end, liquidity, walk.crossed[step - 1])

    def _part(self, walk: Walk, step: int, amount: int, *, exact_in: bool) -> Swap:
        """A last step that the amount does not finish."""
        before, liquidity = step - 1, walk.liquidities[step - 1]
        if exact_in:
            more, price = self._rest_in(walk, step, amount)
            return Swap(amount, walk.paid[before] + more, price, liquidity, walk.crossed[before])
        more, price = self._rest_out(walk, step, amount)
        # The price is moved at least as far as the output needs, so all of it is paid; what is more is cut.
        return Swap(walk.taken[before] + more, amount, price, liquidity, walk.crossed[before])

    def _rest_in(self, walk: Walk, step: int, amount: int) -> tuple[int, int]:
        """What an unfinished step pays for the rest of an amount in, and the price afterwards."""
        start, liquidity = walk.prices[step - 1], walk.liquidities[step - 1]
        rest = (amount - walk.taken[step - 1]) * (MILLION - self.fee_ppm) // MILLION
        end = price_after_input(start, liquidity, rest, zero_for_one=walk.down)
        return (amount1 if walk.down else amount0)(start, end, liquidity, up=False), end

    def _rest_out(self, walk: Walk, step: int, amount: int) -> tuple[int, int]:
        """What an unfinished step takes for the rest of an amount out, fee included, and the price afterwards."""
        start, liquidity = walk.prices[step - 1], walk.liquidities[step - 1]
        end = price_after_output(start, liquidity, amount - walk.paid[step - 1], zero_for_one=walk.down)
        needed = (amount0 if walk.down else amount1)(start, end, liquidity, up=True)
        return needed - (-needed * self.fee_ppm // (MILLION - self.fee_ppm)), end

    def afresh(self) -> V3Pool:
        """The same, of which no quote was asked yet; another thread may quote it."""
        return replace(self, _walks={})

    def walk(self, zero_for_one: bool) -> Walk:
        """The way down (token0 in) or up, shared by all quotes of this state.

        Raises:
            NoQuote: NOT_INITIALISED.
        """
        found = self._walks.get(zero_for_one)
        if found is None:
            if self.price <= 0:
                raise NoQuote(Why.NOT_INITIALISED, self.address)
            found = self._walks[zero_for_one] = Walk(
                down=zero_for_one,
                price=self.price,
                tick=self.tick,
                liquidity=self.liquidity,
                fee_ppm=self.fee_ppm,
                spacing=self.spacing,
                nets=self.ticks,
                keys=self.keys,
                words=self.words,
            )
        return found

    def short(self, reach: int | None) -> bool:
        """Whether a quote needed ticks that were not read, although they are less than `reach` from the price (None:
        however far they are)."""
        known = 256 * self.spacing
        return any(
            walk.end is Why.BEYOND_LOADED
            and (
                reach is None
                or (self.tick - self.words[0] * known if down else (self.words[1] + 1) * known - self.tick) < reach
            )
            for down, walk in self._walks.items()
        )

    def spot(self, zero_for_one: bool) -> tuple[int, int]:
        """Price before fee and impact: base units paid out per base unit paid in, as a fraction.

        Raises:
            NoQuote: NOT_INITIALISED.
        """
        if self.price <= 0:
            raise NoQuote(Why.NOT_INITIALISED, self.address)
        square = self.price * self.price
        return (square, Q96 * Q96) if zero_for_one else (Q96 * Q96, square)

    def virtual(self, zero_for_one: bool) -> tuple[int, int, int]:
        """Reserves in and out of the constant product that this is until its first step's end, and what takes it there.

        Raises:
            NoQuote: NOT_INITIALISED; BEYOND_LOADED.
        """
        walk = self.walk(zero_for_one)
        # A step of no width or no liquidity is no product: the first that is one.
        at = 0
        while True:
            if at + 1 == len(walk.taken):
                walk.grow()
            if walk.taken[at + 1] > 0:
                break
            at += 1
        zero, one = (walk.liquidities[at] << 96) // walk.prices[at], walk.liquidities[at] * walk.prices[at] >> 96
        return (zero, one, walk.taken[at + 1]) if zero_for_one else (one, zero, walk.taken[at + 1])
