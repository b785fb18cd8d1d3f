"""The rate budget: never more in any stretch of time than promised, and never less than one may have."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.clock import MarketClock
from app.venues.resilience.budget import RateBudget, RateRules

RULES = st.builds(RateRules, per_s=st.integers(1, 50), burst=st.integers(1, 20))


def test_a_burst_goes_at_once_and_what_comes_after_it_waits_its_turn() -> None:
    budget = RateBudget(MarketClock(0), RateRules(per_s=10, burst=2))
    assert [budget.reserve(10_000) for _ in range(5)] == [0, 0, 100, 200, 300]
    assert budget.view().free == 0


def test_no_place_so_soon_reserves_nothing() -> None:
    budget = RateBudget(MarketClock(0), RateRules(per_s=1, burst=1))
    assert budget.reserve(0) == 0
    assert budget.reserve(999) is None
    assert budget.reserve(999) is None
    assert budget.reserve(1_000) == 1_000


def test_a_pause_that_the_endpoint_asks_for_is_kept() -> None:
    clock = MarketClock(0)
    budget = RateBudget(clock, RateRules(per_s=10, burst=5, longest_hold_ms=60_000))
    budget.hold(7_000)
    budget.hold(2_000)
    assert budget.reserve(6_999) is None
    view = budget.view()
    assert (view.free, view.waiting_ms, view.held) == (0, 7_000, True)
    clock.advance(6_999)
    assert budget.held_for_ms() == 1
    clock.advance(7_000)
    assert budget.reserve(0) == 0


def test_a_pause_beyond_reason_is_cut_and_a_negative_one_is_none() -> None:
    budget = RateBudget(MarketClock(0), RateRules(per_s=1, burst=1, longest_hold_ms=60_000))
    budget.hold(-5)
    assert budget.held_for_ms() == 0
    budget.hold(10**12)
    assert budget.held_for_ms() == 60_000


@pytest.mark.parametrize(("per_s", "burst"), [(0, 1), (1, 0), (-1, 1)])
def test_a_budget_of_nothing_is_no_budget(per_s: int, burst: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RateRules(per_s=per_s, burst=burst)


@settings(max_examples=300)
@given(RULES, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 2_000)), max_size=60))
def test_no_stretch_of_time_sees_more_than_its_share(rules: RateRules, asked: list[tuple[int, int]]) -> None:
    clock = MarketClock(0)
    budget = RateBudget(clock, rules)
    went: list[int] = []
    for pause, patience in asked:
        clock.advance(clock.now_ms() + pause)
        wait = budget.reserve(patience)
        if wait is not None:
            assert wait <= patience
            went.append(clock.now_ms() + wait)
    assert went == sorted(went), "first come, first served"
    for first, start in enumerate(went):
        for last in range(first, len(went)):
            within = went[last] - start
            # Whole milliseconds: the first may have gone up to one later than it could.
            assert (last - first + 1) * 1000 <= rules.burst * 1000 + (within + 1) * rules.per_s


@settings(max_examples=100)
@given(RULES, st.integers(1, 200))
def test_who_waits_as_told_gets_the_full_rate(rules: RateRules, requests: int) -> None:
    clock = MarketClock(0)
    budget = RateBudget(clock, rules)
    for _ in range(requests):
        wait = budget.reserve(10**9)
        assert wait is not None
        clock.advance(clock.now_ms() + wait)
    most = max(requests - rules.burst, 0) * (-(-1000 // rules.per_s))
    assert clock.now_ms() <= most
