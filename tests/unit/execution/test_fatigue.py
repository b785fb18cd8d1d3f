"""How fast one person may confirm."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.execution.fatigue import Fatigue, rests_until
from app.text import lasting

LIMITS = Fatigue(confirmations=3, window_ms=1000, pause_ms=500, large_value=Decimal(0))


def test_the_third_within_the_window_earns_a_pause_and_then_the_count_begins_anew() -> None:
    assert rests_until([], LIMITS) is None
    assert rests_until([0, 999], LIMITS) is None
    assert rests_until([0, 499, 998], LIMITS) == 1498
    assert rests_until([0, 499, 998, 1498], LIMITS) is None, "rested"
    assert rests_until([0, 499, 998, 1498, 1500], LIMITS) is None
    assert rests_until([0, 499, 998, 1498, 1500, 1501], LIMITS) == 2001
    assert rests_until([0, 500, 999], LIMITS) is None, "who rests without being told has rested"
    wide = replace(LIMITS, pause_ms=5000)
    assert rests_until([0, 500, 1000], wide) is None, "the first is a whole window ago"
    assert rests_until([-5000, -4999, -4998], LIMITS) == -4498, "before this clock began"


@given(
    st.lists(st.integers(0, 400), max_size=60),
    st.integers(1, 5),
    st.integers(1, 1000),
    st.integers(1, 1000),
)
def test_whoever_obeys_never_confirms_more_than_the_limit_between_two_rests(
    waits: list[int], most: int, window: int, pause: int
) -> None:
    limits = Fatigue(most, window, pause, Decimal(0))
    confirmed: list[int] = []
    now = 0
    for wait in waits:
        now += wait
        until = rests_until(confirmed, limits)
        if until is None or now >= until:
            confirmed.append(now)
    for first in range(len(confirmed)):
        run = confirmed[first : first + most + 1]
        if len(run) == most + 1:
            rested = any(two - one >= pause for one, two in itertools.pairwise(run))
            assert rested or run[most - 1] - run[0] >= window, run
    # forgetting what is older than window and pause never makes it laxer
    kept = [each for each in confirmed if each > now - window - pause]
    whole, short = rests_until(confirmed, limits), rests_until(kept, limits)
    if whole is not None and whole > now:
        assert short is not None
        assert short >= whole


@pytest.mark.parametrize(
    ("ms", "words"),
    [(0, "0 s"), (-5, "0 s"), (1, "1 s"), (59_001, "1 min 0 s"), (250_000, "4 min 10 s"), (7_500_000, "2 h 5 min")],
)
def test_a_time_in_words(ms: int, words: str) -> None:
    assert lasting(ms) == words
