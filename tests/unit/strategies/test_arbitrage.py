"""When an opportunity becomes a wish, and when the time that signing takes forbids it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.arbitrage import Arbitrage, ArbitrageParams
from strategies.chain_messages import Opportunity, OpportunityEnded, Undone
from strategies.model import Direction, Signal
from strategies.wishes import CycleWish

POOLS = ("0xaa", "0xbb")
EAGER = ArbitrageParams(least_lives=0, survival=0.0, cool_down_blocks=5)


def found(block: int = 100, **more: Any) -> Opportunity:
    values: dict[str, Any] = {
        "symbol": "ETH-USDC",
        "block": block,
        "block_ms": 2000,
        "asset": "USDC",
        "amount": Decimal(1000),
        "gain": Decimal(10),
        "net": Decimal(8),
        "gas": Decimal(2),
        "unit": Decimal("0.000001"),
        "rate": Decimal(1),
        "pools": POOLS,
        "since": block,
    }
    return Opportunity(**(values | more))


def ended(block: int, blocks: int) -> OpportunityEnded:
    return OpportunityEnded("ETH-USDC", block, 2000, "USDC", POOLS, blocks)


def wish(signal: Signal | None) -> CycleWish:
    assert signal is not None
    assert isinstance(signal.act, CycleWish)
    return signal.act


def test_a_part_of_it_wins_at_least_that_part_and_the_chain_demands_gas_and_the_least() -> None:
    signal = Arbitrage(EAGER).on_message(found())
    made = wish(signal)
    assert (made.amount, made.expected, made.least) == (500.0, 5.0, 3.0)
    assert signal is not None
    assert (signal.direction, signal.symbol) == (Direction.LONG, "ETH-USDC")
    assert "3 in account currency after gas" in signal.reason


@pytest.mark.parametrize(
    "more",
    [{"gain": Decimal("5.9")}, {"rate": None}, {"rate": Decimal(0)}, {"gas": Decimal("4.01")}],
    ids=["too little", "not valued", "worth nothing", "gas"],
)
def test_what_wins_too_little_is_left(more: dict[str, Any]) -> None:
    assert Arbitrage(EAGER).on_message(found(**more)) is None


def test_after_a_proposal_it_waits() -> None:
    made = Arbitrage(EAGER)
    assert [block for block in range(100, 113) if made.on_message(found(block))] == [100, 106, 112]


def test_before_enough_have_ended_it_looks_on_and_says_so() -> None:
    made = Arbitrage(ArbitrageParams(least_lives=3, survival=0.5, signing_s=4.0))
    assert made.note() == "no opportunity seen yet"
    for number in range(3):
        assert made.on_message(found(100 + number)) is None
        assert "until 3 have ended" in made.note() or number == 0
        made.on_message(ended(100 + number, 9))
    assert made.note() == (
        "opportunities live 9 blocks of 2 s (median); signing takes 4 s, 3 blocks; 100% of 3 lived that long: proposes"
    )
    assert made.on_message(found(200)) is not None


def test_the_measured_time_of_signing_counts_and_a_short_life_is_refused_with_the_number() -> None:
    made = Arbitrage(ArbitrageParams(least_lives=2, survival=0.5, signing_s=0.1))
    for number in range(4):
        made.on_message(ended(100 + number, 3))
    assert made.on_message(found(110, signing_ms=20_000)) is None
    assert made.note().endswith("signing takes 20 s, 11 blocks; 0% of 4 lived that long: refuses")
    assert made.on_message(found(111, signing_ms=2_000)) is not None


def test_what_is_unsaid_is_forgotten() -> None:
    made = Arbitrage(ArbitrageParams(least_lives=2, survival=0.5, signing_s=0.1, cool_down_blocks=1000))
    made.on_message(ended(100, 50))
    made.on_message(ended(105, 50))
    made.on_message(Undone("ETH-USDC", 105))
    assert made.on_message(found(106)) is None
    made.on_message(ended(106, 50))
    assert made.on_message(found(107)) is not None
    made.on_message(Undone("ETH-USDC", 107))
    assert made.on_message(found(107)) is None, "the trader was asked; the chain's change of mind is no new occasion"


@given(
    amount=st.decimals("0.01", "1e6", places=6),
    gain=st.decimals("0.01", "1e4", places=6),
    gas=st.decimals("0", "100", places=6),
    rate=st.decimals("0.001", "5000", places=3),
)
def test_no_wish_is_beyond_its_bounds(amount: Decimal, gain: Decimal, gas: Decimal, rate: Decimal) -> None:
    signal = Arbitrage(EAGER).on_message(found(amount=amount, gain=gain, gas=gas, rate=rate, net=gain - gas))
    if signal is None:
        return
    made = wish(signal)
    assert made.amount * float(rate) <= EAGER.most_amount * 1.000001
    assert made.amount <= float(amount)
    assert made.expected <= float(gain)
    assert (made.expected - float(gas)) * float(rate) >= EAGER.least_gain * 0.999999
    assert made.least <= made.expected * 1.000001


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("least_gain", 0.0, "from 0.01"),
        ("survival", 1.5, "to 1"),
        ("least_lives", 101, "no more than window_lives, which is 100"),
        ("cool_down_blocks", 1.5, "a whole number"),
    ],
)
def test_bad_parameters_are_refused_by_name(name: str, value: float, allowed: str) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        ArbitrageParams(**{name: value})  # type: ignore[arg-type]  # what a settings file may hold
    assert allowed in str(caught.value)
