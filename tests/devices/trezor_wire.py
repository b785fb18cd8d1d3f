"""The wire of a Trezor emulator: UDP on loopback, chunks of 64 bytes, in a thread. What stands behind it is a function
from the messages of the host to those of the device; faults are made here, between the two."""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Self

from trezorlib import messages, protobuf
from trezorlib.mapping import DEFAULT_MAPPING
from trezorlib.transport import Timeout, Transport

Message = protobuf.MessageType
Answers = Iterator[Message]
Mangle = Callable[[int, bytes], list[bytes] | None]
"""From the type and the bytes of an answer to the chunks that go out instead; None: as it is."""

_HEADER = struct.Struct(">HL")


def chunks(kind: int, data: bytes, announced: int | None = None) -> list[bytes]:
    """A message in chunks; `announced` is the length that its header tells."""
    rest = b"##" + _HEADER.pack(kind, len(data) if announced is None else announced) + data
    return [b"?" + rest[at : at + 63].ljust(63, b"\0") for at in range(0, len(rest), 63)]


class Wire:
    """A thread that listens on a UDP port of its own until it is closed.

    Attributes:
        heard: the messages of the host, in order.
        mangle: a fault, put on every answer from now on.
        deaf: nothing is answered at all.
        errors: what went wrong inside the device; a test that finds one here has found a mistake of the device.
    """

    def __init__(self, hear: Callable[[Message], Answers], press: Callable[[], Answers | None]) -> None:
        self._hear, self._press = hear, press
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.005)
        self.port: int = self._socket.getsockname()[1]
        self.heard: list[Message] = []
        self.mangle: Mangle | None = None
        self.deaf = False
        self.errors: list[BaseException] = []
        self._host: Any = None
        self._buffer = b""
        self._wanted = 0
        self._kind = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trezor-emulator", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The cable is pulled."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._socket.close()

    def send(self, chunk: bytes) -> None:
        """Anything, at any time."""
        self._socket.sendto(chunk, self._host)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                chunk, self._host = self._socket.recvfrom(64)
            except TimeoutError:
                chunk = b""
            except OSError:
                continue  # the host is gone; another one may come
            try:
                self.take(chunk)
            except Exception as error:  # noqa: BLE001 -- told to the test, which ends with it
                self.errors.append(error)

    def take(self, chunk: bytes) -> None:
        """One chunk of the host's, or none for a while."""
        if not chunk:
            answers = self._press()
            if answers is not None:
                self._answer(answers)
        elif chunk == b"PINGPING":
            self.send(b"PONGPONG")
        elif not self.deaf:
            message = self._assemble(chunk)
            if message is not None:
                self.heard.append(message)
                self._answer(self._hear(message))

    def _assemble(self, chunk: bytes) -> Message | None:
        if chunk[:3] == b"?##":
            self._kind, self._wanted = _HEADER.unpack(chunk[3:9])
            self._buffer = chunk[9:]
        elif chunk[:1] == b"?":
            self._buffer += chunk[1:]
        if len(self._buffer) < self._wanted:
            return None
        return DEFAULT_MAPPING.decode(self._kind, self._buffer[: self._wanted])

    def _answer(self, answers: Answers) -> None:
        for message in answers:
            kind, data = DEFAULT_MAPPING.encode(message)
            out = self.mangle(kind, data) if self.mangle is not None else None
            for chunk in chunks(kind, data) if out is None else out:
                self.send(chunk)


class Passive(Transport):
    """A transport of the tests: open or not, and nothing below."""

    ENABLED = True
    _is_open = False

    def get_path(self) -> str:
        return f"{self.PATH_PREFIX}:1"

    def is_open(self) -> bool:
        return self._is_open

    def _open(self) -> None:
        self._is_open = True

    def _close(self) -> None:
        self._is_open = False


class Waited:
    """A clock that goes on only by waits for what never comes: however busy the machine is, what is answered is
    answered in time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Direct(Passive):
    """The same device without a socket or a thread: what is not answered at once never is.

    Args:
        clock: passes by each wait; a real one passes by itself.
    """

    PATH_PREFIX, CHUNK_SIZE = "direct", 64

    def __init__(self, wire: Wire, clock: Waited | None = None) -> None:
        self._wire, self._clock = wire, clock
        self._chunks: deque[bytes] = deque()
        self._nothing = threading.Event()
        wire.send = self._chunks.append  # type: ignore[method-assign,assignment] # this is the wire

    def write_chunk(self, chunk: bytes, /) -> None:
        self._wire.take(chunk)

    def read_chunk(self, *, timeout: float | None = None) -> bytes:
        if not self._chunks:
            if self._clock is None:
                self._nothing.wait(0.002)
            else:
                assert timeout
                self._clock.now += timeout
                assert self._clock.now < 1e6, "a wait without an end"
            raise Timeout("nothing comes any more")
        return self._chunks.popleft()


__all__ = ["Answers", "Direct", "Mangle", "Message", "Passive", "Waited", "Wire", "chunks", "messages"]
