"""The trader takes an order back: an entry or a close that rests. Needs no authorisation, and is journaled as such.

A protective exit of an open position is not taken back: that would leave the position without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from app.errors import CountersignError, SafetyError, UsageError, VenueError, VenueRefused, VenueUnknown
from app.execution.desk import Desk
from app.execution.pipeline import Pipeline
from app.execution.records import Order, Role, Trade
from app.ids import SHORTEST
from app.money import to_text
from app.outcomes import became
from app.text import escape_untrusted
from app.venues.base import TERMINAL, OrderState

_EXITS: Final = frozenset({Role.STOP, Role.TARGET})
_LIST: Final = "See them: countersign orders"


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """An order after the venue was asked to cancel it. `state` FILLED: it was filled first."""

    client_id: str
    trade_id: str
    symbol: str
    role: str
    state: OrderState
    words: str

    def as_json(self) -> dict[str, Any]:
        """For the control socket and ``--json``."""
        return {
            "client_id": self.client_id,
            "trade_id": self.trade_id,
            "symbol": self.symbol,
            "role": self.role,
            "state": self.state.value,
            "words": self.words,
        }


async def withdraw(desk: Desk, pipeline: Pipeline, prefix: object) -> Withdrawn:
    """Cancel what is unfilled of the order whose id, or whose trade's id, begins with `prefix`.

    Raises:
        UsageError: `prefix` names no order, or several.
        SafetyError: the order has ended, is on its way, or is a protective exit of an open position.
        VenueError: the venue refused, or did not answer (then it says what is known); nothing is concluded.
        StorageFault: the disk failed; what the venue did is looked up when memory is read again.
    """
    client_id = _find(desk, prefix)
    found = desk.state.find_order(client_id)
    assert found is not None  # the id was read from the same database
    trade, order = found
    refused = _refusal(desk, trade, order)
    if refused is not None:
        raise SafetyError("cancel.refused", refused[0], next_step=refused[1])
    with desk.activity.busy():
        transition = desk.transition()
        transition.change("withdrawal", client_id, "by the trader; a cancel needs no authorisation")
        await desk.commit(transition, "order.withdraw", trade.id)
        await _ask(desk, pipeline, trade, order)
    trade, order = desk.state.find_order(client_id) or found  # memory may have been read again from disk
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


def _find(desk: Desk, prefix: object) -> str:
    """The client id that is meant."""
    if not isinstance(prefix, str) or not prefix.isascii() or len(prefix) < SHORTEST:
        raise UsageError(
            "cancel.id", f"An order is named by at least {SHORTEST} characters of its id.", next_step=_LIST
        )
    sql = "SELECT client_id, trade_id, role FROM orders WHERE substr({}, 1, ?) = ? LIMIT 9"
    like = (len(prefix), prefix)
    rows = desk.state.reader.rows(sql.format("client_id"), like)
    if not rows:  # a trade's id means the order that decides it
        rows = desk.state.reader.rows(sql.format("trade_id"), like)
        rows = [row for row in rows if row["role"] in {Role.ENTRY, Role.CLOSE}]
    if len(rows) == 1:
        return str(rows[0]["client_id"])
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
