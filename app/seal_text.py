"""The text of a journal seal: the end of the hash chain in words that a device shows in clear and signs (EIP-191).

It permits nothing: the text of a trade begins otherwise, and what reads those refuses this one. `parse` accepts exactly
what `render` writes. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.execution.signed_terms import until_ms, until_text

SEAL: Final = "countersign journal"
"""How the text begins on the smallest device's first line."""
HEADER: Final = f"{SEAL} seal 1"
_LINES: Final = re.compile(
    rf"{HEADER}\n"
    r"seq ([1-9]\d{0,15})\n"
    r"hash ([0-9a-f]{64})\n"
    r"profile ([a-z]{1,20})\n"
    r"run ([0-9a-f]{32})\n"
    r"sealed (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Seal:
    """What is sealed.

    Attributes:
        seq, hash: the journal row that all before it leads to, and its hash in hex.
        run: id of the session that sealed, or of the last one.
        sealed_ms: ms UTC by the machine's clock, in whole seconds.
    """

    seq: int
    hash: str
    profile: str
    run: str
    sealed_ms: int


def render(seal: Seal) -> str:
    """The text to sign; ASCII, lines joined by a newline, no trailing one.

    Raises:
        ValueError: `parse` would not read it back.
    """
    text = "\n".join(
        (
            HEADER,
            f"seq {seal.seq}",
            f"hash {seal.hash}",
            f"profile {seal.profile}",
            f"run {seal.run}",
            f"sealed {until_text(seal.sealed_ms)} UTC",
        )
    )
    if parse(text) != seal:
        raise ValueError("the journal can not be sealed in words that read back the same")
    return text


def parse(text: str) -> Seal:
    """Read a text back.

    Raises:
        ValueError: not exactly what `render` writes.
    """
    match = _LINES.fullmatch(text)
    if match is None:
        raise ValueError("not the text of a journal seal")
    seq, digest, profile, run, sealed = match.groups()
    seal = Seal(int(seq), digest, profile, run, until_ms(sealed))
    if until_text(seal.sealed_ms) != sealed:
        raise ValueError("the date of the seal is none")
    return seal
