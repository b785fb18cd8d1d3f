"""One daemon thread and one queue per device. Never a thread pool: a device that waits for a button would hold the
program's exit. One command is in flight at a time; nothing probes during a review.

Readiness is found out in one order, and all of it before a person is asked: present, permission, unlocked, app and
version, the registered address, how clearly it can show the payload. It and the signing are one job.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from signers.at_screen import AtTheScreen
from signers.base import Clarity, DeviceInfo, DeviceState, Person, Question, Shown, Signer, SignRequest
from signers.faults import DeviceFault, DeviceTimedOut, NotReady, RefusedOnDevice, SignerFault
from signers.paths import Path
from signers.payloads import Chain

R = TypeVar("R")
OnState = Callable[[DeviceState], None]
OnAsk = Callable[[Question], Awaitable[str]]

_DEADLINE_S: Final = 20.0
"""For what needs no person. Importing what signs takes a part of it."""
MENDABLE: Final = frozenset(
    {
        DeviceState.NO_DEVICE,
        DeviceState.NO_PERMISSION,
        DeviceState.BUSY,
        DeviceState.LOCKED,
        DeviceState.WRONG_APP,
        DeviceState.WRONG_DEVICE,
        DeviceState.BLIND_SIGNING_OFF,
        DeviceState.UNPLUGGED,
    }
)
"""What a person can mend with the device in hand while a trade waits for it."""
GIVEN_UP: Final = "Given up at the terminal."
"""Why a signature that the person waits for no longer was refused."""
_MOST_PASSED_OVER: Final = 8
"""Jobs for the app that is open that may go before one for another app."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What came back, not verified yet.

    Attributes:
        shown: what the device was to show of it.
        info: the device that signed.
    """

    signature: bytes
    shown: Shown
    info: DeviceInfo


@dataclass(frozen=True, slots=True)
class _Job:
    run: Callable[[], Any]
    chain: Chain | None
    future: asyncio.Future[Any]


class DeviceSession:
    """Async front of one signer.

    Args:
        real_only: refuse emulators and the demo signer (the live profile).

    Attributes:
        again_s: seconds between two looks at a device that is not ready.
    """

    again_s = 1.0

    def __init__(self, signer: Signer, loop: asyncio.AbstractEventLoop, *, real_only: bool = False) -> None:
        self._signer = signer
        self._loop = loop
        self._real_only = real_only
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting: deque[_Job] = deque()
        self._chain: Chain | None = None
        self._passed_over = self._asked = 0
        self._running: _Job | None = None
        self._given_up: dict[bytes, asyncio.Event] = {}
        self.question: concurrent.futures.Future[str] | None = None
        """What the person at the screen is being asked for the device; set by its thread."""
        self.on_ask: OnAsk | None = None
        """Asks the person at the screen; on the loop thread."""
        self.last: DeviceInfo | SignerFault | None = None
        """What it was when it was last asked; None before that. Replaced whole, so any thread may read it."""
        self.switches = 0
        """How often an app had to be opened."""
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._thread.start()

    @property
    def signer(self) -> Signer:
        """The driver."""
        return self._signer

    @property
    def busy(self) -> bool:
        """Somebody waits for it."""
        return self._asked > 0

    @property
    def signing(self) -> bool:
        """A signature is waited for: its person may be at the device, or about to be."""
        return bool(self._given_up)

    @property
    def alive(self) -> bool:
        """The thread runs."""
        return self._thread.is_alive()

    async def plugged(self, deadline_s: float = _DEADLINE_S) -> tuple[str, ...]:
        """What is on the bus; waits while the device is busy with something.

        Raises:
            DeviceTimedOut: no answer within `deadline_s`.
        """
        return await self._in_time(self._signer.plugged, None, deadline_s)

    async def probe(self, deadline_s: float = _DEADLINE_S) -> DeviceInfo:
        """Probe on the device thread.

        Raises:
            DeviceTimedOut: no answer within `deadline_s`.
            SignerFault: as the driver says.
        """
        return await self._in_time(lambda: self._known(self._signer.probe), None, deadline_s)

    async def address(
        self,
        chain: Chain,
        path: Path,
        on_state: OnState = lambda _: None,
        *,
        show: bool = False,
        deadline_s: float = _DEADLINE_S,
    ) -> str:
        """Address of `path`; `show` on the device, for the person to compare.

        Raises:
            DeviceTimedOut: no answer within `deadline_s`.
            SignerFault: as the driver says.
        """
        person = AtTheScreen(self, self._loop, on_state)

        def ask() -> str:
            self._open(chain, person)
            self._still_wanted()
            return self._signer.address(chain, path, person, show=show)

        return await self._in_time(ask, chain, deadline_s)

    async def sign(
        self,
        request: SignRequest,
        registered: str,
        on_state: OnState,
        deadline_s: float,
        *,
        accepts: Clarity = Clarity.CLEAR,
    ) -> Signed:
        """Find out that everything is in order, then ask for the signature; `on_state` is called on the loop thread.
        Until the device has asked its person, what is `MENDABLE` is waited for.

        Args:
            registered: address that `request.path` must have.
            accepts: the least clarity that the trader agreed to.

        Raises:
            DeviceTimedOut: no answer within `deadline_s`. What the device answers later is dropped.
            SignerFault: as the driver says, or the device would show less than `accepts`.
        """
        person = AtTheScreen(self, self._loop, on_state)

        def ask() -> Signed:
            info, shown = self._ready(request, registered, person)
            _enough(shown, accepts)
            self._still_wanted()
            return Signed(self._signer.sign(request, person), shown, info)

        try:
            return await self._unless_given_up(
                self._until_ready(ask, request.payload.chain, person, deadline_s), request.payload.signed
            )
        except SignerFault as fault:
            if fault.state is not DeviceState.REJECTED:  # which the driver told
                on_state(fault.state)
            raise

    def give_up(self, signed: bytes) -> bool:
        """Wait no longer for the signature of these bytes. Where the device can not be told, it goes on showing them:
        what it answers is dropped. Returns whether anybody was waiting."""
        waiting = self._given_up.get(signed)
        if waiting is not None:
            waiting.set()
        return waiting is not None

    async def _unless_given_up(self, asking: Coroutine[Any, Any, Signed], signed: bytes) -> Signed:
        given_up = self._given_up.setdefault(signed, asyncio.Event())
        asked, left = asyncio.ensure_future(asking), asyncio.ensure_future(given_up.wait())
        try:
            await asyncio.wait({asked, left}, return_when=asyncio.FIRST_COMPLETED)
            if given_up.is_set():  # also when the signature came at the same moment: the last word is the trader's
                raise RefusedOnDevice(GIVEN_UP, "Nothing was sent. Refuse on the device what it still shows.")
            return asked.result()
        finally:
            self._given_up.pop(signed, None)
            for each in (asked, left):
                each.cancel()
            await asyncio.gather(asked, left, return_exceptions=True)

    async def _until_ready(
        self, ask: Callable[[], Signed], chain: Chain, person: AtTheScreen, deadline_s: float
    ) -> Signed:
        end, found = self._loop.time() + deadline_s, None
        while True:
            try:
                return await self._in_time(ask, chain, end - self._loop.time(), deadline_s)
            except DeviceTimedOut:
                if person.asked or found is None:
                    raise
                raise found from None  # what kept it from signing says more than that time ran out
            except NotReady as fault:
                if person.asked or fault.state not in MENDABLE or self._loop.time() + self.again_s > end:
                    raise
                found = fault
                person.on_state(fault.state)
                await asyncio.sleep(self.again_s)

    def close(self) -> None:
        """Let the thread end and the device go; a blocked device does not hold the program."""
        self._jobs.put(None)
        self._signer.close()

    # -- on the device's thread -------------------------------------------------------------------------------------

    def _ready(self, request: SignRequest, registered: str, person: Person) -> tuple[DeviceInfo, Shown]:
        chain = request.payload.chain
        info = self._open(chain, person)
        address = self._signer.address(chain, request.path, person)
        if address != registered:
            self._signer.close()  # else it goes on with the wallet that is open, and asks for no other passphrase
            raise NotReady(DeviceState.WRONG_DEVICE, f"It answers {address} for {request.path}; expected {registered}.")
        return info, self._signer.shown(request, address, info)

    def _open(self, chain: Chain, person: Person) -> DeviceInfo:
        info = self._known(lambda: self._signer.open(chain, person))
        if self._real_only and (info.emulator or not info.real):
            raise NotReady(DeviceState.UNSUPPORTED, f"Live trading refuses {info.name}: it is no hardware.")
        return info

    def _still_wanted(self) -> None:
        """What was taken back between two steps, when `cancel` found nothing to end, is not shown."""
        if self._running is not None and self._running.future.cancelled():
            raise DeviceTimedOut("It was taken back before the device asked.", "Nothing was sent.")

    def _known(self, find_out: Callable[[], DeviceInfo]) -> DeviceInfo:
        try:
            self.last = find_out()
        except SignerFault as fault:
            self.last = fault
            raise
        return self.last

    def _run(self) -> None:
        while (job := self._next()) is not None:
            if job.future.cancelled():
                continue  # its asker timed out while it waited in the queue: never start it
            self._chain = job.chain or self._chain
            self._running = job
            try:
                result = job.run()
            except SignerFault as fault:
                if fault.state in {DeviceState.UNPLUGGED, DeviceState.NO_DEVICE}:
                    self.last = fault  # whatever it was asked for: it is not there any more
                self._answer(job.future, None, fault)
            except Exception as error:  # noqa: BLE001 -- a driver's bug must not end the device thread
                # Its words stay out: a bug's message can hold what a person typed.
                what = f"The device driver failed ({type(error).__name__})."
                self._answer(job.future, None, DeviceFault(what, "Nothing was sent."))
            else:
                self._answer(job.future, result, None)
            self._running = None

    def _next(self) -> _Job | None:
        """The oldest job for the app that is open, else the oldest: opening an app needs the person's hand."""
        if not self._waiting:
            job = self._jobs.get()
            if job is None:
                return None
            self._waiting.append(job)
        while not self._jobs.empty():
            job = self._jobs.get()
            if job is None:
                return None
            self._waiting.append(job)
        same = (each for each in self._waiting if each.chain in {None, self._chain})
        chosen = next(same, self._waiting[0]) if self._passed_over < _MOST_PASSED_OVER else self._waiting[0]
        self._passed_over = 0 if chosen is self._waiting[0] else self._passed_over + 1
        self._waiting.remove(chosen)
        return chosen

    # -- between the threads ----------------------------------------------------------------------------------------

    async def _in_time(self, run: Callable[[], R], chain: Chain | None, left_s: float, deadline_s: float = 0) -> R:
        job = _Job(run, chain, self._loop.create_future())
        self._jobs.put(job)
        self._asked += 1
        try:
            found: R = await asyncio.wait_for(job.future, left_s)
        except TimeoutError:
            self._take_back(job)
            raise DeviceTimedOut(
                f"No answer from the device in {deadline_s or left_s:.0f} s.",
                "Nothing was sent. Refuse on the device what it still shows, then try again.",
            ) from None
        except asyncio.CancelledError:
            self._take_back(job)  # the program ends or reads its state again, or it was given up at the terminal
            raise
        finally:
            self._asked -= 1
        return found

    def _take_back(self, job: _Job) -> None:
        if self._running is not job:
            return  # it waited in the queue: what the device shows, or has asked for, is somebody else's
        self._signer.cancel()
        if self.question is not None:
            self.question.cancel()
        self._loop.call_later(self.again_s, self._take_back, job)  # until it ended: a driver may have begun just then

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


def _enough(shown: Shown, accepts: Clarity) -> None:
    """Refuse what the device would refuse, or would show less of than the trader agreed to."""
    if shown.refuses is not None:
        raise NotReady(shown.refuses, shown.why)
    if shown.clarity.shows_less_than(accepts):
        raise DeviceFault(
            f"The device would show less than was confirmed: {shown.clarity} now, {accepts} then. {shown.why}",
            "Nothing was sent. Propose the trade again to see what it shows now.",
        )
