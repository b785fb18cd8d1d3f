"""What a trade does on a chain where it neither buys nor sells one instrument: `Intent.act`.

Amounts are whole units (`Decimal`), assets symbols of the settings, addresses 0x text. An act is a wish: which bytes
fulfil it is decided when it is prepared, within the bounds that it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Cycle:
    """Pay `amount` of `asset`, go through `pools` one after the other, and have at least `amount + gain` back, in one
    transaction or not at all.

    Attributes:
        gain: the least that is won, before gas; above 0.
        pools: their addresses in the order in which they are gone through.
    """

    asset: str
    amount: Decimal
    gain: Decimal
    pools: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.amount <= _ZERO or self.gain <= _ZERO or len(self.pools) < 2:
            raise ValueError(f"a cycle pays something, wins something, and goes through two pools at least: {self}")


@dataclass(frozen=True, slots=True)
class Provide:
    """Open a position of liquidity in the intent's instrument: at most `base` and `quote` go into the pool of that fee,
    between two prices (quote for one of base)."""

    base: Decimal
    quote: Decimal
    fee_ppm: int
    lower: Decimal
    upper: Decimal

    def __post_init__(self) -> None:
        if min(self.base, self.quote) < _ZERO or not (self.base or self.quote):
            raise ValueError(f"a position of liquidity takes something of one asset at least: {self}")
        if not _ZERO < self.lower < self.upper:
            raise ValueError(f"the lower price is above 0 and below the upper: {self}")


@dataclass(frozen=True, slots=True)
class Collect:
    """Take the fees that a position of liquidity has earned. `position`: its name, ``EXCHANGE:NUMBER``."""

    position: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take everything out of a position of liquidity, with its fees, and end it. `position`: its name."""

    position: str


@dataclass(frozen=True, slots=True)
class Revoke:
    """Take back what `spender` may take of `token`.

    Attributes:
        token: symbol or address; of positions of liquidity ``EXCHANGE:NUMBER`` or ``EXCHANGE:all``.
        inner: through Permit2, which keeps such permissions itself.
    """

    token: str
    spender: str
    inner: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """Do nothing in the place of a transaction that was sent and waits: the intent's `replaces`."""


Act = Cycle | Provide | Collect | Withdraw | Revoke | Cancel
