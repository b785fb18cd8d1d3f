"""What became of a payload that was handed to the venue, as a durable transition: answered, refused, or unknown."""

from __future__ import annotations

from collections.abc import Callable

from app.errors import Severity, SignerError, VenueError, VenueRefused, VenueUnknown
from app.execution.desk import Desk
from app.execution.preparation import Preparation
from app.execution.records import Order, Payload, Trade
from app.execution.settlement import Settlement, end_unsent
from app.execution.states import PayloadState, TradeState
from app.execution.transactions_sent import nonce_of, nonces_landed
from app.execution.transition import Transition
from app.venues.base import OrderReport, OrderState


class Sent:
    """Keeps the record of sends for the pipeline; sends nothing."""

    def __init__(self, desk: Desk, settlement: Settlement, on_progress: Callable[[Trade], None]) -> None:
        self._desk = desk
        self._settlement = settlement
        self._on_progress = on_progress

    async def answered(self, trade: Trade, payload: Payload, reports: tuple[OrderReport, ...]) -> None:
        """The venue took it and says what it made of it.

        Raises:
            IllegalTransition, StorageError: what it says can not be; nothing was booked.
        """
        desk = self._desk
        new = [(desk.state.orders[report.client_id], report) for report in reports]
        new = [(order, report) for order, report in new if report.revision > order.revision]
        for order, report in new:
            self._settlement.check(trade, order, report)
        transition = self._submitted(trade, payload)
        for order, report in new:
            self._settlement.book(transition, trade, order, report)
        self._settlement.follow(transition, trade)
        desk.state.retire(trade)
        await desk.commit(transition, "trade.submitted", trade.id)
        self._on_progress(trade)

    async def unknown(self, trade: Trade, payload: Payload, error: VenueUnknown) -> None:
        """No answer: maybe sent. Nothing is concluded. An order that a report already told of is known."""
        desk = self._desk
        desk.record_error(error, trade.id)
        transition = self._submitted(trade, payload)
        transition.payload(trade, payload, PayloadState.UNKNOWN)
        for order in trade.orders_of(payload):
            if order.state is OrderState.PENDING:
                transition.order(order, OrderState.UNKNOWN, error.what)
        self._settlement.follow(transition, trade)
        await desk.commit(transition, "trade.unknown", trade.id)
        self._on_progress(trade)

    async def refused(self, trade: Trade, payload: Payload, error: VenueRefused) -> None:
        """The venue said no: this payload is dead, and what was to follow it is dropped."""
        desk = self._desk
        desk.record_error(error, trade.id)
        transition = self._submitted(trade, payload)
        transition.payload(trade, payload, PayloadState.DEAD)
        for order in trade.orders_of(payload):
            transition.order(order, OrderState.REJECTED, error.what)
        end_unsent(desk, transition, trade, TradeState.REJECTED, error.what)
        await desk.commit(transition, "trade.rejected", trade.id)
        self._on_progress(trade)

    async def no_sale(self, trade: Trade, order: Order, error: VenueError) -> bool:
        """The sale after an emergency stop was not taken; whether nobody knows that for sure."""
        desk, unknown = self._desk, isinstance(error, VenueUnknown)
        desk.record_error(error, trade.id)
        transition = desk.transition()
        transition.order(order, OrderState.UNKNOWN if unknown else OrderState.REJECTED, error.what)
        await desk.commit(transition, "order.unanswered" if unknown else "order.rejected", trade.id)
        return unknown

    def _submitted(self, trade: Trade, payload: Payload) -> Transition:
        transition = self._desk.transition()
        transition.payload(trade, payload, PayloadState.SENT)
        if trade.state is TradeState.SIGNED:  # the first of its payloads
            transition.trade(trade, TradeState.SUBMITTED)
            self._desk.counters.submitted += 1
        transition.took(trade, "send", self._desk.clock.monotonic_ns())
        return transition


def may_be_open(desk: Desk, trade: Trade, error: VenueError) -> None:
    """An entry was not cancelled after an emergency stop."""
    desk.record_error(error, trade.id)
    text = f"{trade.intent.symbol}: the emergency stop is in force and an entry may still be open."
    desk.alert(Severity.CRITICAL, "stop.entry_open", text, trade.id)


def sent_again(desk: Desk, preparation: Preparation, trade: Trade, order: Order) -> Payload | None:
    """The payload of a transaction that may be sent again: it was sent before, its time is not over, what would go is
    what was signed, nothing has taken or is to take its place, and, for an entry, no emergency stop is in force. Else
    None."""
    payload = next((each for each in trade.payloads if order in trade.orders_of(each)), None)
    sent = payload is not None and payload.state in {PayloadState.SENT, PayloadState.UNKNOWN}
    stopped = desk.stop.raised() and not order.request.reduce_only
    stopped = stopped or any(each.intent.replaces == order.request.client_id for each in desk.state.in_flight())
    if payload is None or not sent or stopped or desk.clock.now_ms() > payload.valid_until_ms:
        return None
    if payload.body and nonce_of(payload.body) in nonces_landed(desk.state):
        return None  # what took its place is in a block, and this is not proven dead yet: it would only be refused
    if (why := preparation.unlike_signed(trade, payload)) is not None:
        desk.record_error(SignerError("signature.refused", why, next_step="It is not sent again."), trade.id)
        return None
    return payload
