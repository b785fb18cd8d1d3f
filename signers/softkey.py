"""Signing with a key in this process's memory: the demo signer's public one, and the keyring's. eth-account and solders
do the work; deterministic (RFC 6979, Ed25519), so equal to what the devices answer."""

from __future__ import annotations

from typing import Any

from signers import eth, evm
from signers.payloads import Chain, EvmTransaction, OffchainMessage, Payload, SolanaMessage


def address(chain: Chain, key: bytes) -> str:
    """Address of the 32-byte private key (EVM) or Ed25519 seed (Solana) `key`."""
    return str(_keypair(key).pubkey()) if chain is Chain.SOLANA else str(eth.account().from_key(key).address)


def signature(payload: Payload, key: bytes) -> bytes:
    """The signature, in the form `signers.verify` states."""
    if isinstance(payload, SolanaMessage | OffchainMessage):
        return bytes(_keypair(key).sign_message(payload.signed))
    found = eth.account().unsafe_sign_hash(evm.keccak(payload.signed), key)
    v = found.v - 27 if isinstance(payload, EvmTransaction) else found.v
    return int(found.r).to_bytes(32) + int(found.s).to_bytes(32) + bytes([v])


def _keypair(key: bytes) -> Any:
    from solders.keypair import Keypair  # noqa: PLC0415 -- native

    return Keypair.from_seed(key)
