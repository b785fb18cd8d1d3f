"""Watches a running trader from inside: the loop by its watchdog, the market's pace, and every `metrics.health_s`
seconds whether it is still ready. What goes wrong is stored and alerted; what held the loop for 5 s stops trading.

Not for a replay at full speed: that keeps the loop busy on purpose, and an emergency stop by wall time would make two
runs of one recording differ.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from app import health, logs
from app.engine.watchdog import WHOLE_PROCESS, Stall, Watchdog
from app.errors import STALLED, CountersignError, LoopStalled, Severity
from storage.faults import StorageFault

if TYPE_CHECKING:
    from app.trader import Trader

_log = logs.get(__name__)

_AGAIN_NS: Final = 60 * 1_000_000_000
"""A handler that is slow again within it is counted, not stored once more."""
_PACE_S: Final = 1.0
_PACE_SAMPLES: Final = 11
"""Seconds over which the market's pace is measured, and one."""
_TOLD_ELSEWHERE: Final = frozenset({"takes new trades", "modules run", "database writes"})
"""Checks whose failure alerts by itself, with its reason."""


class LoopGuard:
    """One per running trader; on its loop thread.

    Attributes:
        watchdog: loop lag and slow handlers.
    """

    def __init__(self, trader: Trader, say: Callable[[str], None]) -> None:
        self._trader, self._say = trader, say
        self._session = trader.session
        self._now_ns = self._session.wall.monotonic_ns
        self.watchdog = Watchdog(self._now_ns, self._session.desk.stop.create, self.stalled)
        self._stored: dict[str, int] = {}
        self._paces: deque[tuple[int, int]] = deque(maxlen=_PACE_SAMPLES)
        self._moved_ns = self._now_ns()
        self._failing: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Watch from now on."""
        self.watchdog.start()
        self._keep(self._every(_PACE_S, self.sample), "market pace")
        self._keep(self._every(self._session.settings.metrics.health_s, self.check), "health check")

    async def close(self) -> None:
        """Stop watching."""
        self.watchdog.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _keep(self, job: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(job, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _every(self, seconds: float, act: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(seconds)
            act()

    # -- the market's pace ------------------------------------------------------------------------------------------

    def sample(self) -> None:
        """Note how far the market is."""
        now, position = self._now_ns(), self._trader.position
        if self._paces and position != self._paces[-1][1]:
            self._moved_ns = now
        self._paces.append((now, position))

    @property
    def events_per_minute(self) -> int | None:
        """Over the last ten seconds; None before the second sample."""
        if len(self._paces) < 2:
            return None
        (began, before), (ended, after) = self._paces[0], self._paces[-1]
        return (after - before) * 60_000_000_000 // max(ended - began, 1)

    @property
    def silent_ms(self) -> int:
        """Wall time since the newest event, to the second."""
        return (self._now_ns() - self._moved_ns) // 1_000_000

    # -- is it ready ------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Alert on what fails now and did not at the last check."""
        desk = self._session.desk
        failing = {each.name: each.detail for each in health.health(self._trader).checks if not each.passed}
        for name, detail in failing.items():
            if name not in self._failing and name not in _TOLD_ELSEWHERE:
                desk.alert(Severity.HIGH, "health", f"Not so any more: {name} ({detail}).", name)
        self._failing = set(failing)

    # -- the loop ---------------------------------------------------------------------------------------------------

    def stalled(self, stall: Stall) -> None:
        """The loop runs again after it stood still."""
        now, last = self._now_ns(), self._stored.get(stall.handler)
        told = last is not None and now - last < _AGAIN_NS
        if stall.handler == WHOLE_PROCESS:  # a busy machine: nobody is to be named, and no error of ours
            _log.warning("process.stood_still", lasted_ms=stall.lasted_ms)
        elif stall.latched or not told:
            self._stored = {name: at for name, at in self._stored.items() if now - at < _AGAIN_NS}
            self._stored[stall.handler] = now
            step = "If it comes again: switch the module off, or report it."
            self._session.desk.record_error(LoopStalled(STALLED, stall.words, next_step=step), stall.handler)
        if stall.latched:
            text = f"The watchdog put the emergency stop in force. {stall.words} Lift it: countersign stop --reset"
            self._session.desk.alert(Severity.CRITICAL, "watchdog", text, stall.handler)
            self._keep(self._act(), "watchdog's stop")  # before it is said, which a closed pipe refuses
            self._say(f"EMERGENCY STOP by the watchdog: {stall.words}")

    async def _act(self) -> None:
        """What an emergency stop does beyond the flag."""
        if not self._session.desk.stop.raised():
            return  # lifted meanwhile
        try:
            await self._session.emergency.act(flatten=False)
        except (CountersignError, StorageFault) as fault:
            self._say(f"the emergency stop could not cancel what is open: {fault}")
            if isinstance(fault, CountersignError):
                self._session.desk.record_error(fault)
