"""From prices as a trader says them to ticks as a pool has them, and what liquidity takes, is worth and has lost.

All exact: integers of base units, `Fraction` of whole units. A pool knows square roots of token1 per token0 times 2^96;
a trader says quote for one of base, and which of the two is token0 is an accident of their addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor, isqrt
from typing import Final

from app.venues.evm.chain import Token
from app.venues.evm.pools.faults import NoQuote, Why
from app.venues.evm.pools.positions import burnt, liquidity_for_amounts, minted
from app.venues.evm.pools.prices import amount0, amount1
from app.venues.evm.pools.ticks import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    sqrt_ratio_at_tick,
    tick_at_sqrt_ratio,
)

_Q192: Final = 1 << 192
_WHOLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Sides:
    """Which of a pool's tokens is priced in which: `quote` for one of `base`. The coin stands for its wrapped form."""

    base: Token
    quote: Token

    def __post_init__(self) -> None:
        if self.base.address == self.quote.address:
            raise ValueError(f"a pool has two different tokens, not {self.base.symbol} and {self.quote.symbol}")

    @property
    def base_first(self) -> bool:
        """Base is the pool's token0."""
        return self.base.address < self.quote.address

    def ordered(self, base: int, quote: int) -> tuple[int, int]:
        """Amounts of base and quote as those of token0 and token1; the inverse too."""
        return (base, quote) if self.base_first else (quote, base)

    def price(self, root: int) -> Fraction:
        """Whole quote for one whole base at a pool's price.

        Args:
            root: its square root, as the pool has it; above 0.
        """
        ratio = Fraction(root * root, _Q192) if self.base_first else Fraction(_Q192, root * root)
        return ratio * self._scale

    def at_tick(self, tick: int) -> Fraction:
        """The same at a tick."""
        return self.price(sqrt_ratio_at_tick(tick))

    def prices(self, lower: int, upper: int) -> tuple[Fraction, Fraction]:
        """The lower and the higher price of two ticks."""
        low, high = self.at_tick(lower), self.at_tick(upper)
        return (low, high) if self.base_first else (high, low)

    def ticks(self, lower: Decimal, upper: Decimal, spacing: int) -> tuple[int, int]:
        """The narrowest range of ticks, multiples of `spacing`, that holds both prices and all between: rounded
        outward, and no further than a pool's prices go.

        Raises:
            ValueError: not 0 < `lower` < `upper`.
            NoQuote: BAD_LIMIT, both are beyond what a pool can price.
        """
        if not 0 < lower < upper:
            raise ValueError(f"the lower price is above 0 and below the upper, not {lower} and {upper}")
        ends = (lower, upper) if self.base_first else (upper, lower)
        low, high = (self._ratio(each) for each in ends)
        below = tick_at_sqrt_ratio(_within(_root_down(low)))
        least = _within(_root_up(high))
        above = tick_at_sqrt_ratio(least)
        above += sqrt_ratio_at_tick(above) < least
        widest = MAX_TICK // spacing * spacing
        first = max(below // spacing * spacing, -widest)
        last = min(-(-above // spacing) * spacing, widest)
        if first >= last:
            raise NoQuote(Why.BAD_LIMIT)
        return first, last

    def value(self, amount0: int, amount1: int, root: int) -> Fraction:
        """What amounts are worth at a pool's price, in whole quote."""
        base, quote = self.ordered(amount0, amount1)
        return Fraction(base, 10**self.base.decimals) * self.price(root) + Fraction(quote, 10**self.quote.decimals)

    def impermanent_loss(self, put_in: tuple[int, int], holds: tuple[int, int], root: int) -> Fraction:
        """What a position has lost against keeping its tokens, both at the pool's price of now, in whole quote:
        negative where it has gained.

        Args:
            put_in: of token0 and token1, when it was opened.
            holds: what would come out now, fees not counted (`burnt`).
        """
        return self.value(*put_in, root) - self.value(*holds, root)

    @property
    def _scale(self) -> Fraction:
        return Fraction(10**self.base.decimals, 10**self.quote.decimals)

    def _ratio(self, price: Decimal) -> Fraction:
        """Token1 for one token0, both in base units."""
        units = Fraction(price) / self._scale
        return units if self.base_first else 1 / units


def floored(value: Fraction, places: int) -> Decimal:
    """The next decimal of so many places that is not above `value`."""
    return Decimal(floor(value * 10**places)).scaleb(-places)


@dataclass(frozen=True, slots=True)
class Opening:
    """What a new position takes.

    Attributes:
        liquidity: that it gets.
        amount0, amount1: taken at the present price, to the unit.
        least0, least1: taken at the worst price within the slippage, of each; less what rounding can take.
    """

    liquidity: int
    amount0: int
    amount1: int
    least0: int
    least1: int


def opening(root: int, tick: int, ticks: tuple[int, int], most: tuple[int, int], slippage_bps: int) -> Opening:
    """What `mint` of at most `most` takes, now and after the price has moved by up to `slippage_bps`.

    Args:
        root, tick: the pool's, as slot0 has them.

    Raises:
        NoQuote: where the contracts revert. (Liquidity beyond what one tick may hold is left to the simulation.)
    """
    low, high = (sqrt_ratio_at_tick(each) for each in ticks)

    def taken(price: int, at: int) -> tuple[int, tuple[int, int]]:
        liquidity = liquidity_for_amounts(price, low, high, *most)
        return liquidity, minted(price, at, *ticks, liquidity) if liquidity else (0, 0)

    liquidity, amounts = taken(root, tick)
    if not liquidity:
        raise NoQuote(Why.ZERO_INPUT)
    moved = [taken(price, tick_at_sqrt_ratio(price))[1] for price in _moved(root, slippage_bps)]
    # Between those prices liquidity is rounded down by up to two units more: at most this much of each token.
    blurred = amount0(low, high, 2, up=True), amount1(low, high, 2, up=True)
    least = [max(min(each) - blur, 0) for *each, blur in zip(amounts, *moved, blurred, strict=True)]
    return Opening(liquidity, *amounts, *least)


def least_out(root: int, tick: int, ticks: tuple[int, int], liquidity: int, slippage_bps: int) -> tuple[int, int]:
    """The least of each token that liquidity pays while the price moves by up to `slippage_bps`.

    Raises:
        NoQuote: where the pool reverts.
    """
    moved = [burnt(price, tick_at_sqrt_ratio(price), *ticks, liquidity) for price in _moved(root, slippage_bps)]
    zero, one = zip(burnt(root, tick, *ticks, liquidity), *moved, strict=True)
    return min(zero), min(one)


def _moved(root: int, bps: int) -> tuple[int, int]:
    """Square roots of prices that are lower and higher by so much."""
    down, up = (isqrt(root * root * (_WHOLE + sign * bps) // _WHOLE) for sign in (-1, 1))
    return _within(down), _within(up)


def _within(root: int) -> int:
    return min(max(root, MIN_SQRT_RATIO), MAX_SQRT_RATIO - 1)


def _root_down(ratio: Fraction) -> int:
    return isqrt((ratio.numerator << 192) // ratio.denominator)


def _root_up(ratio: Fraction) -> int:
    root = _root_down(ratio)
    return root + (root * root * ratio.denominator < ratio.numerator << 192)
