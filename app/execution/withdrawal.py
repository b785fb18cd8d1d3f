"""The trader takes an order back: an entry or a close that rests. Needs no authorisation, and is journaled as such.

A basket is taken back by its trade's id: every leg that still may buy, in one go; what was bought keeps its exits. A
protective exit of an open position is not taken back: that would leave the position without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from app.errors import CountersignError, SafetyError, UsageError, VenueError, VenueRefused, VenueUnknown
from app.execution.desk import Desk
from app.execution.pipeline import Pipeline
from app.execution.records import Order, Role, Trade
from app.execution.states import TradeState
from app.ids import SHORTEST
from app.money import to_text, total
from app.outcomes import became
from app.text import counted, escape_untrusted
from app.venues.base import TERMINAL, OrderState
from storage.faults import StorageFault
from strategies.model import MOST_LEGS

_EXITS: Final = frozenset({Role.STOP, Role.TARGET})
_LIST: Final = "See them: countersign orders"
_ORDERS: Final = "SELECT client_id, trade_id FROM orders WHERE substr(client_id, 1, ?) = ? LIMIT 2"
_DECIDING: Final = (
    "SELECT client_id, trade_id FROM orders WHERE substr(trade_id, 1, ?) = ? AND role IN ('entry', 'close', 'act') "
    "ORDER BY rowid LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """An order after the venue was asked to cancel it. `state` FILLED: it was filled first.

    Of a basket: `legs` are those that were asked for, `role` is ``basket``, `client_id` empty, `state` the trade's.
    """

    client_id: str
    trade_id: str
    symbol: str
    role: str
    state: OrderState | TradeState
    words: str
    legs: tuple[Withdrawn, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For the control socket and ``--json``."""
        return {
            "client_id": self.client_id,
            "trade_id": self.trade_id,
            "symbol": self.symbol,
            "role": self.role,
            "state": self.state.value,
            "words": self.words,
            "legs": [leg.as_json() for leg in self.legs],
        }


async def withdraw(desk: Desk, pipeline: Pipeline, prefix: object) -> Withdrawn:
    """Cancel what is unfilled of the order whose id, or whose trade's id, begins with `prefix`.

    Raises:
        UsageError: `prefix` names no order, or several.
        SafetyError: the order has ended, is on its way, or is a protective exit of an open position.
        VenueError: the venue refused, or did not answer (then it says what is known); nothing is concluded. Of a basket
            every leg was asked for before this is raised, and it says of how many it is true.
        StorageFault: the disk failed; what the venue did is looked up when memory is read again.
    """
    client_ids = _find(desk, prefix)
    found = desk.state.find_order(client_ids[0])
    assert found is not None  # the id was read from the same database
    if len(client_ids) > 1:
        return await _withdraw_legs(desk, pipeline, found[0])
    trade, order = found
    refused = _refusal(desk, trade, order)
    if refused is not None:
        raise SafetyError("cancel.refused", refused[0], next_step=refused[1])
    with desk.activity.busy():
        await _journal(desk, trade, [order])
        await _ask(desk, pipeline, trade, order)
    return _withdrawn(desk, *client_ids)


async def _withdraw_legs(desk: Desk, pipeline: Pipeline, trade: Trade) -> Withdrawn:
    """Every leg that may still buy, the highest price first, because that one would buy next. What one is refused, or
    not answered, is no reason not to ask for the others."""
    resting, failed = trade.resting_entries(), []
    if not resting or any(entry.state is OrderState.PENDING for entry in trade.entries):
        words, step = _basket_refusal(trade)
        raise SafetyError("cancel.refused", words, next_step=step)
    client_ids = [entry.request.client_id for entry in resting]
    with desk.activity.busy():
        await _journal(desk, trade, resting)
        for client_id in client_ids:
            found = desk.state.find_order(client_id)  # memory may have been read again from disk since the last one
            assert found is not None
            if found[1].state not in TERMINAL:  # a stop of the basket may have ended them all
                try:
                    await _ask(desk, pipeline, *found)
                except (CountersignError, StorageFault) as error:
                    failed.append(error)
    if failed:
        raise _of_legs(failed, len(resting))
    legs = tuple(_withdrawn(desk, client_id) for client_id in client_ids)
    trade = (desk.state.find_order(client_ids[0]) or (trade,))[0]
    return Withdrawn("", trade.id, trade.intent.symbol, "basket", trade.state, _basket_became(trade, legs), legs)


def _of_legs(failed: list[CountersignError | StorageFault], asked: int) -> CountersignError | StorageFault:
    """One error for all legs that could not be taken back: the one that is known least about."""
    told = [error for error in failed if isinstance(error, CountersignError)]
    if len(told) < len(failed):
        return next(error for error in failed if isinstance(error, StorageFault))
    worst = next((error for error in told if isinstance(error, VenueUnknown)), told[0])
    words = f"{len(told)} of {counted(asked, 'leg')} could not be taken back. "
    words += " ".join(dict.fromkeys(error.what for error in told))
    return type(worst)(worst.code, words, next_step=worst.next_step)


async def _journal(desk: Desk, trade: Trade, orders: list[Order]) -> None:
    """Before any of them is asked for."""
    transition = desk.transition()
    for order in orders:
        transition.change("withdrawal", order.request.client_id, "by the trader; a cancel needs no authorisation")
    await desk.commit(transition, "order.withdraw", trade.id)


def _withdrawn(desk: Desk, client_id: str) -> Withdrawn:
    """What became of an order; memory may have been read again from disk."""
    found = desk.state.find_order(client_id)
    assert found is not None
    trade, order = found
    return Withdrawn(client_id, trade.id, trade.intent.symbol, order.role, order.state, _became(order))


async def _ask(desk: Desk, pipeline: Pipeline, trade: Trade, order: Order) -> None:
    try:
        await pipeline.cancel_order(order)
    except VenueUnknown as error:
        desk.record_error(error, trade.id)
        words = f"The venue did not answer the cancel. What is known: {_known(order)}"
        raise VenueUnknown(
            "cancel.unknown", words, next_step="It may be cancelled or not. See: countersign orders"
        ) from error
    except VenueRefused as error:
        desk.record_error(error, trade.id)
        words = f"The venue refused the cancel: {error.what} What is known: {_known(order)}"
        raise VenueRefused("cancel.venue", words, next_step=_LIST) from error
    except VenueError as error:
        words = f"{error.what} Nothing was sent. What is known: {_known(order)}"
        raise VenueError("cancel.unreached", words, next_step="Try again in a moment.") from error
    except CountersignError as error:
        desk.contradicted(error, trade.id)
        raise


def _find(desk: Desk, prefix: object) -> list[str]:
    """The client id that is meant, or those of the legs of the basket that is."""
    if not isinstance(prefix, str) or not prefix.isascii() or len(prefix) < SHORTEST:
        raise UsageError(
            "cancel.id", f"An order is named by at least {SHORTEST} characters of its id.", next_step=_LIST
        )
    like = (len(prefix), prefix)
    rows = desk.state.reader.rows(_ORDERS, like)
    whole = not rows
    if whole:  # a trade's id means the orders that decide it
        rows = desk.state.reader.rows(_DECIDING, (*like, MOST_LEGS + 1))
    if len(rows) == 1 or (whole and len({row["trade_id"] for row in rows}) == 1):
        return [str(row["client_id"]) for row in rows]
    outcome = None if rows else became(desk.state.reader, prefix)
    if outcome is not None:
        step = f"If it waits for you, decline it: countersign decline {outcome.id[:8]}"
        raise SafetyError("cancel.none", f"Trade {outcome.id[:8]} ({outcome.state}) has no order.", next_step=step)
    shown = escape_untrusted(prefix, 40)
    words = f"No order's id begins with {shown}." if not rows else f"Several orders' ids begin with {shown}."
    raise UsageError("cancel.id", words, next_step=_LIST)


def _refusal(desk: Desk, trade: Trade, order: Order) -> tuple[str, str] | None:
    """Why it is not cancelled, and what to do instead."""
    name = f"The {order.role} of {trade.intent.symbol} ({order.request.client_id[:8]})"
    if order.state in TERMINAL:
        return f"{name} has ended: {_known(order)}", _LIST
    if order.role is Role.FLATTEN:
        return f"{name} sells what is held after an emergency stop; it ends by itself.", _LIST
    if order.state is OrderState.PENDING:
        return f"{name} has not been sent, or the venue has not answered yet.", "Try again in a moment."
    return _uncovering(desk, trade, order, name) if order.role in _EXITS else None


def _basket_refusal(trade: Trade) -> tuple[str, str]:
    """Why nothing of a basket is cancelled, and what to do instead."""
    name = f"The basket of {trade.intent.symbol} ({trade.id[:8]})"
    if any(entry.state is OrderState.PENDING for entry in trade.entries):
        return f"{name} has not been sent, or the venue has not answered yet.", "Try again in a moment."
    return f"{name} has ended: {_bought(trade)}.", _LIST


def _uncovering(desk: Desk, trade: Trade, order: Order, name: str) -> tuple[str, str] | None:
    """Why an exit is not cancelled, while there is something for it to protect."""
    entry = trade.entry_of(order)
    if entry is not None and entry.live:
        step = f"Cancel the entry, and its exits end with it: countersign cancel {entry.request.client_id[:8]}"
        return f"{name} protects what its entry buys.", step
    module, symbol = trade.intent.module, trade.intent.symbol
    if desk.state.positions.holding(module, symbol).quantity:
        words = f"{name} protects an open position; without it the position would be uncovered."
        return words, f"Close the position instead: countersign close {symbol}:{module}"
    return None


def _known(order: Order) -> str:
    """The order as far as we know."""
    filled = f"{to_text(order.filled)} of {to_text(order.request.quantity)} filled"
    if order.state is OrderState.UNKNOWN:
        return f"no answer of the venue to it yet, {filled}; it is being looked up."
    return f"{order.state.lower().replace('_', ' ')}, {filled}."


def _became(order: Order) -> str:
    quantity, filled = to_text(order.request.quantity), to_text(order.filled)
    if order.state is OrderState.FILLED:
        return f"It was filled first: {filled} of {quantity}."
    if order.state in TERMINAL:
        return f"{order.state.value.capitalize()}: {filled} of {quantity} was filled before."
    return f"It is {_known(order)}"


def _basket_became(trade: Trade, legs: tuple[Withdrawn, ...]) -> str:
    first = sum(leg.state is OrderState.FILLED for leg in legs)
    filled = f", {counted(first, 'leg')} filled first" if first else ""
    return f"{counted(len(legs) - first, 'leg')} taken back{filled}: {_bought(trade)}."


def _bought(trade: Trade) -> str:
    """Of all legs together."""
    bought = to_text(total([entry.filled for entry in trade.entries]))
    return f"{bought} of {to_text(trade.intent.quantity)} was bought"
