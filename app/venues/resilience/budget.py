"""A rate budget: a token bucket in whole numbers, and the pause that an endpoint asked for (Retry-After).

A request reserves its place when it is asked for, so that those who wait go in the order they came and a burst is not
answered by a second one.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.engine.clock import Clock

_TOKEN = 1_000
"""Parts of a token: at one request per second one part comes back per millisecond."""


@dataclass(frozen=True, slots=True)
class RateRules:
    """
    Attributes:
        per_s: requests per second in the long run, 1 and more.
        burst: requests that may go at once after a quiet time, 1 and more.
        longest_hold_ms: of a pause that the endpoint asks for, what we believe.
    """

    per_s: int
    burst: int
    longest_hold_ms: int = 300_000

    def __post_init__(self) -> None:
        if self.per_s < 1 or self.burst < 1 or self.longest_hold_ms < 0:
            raise ValueError(f"a budget needs at least 1 request per second and a burst of 1: {self}")


@dataclass(frozen=True, slots=True)
class BudgetView:
    """
    Attributes:
        free: requests that may go now.
        waiting_ms: until the next may go, 0 when one may now.
        held: a pause the endpoint asked for is running.
    """

    per_s: int
    free: int
    waiting_ms: int
    held: bool


class RateBudget:
    """One endpoint's. A clock that was set back gives nothing and takes nothing."""

    def __init__(self, clock: Clock, rules: RateRules) -> None:
        self._clock = clock
        self._rules = rules
        self._full = rules.burst * _TOKEN
        self._parts = self._full
        self._seen_ms = clock.now_ms()
        self._held_ms = 0

    def reserve(self, patience_ms: int) -> int | None:
        """A place for one request: milliseconds until it may go, at most `patience_ms`; None: no place so soon, and
        nothing is reserved. Who waited asks `held_for_ms` before it goes."""
        wait = self._wait_ms()
        if wait > patience_ms:
            return None
        self._parts -= _TOKEN
        return wait

    def give_back(self) -> None:
        """A place that was reserved and not used."""
        self._parts = min(self._parts + _TOKEN, self._full)

    def hold(self, ms: int) -> None:
        """The endpoint said wait. A shorter pause never shortens a longer one."""
        self._refill()
        self._held_ms = max(self._held_ms, min(max(ms, 0), self._rules.longest_hold_ms))

    def held_for_ms(self) -> int:
        """What is left of the pause the endpoint asked for."""
        self._refill()
        return self._held_ms

    def view(self) -> BudgetView:
        """For screens."""
        wait = self._wait_ms()
        free = 0 if self._held_ms else max(self._parts, 0) // _TOKEN
        return BudgetView(self._rules.per_s, free, wait, self._held_ms > 0)

    def _wait_ms(self) -> int:
        self._refill()
        short = max(_TOKEN - self._parts, 0)
        return max(-(-short // self._rules.per_s), self._held_ms)

    def _refill(self) -> None:
        now = self._clock.now_ms()
        passed, self._seen_ms = max(now - self._seen_ms, 0), now
        self._parts = min(self._parts + passed * self._rules.per_s, self._full)
        self._held_ms = max(self._held_ms - passed, 0)
