"""Recorded conversations with real Trezor firmware, replayed: what the driver writes must be the recorded bytes, in
their order, and it is given the recorded answers.

Two things the driver asks that the recordings do not have at that place, and both are answered from recordings only:
`Initialize` with the session's id (that no other program's wallet is in use), answered with the features recorded for
that session, and Solana's address before a signature, from its own recorded case.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from trezorlib import messages
from trezorlib.mapping import DEFAULT_MAPPING
from trezorlib.transport import Timeout

from tests.devices.trezor_wire import Passive, chunks
from tests.shared import shared_data

_HEADER = struct.Struct(">HL")


@dataclass(frozen=True, slots=True)
class Line:
    to_device: bool
    type: str
    number: int
    data: bytes
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded conversation.

    Attributes:
        screens: title and text of each screen, in order; of core models only.
        result: what the library made of it.
    """

    name: str
    header: dict[str, Any]
    lines: tuple[Line, ...]
    screens: tuple[tuple[str, str], ...]
    result: dict[str, Any]

    def request(self, *types: str) -> dict[str, Any]:
        """Fields of the first message to the device that is one of `types`."""
        return next(each.fields for each in self.lines if each.to_device and each.type in types)


def load(name: str) -> Case:
    """The case ``<model>-<what>``; skipped where the recordings are absent."""
    rows = [json.loads(row) for row in shared_data(f"trezor/{name}.jsonl").read_text().splitlines()]
    messages_ = [
        Line(row["dir"] == "host->device", row["type"], row["id"], bytes.fromhex(row["hex"]), row["fields"])
        for row in rows
        if row.get("dir") in {"host->device", "device->host"}
    ]
    screens = [(row["title"], row["text"]) for row in rows if row.get("dir") == "screen"]
    return Case(name, rows[0], tuple(messages_), tuple(screens), rows[-1])


class Replay(Passive):
    """`case` as a device.

    Args:
        asides: further conversations from which single questions may be answered.
        whole: whole messages, as over the bridge; else chunks of 64 bytes, as over USB.

    Attributes:
        differences: what was written and is not recorded there; a difference is also raised.
        left: what was recorded and not said yet.
    """

    PATH_PREFIX, CHUNK_SIZE = "replay", None

    def __init__(self, case: Case, *asides: Case, whole: bool = False) -> None:
        self._whole = whole
        self.CHUNK_SIZE = None if whole else 64
        self.left = deque(case.lines)
        self.differences: list[str] = []
        self.written: list[str] = []
        self._partial = b""
        self._answers: deque[bytes] = deque()
        self._asides = {
            (ask.number, ask.data): answer
            for aside in asides
            for ask, answer in zip(aside.lines, aside.lines[1:], strict=False)
            if ask.to_device and not answer.to_device
        }
        self._sessions = {
            bytes.fromhex(each.fields["session_id"]): each
            for each in case.lines
            if each.type == "Features" and "session_id" in each.fields
        }

    def write_chunk(self, chunk: bytes, /) -> None:
        if self._whole:
            self._partial = chunk
        else:
            self._partial = chunk[3:] if chunk[:3] == b"?##" else self._partial + chunk[1:]
        kind, size = _HEADER.unpack(self._partial[:6])
        if len(self._partial) - 6 >= size:
            self._hear(kind, self._partial[6 : 6 + size])

    def read_chunk(self, *, timeout: float | None = None) -> bytes:  # noqa: ARG002 -- the library's signature
        if not self._answers:
            raise Timeout("nothing more is recorded")
        return self._answers.popleft()

    def _hear(self, kind: int, data: bytes) -> None:
        self.written.append(messages.MessageType(kind).name)
        if self.left and self.left[0].to_device and (self.left[0].number, self.left[0].data) == (kind, data):
            self.left.popleft()
            self._go_on()
            return
        answer = self._aside(kind, data)
        if answer is None:
            expected = self.left[0] if self.left else None
            self.differences.append(f"{messages.MessageType(kind).name} {data.hex()} instead of {expected}")
            raise AssertionError(self.differences[-1])
        self._say(*answer)

    def _go_on(self) -> None:
        while self.left and not self.left[0].to_device:
            line = self.left.popleft()
            self._say(line.number, line.data)

    def _aside(self, kind: int, data: bytes) -> tuple[int, bytes] | None:
        found = self._asides.get((kind, data))
        message = DEFAULT_MAPPING.decode(kind, data)
        if isinstance(message, messages.Initialize) and message.session_id in self._sessions:
            found = self._sessions[message.session_id]
        if found is not None:
            return found.number, found.data
        if isinstance(message, messages.Ping) and not self.left:  # to get back in step, with a text made by chance
            return DEFAULT_MAPPING.encode(messages.Success(message=message.message))
        return None

    def _say(self, number: int, data: bytes) -> None:
        whole = [_HEADER.pack(number, len(data)) + data]
        self._answers.extend(whole if self._whole else chunks(number, data))
