"""What a route costs in gas.

Measured with Uniswap's contracts on anvil (tests/evm/pools/test_gas.py measures again and fails where these are off):
swaps through SwapRouter02 between tokens that the trader holds already, in pools that have been swapped in before. A
token with code of its own in its transfers costs more: what a transaction may use is decided by its own estimate; this
ranks routes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.venues.evm.pools.state import Pool
from app.venues.evm.pools.v2 import V2Pool

TRANSACTION: Final = 35_000
"""Once a route: the transaction itself, the router, the payment in."""
V2_HOP: Final = 65_000
V3_HOP: Final = 75_000
CROSSING: Final = 40_000
"""An initialised tick on the way through a V3 pool."""


@dataclass(frozen=True, slots=True)
class GasPrice:
    """What gas costs in the token that a route pays out, as a fraction: base units of it for one unit of gas.

    ``GasPrice(0)`` ranks by amounts alone.
    """

    above: int
    below: int = 1

    @classmethod
    def of(cls, wei_per_gas: int, out: int, per_wei: int) -> GasPrice:
        """From a price of the native coin: `out` base units of the token for `per_wei` wei."""
        return cls(wei_per_gas * out, per_wei)

    def cost(self, gas: int) -> int:
        """Base units of the token, rounded up."""
        return -(-gas * self.above // self.below)


FREE: Final = GasPrice(0)


def hop_gas(pool: Pool, crossed: int) -> int:
    """What one pool adds to a route."""
    return V2_HOP if isinstance(pool, V2Pool) else V3_HOP + crossed * CROSSING
