"""A book made from a price and a volume, for recordings without one. Used by the preview and by the paper venue, so
that what the trader is shown is what the venue fills against."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.money import CEILING, DOWN, FLOOR, ZERO, add, div, mul, neg, round_to_step, sub
from strategies.model import Book, Instrument

_HALF_BPS: Final = Decimal("0.00005")


@dataclass(frozen=True, slots=True)
class SyntheticSettings:
    """How a synthetic book is made.

    Attributes:
        spread_bps: distance of best ask and best bid, basis points of the price; ticks may widen it.
        depth_share: quantity of each side as a share of the bar's volume.
        levels: price levels a side, at most.
    """

    spread_bps: Decimal = Decimal(10)
    depth_share: Decimal = Decimal("0.1")
    levels: int = 5

    def __post_init__(self) -> None:
        if not ZERO <= self.spread_bps < 10_000:
            raise ValueError(f"spread_bps is {self.spread_bps}; allowed: 0 to below 10000")
        if not ZERO <= self.depth_share <= 1:
            raise ValueError(f"depth_share is {self.depth_share}; allowed: 0 to 1")
        if not 1 <= self.levels <= 100:
            raise ValueError(f"levels is {self.levels}; allowed: 1 to 100")


def synthetic_book(
    symbol: str,
    ts_ms: int,
    price: Decimal,
    volume: Decimal,
    instrument: Instrument,
    spread_bps: Decimal,
    depth_share: Decimal,
    levels: int,
) -> Book:
    """A book around `price`, marked synthetic.

    The best ask is `price` plus half the spread, rounded up to the tick; the best bid `price` minus half of it, rounded
    down, and at least one tick below the price: bid < price <= ask. Further levels follow at half the spread, at least
    a tick. Level k holds k parts (a book is thin at the touch), rounded down to the lot on the running sum, so that a
    side holds exactly `depth_share` of `volume` rounded down to the lot. Bids that would be at 0 or below are left out.

    Args:
        volume: base units of the bar the book stands for; 0 gives empty sides.
    """
    tick, lot = instrument.tick, instrument.lot
    half = mul(price, mul(spread_bps, _HALF_BPS))
    ask = round_to_step(add(price, half), tick, CEILING)
    bid = round_to_step(sub(price, half), tick, FLOOR)
    if bid >= price:
        bid = sub(bid, tick)
    step = max(tick, round_to_step(half, tick, CEILING))
    depth = round_to_step(mul(volume, depth_share), lot, DOWN)
    bids = 1 + int(div(sub(bid, tick), step, 0, FLOOR)) if bid > ZERO else 0
    return Book(
        symbol,
        ts_ms,
        _side(bid, neg(step), min(levels, bids), depth, lot),
        _side(ask, step, levels, depth, lot),
        synthetic=True,
    )


def _side(
    first: Decimal, step: Decimal, levels: int, depth: Decimal, lot: Decimal
) -> tuple[tuple[Decimal, Decimal], ...]:
    parts = Decimal(levels * (levels + 1) // 2)
    result: list[tuple[Decimal, Decimal]] = []
    done, price = ZERO, first
    for level in range(1, levels + 1):
        share = Decimal(level * (level + 1) // 2)
        # Dividing last and rounding once: the running sum of the last level is the depth itself.
        upto = mul(div(mul(depth, share), mul(parts, lot), 0, FLOOR), lot)
        if upto > done:
            result.append((price, sub(upto, done)))
        done, price = upto, add(price, step)
    return tuple(result)
