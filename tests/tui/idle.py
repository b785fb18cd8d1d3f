"""When nothing moves any more: asked of the loop and of the threads that work for it.

Textual's own answer is a clock's: it sleeps 20 ms, then 20 more until the process used next to no processor, twice for
each key and once for each look. That is what most of a terminal test's time went into, and on a loaded machine it could
still come too early."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from textual.app import App

from app.tui.host import Host

_CALM = 3
"""Turns of the loop, each with a look at its sockets, in which nobody else had anything to do."""
_LONGEST_S = 10
_STEP_S = 0.001
_PATIENCE_S = 0.04
"""How long threads may be waited for while the process does not even compute: one that a test holds up is not."""


class Idle:
    """Stands for `textual._wait.wait_for_idle` while one terminal is tested."""

    def __init__(self, app: App[Any], host: Host) -> None:
        self._app, self._host = app, host

    async def __call__(self, min_sleep: float = 0, max_sleep: float = 1) -> None:
        """Return when the loop has nothing to do, no thread works for it and what changed is drawn."""
        ends, calm, waited = time.monotonic() + max(max_sleep, _LONGEST_S), 0, 0.0
        loop: Any = asyncio.get_running_loop()
        await asyncio.sleep(min_sleep)
        while calm < _CALM and time.monotonic() < ends:
            if loop._ready or self._draws():
                calm = 0
            elif waited < _PATIENCE_S and self._elsewhere():
                computed = time.process_time()
                await asyncio.sleep(_STEP_S)
                waited += max(0.0, _STEP_S - (time.process_time() - computed))
                calm = 0
            else:
                calm += 1
            await asyncio.sleep(0)

    def _draws(self) -> bool:
        """Do now what Textual would do within the next 8 ms, as `Pilot.pause` does: take another size, draw what
        changed, in front and behind a dialog. Whether there was anything."""
        app: Any = self._app  # what it keeps to itself is asked
        if app._resize_timer is not None:
            app._check_resize()
            return True
        drawn = False
        for screen in app._screen_stack:
            if screen.is_running and screen._update_timer._active.is_set():
                screen._on_timer_update()
                drawn = True
        return drawn

    def _elsewhere(self) -> bool:
        """Whether a thread works whose answer comes to the loop, or the engine waits for one."""
        if any(thread.name == "aside" for thread in threading.enumerate()):
            return True
        desk, trader = self._host.desk, self._host.trader
        if desk is None or trader is None:
            return False
        return desk.activity._count > 0 or trader.session.writer.queued > 0


@contextmanager
def judged_by_the_loop(app: App[Any], host: Host) -> Iterator[None]:
    """Textual's pilot asks `Idle`."""
    idle = Idle(app, host)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("textual.pilot", "textual.app"):
            patch.setattr(f"{module}.wait_for_idle", idle)
        yield
