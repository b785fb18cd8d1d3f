"""The adaptive profile: what calls for which level, how it comes back, and that it never loosens anything."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.risk.adaptive import CALM_MS, Facts, Level, Profile, judge, step, tightened
from app.risk.gate import check
from app.risk.model import Deny, Limits
from tests.unit.risk.situations import intent, state

D = Decimal
LIMITS = Limits()
CALM = Facts(D(1), 0, D(1000), D(1000), 0, D(5))
BAD = replace(CALM, losses_in_row=4)
MINUTE = 60_000


def level(**changes: Any) -> Level:
    return judge(replace(CALM, **changes), LIMITS)[0]


BOUNDARIES = [
    ("volatility_ratio", D("1.7499"), D("1.75"), D("2.4999"), D("2.5")),
    ("losses_in_row", 2, 3, 3, 4),  # of 5
    ("equity", D("900.01"), D(900), D("850.01"), D(850)),  # 20 % of 1000
    ("errors", 4, 5, 7, 8),  # of 10
    ("spread_bps", D("49.99"), D(50), D("74.99"), D(75)),  # of 100
]


@pytest.mark.parametrize(("fact", "fine", "cautious", "still_cautious", "defensive"), BOUNDARIES)
def test_each_fact_at_its_boundaries(fact: str, fine: Any, cautious: Any, still_cautious: Any, defensive: Any) -> None:
    assert level(**{fact: fine}) is Level.NORMAL
    assert level(**{fact: cautious}) is Level.CAUTIOUS
    assert level(**{fact: still_cautious}) is Level.CAUTIOUS
    assert level(**{fact: defensive}) is Level.DEFENSIVE


def test_the_worst_fact_decides_and_the_reason_names_what_called_for_the_level() -> None:
    facts = replace(CALM, losses_in_row=4, errors=5, volatility_ratio=D("2.6000"))
    assert judge(facts, LIMITS) == (
        Level.DEFENSIVE,
        "volatility is 2.6 times its longer average; 4 losses in a row, the limit is 5",
    )
    assert judge(CALM, LIMITS) == (Level.NORMAL, "")


def test_what_is_not_known_and_what_is_not_used_call_for_nothing() -> None:
    nothing = Facts(None, 0, D(0), D(0), 0, None)
    assert judge(nothing, replace(LIMITS, errors=0, losses_in_row=1)) == (Level.NORMAL, "")
    assert judge(replace(nothing, errors=1), replace(LIMITS, errors=0))[0] is Level.DEFENSIVE


def test_it_goes_up_at_once_and_comes_down_one_level_after_each_calm_hour() -> None:
    profile = step(Profile(), BAD, LIMITS, 0)
    assert (profile.level, profile.reason, profile.since_ms) == (
        Level.DEFENSIVE,
        "4 losses in a row, the limit is 5",
        0,
    )
    profile = step(profile, CALM, LIMITS, MINUTE)
    assert profile == replace(profile, level=Level.DEFENSIVE, calm_ms=MINUTE)
    assert step(profile, CALM, LIMITS, MINUTE + CALM_MS - 1) is profile
    profile = step(profile, CALM, LIMITS, MINUTE + CALM_MS)
    assert (profile.level, profile.since_ms) == (Level.CAUTIOUS, MINUTE + CALM_MS)
    assert step(profile, CALM, LIMITS, 2 * CALM_MS) is profile
    profile = step(profile, CALM, LIMITS, MINUTE + 2 * CALM_MS)
    assert (profile.level, profile.calm_ms) == (Level.NORMAL, None)
    assert step(profile, CALM, LIMITS, 9 * CALM_MS) is profile


def test_one_bad_judgement_begins_the_calm_anew() -> None:
    profile = step(step(Profile(), BAD, LIMITS, 0), CALM, LIMITS, MINUTE)
    profile = step(profile, BAD, LIMITS, CALM_MS)
    assert profile.calm_ms is None
    profile = step(profile, CALM, LIMITS, CALM_MS + MINUTE)
    assert step(profile, CALM, LIMITS, 2 * CALM_MS).level is Level.DEFENSIVE


def test_a_lower_level_that_is_still_called_for_is_where_it_stops() -> None:
    uneasy = replace(CALM, losses_in_row=3)
    profile = step(step(Profile(), BAD, LIMITS, 0), uneasy, LIMITS, 1)
    profile = step(profile, uneasy, LIMITS, 1 + CALM_MS)
    assert (profile.level, profile.calm_ms) == (Level.CAUTIOUS, None)
    assert step(profile, uneasy, LIMITS, 5 * CALM_MS) is profile


def test_switched_off_it_is_normal_and_says_so() -> None:
    off = replace(LIMITS, adaptive=False)
    assert step(Profile(), BAD, off, 5) == Profile()
    assert step(Profile(Level.DEFENSIVE, "x", 1), BAD, off, 5) == Profile(Level.NORMAL, "risk.adaptive is off", 5)


def test_the_stated_factors() -> None:
    cautious, defensive = tightened(LIMITS, Level.CAUTIOUS), tightened(LIMITS, Level.DEFENSIVE)
    assert tightened(LIMITS, Level.NORMAL) is LIMITS
    assert (cautious.position, cautious.exposure, cautious.correlated_exposure) == (D(5), D(25), D(15))
    assert (defensive.position, defensive.asset_exposure, defensive.venue_exposure) == (D("2.5"), D(5), D("12.5"))
    assert (cautious.position_pct, defensive.exposure_pct) == (D("12.5"), D(25))
    assert (cautious.open_positions, defensive.open_positions) == (3, 2)
    assert (cautious.cool_down_ms, defensive.cool_down_ms) == (7_200_000, 14_400_000)
    assert tightened(replace(LIMITS, open_positions=1), Level.DEFENSIVE).open_positions == 1


def amounts(most: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(0, most, places=8, allow_nan=False, allow_infinity=False)


ANY_LIMITS = st.builds(
    Limits,
    **{
        each.name: {"Decimal": amounts(1_000_000), "int": st.integers(0, 100_000), "bool": st.booleans()}[
            str(each.type)
        ]
        for each in fields(Limits)
    },
)
ANY_FACTS = st.builds(
    Facts,
    volatility_ratio=st.none() | amounts(10),
    losses_in_row=st.integers(0, 100),
    equity=st.decimals(-1000, 2000, places=2, allow_nan=False, allow_infinity=False),
    equity_peak=amounts(2000),
    errors=st.integers(0, 100),
    spread_bps=st.none() | amounts(10_000),
)
LARGER_IS_TIGHTER = {"cool_down_ms", "error_window_ms", "adaptive"}


def assert_no_looser(tight: Limits, limits: Limits) -> None:
    for each in fields(Limits):
        one, other = getattr(tight, each.name), getattr(limits, each.name)
        assert one >= other if each.name in LARGER_IS_TIGHTER else one <= other, each.name


@given(ANY_LIMITS, st.lists(st.tuples(ANY_FACTS, st.integers(0, 2 * CALM_MS)), max_size=12))
def test_no_facts_ever_loosen_a_limit_in_any_field(limits: Limits, history: list[tuple[Facts, int]]) -> None:
    profile, now = Profile(), 0
    for facts, later in history:
        now += later
        profile = step(profile, facts, limits, now)
        assert_no_looser(tightened(limits, profile.level), limits)
        if not limits.adaptive:
            assert tightened(limits, profile.level) == limits
        else:
            assert profile.level.rank >= judge(facts, limits)[0].rank


@given(ANY_LIMITS)
def test_each_level_is_no_looser_than_the_one_below(limits: Limits) -> None:
    levels = [tightened(limits, level) for level in Level]
    assert_no_looser(levels[1], levels[0])
    assert_no_looser(levels[2], levels[1])


@given(ANY_LIMITS, st.lists(st.tuples(ANY_FACTS, st.integers(0, 2 * CALM_MS)), min_size=1, max_size=12))
def test_seeing_a_bar_twice_changes_nothing(limits: Limits, history: list[tuple[Facts, int]]) -> None:
    profile, now = Profile(), 0
    for facts, later in history:
        now += later
        profile = step(profile, facts, limits, now)
        assert step(profile, facts, limits, now) == profile


@given(ANY_LIMITS, ANY_FACTS, st.sampled_from(list(BOUNDARIES)), st.data())
def test_worse_facts_never_call_for_a_lower_level(
    limits: Limits, facts: Facts, case: tuple[Any, ...], data: st.DataObject
) -> None:
    name = case[0]
    before = getattr(facts, name)
    if before is None:
        return
    more = data.draw(st.integers(0, 50))
    worse = replace(facts, **{name: before - more if name == "equity" else before + more})
    assert judge(worse, limits)[0].rank >= judge(facts, limits)[0].rank


@given(st.sampled_from(Level), st.sampled_from(Level), amounts(20), amounts(60))
def test_what_a_tighter_level_allows_the_settings_allow(one: Level, other: Level, held: Decimal, all_: Decimal) -> None:
    tight, loose = sorted((one, other), key=lambda each: -each.rank)
    situation = state(position_value=held, exposure=all_, asset_value=held, venue_value=all_)
    if isinstance(check(intent(), situation, tightened(LIMITS, loose)), Deny):
        assert isinstance(check(intent(), situation, tightened(LIMITS, tight)), Deny)
