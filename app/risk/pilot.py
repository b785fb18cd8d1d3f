"""The first live week runs at pilot caps, whatever the settings say; from then on the trader's typed word raises them,
step by step, until the settings' own limits are the tighter ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from app.money import mul, to_text
from app.risk.model import Limits

WEEK_MS: Final = 7 * 86_400_000
POSITION: Final = Decimal(10)
CAPITAL: Final = Decimal(100)
DAY: Final = Decimal(50)
"""Account currency: the largest position, all of them together, and the largest loss since 00:00 UTC."""
_TWICE: Final = Decimal(2)
MOST_STEPS: Final = 40
"""Then the caps are beyond what any setting can be."""


@dataclass(frozen=True, slots=True)
class Pilot:
    """Limits in force.

    Attributes:
        limits: never looser than the settings'.
        capital: what the modules may be given together, account currency; never more than the settings'.
        step: 0 at pilot caps; each accepted word doubles them.
        reasons: a sentence for each limit that is tighter than the settings', and for what is to be done next.
        next_ms: wall time from which the next word counts; None before the first live trade.
    """

    limits: Limits
    capital: Decimal
    step: int
    reasons: tuple[str, ...]
    next_ms: int | None

    @property
    def binds(self) -> bool:
        """A cap is tighter than the settings."""
        return bool(self.reasons)


def pilot(limits: Limits, capital: Decimal, first_live_ms: int | None, words_ms: Iterable[int], now_ms: int) -> Pilot:
    """Limits in force on the live profile.

    Args:
        limits: the settings'; `capital` likewise, account currency.
        first_live_ms: wall time of the first live trade, None before it.
        words_ms: wall times of the trader's journaled words. One counts a week after the first trade at the earliest,
            and a week after the one before it that counted.
        now_ms: wall time; a word of the future does not count.
    """
    step, next_ms = _steps(first_live_ms, words_ms, now_ms)
    factor = _TWICE**step
    position, most, day = mul(POSITION, factor), mul(CAPITAL, factor), mul(DAY, factor)
    capped = replace(
        limits,
        position=min(limits.position, position),
        exposure=min(limits.exposure, most),
        venue_exposure=min(limits.venue_exposure, most),
        daily_loss=min(limits.daily_loss, day),
    )
    pairs = (
        ("position", limits.position, capped.position),
        ("exposure", limits.exposure, capped.exposure),
        ("exposure at one venue", limits.venue_exposure, capped.venue_exposure),
        ("daily loss", limits.daily_loss, capped.daily_loss),
        ("capital", capital, min(capital, most)),
    )
    reasons = [
        f"{name}: {to_text(now)} by pilot cap, the settings say {to_text(mine)}"
        for name, mine, now in pairs
        if now < mine
    ]
    if reasons:
        reasons.append(_next(first_live_ms, next_ms, now_ms))
    return Pilot(capped, min(capital, most), step, tuple(reasons), next_ms)


def _steps(first_live_ms: int | None, words_ms: Iterable[int], now_ms: int) -> tuple[int, int | None]:
    """How many words count, and when the next one does."""
    if first_live_ms is None:
        return 0, None
    step, due_ms = 0, first_live_ms + WEEK_MS
    for word_ms in sorted(words_ms):
        if due_ms <= word_ms <= now_ms and step < MOST_STEPS:
            step, due_ms = step + 1, word_ms + WEEK_MS
    return step, due_ms


def _next(first_live_ms: int | None, next_ms: int | None, now_ms: int) -> str:
    if first_live_ms is None or next_ms is None:
        return "the first live week begins with the first live trade"
    if now_ms < next_ms:
        days = -(-(next_ms - now_ms) // 86_400_000)
        return f"the caps can be doubled by the trader's word in {days} days"
    return "the caps can be doubled now by the trader's word: countersign doctor --live --ramp"
