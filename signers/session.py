"""One daemon thread and one queue per device. Never a thread pool: a device that waits for a button would hold the
program's exit. One command is in flight at a time; nothing probes during a review."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from signers.base import DeviceInfo, DeviceState, OnState, Signer, SignRequest
from signers.faults import DeviceFault, DeviceTimedOut, SignerFault

R = TypeVar("R")
_DEADLINE_S: Final = 20.0
"""For what needs no person. eth-account's import alone takes a second."""


class DeviceSession:
    """Async front of one signer."""

    def __init__(self, signer: Signer, loop: asyncio.AbstractEventLoop) -> None:
        self._signer = signer
        self._loop = loop
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """The thread runs."""
        return self._thread.is_alive()

    async def probe(self, deadline_s: float = _DEADLINE_S) -> DeviceInfo:
        """Probe on the device thread.

        Raises:
            DeviceTimedOut: no answer within `deadline_s`.
            SignerFault: as the driver says.
        """
        return await self._in_time(self._signer.probe, deadline_s)

    async def address(self, path: str, deadline_s: float = _DEADLINE_S) -> str:
        """Address of `path`.

        Raises:
            DeviceTimedOut: no answer within `deadline_s`.
            SignerFault: as the driver says.
        """
        return await self._in_time(lambda: self._signer.address(path), deadline_s)

    async def sign(self, request: SignRequest, on_state: OnState, deadline_s: float) -> bytes:
        """Sign; `on_state` is called on the loop thread.

        Raises:
            DeviceTimedOut: no answer within `deadline_s`. What the device answers later is dropped.
            SignerFault: as the driver says.
        """

        def tell(state: DeviceState) -> None:
            self._loop.call_soon_threadsafe(on_state, state)

        try:
            return await self._in_time(lambda: self._signer.sign(request, tell), deadline_s)
        except DeviceTimedOut:
            self._signer.cancel()
            on_state(DeviceState.TIMED_OUT)
            raise
        except asyncio.CancelledError:
            self._signer.cancel()  # the program ends or reads its state again: nobody waits for the button any more
            raise

    def close(self) -> None:
        """Let the thread end; a blocked device does not hold the program."""
        self._jobs.put(None)

    async def _in_time(self, job: Callable[[], R], deadline_s: float) -> R:
        try:
            return await asyncio.wait_for(self._call(job), deadline_s)
        except TimeoutError:
            raise DeviceTimedOut(
                f"No answer from the device in {deadline_s:.0f} s.",
                "Nothing was sent. Refuse on the device, then try again.",
            ) from None

    async def _call(self, job: Callable[[], R]) -> R:
        future: asyncio.Future[R] = self._loop.create_future()
        self._jobs.put((job, future))
        return await future

    def _run(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, future = entry
            if future.cancelled():
                continue  # its asker timed out while it waited in the queue: never start it
            try:
                result = job()
            except SignerFault as fault:
                self._answer(future, None, fault)
            except Exception as error:  # noqa: BLE001 -- a driver's bug must not end the device thread
                self._answer(future, None, DeviceFault(f"The device driver failed: {error!r}.", "Nothing was sent."))
            else:
                self._answer(future, result, None)

    def _answer(self, future: asyncio.Future[Any], result: object, fault: SignerFault | None) -> None:
        def settle() -> None:
            if future.done():
                return  # timed out: the answer is dropped
            if fault is None:
                future.set_result(result)
            else:
                future.set_exception(fault)

        try:
            self._loop.call_soon_threadsafe(settle)
        except RuntimeError:
            pass  # the loop is closed: the program is ending
