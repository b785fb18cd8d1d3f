"""What the hot signer may sign, in account currency: pure, so that it can be read and tested as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.money import add, to_text


@dataclass(frozen=True, slots=True)
class HotLimits:
    """The largest entry, and the largest sum of a day's entries (UTC), each at its worst price."""

    per_trade: Decimal
    per_day: Decimal


def over(limits: HotLimits, value: Decimal | None, before: Decimal | None) -> str | None:
    """Why an entry is not signed hot, with the number and the limit, or None.

    Args:
        value: of the entry at its worst price; None where nothing values it.
        before: what counts of today already; None where that can not be read.
    """
    if value is None:
        return "nothing values this entry, so signer.hot.per_trade can not be held against it"
    if value > limits.per_trade:
        return f"this entry is worth up to {to_text(value)}; signer.hot.per_trade allows {to_text(limits.per_trade)}"
    if before is None:
        return "what was signed hot today can not be read, so signer.hot.per_day can not be held against it"
    if add(before, value) > limits.per_day:
        return (
            f"{to_text(before)} was signed hot since 00:00 UTC and this entry is worth up to {to_text(value)}; "
            f"signer.hot.per_day allows {to_text(limits.per_day)}"
        )
    return None
