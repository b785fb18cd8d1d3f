"""What a token says of itself, read as what it is: words of somebody who may want to mislead.

Nothing here is ever a key: our own names are in `Token.symbol`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.text import escape_untrusted

MOST_DECIMALS: Final = 36
"""More leave no room in an amount (18 is usual; no token of weight has more than 24)."""
_MOST_BYTES: Final = 256
_MOST_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True)
class Metadata:
    """A token's own words, cut and escaped.

    Attributes:
        symbol, name: empty where it gave none that can be read.
        decimals: None where it gave none, or more than `MOST_DECIMALS`: it can not be traded then.
    """

    address: bytes
    symbol: str
    name: str
    decimals: int | None


def read_text(answer: bytes | None) -> str:
    """An ABI `string`, or `bytes32` as the earliest tokens have it; empty where it is neither."""
    if answer is None or len(answer) < 32:
        return ""
    if len(answer) == 32:
        raw = answer.partition(b"\0")[0]
    else:
        start, length = int.from_bytes(answer[:32]), 0
        if start + 32 <= len(answer):
            length = int.from_bytes(answer[start : start + 32])
        if length == 0 or start + 32 + length > len(answer):
            return ""
        raw = answer[start + 32 : start + 32 + min(length, _MOST_BYTES)]
    return escape_untrusted(raw.decode("utf-8", "replace"), _MOST_CHARACTERS)


def read_decimals(answer: bytes | None) -> int | None:
    """A number of decimals; None where it is none that can be used."""
    if answer is None or len(answer) < 32:
        return None
    found = int.from_bytes(answer[:32])
    return found if found <= MOST_DECIMALS else None
