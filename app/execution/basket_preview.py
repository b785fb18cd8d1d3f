"""What a basket would do to the book, shown before it is confirmed: what each leg takes at once and what rests, what
all of it may cost, and what is lost when everything was bought and the stop sells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from app.execution.preview import Preview, measured, walk
from app.money import ZERO, add, div, mul, sub, to_text
from app.risk.basket import loss_at_stop, notional
from strategies.model import Book, Intent, Leg, Side

_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class LegPreview:
    """One leg.

    Attributes:
        takes: base units that the visible book gives at once, after the legs above it; the rest waits at its price.
        below_ask_bps: distance of its price below the ask, rounded to 2 places; negative: it is above, and takes.
    """

    leg: Leg
    takes: Decimal
    below_ask_bps: Decimal | None

    def as_json(self) -> dict[str, str | None]:
        """For the database and ``--json``."""
        return {
            "price": to_text(self.leg.price),
            "quantity": to_text(self.leg.quantity),
            "target": to_text(self.leg.target),
            "takes": to_text(self.takes),
            "rests": to_text(sub(self.leg.quantity, self.takes)),
            "below_ask_bps": None if self.below_ask_bps is None else to_text(self.below_ask_bps),
        }


@dataclass(frozen=True, slots=True)
class BasketPreview:
    """The book walked for all legs, the highest price first.

    Attributes:
        now: what all legs together take at once.
        worst_cost: quote units that all legs can cost, the signed fee included; what is reserved.
        stop_loss: quote units lost when all legs were bought at their prices and sold at the stop, the signed fee
            included; the fee of that sale, and what it slips beyond the stop, come on top.
    """

    now: Preview
    legs: tuple[LegPreview, ...]
    worst_cost: Decimal
    stop_loss: Decimal

    @property
    def fee(self) -> Decimal:
        """Of what is taken at once."""
        return self.now.fee

    def as_json(self) -> dict[str, Any]:
        """The document of one order, with the legs and both totals."""
        return {
            **self.now.as_json(),
            "legs": [leg.as_json() for leg in self.legs],
            "worst_cost": to_text(self.worst_cost),
            "stop_loss": to_text(self.stop_loss),
        }


def walk_legs(book: Book, intent: Intent, taker_fee_bps: Decimal) -> BasketPreview:
    """Walk `book` for each leg; what one takes the next does not find."""
    left, legs, filled, paid = book, [], ZERO, ZERO
    for leg in intent.legs:
        mine = walk(left, Side.BUY, leg.quantity, leg.price, taker_fee_bps)
        left = replace(left, asks=_without(left.asks, mine.filled))
        filled, paid = add(filled, mine.filled), add(paid, mine.notional)
        legs.append(LegPreview(leg, mine.filled, _below(book, leg.price)))
    return BasketPreview(
        now=measured(book, Side.BUY, filled, paid, taker_fee_bps),
        legs=tuple(legs),
        worst_cost=add(notional(intent), intent.max_fee),
        stop_loss=add(loss_at_stop(intent), intent.max_fee),
    )


def lines(preview: Mapping[str, Any]) -> list[str]:
    """A stored preview of a basket in words, one line a leg and one of totals; none for one order."""
    result = []
    for number, leg in enumerate(preview.get("legs", ()), 1):
        now = f"takes {leg['takes']} at once, rests {leg['rests']}"
        if leg["takes"] == "0":
            now = "rests" if leg["below_ask_bps"] is None else f"rests {leg['below_ask_bps']} bps below the ask"
        result.append(f"Leg {number}: {leg['quantity']} at {leg['price']} {now}; sells at {leg['target']}.")
    if result:
        result.append(
            f"All legs cost at most {preview['worst_cost']}; when all are bought and the stop sells them, "
            f"{preview['stop_loss']} is lost, the stop's own fee and slippage on top."
        )
    return result


def _without(levels: tuple[tuple[Decimal, Decimal], ...], quantity: Decimal) -> tuple[tuple[Decimal, Decimal], ...]:
    rest, left = [], quantity
    for price, size in levels:
        taken = min(size, left)
        left = sub(left, taken)
        if size > taken:
            rest.append((price, sub(size, taken)))
    return tuple(rest)


def _below(book: Book, price: Decimal) -> Decimal | None:
    if not book.asks:
        return None
    ask = book.asks[0][0]
    return div(mul(sub(ask, price), _BPS), ask, 2, ROUND_HALF_EVEN)
