"""Fees within caps: arithmetic that must hold for every market, every cap and every transaction it replaces. The rule
of replacing is go-ethereum's (core/txpool/legacypool/list.go): a tenth more in both fields, and more at all."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.errors import SafetyError
from app.venues.evm.chain import FeeKind
from app.venues.evm.fees import Caps, Fee, FeeRules, Market, bump, propose, raised, risen, room

GWEI = 10**9
RULES = FeeRules()
CAPS = Caps(50 * GWEI, Decimal(20), Decimal(2_500), "ETH", "USD")
MARKET = Market(FeeKind.EIP1559, 10 * GWEI, GWEI)
BLOCK_MS = 12_000
GAS = 150_000

wei = st.integers(0, 10**12)
markets = st.builds(Market, st.sampled_from(FeeKind), wei, st.integers(1, 10**12)).map(
    lambda each: each if each.kind is FeeKind.EIP1559 else replace(each, base_fee=0)
)
caps = st.builds(
    Caps, st.integers(1, 10**12), st.decimals("0.01", "1000", places=2), st.decimals("0.01", "10000", places=2),
    st.just("ETH"), st.just("USD"), st.just(18),
)  # fmt: skip
gas = st.integers(21_000, 5_000_000)
extra = st.integers(0, 10**16)


def offered(market: Market, units: int, limits: Caps, data_fee: int = 0) -> Fee:
    try:
        return propose(market, units, limits, RULES, BLOCK_MS, data_fee=data_fee)
    except SafetyError:
        assume(False)
        raise


def within(fee: Fee, limits: Caps) -> None:
    assert limits.price is not None
    assert 0 <= fee.priority_fee <= fee.max_fee <= limits.per_gas
    assert Decimal(fee.highest) * limits.price <= limits.value * 10**18
    assert fee.expected <= fee.highest


def test_a_calm_market() -> None:
    fee = propose(MARKET, GAS, CAPS, RULES, BLOCK_MS)
    assert (fee.priority_fee, fee.base_fee) == (GWEI, 10 * GWEI)
    assert fee.max_fee == risen(10 * GWEI, 5) + GWEI  # five blocks of 12 s in a minute
    assert fee.expected == GAS * 11 * GWEI
    assert fee.highest == GAS * fee.max_fee


def test_room_for_a_person_is_blocks_of_that_chain_up_to_a_bound() -> None:
    assert [room(RULES, block_ms) for block_ms in (60_000, 12_000, 2_000, 250)] == [1, 5, 6, 6]


@settings(max_examples=500)
@given(markets, gas, caps, extra)
def test_never_above_a_cap_and_never_below_what_the_next_block_asks(
    market: Market, units: int, limits: Caps, data_fee: int
) -> None:
    fee = offered(market, units, limits, data_fee)
    within(fee, limits)
    assert fee.max_fee >= market.now
    assert fee.max_fee <= max(risen(market.base_fee, RULES.most_room) + market.tip, risen(market.tip, 1))
    if market.kind is FeeKind.LEGACY:
        assert fee.max_fee == fee.priority_fee


@settings(max_examples=500)
@given(markets, gas, caps, extra)
def test_it_is_refused_only_when_the_next_block_alone_is_above_a_cap(
    market: Market, units: int, limits: Caps, data_fee: int
) -> None:
    assert limits.price is not None
    too_much = (units * market.now + data_fee) * limits.price > limits.value * 10**18
    try:
        propose(market, units, limits, RULES, BLOCK_MS, data_fee=data_fee)
    except SafetyError:
        assert market.now > limits.per_gas or too_much
    else:
        assert market.now <= limits.per_gas
        assert not too_much


@settings(max_examples=300)
@given(wei, wei, wei, gas, caps)
def test_a_dearer_market_never_makes_a_cheaper_offer(base: int, more: int, tip: int, units: int, limits: Caps) -> None:
    low, high = Market(FeeKind.EIP1559, base, tip + 1), Market(FeeKind.EIP1559, base + more, tip + 1)
    assert offered(low, units, limits).max_fee <= offered(high, units, limits).max_fee
    assert risen(base, 3) <= risen(base, 4) <= risen(base + more, 4)


@settings(max_examples=500)
@given(st.tuples(wei, wei).map(sorted), markets, gas, caps)
def test_a_bump_replaces_by_every_client_s_rule(old: list[int], market: Market, units: int, limits: Caps) -> None:
    tip, most = old
    if market.kind is FeeKind.LEGACY:
        tip = most
    try:
        fee = bump((most, tip), market, units, limits, RULES, BLOCK_MS)
    except SafetyError:
        assert limits.price is not None
        least = max(raised(most), raised(tip), market.base_fee + max(market.tip, raised(tip)))
        assert least > limits.per_gas or least * units * limits.price > limits.value * 10**18
        return
    within(fee, limits)
    for new, before in ((fee.max_fee, most), (fee.priority_fee, tip)):
        assert new * 100 >= before * 110
        assert new > before
    assert fee.max_fee >= market.now
    assert fee.priority_fee >= market.tip


def test_refusals_name_both_numbers() -> None:
    with pytest.raises(SafetyError, match=r"Gas costs 61 gwei now, and the cap is 50 gwei\.") as caught:
        propose(Market(FeeKind.EIP1559, 60 * GWEI, GWEI), GAS, CAPS, RULES, BLOCK_MS)
    assert caught.value.sent == "no"
    with pytest.raises(SafetyError, match=r"at least 20\.625 USD now, and the cap is 20 USD"):
        propose(MARKET, 750_000, CAPS, RULES, BLOCK_MS)
    with pytest.raises(SafetyError, match=r"at least 29\.125 USD now, and the cap is 20 USD"):
        propose(MARKET, GAS, CAPS, RULES, BLOCK_MS, data_fee=10**16)
    with pytest.raises(SafetyError, match="No price of ETH is known"):
        propose(MARKET, GAS, replace(CAPS, price=None), RULES, BLOCK_MS)


def test_where_a_cap_leaves_less_room_the_room_shrinks() -> None:
    fee = propose(MARKET, GAS, replace(CAPS, per_gas=12 * GWEI), RULES, BLOCK_MS)
    assert (fee.max_fee, fee.priority_fee) == (12 * GWEI, GWEI)
    fee = propose(MARKET, GAS, replace(CAPS, value=Decimal("4.5")), RULES, BLOCK_MS)
    assert fee.max_fee == 12 * GWEI


def test_a_tip_of_nothing_is_raised_to_something() -> None:
    assert (raised(0), raised(1), raised(100), raised(101)) == (1, 2, 110, 112)
