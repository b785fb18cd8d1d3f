"""A double of the DEVICE: what the Ethereum and Solana apps answer to each APDU, as recorded, with real signatures by
the keys of Speculos' public phrase. It stands for the hardware, never for our own code."""

from __future__ import annotations

import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from solders.keypair import Keypair

from signers import eth, softkey
from signers.evm import keccak
from signers.paths import Path
from signers.payloads import Chain, EvmTransaction, PersonalMessage, SolanaMessage
from signers.solana import key_of
from tests.devices import keys
from tests.devices.ledger_filters import Refused
from tests.devices.ledger_typed import Stream


class Human(Enum):
    """What its person does with the next review."""

    APPROVE = "approve"
    REFUSE = "refuse"
    NEVER = "never"


VERSIONS = {"Ethereum": "1.22.0", "Solana": "1.9.0", "BOLOS": "1.4.0"}


@dataclass(slots=True)
class Review:
    """Waits for a hand: the answer if it is approved, and whether it is delivered to whoever is connected then."""

    approved: bytes
    app: str


def status(word: int, data: bytes = b"") -> bytes:
    return data + word.to_bytes(2)


@dataclass(slots=True)
class LedgerDevice:
    """One device. `handle` gives an answer, or None while `review` waits for its person."""

    app: str = "Ethereum"
    versions: dict[str, str] = field(default_factory=VERSIONS.copy)
    blind: bool = False
    short_keys: bool = False
    locked: bool = False
    human: Human = Human.APPROVE
    answers: deque[Human] = field(default_factory=deque)
    review: Review | None = None
    shows: threading.Event = field(default_factory=threading.Event)
    """Set once it has shown a review."""
    log: list[bytes] = field(default_factory=list)
    tokens: list[bytes] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    """Of the last typed data with filters, as it showed them."""
    restarted: bool = False
    _buffer: bytes = b""
    _path: Path = field(default_factory=lambda: Path((0,)))
    _length: int = 0
    _typed: Stream = field(default_factory=Stream)

    def handle(self, apdu: bytes) -> bytes | None:
        """The answer, data and status; None when the person must act first."""
        self.log.append(apdu)
        if len(apdu) < 5 or len(apdu) != 5 + apdu[4]:
            return b"\xe0\x02\x00\x00\x6a\x87\x6a\x87" if self.app == "Ethereum" else status(0x6A83)
        if self.locked:
            return status(0x5515)
        cla, ins, p1, p2 = apdu[:4]
        data = apdu[5:]
        if cla == 0xB0:
            return self._system(ins)
        if self.app == "BOLOS":
            return self._open(data) if ins == 0xD8 else status(0x6E01)
        if cla != 0xE0:
            return status(0x6E00 if self.app == "Ethereum" else 0x6A81)
        return self._ethereum(ins, p1, p2, data) if self.app == "Ethereum" else self._solana(ins, p1, p2, data)

    def press(self, *, approve: bool) -> bytes:
        """Its person acts; the answer that follows."""
        review, self.review = self.review, None
        assert review is not None
        if not approve:
            return status(0x5501 if review.app == "BOLOS" else 0x6985)
        if review.app == "BOLOS":
            self.app, self.restarted = review.approved.decode(), True
            return status(0x9000)
        return status(0x9000, review.approved)

    def _ask(self, approved: bytes) -> bytes | None:
        self.review = Review(approved, self.app)
        self.shows.set()
        human = self.answers.popleft() if self.answers else self.human
        return None if human is Human.NEVER else self.press(approve=human is Human.APPROVE)

    def _system(self, ins: int) -> bytes:
        if ins == 0xA7 and self.app != "BOLOS":
            self.app, self.restarted = "BOLOS", True
            return status(0x9000)
        if ins != 0x01:
            return status(0x6E00)
        name, version = self.app.encode(), self.versions[self.app].encode()
        flags = b"" if self.app == "BOLOS" else b"\x01\x00"
        return status(0x9000, b"\x01" + bytes([len(name)]) + name + bytes([len(version)]) + version + flags)

    def _open(self, name: bytes) -> bytes | None:
        if not name:
            return status(0x670A)
        return self._ask(name) if name.decode() in self.versions else status(0x6807)

    def _version(self) -> bytes:
        return bytes(int(each) for each in self.versions[self.app].split("."))

    # -- Ethereum ---------------------------------------------------------------------------------------------------

    def _ethereum(self, ins: int, p1: int, p2: int, data: bytes) -> bytes | None:
        if ins == 0x06:
            return status(0x9000, bytes([2 | self.blind]) + self._version())
        if ins == 0x02:
            return self._ethereum_address(p1, data)
        if ins in {0x04, 0x08}:
            return self._ethereum_chunk(ins, p1, data)
        if ins == 0x0A:
            self.tokens.append(data)
            if self._typed.filtering is not None:
                self._typed.filtering.describe(data)
            return status(0x9000, b"\x00")
        if ins in {0x1A, 0x1C, 0x1E, 0x0C}:
            return self._ethereum_typed(ins, p1, p2, data)
        return status(0x6D00)

    def _ethereum_address(self, p1: int, data: bytes) -> bytes | None:
        self.tokens.clear()
        path, _ = read_path(data)
        if path.levels[1] != 60 | 1 << 31:
            return status(0x6A15)
        from eth_keys.datatypes import PrivateKey  # noqa: PLC0415 -- loaded by signers.eth, never before it

        key = PrivateKey(keys.private_key(Chain.EVM, path)).public_key
        answer = b"\x41\x04" + key.to_bytes() + b"\x28" + keys.address(Chain.EVM, path)[2:].encode()
        return self._ask(answer) if p1 else status(0x9000, answer)

    def _ethereum_chunk(self, ins: int, p1: int, data: bytes) -> bytes | None:
        if p1 == 0x00:
            self._path, self._buffer = read_path(data)
            if ins == 0x08:
                self._length = int.from_bytes(self._buffer[:4])
                self._buffer = self._buffer[4:]
            else:
                self._length = rlp_length(self._buffer)
        elif not self._buffer:
            return status(0x6980)
        else:
            self._buffer += data
        if len(self._buffer) < self._length:
            return status(0x9000)
        signed, self._buffer = self._buffer, b""
        return self._ethereum_message(signed) if ins == 0x08 else self._ethereum_transaction(signed)

    def _ethereum_message(self, text: bytes) -> bytes | None:
        self.tokens.clear()
        payload = PersonalMessage(text.decode())
        signature = softkey.signature(payload, keys.private_key(Chain.EVM, self._path))
        return self._ask(signature[64:] + signature[:64])

    def _ethereum_transaction(self, unsigned: bytes) -> bytes | None:
        try:
            payload = EvmTransaction(unsigned)
        except ValueError:
            return status(0x6A80)
        fields = payload.fields
        shown = not fields.data or any(fields.to in each for each in self.tokens)
        self.tokens.clear()
        if not shown and not self.blind:
            return status(0x6A80)
        signature = softkey.signature(payload, keys.private_key(Chain.EVM, self._path))
        v = signature[64] if fields.type else (35 + 2 * fields.chain_id + signature[64]) & 0xFF
        return self._ask(bytes([v]) + signature[:64])

    def _ethereum_typed(self, ins: int, p1: int, p2: int, data: bytes) -> bytes | None:
        try:
            return self._ethereum_told(ins, p1, p2, data)
        except Refused as refused:
            self._typed = Stream()
            return status(int(str(refused), 16))

    def _ethereum_told(self, ins: int, p1: int, p2: int, data: bytes) -> bytes | None:
        if ins == 0x1A:
            self._typed = self._typed if not self._typed.values else Stream()
            self._typed.define(p2, data)
            return status(0x9000)
        if ins == 0x1E:
            self._typed.filter(p1, p2, data)
            return status(0x9000)
        filtering = None if ins == 0x0C and p2 == 0 else self._typed.filtering
        if filtering is not None and ins == 0x0C:
            filtering.complete()
            self.lines = filtering.lines
        if filtering is None and not self.blind:
            self._typed = Stream()
            return status(0x6A80)
        if ins == 0x1C:
            self._typed.value(p1, p2, data)
            return status(0x9000)
        path, rest = read_path(data)
        digest = keccak(b"\x19\x01" + rest) if p2 == 0 else self._typed.digest()
        self._typed = Stream()
        found = eth.account().unsafe_sign_hash(digest, keys.private_key(Chain.EVM, path))
        return self._ask(bytes([found.v]) + int(found.r).to_bytes(32) + int(found.s).to_bytes(32))

    # -- Solana -----------------------------------------------------------------------------------------------------

    def _solana(self, ins: int, p1: int, p2: int, data: bytes) -> bytes | None:
        if ins == 0x04:
            return status(0x9000, bytes([self.blind, self.short_keys]) + self._version())
        if ins == 0x05:
            return self._solana_key(p1, data)
        if ins not in {0x06, 0x07}:
            return status(0x6D00)
        if p1 != 1 or (p2 & 1 and not self._buffer):
            return status(0x6A80 if p1 else 0x6808)
        return self._solana_sign(p2, data)

    def _solana_key(self, p1: int, data: bytes) -> bytes | None:
        path, _ = read_path(data)
        if path.levels[1] != 501 | 1 << 31:
            return status(0x6A15)
        if not all(level >> 31 for level in path.levels):
            return status(0x6801)
        key = key_of(keys.address(Chain.SOLANA, path))
        return self._ask(key) if p1 else status(0x9000, key)

    def _solana_sign(self, p2: int, data: bytes) -> bytes | None:
        self._buffer = self._buffer + data if p2 & 1 else data
        if p2 & 2:
            return status(0x9000)
        whole, self._buffer = self._buffer, b""
        path, message = read_path(whole[1:])
        if not self.blind and not solana_shows(message):
            return status(0x6808)
        return self._ask(bytes(Keypair.from_seed(keys.private_key(Chain.SOLANA, path)).sign_message(message)))


def read_path(data: bytes) -> tuple[Path, bytes]:
    count = data[0]
    return Path(struct.unpack_from(f">{count}I", data, 1)), data[1 + 4 * count :]


def rlp_length(data: bytes) -> int:
    """Bytes of a transaction, from its type and RLP header."""
    start = 1 if data[0] < 0x7F else 0
    head = data[start]
    if head < 0xC0:
        return 0
    if head <= 0xF7:
        return start + 1 + head - 0xC0
    size = head - 0xF7
    return start + 1 + size + int.from_bytes(data[start + 1 : start + 1 + size])


def solana_shows(message: bytes) -> bool:
    """Whether it is a message or one transfer: enough to tell the test's payloads apart."""
    if message[:1] == b"\xff":
        return True
    found = SolanaMessage(message).fields
    known = {"11111111111111111111111111111111", "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"}
    budget = "ComputeBudget111111111111111111111111111111"
    moves = [each for each in found.instructions if each.program == "11111111111111111111111111111111"]
    return len(moves) == 1 and all(each.program in known | {budget} for each in found.instructions)
