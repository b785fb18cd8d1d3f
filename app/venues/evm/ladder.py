"""A market between two tokens as a book, from the pools of one block: what is received or paid for more and more of it,
step by step, pool fees included. Its levels can be traded as they stand, by the router, until the next block.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, TypeAlias

from app.money import CEILING, DOWN, FLOOR, div, round_to_step
from app.venues.evm.chain import Token
from app.venues.evm.pools.state import Pools
from app.venues.evm.routing.best import best_in, best_out
from app.venues.evm.routing.graph import Graph
from app.venues.evm.taxed import TaxedMarket
from strategies.model import Book, Instrument

_STEPS: Final = tuple(4**n for n in range(9))
"""Sizes of the levels' ends, in units of the first: of ten dollars, up to half a million."""
_PLACES: Final = 24
Levels: TypeAlias = tuple[tuple[Decimal, Decimal], ...]


def ladder(
    pools: Pools,
    instrument: Instrument,
    base: Token,
    quote: Token,
    first: Decimal,
    ts_ms: int,
    taxed: TaxedMarket | None = None,
) -> Book:
    """The book of `instrument`.

    Args:
        first: base units to the end of the first level; smaller than anybody trades, so that the touch is the price.
        taxed: where one of its tokens takes a share of each transfer, which its prices then contain.
    """
    graph, unit = Graph.of(pools.pools), max(base.base_units(round_to_step(first, base.unit, DOWN)), 1)

    def sold(amount: int) -> int | None:
        if taxed is not None:
            return taxed.sold(amount)
        route = best_in(graph, base.address, quote.address, amount)
        return None if route is None else route.amount_out

    def bought(amount: int) -> int | None:
        if taxed is not None:
            return taxed.bought(amount)
        route = best_out(graph, quote.address, base.address, amount)
        return None if route is None else route.amount_in

    bids = _levels(unit, sold, base, quote, instrument, FLOOR)
    asks = _levels(unit, bought, base, quote, instrument, CEILING)
    return Book(instrument.symbol, ts_ms, *_uncrossed(bids, asks))


def _uncrossed(bids: Levels, asks: Levels) -> tuple[Levels, Levels]:
    """One exchange may sell for less than another pays, until somebody trades that away. A book can not say so; each
    side then shows no better than the other's touch, which is worse than what a trade would get."""
    if not bids or not asks or bids[0][0] < asks[0][0]:
        return bids, asks
    bid, ask = bids[0][0], asks[0][0]
    return tuple((min(price, ask), size) for price, size in bids), tuple(
        (max(price, bid), size) for price, size in asks
    )


def _levels(
    unit: int, value: Callable[[int], int | None], base: Token, quote: Token, instrument: Instrument, rounding: str
) -> Levels:
    """Prices to the side that favours nobody but the pools, on the tick; levels of one price become one."""
    levels: list[tuple[Decimal, Decimal]] = []
    taken, worth = 0, 0
    for step in _STEPS:
        now = value(unit * step)
        if now is None or now <= worth:
            break
        size = base.amount(unit * step - taken)
        price = round_to_step(div(quote.amount(now - worth), size, _PLACES, rounding), instrument.tick, rounding)
        if price > 0:
            levels.append((price, size))
        taken, worth = unit * step, now
    return tuple(levels)
