"""What a reorganisation of a chain does to the books: fills of blocks that are no more are taken back, by postings of
the opposite sign; a fill that comes back is booked again.

A chain's report tells everything that stands, so a fill that was booked and is not in it stands no more.
"""

from __future__ import annotations

from app.errors import Severity, StorageError
from app.execution.desk import Desk
from app.execution.needs import needs_of
from app.execution.purse import Hold
from app.execution.records import Order, Trade
from app.execution.states import IN_FLIGHT, PayloadState
from app.execution.transition import Transition
from app.money import mul, neg, to_text
from app.portfolio.ledger import Posting, of_fill, venue_account
from app.portfolio.positions import Holding
from app.venues.base import TERMINAL, OrderKind, OrderReport, VenueFill
from strategies.model import Side


def gone(order: Order, report: OrderReport) -> list[VenueFill]:
    """Booked fills of a transaction that the chain does not have any more."""
    if order.request.kind is not OrderKind.TRANSACTION:
        return []
    standing = {fill.fill_id for fill in report.fills}
    return [fill for name, fill in order.booked.items() if name not in standing]


def check_gone(desk: Desk, trade: Trade, order: Order, report: OrderReport) -> None:
    """Whether the fills that are gone can be taken back.

    Raises:
        StorageError: what one of them bought was sold, and that sale still stands.
    """
    for fill in gone(order, report):
        try:
            desk.state.positions.holding(trade.intent.module, fill.symbol).without(fill.fill_id)
        except ValueError as error:
            what = f"The chain took back a purchase of {to_text(fill.quantity)} {fill.symbol} that was sold since."
            step = "New trades stopped. Compare with the chain; a later block may bring it back."
            raise StorageError("chain.undone_sold", what, next_step=step) from error


def undo(desk: Desk, transition: Transition, trade: Trade, order: Order, fill: VenueFill) -> None:
    """Take a fill back."""
    state = desk.state
    postings = _moved(desk, of_fill(state.venue, trade.intent.module, desk.instruments[fill.symbol], fill), back=True)
    undone = state.positions.undo(trade.intent.module, fill.symbol, fill.fill_id)
    for name, trips in (("round_trip_undone", undone.gone), ("round_trip", undone.again)):
        for trip in trips:
            transition.change(name, trip.module, trip.symbol, to_text(trip.net), trip.closed_ms)
    del order.booked[fill.fill_id]
    order.undone[fill.fill_id] = fill
    order.fills.discard(fill.fill_id)
    transition.fill_again(state.venue, fill, "undone", postings, undone.holding)
    text = (
        f"{fill.symbol}: the chain was reorganised and took back the {fill.side.value} of {to_text(fill.quantity)}. "
        "The same transaction is sent again while it can land."
    )
    desk.alert(Severity.HIGH, "chain.reorganised", text, trade.id)


def restored(desk: Desk, transition: Transition, trade: Trade, order: Order, fill: VenueFill, holding: Holding) -> bool:
    """Book a fill again that was taken back before; False: it is a new one."""
    if order.undone.pop(fill.fill_id, None) is None:
        return False
    postings = of_fill(desk.state.venue, trade.intent.module, desk.instruments[fill.symbol], fill)
    transition.fill_again(desk.state.venue, fill, "restored", postings, holding)
    return True


def follow_back(desk: Desk, transition: Transition, trade: Trade) -> None:
    """A transaction that was in a block waits again: its payload is in doubt, and what it pays is held anew. Its gas is
    not: what it cost came back, and whatever else waits for that would have to be undone."""
    for payload in trade.payloads:
        waits = all(order.state not in TERMINAL for order in trade.orders_of(payload))
        if payload.state is PayloadState.LANDED and payload.body and waits:
            transition.payload(trade, payload, PayloadState.UNKNOWN)
    purse = desk.state.purse
    if trade.state not in IN_FLIGHT or trade.id in purse.holds or not any(each.body for each in trade.payloads):
        return
    if trade.intent.act is not None:
        # (its gas is not held anew: see above)
        for need in needs_of(trade.intent, desk.instruments[trade.intent.symbol], ""):
            if need.part == "gas":
                continue
            hold = Hold(need.asset, need.amount, need.amount)
            purse.restore(need.hold_id(trade.id), hold)
            transition.hold(need.hold_id(trade.id), hold, "OPEN")
        return
    for entry in trade.entries:
        price, instrument = entry.request.limit_price, desk.instruments[trade.intent.symbol]
        assert price is not None
        buys = entry.request.side is Side.BUY
        amount = mul(entry.request.quantity, price) if buys else entry.request.quantity
        hold = Hold(instrument.quote if buys else instrument.base, amount, amount)
        purse.restore(trade.id, hold)
        transition.hold(trade.id, hold, "OPEN")


def _moved(desk: Desk, postings: tuple[Posting, ...], *, back: bool) -> tuple[Posting, ...]:
    """The postings, or their opposite, with the purse brought along."""
    made = tuple(Posting(p.account, p.asset, neg(p.amount)) for p in postings) if back else postings
    for posting in made:
        if posting.account == venue_account(desk.state.venue):
            desk.state.purse.move(posting.asset, posting.amount)
    return made
