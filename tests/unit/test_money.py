"""Exact arithmetic above storage: compared with fractions, which can not round."""

from __future__ import annotations

import math
import threading
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_UP,
    Decimal,
    DecimalException,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    getcontext,
)
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.money import (
    add,
    apply_bps,
    div,
    from_float,
    mul,
    neg,
    places_of,
    quantise,
    round_to_step,
    sub,
    to_text,
    total,
)
from storage.decimals import CONTEXT

ROUNDINGS = [ROUND_DOWN, ROUND_UP, ROUND_FLOOR, ROUND_CEILING, ROUND_HALF_EVEN]
AMOUNTS = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent, CONTEXT),
    st.integers(-(10**30), 10**30),
    st.integers(-20, 6),
)
POSITIVE = AMOUNTS.filter(lambda amount: amount > 0)
STEPS = st.builds(lambda digits, places: Decimal(digits).scaleb(-places), st.integers(1, 2500), st.integers(0, 12))

ODD = 10**96 + 1
JUST_ABOVE = Decimal(1000 * ODD + (ODD + 1) // 2)
"""Over `ODD` it is 1000.5 and 5e-97: in a hundred digits that is a tie, and it is none."""
JUST_BELOW = Decimal(1001 * ODD + (ODD - 1) // 2)


def rounded(value: Fraction, rounding: str) -> int:
    """`value` to a whole number, by the definition of each rounding."""
    floor, ceiling = math.floor(value), math.ceil(value)
    toward_zero, away = (floor, ceiling) if value >= 0 else (ceiling, floor)
    if rounding == ROUND_HALF_EVEN:
        return round(value)
    return {ROUND_DOWN: toward_zero, ROUND_UP: away, ROUND_FLOOR: floor, ROUND_CEILING: ceiling}[rounding]


@given(AMOUNTS, AMOUNTS)
def test_add_sub_mul_neg_are_exact(one: Decimal, other: Decimal) -> None:
    assert Fraction(add(one, other)) == Fraction(one) + Fraction(other)
    assert Fraction(sub(one, other)) == Fraction(one) - Fraction(other)
    assert Fraction(mul(one, other)) == Fraction(one) * Fraction(other)
    assert Fraction(neg(one)) == -Fraction(one)


@given(st.lists(AMOUNTS, max_size=20))
def test_a_total_is_exact(amounts: list[Decimal]) -> None:
    assert Fraction(total(amounts)) == sum(map(Fraction, amounts), Fraction(0))


@pytest.mark.parametrize("rounding", ROUNDINGS)
@settings(max_examples=50)
@given(numerator=AMOUNTS, denominator=AMOUNTS.filter(bool), places=st.integers(0, 18))
@example(numerator=Decimal(1), denominator=Decimal(8), places=2)  # a tie
@example(numerator=JUST_ABOVE, denominator=Decimal(ODD), places=0)
@example(numerator=JUST_BELOW, denominator=Decimal(ODD), places=0)
@example(numerator=neg(JUST_ABOVE), denominator=Decimal(ODD), places=0)
def test_a_quotient_is_rounded_once(rounding: str, numerator: Decimal, denominator: Decimal, places: int) -> None:
    result = div(numerator, denominator, places, rounding)
    exact = Fraction(numerator) / Fraction(denominator)
    assert Fraction(result) == Fraction(rounded(exact * 10**places, rounding), 10**places)


def test_what_lies_beyond_a_hundred_digits_still_breaks_a_tie() -> None:
    odd = Decimal(ODD)
    assert div(JUST_ABOVE, odd, 0, ROUND_HALF_EVEN) == 1001
    assert div(JUST_BELOW, odd, 0, ROUND_HALF_EVEN) == 1001
    assert div(neg(JUST_ABOVE), odd, 0, ROUND_HALF_EVEN) == -1001
    assert round_to_step(JUST_ABOVE, odd, ROUND_HALF_EVEN) == mul(odd, Decimal(1001))
    assert round_to_step(JUST_BELOW, odd, ROUND_HALF_EVEN) == mul(odd, Decimal(1001))


@pytest.mark.parametrize("rounding", ROUNDINGS)
@settings(max_examples=50)
@given(amount=AMOUNTS, places=st.integers(-3, 20))
def test_quantise_rounds_to_places(rounding: str, amount: Decimal, places: int) -> None:
    scale = Fraction(10) ** places
    assert Fraction(quantise(amount, places, rounding)) == Fraction(rounded(Fraction(amount) * scale, rounding)) / scale


@pytest.mark.parametrize("rounding", ROUNDINGS)
@settings(max_examples=50)
@given(amount=AMOUNTS, step=STEPS)
def test_round_to_step_gives_a_whole_number_of_steps(rounding: str, amount: Decimal, step: Decimal) -> None:
    result = Fraction(round_to_step(amount, step, rounding))
    assert result == rounded(Fraction(amount) / Fraction(step), rounding) * Fraction(step)


@given(POSITIVE, STEPS)
def test_rounding_down_never_gives_more_and_loses_less_than_a_step(amount: Decimal, step: Decimal) -> None:
    result = round_to_step(amount, step, ROUND_DOWN)
    assert 0 <= sub(amount, result) < step
    assert round_to_step(result, step, ROUND_DOWN) == result


@given(AMOUNTS, st.integers(0, 10_000))
def test_basis_points_are_exact(amount: Decimal, bps: int) -> None:
    assert Fraction(apply_bps(amount, Decimal(bps))) == Fraction(amount) * Fraction(bps, 10_000)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_from_float_is_the_shortest_decimal_that_prints_like_it(value: float) -> None:
    amount = from_float(value)
    assert float(amount) == value
    assert amount == Decimal(str(value))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_float_that_is_no_number_is_no_amount(value: float) -> None:
    with pytest.raises(ValueError, match="no amount"):
        from_float(value)


@pytest.mark.parametrize(
    ("step", "places"), [("1", 0), ("5", 0), ("0.5", 1), ("0.10", 1), ("0.00000001", 8), ("1E+2", 0), ("0.25", 2)]
)
def test_places_of_a_step(step: str, places: int) -> None:
    assert places_of(Decimal(step)) == places


@given(STEPS)
def test_a_step_has_no_digit_beyond_its_places(step: Decimal) -> None:
    assert quantise(step, places_of(step), ROUND_DOWN) == step


def test_division_by_zero_raises() -> None:
    with pytest.raises(DivisionByZero):
        div(Decimal(1), Decimal(0), 8, ROUND_DOWN)
    with pytest.raises(InvalidOperation):
        div(Decimal(0), Decimal(0), 8, ROUND_DOWN)
    with pytest.raises(DivisionByZero):
        round_to_step(Decimal(1), Decimal(0), ROUND_DOWN)


def test_what_can_not_be_exact_raises_instead_of_rounding() -> None:
    with pytest.raises(Inexact):
        add(Decimal(10**99), Decimal("0.1"))
    with pytest.raises(Inexact):
        mul(Decimal(10**60 + 1), Decimal(10**60 + 1))
    with pytest.raises(Inexact):
        div(Decimal("1" * 101), Decimal(3), 2, ROUND_DOWN)
    with pytest.raises(DecimalException):
        quantise(Decimal(10**90), 20, ROUND_DOWN)


@pytest.mark.parametrize("operation", [add, sub, mul])
def test_a_float_never_takes_part(operation: object) -> None:
    assert callable(operation)
    with pytest.raises(TypeError):
        operation(Decimal(1), 0.5)
    with pytest.raises((TypeError, AttributeError)):
        div(0.5, Decimal(1), 2, ROUND_DOWN)  # type: ignore[arg-type] # the point


def test_a_new_threads_ambient_context_does_not_matter() -> None:
    big = Decimal(2**256 - 1)
    found: list[Decimal] = []

    def work() -> None:
        getcontext().prec = 3
        getcontext().Emax = 10
        getcontext().traps[Inexact] = True
        found.extend(
            (
                add(big, Decimal(1)),
                mul(big, Decimal(2)),
                div(big, Decimal(2), 1, ROUND_HALF_EVEN),
                round_to_step(big, Decimal(10), ROUND_DOWN),
                quantise(div(Decimal(1), Decimal(3), 30, ROUND_DOWN), 20, ROUND_UP),
                total([big, big]),
                neg(big),
                from_float(0.1),
            )
        )

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    n = 2**256 - 1
    thirds = "0." + "3" * 19 + "4"
    assert [to_text(amount) for amount in found] == [
        str(n + 1), str(2 * n), f"{n // 2}.5", str(n // 10 * 10), thirds, str(2 * n), str(-n), "0.1",
    ]  # fmt: skip
