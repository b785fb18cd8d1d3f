"""The three machines against a list written from DESIGN section 4, not from the code."""

from __future__ import annotations

from enum import StrEnum
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import IllegalTransition
from app.execution.states import (
    ORDER_EDGES,
    PAYLOAD_EDGES,
    TRADE_EDGES,
    TRANSACTION_EDGES,
    PayloadState,
    TradeState,
    check_edge,
    order_path,
    trade_state_of,
    trade_state_of_all,
)
from app.venues.base import TERMINAL, OrderState

TRADE = """
PROPOSED -> RESERVED DENIED EXPIRED DECLINED CANCELLED FAILED
RESERVED -> PREPARED DENIED EXPIRED DECLINED CANCELLED FAILED
PREPARED -> CONFIRMED DENIED EXPIRED DECLINED CANCELLED FAILED
CONFIRMED -> SIGNED DENIED EXPIRED REFUSED CANCELLED FAILED
SIGNED -> SUBMITTED DENIED EXPIRED DECLINED CANCELLED FAILED
SUBMITTED -> PARTIALLY_FILLED FILLED REJECTED CANCELLED EXPIRED
PARTIALLY_FILLED -> FILLED CANCELLED EXPIRED
FILLED -> SUBMITTED
REJECTED -> SUBMITTED
CANCELLED -> PARTIALLY_FILLED FILLED EXPIRED
EXPIRED -> PARTIALLY_FILLED FILLED
"""
"""CANCELLED -> EXPIRED: the one cancelled leg of a basket was filled late, the others had expired.
REFUSED only while the device is asked; REJECTED only once the venue was; nothing is FAILED after it was sent."""

PAYLOAD = """
BUILT -> CONFIRMED DROPPED
CONFIRMED -> SIGNED DROPPED
SIGNED -> SENT DROPPED
SENT -> LANDED UNKNOWN DEAD
UNKNOWN -> LANDED DEAD DROPPED
LANDED -> UNKNOWN
"""
"""DROPPED is proven unsent, so never straight from SENT; LANDED -> UNKNOWN is the payload's side of a reorg."""

ORDER = """
PENDING -> OPEN FILLED PARTIALLY_FILLED REJECTED CANCELLED UNKNOWN
OPEN -> FILLED PARTIALLY_FILLED CANCELLED EXPIRED UNKNOWN
PARTIALLY_FILLED -> FILLED CANCELLED EXPIRED UNKNOWN
UNKNOWN -> OPEN FILLED PARTIALLY_FILLED REJECTED CANCELLED EXPIRED
CANCELLED -> FILLED PARTIALLY_FILLED
EXPIRED -> FILLED PARTIALLY_FILLED
"""


TRANSACTION = """
OPEN -> REJECTED
FILLED -> OPEN
REJECTED -> OPEN
"""
"""What a chain adds: a revert in a block, and blocks that are undone."""


def edges(text: str) -> set[tuple[str, str]]:
    lines = (line.split(" -> ") for line in text.strip().splitlines() if line)
    return {(old, new) for old, news in lines for new in news.split()}


@pytest.mark.parametrize(
    ("machine", "table", "text"),
    [
        (TradeState, TRADE_EDGES, TRADE),
        (PayloadState, PAYLOAD_EDGES, PAYLOAD),
        (OrderState, ORDER_EDGES, ORDER),
        (OrderState, TRANSACTION_EDGES, f"{ORDER}{TRANSACTION}"),
    ],
)
def test_every_edge_of_the_design_is_allowed_and_every_other_refused(
    machine: type[StrEnum], table: dict[StrEnum, frozenset[StrEnum]], text: str
) -> None:
    allowed = edges(text)
    for old, new in product(machine, machine):
        if (old.value, new.value) in allowed:
            check_edge(table, "x", old, new)
        else:
            with pytest.raises(IllegalTransition, match=rf"{machine.__name__} x can not go from {old} to {new}\."):
                check_edge(table, "x", old, new)


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("entry", list(OrderState))
def test_the_state_of_a_submitted_trade_is_total_and_always_reachable(entry: OrderState, filled: bool) -> None:
    state = trade_state_of(entry, filled)
    assert state in {
        TradeState.SUBMITTED,
        TradeState.PARTIALLY_FILLED,
        TradeState.FILLED,
        TradeState.CANCELLED,
        TradeState.EXPIRED,
        TradeState.REJECTED,
    }
    if state is not TradeState.SUBMITTED:
        check_edge(TRADE_EDGES, "x", TradeState.SUBMITTED, state)


@pytest.mark.parametrize("old", list(OrderState))
@pytest.mark.parametrize("new", [s for s in OrderState if s not in {OrderState.PENDING, OrderState.UNKNOWN}])
def test_a_legal_order_move_is_a_legal_trade_move(old: OrderState, new: OrderState) -> None:
    """Else a report could be booked for the order and then stop half-way at the trade."""
    if (old.value, new.value) not in edges(f"{ORDER}{TRANSACTION}"):
        return
    for before in {trade_state_of(old, False), trade_state_of(old, True)}:
        after = trade_state_of(new, before is TradeState.PARTIALLY_FILLED)
        # a rejected order has no fill, so a partly filled trade never meets one
        if after is not before and not (before is TradeState.PARTIALLY_FILLED and after is TradeState.REJECTED):
            check_edge(TRADE_EDGES, "x", before, after)


def test_an_order_found_expired_was_open_before() -> None:
    assert order_path("x", OrderState.PENDING, OrderState.EXPIRED) == (OrderState.OPEN, OrderState.EXPIRED)


def test_a_path_is_one_edge_or_none() -> None:
    assert order_path("x", OrderState.OPEN, OrderState.OPEN) == ()
    assert order_path("x", OrderState.OPEN, OrderState.FILLED) == (OrderState.FILLED,)
    with pytest.raises(IllegalTransition):
        order_path("x", OrderState.REJECTED, OrderState.OPEN)


# -- several entries ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("entry", list(OrderState))
def test_a_basket_of_one_is_a_plain_trade(entry: OrderState, filled: bool) -> None:
    assert trade_state_of_all([(entry, filled)]) is trade_state_of(entry, filled)


@settings(max_examples=400)
@given(st.data())
def test_whatever_its_legs_do_a_basket_moves_along_its_edges(data: st.DataObject) -> None:
    """Any legal walk of each leg, in any interleaving, is a legal walk of the trade. A venue accepts or refuses a list
    whole, so either all legs are rejected or none is."""
    moves = edges(ORDER)
    legs = [(OrderState.PENDING, False)] * data.draw(st.integers(1, 4))
    trade = TradeState.SUBMITTED
    for _ in range(data.draw(st.integers(1, 16))):
        at = data.draw(st.integers(0, len(legs) - 1))
        state, filled = legs[at]
        after = [each for each in OrderState if (state.value, each.value) in moves and each is not OrderState.REJECTED]
        if not after:
            continue
        new = data.draw(st.sampled_from(after))
        legs[at] = (new, filled or new in {OrderState.FILLED, OrderState.PARTIALLY_FILLED})
        follows = trade_state_of_all(legs)
        if follows is not trade:
            check_edge(TRADE_EDGES, "x", trade, follows)
        trade = follows
        under_way = any(state not in TERMINAL for state, _ in legs)
        assert under_way == (trade in {TradeState.SUBMITTED, TradeState.PARTIALLY_FILLED})
        assert (trade is TradeState.FILLED) == all(state is OrderState.FILLED for state, _ in legs)


def test_a_basket_that_was_refused_is_rejected_whole() -> None:
    assert trade_state_of_all([(OrderState.REJECTED, False)] * 3) is TradeState.REJECTED
