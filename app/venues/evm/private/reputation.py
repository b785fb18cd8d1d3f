"""The key that signs what a relay is asked. It is a name to be recognised by and nothing else: made from chance when
the session opens, kept in memory, it holds no coin, is no account of the trader's, and signs nothing but the hash of a
request's body.

Source: flashbots-docs @272fd13, rpc-endpoint.mdx, "Authentication": ``address:signature``, the signature being EIP-191
over the 66 characters ``0x...`` of the Keccak-256 of the body's bytes.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from app.venues.evm.private.formats import SIGNATURE
from signers import softkey
from signers.evm import keccak
from signers.payloads import Chain, PersonalMessage


class Reputation:
    """One throwaway key."""

    __slots__ = ("_key", "address")

    def __init__(self) -> None:
        # A number from 1 to just below the curve's order; chance misses that range once in 2^128 draws.
        self._key = secrets.token_bytes(32)
        self.address = softkey.address(Chain.EVM, self._key)

    def __repr__(self) -> str:
        """Without the key."""
        return f"Reputation({self.address})"

    def header(self, body: bytes) -> Mapping[str, str]:
        """The header for exactly these bytes."""
        signature = softkey.signature(PersonalMessage(f"0x{keccak(body).hex()}"), self._key)
        return {SIGNATURE: f"{self.address}:0x{signature.hex()}"}
