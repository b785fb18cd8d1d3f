"""Lockstep: the next market event is released only when nothing is in progress at this instant.

Work in progress holds a `busy` token; waiting for a person or for market time happens inside `parked`, which gives the
token back for that long. `settle` returns once no token is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

_HOPS = 4
"""Turns of the loop after which a woken task has taken its token back: a future, the task that awaits it, a
`wait` around both, and one to spare. 5 us each."""


class Activity:
    """Counts work in progress on the loop thread."""

    def __init__(self) -> None:
        self._count = 0
        self._entered = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Work in progress."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    @contextmanager
    def parked(self) -> Iterator[None]:
        """Inside `busy`: waiting for a person or for market time."""
        self._leave()
        try:
            yield
        finally:
            self._enter()

    async def settle(self) -> None:
        """Return when nothing is in progress."""
        while True:
            entered = self._entered
            for _ in range(_HOPS):
                await asyncio.sleep(0)
            if not self._count and entered == self._entered:
                return  # nobody even began: what ended meanwhile may have woken somebody, who needs hops of his own
            await self._idle.wait()

    def _enter(self) -> None:
        self._count += 1
        self._entered += 1
        self._idle.clear()

    def _leave(self) -> None:
        self._count -= 1
        if not self._count:
            self._idle.set()
