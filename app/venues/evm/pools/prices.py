"""`SqrtPriceMath` of v3-core. Prices are square roots of token1 per token0 times 2^96; liquidity is positive."""

from __future__ import annotations

from typing import Final

from app.venues.evm.chain import MAX_UINT256
from app.venues.evm.pools.faults import NoQuote, Why

Q96: Final = 1 << 96
_MAX_UINT160: Final = 2**160 - 1


def amount0(one: int, other: int, liquidity: int, *, up: bool) -> int:
    """`getAmount0Delta`: token0 between two prices, rounded up or down."""
    low, high = (one, other) if one < other else (other, one)
    if low <= 0:
        raise NoQuote(Why.NOT_INITIALISED)
    product = (liquidity << 96) * (high - low)
    if not up:
        return product // high // low
    first = -(-product // high)
    return -(-first // low)


def amount1(one: int, other: int, liquidity: int, *, up: bool) -> int:
    """`getAmount1Delta`: token1 between two prices, rounded up or down."""
    product = liquidity * abs(other - one)
    return -(-product >> 96) if up else product >> 96


def price_after_input(price: int, liquidity: int, amount: int, *, zero_for_one: bool) -> int:
    """`getNextSqrtPriceFromInput`: never further than the amount pays for.

    Raises:
        NoQuote: where it reverts.
    """
    if price <= 0 or liquidity <= 0:
        raise NoQuote(Why.NO_LIQUIDITY)
    if zero_for_one:
        return _after_amount0_in(price, liquidity, amount)
    found = price + (amount << 96) // liquidity
    if found > _MAX_UINT160:
        raise NoQuote(Why.OVERFLOW)
    return found


def _after_amount0_in(price: int, liquidity: int, amount: int) -> int:
    """`getNextSqrtPriceFromAmount0RoundingUp`, adding. Two formulas: the second where the first overflows 256 bits."""
    if amount == 0:
        return price
    numerator = liquidity << 96
    product = amount * price
    if product <= MAX_UINT256:
        denominator = numerator + product
        if denominator <= MAX_UINT256:
            return -(-numerator * price // denominator)
    below = numerator // price + amount
    if below > MAX_UINT256:
        raise NoQuote(Why.OVERFLOW)
    return -(-numerator // below)


def price_after_output(price: int, liquidity: int, amount: int, *, zero_for_one: bool) -> int:
    """`getNextSqrtPriceFromOutput`: at least as far as the amount needs.

    Raises:
        NoQuote: where it reverts.
    """
    if price <= 0 or liquidity <= 0:
        raise NoQuote(Why.NO_LIQUIDITY)
    if zero_for_one:
        found = price + (-(amount << 96) // liquidity)
        if found <= 0:
            raise NoQuote(Why.LIQUIDITY_RAN_OUT)
        return found
    if amount == 0:
        return price
    numerator = liquidity << 96
    product = amount * price
    if product > MAX_UINT256:
        raise NoQuote(Why.OVERFLOW)
    if numerator <= product:
        raise NoQuote(Why.LIQUIDITY_RAN_OUT)
    found = -(-numerator * price // (numerator - product))
    if found > _MAX_UINT160:
        raise NoQuote(Why.OVERFLOW)
    return found
