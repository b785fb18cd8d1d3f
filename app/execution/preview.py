"""What a trade would do to the book, shown before it is confirmed: filled quantity, average price, impact, fee."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from app.money import UP, ZERO, add, apply_bps, div, mul, quantise, sub, to_text
from strategies.model import Book, Side

FEE_PLACES = 8
_BPS = Decimal(10_000)
_ROUNDINGS = Decimal(100).scaleb(-FEE_PLACES)


@dataclass(frozen=True, slots=True)
class Preview:
    """The book walked for one order.

    Attributes:
        filled: base units the visible book gives within the limit.
        notional: quote units for that.
        average: quote per base, rounded to 12 places for display.
        impact_bps: distance of the average from the touch, rounded to 2 places.
        fee: at the venue's taker rate, rounded up as the venue rounds.
    """

    filled: Decimal
    notional: Decimal
    average: Decimal | None
    impact_bps: Decimal | None
    fee: Decimal
    synthetic: bool
    book_ms: int

    def as_json(self) -> dict[str, str | int | bool | None]:
        """For the database and ``--json``."""
        return {
            "filled": to_text(self.filled),
            "notional": to_text(self.notional),
            "average": None if self.average is None else to_text(self.average),
            "impact_bps": None if self.impact_bps is None else to_text(self.impact_bps),
            "fee": to_text(self.fee),
            "synthetic_book": self.synthetic,
            "book_ms": self.book_ms,
        }


def walk(book: Book, side: Side, quantity: Decimal, limit: Decimal, taker_fee_bps: Decimal) -> Preview:
    """Take `quantity` from the book, best level first, no level beyond `limit`."""
    levels = book.asks if side is Side.BUY else book.bids
    filled, notional = ZERO, ZERO
    for price, size in levels:
        if filled == quantity or (price > limit if side is Side.BUY else price < limit):
            break
        taken = min(size, sub(quantity, filled))
        filled = add(filled, taken)
        notional = add(notional, mul(taken, price))
    return measured(book, side, filled, notional, taker_fee_bps)


def measured(book: Book, side: Side, filled: Decimal, notional: Decimal, taker_fee_bps: Decimal) -> Preview:
    """What taking `filled` for `notional` from `book` means."""
    levels = book.asks if side is Side.BUY else book.bids
    average = impact = None
    if filled:
        average = div(notional, filled, 12, ROUND_HALF_EVEN)
        distance = sub(average, levels[0][0]) if side is Side.BUY else sub(levels[0][0], average)
        impact = div(mul(distance, _BPS), levels[0][0], 2, ROUND_HALF_EVEN)
    fee = quantise(apply_bps(notional, taker_fee_bps), FEE_PLACES, UP)
    return Preview(filled, notional, average, impact, fee, book.synthetic, book.ts_ms)


def fee_bound(quantity: Decimal, worst_price: Decimal, fee_bps: Decimal) -> Decimal:
    """The most the fills of one order can cost in fees. A venue rounds each fill up; a hundred are allowed for."""
    return add(fee_at(quantity, worst_price, fee_bps), _ROUNDINGS)


def fee_at(quantity: Decimal, price: Decimal, fee_bps: Decimal) -> Decimal:
    """The fee of one fill, rounded up as the venue rounds."""
    return quantise(apply_bps(mul(quantity, price), fee_bps), FEE_PLACES, UP)
