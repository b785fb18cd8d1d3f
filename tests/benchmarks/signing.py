"""What we add around a device's own time for one signature, from the request on the loop to the verified answer.

The devices are those of the tests, each in a process of its own, over their real sockets and protocols; their own time
is measured at their side and taken off. Beside it the floor: the same bytes sent and read over a bare socket by a loop
of ten lines.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import socket
import statistics
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from signers.base import Signer, SignRequest
from signers.ledger.driver import LedgerSigner
from signers.paths import of_scheme
from signers.payloads import Chain, PersonalMessage
from signers.session import DeviceSession
from signers.trezor.driver import TrezorSigner
from signers.verify import verify
from tests.devices.ledger_device import LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.devices.trezor_emulator import TrezorDevice

SIGNATURES, WARM = 400, 20
PATH = of_scheme("evm", "bip44", 0)
TEXT = "countersign trade 1\nBUY 0.00016 BTC-USDT\non paper\nat 61928.77 or better\nfee up to 0.01 USDT\n" + "x" * 200


class _Own:
    """How long the device itself was at it, its person included, ns; read from the other process."""

    def __init__(self) -> None:
        self._ns = multiprocessing.get_context("spawn").Value("q", 0)
        self._since = 0

    @property
    def ns(self) -> int:
        return int(self._ns.value)

    def began(self) -> None:
        self._since = time.perf_counter_ns()

    def ended(self) -> None:
        self._ns.value += time.perf_counter_ns() - self._since


class _Ledger(LedgerDevice):
    """One that is timed."""

    def __init__(self, own: _Own) -> None:
        super().__init__()
        self._own = own

    def handle(self, apdu: bytes) -> bytes | None:
        self._own.began()
        try:
            return super().handle(apdu)
        finally:
            self._own.ended()


def _timed(device: TrezorDevice, own: _Own) -> None:
    """From a message of the host to the answer that goes out, the press of a button between them included."""
    wire = device.wire
    assemble, send = wire._assemble, wire.send

    def heard(chunk: bytes) -> Any:
        message = assemble(chunk)
        if message is not None:
            own.began()
        return message

    def said(chunk: bytes) -> None:
        if chunk[:3] == b"?##":
            own.ended()
        send(chunk)

    wire._assemble, wire.send = heard, said  # type: ignore[method-assign] # watched, not replaced


def _ledger(line: Connection, own: _Own) -> None:
    with LedgerEmulator(_Ledger(own)) as emulator:
        line.send(emulator.url)
        line.recv()
        line.send([apdu for apdu in emulator.device.log if apdu[0] in {0xB0, 0xE0}][-6:])
        line.recv()


def _trezor(line: Connection, own: _Own) -> None:
    with TrezorDevice("T3T1") as device:
        _timed(device, own)
        line.send(device.url)
        line.recv()


@contextmanager
def _in_a_process(device: Callable[[Connection, _Own], None]) -> Iterator[tuple[Connection, _Own]]:
    """A device with an interpreter of its own, as a real one has: in a thread of ours it would hold our lock."""
    spawn, own = multiprocessing.get_context("spawn"), _Own()
    line, its_end = spawn.Pipe()
    process = spawn.Process(target=device, args=(its_end, own), daemon=True)
    process.start()
    try:
        yield line, own
    finally:
        line.send("over")
        process.join(10)


async def _measure(signer: Signer, own: _Own) -> list[float]:
    """Milliseconds that we added to each signature."""
    session = DeviceSession(signer, asyncio.get_running_loop())
    address, added = await session.address(Chain.EVM, PATH), []
    for number in range(SIGNATURES + WARM):
        payload = PersonalMessage(f"{TEXT}\n{number:06}")
        before, start = own.ns, time.perf_counter_ns()
        signed = await session.sign(SignRequest(payload, PATH), address, lambda _: None, 20)
        verify(payload, signed.signature, address)
        added.append((time.perf_counter_ns() - start - (own.ns - before)) / 1e6)
        if number == WARM:
            gc.freeze()  # as the terminal does when it stands
    session.close()
    return added[WARM:]


def _bare(url: str, said: list[bytes], own: _Own) -> list[float]:
    """The same conversation over a bare socket."""
    line = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    added = []
    for _ in range(SIGNATURES):
        before, start = own.ns, time.perf_counter_ns()
        for apdu in said:
            line.sendall(struct.pack(">I", len(apdu)) + apdu)
            (length,) = struct.unpack(">I", line.recv(4, socket.MSG_WAITALL))
            line.recv(length + 2, socket.MSG_WAITALL)
        added.append((time.perf_counter_ns() - start - (own.ns - before)) / 1e6)
    line.close()
    return added


def _figures(added: list[float]) -> dict[str, float]:
    added.sort()
    return {"p50_ms": round(statistics.median(added), 2), "p99_ms": round(added[int(len(added) * 0.99)], 2)}


def main() -> None:
    """One JSON document."""
    with _in_a_process(_ledger) as (line, own):
        url = line.recv()
        ledger = _figures(asyncio.run(_measure(LedgerSigner(url), own)))
        line.send("what was said")
        bare = _figures(_bare(url, line.recv(), own))
    with _in_a_process(_trezor) as (line, own):
        trezor = _figures(asyncio.run(_measure(TrezorSigner(line.recv()), own)))
    print(json.dumps({"ledger": ledger, "bare_socket": bare, "trezor": trezor}))


if __name__ == "__main__":
    main()
