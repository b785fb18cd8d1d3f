"""The adaptive profile: limits that tighten by themselves when the market or our own record turns bad. Pure.

`judge` names the level that the facts call for:

================================  ==================  ==================
fact                              cautious from       defensive from
================================  ==================  ==================
volatility over its own average   1.75 times          2.5 times
losses in a row                   half the limit      three quarters
fall from the peak of equity      half the limit      three quarters
errors within the window          half the limit      three quarters
spread                            half the limit      three quarters
================================  ==================  ==================

The worst fact decides. Volatility and spread are those in the middle of all instruments: the storm of a single one is
the business of its own rules. A fact that is not known counts for nothing; the rules that need it refuse by themselves.

`step` goes up at once. It comes down one level at a time, each after `CALM_MS` of market time in which every judgement
was below the level, and never below normal: what the settings say. Time in which no bar came (an exchange that was
gone, a market that was closed) is not calm: the hour begins again after it. The profile (`Profile`) is all that is
remembered, and asking again at the same instant with the same facts changes nothing: a session that was killed and sees
a bar again goes on like one that was not.

`tightened` gives the limits of a level: the sizes (position, every exposure, and their percentages of equity) and the
open positions are halved when cautious and quartered when defensive, the cool-down doubled and quadrupled. A count is
rounded up, so that 1 stays 1. Nothing else changes, and nothing ever grows looser than the settings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.money import UP, ZERO, div, mul, sub, to_text
from app.risk.model import Limits
from app.risk.words import shown

CALM_MS: Final = 3_600_000

_CAUTIOUS_RATIO: Final = Decimal("1.75")
_DEFENSIVE_RATIO: Final = Decimal("2.5")
_CAUTIOUS_SHARE: Final = Decimal("0.5")
_DEFENSIVE_SHARE: Final = Decimal("0.75")
_HUNDRED: Final = Decimal(100)


class Level(StrEnum):
    """How tight the limits are."""

    NORMAL = "normal"
    CAUTIOUS = "cautious"
    DEFENSIVE = "defensive"

    @property
    def rank(self) -> int:
        """0 for normal, the tighter the larger."""
        return _LEVELS.index(self)


_LEVELS: Final = (Level.NORMAL, Level.CAUTIOUS, Level.DEFENSIVE)
_DIVISOR: Final = {Level.NORMAL: 1, Level.CAUTIOUS: 2, Level.DEFENSIVE: 4}
_FACTOR: Final = {Level.NORMAL: Decimal(1), Level.CAUTIOUS: Decimal("0.5"), Level.DEFENSIVE: Decimal("0.25")}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a judgement rests on; None where a figure is not known.

    Attributes:
        volatility_ratio: recent volatility over its longer average.
        equity, equity_peak: account currency.
        errors: stored within `Limits.error_window_ms`.
        spread_bps: of quotes that a market showed; one that was made from a bar says nothing.
    """

    volatility_ratio: Decimal | None
    losses_in_row: int
    equity: Decimal
    equity_peak: Decimal
    errors: int
    spread_bps: Decimal | None


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the profile stands.

    Attributes:
        reason: what raised it to this level, or why it came down to it.
        since_ms: when it did.
        calm_ms: since when every judgement has been below the level; None while one is not.
    """

    level: Level = Level.NORMAL
    reason: str = ""
    since_ms: int = 0
    calm_ms: int | None = None


def judge(facts: Facts, limits: Limits) -> tuple[Level, str]:
    """The level that the facts call for by the configured `limits`, and what calls for it, in words."""
    levels = _levels(facts, limits)
    level = max(levels, key=lambda each: each.rank)
    if level is Level.NORMAL:
        return level, ""
    words = _words(facts, limits)
    return level, "; ".join(words[number] for number, each in enumerate(levels) if each is level)


def _levels(facts: Facts, limits: Limits) -> tuple[Level, ...]:
    """One for each fact, in the order of `_words`."""
    ratio, spread, peak = facts.volatility_ratio, facts.spread_bps, facts.equity_peak
    fall = mul(sub(peak, facts.equity), _HUNDRED) if peak > ZERO else ZERO
    return (
        Level.NORMAL if ratio is None else _of(ratio, _CAUTIOUS_RATIO, _DEFENSIVE_RATIO),
        _share(Decimal(facts.losses_in_row), Decimal(limits.losses_in_row)),
        _share(fall, mul(limits.drawdown_pct, peak)),
        _share(Decimal(facts.errors), Decimal(limits.errors)),
        Level.NORMAL if spread is None else _share(spread, limits.spread_bps),
    )


def _words(facts: Facts, limits: Limits) -> tuple[str, ...]:
    ratio, spread, peak = facts.volatility_ratio or ZERO, facts.spread_bps or ZERO, facts.equity_peak
    fall = div(mul(sub(peak, facts.equity), _HUNDRED), peak, 2, UP) if peak > ZERO else ZERO
    return (
        f"volatility is {to_text(ratio)} times its longer average",
        f"{facts.losses_in_row} losses in a row, the limit is {limits.losses_in_row}",
        f"equity is {shown(fall)} % below its peak, the limit is {to_text(limits.drawdown_pct)} %",
        f"{facts.errors} errors of late, the limit is {limits.errors}",
        f"the spread is {to_text(spread)} bps, the limit {to_text(limits.spread_bps)} bps",
    )


def _share(used: Decimal, limit: Decimal) -> Level:
    """By the share of a limit that is used; nothing used is nothing, whatever the limit."""
    if used <= ZERO:
        return Level.NORMAL
    return _of(used, mul(limit, _CAUTIOUS_SHARE), mul(limit, _DEFENSIVE_SHARE))


def _of(value: Decimal, cautious: Decimal, defensive: Decimal) -> Level:
    if value >= defensive:
        return Level.DEFENSIVE
    return Level.CAUTIOUS if value >= cautious else Level.NORMAL


def step(profile: Profile, facts: Facts, limits: Limits, now_ms: int, *, watched: bool = True) -> Profile:
    """The profile after one more judgement, by the configured `limits`. The same object when nothing changed.

    Args:
        watched: the market was seen since the judgement before; else what was calm then says nothing about now.
    """
    if not limits.adaptive:
        return _off(profile, now_ms)
    if not watched and profile.calm_ms is not None:
        profile = replace(profile, calm_ms=None)
    called, why = judge(facts, limits)
    if called.rank > profile.level.rank:
        return Profile(called, why, now_ms)
    if called is profile.level:
        return profile if profile.calm_ms is None else replace(profile, calm_ms=None)
    if profile.calm_ms is None:
        return replace(profile, calm_ms=now_ms)
    if now_ms - profile.calm_ms < CALM_MS:
        return profile
    level = _LEVELS[profile.level.rank - 1]
    reason = f"nothing called for {profile.level} for {CALM_MS // 60_000} minutes"
    return Profile(level, reason, now_ms, calm_ms=None if called is level else now_ms)


def _off(profile: Profile, now_ms: int) -> Profile:
    if profile.level is Level.NORMAL:
        return profile
    return Profile(Level.NORMAL, "risk.adaptive is off", now_ms)


def tightened(limits: Limits, level: Level) -> Limits:
    """The limits in force at `level`; in no field looser than `limits`."""
    if level is Level.NORMAL:
        return limits
    factor, divisor = _FACTOR[level], _DIVISOR[level]
    return replace(
        limits,
        position=mul(limits.position, factor),
        position_pct=mul(limits.position_pct, factor),
        exposure=mul(limits.exposure, factor),
        exposure_pct=mul(limits.exposure_pct, factor),
        asset_exposure=mul(limits.asset_exposure, factor),
        venue_exposure=mul(limits.venue_exposure, factor),
        correlated_exposure=mul(limits.correlated_exposure, factor),
        open_positions=-(-limits.open_positions // divisor),
        cool_down_ms=limits.cool_down_ms * divisor,
    )
