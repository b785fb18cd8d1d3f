"""What a device can be asked to sign. Each payload is its exact bytes, or what determines them; each refuses, when it
is made, what no device should be shown.

PersonalMessage   EIP-191 text: a trade authorisation, a seal of the journal
EvmTransaction    unsigned EIP-1559 or EIP-155 transaction
TypedData         EIP-712 document
SolanaMessage     legacy or v0 transaction message
OffchainMessage   Solana off-chain text
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from signers.evm import EvmFields, decode, keccak
from signers.solana import SolanaFields, read_message


class Chain(StrEnum):
    """Family of chains: which app, which curve, which form of address."""

    EVM = "evm"
    SOLANA = "solana"


MAX_TEXT: Final = 1_000
"""Characters of a message: the smallest buffer met (Solana's off-chain texts on a Ledger). An authorisation has 400."""


def _plain(text: str) -> None:
    if not text or len(text) > MAX_TEXT or any(c != "\n" and not " " <= c <= "~" for c in text):
        raise ValueError(f"a message to sign is 1 to {MAX_TEXT} printable ASCII characters and newlines")


@dataclass(frozen=True, slots=True)
class PersonalMessage:
    """An EIP-191 personal message (version 0x45). Devices show it in clear with blind signing off.

    Raises:
        ValueError: not printable ASCII and newlines (a device would show it as hex), or too long.
    """

    text: str
    chain: Chain = field(default=Chain.EVM, init=False)

    def __post_init__(self) -> None:
        _plain(self.text)

    @property
    def signed(self) -> bytes:
        """What is hashed and signed."""
        data = self.text.encode()
        return b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data


@dataclass(frozen=True, slots=True)
class EvmTransaction:
    """An unsigned transaction, as it is hashed: ``02 || rlp([...])`` (EIP-1559) or ``rlp([..., chainId, 0, 0])``
    (legacy, EIP-155).

    Raises:
        ValueError: any other form, not canonical, or it creates a contract.
    """

    unsigned: bytes
    fields: EvmFields = field(init=False, repr=False)
    chain: Chain = field(default=Chain.EVM, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", decode(self.unsigned))

    @property
    def signed(self) -> bytes:
        """What is hashed and signed."""
        return self.unsigned

    @property
    def hash(self) -> bytes:
        """Keccak-256 of it: what a device shows when it signs blindly."""
        return keccak(self.unsigned)


@dataclass(frozen=True, slots=True)
class TypedData:
    """An EIP-712 document, as JSON text. Equal documents are equal whatever their spacing.

    Raises:
        ValueError: not such a document.
    """

    document: str
    domain_hash: bytes = field(init=False, repr=False)
    message_hash: bytes = field(init=False, repr=False)
    chain: Chain = field(default=Chain.EVM, init=False)

    def __post_init__(self) -> None:
        from signers.typed_data import canonical, hashes  # noqa: PLC0415 -- eth_account, 0.5 s

        object.__setattr__(self, "document", canonical(self.document))
        domain, message = hashes(self.document)
        object.__setattr__(self, "domain_hash", domain)
        object.__setattr__(self, "message_hash", message)

    @property
    def data(self) -> dict[str, Any]:
        """A copy of the document."""
        found: dict[str, Any] = json.loads(self.document)
        return found

    @property
    def signed(self) -> bytes:
        """What is hashed and signed."""
        return b"\x19\x01" + self.domain_hash + self.message_hash


@dataclass(frozen=True, slots=True)
class SolanaMessage:
    """A transaction message, legacy or v0, as it is signed.

    Raises:
        ValueError: not exactly one message.
    """

    message: bytes
    fields: SolanaFields = field(init=False, repr=False)
    chain: Chain = field(default=Chain.SOLANA, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", read_message(self.message))

    @property
    def signed(self) -> bytes:
        """What is signed."""
        return self.message


@dataclass(frozen=True, slots=True)
class OffchainMessage:
    """A Solana off-chain message, version 0, ASCII (format 0), for one signer.

    Source: the "off-chain message signing" proposal of Solana Labs, as the Ledger app 1.9.0 reads it: a header of
    ``ff "solana offchain"``, version, 32 bytes of application domain, format, number of signers, their keys, length.

    Raises:
        ValueError: not printable ASCII and newlines, too long, or `signer` is no public key.
    """

    text: str
    signer: str
    chain: Chain = field(default=Chain.SOLANA, init=False)

    def __post_init__(self) -> None:
        _plain(self.text)
        if "\n" in self.text:
            raise ValueError("an off-chain message of format 0 is one line of printable ASCII")
        self._key()

    def _key(self) -> bytes:
        from signers.solana import key_of  # noqa: PLC0415 -- solders

        return key_of(self.signer)

    @property
    def signed(self) -> bytes:
        """What is signed: header and text."""
        data = self.text.encode()
        head = b"\xffsolana offchain" + struct.pack("<B32sBB", 0, bytes(32), 0, 1)
        return head + self._key() + struct.pack("<H", len(data)) + data


Payload = PersonalMessage | EvmTransaction | TypedData | SolanaMessage | OffchainMessage
