"""V3 liquidity positions: amounts for liquidity and back, and fees owed.

Sources: `LiquidityAmounts` (v3-periphery); `UniswapV3Pool._modifyPosition`, `Position.update` and
`Tick.getFeeGrowthInside` (v3-core). Prices are square roots times 2^96, amounts base units, fee growth is per unit of
liquidity, times 2^128, modulo 2^256.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.venues.evm.chain import MAX_UINT256
from app.venues.evm.pools.faults import NoQuote, Why
from app.venues.evm.pools.prices import Q96, amount0, amount1
from app.venues.evm.pools.ticks import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick

MAX_LIQUIDITY: Final = 2**128 - 1


def liquidity_for_amounts(price: int, lower: int, upper: int, most0: int, most1: int) -> int:
    """`getLiquidityForAmounts`: most liquidity between two prices that the amounts pay for.

    Raises:
        NoQuote: OVERFLOW, where the contract reverts; BAD_LIMIT, where the prices are equal.
    """
    low, high = _sorted(lower, upper)
    if price <= low:
        return _liquidity0(low, high, most0)
    if price >= high:
        return _liquidity1(low, high, most1)
    return min(_liquidity0(price, high, most0), _liquidity1(low, price, most1))


def amounts_for_liquidity(price: int, lower: int, upper: int, liquidity: int) -> tuple[int, int]:
    """`getAmountsForLiquidity`: what a position holds, both rounded down, its fees left out."""
    low, high = _sorted(lower, upper)
    zero = amount0(max(low, price), high, liquidity, up=False) if price < high else 0
    one = amount1(low, min(high, price), liquidity, up=False) if price > low else 0
    return zero, one


def minted(price: int, tick: int, lower_tick: int, upper_tick: int, liquidity: int) -> tuple[int, int]:
    """What `mint` takes for `liquidity`, rounded up; `price` and `tick` as slot0 has them.

    Raises:
        NoQuote: BAD_LIMIT, OVERFLOW: where the pool reverts.
    """
    return _modified(price, tick, lower_tick, upper_tick, liquidity, up=True)


def burnt(price: int, tick: int, lower_tick: int, upper_tick: int, liquidity: int) -> tuple[int, int]:
    """What `burn` owes for `liquidity`, rounded down.

    Raises:
        NoQuote: BAD_LIMIT, OVERFLOW: where the pool reverts.
    """
    return _modified(price, tick, lower_tick, upper_tick, liquidity, up=False)


@dataclass(frozen=True, slots=True)
class Growth:
    """Fee growth of both tokens: global, or outside of a tick."""

    zero: int
    one: int


def growth_inside(tick: int, lower: tuple[int, Growth], upper: tuple[int, Growth], total: Growth) -> Growth:
    """`Tick.getFeeGrowthInside`: `lower` and `upper` are ticks and what grew outside of them. Wraps, as it must."""
    (low, below), (high, above) = lower, upper

    def inside(grown: int, outside_low: int, outside_high: int) -> int:
        under = outside_low if tick >= low else grown - outside_low
        over = outside_high if tick < high else grown - outside_high
        return (grown - under - over) & MAX_UINT256

    return Growth(inside(total.zero, below.zero, above.zero), inside(total.one, below.one, above.one))


def fees_owed(liquidity: int, inside: Growth, last: Growth) -> tuple[int, int]:
    """`Position.update`: what a position has earned since `last` was noted, modulo 2^128 as the contract keeps it."""

    def owed(now: int, then: int) -> int:
        return (((now - then) & MAX_UINT256) * liquidity >> 128) & MAX_LIQUIDITY

    return owed(inside.zero, last.zero), owed(inside.one, last.one)


def _sorted(one: int, other: int) -> tuple[int, int]:
    if one == other:
        raise NoQuote(Why.BAD_LIMIT)
    return (one, other) if one < other else (other, one)


def _liquidity0(low: int, high: int, amount: int) -> int:
    """`getLiquidityForAmount0`."""
    return _fits(amount * (low * high // Q96) // (high - low))


def _liquidity1(low: int, high: int, amount: int) -> int:
    """`getLiquidityForAmount1`."""
    return _fits((amount << 96) // (high - low))


def _fits(liquidity: int) -> int:
    if liquidity > MAX_LIQUIDITY:
        raise NoQuote(Why.OVERFLOW)
    return liquidity


def _modified(price: int, tick: int, lower_tick: int, upper_tick: int, liquidity: int, *, up: bool) -> tuple[int, int]:
    if not MIN_TICK <= lower_tick < upper_tick <= MAX_TICK:
        raise NoQuote(Why.BAD_LIMIT)
    if not 0 <= liquidity < 2**127:
        raise NoQuote(Why.OVERFLOW)
    low, high = sqrt_ratio_at_tick(lower_tick), sqrt_ratio_at_tick(upper_tick)
    if tick < lower_tick:
        return amount0(low, high, liquidity, up=up), 0
    if tick >= upper_tick:
        return 0, amount1(low, high, liquidity, up=up)
    return amount0(price, high, liquidity, up=up), amount1(low, price, liquidity, up=up)
