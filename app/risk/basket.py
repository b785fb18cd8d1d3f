"""What the gate asks of a basket beyond what it asks of one order: its exact total, its count, each leg's steps.

Side, order of prices, the common stop below all legs and each target above its leg hold for every `Intent` there is.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from app.money import mul, sub, to_text, total
from storage.decimals import CONTEXT
from strategies.model import Instrument, Intent

_remainder: Final = CONTEXT.remainder


def notional(intent: Intent) -> Decimal:
    """What all its orders cost at their worst prices, without fees, in the quote asset."""
    if not intent.legs:
        return mul(intent.quantity, intent.worst_price)
    return total([mul(leg.quantity, leg.price) for leg in intent.legs])


def entries(intent: Intent) -> int:
    """How many orders it places to open its position: each counts as a trade of the day."""
    return max(1, len(intent.legs))


def legs_precision(intent: Intent, instrument: Instrument) -> tuple[str, str, str] | None:
    """Each leg's quantity in whole lots, its prices in whole ticks; or the sentence, its number and its limit."""
    for number, leg in enumerate(intent.legs, 1):
        for what, amount, step in (
            ("quantity", leg.quantity, instrument.lot),
            ("price", leg.price, instrument.tick),
            ("target", leg.target, instrument.tick),
        ):
            if not amount.is_finite() or _remainder(amount, step):
                shown, multiple = str(amount), to_text(step)
                return f"The {what} of leg {number} is {shown}; it must be a multiple of {multiple}.", shown, multiple
    return None


def loss_at_stop(intent: Intent) -> Decimal:
    """What is lost, without fees, when all legs were bought and sold again at the stop, in the quote asset."""
    assert intent.exits is not None
    return sub(notional(intent), mul(intent.quantity, intent.exits.stop))
