"""Signing with a key in this process's memory: the demo signer's public one, and the keyring's. eth-keys (a tenth of a
second to import; eth-account, which does the same with it, half a second) and solders do the work; deterministic (RFC
6979, Ed25519), so equal to what the devices answer."""

from __future__ import annotations

import hashlib
from typing import Any

from signers import evm
from signers.base import Clarity, DeviceLine, Shown
from signers.payloads import Chain, EvmTransaction, OffchainMessage, Payload, PersonalMessage, SolanaMessage


def address(chain: Chain, key: bytes) -> str:
    """Address of the 32-byte private key (EVM) or Ed25519 seed (Solana) `key`."""
    if chain is Chain.SOLANA:
        return str(_keypair(key).pubkey())
    return str(_private(key).public_key.to_checksum_address())


def signature(payload: Payload, key: bytes) -> bytes:
    """The signature, in the form `signers.verify` states."""
    if isinstance(payload, SolanaMessage | OffchainMessage):
        return bytes(_keypair(key).sign_message(payload.signed))
    found = _private(key).sign_msg_hash(evm.keccak(payload.signed))
    v = found.v if isinstance(payload, EvmTransaction) else found.v + 27
    return int(found.r).to_bytes(32) + int(found.s).to_bytes(32) + bytes([v])


def _private(key: bytes) -> Any:
    from eth_keys.datatypes import PrivateKey  # noqa: PLC0415 -- when it is wanted

    return PrivateKey(key)


def _keypair(key: bytes) -> Any:
    from solders.keypair import Keypair  # noqa: PLC0415 -- native

    return Keypair.from_seed(key)


def shown(payload: Payload, why: str) -> Shown:
    """What can be read of it where nothing decodes it: a message in full; of anything else a hash, and `why`."""
    if isinstance(payload, PersonalMessage | OffchainMessage):
        return Shown(Clarity.CLEAR, tuple(DeviceLine("", line) for line in payload.text.split("\n")))
    return Shown(Clarity.BLIND, (DeviceLine("Hash", hashlib.sha256(payload.signed).hexdigest()),), why)
