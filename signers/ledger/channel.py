"""The line to the device as the driver uses it: one APDU in flight; dropped after anything that may leave an answer
unread, because what comes later on the same line would be taken for the answer to something else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from signers.base import DeviceState
from signers.faults import DeviceFault, NotReady, SignerFault
from signers.ledger import apps
from signers.ledger.apdu import LOCKED, NOT_OPEN, OK, OWN_SCREEN, Ask, fault, split
from signers.ledger.transport import Door, Opened, Transport, bad_answer, taken_back

_TRIES: Final = 3


class Channel:
    """Used by one thread, but for `take_back` and `close`.

    Args:
        answer_s: seconds an answer that needs no person is waited for.
        review_s: the same, where it needs one.
    """

    def __init__(self, door: Door, answer_s: float, review_s: float) -> None:
        self.door = door
        self._answer_s = answer_s
        self._review_s = review_s
        self._opened: Opened | None = None
        self._guard = threading.Lock()
        self._working = False
        self._taken_back = threading.Event()

    # -- from any thread --------------------------------------------------------------------------------------------

    def take_back(self) -> None:
        """End what is being done, if anything is; the device keeps showing what it shows."""
        with self._guard:
            if self._working:
                self._taken_back.set()
                if self._opened is not None:
                    self._opened.transport.drop()

    def close(self) -> None:
        """End what is being done and let go; the line is opened again when it is next needed."""
        self.take_back()
        with self._guard:
            if not self._working:  # else its own thread closes it as soon as its wait ends
                self._let_go()

    # -- on the device's thread -------------------------------------------------------------------------------------

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around each thing done: only within it can something be taken back."""
        with self._guard:
            self._working = True
            self._taken_back.clear()
        doubted = True
        try:
            yield
            doubted = False
        except SignerFault as found:
            doubted = found.state is DeviceState.BAD_ANSWER
            raise
        finally:
            with self._guard:
                self._working = False
                if doubted or self._taken_back.is_set():
                    self._let_go()

    @property
    def opened(self) -> Opened:
        """The device at the other end, opened when it is not.

        Raises:
            NotReady: as the door says.
        """
        found = self._opened
        if found is None:
            found = self.door.open()
            with self._guard:
                self._opened = found
        if self._taken_back.is_set():
            raise taken_back()
        return found

    def drop(self) -> None:
        """Let go of the line."""
        with self._guard:
            self._let_go()

    def ask(self, ask: Ask) -> bytes:
        """The data answered with 9000.

        Raises:
            SignerFault: what `signers.ledger.apdu.fault` makes of another status, or as the transport says.
        """
        data, status = self._exchange(ask)
        if status != OK:
            raise fault(status, ask)
        return data

    def which(self) -> apps.Running:
        """What runs on the device. An answer to something that was given up before may come first: it is discarded, and
        the line with it.

        Raises:
            SignerFault: locked, away, or no understandable answer.
        """
        tries = _TRIES
        while True:
            tries -= 1
            try:
                return self._which()
            except (NotReady, DeviceFault) as found:
                if not tries or found.state not in {DeviceState.UNPLUGGED, DeviceState.BAD_ANSWER}:
                    raise
                self.drop()  # the line was that of before the last change of app, or held an old answer

    def _which(self) -> apps.Running:
        data, status = self._exchange(Ask(apps.WHICH))
        if status in {LOCKED, OWN_SCREEN}:
            raise fault(status, Ask(apps.WHICH))
        if status in NOT_OPEN:
            return apps.Running(apps.DASHBOARD, "")
        known = apps.running(data) if status == OK else None
        if known is None:
            raise bad_answer("It does not say which app is open.", raw=f"0x{status:04X}")
        return known

    def pause(self, seconds: float) -> None:
        """Wait, unless it is taken back meanwhile.

        Raises:
            DeviceTimedOut: it was.
        """
        if self._taken_back.wait(seconds):
            raise taken_back()

    def _exchange(self, ask: Ask) -> tuple[bytes, int]:
        transport = self._line()
        deadline = time.monotonic() + (self._review_s if ask.person else self._answer_s)
        try:
            return split(transport.exchange(ask.apdu, deadline))
        except SignerFault:
            self.drop()  # whatever broke, its answer may still come
            raise

    def _line(self) -> Transport:
        return self.opened.transport

    def _let_go(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.transport.close()
