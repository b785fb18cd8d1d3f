"""Prices and ticks, and bounds of what liquidity takes: laws that hold for every pool. That the amounts are the
contracts' own is tests/evm/pools/test_liquidity.py's."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import isqrt

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.venues.evm.chain import Token
from app.venues.evm.liquidity.ranges import Sides, floored, least_out, opening
from app.venues.evm.pools.faults import NoQuote, Why
from app.venues.evm.pools.positions import burnt
from app.venues.evm.pools.ticks import sqrt_ratio_at_tick, tick_at_sqrt_ratio

WETH, USDC = Token("WETH", b"\xa0" * 20, 18), Token("USDC", b"\xb0" * 20, 6)
LATE = Token("LATE", b"\xc0" * 20, 18)
BOTH = [Sides(WETH, USDC), Sides(LATE, USDC)]
"""Base is token0, and token1."""
PRICE = st.decimals("0.000001", "1000000", places=6)
SPACING = st.sampled_from([1, 10, 60, 200])


@pytest.mark.parametrize("sides", BOTH, ids=["base first", "quote first"])
@given(st.data(), SPACING)
def test_ticks_hold_both_prices_and_as_little_more_as_they_can(sides: Sides, data: st.DataObject, spacing: int) -> None:
    low, high = sorted([data.draw(PRICE), data.draw(PRICE)])
    assume(low < high)
    lower, upper = sides.ticks(low, high, spacing)
    assert lower % spacing == upper % spacing == 0
    least, most = sides.prices(lower, upper)
    assert least <= Fraction(low) < Fraction(high) <= most
    inner = (lower + spacing, upper - spacing)
    if inner[0] < inner[1]:
        inside = sides.prices(*inner)
        assert Fraction(low) < inside[0]
        assert inside[1] < Fraction(high)


@pytest.mark.parametrize("sides", BOTH, ids=["base first", "quote first"])
@given(st.integers(-400_000, 400_000), SPACING)
def test_prices_of_ticks_give_these_ticks(sides: Sides, tick: int, spacing: int) -> None:
    """As far as the prices can be written down exactly, which those of ticks can not: a hair inside them."""
    tick = tick // spacing * spacing
    low, high = sides.prices(tick, tick + 3 * spacing)
    scale = Fraction(1, 10**9)
    ends = (low * (1 + scale), high * (1 - scale))
    told = [floored(each, 60) for each in ends]
    assert sides.ticks(told[0], told[1], spacing) == (tick, tick + 3 * spacing)


@pytest.mark.parametrize("sides", BOTH, ids=["base first", "quote first"])
def test_a_range_goes_no_further_than_a_pool_s_prices(sides: Sides) -> None:
    assert sides.ticks(Decimal("1e-70"), Decimal("1e70"), 60) == (-887_220, 887_220)
    with pytest.raises(NoQuote) as caught:
        sides.ticks(Decimal("1e70"), Decimal("1e71"), 60)
    assert caught.value.why is Why.BAD_LIMIT
    for low, high in (("0", "1"), ("2", "1"), ("1", "1"), ("-1", "1")):
        with pytest.raises(ValueError, match="lower price"):
            sides.ticks(Decimal(low), Decimal(high), 60)


def test_a_price_is_told_in_whole_units_whichever_token_is_first() -> None:
    """2,000 USDC for one of a token of 18 decimals: 0.000000002 units of 6 for one of 18."""
    first, second = BOTH
    assert abs(first.at_tick(-200_312) - 2000) < 1
    assert abs(second.at_tick(200_312) - 2000) < 1
    assert first.ordered(1, 2) == (1, 2)
    assert second.ordered(1, 2) == (2, 1)
    root = sqrt_ratio_at_tick(-200_312)
    assert first.value(10**18, 5 * 10**6, root) == first.price(root) + 5
    assert second.value(5 * 10**6, 10**18, sqrt_ratio_at_tick(200_312)) == second.at_tick(200_312) + 5
    with pytest.raises(ValueError, match="two different"):
        Sides(WETH, WETH)


@given(st.fractions(-(10**6), 10**6), st.integers(0, 18))
def test_what_is_floored_is_the_next_below(value: Fraction, places: int) -> None:
    told = Fraction(floored(value, places))
    assert told <= value < told + Fraction(1, 10**places)


ROOT = st.integers(-300_000, 300_000).map(sqrt_ratio_at_tick)
WIDTH = st.integers(1, 500)


def within(root: int, bps: int) -> st.SearchStrategy[int]:
    """Square roots of prices that are at most so far from a price."""
    low, high = (isqrt(root * root * (10_000 + each) // 10_000) for each in (-bps, bps))
    return st.integers(low, high)


@settings(max_examples=300)
@given(
    ROOT, st.integers(-300, 300), WIDTH, st.integers(0, 10**27), st.integers(0, 10**27), st.integers(1, 1000), st.data()
)
def test_opening_takes_no_more_than_was_said_and_no_less_while_the_price_stays_within_the_slippage(
    root: int, away: int, width: int, most0: int, most1: int, bps: int, data: st.DataObject
) -> None:
    tick = tick_at_sqrt_ratio(root)
    ticks = (tick + 10 * (away - width), tick + 10 * (away + width))
    try:
        takes = opening(root, tick, ticks, (most0, most1), bps)
    except NoQuote:
        assume(False)
    assert takes.least0 <= takes.amount0 <= most0
    assert takes.least1 <= takes.amount1 <= most1
    there = data.draw(within(root, bps))
    try:
        then = opening(there, tick_at_sqrt_ratio(there), ticks, (most0, most1), bps)
    except NoQuote:
        assert min(takes.least0, takes.least1) == 0
        return
    assert then.amount0 >= takes.least0
    assert then.amount1 >= takes.least1


@settings(max_examples=300)
@given(ROOT, st.integers(-300, 300), WIDTH, st.integers(1, 2**90), st.integers(1, 1000), st.data())
def test_liquidity_pays_the_least_while_the_price_stays_within_the_slippage(
    root: int, away: int, width: int, liquidity: int, bps: int, data: st.DataObject
) -> None:
    tick = tick_at_sqrt_ratio(root)
    ticks = (tick + 10 * (away - width), tick + 10 * (away + width))
    zero, one = least_out(root, tick, ticks, liquidity, bps)
    there = data.draw(within(root, bps))
    out = burnt(there, tick_at_sqrt_ratio(there), *ticks, liquidity)
    assert zero <= out[0]
    assert one <= out[1]
    now = burnt(root, tick, *ticks, liquidity)
    assert zero <= now[0]
    assert one <= now[1]


@settings(max_examples=200)
@given(ROOT, ROOT, WIDTH, st.integers(10**12, 2**90))
def test_keeping_both_tokens_is_never_worth_less_than_liquidity_without_its_fees(
    root: int, now: int, width: int, liquidity: int
) -> None:
    tick = tick_at_sqrt_ratio(root)
    ticks = (tick - 10 * width, tick + 10 * width)
    put_in = burnt(root, tick, *ticks, liquidity)
    holds = burnt(now, tick_at_sqrt_ratio(now), *ticks, liquidity)
    for sides in BOTH:
        loss = sides.impermanent_loss(put_in, holds, now)
        blur = sides.value(2, 2, now)  # a unit of each was rounded off
        assert loss >= -blur
