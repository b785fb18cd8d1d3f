"""The commands of the Ethereum app. Source: app-ethereum's ethapp.adoc and the recorded exchanges with 1.22.0."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from signers import evm
from signers.ledger.apdu import MOST, chunks, encode, path_bytes
from signers.ledger.apps import Version
from signers.ledger.transport import bad_answer
from signers.paths import Path
from signers.payloads import EvmTransaction, PersonalMessage, TypedData

_ADDRESS: Final = 0x02
_SIGN: Final = 0x04
_CONFIG: Final = 0x06
_MESSAGE: Final = 0x08
_TOKEN: Final = 0x0A
TYPED: Final = 0x0C
_MORE: Final = 0x80

CONFIG: Final = encode(_CONFIG, 0, 0)
_ENDS_BY_RLP: Final = (1, 14, 0)
"""Older apps take a chunk that ends right before the chain id of a legacy transaction for the end of it (eth_ustream.c
up to 1.12.2): they would ask for a signature that holds on every chain."""


@dataclass(frozen=True, slots=True)
class Config:
    """An app's settings, as far as it tells.

    Attributes:
        short_keys: public keys are shown by their ends only (Solana).
    """

    blind_signing: bool
    short_keys: bool = False


def config(data: bytes) -> Config:
    """Read the answer to `CONFIG`: flags, and the version once more.

    Raises:
        DeviceFault: it is not one.
    """
    if len(data) != 4:
        raise bad_answer("Not the app's settings.", raw=data.hex())
    return Config(bool(data[0] & 0x01))


def address_command(path: Path, *, show: bool) -> bytes:
    """Asks for the key and address of `path`."""
    return encode(_ADDRESS, int(show), 0, path_bytes(path))


def address(data: bytes) -> str:
    """Read the answer to `address_command`: u8 length, public key (04 x y), u8 length, 40 hex digits in EIP-55.

    Raises:
        DeviceFault: it is not one, or the address is not that of the key.
    """
    if len(data) != 1 + 65 + 1 + 40 or data[:2] != b"\x41\x04" or data[66] != 40:
        raise bad_answer("Not an address.", raw=data[:16].hex())
    found = evm.checksum(evm.keccak(data[2:66])[12:])
    if found != "0x" + data[67:].decode("latin-1"):
        raise bad_answer("The address is not that of the key beside it.")
    return found


def message_commands(payload: PersonalMessage, path: Path) -> list[bytes]:
    """Path and u32be length before the text; further chunks of 255 bytes."""
    text = payload.text.encode()
    return _chained(_MESSAGE, path_bytes(path) + struct.pack(">I", len(text)) + text, MOST)


def transaction_commands(payload: EvmTransaction, path: Path, version: Version) -> list[bytes]:
    """Path before the transaction. The device finds the end in the RLP header; there is no flag for it."""
    data = path_bytes(path) + payload.unsigned
    size = MOST
    if payload.fields.type == 0 and version < _ENDS_BY_RLP:
        tail = len(data) - _tail(payload)
        while tail % size == 0:
            size -= 1
    return _chained(_SIGN, data, size)


def token_command(descriptor: bytes) -> bytes:
    """Describes a token, right before the transaction that needs it: almost every other command forgets it again."""
    return encode(_TOKEN, 0, 0, descriptor)


def hashes_command(payload: TypedData, path: Path) -> bytes:
    """Typed data as its two hashes, for devices that know no more."""
    return encode(TYPED, 0, 0, path_bytes(path) + payload.domain_hash + payload.message_hash)


def signature(payload: EvmTransaction | PersonalMessage | TypedData, data: bytes) -> bytes:
    """From ``v r s`` to the form that `signers.verify` states.

    Raises:
        DeviceFault: it is not a signature.
    """
    if len(data) != 65:
        raise bad_answer("Not a signature.", raw=f"{len(data)} bytes")
    v = data[0]
    if isinstance(payload, EvmTransaction):
        # A legacy v does not fit its byte from chain 111 on: only its lowest byte comes.
        last = (v - 35 - 2 * payload.fields.chain_id) & 0xFF if payload.fields.type == 0 else v
        allowed = {0, 1}
    else:
        last, allowed = v, {27, 28}
    if last not in allowed:
        raise bad_answer("The signature's parity has a wrong form.", raw=f"v {v}")
    return data[1:] + bytes([last])


def _tail(payload: EvmTransaction) -> int:
    """Bytes that chain id, 0, 0 take at the end of a legacy transaction."""
    number = payload.fields.chain_id
    return 3 if number < 0x80 else 3 + (number.bit_length() + 7) // 8


def _chained(ins: int, data: bytes, size: int) -> list[bytes]:
    return [encode(ins, _MORE if number else 0, 0, each) for number, each in enumerate(chunks(data, size))]
