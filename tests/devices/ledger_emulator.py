"""`LedgerDevice` behind the APDU socket of Speculos, on loopback, in a thread: a whole program can trade with it
through ``tcp://127.0.0.1:port``. Its person and its faults are scripted."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self

from tests.devices.ledger_device import LedgerDevice


class Fault(Enum):
    """What goes wrong with one answer."""

    HANG = "no answer at all"
    DROP = "the connection ends in place of an answer"
    MID = "the connection ends in mid-answer"
    HALF = "half of an answer, then silence"
    GARBAGE = "bytes before the status word of an error"
    BARE = "an answer without its status word's second byte"
    HUGE = "an answer that announces gigabytes"
    TWICE = "the answer, and the same once more"
    STATUS = "another status word"


class LedgerEmulator:
    """Serves `device`. `faults` has what goes wrong with the next answers to APDUs that `hits`; `word` is the status
    for `Fault.STATUS` and `Fault.GARBAGE`."""

    def __init__(self, device: LedgerDevice | None = None) -> None:
        self.device = device or LedgerDevice()
        self.faults: deque[Fault] = deque()
        self.hits: Callable[[bytes], bool] = lambda _: True
        self.word = 0x6F00
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._woken, self._wake = socket.socketpair()
        self._line: socket.socket | None = None
        self._presses: deque[bool] = deque()
        self._ends = False
        self._stale: bytes | None = None
        self._thread = threading.Thread(target=self._run, name="emulator", daemon=True)

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends = True
        self._wake.send(b".")
        self._thread.join(10)
        assert not self._thread.is_alive()
        for each in (self._listener, self._woken, self._wake, self._line):
            if each is not None:
                each.close()

    def press(self, *, approve: bool) -> None:
        """The person acts on the review that waits."""
        self._presses.append(approve)
        self._wake.send(b".")

    # -- on the emulator's thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ends:
            waits = [self._woken, self._listener] + ([self._line] if self._line else [])
            ready, _, _ = select.select(waits, [], [])
            if self._woken in ready:
                self._woken.recv(1)
                while self._presses and self.device.review is not None:
                    self._pressed(approve=self._presses.popleft())
            if self._listener in ready:
                self._end()
                self._line = self._listener.accept()[0]
                stale, self._stale = self._stale, None
                if stale is not None:
                    self._line.sendall(frame(stale))
            elif self._line is not None and self._line in ready:
                self._serve(self._line)

    def _serve(self, line: socket.socket) -> None:
        try:
            (length,) = struct.unpack(">I", read(line, 4))
            apdu = read(line, length)
            busy = self.device.review
            answer = self.device.handle(apdu)
            if busy is not None and self.device.app == "Solana":
                self.device.review = busy  # it leaves what is asked during a review unanswered
                return
            if busy is not None and self.device.review is busy:
                busy.app += " unheard"  # Ethereum answers at once, and never delivers the signature
            if answer is not None:
                self._reply(line, answer, apdu)
        except OSError:
            self._end()

    def _pressed(self, *, approve: bool) -> None:
        assert self.device.review is not None
        unheard = self.device.review.app.endswith("unheard")
        app, answer = self.device.review.app, self.device.press(approve=approve)
        if self._line is None and app == "Solana":
            self._stale = answer  # which it gives to whoever connects next; Ethereum to nobody
        elif self._line is not None and not unheard:
            try:
                self._reply(self._line, answer, b"")
            except OSError:
                self._end()

    def _reply(self, line: socket.socket, answer: bytes, apdu: bytes) -> None:
        whole = frame(answer)
        if not (self.faults and self.hits(apdu)):
            line.sendall(whole)
            return
        fault = self.faults.popleft()
        word = self.word.to_bytes(2)
        sent = {
            Fault.HANG: b"",
            Fault.DROP: b"",
            Fault.MID: whole[: len(whole) // 2],
            Fault.HALF: whole[: len(whole) // 2],
            Fault.GARBAGE: frame(b"\xe0\x02\x00\x00" + word + word),
            Fault.BARE: whole[:-1],
            Fault.HUGE: struct.pack(">I", 0xFFFF_FFF0) + answer,
            Fault.TWICE: whole + whole,
            Fault.STATUS: frame(word),
        }[fault]
        line.sendall(sent)
        if fault in {Fault.DROP, Fault.MID}:
            self._end()

    def _end(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


def frame(answer: bytes) -> bytes:
    """The length does not count the status word."""
    return struct.pack(">I", len(answer) - 2) + answer


def read(line: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = line.recv(count - len(found))
        if not piece:
            raise ConnectionError
        found += piece
    return found
