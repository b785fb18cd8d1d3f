"""What a strategy wants done on a chain instead of a trade: `Signal.act`. Statistics, so float: the engine makes
amounts of them, rounds them to `unit`s and keeps them within the module's capital.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from strategies.acts import Collect, Withdraw


@dataclass(frozen=True, slots=True)
class CycleWish:
    """`Cycle`: through pools and back, in one transaction.

    Attributes:
        amount: of the asset; less of it where less may be spent.
        expected: what that wins before gas. Of a part of the amount at least that part of it: what pools pay for more
            grows ever more slowly.
        least: that must be won before gas, whatever the amount.
        unit: the smallest amount of the asset.
    """

    asset: str
    amount: float
    expected: float
    least: float
    pools: tuple[str, ...]
    unit: Decimal


@dataclass(frozen=True, slots=True)
class ProvideWish:
    """`Provide`: liquidity in the pool of that fee between two prices, at most `base` and `quote`."""

    base: float
    quote: float
    fee_ppm: int
    lower: float
    upper: float
    base_unit: Decimal
    quote_unit: Decimal


ActWish = CycleWish | ProvideWish | Collect | Withdraw
"""The last two need no amounts."""
