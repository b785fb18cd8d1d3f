"""An L2 order book kept from deltas."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal

Level = tuple[Decimal, Decimal]


class _Ladder:
    """One side: quantity by price, and the prices in rising order."""

    def __init__(self, levels: Iterable[Level]) -> None:
        self.quantity = {price: quantity for price, quantity in levels if quantity}
        self.prices = sorted(self.quantity)

    def change(self, levels: Iterable[Level]) -> None:
        quantity_at, prices = self.quantity, self.prices
        for price, quantity in levels:
            if quantity:
                if price not in quantity_at:
                    insort(prices, price)
                quantity_at[price] = quantity
            elif quantity_at.pop(price, None) is not None:
                del prices[bisect_left(prices, price)]


class LevelBook:
    """Both sides of one book. A level with quantity 0 is removed."""

    def __init__(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        self._bids = _Ladder(bids)
        self._asks = _Ladder(asks)

    def change(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Set the quantities of some levels."""
        self._bids.change(bids)
        self._asks.change(asks)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        bids, asks = self._bids.prices, self._asks.prices
        return bool(bids and asks and bids[-1] >= asks[0])

    def top(self, depth: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best `depth` levels of bids and asks, best first."""
        bids, asks = self._bids, self._asks
        return (
            tuple((price, bids.quantity[price]) for price in reversed(bids.prices[-depth:])),
            tuple((price, asks.quantity[price]) for price in asks.prices[:depth]),
        )
