"""The keys of Speculos' default phrase, which is public: what its Ethereum and Solana apps sign with."""

from __future__ import annotations

from functools import cache

from solders.keypair import Keypair

from signers import eth, softkey
from signers.paths import Path
from signers.payloads import Chain

PHRASE = (
    "glory promote mansion idle axis finger extra february uncover one trip resource "
    "lawn turtle enact monster seven myth punch hobby comfort wild raise skin"
)


@cache
def private_key(chain: Chain, path: Path) -> bytes:
    """32 bytes: BIP-32 on secp256k1, or SLIP-0010 on ed25519."""
    eth.account()
    from eth_account.hdaccount import key_from_seed, seed_from_mnemonic  # noqa: PLC0415 -- loaded by signers.eth, never before it

    seed = seed_from_mnemonic(PHRASE, passphrase="")
    if chain is Chain.SOLANA:
        return bytes(Keypair.from_seed_and_derivation_path(seed, str(path)).secret())
    return bytes(key_from_seed(seed, str(path)))


def address(chain: Chain, path: Path) -> str:
    return softkey.address(chain, private_key(chain, path))
