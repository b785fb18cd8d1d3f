"""What a signed text says, whichever of its forms it has: one trade, or a basket of several resting buys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from app.execution.records import slot
from app.ids import client_order_id
from app.money import add, mul, sub, total
from strategies.model import Leg, Side

MOST_IN_LINE: Final = 60
"""Characters; more would scroll over four pages of the smallest device."""

AMOUNT: Final = r"(0|[1-9]\d{0,39}|(?:0|[1-9]\d{0,39})\.\d{1,40})"
SYMBOL: Final = r"([A-Z0-9]{1,20}-[A-Z0-9]{1,20}(?:-PERP)?)"
ASSET: Final = r"([A-Z0-9]{1,20}(?:-[A-Z0-9]{1,20}-PERP)?)"
HEX: Final = r"([0-9a-f]{32})"
UNTIL: Final = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)"


@dataclass(frozen=True, slots=True)
class Part:
    """One entry (or close) with its exits: at most `quantity`, no worse than `worst_price`."""

    quantity: Decimal
    worst_price: Decimal
    target: Decimal | None


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What the text says.

    Attributes:
        quantity: of a basket, all its legs together.
        worst_price: of a basket, that of its first leg.
        max_fee: quote asset, all fills of the entries (or the close) together.
        group: the exits this sale shares its quantity with, when it closes a covered position.
        time_in_force_ms: how long an entry may rest once submitted.
        valid_until_ms: whole seconds; the venue accepts nothing after it.
        rests: it is one limit that may wait away from the market for that long; the legs of a basket always may.
        legs: of a basket; empty for one trade. Each has its own target, and `stop` is common to all.
    """

    trade_id: str
    side: Side
    quantity: Decimal
    symbol: str
    quote: str
    venue: str
    worst_price: Decimal
    max_fee: Decimal
    stop: Decimal | None
    target: Decimal | None
    reduce_only: bool
    group: str | None
    time_in_force_ms: int
    valid_until_ms: int
    rests: bool = False
    legs: tuple[Leg, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """The legs of a basket, or the one entry or close there is. Order and exits of the n-th are its n-th slots."""
        if self.legs:
            return tuple(Part(leg.quantity, leg.price, leg.target) for leg in self.legs)
        return (Part(self.quantity, self.worst_price, self.target),)

    @property
    def bound(self) -> Decimal:
        """Most that is paid (buy), least that is received (sell), fee included, in the quote asset."""
        notional = total([mul(part.quantity, part.worst_price) for part in self.parts])
        return add(notional, self.max_fee) if self.side is Side.BUY else sub(notional, self.max_fee)

    @property
    def basket(self) -> str | None:
        """The name that ties the orders of a basket at the venue; None for one trade."""
        return client_order_id(self.trade_id, "basket") if self.legs else None


def exit_group(trade_id: str, number: int = 1) -> str:
    """The group that the exits of a trade's `number`-th entry share."""
    return client_order_id(trade_id, slot("exits", number))


def until_text(valid_until_ms: int) -> str:
    """The end of an authorisation for reading."""
    return f"{datetime.fromtimestamp(valid_until_ms // 1000, UTC):%Y-%m-%d %H:%M:%S}"


def until_ms(text: str) -> int:
    """The inverse of `until_text`.

    Raises:
        ValueError: no such day or time.
    """
    return int(datetime.strptime(f"{text}+0000", "%Y-%m-%d %H:%M:%S%z").timestamp()) * 1000
