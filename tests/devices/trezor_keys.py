"""The keys of a Trezor with the public test seed ("all" twelve times), derived without any of our own code: BIP-32 and
SLIP-0010 by hand, the rest by eth-account and solders."""

from __future__ import annotations

import functools
import hashlib
import hmac
import struct
from typing import Any

from Crypto.Hash import RIPEMD160
from eth_account import Account
from eth_account.hdaccount.deterministic import HDPath
from eth_keys.datatypes import PrivateKey
from solders.keypair import Keypair

MNEMONIC = " ".join(["all"] * 12)
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
Levels = tuple[int, ...]


@functools.cache
def seed(passphrase: str) -> bytes:
    salt = b"mnemonic" + passphrase.encode()
    return hashlib.pbkdf2_hmac("sha512", MNEMONIC.encode(), salt, 2048)


def _text(path: Levels) -> str:
    return "/".join(["m", *(f"{n & 0x7FFFFFFF}'" if n >> 31 else str(n) for n in path)])


@functools.cache
def ethereum(passphrase: str, path: Levels) -> Any:
    """eth-account's account at `path`."""
    return Account.from_key(HDPath(_text(path)).derive(seed(passphrase)))


@functools.cache
def solana(passphrase: str, path: Levels) -> Keypair:
    """SLIP-0010, Ed25519: hardened levels only."""
    node = hmac.digest(b"ed25519 seed", seed(passphrase), "sha512")
    for level in path:
        node = hmac.digest(node[32:], b"\0" + node[:32] + struct.pack(">L", level | 0x80000000), "sha512")
    return Keypair.from_seed(node[:32])


def _public(key: bytes) -> bytes:
    return PrivateKey(key).public_key.to_compressed_bytes()


@functools.cache
def first_child(passphrase: str) -> dict[str, Any]:
    """Fields of the PublicKey message for m/0h."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    root = hmac.digest(b"Bitcoin seed", seed(passphrase), "sha512")
    print_ = RIPEMD160.new(hashlib.sha256(_public(root[:32])).digest()).digest()[:4]
    child = hmac.digest(root[32:], b"\0" + root[:32] + struct.pack(">L", 0x80000000), "sha512")
    key = ((int.from_bytes(child[:32]) + int.from_bytes(root[:32])) % order).to_bytes(32)
    public = _public(key)
    raw = bytes.fromhex("0488b21e") + b"\1" + print_ + struct.pack(">L", 0x80000000) + child[32:] + public
    return {
        "depth": 1,
        "fingerprint": int.from_bytes(print_),
        "child_num": 0x80000000,
        "chain_code": child[32:],
        "public_key": public,
        "xpub": _checked(raw),
    }


def _checked(raw: bytes) -> str:
    raw += hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4]
    number, text = int.from_bytes(raw), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return text
