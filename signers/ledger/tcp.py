"""The APDU socket of Speculos: a request is u32be length and APDU; an answer u32be length without the status word,
data, and two bytes of status."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Final

from signers.base import DeviceState
from signers.faults import NotReady
from signers.ledger.transport import MOST_ANSWER, Model, Opened, bad_answer, taken_back, timed_out, unplugged

_CONNECT_S: Final = 5.0


@dataclass(slots=True)
class TcpDoor:
    """The emulator at `host`:`port`. It does not say which model it is: the caller does."""

    host: str
    port: int
    model: Model
    name: str = field(init=False)
    emulator: bool = field(default=True, init=False)
    switches: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        self.name = f"tcp://{host}:{self.port}"

    def plugged(self) -> tuple[str, ...]:
        """Its address, whether it answers or not."""
        return (self.name,)

    def open(self) -> Opened:
        """Connect.

        Raises:
            NotReady: NO_DEVICE, nothing listens there.
        """
        try:
            line = socket.create_connection((self.host, self.port), timeout=_CONNECT_S)
        except (OSError, UnicodeError) as error:
            detail = f"Nothing answers at {self.name}."
            raise NotReady(DeviceState.NO_DEVICE, detail, raw=f"{type(error).__name__}: {error}") from error
        return Opened(TcpTransport(line), self.model)


class TcpTransport:
    """One connection."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._dropped = False
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else 40 ms a chunk, waiting for an ACK

    def exchange(self, apdu: bytes, deadline: float) -> bytes:
        """Send and receive; see `Transport`."""
        try:
            self._nothing_waits()
            self._wait_until(deadline)
            self._line.sendall(struct.pack(">I", len(apdu)) + apdu)
            (length,) = struct.unpack(">I", self._read(4, deadline))
            if length + 2 > MOST_ANSWER:
                raise bad_answer(f"It announced an answer of {length} bytes.")
            return self._read(length + 2, deadline)
        except TimeoutError as error:
            raise (taken_back() if self._dropped else timed_out()) from error
        except OSError as error:
            raise (taken_back() if self._dropped else unplugged(f"{type(error).__name__}: {error}")) from error

    def drop(self) -> None:
        """Wake the reader: it sees the connection end."""
        self._dropped = True
        try:
            self._line.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it ended before, or was closed

    def close(self) -> None:
        """End the connection."""
        self._dropped = True
        self._line.close()

    def _nothing_waits(self) -> None:
        """What lies there before anything was asked is the answer to something else, or the end of the connection."""
        self._line.setblocking(False)
        try:
            stray = self._line.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        if self._dropped:
            raise taken_back()
        if not stray:
            raise unplugged("the connection was closed")
        raise bad_answer("An answer came that nobody asked for.")

    def _wait_until(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if self._dropped or left <= 0:
            raise TimeoutError
        self._line.settimeout(left)

    def _read(self, count: int, deadline: float) -> bytes:
        found = b""
        while len(found) < count:
            self._wait_until(deadline)
            piece = self._line.recv(count - len(found))
            if not piece:
                raise ConnectionError("the connection was closed")
            found += piece
        return found
