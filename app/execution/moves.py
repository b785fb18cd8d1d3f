"""What acts move, in the books: posted when a report tells of it, and by the opposite sign when a block was undone."""

from __future__ import annotations

from dataclasses import replace

from app.errors import StorageError
from app.execution.act_rows import name_of_act
from app.execution.desk import Desk
from app.execution.records import Order, Trade
from app.execution.transition import Transition
from app.money import neg
from app.portfolio.ledger import Posting, of_move, venue_account
from app.venues.base import Move, MoveKind, OrderReport
from strategies.acts import Withdraw


def told(order: Order) -> tuple[Move, ...]:
    """What of an order's moves the venue had told."""
    return tuple(move for move in order.moves if move.kind is not MoveKind.CHANGE)


def check_moves(trade: Trade, order: Order, report: OrderReport) -> None:
    """Whether a report can move anything.

    Raises:
        StorageError: its trade is no act, or one move is of a position that another act opened.
    """
    if report.moves and trade.intent.act is None:
        raise StorageError(
            "venue.moves",
            f"The venue says that {order.request.client_id} moved assets beside its fills; it bought or sold.",
            next_step="New trades stopped. Compare with the venue's own record.",
        )


def book_moves(desk: Desk, transition: Transition, trade: Trade, order: Order, report: OrderReport) -> OrderReport:
    """Post what is new of an act, and take back what stands no more. Answers the report with what it leaves of a
    position of liquidity that it ended."""
    if told(order) == report.moves:
        return replace(report, moves=order.moves)
    for move in reversed(order.moves):
        _book(desk, transition, trade, move, back=True)
    moves, intent = report.moves, trade.intent
    if isinstance(intent.act, Withdraw) and moves:
        moves += desk.state.stakes.left(intent.module, intent.act.position, moves)
    for move in moves:
        _book(desk, transition, trade, move, back=False)
    return replace(report, moves=moves)


def _book(desk: Desk, transition: Transition, trade: Trade, move: Move, *, back: bool) -> None:
    intent, state = trade.intent, desk.state
    assert intent.act is not None
    postings = of_move(state.venue, intent.module, name_of_act(intent.act), move)
    if back:
        postings = tuple(Posting(each.account, each.asset, neg(each.amount)) for each in postings)
    for posting in postings:
        if posting.account == venue_account(state.venue):
            state.purse.move(posting.asset, posting.amount)
    state.stakes.apply(intent.module, intent.symbol, move, back=back)
    transition.post(postings)
