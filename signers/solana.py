"""Solana transaction messages as bytes, read by solders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MAX_MESSAGE: Final = 1_232
"""Bytes of a whole transaction at most (one UDP packet), so of its message too."""


@dataclass(frozen=True, slots=True)
class SolanaInstruction:
    """One instruction: its program and accounts as base58 keys, "" for one that only a lookup table names."""

    program: str
    accounts: tuple[str, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class SolanaFields:
    """What a message holds.

    Attributes:
        version: "legacy" or "0".
        signers: base58 keys that must sign, the payer of the fee first.
        blockhash: base58; or the value of a durable nonce.
        lookup_tables: base58 addresses of tables, whose accounts the message does not name itself.
    """

    version: str
    signers: tuple[str, ...]
    blockhash: str
    instructions: tuple[SolanaInstruction, ...]
    lookup_tables: tuple[str, ...]


def read_message(message: bytes) -> SolanaFields:
    """Read a message.

    Raises:
        ValueError: not exactly one legacy or v0 message.
    """
    from solders.message import Message, MessageV0, from_bytes_versioned, to_bytes_versioned  # noqa: PLC0415 -- native

    if len(message) > MAX_MESSAGE:
        raise ValueError(f"a Solana message has at most {MAX_MESSAGE} bytes")
    try:
        found = from_bytes_versioned(message)
    except ValueError as error:
        raise ValueError(f"not a Solana message: {type(error).__name__}") from error
    if not isinstance(found, Message | MessageV0) or to_bytes_versioned(found) != message:
        raise ValueError("not a legacy or v0 Solana message in its canonical form")
    keys = [str(key) for key in found.account_keys]
    tables = found.address_table_lookups if isinstance(found, MessageV0) else []
    named = len(keys) + sum(len(table.writable_indexes) + len(table.readonly_indexes) for table in tables)
    indexes = [index for each in found.instructions for index in (each.program_id_index, *each.accounts)]
    if not 1 <= found.header.num_required_signatures <= len(keys) or any(index >= named for index in indexes):
        raise ValueError("a Solana message that names accounts it does not hold")
    return SolanaFields(
        version="0" if isinstance(found, MessageV0) else "legacy",
        signers=tuple(keys[: found.header.num_required_signatures]),
        blockhash=str(found.recent_blockhash),
        instructions=tuple(_instruction(each, keys) for each in found.instructions),
        lookup_tables=tuple(str(table.account_key) for table in tables),
    )


def key_of(address: str) -> bytes:
    """The 32 bytes of a base58 public key.

    Raises:
        ValueError: not one.
    """
    from solders.pubkey import Pubkey  # noqa: PLC0415 -- native

    return bytes(Pubkey.from_string(address))


def address_of(key: bytes) -> str:
    """Base58 text of a public key of 32 bytes."""
    from solders.pubkey import Pubkey  # noqa: PLC0415 -- native

    return str(Pubkey(key))


def _instruction(each: Any, keys: list[str]) -> SolanaInstruction:
    def key(index: int) -> str:
        return keys[index] if index < len(keys) else ""

    return SolanaInstruction(key(each.program_id_index), tuple(map(key, each.accounts)), bytes(each.data))
