"""How a module fares, judged from what is known of it. Pure; the manager asks at each health check."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.engine.lifecycle import ModuleState
from app.text import counted

_DECISIONS: Final = 256
"""Newest decisions whose time is remembered."""
_SLOW_US: Final = 30_000
"""What a turn of the event loop may take: a module that decides longer makes the screen stutter."""
_BARS_LATE: Final = 3
"""Bar lengths without a bar after which a module has nothing to decide on."""


class Health(StrEnum):
    """OK, or the most serious thing that is not."""

    OK = "ok"
    WARMING = "warming"
    STARVED = "starved"
    SLOW = "slow"
    FAILED = "failed"
    NONE = ""
    """It does not run and is not meant to."""


@dataclass(slots=True)
class Pulse:
    """What a module shows of itself while it runs. Times of decisions are real, those of bars the market's."""

    last_bar_ms: int | None = None
    timeframe_ms: int = 0
    cold: int = 0
    """Instruments whose strategy has not seen its warm-up yet."""
    _took: deque[int] = field(default_factory=lambda: deque(maxlen=_DECISIONS))

    def decided(self, nanoseconds: int) -> None:
        """One decision was made."""
        self._took.append(nanoseconds)

    @property
    def p99_us(self) -> int | None:
        """Time of the newest decisions, 99th percentile by nearest rank, microseconds; None before the first."""
        if not self._took:
            return None
        ordered = sorted(self._took)
        return ordered[math.ceil(0.99 * len(ordered)) - 1] // 1000


def judge(state: ModuleState, reason: str, pulse: Pulse, now_ms: int) -> tuple[Health, str]:
    """Health and words. What matters more is said first: failed, starved, slow, warming."""
    if state is ModuleState.FAILED:
        return Health.FAILED, reason
    if state in {ModuleState.REGISTERED, ModuleState.STOPPED}:
        return Health.NONE, ""
    if state is ModuleState.ENABLED or pulse.last_bar_ms is None:
        return Health.WARMING, "no bar yet"
    return _awake(pulse, now_ms - pulse.last_bar_ms)


def _awake(pulse: Pulse, age_ms: int) -> tuple[Health, str]:
    """Of one that sees bars, the newest of which is `age_ms` old."""
    if age_ms > _BARS_LATE * pulse.timeframe_ms:
        seconds, frame = age_ms // 1000, pulse.timeframe_ms // 1000
        return Health.STARVED, f"the last bar is {seconds} s old, bars are {frame} s long"
    p99 = pulse.p99_us
    if p99 is not None and p99 > _SLOW_US:
        return Health.SLOW, f"a decision takes {p99 // 1000} ms (p99), {_SLOW_US // 1000} ms is the limit"
    if pulse.cold:
        return Health.WARMING, f"{counted(pulse.cold, 'instrument')} not warm yet"
    return Health.OK, ""
