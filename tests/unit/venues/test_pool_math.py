"""The mathematics of pools by its own laws, where no chain is needed: it must hold for every number, not only for those
that a chain was asked about (tests/evm/pools). Published values: TickMath's bounds, addresses on the mainnet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.venues.evm.chain import MAX_UINT256, Dex, DexKind
from app.venues.evm.pools import positions, v2
from app.venues.evm.pools.addresses import v2_pair, v3_pool
from app.venues.evm.pools.faults import NoQuote, Why
from app.venues.evm.pools.prices import amount0, amount1
from app.venues.evm.pools.quotes import path_of, quote_in, quote_out
from app.venues.evm.pools.tax import Share, Tax, fit
from app.venues.evm.pools.ticks import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    sqrt_ratio_at_tick,
    tick_at_sqrt_ratio,
)
from app.venues.evm.pools.v2 import V2Pool
from app.venues.evm.pools.v3 import V3Pool
from tests.evm.market import token

TICKS = st.integers(MIN_TICK, MAX_TICK)
PRICES = st.integers(MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1)
RESERVES = st.integers(1, v2.MAX_RESERVE)
AMOUNTS = st.integers(1, 2**128)
LIQUIDITY = st.integers(1, 2**110)


def test_the_mainnet_s_pools_have_their_addresses() -> None:
    usdc, weth = (
        bytes.fromhex(each)
        for each in ("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")
    )
    pairs = Dex(
        "v2", DexKind.V2, bytes.fromhex("5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f"), bytes(20),
        bytes.fromhex("96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"),
    )  # fmt: skip
    assert v2_pair(pairs, weth, usdc).hex() == "b4e16d0168e52d35cacd2c6185b44281ec28c9dc"
    pools = Dex(
        "v3", DexKind.V3, bytes.fromhex("1f98431c8ad98523631ae4a59f267346ea31f984"), bytes(20),
        bytes.fromhex("e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"),
    )  # fmt: skip
    assert v3_pool(pools, usdc, weth, 500).hex() == "88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
    with pytest.raises(ValueError, match="different"):
        v2_pair(pairs, weth, weth)


def test_ticks_end_where_the_contract_says() -> None:
    assert (sqrt_ratio_at_tick(MIN_TICK), sqrt_ratio_at_tick(MAX_TICK)) == (MIN_SQRT_RATIO, MAX_SQRT_RATIO)
    assert sqrt_ratio_at_tick(0) == 1 << 96
    assert (tick_at_sqrt_ratio(MIN_SQRT_RATIO), tick_at_sqrt_ratio(MAX_SQRT_RATIO - 1)) == (MIN_TICK, MAX_TICK - 1)
    for tick in (MIN_TICK - 1, MAX_TICK + 1):
        with pytest.raises(NoQuote):
            sqrt_ratio_at_tick(tick)
    for price in (0, MIN_SQRT_RATIO - 1, MAX_SQRT_RATIO, MAX_UINT256):
        with pytest.raises(NoQuote):
            tick_at_sqrt_ratio(price)


@settings(max_examples=500)
@given(PRICES, TICKS)
def test_a_tick_is_the_highest_not_above_its_price(price: int, tick: int) -> None:
    found = tick_at_sqrt_ratio(price)
    assert sqrt_ratio_at_tick(found) <= price < sqrt_ratio_at_tick(found + 1)
    if tick < MAX_TICK:
        assert tick_at_sqrt_ratio(sqrt_ratio_at_tick(tick)) == tick
        assert tick_at_sqrt_ratio(sqrt_ratio_at_tick(tick + 1) - 1) == tick


@settings(max_examples=500)
@given(RESERVES, RESERVES, AMOUNTS, st.sampled_from([0, 1, 5, 20, 25, 30, 100]))
def test_v2_never_pays_more_than_the_product_allows(one: int, other: int, amount: int, fee: int) -> None:
    pool = V2Pool(b"p", "x", token(1), token(2), fee, one, other)
    try:
        out = pool.exact_in(True, amount)
    except NoQuote as fault:
        low = v2.amount_out(amount, one, other, fee) if fault.why is not Why.OVERFLOW else None
        assert fault.why is Why.OVERFLOW or low == 0  # noqa: PT017 -- either way is right, which one is the point
        return
    assert out == v2.amount_out(amount, one, other, fee)
    assert (one + amount) * (other - out) >= one * other
    need = pool.exact_out(True, out)
    assert need <= amount + 1, "the library adds one whether or not it must"
    assert v2.amount_out(need, one, other, fee) >= out
    if need > 1:
        assert v2.amount_out(need - 1, one, other, fee) <= out


@pytest.mark.parametrize(
    ("amount", "reserves", "why"),
    [
        (0, (5, 5), Why.ZERO_INPUT),
        (-1, (5, 5), Why.ZERO_INPUT),
        (1, (0, 5), Why.NO_LIQUIDITY),
        (1, (5, 0), Why.NO_LIQUIDITY),
        (2**256 - 1, (5, 5), Why.OVERFLOW),
    ],
)
def test_v2_refuses_by_name(amount: int, reserves: tuple[int, int], why: Why) -> None:
    pool = V2Pool(b"p", "x", token(1), token(2), 30, *reserves)
    with pytest.raises(NoQuote) as plain:
        v2.amount_out(amount, *reserves)
    with pytest.raises(NoQuote) as refused:
        pool.exact_in(True, amount)
    assert plain.value.why is refused.value.why is why
    assert refused.value.pool == b"p"


def pool_of(price: int, liquidity: int, width: int, fee: int = 3000, spacing: int = 60) -> V3Pool:
    tick = tick_at_sqrt_ratio(price)
    near = tick // spacing * spacing
    lower, upper = max(near - width * spacing, -887_220), min(near + (1 + width) * spacing, 887_220)
    ticks = {lower: (liquidity, liquidity), upper: (liquidity, -liquidity)}
    return V3Pool(b"p", "x", token(1), token(2), fee, spacing, price, tick, liquidity, ticks, (-58, 57))


@settings(max_examples=100)
@given(st.integers(-400_000, 400_000), LIQUIDITY, st.integers(1, 500), AMOUNTS, AMOUNTS, st.booleans())
def test_v3_more_in_is_never_less_out_and_there_and_back_never_gains(
    tick: int, liquidity: int, width: int, amount: int, more: int, forward: bool
) -> None:
    pool = pool_of(sqrt_ratio_at_tick(tick) + 1, liquidity, width)
    one, other = pool.swap(forward, amount), pool.swap(forward, amount + more)
    assert one.paid <= other.paid
    assert one.taken <= other.taken
    assert one.taken <= amount
    assert (one.price <= pool.price) if forward else (one.price >= pool.price)
    if one.paid:
        need = pool.swap(forward, one.paid, exact_in=False)
        assert need.paid == one.paid
    if one.taken == amount and one.paid:
        moved = V3Pool(
            b"p", "x", token(1), token(2), 3000, 60, one.price, tick_at_sqrt_ratio(one.price), one.liquidity,
            pool.ticks, pool.words,
        )  # fmt: skip
        assert moved.swap(not forward, one.paid).paid <= amount


@settings(max_examples=300)
@given(TICKS, TICKS, PRICES, st.integers(0, 2**127 - 1))
def test_a_position_s_amounts_never_favour_who_opens_it(one: int, other: int, price: int, liquidity: int) -> None:
    lower, upper = sorted((one, other))
    if lower == upper:
        with pytest.raises(NoQuote):
            positions.minted(price, 0, lower, upper, liquidity)
        return
    tick = tick_at_sqrt_ratio(price)
    paid, back = (each(price, tick, lower, upper, liquidity) for each in (positions.minted, positions.burnt))
    low, high = sqrt_ratio_at_tick(lower), sqrt_ratio_at_tick(upper)
    assert back == positions.amounts_for_liquidity(price, low, high, liquidity)
    # The contract rounds up twice, so token0 may be a little more than a unit apart at extreme prices.
    assert all(a >= b for a, b in zip(paid, back, strict=True))
    try:
        again = positions.liquidity_for_amounts(price, low, high, *paid)
    except NoQuote as fault:
        assert fault.why is Why.OVERFLOW  # noqa: PT017 -- either way is right
        return
    fewer = positions.minted(price, tick, lower, upper, min(again, 2**127 - 1))
    if again <= liquidity:
        assert all(a <= b for a, b in zip(fewer, paid, strict=True))


@settings(max_examples=200)
@given(PRICES, PRICES, LIQUIDITY)
def test_amounts_between_two_prices_do_not_ask_which_is_first(one: int, other: int, liquidity: int) -> None:
    for amount in (amount0, amount1):
        for up in (True, False):
            assert amount(one, other, liquidity, up=up) == amount(other, one, liquidity, up=up)
        assert amount(one, other, liquidity, up=False) <= amount(one, other, liquidity, up=True)


@settings(max_examples=200)
@given(*[st.integers(0, MAX_UINT256)] * 6, TICKS)
def test_growth_inside_is_what_is_not_outside(
    total0: int, total1: int, low0: int, low1: int, high0: int, high1: int, tick: int
) -> None:
    total = positions.Growth(total0, total1)
    below, above = (-100, positions.Growth(low0, low1)), (100, positions.Growth(high0, high1))
    inside = positions.growth_inside(tick, below, above, total)
    if -100 <= tick < 100:
        assert inside.zero == (total0 - low0 - high0) % 2**256
    elif tick < -100:
        assert inside.zero == (low0 - high0) % 2**256
    else:
        assert inside.one == (high1 - low1) % 2**256


def test_fees_are_owed_for_growth_even_across_the_wrap() -> None:
    last, now = positions.Growth(MAX_UINT256 - (1 << 128) + 1, 0), positions.Growth(1 << 128, 5 << 127)
    assert positions.fees_owed(1000, now, last) == (2000, 2500)
    assert positions.fees_owed(0, now, last) == (0, 0)


@settings(max_examples=300)
@given(st.integers(0, 10_000), st.booleans(), st.lists(st.integers(10_000, 10**24), min_size=3, max_size=3))
def test_a_regular_tax_is_found(bps: int, up: bool, amounts: list[int]) -> None:
    true = Share(bps, up)
    found = fit([(each, true.arriving(each)) for each in amounts])
    assert found.regular
    assert all(found.arriving(each) == true.arriving(each) for each in amounts)


def test_a_tax_is_rounded_as_it_says() -> None:
    assert [Share(100, up).arriving(150) for up in (False, True)] == [149, 148]
    assert [Share(100, up).arriving(200) for up in (False, True)] == [198, 198]


def test_an_irregular_tax_is_not_reckoned_with() -> None:
    found = fit([(10_000, 9_000), (10_001, 9_500), (20_000, 20_000)])
    assert (found.regular, found.bps) == (False, 1_000)
    pool = V2Pool(b"p", "x", token(1), token(2), 30, 10**12, 10**12)
    for tax in (Tax(token(2), found, found), Tax(token(2), None, None)):
        with pytest.raises(NoQuote, match="share of each transfer"):
            quote_in(path_of([pool], token(1)), 1000, {token(2): tax})


def test_a_taxed_token_is_not_paid_into_v3_nor_passed_on_unless_its_tax_is_one() -> None:
    pair = V2Pool(b"a", "x", token(1), token(2), 30, 10**12, 10**12)
    other = V2Pool(b"b", "x", token(2), token(3), 30, 10**12, 10**12)
    deep = pool_of(1 << 96, 10**15, 100)
    even, uneven = (Tax(token(2), Share(100), Share(sell)) for sell in (100, 900))
    through = path_of([pair, other], token(1))
    plain, taxed = quote_in(through, 10**6), quote_in(through, 10**6, {token(2): even})
    assert taxed.amounts[1] == even.sell.arriving(plain.amounts[1]) if even.sell else None
    with pytest.raises(NoQuote):
        quote_in(through, 10**6, {token(2): uneven})
    selling = path_of([deep], token(2))
    with pytest.raises(NoQuote):
        quote_in(selling, 10**6, {token(2): even})
    buying = quote_in(path_of([deep], token(1)), 10**6, {token(2): even})
    assert buying.received == even.buy.arriving(buying.amount_out) if even.buy else None


@pytest.mark.parametrize("forward", [True, False])
def test_nothing_is_reckoned_across_words_that_were_not_read(forward: bool) -> None:
    """The price lies beyond what was read, with nothing in range; what was read holds a position that it must not reach
    over the unread words between."""
    tick = 200_000 if forward else -200_000
    ticks = {-600: (10**18, 10**18), 600: (10**18, -(10**18))}
    price = sqrt_ratio_at_tick(tick)
    pool = V3Pool(b"p", "x", token(1), token(2), 3000, 60, price, tick, 0, ticks, (-2, 2))
    with pytest.raises(NoQuote) as refused:
        pool.exact_in(forward, 1000)
    assert refused.value.why is Why.BEYOND_LOADED
    whole = V3Pool(b"p", "x", token(1), token(2), 3000, 60, price, tick, 0, ticks, (-58, 57))
    assert whole.exact_in(forward, 1000) > 0
    with pytest.raises(NoQuote) as drained:
        whole.exact_in(forward, 10**30)
    assert drained.value.why is Why.LIQUIDITY_RAN_OUT


def test_impact_and_fee_are_told_apart() -> None:
    pool = V2Pool(b"p", "x", token(1), token(2), 30, 10**24, 4 * 10**24)
    small, large = (quote_in(path_of([pool], token(1)), 10**exponent) for exponent in (12, 23))
    assert (small.spot_out, small.fee_bps, small.impact_bps) == (4 * 10**12, 30, 1)
    assert (large.fee_bps, large.impact_bps) == (30, 907)
    back = quote_out(path_of([pool], token(1)), large.amount_out)
    assert back.amount_in <= large.amount_in
    assert back.impact_bps in {906, 907}


def test_a_path_is_a_path() -> None:
    one = V2Pool(b"a", "x", token(1), token(2), 30, 10**12, 10**12)
    with pytest.raises(ValueError, match="does not have token"):
        path_of([one], token(3))
    with pytest.raises(ValueError, match="once"):
        quote_in(path_of([one, one], token(1)), 10**6)
    with pytest.raises(ValueError, match="follow"):
        quote_in((*path_of([one], token(1)), *path_of([one], token(1))), 10**6)
    with pytest.raises(ValueError, match="at least one"):
        quote_out((), 1)
