"""Exact money arithmetic for everything above storage.

`add`, `sub`, `mul` are exact or raise (`storage.decimals.CONTEXT`); `div` and `quantise` name their
rounding. Ordinary operators would use the thread's ambient context, which has 28 digits in a new
thread and rounds 2**256-1 without a word.
"""

from __future__ import annotations

from decimal import (
    ROUND_05UP,
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_UP,
    Context,
    Decimal,
)
from functools import cache
from typing import Final

from storage.decimals import CONTEXT, from_text, to_text

__all__ = [
    "BPS",
    "CEILING",
    "DOWN",
    "FLOOR",
    "UP",
    "ZERO",
    "add",
    "apply_bps",
    "div",
    "from_float",
    "from_text",
    "mul",
    "neg",
    "places_of",
    "quantise",
    "round_to_step",
    "sub",
    "to_text",
    "total",
]

ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
BPS: Final = Decimal("0.0001")
"""One basis point."""

DOWN: Final = ROUND_DOWN
UP: Final = ROUND_UP
FLOOR: Final = ROUND_FLOOR
CEILING: Final = ROUND_CEILING

add = CONTEXT.add
sub = CONTEXT.subtract
mul = CONTEXT.multiply
neg = CONTEXT.minus

_whole: Final = CONTEXT.divide_int  # truncates, and traps instead of losing a digit
_TRUNCATES: Final = (DOWN, FLOOR)
_TRAPS: Final = [trap for trap, on in CONTEXT.traps.items() if on and trap.__name__ != "Inexact"]
_ROUNDING: Final = {
    rounding: Context(prec=100, rounding=rounding, traps=_TRAPS)
    for rounding in (ROUND_DOWN, ROUND_UP, ROUND_FLOOR, ROUND_CEILING, ROUND_HALF_EVEN)
}
_STICKY: Final = Context(prec=110, rounding=ROUND_05UP, traps=_TRAPS)
"""For a quotient that is rounded afterwards. Its last digit is never 0 or 5 unless it is exact, so the second rounding
sees which side of a tie it is on, and the result is as if rounded once (General Decimal Arithmetic, round-05up)."""


def total(amounts: list[Decimal] | tuple[Decimal, ...]) -> Decimal:
    """Exact sum; of nothing it is 0."""
    result = ZERO
    for amount in amounts:
        result = add(result, amount)
    return result


def quantise(amount: Decimal, places: int, rounding: str) -> Decimal:
    """`amount` rounded to `places` decimals, `rounding` named by the caller."""
    return amount.quantize(_unit(places), rounding=rounding, context=_ROUNDING[rounding])


@cache
def _unit(places: int) -> Decimal:
    return CONTEXT.scaleb(_ONE, -places)


def div(numerator: Decimal, denominator: Decimal, places: int, rounding: str) -> Decimal:
    """Quotient rounded once, to `places` decimals.

    Raises:
        decimal.DivisionByZero: `denominator` is 0.
    """
    quotient = _STICKY.divide(CONTEXT.scaleb(numerator, places), denominator)
    whole = quotient.quantize(_ONE, rounding=rounding, context=_ROUNDING[rounding])
    return CONTEXT.scaleb(whole, -places)


def round_to_step(amount: Decimal, step: Decimal, rounding: str) -> Decimal:
    """`amount` rounded to a whole multiple of `step` (tick or lot), exactly."""
    if amount >= ZERO and rounding in _TRUNCATES:
        return mul(_whole(amount, step), step)  # a third of the time, and nearly every call
    multiple = _STICKY.divide(amount, step).quantize(_ONE, rounding=rounding, context=_ROUNDING[rounding])
    return mul(multiple, step)


def apply_bps(amount: Decimal, bps: Decimal) -> Decimal:
    """`bps` basis points of `amount`, exact."""
    return mul(amount, mul(bps, BPS))


def from_float(value: float) -> Decimal:
    """The shortest decimal that prints like `value`: the one door from statistics to an amount.

    Raises:
        ValueError: `value` is NaN or infinite.
    """
    result = Decimal(repr(value))
    if not result.is_finite():
        raise ValueError(f"{value!r} is no amount")
    return result


def places_of(step: Decimal) -> int:
    """Decimals of a tick or lot: 8 for 0.00000001, 0 for 5."""
    exponent = step.normalize(CONTEXT).as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
