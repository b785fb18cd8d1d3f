"""A breaker: after some failures in a row nobody asks that endpoint for a while; then one call, the probe, decides.

CLOSED --failures in a row--> OPEN --its pause is over--> HALF_OPEN --probe went well--> CLOSED
                               ^------------- probe failed, twice the pause -------------|

Every call takes a ticket and gives it back. A ticket of an earlier state decides nothing: an answer that comes late
neither closes a breaker that opened since nor opens one that a probe has closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from app.engine.clock import Clock

Ticket = NewType("Ticket", int)


class BreakerState(StrEnum):
    """See the drawing above."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """
    Attributes:
        failures: in a row that open it.
        pause_ms: before the first probe; doubles with each probe that fails.
        longest_pause_ms: what it doubles to at most.
    """

    failures: int = 3
    pause_ms: int = 2_000
    longest_pause_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class BreakerView:
    """
    Attributes:
        failures: in a row.
        retry_in_ms: until a probe is let through; 0 where one is.
        reason: what the last failure was, "" when all is well.
    """

    state: BreakerState
    failures: int
    retry_in_ms: int
    reason: str


class Breaker:
    """One breaker. Time is the clock's; a clock that was set back lengthens no pause beyond its full length."""

    def __init__(self, clock: Clock, rules: BreakerRules | None = None) -> None:
        self._clock = clock
        self._rules = rules or BreakerRules()
        self._state = BreakerState.CLOSED
        self._ticket = Ticket(0)
        self._failures = 0
        self._pause_ms = self._rules.pause_ms
        self._opened_ms = 0
        self._probing = False
        self._reason = ""

    @property
    def state(self) -> BreakerState:
        """OPEN becomes HALF_OPEN by the passing of time alone."""
        if self._state is BreakerState.OPEN and self._left_ms() == 0:
            self._enter(BreakerState.HALF_OPEN)
        return self._state

    def begin(self) -> Ticket | None:
        """A ticket for one call, or None: not now. In HALF_OPEN there is one ticket at a time."""
        if self.state is BreakerState.OPEN or self._probing:
            return None
        self._probing = self._state is BreakerState.HALF_OPEN
        return self._ticket

    def succeeded(self, ticket: Ticket) -> None:
        """The call was answered."""
        if ticket == self._ticket:
            self._close()

    def failed(self, ticket: Ticket, reason: str) -> None:
        """The call was not answered, or with what no endpoint that is well answers."""
        if ticket != self._ticket:
            return
        self._failures += 1
        self._reason = reason
        if self._state is BreakerState.HALF_OPEN:
            self._pause_ms = min(2 * self._pause_ms, self._rules.longest_pause_ms)
            self._open()
        elif self._failures >= self._rules.failures:
            self._open()

    def withdrawn(self, ticket: Ticket) -> None:
        """The call did not take place, or its end says nothing (cancelled, told to wait)."""
        if ticket == self._ticket:
            self._probing = False

    def reset(self) -> None:
        """By hand: CLOSED, whatever happened. Calls under way no longer count."""
        self._close()
        self._enter(BreakerState.CLOSED)

    def view(self) -> BreakerView:
        """For screens."""
        state = self.state
        return BreakerView(state, self._failures, self._left_ms() if state is BreakerState.OPEN else 0, self._reason)

    def _close(self) -> None:
        self._failures, self._reason, self._pause_ms = 0, "", self._rules.pause_ms
        if self._state is not BreakerState.CLOSED:
            self._enter(BreakerState.CLOSED)

    def _open(self) -> None:
        self._opened_ms = self._clock.now_ms()
        self._enter(BreakerState.OPEN)

    def _enter(self, state: BreakerState) -> None:
        self._state = state
        self._ticket = Ticket(self._ticket + 1)
        self._probing = False

    def _left_ms(self) -> int:
        now = self._clock.now_ms()
        self._opened_ms = min(self._opened_ms, now)
        return max(self._opened_ms + self._pause_ms - now, 0)
