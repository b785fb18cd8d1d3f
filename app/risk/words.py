"""Numbers as the gate's reasons show them: plain, and never looking smaller than what they broke."""

from __future__ import annotations

from decimal import Decimal

from app.money import UP, quantise


def shown(amount: Decimal) -> str:
    """Without an exponent."""
    return format(amount, "f")


def usd(amount: Decimal) -> str:
    """Account currency, rounded up to cents."""
    return shown(quantise(amount, 2, UP))


def seconds(ms: int) -> str:
    """``1.5``, ``-0.5``, ``60``."""
    text = f"{abs(ms) // 1000}.{abs(ms) % 1000:03d}".rstrip("0").rstrip(".")
    return f"-{text}" if ms < 0 else text
