"""Amounts as the firmware writes them."""

from __future__ import annotations


def grouped(amount: int, decimals: int) -> str:
    """`amount` units of 10^-decimals: thousands in groups, no needless zeros."""
    whole, part = divmod(amount, 10**decimals)
    digits = f"{part:0{decimals}}".rstrip("0") if decimals else ""
    return f"{whole:,}.{digits}" if digits else f"{whole:,}"
