"""Is the loop alive? A beat on the loop measures how late it comes round; a daemon thread watches the beat, names what
holds the loop for 250 ms, and puts the emergency stop in force after 5 s.

The thread counts only time in which it ran itself. A machine that slept, a process that was stopped by a signal and a
library that held the interpreter stand still with the watchdog, so they are told afterwards and never latch the stop.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Final

from app import logs

_log = logs.get(__name__)

BEAT_S: Final = 0.05
"""Between two beats, and between two looks of the thread. 20 wake-ups a second of 20 us each."""
NAMED_MS: Final = 250
LATCHED_MS: Final = 5_000
WINDOW_MS: Final = 60_000
KEPT: Final = 20
"""Names of slow handlers kept; the least slow goes."""
_OURS: Final = ("app.", "signers.", "storage.", "strategies.")
_FRAMES: Final = 4
_HANDLER: Final = ("asyncio.events", "Handle._run")
_LOOP: Final = ("asyncio.base_events", "BaseEventLoop._run_once")
"""The loop's own: frames outside of them are those of whoever started it."""
WHOLE_PROCESS: Final = "the whole process"
_WAITED: Final = "no handler of its own"
_MOST_PER_LOOK_NS: Final = int(2 * BEAT_S * 1e9)


@dataclass(frozen=True, slots=True)
class Stall:
    """The loop did not come round for `lasted_ms`. `handler` is our innermost function, `frames` the way to it,
    innermost first."""

    handler: str
    frames: tuple[str, ...]
    lasted_ms: int
    latched: bool

    @property
    def words(self) -> str:
        """One sentence."""
        if self.handler == WHOLE_PROCESS:
            why = "a machine that slept or was too busy, or a library that held the interpreter"
            return f"The whole process stood still for {self.lasted_ms} ms: {why}."
        way = f" ({' from '.join(self.frames)})" if self.frames else ""
        return f"The loop stood still for {self.lasted_ms} ms in {self.handler}{way}."


@dataclass(frozen=True, slots=True)
class Slow:
    """A handler by name: how often it held the loop, and for how long at worst."""

    handler: str
    count: int
    worst_ms: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How late the loop came round in the last minute, us; None before the first beat."""

    p50_us: int | None
    p99_us: int | None
    max_us: int | None
    samples: int


class Watchdog:
    """`beat` is called on the loop thread, `look` on the watchdog's own.

    Args:
        now_ns: a clock that never goes back.
        latch: puts the emergency stop in force, from any thread; returns why that may not last, or "".
        on_stall: told on the loop thread once the loop runs again.
        stack: the loop thread's innermost frame.
    """

    def __init__(
        self,
        now_ns: Callable[[], int],
        latch: Callable[[str], str],
        on_stall: Callable[[Stall], None],
        stack: Callable[[], FrameType | None] | None = None,
    ) -> None:
        self._now_ns, self._latch, self._on_stall = now_ns, latch, on_stall
        thread = threading.get_ident()
        self._stack = stack or (lambda: sys._current_frames().get(thread))  # noqa: SLF001 -- the documented way to another thread's stack
        self._lags: deque[tuple[int, int]] = deque()
        self._slow: dict[str, Slow] = {}
        self._beats = 0
        self._last_ns = now_ns()
        # Of the watching thread:
        self._seen_beats, self._looked_ns, self._silent_ns = 0, self._last_ns, 0
        self._frames: tuple[str, ...] = ()
        self._handler = ""
        self._latched = False
        self._over = threading.Event()
        self._beating: asyncio.Task[None] | None = None

    # -- on the loop thread -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Beat and watch from now on."""
        self._beating = asyncio.get_running_loop().create_task(self._beat_on(), name="loop beat")
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def close(self) -> None:
        """Stop watching: what follows may take as long as it must."""
        self._over.set()
        if self._beating is not None:
            self._beating.cancel()

    async def _beat_on(self) -> None:
        self._last_ns = self._now_ns()
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(BEAT_S)
            loop.call_soon(self.beat)  # apart: one that raises must not end the beat, which would stop trading

    def beat(self) -> None:
        """The loop came round."""
        now = self._now_ns()
        late_us = max(0, (now - self._last_ns - int(BEAT_S * 1e9)) // 1000)
        late_ms, self._last_ns = late_us // 1000, now
        self._lags.append((now, late_us))
        while self._lags[0][0] < now - WINDOW_MS * 1_000_000:
            self._lags.popleft()
        handler, frames, latched = self._handler, self._frames, self._latched
        self._handler, self._frames, self._latched = "", (), False
        self._beats += 1
        if late_ms >= NAMED_MS or latched:
            stall = Stall(handler or WHOLE_PROCESS, frames, late_ms, latched)
            self._remember(stall)
            self._on_stall(stall)

    def lag(self) -> Lag:
        """The last minute; 0.1 ms of work."""
        values = sorted(late for _, late in self._lags)
        if not values:
            return Lag(None, None, None, 0)
        last = len(values) - 1
        return Lag(values[last // 2], values[last - last // 100], values[-1], len(values))

    def slow(self) -> tuple[Slow, ...]:
        """Named handlers, the slowest first."""
        return tuple(sorted(self._slow.values(), key=lambda each: -each.worst_ms))

    def _remember(self, stall: Stall) -> None:
        known = self._slow.get(stall.handler, Slow(stall.handler, 0, 0))
        worst = max(known.worst_ms, stall.lasted_ms)
        self._slow[stall.handler] = Slow(stall.handler, known.count + 1, worst)
        if len(self._slow) > KEPT:
            del self._slow[self.slow()[-1].handler]

    # -- on the watching thread -------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._over.wait(BEAT_S):
            self.look()

    def look(self) -> None:
        """Has the loop come round since the last look?"""
        now, beats = self._now_ns(), self._beats
        since, self._looked_ns = now - self._looked_ns, now
        if beats != self._seen_beats:
            self._seen_beats, self._silent_ns = beats, 0
            return
        self._silent_ns += min(since, _MOST_PER_LOOK_NS)
        silent_ms = self._silent_ns // 1_000_000
        if silent_ms >= NAMED_MS and not self._handler:
            frames = tuple(_frames(self._stack()))
            if beats == self._beats:  # else it came round while we looked
                self._frames, self._handler = frames, frames[0].partition(":")[0] if frames else _WAITED
                _log.warning("loop.stalled", handler=self._handler, frames=frames)
        if silent_ms >= LATCHED_MS and self._handler and not self._latched:
            self._latched = True
            why = self._latch(f"the loop stood still for {LATCHED_MS // 1000} s in {self._handler}")
            _log.error("loop.stop_latched", handler=self._handler, not_lasting=why)


def _frames(innermost: FrameType | None) -> Iterator[str]:
    """Our innermost functions inside the running handler, with the foreign one that they wait in; a handler that is
    foreign from end to end by its innermost. Nothing when the loop runs no handler."""
    foreign, shown, frame = "", 0, innermost
    while frame is not None and shown < _FRAMES:
        module = str(frame.f_globals.get("__name__", "?"))
        here = (module, frame.f_code.co_qualname)
        if here == _LOOP:
            return
        if here == _HANDLER:
            if foreign and not shown:
                yield foreign
            return
        name = ".".join(here)
        if module.startswith(_OURS):
            yield f"{name}:{frame.f_lineno}" + (f" in {foreign}" if foreign and not shown else "")
            shown += 1
        elif not foreign:
            foreign = name
        frame = frame.f_back
