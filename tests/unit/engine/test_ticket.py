"""What is typed into a ticket becomes an exact ticket or a problem that names its field; never an exception."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.ticket import FIELDS, Kind, Measure, Ticket, off_step, read
from app.money import from_text, to_text
from strategies.model import Instrument, Side

BUY = {"symbol": "ETH-USDT", "side": "buy", "quantity": "0.05", "stop": "90"}
ETH = Instrument("ETH-USDT", "ETH", "USDT", Decimal("0.01"), Decimal("0.001"))

near_amounts = st.from_regex(r"[-+ ]?[0-9_,]{0,12}[.]?[0-9eEkK%]{0,20} ?", fullmatch=True)
typed_texts = st.text(max_size=30) | near_amounts | st.sampled_from(
    ["", "0", "00", "1.", ".5", "1e3", "NaN", "Infinity", "-0", "1.5k", "50%", "\u0663", "1\n", "0x10", "9" * 400]
)  # fmt: skip
typed_anything = typed_texts | st.none() | st.floats() | st.integers() | st.booleans() | st.lists(st.text())


def problems(**changes: object) -> dict[str, str]:
    ticket, found = read({**BUY, **changes})
    assert (ticket is None) == bool(found)
    return {each.field: each.words for each in found}


def test_a_ticket_as_it_is_typed() -> None:
    ticket, found = read({**BUY, "kind": "limit", "price": "99.50", "target": "120", "seconds": "3600"})
    assert found == ()
    assert ticket == Ticket(
        symbol="ETH-USDT", side=Side.BUY, quantity=Decimal("0.05"), kind=Kind.LIMIT, price=Decimal("99.5"),
        stop=Decimal(90), target=Decimal(120), time_in_force_ms=3_600_000,
    )  # fmt: skip
    sale, found = read({"symbol": "ETH-USDT", "side": "sell", "module": "momentum", "quantity": ""})
    assert found == ()
    assert sale is not None
    assert (sale.quantity, sale.module, sale.measure) == (None, "momentum", Measure.BASE)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), typed_anything, max_size=12))
def test_whatever_is_typed(typed: dict[str, object]) -> None:
    ticket, found = read(typed)
    assert ticket is not None or found
    for problem in found:
        assert problem.field
        assert problem.words
        assert str(problem).startswith(f"{problem.field}: ")
    if ticket is not None:
        assert found == ()
        for name in ("quantity", "price", "stop", "target"):
            amount, text = getattr(ticket, name), typed.get(name) or ""
            assert amount is None if text == "" else type(amount) is Decimal and amount == Decimal(str(text))


@given(st.sampled_from(["quantity", "price", "stop", "target", "seconds", "kind", "side", "measure"]), typed_anything)
def test_one_field_gone_wrong_is_the_one_that_is_named(name: str, value: object) -> None:
    """Text that can be read, or a problem of that very field; the others keep what they said."""
    before, _ = read(BUY)
    ticket, found = read({**BUY, name: value})
    if ticket is None:
        # a limit without a price, and a sale with a stop, are told at the field that is missing or too much
        assert {each.field for each in found} <= {name, "price", "stop"}
    else:
        assert before is not None
        assert ticket.symbol == before.symbol


@pytest.mark.parametrize(
    "text", ["1.5k", "50%", "1e3", "-1", "+1", " 1", "1 ", "1,5", "1_000", "0x1", ".5", "1.", "NaN", "\u0663", "1\n"]
)
@pytest.mark.parametrize("field", ["quantity", "price", "stop", "target"])
def test_only_plain_decimals(field: str, text: str) -> None:
    assert "is not an amount" in problems(**{field: text})[field]


def test_each_field_says_what_it_needs() -> None:
    assert read({})[0] is None
    assert {each.field for each in read({})[1]} == {"symbol", "side"}
    assert problems(stop="") == {"stop": "is needed: exits are decided before entries"}
    assert problems(stop="", quantity="x", symbol="") == {
        "quantity": '"x" is not an amount',
        "stop": "is needed: exits are decided before entries",
        "symbol": "is needed",
    }
    assert problems(kind="limit", quantity="0") == {
        "quantity": '"0" is nothing', "price": "is needed: a limit waits at a price",
    }  # fmt: skip
    assert problems(side="sell", quantity="?")["stop"] == "a sale closes a position and has no exits of its own"
    assert set(problems(seconds="0")) == set(problems(seconds="1.5")) == set(problems(seconds="2592001")) == {"seconds"}
    assert set(problems(module="No Such")) == {"module"}
    assert set(problems(leverage="3")) == {'"leverage"'}
    assert problems(quantity=0.05) == {"quantity": "is not text"}
    assert "\x1b" not in problems(quantity="\x1b[31m1")["quantity"]


def test_prices_and_quantity_are_never_moved_in_silence() -> None:
    ticket, _ = read({**BUY, "quantity": "0.0505", "stop": "90.001", "target": "120.01"})
    assert ticket is not None
    assert {each.field: each.allowed for each in off_step(ticket, ETH)} == {
        "quantity": "multiples of 0.001", "stop": "multiples of 0.01",
    }  # fmt: skip
    valued, _ = read({**BUY, "quantity": "7.77777", "measure": "account"})
    assert valued is not None
    assert off_step(valued, ETH) == []


@given(st.decimals(min_value="1e-18", max_value="9999999999", places=18))
def test_the_largest_and_smallest_amounts_are_exact(amount: Decimal) -> None:
    ticket, found = read({**BUY, "quantity": to_text(amount)})
    assert found == ()
    assert ticket is not None
    assert ticket.quantity == from_text(to_text(amount)) == amount


@pytest.mark.parametrize("wrong", [1.5, 1, Decimal("NaN"), Decimal(-1), Decimal(0), Decimal("1e-19"), Decimal("1e11")])
def test_a_ticket_can_not_be_made_of_anything_else(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Ticket("ETH-USDT", Side.BUY, wrong, stop=Decimal(1))
