"""Fills that a reorganisation takes back: the book is then what it would be had they never been. The truth is another
book, folded from the fills that stand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.portfolio.positions import PositionBook
from app.venues.base import VenueFill
from strategies.model import Side

_SYMBOLS = ("ETH-USDC", "WBTC-USDC")


def fill(number: int, symbol: str, side: Side, quantity: int, paid: int) -> VenueFill:
    amount, notional = Decimal(quantity), Decimal(paid)
    return VenueFill(
        f"f{number}", "c", symbol, side, notional, amount, Decimal(0), "USDC", 1_000 * number, notional=notional
    )


def folded(fills: list[VenueFill]) -> PositionBook:
    book = PositionBook()
    for each in fills:
        book.apply("m", each)
    return book


def facts(book: PositionBook) -> tuple[object, ...]:
    """What rules and screens read of it."""
    records = {key: each for key, each in book.records.items() if each.wins or each.losses}
    holdings = {key: each for key, each in book.holdings.items() if each.quantity or each.realised or each.fees}
    return holdings, list(book.trips), records, [book.losses_since(ms) for ms in (0, 5_000, 12_000)]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("trade"), st.sampled_from(_SYMBOLS), st.integers(1, 3), st.integers(90, 110)),
        st.tuples(st.just("close"), st.sampled_from(_SYMBOLS), st.integers(1, 3), st.integers(90, 110)),
        st.tuples(st.just("undo"), st.integers(0, 30)),
        st.tuples(st.just("restore"), st.integers(0, 30)),
    ),
    max_size=40,
)


@given(steps)
def test_what_was_taken_back_never_was(moves: list[tuple[object, ...]]) -> None:
    book, standing, undone = PositionBook(), list[VenueFill](), list[VenueFill]()
    for number, (what, *terms) in enumerate(moves, 1):
        if what in {"undo", "restore"}:
            there = standing if what == "undo" else undone
            assert isinstance(terms[0], int)
            if not there:
                continue
            each = there[terms[0] % len(there)]
            left = [other for other in standing if other is not each] if what == "undo" else [*standing, each]
            try:
                folded(left)
            except ValueError:  # what it bought was sold since, or what it sells is not held
                if what == "undo":
                    with pytest.raises(ValueError, match="sells"):
                        book.undo("m", each.symbol, each.fill_id)
                continue
            if what == "undo":
                book.undo("m", each.symbol, each.fill_id)
                undone.append(each)
            else:
                book.apply("m", each)
                undone.remove(each)
            standing = left
        else:
            symbol, quantity, paid = terms
            assert isinstance(symbol, str)
            assert isinstance(quantity, int)
            assert isinstance(paid, int)
            held = book.holding("m", symbol).quantity
            each = fill(number, symbol, Side.BUY, quantity, paid * quantity)
            if what == "close":
                if not held:
                    continue
                each = replace(each, side=Side.SELL, quantity=min(held, Decimal(quantity)))
            book.apply("m", each)
            standing.append(each)
        assert facts(book) == facts(folded(standing))


def test_a_win_that_is_taken_back_brings_the_losses_before_it_back() -> None:
    fills = [
        fill(1, "ETH-USDC", Side.BUY, 1, 100),
        fill(2, "ETH-USDC", Side.SELL, 1, 90),
        fill(3, "ETH-USDC", Side.BUY, 1, 100),
        fill(4, "ETH-USDC", Side.SELL, 1, 120),
    ]
    book = folded(fills)
    assert book.losses_since(0) == 0
    undone = book.undo("m", "ETH-USDC", "f4")
    assert ([trip.net for trip in undone.gone], undone.again) == ([Decimal(20)], ())
    assert book.losses_since(0) == 1
    assert book.records["m", "ETH-USDC"].wins == 0


def test_trips_beyond_those_remembered_stay_counted() -> None:
    book = PositionBook()
    for number in range(1, 2_101, 2):
        book.apply("m", fill(number, "ETH-USDC", Side.BUY, 1, 100))
        book.apply("m", fill(number + 1, "ETH-USDC", Side.SELL, 1, 90))
    assert (len(book.trips), book.records["m", "ETH-USDC"].losses) == (1_000, 1_050)
    book.undo("m", "ETH-USDC", "f2100")
    assert (len(book.trips), book.records["m", "ETH-USDC"].losses) == (999, 1_049)
