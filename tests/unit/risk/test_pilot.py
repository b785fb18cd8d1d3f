"""The caps of the first live week: never looser than the settings, and loosened by nothing but a word in time."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.risk.model import Limits
from app.risk.pilot import WEEK_MS, pilot

START = 1_700_000_000_000
DAY = 86_400_000
LOOSE = Limits(
    position=Decimal(500), exposure=Decimal(5_000), venue_exposure=Decimal(5_000), daily_loss=Decimal(1_000),
)  # fmt: skip
CAPITAL = Decimal(20_000)

amounts = st.decimals(0, 1_000_000, places=2)
limits = st.builds(Limits, position=amounts, exposure=amounts, venue_exposure=amounts, daily_loss=amounts)
times = st.integers(START - 60 * DAY, START + 400 * DAY)


def caps(first: int | None = START, words: tuple[int, ...] = (), now: int = START) -> tuple[int, ...]:
    found = pilot(LOOSE, CAPITAL, first, words, now)
    limits = found.limits
    return tuple(int(each) for each in (limits.position, limits.exposure, limits.daily_loss, found.capital))


def test_the_first_week_runs_at_ten_a_hundred_and_fifty() -> None:
    assert caps(first=None) == (10, 100, 50, 100)
    assert caps() == caps(now=START + WEEK_MS - 1) == (10, 100, 50, 100)
    assert caps(now=START + 100 * DAY) == (10, 100, 50, 100), "time alone loosens nothing"


def test_only_a_word_after_the_week_counts_and_the_next_a_week_after_it() -> None:
    late = START + 400 * DAY
    early, first, soon = START + WEEK_MS - 1, START + WEEK_MS, START + WEEK_MS + 1
    assert caps(words=(early,), now=late) == (10, 100, 50, 100)
    assert caps(words=(first,), now=late) == (20, 200, 100, 200)
    assert caps(words=(first, soon), now=late) == (20, 200, 100, 200), "two words at once are one"
    assert caps(words=(first + WEEK_MS, first), now=late) == (40, 400, 200, 400), "in whatever order they are read"
    assert caps(words=(first,), now=first - 1) == (10, 100, 50, 100), "a word of the future is none"
    assert caps(first=None, words=(first,), now=late) == (10, 100, 50, 100), "nor one before the first trade"


def test_it_says_which_cap_binds_and_what_is_to_be_done() -> None:
    found = pilot(LOOSE, CAPITAL, START, (), START + 2 * DAY)
    assert found.reasons[0] == "position: 10 by pilot cap, the settings say 500"
    assert found.reasons[-1] == "the caps can be doubled by the trader's word in 5 days"
    assert "now" in pilot(LOOSE, CAPITAL, START, (), START + WEEK_MS).reasons[-1]
    assert "first live trade" in pilot(LOOSE, CAPITAL, None, (), START).reasons[-1]
    tight = pilot(Limits(), Decimal(100), None, (), START)
    assert (tight.limits, tight.reasons, tight.binds) == (Limits(), (), False), "the defaults are within every cap"


@given(limits, amounts, st.none() | times, st.lists(times, max_size=60), times)
def test_never_looser_than_the_settings_and_never_beyond_the_steps(
    mine: Limits, capital: Decimal, first: int | None, words: list[int], now: int
) -> None:
    found = pilot(mine, capital, first, words, now)
    step = found.step
    assert found.limits.position == min(mine.position, 10 * 2**step)
    assert found.limits.exposure == min(mine.exposure, 100 * 2**step)
    assert found.limits.venue_exposure == min(mine.venue_exposure, 100 * 2**step)
    assert found.limits.daily_loss == min(mine.daily_loss, 50 * 2**step)
    assert found.capital == min(capital, 100 * 2**step)
    capped = {"position", "exposure", "venue_exposure", "daily_loss"}
    for each in fields(Limits):
        if each.name not in capped:
            assert getattr(found.limits, each.name) == getattr(mine, each.name)
    weeks = 0 if first is None else max(0, (now - first) // WEEK_MS)
    assert step <= min(len(words), weeks)
    assert found.binds == (found.limits != mine or found.capital != capital)


@given(limits, amounts, times, st.lists(times, max_size=20), times, times)
def test_another_word_or_more_time_never_tightens(
    mine: Limits, capital: Decimal, first: int, words: list[int], now: int, more: int
) -> None:
    before = pilot(mine, capital, first, words, now).step
    assert pilot(mine, capital, first, words, max(now, more)).step >= before
    assert pilot(mine, capital, first, words[:-1], now).step <= before
