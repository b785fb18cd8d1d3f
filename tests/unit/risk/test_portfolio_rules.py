"""The rules on several positions, on percentages of equity, on volatility and on errors: at, below and above."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.risk.gate import RULES, check
from app.risk.model import Allow, Correlated, Deny, Limits, RiskState
from app.risk.room import fits, rooms
from strategies.model import Exits
from tests.unit.risk.situations import intent, state

D = Decimal
TINY = D("0.0000000000001")
WIDE = Limits(
    position=D(1000),
    position_pct=D(100),
    exposure=D(1000),
    asset_exposure=D(1000),
    venue_exposure=D(1000),
    correlated_exposure=D(1000),
)
"""Nothing but the rule that a case narrows can deny the trade of 7.01 USD."""


def verdict(situation: RiskState, **limits: Any) -> Deny | str:
    answer = check(intent(), situation, replace(WIDE, **limits))
    return answer if isinstance(answer, Deny) else "allowed"


def btc(value: str, correlation: str | None) -> Correlated:
    return Correlated("BTC-USDT", D(value), None if correlation is None else D(correlation))


AT = [
    ("asset_exposure", state(asset_value=D("12.99")), {"asset_exposure": D(20)}),
    ("venue_exposure", state(venue_value=D("42.99")), {"venue_exposure": D(50)}),
    ("correlated_exposure", state(others=(btc("22.99", "0.8"),)), {"correlated_exposure": D(30)}),
    ("position", state(position_value=D("2.99")), {"position_pct": D(1)}),
    ("exposure", state(exposure=D("42.99")), {"exposure_pct": D(5)}),
    ("volatility", state(volatility_pct=D("135.8600")), {"volatility_pct": D("135.86")}),
    ("errors", state(errors=3), {"errors": 3}),
]


@pytest.mark.parametrize(("rule", "at", "limits"), AT)
def test_at_the_limit_is_allowed_and_one_step_beyond_is_denied(
    rule: str, at: RiskState, limits: dict[str, Any]
) -> None:
    assert verdict(at, **limits) == "allowed"
    assert fits(intent(), at, replace(WIDE, **limits)), "the quick answer says so too"
    (name, limit), *_ = limits.items()
    tighter = limit - (1 if isinstance(limit, int) else TINY)
    denied = verdict(at, **{name: tighter})
    assert isinstance(denied, Deny)
    assert denied.rule == rule
    assert denied.number in denied.reason
    assert denied.limit in denied.reason
    looser = limit + (1 if isinstance(limit, int) else TINY)
    assert verdict(at, **{name: looser}) == "allowed"


REASONS = [
    (
        state(asset_value=D(15)),
        {"asset_exposure": D(20)},
        "Exposure to ETH over all its instruments would be 22.01 USD; the limit is 20 USD.",
    ),
    (
        state(venue_value=D(45)),
        {"venue_exposure": D(50)},
        "Exposure at venue paper would be 52.01 USD; the limit is 50 USD.",
    ),
    (
        state(others=(btc("20", "0.91"), Correlated("SOL-USDT", D(10), None), Correlated("X-USDT", D(99), D("0.1")))),
        {"correlated_exposure": D(30)},
        (
            "ETH-BTC and the positions correlated with it by 0.8 or more (BTC-USDT 0.91, SOL-USDT unknown) would be "
            "37.01 USD; the limit is 30 USD."
        ),
    ),
    (
        state(equity=D("555.55"), equity_peak=D("555.55"), day_start_equity=D("555.55")),
        {"position_pct": D(1)},
        "Position in ETH-BTC, held and proposed, would be 7.01 USD; the limit is 5.55 USD, 1 % of equity.",
    ),
    (
        state(exposure=D(5)),
        {"exposure_pct": D("0.5")},
        "Exposure over all positions, held and proposed, would be 12.01 USD; the limit is 5.00 USD, 0.5 % of equity.",
    ),
    (
        state(equity=D("979.99")),
        {"daily_loss_pct": D(2)},
        "The loss since 00:00 UTC is 20.01 USD; trading stops at 20.00 USD, 2 % of equity at that time.",
    ),
    (
        state(volatility_pct=D("512.3456")),
        {},
        "The volatility of ETH-BTC is 512.3456 % a year; the limit is 400 %.",
    ),
    (state(errors=11), {}, "11 errors were stored within 600 s; the limit is 10."),
]


@pytest.mark.parametrize(("situation", "limits", "reason"), REASONS)
def test_the_reason_is_a_sentence_with_the_number_and_the_limit(
    situation: RiskState, limits: dict[str, Any], reason: str
) -> None:
    denied = verdict(situation, **limits)
    assert isinstance(denied, Deny)
    assert denied.reason == reason


def test_the_daily_loss_in_percent_stops_exactly_at_it() -> None:
    at = state(equity=D(980), equity_peak=D(1000), day_start_equity=D(1000))
    denied = verdict(at, daily_loss_pct=D(2))
    assert isinstance(denied, Deny)
    assert denied.rule == "daily_loss"
    assert verdict(at._replace(equity=D(980) + TINY), daily_loss_pct=D(2)) == "allowed"
    assert isinstance(verdict(at._replace(equity=D(980) + TINY), daily_loss_pct=D(2), daily_loss=D(19)), Deny)


def test_correlation_counts_from_the_threshold_and_when_it_is_not_known() -> None:
    tight = {"correlated_exposure": D(10)}
    for correlation, counts in (("0.8", True), ("0.7999", False), ("-1", False), (None, True), ("1", True)):
        denied = verdict(state(others=(btc("20", correlation),)), **tight)
        assert isinstance(denied, Deny) is counts, correlation
    assert isinstance(verdict(state(others=(btc("20", None),)), **tight, correlation=D(1)), Deny)


def test_one_position_alone_is_not_the_business_of_the_correlation() -> None:
    alone = state(position_value=D(500), exposure=D(500), others=(btc("1", "0.2"),))
    assert verdict(alone, correlated_exposure=D(1)) == "allowed"


def test_a_volatility_that_is_not_known_yet_is_not_refused() -> None:
    assert verdict(state(volatility_pct=None), volatility_pct=TINY) == "allowed"


def test_the_tighter_of_amount_and_percentage_holds() -> None:
    assert verdict(state(), position=D("7.01"), position_pct=D("0.701")) == "allowed"
    for tighter in ({"position": D("7.00")}, {"position_pct": D("0.7")}):
        assert isinstance(verdict(state(), **tighter), Deny)


def money(most: int) -> st.SearchStrategy[Decimal]:
    fine = st.decimals(0, most, places=8, allow_nan=False, allow_infinity=False)
    return st.one_of(st.integers(0, most).map(Decimal), fine)


LIMITS = st.builds(
    Limits,
    position=money(30),
    position_pct=money(3),
    exposure=money(60),
    exposure_pct=money(6),
    asset_exposure=money(40),
    venue_exposure=money(60),
    correlation=st.sampled_from([D(0), D("0.5"), D("0.8"), D(1)]),
    correlated_exposure=money(40),
)
OTHERS = st.lists(
    st.builds(
        Correlated,
        symbol=st.sampled_from(["A-USDT", "B-USDT"]),
        value=money(20),
        correlation=st.sampled_from([None, D(-1), D("0.4999"), D("0.5"), D("0.8"), D(1)]),
    ),
    max_size=3,
).map(tuple)
SITUATIONS = st.builds(
    state,
    rate=st.integers(1, 60_000).map(Decimal),
    position_value=money(20),
    exposure=money(60),
    asset_value=money(30),
    venue_value=money(60),
    others=OTHERS,
    equity=st.sampled_from([D(-5), D(0), D(500), D(1000)]),
)
SIZES = ("position", "exposure", "asset_exposure", "venue_exposure", "correlated_exposure")


@given(SITUATIONS, LIMITS, st.integers(1, 9))
def test_the_quick_answer_is_that_of_the_five_rules(situation: RiskState, limits: Limits, lots: int) -> None:
    trade = intent(quantity=D(lots).scaleb(-3))
    broken = [rule.name for rule in RULES if rule.name in SIZES and rule.test(trade, situation, limits) is not None]
    assert fits(trade, situation, limits) is (broken == [])
    answer = check(trade, situation, limits)
    if broken:
        assert isinstance(answer, Deny)
        assert answer.rule == broken[0]


@given(SITUATIONS, LIMITS, st.integers(1, 400))
def test_what_is_sized_into_the_rooms_is_never_denied_for_a_size(
    situation: RiskState, limits: Limits, lots: int
) -> None:
    assert situation.rate is not None
    room = rooms(situation, limits)
    assert min(room) >= 0
    trade = intent(quantity=D(lots).scaleb(-3), exits=Exits(D("0.06")))
    value = trade.quantity * trade.worst_price * situation.rate
    within = value <= min(room)
    assert fits(trade, situation, limits) is within


LOOSER = [
    {"position": D(5), "position_pct": D(5)},
    {"exposure": D(5), "exposure_pct": D(5)},
    {"asset_exposure": D(5)},
    {"venue_exposure": D(5)},
    {"correlated_exposure": D(5)},
    {"errors": 2},
    {"volatility_pct": D(5)},
    {"daily_loss": D(5), "daily_loss_pct": D(5)},
]


@given(SITUATIONS, LIMITS, st.sampled_from(LOOSER), st.integers(0, 12), money(500))
def test_a_looser_limit_never_denies_what_was_allowed(
    situation: RiskState, limits: Limits, more: dict[str, Any], errors: int, volatility: Decimal
) -> None:
    situation = situation._replace(errors=errors, volatility_pct=volatility)
    looser = replace(limits, **{name: getattr(limits, name) + step for name, step in more.items()})
    if isinstance(check(intent(), situation, limits), Allow):
        assert isinstance(check(intent(), situation, looser), Allow)
