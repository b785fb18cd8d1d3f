"""The lockstep driver: releases a market source event by event and moves the market clock between them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from typing import Any, Final, Protocol

from app.engine.clock import MarketClock
from app.errors import UsageError
from app.market.events import MarketEvent, MarketSource, News, event_time

SLICE_S: Final = 0.1
"""Longest real wait in one go: timers fire and a stop is noticed within it."""
_BREATH: Final = 8
"""Events between two turns given to the event loop at full speed; a turn costs about as much as an event."""
_LATE_S: Final = 1.0

Deliver = Callable[[MarketEvent | News, int], Awaitable[None]]
Settle = Callable[[], Awaitable[None]]
Speed = Callable[[], Decimal | None]
"""Market seconds per second now; None is as fast as it goes, and stays it."""


async def pace(
    source: MarketSource,
    clock: MarketClock,
    start: int,
    speed: Speed,
    deliver: Deliver,
    settle: Settle,
    stopping: Callable[[], bool],
) -> int:
    """Release the events of `source` from position `start` on, until it ends or `stopping()`.

    For each event: everybody who sleeps until an earlier instant is woken at exactly that instant, in order, each
    followed by `settle()`; then the clock moves to the event, `deliver(event, position)`, `settle()`. Who sleeps until
    the instant of the event itself runs in that settle, after the event.

    Args:
        speed: market time per real time, asked again for each event and each slice of waiting; None is as fast as it
            goes, with a turn for the event loop now and then.
        deliver: `position` counts the events released so far, this one included: the cursor once it is done.
        settle: returns when nothing is left to do at this instant.

    Returns:
        The position reached.

    Raises:
        UsageError: `speed` is not above 0.
        ClockError: the source yields an event before the clock's time.
        DataError: from the source.
    """
    rate = None if speed() is None else _Rate(clock, speed)
    position = start
    for event in source.events(start):
        due = event_time(event)
        if rate is not None:
            await rate.wait(due, settle, stopping)
        elif (position - start) % _BREATH == 0:
            await asyncio.sleep(0)
        if stopping():
            break
        await step_to(clock, due - 1, settle)
        clock.advance(due)
        position += 1
        await deliver(event, position)
        await settle()
    return position


class Pacer(Protocol):
    """`pace`, or what stands for it in a test that moves the market by hand."""

    def __call__(
        self,
        source: MarketSource,
        clock: MarketClock,
        start: int,
        speed: Speed,
        deliver: Deliver,
        settle: Settle,
        stopping: Callable[[], bool],
    ) -> Coroutine[Any, Any, int]:
        """As `pace`."""
        ...


async def step_to(clock: MarketClock, ts_ms: int, settle: Settle) -> None:
    """Wake every sleeper due up to `ts_ms`, each at its own instant, and settle after each. The clock ends at the last
    of them."""
    while (wake := clock.next_wake_ms()) is not None and wake <= ts_ms:
        # A sleeper due in the past (it can not be woken there any more) is woken now.
        clock.advance(max(wake, clock.now_ms()))
        await settle()


class _Rate:
    """Waits so that market time runs `speed` times real time."""

    def __init__(self, clock: MarketClock, speed: Speed) -> None:
        self._clock = clock
        self._speed = speed
        self._in_force: Decimal | None = None
        self._ms_per_s = 0.0
        self._anchor: tuple[float, int] | None = None
        self._check()

    async def wait(self, due_ms: int, settle: Settle, stopping: Callable[[], bool]) -> None:
        """Return when it is time for an event at `due_ms`; the clock runs on meanwhile, in slices."""
        loop, clock = asyncio.get_running_loop(), self._clock
        await asyncio.sleep(0)
        while not stopping():
            real, now = loop.time(), clock.now_ms()
            if self._check() and self._anchor is not None:
                self._anchor = real, now  # another speed from here on
            if self._anchor is None:
                # The clock may not have been set yet: the first event starts the count.
                self._anchor = real, due_ms
            anchor_real, anchor_ms = self._anchor
            reached = anchor_ms + int((real - anchor_real) * self._ms_per_s)
            if reached - due_ms > _LATE_S * self._ms_per_s:
                # More than a second late (a suspended machine, a slow disk): go on from here instead of rushing.
                self._anchor = real, due_ms
            if reached >= due_ms:
                return
            if reached > now:
                await step_to(clock, reached, settle)
                clock.advance(max(reached, clock.now_ms()))
            left_s = anchor_real + (due_ms - anchor_ms) / self._ms_per_s - loop.time()
            await asyncio.sleep(min(SLICE_S, max(left_s, 0.0)))

    def _check(self) -> bool:
        """Ask for the speed; whether it changed.

        Raises:
            UsageError: it is not above 0.
        """
        speed = self._speed()
        if speed is None or speed == self._in_force:
            return False
        if not speed.is_finite() or speed <= 0:
            raise UsageError("run.speed", f"The speed is {speed}.", next_step="Give a number above 0, or max.")
        self._in_force, self._ms_per_s = speed, float(speed) * 1000  # a pace, never an amount
        return True
