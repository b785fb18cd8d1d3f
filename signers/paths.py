"""Derivation paths (BIP-32, BIP-44) and the schemes by which wallets number their accounts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

HARDENED: Final = 0x8000_0000
MAX_LEVELS: Final = 10
"""What both makers' devices accept at most."""

_LEVEL: Final = re.compile(r"(0|[1-9][0-9]{0,9})(['hH]?)", re.ASCII)

SCHEMES: Final[dict[str, dict[str, str]]] = {
    "evm": {"bip44": "m/44'/60'/0'/0/{n}", "ledger-live": "m/44'/60'/{n}'/0/0", "legacy": "m/44'/60'/0'/{n}"},
    "solana": {"bip44": "m/44'/501'/{n}'/0'", "ledger-live": "m/44'/501'/{n}'", "legacy": "m/44'/501'"},
}
"""Chain -> scheme -> template. For EVM: BIP-44 as most wallets use it (the address index counts), Ledger Live (the
account counts), and that of MyEtherWallet and old Ledger software. For Solana: that of Solana's own tools and Phantom,
Ledger Live, and the single account of the first wallets."""


@dataclass(frozen=True, slots=True, order=True)
class Path:
    """A BIP-32 path: each level an unsigned 32-bit number, hardened ones with the highest bit set.

    Raises:
        ValueError: no level, more than `MAX_LEVELS`, or a level out of range.
    """

    levels: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.levels) <= MAX_LEVELS or not all(0 <= level < 2**32 for level in self.levels):
            raise ValueError(f"a derivation path has 1 to {MAX_LEVELS} levels of 32 bits")

    @classmethod
    def parse(cls, text: str) -> Path:
        """Read ``m/44'/60'/0'/0/0``; ``h`` and ``H`` also mark a hardened level.

        Raises:
            ValueError: not of this form, in words.
        """
        first, *parts = text.strip().split("/")
        found = [_LEVEL.fullmatch(part) for part in parts]
        if first != "m" or not parts or None in found:
            raise ValueError(f"not a derivation path: {text[:60]!r}; for example m/44'/60'/0'/0/0")
        numbers = [(int(match[1]), bool(match[2])) for match in found if match is not None]
        if any(number >= HARDENED for number, _ in numbers):
            raise ValueError(f"a level of {text[:60]!r} is above {HARDENED - 1}")
        return cls(tuple(number | (HARDENED if hard else 0) for number, hard in numbers))

    def __str__(self) -> str:
        return "/".join(["m", *(f"{n & ~HARDENED}'" if n & HARDENED else str(n) for n in self.levels)])


def of_scheme(chain: str, scheme: str, number: int) -> Path:
    """Account `number` (from 0) of a wallet that numbers its accounts by `scheme`.

    Raises:
        ValueError: unknown chain or scheme, or a number out of range; the words name what is allowed.
    """
    schemes = SCHEMES.get(chain)
    if schemes is None or scheme not in schemes:
        allowed = ", ".join(schemes or SCHEMES)
        raise ValueError(f"unknown {'scheme' if schemes else 'chain'}; one of {allowed}")
    if not 0 <= number < HARDENED:
        raise ValueError(f"an account number is 0 to {HARDENED - 1}")
    return Path.parse(schemes[scheme].format(n=number))
