"""One text for one amount, and sums that are exact or refuse."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from decimal import Decimal, DivisionByZero, FloatOperation, Inexact, InvalidOperation, Overflow, getcontext
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.database import connect, open_for_trading
from storage.decimals import CONTEXT, ExactSum, from_text, to_text

BIG = 2**256 - 1
AMOUNTS = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent, CONTEXT),
    st.integers(-(10**45), 10**45),
    st.integers(-30, 20),
)
"""Up to 45 digits with up to 30 decimals: every amount of ours, and room."""


@given(AMOUNTS)
def test_a_text_reads_back_as_the_same_amount(amount: Decimal) -> None:
    assert from_text(to_text(amount)) == amount


@given(AMOUNTS, st.integers(0, 20))
def test_equal_amounts_have_equal_texts_however_they_are_written(amount: Decimal, zeros: int) -> None:
    padded = Decimal((amount.as_tuple().sign, (*amount.as_tuple().digits, *[0] * zeros), _exponent(amount) - zeros))
    assert padded == amount
    assert to_text(padded) == to_text(amount)


@given(AMOUNTS, AMOUNTS)
def test_different_amounts_have_different_texts(one: Decimal, other: Decimal) -> None:
    assert (to_text(one) == to_text(other)) == (one == other)


@given(AMOUNTS)
def test_a_text_is_plain(amount: Decimal) -> None:
    text = to_text(amount)
    whole, point, decimals = text.removeprefix("-").partition(".")
    assert whole.isdigit()
    assert whole == "0" or not whole.startswith("0")
    assert not point or (decimals.isdigit() and not decimals.endswith("0"))
    assert text != "-0"


def _exponent(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("-0", "0"), ("-0.000", "0"), ("0E+5", "0"), ("1E+3", "1000"), ("1E-18", "0.000000000000000001"),
        ("100", "100"), ("1.10", "1.1"), ("-1.0", "-1"), ("00012.50", "12.5"),
    ],
)  # fmt: skip
def test_texts_of_known_amounts(amount: str, text: str) -> None:
    assert to_text(Decimal(amount)) == text


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "1.0", "1.", ".5", "01", "-0", "+1", "1e3", "1E3", "1 ", " 1", "1_000", "1,5", "NaN", "sNaN",
        "Infinity", "-Infinity", "0x10", "\uff11\uff12", "abc", "1e999999", "1e9999999999", "--1",
        "1" * 101, "0." + "3" * 101,
    ],
)  # fmt: skip
def test_a_text_that_is_not_canonical_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a canonical amount|must be finite"):
        from_text(text)


@pytest.mark.parametrize("value", [None, 1, 1.5, b"1", Decimal(1)])
def test_only_text_is_read(value: object) -> None:
    with pytest.raises(TypeError, match="str"):
        from_text(value)  # type: ignore[arg-type] # the point


@pytest.mark.parametrize("value", [1.5, 1, "1", None, True])
def test_only_a_decimal_has_a_text(value: object) -> None:
    with pytest.raises(TypeError, match="Decimal"):
        to_text(value)  # type: ignore[arg-type] # the point


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_no_amount_is_infinite(value: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        to_text(Decimal(value))


@given(st.lists(AMOUNTS, max_size=30))
def test_the_sum_is_the_sum_of_fractions(amounts: list[Decimal]) -> None:
    total = ExactSum()
    for amount in amounts:
        total.step(to_text(amount))
    assert Fraction(total.finalize()) == sum(map(Fraction, amounts), Fraction(0))


@settings(max_examples=40)
@given(st.lists(AMOUNTS, min_size=1, max_size=12))
def test_sql_sums_are_exact_and_grouped(amounts: list[Decimal]) -> None:
    rows = [("even" if n % 2 else "odd", to_text(amount)) for n, amount in enumerate(amounts)]
    database = _functions()
    database.execute("CREATE TABLE t (name TEXT, amount TEXT) STRICT")
    database.executemany("INSERT INTO t VALUES (?, ?)", rows)
    database.execute("INSERT INTO t VALUES ('odd', NULL)")
    sums = dict(database.execute("SELECT name, exact_sum(amount) FROM t GROUP BY name"))
    for name, total in sums.items():
        assert Fraction(total) == sum((Fraction(text) for key, text in rows if key == name), Fraction(0))
        assert to_text(Decimal(total)) == total
    assert database.execute("SELECT exact_sum(amount) FROM t WHERE name = 'none'").fetchone() == (None,)
    database.close()


@settings(max_examples=40)
@given(AMOUNTS, AMOUNTS)
def test_sql_addition_is_exact(one: Decimal, other: Decimal) -> None:
    database = _functions()
    (text,) = database.execute("SELECT exact_add(?, ?)", (to_text(one), to_text(other))).fetchone()
    assert Fraction(text) == Fraction(one) + Fraction(other)
    database.close()


def test_the_sums_that_a_float_gets_wrong() -> None:
    database = _functions()
    database.execute("CREATE TABLE t (amount TEXT) STRICT")
    database.executemany("INSERT INTO t VALUES (?)", [("0.1",), ("0.2",), ("-0.3",)])
    assert database.execute("SELECT sum(amount) FROM t").fetchone()[0] != 0  # what SQLite's own does
    assert database.execute("SELECT exact_sum(amount) FROM t").fetchone() == ("0",)
    database.execute("INSERT INTO t VALUES (?)", (str(BIG),))
    database.execute("INSERT INTO t VALUES ('0.000000000000000001')")
    assert database.execute("SELECT exact_sum(amount) FROM t").fetchone() == (f"{BIG}.000000000000000001",)
    database.close()


@pytest.mark.parametrize("statement", ["SELECT exact_sum(?)", "SELECT exact_add(?, '1')"])
@pytest.mark.parametrize("value", ["abc", 0.5, "1" * 101])
def test_sql_refuses_what_is_no_amount(statement: str, value: object) -> None:
    database = _functions()
    with pytest.raises(sqlite3.OperationalError, match="user-defined"):
        database.execute(statement, (value,)).fetchall()
    database.close()


def _functions() -> sqlite3.Connection:
    """Our functions on a database in memory."""
    from storage import database  # noqa: PLC0415 -- its private open is what is wanted here

    return database._functions(sqlite3.connect(":memory:"))


def test_every_connection_has_the_functions(tmp_path: Path) -> None:
    open_for_trading(tmp_path / "a.db", "paper").close()
    writer = connect(tmp_path / "a.db", read_only=False)
    reader = connect(tmp_path / "a.db", read_only=True)
    for connection in (writer, reader):
        assert connection.execute("SELECT exact_add('0.1', '0.2')").fetchone() == ("0.3",)
        connection.close()


@pytest.mark.parametrize(
    ("trap", "operation"),
    [
        (Inexact, lambda: CONTEXT.divide(Decimal(1), Decimal(3))),
        (Inexact, lambda: CONTEXT.multiply(Decimal("9" * 60), Decimal("9" * 60))),
        (Inexact, lambda: CONTEXT.add(Decimal(10) ** 99, Decimal("0.1"))),
        (Inexact, lambda: CONTEXT.create_decimal("1" * 101)),
        (FloatOperation, lambda: CONTEXT.create_decimal(0.5)),
        (DivisionByZero, lambda: CONTEXT.divide(Decimal(1), Decimal(0))),
        (InvalidOperation, lambda: CONTEXT.create_decimal("x")),
        (InvalidOperation, lambda: CONTEXT.subtract(Decimal("Infinity"), Decimal("Infinity"))),
        (Overflow, lambda: CONTEXT.multiply(Decimal("1E+999999"), Decimal(10))),
    ],
)
def test_the_ledgers_arithmetic_is_exact_or_raises(trap: type[Exception], operation: Callable[[], object]) -> None:
    with pytest.raises(trap):
        operation()


def test_a_new_threads_ambient_context_does_not_matter() -> None:
    found: list[object] = []

    def work() -> None:
        getcontext().prec = 5
        amount = from_text(str(BIG))
        found.extend((to_text(amount), to_text(CONTEXT.add(amount, Decimal(1))), +amount))
        total = ExactSum()
        for _ in range(3):
            total.step(str(BIG))
        found.append(total.finalize())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    text, more, ambient, tripled = found
    assert text == str(BIG)
    assert more == str(BIG + 1)
    assert tripled == str(3 * BIG)
    assert ambient != BIG  # the trap is real: the operator did round
