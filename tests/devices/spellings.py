"""Every usual way to write a secret, as bytes to look for. Upper and lower case are the searcher's."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def of_bytes(secret: bytes) -> set[bytes]:
    """A key or a seed: raw, hex, base64 wherever it begins, base58, numbers; forwards and backwards, and each half."""
    found: set[bytes] = set()
    for each in (secret, secret[::-1], secret[: len(secret) // 2], secret[len(secret) // 2 :]):
        found |= {each, each.hex().encode(), *_base64(each), _base58(each), *_numbers(each)}
        shown = repr(each)[2:-1]
        found |= {shown.encode(), json.dumps(shown)[1:-1].encode()}
    found.add(secret.hex()[::-1].encode())
    return {each for each in found if len(each) >= 8}


def of_text(secret: str) -> set[bytes]:
    """A PIN, a passphrase, a phrase: as it is, escaped, encoded, and backwards."""
    found: set[bytes] = set()
    for each in (secret, secret[::-1]):
        raw = each.encode()
        spaced = " ".join(each).encode()
        listed = json.dumps(list(each)).encode()
        found |= {raw, spaced, listed, raw.hex().encode(), *_base64(raw), _base58(raw), each.encode("utf-16-le")}
        found |= {quote(each).encode(), quote(each, safe="").encode(), json.dumps(each)[1:-1].encode(), *_numbers(raw)}
    return {each for each in found if len(each) >= 8}


def _base64(raw: bytes) -> Iterator[bytes]:
    """What stays the same wherever in a longer text it stands: without the characters that its neighbours decide."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + raw).rstrip(b"=")
        core = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield core
        yield core.replace(b"+", b"-").replace(b"/", b"_")


def _base58(raw: bytes) -> bytes:
    number, text = int.from_bytes(raw), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return text.encode()


def _numbers(raw: bytes) -> Iterator[bytes]:
    yield str(int.from_bytes(raw)).encode()
    for between in (", ", ","):
        yield between.join(str(each) for each in raw).encode()
