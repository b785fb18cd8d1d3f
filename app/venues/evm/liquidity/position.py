"""A position of liquidity: what never changes of it, and how it was at one block."""

from __future__ import annotations

from dataclasses import dataclass

from app.venues.evm.pools.positions import burnt
from app.venues.evm.pools.state import At


@dataclass(frozen=True, slots=True)
class Position:
    """What a position was opened with, which never changes.

    Attributes:
        dex: name of its exchange.
        manager: that exchange's NonfungiblePositionManager; numbers are its own.
        fee: the pool's, hundredths of a basis point.
        lower, upper: ticks.
    """

    dex: str
    manager: bytes
    number: int
    token0: bytes
    token1: bytes
    fee: int
    lower: int
    upper: int


@dataclass(frozen=True, slots=True)
class Held:
    """A position as it was at one block.

    Attributes:
        pool: its address.
        root, tick: the pool's price, as its slot0 has it.
        fees0, fees1: what collecting would pay, to the unit: fees, and what was taken out and not yet collected.
    """

    position: Position
    at: At
    pool: bytes
    root: int
    tick: int
    liquidity: int
    fees0: int
    fees1: int

    @property
    def amounts(self) -> tuple[int, int]:
        """What its liquidity would pay, fees not counted."""
        if not self.liquidity:
            return 0, 0
        return burnt(self.root, self.tick, self.position.lower, self.position.upper, self.liquidity)

    @property
    def in_range(self) -> bool:
        """It earns fees at this price."""
        return bool(self.liquidity) and self.position.lower <= self.tick < self.position.upper

    @property
    def empty(self) -> bool:
        """There is nothing to be had from it."""
        return not (self.liquidity or self.fees0 or self.fees1)
