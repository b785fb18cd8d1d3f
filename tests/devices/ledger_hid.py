"""A fake hidapi: a bus with one Ledger on it, whose reports reach a `LedgerDevice`. After a change of app the device is
away for a while and comes back at another path, with another product id."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from signers.ledger.find import Seen
from signers.ledger.hid import Handle
from tests.devices.ledger_device import LedgerDevice

_HEAD = b"\x01\x01\x05"


def framed(answer: bytes) -> Iterator[bytes]:
    """An answer in reports of 64 bytes, written from Ledger's description: 57 bytes of it in the first, 59 in each
    further one."""
    first, rest = answer[:57], answer[57:]
    yield (_HEAD + b"\0\0" + len(answer).to_bytes(2) + first).ljust(64, b"\0")
    number = 0
    while rest:
        number += 1
        yield (_HEAD + number.to_bytes(2) + rest[:59]).ljust(64, b"\0")
        rest = rest[59:]


@dataclass(slots=True)
class FakeHandle:
    """`alter` changes the reports of an answer before they can be read."""

    answer: Callable[[bytes], bytes | None]
    alter: Callable[[list[bytes]], list[bytes]] = list
    gone: Callable[[], bool] = lambda: False
    waiting: deque[bytes] = field(default_factory=deque)
    asked: bytes = b""
    closed: bool = False

    def write(self, buff: bytes) -> int:
        self._there()
        assert len(buff) == 65
        assert buff[:4] == b"\0" + _HEAD
        sequence = int.from_bytes(buff[4:6])
        self.asked = buff[6:] if sequence == 0 else self.asked + buff[6:]
        length = int.from_bytes(self.asked[:2])
        assert sequence == (len(self.asked) - 1) // 59, "in order"
        if len(self.asked) >= 2 + length:
            assert not any(self.asked[2 + length :]), "padded with zeros"
            found = self.answer(self.asked[2 : 2 + length])
            self.waiting.extend(self.alter([] if found is None else list(framed(found))))
        return len(buff)

    def read(self, max_length: int, timeout_ms: int = 0) -> list[int]:
        self._there()
        assert max_length == 64
        assert timeout_ms >= 0
        return list(self.waiting.popleft()) if self.waiting else []

    def close(self) -> None:
        self.closed = True

    def _there(self) -> None:
        if self.closed:
            raise ValueError("not open")
        if self.gone():
            raise OSError("read error")


@dataclass(slots=True)
class FakeBus:
    """hidapi and ledgerwallet. `denied`, `held`: it can not be opened. `away`: looks until it is back."""

    device: LedgerDevice
    product: int = 0x5011
    serial: str = "0001"
    there: bool = True
    denied: bool = False
    held: bool = False
    away_for: int = 2
    away: int = 0
    path: int = 1
    handles: list[FakeHandle] = field(default_factory=list)

    def seen(self) -> list[Seen]:
        if self.away:
            self.away -= 1
        return [] if self.away or not self.there else [Seen(b"1-2:%d" % self.path, self.product, self.serial)]

    def open(self, path: bytes) -> Handle:
        if self.denied or self.held or path != b"1-2:%d" % self.path:
            raise OSError("open failed")
        mine = self.path
        handle = FakeHandle(self._answer, gone=lambda: self.path != mine or not self.there)
        self.handles.append(handle)
        return handle

    def may_open(self, path: bytes) -> bool | None:
        assert path
        return not self.denied

    def _answer(self, apdu: bytes) -> bytes | None:
        found = self.device.handle(apdu)
        if self.device.restarted:
            self.device.restarted = False
            self.path, self.away = self.path + 1, self.away_for
            self.product = 0x5000 | (0x15 if self.device.app == "BOLOS" else 0x11)
        return found
