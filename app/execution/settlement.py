"""Reports of a venue become order events, fills, postings and positions, in one transition each.

Reports are cumulative and carry a revision, so a lost, repeated or late report does no harm: what is already booked is
recognised by the venue's fill id and skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from app.errors import Severity, StorageError
from app.execution.desk import Desk
from app.execution.moves import book_moves, check_moves, told
from app.execution.purse import gas_hold
from app.execution.records import Order, Payload, Role, Trade
from app.execution.reorganised import check_gone, follow_back, gone, restored, undo
from app.execution.states import (
    IN_FLIGHT,
    TRADE_EDGES,
    PayloadState,
    TradeState,
    check_edge,
    order_path,
    trade_state_of_all,
)
from app.execution.transition import Transition
from app.money import ZERO, add, mul, neg, sub, to_text, total
from app.portfolio.ledger import of_fill, of_gas, venue_account
from app.venues.base import TERMINAL, OrderKind, OrderReport, OrderState, VenueFill
from strategies.model import Side

_UNSENT: Final = frozenset({TradeState.SIGNED, TradeState.CONFIRMED})
_UNTOLD: Final = frozenset({OrderState.PENDING, OrderState.UNKNOWN})
_DROPPABLE: Final = frozenset({PayloadState.BUILT, PayloadState.CONFIRMED, PayloadState.SIGNED, PayloadState.UNKNOWN})


class Settlement:
    """Books what venues report."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.on_step: Callable[[Trade], object] = lambda _: None
        """Told when what a trade's next transaction waits for has ended."""

    def on_report(self, report: OrderReport) -> asyncio.Future[int] | None:
        """Book one report; None when it says nothing new. An order that is not ours raises an alert and a halt.

        Raises:
            IllegalTransition, StorageError: the report contradicts what is on record; nothing was booked.
        """
        desk = self._desk
        found = desk.state.find_order(report.client_id)
        if found is None:
            self._foreign(report)
            return None
        trade, order = found
        if report.revision <= order.revision and order.state is not OrderState.UNKNOWN:
            return None
        if order.request.kind is OrderKind.TRANSACTION and _same(order, report):
            return None
        self.check(trade, order, report)
        desk.state.add(trade)
        transition = desk.transition()
        self.book(transition, trade, order, report)
        self.follow(transition, trade)
        desk.state.retire(trade)
        return desk.commit(transition, f"order.{order.state.value.lower()}", trade.id)

    async def take(self, reports: Iterable[OrderReport]) -> None:
        """Book reports one after the other, each once the one before is on disk.

        Raises:
            IllegalTransition, StorageError: as `on_report`.
        """
        for report in reports:
            if (committed := self.on_report(report)) is not None:
                await committed

    def check(self, trade: Trade, order: Order, report: OrderReport) -> None:
        """Whether a report can be true, before any of it moves money.

        Raises:
            IllegalTransition: order or trade can not come to that state.
            StorageError: its fills are not this order's, or sell more than the module holds.
        """
        order_path(order.request.client_id, order.state, report.state, order.request.kind)
        if order.decides and trade.state not in _UNSENT:
            others = [(each.state, each.filled > 0) for each in trade.entries if each is not order]
            state = trade_state_of_all([*others, (report.state, report.filled > 0)])
            if state is not trade.state:
                check_edge(TRADE_EDGES, trade.id, trade.state, state)
        request, new = order.request, [fill for fill in report.fills if fill.fill_id not in order.fills]
        for fill in new:
            mine = (fill.client_id, fill.symbol, fill.side) == (request.client_id, request.symbol, request.side)
            if not mine or fill.quantity <= 0 or fill.price <= 0:
                raise StorageError(
                    "venue.fill_foreign",
                    f"The venue reports fill {fill.fill_id} for {request.client_id}; it can not be that order's.",
                    next_step="New trades stopped. Compare with the venue's own record.",
                )
        check_gone(self._desk, trade, order, report)
        check_moves(trade, order, report)
        self._check_held(trade, order, new, gone(order, report))

    def book(self, transition: Transition, trade: Trade, order: Order, report: OrderReport) -> None:
        """Put a report that passed `check` into a transition: new fills with their postings, the order's new state."""
        new = [fill for fill in report.fills if fill.fill_id not in order.fills]
        undone = gone(order, report)
        for fill in undone:
            undo(self._desk, transition, trade, order, fill)
        late, before = order.state in TERMINAL and bool(new) and not undone, _entry_fees(trade)
        for fill in new:
            self._book_fill(transition, trade, order, fill)
        self._tell_fees(trade, order, before)
        if total([fill.quantity for fill in report.fills]) != report.filled:
            self._disagree(trade, order, report)
        self._book_gas(transition, trade, order, report)
        transition.report(order, book_moves(self._desk, transition, trade, order, report))
        if late:
            text = f"{trade.intent.symbol}: a fill arrived after its order had ended as {order.state.value}."
            self._desk.alert(Severity.HIGH, "order.late_fill", text, trade.id)

    def _check_held(self, trade: Trade, order: Order, new: list[VenueFill], back: list[VenueFill]) -> None:
        sold = total([fill.quantity for fill in new if fill.side is Side.SELL])
        sold = sub(sold, total([fill.quantity for fill in back if fill.side is Side.SELL]))
        held = self._desk.state.positions.holding(trade.intent.module, trade.intent.symbol).quantity
        if sold > held:
            raise StorageError(
                "venue.oversold",
                f"The venue says that {order.request.client_id} sold {to_text(sold)} {trade.intent.symbol}; "
                f"{trade.intent.module} holds {to_text(held)}.",
                next_step="New trades stopped. Compare with the venue's own record.",
            )

    def follow(self, transition: Transition, trade: Trade) -> None:
        """Bring trade and reservation in line with the orders that decide it."""
        entries = trade.entries
        if not entries or trade.state in _UNSENT:
            return
        for payload in trade.payloads:
            told = any(order.state not in _UNTOLD for order in trade.orders_of(payload))
            if payload.state is PayloadState.SIGNED and told:
                transition.payload(trade, payload, PayloadState.SENT)  # a look-up found it: we had sent it
            if payload.state is PayloadState.SENT or payload.state is PayloadState.UNKNOWN:
                self._land(transition, trade, payload)
        state = trade_state_of_all((entry.state, entry.filled > 0) for entry in entries)
        if state is not trade.state:
            transition.trade(trade, state)
        follow_back(self._desk, transition, trade)
        self._shrink(transition, trade)
        if trade.unsent is not None and not trade.waits_for_itself:
            self.on_step(trade)

    def _land(self, transition: Transition, trade: Trade, payload: Payload) -> None:
        """What was sent has landed once a venue tells of one order of it, since a list is accepted whole. A transaction
        has landed when it is in a block, and is dead when it is proven that it can not come into one."""
        orders = trade.orders_of(payload)
        if payload.body:
            if any(order.state is OrderState.CANCELLED for order in orders):
                transition.payload(trade, payload, PayloadState.DEAD)
            elif any(order.state in TERMINAL for order in orders):
                transition.payload(trade, payload, PayloadState.LANDED)
        elif any(order.state not in _UNTOLD for order in orders):
            transition.payload(trade, payload, PayloadState.LANDED)

    def _shrink(self, transition: Transition, trade: Trade) -> None:
        desk, hold = self._desk, self._desk.state.purse.holds.get(trade.id)
        if trade.state not in IN_FLIGHT:
            release(desk, transition, trade)
            return
        if hold is None or trade.intent.act is not None:
            return  # all or nothing: what it pays is held until it has ended
        left, buys = ZERO, trade.intent.side is Side.BUY
        for entry in trade.entries:
            if entry.live:
                open_quantity = sub(entry.request.quantity, entry.filled)
                limit = entry.request.limit_price
                assert limit is not None
                left = add(left, mul(open_quantity, limit) if buys else open_quantity)
        if buys:
            left = add(left, trade.intent.max_fee)
        if left < hold.remaining:
            transition.hold(trade.id, desk.state.purse.shrink(trade.id, left), "OPEN")

    def _book_fill(self, transition: Transition, trade: Trade, order: Order, fill: VenueFill) -> None:
        desk, state = self._desk, self._desk.state
        instrument = desk.instruments[fill.symbol]
        postings = of_fill(state.venue, trade.intent.module, instrument, fill)
        account = venue_account(state.venue)
        for posting in postings:
            if posting.account == account:
                state.purse.move(posting.asset, posting.amount)
        trip = state.positions.apply(trade.intent.module, fill)
        order.fills.add(fill.fill_id)
        order.fees = add(order.fees, fill.fee)
        self._spend(transition, trade, order, fill)
        if fill.side is Side.SELL:
            self._cap_closes(transition, trade.intent.module, fill.symbol)
        holding = state.positions.holding(trade.intent.module, fill.symbol)
        if not restored(desk, transition, trade, order, fill, holding):
            transition.fill(state.venue, trade, fill, postings, holding)
        if order.request.kind is OrderKind.TRANSACTION:
            order.booked[fill.fill_id] = fill
        desk.counters.fills += 1
        if trip is not None:
            transition.change("round_trip", trip.module, trip.symbol, to_text(trip.net), trip.closed_ms)

    def _book_gas(self, transition: Transition, trade: Trade, order: Order, report: OrderReport) -> None:
        """What the order has cost in gas since it was last told."""
        more, state = sub(report.gas, order.gas), self._desk.state
        if not more:
            return
        postings = of_gas(state.venue, trade.intent.module, report.gas_asset, more)
        state.purse.move(report.gas_asset, neg(more))
        state.gas[report.gas_asset] = add(state.gas.get(report.gas_asset, ZERO), more)
        transition.post(postings)
        hold = state.purse.holds.get(gas_hold(trade.id))
        if hold is not None and more > 0:
            left = max(ZERO, sub(hold.remaining, more))
            transition.hold(gas_hold(trade.id), state.purse.shrink(gas_hold(trade.id), left), "OPEN")

    def _tell_fees(self, trade: Trade, order: Order, before: Decimal) -> None:
        """More was paid than "fee up to" says: a sale rested and was filled far above its price, or the venue became
        dearer. The text bounds entry and close; of stop and target it says no fee. Told when the sum of all fills
        passes the bound, which it does once. The legs of a basket have one bound together."""
        bound, fees = trade.intent.max_fee, _entry_fees(trade)
        if not before <= bound < fees:
            return
        quote = self._desk.instruments[trade.intent.symbol].quote
        text = (
            f"{trade.intent.symbol}: the fees of the {order.role.value} are {to_text(fees)} {quote}; "
            f"fee up to {to_text(bound)} was signed."
        )
        self._desk.alert(Severity.HIGH, "order.fee", text, trade.id)

    def _spend(self, transition: Transition, trade: Trade, order: Order, fill: VenueFill) -> None:
        """What a fill paid is no longer reserved: else the fee would be taken from what others reserved."""
        hold = self._desk.state.purse.holds.get(trade.id)
        if hold is None or not order.decides:
            return
        paid = fill.quantity if fill.side is Side.SELL else add(fill.quote_amount, fill.fee)
        left = max(ZERO, sub(hold.remaining, paid))
        transition.hold(trade.id, self._desk.state.purse.shrink(trade.id, left), "OPEN")

    def _cap_closes(self, transition: Transition, module: str, symbol: str) -> None:
        """An exit sold first: a close in flight can hold no more than is left, and of nothing none waits."""
        state = self._desk.state
        held = state.positions.holding(module, symbol).quantity
        for other in state.in_flight():
            hold = state.purse.holds.get(other.id)
            if (
                hold is not None
                and other.intent.side is Side.SELL
                and (other.intent.module, other.intent.symbol) == (module, symbol)
                and hold.remaining > held
            ):
                transition.hold(other.id, state.purse.shrink(other.id, held), "OPEN")
        if not held:
            self._desk.on_sold(module, symbol)

    def _disagree(self, trade: Trade, order: Order, report: OrderReport) -> None:
        error = StorageError(
            "venue.fills_disagree",
            f"The venue reports {to_text(report.filled)} for {order.request.client_id}; its fills do not sum to it.",
            next_step="New trades stopped. Compare with the venue's own record.",
        )
        self._desk.record_error(error, trade.id)
        self._desk.halt("the venue's fills do not add up")

    def _foreign(self, report: OrderReport) -> None:
        text = f"The venue reports order {report.client_id}, which this database does not know."
        self._desk.alert(Severity.CRITICAL, "order.foreign", text, report.client_id)
        if not self._desk.halted:
            self._desk.halting.differs("an order at the venue is not ours")  # until they are compared again


def _same(order: Order, report: OrderReport) -> bool:
    """A look-up told what was known."""
    fills = {fill.fill_id for fill in report.fills}
    known = (order.state, order.fills, order.gas, told(order))
    return known == (report.state, fills, report.gas, report.moves)


def _entry_fees(trade: Trade) -> Decimal:
    """What the fills of its entries, or of its close, have cost in fees."""
    return total([entry.fees for entry in trade.entries])


def end_unsent(desk: Desk, transition: Transition, trade: Trade, state: TradeState, reason: str) -> None:
    """End a trade whose bytes never left: payload DROPPED, orders CANCELLED, reservation released. An approval that was
    sent before stays what it is: also one whose block was undone may come into another."""
    may_land = [each for each in trade.payloads if each.body and each.state is PayloadState.UNKNOWN]
    for payload in trade.payloads:
        if payload.state in _DROPPABLE and payload not in may_land:
            transition.payload(trade, payload, PayloadState.DROPPED)
    kept = [order for payload in may_land for order in trade.orders_of(payload)]
    for order in trade.orders.values():
        waits = order.state in {OrderState.PENDING, OrderState.UNKNOWN} and order not in kept
        if order.role is not Role.FLATTEN and waits:
            transition.order(order, OrderState.CANCELLED, reason)
    transition.trade(trade, state, reason)
    release(desk, transition, trade)
    desk.state.retire(trade)


def release(desk: Desk, transition: Transition, trade: Trade) -> None:
    """End a trade's reservation, if it has one."""
    for hold_id, hold in desk.state.purse.release(trade.id):
        transition.hold(hold_id, hold, "RELEASED")
