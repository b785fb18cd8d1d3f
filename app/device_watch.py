"""Looks at the bus while nobody is asked for anything: a device that is plugged in is asked what it is, one that is
gone is known to be gone, before a trade waits for it. It never disturbs a review: its questions wait in the device's
own queue, and a device is asked again only when what is plugged in changed, or when it could not be used before and a
session uses it: each question makes a device drop what another program has on its screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from app.devices import HARDWARE, Devices
from signers.base import DeviceInfo, SignerKind
from signers.faults import DeviceTimedOut, SignerFault
from signers.session import DeviceSession

EVERY_S: Final = 1.0
_AGAIN_S: Final = 5.0
"""Between two questions to a device that is there and could not be used: unlocked or opened by hand, nothing on the bus
changes."""


class DeviceWatch:
    """Args:
    on_change: told what is known of a kind of signer when that changes.
    """

    def __init__(self, devices: Devices, on_change: Callable[[SignerKind], None] = lambda _: None) -> None:
        self._devices = devices
        self._on_change = on_change
        self._seen: dict[SignerKind, tuple[str, ...]] = {}
        self._asked_s: dict[SignerKind, float] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for session in self._devices.open:
                if session.signer.kind in HARDWARE and not session.busy:
                    await self.look(session)
            await asyncio.sleep(EVERY_S)

    async def look(self, session: DeviceSession) -> None:
        """One look."""
        kind, now_s, before = session.signer.kind, asyncio.get_running_loop().time(), session.last
        try:
            plugged = self._devices.seen[kind] = await session.plugged()
            stale = (
                kind is self._devices.wanted
                and not isinstance(before, DeviceInfo)
                and now_s - self._asked_s.get(kind, -_AGAIN_S) >= _AGAIN_S
            )
            if plugged != self._seen.get(kind) or stale:
                self._seen[kind], self._asked_s[kind] = plugged, now_s
                await session.probe()
        except DeviceTimedOut:
            self._seen.pop(kind, None)
        except SignerFault:
            pass  # it is kept in `session.last`, and told from there
        if session.last != before:
            self._on_change(kind)
