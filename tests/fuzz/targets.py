"""What is fuzzed: each target takes any bytes, and raises only when something is wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from trezorlib.transport import Timeout, Transport

from signers import evm
from signers.base import Signer, SignRequest
from signers.faults import SignatureMismatch, SignerFault
from signers.ledger.apps import running
from signers.ledger.driver import LedgerSigner
from signers.ledger.hid import HidTransport
from signers.ledger.transport import MODELS, Opened
from signers.payloads import Chain, EvmTransaction, PersonalMessage, SolanaMessage, TypedData
from signers.person import Alone
from signers.trezor import find
from signers.trezor.driver import TrezorSigner
from signers.trezor.link import Patience
from signers.verify import verify
from tests.devices.cases import EVM_PATH, PERMIT, SOL_PATH, solana, transaction, transfer

ADDRESS: Final = "0xDad77910DbDFdE764fC21FCD4E74D71bBACA6D8D"
HELLO: Final = PersonalMessage("countersign trade 1\nBUY 1 ETH-USDT")
_ETHEREUM: Final = (
    bytes.fromhex("0108457468657265756d06312e32322e3001009000"),
    bytes.fromhex("030116009000"),
)
_SOLANA: Final = (bytes.fromhex("0106536f6c616e6105312e392e3001009000"), bytes.fromhex("01000109009000"))


def pieces(data: bytes) -> Iterator[bytes]:
    """`data` cut where its own bytes say: a length of one byte before each piece."""
    while data:
        yield data[1 : 1 + data[0]]
        data = data[1 + data[0] :]


def codecs(data: bytes) -> None:
    """Whatever is read is either refused with words or written back to the same bytes."""
    for make in (EvmTransaction, SolanaMessage):
        try:
            payload = make(data)
        except ValueError:
            continue
        assert payload.signed == data
    try:
        unsigned, signature = evm.disassemble(data)
    except ValueError:
        pass
    else:
        assert evm.assemble(unsigned, signature) == data
    try:
        document = TypedData(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        pass
    else:
        assert TypedData(document.document) == document
    running(data)


# -- a Ledger that answers anything --------------------------------------------------------------------------------


class _Answers:
    """An open line whose answers are given."""

    def __init__(self, answers: deque[bytes]) -> None:
        self._answers = answers

    def exchange(self, apdu: bytes, deadline: float) -> bytes:  # noqa: ARG002 -- the contract's names
        if not self._answers:
            raise SignerFault("It says nothing more.")
        return self._answers.popleft()

    def drop(self) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass
class _Door:
    answers: deque[bytes]
    name: str = "fuzz"
    emulator: bool = False
    switches: bool = False

    def plugged(self) -> tuple[str, ...]:
        return ("fuzz",)

    def open(self) -> Opened:
        return Opened(_Answers(self.answers), MODELS["nanosp"])


def ledger(data: bytes) -> None:
    """Right answers about app and settings, if the first bit says so, then anything."""
    if not data:
        return
    chain = Chain.SOLANA if data[0] & 2 else Chain.EVM
    opening = _SOLANA if chain is Chain.SOLANA else _ETHEREUM
    answers = deque([*(opening if data[0] & 1 else ()), *pieces(data[1:])])
    _operate(LedgerSigner(door=_Door(answers)), chain, data[0] >> 2)


def hid(data: bytes) -> None:
    """Reports of any bytes and lengths."""

    class Handle:
        def __init__(self) -> None:
            self.reports = deque([b""] + [data[at : at + 64] for at in range(0, len(data), 64)])

        def write(self, buff: bytes) -> int:
            return len(buff)

        def read(self, max_length: int, timeout_ms: int = 0) -> list[int]:  # noqa: ARG002 -- hidapi's names
            if not self.reports:
                raise OSError("gone")
            return list(self.reports.popleft())

        def close(self) -> None:
            pass

    try:
        answer = HidTransport(Handle()).exchange(b"\xe0\x06\x00\x00\x00", 1e12)
    except SignerFault:
        return
    assert len(answer) <= len(data)


# -- a Trezor that answers anything --------------------------------------------------------------------------------


class _Whole(Transport):
    """Whole messages, each with its header of type and length."""

    PATH_PREFIX, CHUNK_SIZE, ENABLED = "fuzz", None, True

    def __init__(self, answers: deque[bytes]) -> None:
        super().__init__()
        self._answers = answers

    def get_path(self) -> str:
        return "fuzz"

    def is_open(self) -> bool:
        return True

    def _open(self) -> None:
        pass

    def _close(self) -> None:
        pass

    def write_chunk(self, chunk: bytes, /) -> None:
        pass

    def read_chunk(self, *, timeout: float | None = None) -> bytes:  # noqa: ARG002 -- the library's names
        if not self._answers:
            raise Timeout("it says nothing more")
        return self._answers.popleft()


_IMPATIENT: Final = Patience(first=0.001, answer=0.001, person=0.002, resync=0.001)


def trezor(data: bytes) -> None:
    """Anything, from the first answer on; `Features` first, if the first bit says so."""
    if not data:
        return
    answers = deque(pieces(data[1:]))
    if data[0] & 1:
        answers.extendleft(reversed(FEATURES))
    keep = find.transport
    find.transport = lambda url: _Whole(answers)  # noqa: ARG005 -- the name it has; as the tests of recorded conversations do
    try:
        _operate(TrezorSigner("udp:127.0.0.1:1", patience=_IMPATIENT), Chain.EVM, data[0] >> 2)
    finally:
        find.transport = keep


FEATURES: list[bytes] = []
"""The first answers of a device that works; `tests.fuzz.seeds` has them from the recordings."""


def _operate(signer: Signer, chain: Chain, which: int) -> None:
    person, path = Alone(), EVM_PATH if chain is Chain.EVM else SOL_PATH
    payload = _PAYLOADS[chain][which % len(_PAYLOADS[chain])]
    for operation in (
        signer.probe,
        lambda: signer.open(chain, person),
        lambda: signer.address(chain, path, person),
    ):
        _try(operation)
    signature = _try(lambda: signer.sign(SignRequest(payload, path), person))
    if signature is not None:
        try:
            verify(payload, signature, ADDRESS)
        except SignatureMismatch:
            return
        raise AssertionError("a signature made of chance was accepted")


def _try(operation: Callable[[], Any]) -> Any:
    fault = None
    try:
        return operation()
    except SignerFault as found:
        fault = found
    assert fault.what, "a fault without words"
    return None


_PAYLOADS: Final = {
    Chain.EVM: (HELLO, transaction(), transaction(data=bytes(600)), PERMIT),
    Chain.SOLANA: (solana(transfer(1)), solana(transfer(1), transfer(2))),
}

TARGETS: Final = {"codecs": codecs, "ledger": ledger, "hid": hid, "trezor": trezor}
