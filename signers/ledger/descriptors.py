"""What the device must be told to show tokens by name and amount: descriptors signed by Ledger, read from a folder that
holds its npm package `@ledgerhq/cryptoassets-evm-signatures` (the package itself, its `lib` or its `data`)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_LEDGER_KEY: Final = bytes.fromhex(
    "045e6c1020c14dc46442fe89f97c0b68cdb15976dc24f24c316e7b30fe4e8cc76b"
    "1489150c21514ebf440ff5dea5393d83de5358cd098fce8fd0f81daa94979183"
)
"""The key with which Ledger signs descriptors (app-ethereum, public_keys.h). A descriptor that the device would refuse
is found here, before anything is confirmed."""
_MOST: Final = 67_108_864
"""Bytes of a file at most: the largest chain's has under a megabyte."""
_MOST_TICKER: Final = 10


@dataclass(frozen=True, slots=True)
class Token:
    """A token as Ledger describes it; `descriptor` is what the device is sent."""

    ticker: str
    address: bytes
    decimals: int
    chain_id: int
    descriptor: bytes


class Missing(Exception):
    """No usable description; the words say why."""


class Descriptors:
    """Reads a chain's file when it is first needed and keeps it.

    Args:
        folder: where the package is, kept as an attribute. Nothing is read before a token is looked up.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._chains: dict[int, dict[bytes, Token] | Missing] = {}

    def erc20(self, chain_id: int, address: bytes) -> Token:
        """The token at `address`.

        Raises:
            Missing: there is no description of it, or the file or the description is broken.
        """
        if chain_id not in self._chains:
            try:
                self._chains[chain_id] = self._read(chain_id)
            except Missing as missing:
                self._chains[chain_id] = missing
        known = self._chains[chain_id]
        if isinstance(known, Missing):
            raise known
        if address not in known:
            raise Missing(f"Ledger describes no token 0x{address.hex()} on chain {chain_id}.")
        _authentic(known[address])
        return known[address]

    def _read(self, chain_id: int) -> dict[bytes, Token]:
        name = f"evm/{chain_id}/erc20-signatures.json"
        found = read_json(self.folder, name, f"There is no file of token descriptions for chain {chain_id}.")
        try:
            blob = base64.b64decode(found, validate=True)
        except (ValueError, TypeError, binascii.Error) as error:
            raise Missing(f"{name} can not be read ({type(error).__name__}).") from error
        return {token.address: token for token in _tokens(blob, chain_id)}


def read_json(folder: Path, name: str, absent: str) -> Any:
    """The file `name` of the package, whichever of its levels `folder` is.

    Raises:
        Missing: it is not there, which `absent` says, or it can not be read.
    """
    for below in ("", "data", "lib/data"):
        file = folder / below / name
        if file.is_file():
            break
    else:
        raise Missing(absent)
    try:
        if file.stat().st_size > _MOST:
            raise Missing(f"{name} is too large.")
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Missing(f"{name} can not be read ({type(error).__name__}).") from error


def read_token(descriptor: bytes) -> Token:
    """Read one descriptor: u8 length and ticker, 20 bytes of address, u32be decimals, u32be chain, signature (DER).

    Raises:
        Missing: it is none.
    """
    try:
        size = descriptor[0]
        ticker = descriptor[1 : 1 + size].decode("ascii")
        address = descriptor[1 + size : 21 + size]
        decimals, chain_id = struct.unpack_from(">II", descriptor, 21 + size)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise Missing("A token's description is broken.") from error
    if not 1 <= size <= _MOST_TICKER or not ticker.isprintable() or decimals > 255 or len(descriptor) > 255:
        raise Missing("A token's description is broken.")
    return Token(ticker, address, decimals, chain_id, descriptor)


def _tokens(blob: bytes, chain_id: int) -> list[Token]:
    found, at = [], 0
    while at < len(blob):
        (size,) = struct.unpack_from(">I", blob, at) if at + 4 <= len(blob) else (0,)
        if not size or at + 4 + size > len(blob):
            raise Missing(f"The token descriptions of chain {chain_id} are broken.")
        try:
            token = read_token(blob[at + 4 : at + 4 + size])
        except Missing:
            token = None  # one that no device of today can take
        if token is not None and token.chain_id == chain_id:
            found.append(token)
        at += 4 + size
    return found


def genuine(data: bytes, signature: bytes) -> bool:
    """Whether Ledger signed `data` (ECDSA over its SHA-256, DER)."""
    from coincurve import PublicKey  # noqa: PLC0415 -- native

    try:
        return PublicKey(_LEDGER_KEY).verify(signature, hashlib.sha256(data).digest(), hasher=None)
    except ValueError:
        return False


def _authentic(token: Token) -> None:
    body = 1 + len(token.ticker) + 28
    if not genuine(token.descriptor[1:body], token.descriptor[body:]):
        raise Missing(f"The description of {token.ticker} is not signed by Ledger.")
