"""Exact decimals: one context, one text form, one aggregate.

Amounts are stored as TEXT in *canonical plain* form: no exponent, no trailing zeros, no leading
zeros, ``-0`` is ``0``. Two equal amounts are therefore equal texts, and a row hash of the text is
a hash of the amount. SQLite's own SUM would turn TEXT into a binary float (5.55e-17 for 0.1+0.2-0.3)
and INTEGER overflows at 9.2 ETH in wei, so sums use `ExactSum`, registered as ``exact_sum``.
"""

from __future__ import annotations

from decimal import (
    ROUND_HALF_EVEN,
    Clamped,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
    Underflow,
)

CONTEXT = Context(
    prec=100,
    rounding=ROUND_HALF_EVEN,
    traps=[Inexact, InvalidOperation, FloatOperation, DivisionByZero, Overflow, Underflow, Clamped],
)
"""The ledger's arithmetic: an operation is exact or it raises."""

_ZERO = Decimal(0)


def to_text(amount: Decimal) -> str:
    """Canonical plain text of a finite decimal.

    Raises:
        TypeError: `amount` is not a Decimal (a float must never get this far).
        ValueError: `amount` is NaN or infinite.
    """
    if not isinstance(amount, Decimal):
        raise TypeError(f"an amount must be Decimal, not {type(amount).__name__}")
    if not amount.is_finite():
        raise ValueError(f"an amount must be finite, not {amount}")
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def from_text(text: str) -> Decimal:
    """The decimal of a canonical text.

    Raises:
        TypeError: `text` is not a str.
        ValueError: `text` is not the canonical form of a finite decimal of at most 100 digits.
    """
    if not isinstance(text, str):
        raise TypeError(f"an amount is read from str, not {type(text).__name__}")
    try:
        amount = CONTEXT.create_decimal(text)
    except DecimalException as error:
        raise ValueError(f"{text[:120]!r} is not a canonical amount") from error
    # 1e999999 is a valid decimal and a megabyte of plain text; a canonical text never needs an exponent
    if "e" in text or "E" in text or to_text(amount) != text:
        raise ValueError(f"{text!r} is not a canonical amount")
    return amount


class ExactSum:
    """SQLite aggregate ``exact_sum(text)``: the exact sum as canonical text; NULLs are skipped.

    Over no row at all SQLite gives NULL without asking us.
    """

    def __init__(self) -> None:
        self._total = _ZERO

    def step(self, text: str | None) -> None:
        """Add one value."""
        if text is not None:
            self._total = CONTEXT.add(self._total, CONTEXT.create_decimal(text))

    def finalize(self) -> str:
        """The sum so far."""
        return to_text(self._total)
