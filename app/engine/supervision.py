"""When a module that failed is started again: after one second, two, four; at most three times in an hour of market
time, or in ten bars where those take longer: on hourly bars, one that fails on each would be started for ever. Market
time, so that a replay restarts at the same bar every time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

MOST_RESTARTS: Final = 3
WITHIN_MS: Final = 3_600_000
WITHIN_BARS: Final = 10
FIRST_PAUSE_MS: Final = 1_000


@dataclass(slots=True)
class Supervision:
    """Of one module.

    Attributes:
        due_ms: when it is to be started (again), or None.
        restarts: how often it was, on record.
    """

    restarts: int = 0
    due_ms: int | None = None
    _recent: deque[int] = field(default_factory=deque)
    _bar_ms: int = 0

    def failed(self, now_ms: int, bar_ms: int) -> bool:
        """It failed now; False when it stays failed, because it was restarted too often. `bar_ms`: length of the
        longest bars there are, 0 while none was seen."""
        self._bar_ms = max(self._bar_ms, bar_ms)
        within_ms = max(WITHIN_MS, WITHIN_BARS * self._bar_ms)
        while self._recent and now_ms - self._recent[0] >= within_ms:
            self._recent.popleft()
        if len(self._recent) >= MOST_RESTARTS:
            self.due_ms = None
            return False
        self.due_ms = now_ms + FIRST_PAUSE_MS * 2 ** len(self._recent)
        return True

    def restarted(self, now_ms: int) -> None:
        """It is being started again after a failure."""
        self.restarts += 1
        self._recent.append(now_ms)
        self.due_ms = None

    def by_hand(self, now_ms: int) -> None:
        """The trader wants it to run: the count begins again, and it starts at the next event."""
        self._recent.clear()
        self.due_ms = now_ms

    def give_up(self) -> None:
        """Not to be started any more."""
        self.due_ms = None
