"""Private keys of the hot signer: made, read from what their owner typed, and as the keyring keeps them.

Nothing here repeats what was typed: an error's words, and the error it came from, end where a trader or a log reads.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import Final

from signers import softkey
from signers.payloads import Chain

_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the secp256k1 group (SEC 2): a private key is 1 to one below it."""
_PHRASE_WORDS: Final = 2
"""From how many words on a text is taken for a recovery phrase: a key is one."""


class BadKey(Exception):
    """What was typed is no key that may be kept. The text says why and never what it was."""


def generate(chain: Chain) -> bytes:
    """A new key from the system's source of randomness."""
    while True:
        key = secrets.token_bytes(32)
        if _fits(chain, key):
            return key


def read(chain: Chain, typed: str) -> bytes:
    """The 32 bytes of a key as wallets export it: hex for EVM; for Solana base58, or the list of numbers of a key file.

    Raises:
        BadKey: anything else, a recovery phrase above all.
    """
    text = typed.strip()
    if len([word for word in text.replace(",", " ").split() if word.isalpha()]) >= _PHRASE_WORDS:
        raise BadKey(
            "That looks like a recovery phrase. It opens every account of its wallet and belongs on paper and on a "
            "device, never in a computer: the hot signer takes one private key with little money behind it."
        )
    key = _hex(text.removeprefix("0x")) if chain is Chain.EVM else _keypair(text)
    if key is None or not _fits(chain, key):
        form = "64 hex digits" if chain is Chain.EVM else "base58, or a list of 64 numbers as in a Solana key file"
        raise BadKey(f"That is no {chain} private key: {form}.")
    return key


def stored(key: bytes) -> str:
    """As the keyring keeps it."""
    return key.hex()


def from_stored(chain: Chain, text: str) -> bytes:
    """The inverse.

    Raises:
        BadKey: somebody else put it there.
    """
    key = _hex(text)
    if key is None or not _fits(chain, key):
        raise BadKey(f"What the keyring holds as the {chain} key is no private key.")
    return key


def address(chain: Chain, key: bytes) -> str:
    """EIP-55, or base58."""
    return softkey.address(chain, key)


def _fits(chain: Chain, key: bytes) -> bool:
    return len(key) == 32 and (chain is Chain.SOLANA or 0 < int.from_bytes(key) < _ORDER)


def _hex(text: str) -> bytes | None:
    if len(text) != 64 or not text.isascii() or not text.isalnum():
        return None
    with contextlib.suppress(ValueError):
        return bytes.fromhex(text)
    return None


def _keypair(text: str) -> bytes | None:
    """The seed of a Solana key pair whose halves belong together."""
    from solders.keypair import Keypair  # noqa: PLC0415 -- native

    with contextlib.suppress(ValueError):
        pair = Keypair.from_json(text) if text.startswith("[") else Keypair.from_base58_string(text)
        return pair.secret()
    return None
