"""When a standing exit is wanted, covers, goes and is over. Pure."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.execution.standing_terms import (
    Standing,
    StandingExit,
    StandingRules,
    covers,
    is_standing,
    least,
    middle,
    over,
    reached,
    shown,
    wanted,
    words,
)
from strategies.model import Exits, Instrument, Intent, Quote, Side

NOW = 1_700_000_000_000
RULES = StandingRules(validity_ms=7 * 86_400_000)
INSTRUMENT = Instrument("ETH-USDC", "ETH", "USDC", Decimal("0.01"), Decimal("0.001"))
amounts = st.decimals(min_value="0.01", max_value="1000000", places=2)
quantities = st.integers(1, 5).map(Decimal)
exits = st.builds(
    StandingExit,
    trade_id=st.uuids().map(str),
    standing=st.sampled_from(Standing),
    quantity=quantities,
    stop=st.sampled_from([Decimal(90), Decimal(80)]),
    least=st.just(Decimal(77)),
    until_ms=st.integers(NOW - 1000, NOW + RULES.validity_ms),
)


def quote(bid: Decimal, ask: Decimal) -> Quote:
    return Quote("ETH-USDC", NOW, bid, ask, Decimal(1), Decimal(1))


def made(**changed: object) -> Intent:
    values: dict[str, object] = {
        "id": "0" * 32, "module": "m", "symbol": "ETH-USDC", "side": Side.SELL, "quantity": Decimal("0.25"),
        "worst_price": Decimal("2182.50"), "max_fee": Decimal(0), "exits": Exits(Decimal(2250)), "reason": "",
        "created_ms": NOW, "expires_ms": NOW + 1, "config_version": 1, "reduce_only": True,
    } | changed  # fmt: skip
    return Intent(**values)  # type: ignore[arg-type]  # as the tests change them


@given(stop=amounts, bid=amounts, spread=st.decimals("0", "10", places=2))
def test_it_goes_when_the_middle_is_at_the_stop_or_below(stop: Decimal, bid: Decimal, spread: Decimal) -> None:
    seen = quote(bid, bid + spread)
    assert reached(stop, seen) == (middle(seen) <= stop)


@given(stop=amounts, lower=amounts, higher=amounts)
def test_what_went_at_one_price_goes_at_every_lower_one(stop: Decimal, lower: Decimal, higher: Decimal) -> None:
    low, high = sorted([lower, higher])
    assert reached(stop, quote(low, low)) or not reached(stop, quote(high, high))


@given(stop=amounts, bps=st.integers(0, 2000))
def test_the_least_is_on_the_tick_and_never_below_what_was_allowed(stop: Decimal, bps: int) -> None:
    found = least(stop, StandingRules(slippage_bps=Decimal(bps)), INSTRUMENT)
    assert found % INSTRUMENT.tick == 0
    allowed = stop * (10_000 - bps) / 10_000
    assert allowed <= found < allowed + INSTRUMENT.tick


@given(found=st.lists(exits, max_size=4), held=quantities)
def test_what_covers_is_one_that_can_go_now(found: list[StandingExit], held: Decimal) -> None:
    covered = covers(found, held, NOW)
    assert covered <= held
    usable = [each for each in found if each.standing in {Standing.ARMED, Standing.SENT} and each.until_ms >= NOW]
    assert (covered == 0) == (not [each for each in usable if each.quantity <= held])
    assert covers([each for each in found if each.standing is Standing.HELD_BACK], held, NOW) == 0


@given(found=st.lists(exits, max_size=4), held=quantities, stop=st.sampled_from([Decimal(90), Decimal(80)]))
def test_one_is_proposed_unless_one_lasts_or_is_asked_for(
    found: list[StandingExit], held: Decimal, stop: Decimal
) -> None:
    why = wanted(found, held, stop, RULES, NOW)
    asked = any(each.standing in {Standing.ASKED, Standing.SENT} for each in found)
    lasts = [
        each for each in found if (each.quantity, each.stop) == (held, stop) and each.until_ms - NOW > RULES.renewal_ms
    ]
    assert (why is None) == (asked or bool(lasts))


@given(exit_=exits, held=st.integers(0, 5).map(Decimal), buying=st.booleans())
def test_it_is_over_with_its_time_or_with_what_it_would_sell(exit_: StandingExit, held: Decimal, buying: bool) -> None:
    why = over(exit_, held, NOW, buying=buying)
    expired, too_much = exit_.until_ms < NOW, exit_.quantity > held and not buying
    assert (why is not None) == (expired or too_much)


@pytest.mark.parametrize(
    ("changed", "standing"),
    [
        ({}, True),
        ({"exits": None}, False),
        ({"reduce_only": False}, False),
        ({"side": Side.BUY, "reduce_only": False}, False),
    ],
)
def test_a_sale_with_a_trigger_is_one(changed: dict[str, object], standing: bool) -> None:
    assert is_standing(made(**changed)) is standing


def test_its_words() -> None:
    assert words(made(), INSTRUMENT, NOW) == [
        "STANDING EXIT, kept and not sent",
        "sent when ETH falls to 2250 USDC",
        "sells 0.25 ETH",
        "for 545.625 USDC at least",
        "stands until 2023-11-14 22:13 UTC",
        "a later trade of this account takes its place",
    ]


@pytest.mark.parametrize("ms", [10**18, -(10**18)])
def test_a_time_that_is_none_is_refused(ms: int) -> None:
    with pytest.raises(ValueError, match=r"no time|out of range|year"):
        words(made(), INSTRUMENT, ms)


def test_seven_digits_are_enough_to_read() -> None:
    assert shown(quote(Decimal("2248.123456789"), Decimal("2248.123456789"))) == "2248.123"
    assert shown(quote(Decimal("0.000012345678"), Decimal("0.000012345678"))) == "0.00001234567"
