"""APDUs in 64-byte HID reports: channel 0101, tag 05, u16be sequence, payload; the first payload begins with the u16be
length of the whole. Answers are framed alike, their status word counted in the length."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from typing import Final, Protocol

from signers.ledger.transport import MOST_ANSWER, bad_answer, taken_back, timed_out, unplugged

REPORT: Final = 64
_HEAD: Final = struct.Struct(">HBH")
_CHANNEL: Final = 0x0101
_TAG: Final = 0x05
_ROOM: Final = REPORT - _HEAD.size
_SLICE_MS: Final = 100
"""A read can not be woken from another thread (closing the handle under it crashes hidapi): a cancel waits so long."""
_NEXT_REPORT_S: Final = 2.0
"""Reports of one answer follow each other within milliseconds; one that does not come is lost."""


class Handle(Protocol):
    """An open device of hidapi, in non-blocking mode."""

    def write(self, buff: bytes) -> int:
        """Bytes written, or -1."""
        ...

    def read(self, max_length: int, timeout_ms: int = 0) -> list[int]:
        """One report; empty when none came in time (0: none is there)."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


def reports(apdu: bytes) -> Iterator[bytes]:
    """`apdu` framed, as hidapi writes it: each of 65 bytes, the first the report id 00."""
    rest = struct.pack(">H", len(apdu)) + apdu
    for sequence, start in enumerate(range(0, len(rest), _ROOM)):
        piece = rest[start : start + _ROOM]
        yield b"\0" + _HEAD.pack(_CHANNEL, _TAG, sequence) + piece.ljust(_ROOM, b"\0")


class HidTransport:
    """One open handle."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._dropped = threading.Event()

    def exchange(self, apdu: bytes, deadline: float) -> bytes:
        """Send and receive; see `Transport`."""
        try:
            if self._dropped.is_set():
                raise taken_back()
            if self._handle.read(REPORT):
                raise bad_answer("A report came that nobody asked for.")
            written = [self._handle.write(report) for report in reports(apdu)]
            if min(written) < 0:
                raise unplugged("write failed")
            return self._answer(deadline)
        except (OSError, ValueError) as error:  # ValueError: hidapi's "not open"
            raise unplugged(f"{type(error).__name__}: {error}") from error

    def drop(self) -> None:
        """End a wait within a tenth of a second."""
        self._dropped.set()

    def close(self) -> None:
        """Close the handle."""
        self._dropped.set()
        try:
            self._handle.close()
        except (OSError, ValueError):
            pass  # it was gone already

    def _answer(self, deadline: float) -> bytes:
        first = self._payload(0, deadline)
        if first is None:
            raise timed_out()
        length = int.from_bytes(first[:2])
        if not 2 <= length <= MOST_ANSWER:
            raise bad_answer(f"It announced an answer of {length} bytes.")
        found, sequence = first[2:], 0
        while len(found) < length:
            sequence += 1
            piece = self._payload(sequence, time.monotonic() + _NEXT_REPORT_S)
            if piece is None:
                raise bad_answer(f"Of an answer of {length} bytes only {len(found)} came.")
            found += piece
        return found[:length]

    def _payload(self, sequence: int, deadline: float) -> bytes | None:
        """What report `sequence` carries; None when it does not come in time."""
        while not self._dropped.is_set():
            left_ms = int((deadline - time.monotonic()) * 1000)
            if left_ms <= 0:
                return None
            report = bytes(self._handle.read(REPORT, timeout_ms=min(left_ms, _SLICE_MS)))
            if report:
                if len(report) != REPORT or report[: _HEAD.size] != _HEAD.pack(_CHANNEL, _TAG, sequence):
                    raise bad_answer("A report has a wrong head.", raw=report[: _HEAD.size].hex())
                return report[_HEAD.size :]
        raise taken_back()
