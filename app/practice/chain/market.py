"""What is traded on the practice chain: tokens, exchanges and how deep their pools are.

Prices start at 2,500 of USDC for one ETH and 50,000 for one WBTC; the exchanges differ a little, as they do.
Amounts are whole coins here and nowhere else; `base` gives base units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PlannedToken:
    """One ERC-20. `supply` and `grant` (what each funded address gets) are whole coins; `tax_bps` is burnt of every
    transfer.
    """

    symbol: str
    name: str
    decimals: int
    supply: int
    grant: int
    tax_bps: int = 0

    def base(self, whole: int) -> int:
        """Base units of whole coins."""
        return int(whole * 10**self.decimals)


@dataclass(frozen=True, slots=True)
class PlannedPair:
    """A V2 pool: whole coins on both sides."""

    dex: str
    sides: tuple[tuple[str, int], tuple[str, int]]


@dataclass(frozen=True, slots=True)
class PlannedPool:
    """A V3 pool.

    Attributes:
        fee: hundredths of a basis point.
        price: whole coins of each side that are worth the same.
        positions: half width in ticks (0: every price), and whole coins of each side at most.
    """

    fee: int
    price: tuple[tuple[str, int], tuple[str, int]]
    positions: tuple[tuple[int, int, int], ...]


WRAPPED: Final = PlannedToken("WETH", "Wrapped Ether", 18, 0, 0)
"""Its contract is WETH9; its supply is what is wrapped."""
WRAP: Final = 20_000
"""Coins the deployer wraps for the pools."""
NATIVE_GRANT: Final = 100
"""Coins that each funded address gets."""
TOKENS: Final = (
    PlannedToken("USDC", "Practice USD Coin", 6, 1_000_000_000, 250_000),
    PlannedToken("DAI", "Practice Dai", 18, 1_000_000_000, 250_000),
    PlannedToken("WBTC", "Practice Bitcoin", 8, 100_000, 5),
    PlannedToken("PUP", "Practice Small Cap", 18, 100_000_000, 500_000),
    PlannedToken("TAX", "Practice Taxed Token", 18, 100_000_000, 100_000, tax_bps=200),
)
V2: Final = "uniswap-v2"
V2B: Final = "v2b"
V3: Final = "uniswap-v3"
TIERS: Final = {100: 1, 500: 10, 3000: 60, 10_000: 200}
"""V3's fees, hundredths of a basis point, and their tick spacings."""

PAIRS: Final = (
    PlannedPair(V2, (("WETH", 2_000), ("USDC", 5_000_000))),
    PlannedPair(V2, (("WBTC", 100), ("WETH", 2_000))),
    PlannedPair(V2, (("DAI", 1_000_000), ("USDC", 1_000_000))),
    PlannedPair(V2, (("PUP", 4_000_000), ("WETH", 80))),
    PlannedPair(V2, (("TAX", 1_000_000), ("WETH", 40))),
    PlannedPair(V2B, (("WETH", 600), ("USDC", 1_503_000))),
    PlannedPair(V2B, (("WBTC", 20), ("USDC", 1_001_000))),
    PlannedPair(V2B, (("PUP", 1_010_000), ("WETH", 20))),
)
POOLS: Final = (
    PlannedPool(
        500,
        (("WETH", 1), ("USDC", 2_500)),
        ((0, 200, 500_000), (1_000, 1_500, 3_750_000), (100, 500, 1_250_000)),
    ),
    PlannedPool(3000, (("WETH", 1), ("USDC", 2_500)), ((0, 300, 750_000), (1_800, 800, 2_000_000))),
    PlannedPool(3000, (("WBTC", 1), ("WETH", 20)), ((0, 40, 800), (1_800, 60, 1_200))),
    PlannedPool(3000, (("WBTC", 1), ("USDC", 50_000)), ((0, 10, 500_000), (1_800, 30, 1_500_000))),
    PlannedPool(100, (("DAI", 1), ("USDC", 1)), ((0, 100_000, 100_000), (50, 2_000_000, 2_000_000))),
    PlannedPool(10_000, (("PUP", 50_000), ("WETH", 1)), ((0, 2_000_000, 40),)),
)


def token(symbol: str) -> PlannedToken:
    """A planned token by its symbol."""
    return next(each for each in (WRAPPED, *TOKENS) if each.symbol == symbol)
