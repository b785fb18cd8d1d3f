"""A transport around trezorlib's, in which every wait has a deadline and can be ended from another thread.

The library waits for ever by default and its high-level calls take no timeout. Here each message that is written gives
the device `answer_s` for its answer; while a person is at the device the wait lasts until the operation's own end.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final

import requests
import usb1  # type: ignore[import-untyped]  # ships no types

from signers.trezor.library import (
    BELOW,
    Timeout,
    Transport,
    TransportException,
    WebUsbTransport,
    exceptions,
    messages,
)

_SLICE_S: Final = 0.1
"""How long one read of the transport below lasts (0.3 s over USB): so long may a cancel take to be noticed."""
_USB_MS: Final = 300
MAX_ANSWER: Final = 65_536
"""Bytes of a message from the device at most; the largest recorded one has 500."""
MAX_MESSAGES: Final = 2_000
"""To the device in one operation at most: the longest calldata takes 130, typed data one for each value. A device that
asks for more and more is stopped here, because each of its questions comes in time."""
_HEADER: Final = struct.Struct(">HL")


class Stopped(TransportException):
    """The wait was ended from this side."""


@contextmanager
def _below() -> Iterator[None]:
    """The errors of what is below the library as the library's own, so that they are not taken for those that it raises
    itself on bad bytes, some of which are OSErrors too."""
    try:
        yield
    except BELOW as error:
        raise TransportException(type(error).__name__) from error


class Channel(Transport):
    """`inner` with deadlines; everything but `stop` is called on the device's thread.

    Args:
        answer_s: seconds for an answer that needs no person.
    """

    PATH_PREFIX = "countersign"
    CHUNK_SIZE = None  # of the instance: as the transport below
    ENABLED = False

    def __init__(self, inner: Transport, answer_s: float) -> None:
        self.inner = inner
        self.CHUNK_SIZE = inner.CHUNK_SIZE
        self._answer_s = answer_s
        self._stopped = threading.Event()
        self._end = self._by = 0.0
        self._patient = False
        self._left = self._written = 0

    # -- one operation ------------------------------------------------------------------------------------------------

    def begin(self, longest_s: float) -> None:
        """An operation of `longest_s` at most begins; what was stopped before is over."""
        self._stopped.clear()
        self._end = monotonic() + longest_s
        self._by = min(self._end, monotonic() + self._answer_s)
        self._patient, self._left, self._written = False, 0, 0

    def person_acts(self) -> None:
        """A person is at the device: wait for the next answer until the operation ends."""
        self._by = self._end

    def next_is_slow(self) -> None:
        """The device may take its time over the next message (after wrong PINs it makes everybody wait)."""
        self._patient = True

    def stop(self) -> None:
        """End the wait. From any thread."""
        self._stopped.set()
        if self.CHUNK_SIZE is None and self.is_open():
            # The bridge's read can not be cut in slices (it lets go of the device when one is given up), so the device
            # is told to drop what it shows, which ends the read. Not on the caller's thread, which must not block.
            threading.Thread(target=self._cancel_whole, name="device-cancel", daemon=True).start()

    @property
    def stopped(self) -> bool:
        """`stop` was called since the operation began."""
        return self._stopped.is_set()

    # -- what the library calls ---------------------------------------------------------------------------------------

    def get_path(self) -> str:
        """Of the transport below."""
        return str(self.inner.get_path())

    def is_open(self) -> bool:
        """Whether the transport below is."""
        return bool(self.inner.is_open())

    def _open(self) -> None:
        with _below():
            self.inner.open()

    def _close(self) -> None:
        try:
            self.inner.close()
        except (TransportException, *BELOW):
            pass  # what was answered stands; if the device is gone, the next opening says so

    def write_chunk(self, chunk: bytes, /) -> None:
        """Write; the device's time for its answer starts.

        Raises:
            Stopped: by `stop`.
            Timeout: it does not take it.
            ProtocolError: the device asks without end.
        """
        self._check(self._end)
        if self.CHUNK_SIZE is None or chunk.startswith(b"?##"):
            self._written += 1
        if self._written > MAX_MESSAGES:
            raise exceptions.ProtocolError("it never stops asking")
        with _below():
            if isinstance(self.inner, WebUsbTransport):
                self._write_usb(chunk)
            else:
                self.inner.write_chunk(chunk)
        self._by = self._end if self._patient else min(self._end, monotonic() + self._answer_s)
        self._patient, self._left = False, 0

    def read_chunk(self, *, timeout: float | None = None) -> bytes:
        """Read; `timeout` can only shorten the wait.

        Raises:
            Stopped: by `stop`.
            Timeout: nothing came in time.
            ProtocolError: the device announces more than it ever has to say.
        """
        by = self._by if timeout is None else min(self._by, monotonic() + timeout)
        with _below():
            chunk = self._read_whole(by) if self.CHUNK_SIZE is None else self._read_slices(by)
        self._count(chunk)
        return chunk

    def _check(self, by: float) -> None:
        if self._stopped.is_set():
            raise Stopped("stopped")
        if monotonic() >= by:
            raise Timeout("no answer in time")

    def _read_slices(self, by: float) -> bytes:
        while True:
            self._check(by)
            try:
                return bytes(self.inner.read_chunk(timeout=_SLICE_S))
            except Timeout:
                continue

    def _read_whole(self, by: float) -> bytes:
        self._check(by)
        try:
            return bytes(self.inner.read_chunk(timeout=max(by - monotonic(), 0.001)))
        except requests.Timeout:
            raise Timeout("no answer in time") from None

    def _count(self, chunk: bytes) -> None:
        if self._left > 0:
            self._left -= len(chunk) - 1
            return
        head = chunk[3:9] if self.CHUNK_SIZE is not None else chunk[:6]
        if (self.CHUNK_SIZE is not None and not chunk.startswith(b"?##")) or len(head) < _HEADER.size:
            return  # the next protocol's packets have lengths of 16 bits
        length = _HEADER.unpack(head)[1]
        if length > MAX_ANSWER:
            raise exceptions.ProtocolError(f"an answer of {length} bytes")
        self._left = length - (len(chunk) - 9) if self.CHUNK_SIZE is not None else 0

    def _write_usb(self, chunk: bytes) -> None:
        """As the library does it, which tries for ever."""
        inner: Any = self.inner
        while True:
            try:
                sent = inner.handle.interruptWrite(inner.endpoint, chunk, _USB_MS)
            except usb1.USBErrorTimeout as error:
                sent = getattr(error, "transferred", 0)
            if sent == len(chunk):
                return
            if sent:
                raise TransportException(f"{sent} of {len(chunk)} bytes were written")
            self._check(min(self._end, self._by))

    def _cancel_whole(self) -> None:
        try:
            self.inner.write_chunk(_HEADER.pack(int(messages.MessageType.Cancel), 0))
        except (TransportException, *BELOW):
            pass  # the read ends at its deadline then
