"""Time. The rest of the code gets a `Clock` and never asks the operating system (lint-banned elsewhere).

`MarketClock` is market time: it stands still until the market source moves it, so expiries and time-outs of a replay
are those of the recorded day. `WallClock` is for what has no market: commands, log stamps.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol

from app.errors import ClockError


class Clock(Protocol):
    """What every rule, expiry and latency uses."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""
        ...

    def monotonic_ns(self) -> int:
        """For latencies only: never goes back, has no epoch."""
        ...

    async def sleep_until(self, ts_ms: int) -> None:
        """Return once `now_ms() >= ts_ms`."""
        ...


class WallClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC by the operating system."""
        return time.time_ns() // 1_000_000  # noqa: TID251 -- this is the clock

    def monotonic_ns(self) -> int:
        """The operating system's monotonic clock."""
        return time.monotonic_ns()

    async def sleep_until(self, ts_ms: int) -> None:
        """Sleep on the event loop."""
        while (wait := ts_ms - self.now_ms()) > 0:  # noqa: ASYNC110 -- the wall clock may be set; look again after waking
            await asyncio.sleep(wait / 1000)


class MarketClock:
    """Time that the market source moves with `advance`; sleepers wake in order of their time, then of arrival."""

    def __init__(self, start_ms: int = 0) -> None:
        self._now = start_ms
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrival = itertools.count()

    def now_ms(self) -> int:
        """Market time."""
        return self._now

    def monotonic_ns(self) -> int:
        """Real elapsed time: latencies are real even when the market is recorded."""
        return time.monotonic_ns()

    async def sleep_until(self, ts_ms: int) -> None:
        """Wait until the market source has reached `ts_ms`."""
        if ts_ms <= self._now:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (ts_ms, next(self._arrival), future))
        await future

    def next_wake_ms(self) -> int | None:
        """The earliest instant somebody waits for, or None."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def advance(self, ts_ms: int) -> None:
        """Move to `ts_ms` and wake whoever is due at exactly the instants passed.

        The caller steps to each `next_wake_ms()` first, so that a sleeper reads its own time, not a later one.

        Raises:
            ClockError: `ts_ms` lies in the past.
        """
        if ts_ms < self._now:
            raise ClockError(
                "clock.backwards",
                f"Market time would go back from {self._now} to {ts_ms} ms.",
                next_step="Nothing was changed. Check the order of the data files.",
            )
        self._now = ts_ms
        while self._sleepers and self._sleepers[0][0] <= ts_ms:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
