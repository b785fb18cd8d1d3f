"""Where a trade's transactions stand: sent, in a block, reverted, replaced. From memory alone."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.execution.records import Order, Payload, Role, Trade
from app.execution.state import State
from app.execution.states import PayloadState
from app.money import ZERO
from app.venues.base import OrderState, SignedTransaction
from signers.evm import decode


class Stage(StrEnum):
    """How far a transaction is."""

    UNSENT = "unsent"
    WAITING = "waiting"
    MINED = "mined"
    REVERTED = "reverted"
    REPLACED = "replaced"
    """Another transaction has its nonce: it can never land."""
    UNKNOWN = "unknown"


_STAGES: Final = {
    OrderState.PENDING: Stage.UNSENT,
    OrderState.OPEN: Stage.WAITING,
    OrderState.FILLED: Stage.MINED,
    OrderState.PARTIALLY_FILLED: Stage.MINED,
    OrderState.UNKNOWN: Stage.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class TransactionView:
    """One transaction of a trade.

    Attributes:
        number, of: which of how many.
        hash: "" before it is signed.
        block: that it is in, None while it is in none.
        gas: what it has cost, whole coins.
    """

    number: int
    of: int
    approves: bool
    nonce: int
    hash: str
    stage: Stage
    block: int | None
    gas: Decimal


def transactions(trade: Trade) -> tuple[TransactionView, ...]:
    """Those of a trade in the order in which they are sent; none where it is signed in words."""
    payloads = [each for each in trade.payloads if each.body]
    return tuple(_view(trade, each, number, len(payloads)) for number, each in enumerate(payloads, 1))


def _view(trade: Trade, payload: Payload, number: int, of: int) -> TransactionView:
    orders = trade.orders_of(payload) if isinstance(payload.signed, SignedTransaction) else []
    order = orders[0] if orders else None
    stage = _stage(payload, order)
    in_block = stage is Stage.MINED or stage is Stage.REVERTED
    return TransactionView(
        number=number,
        of=of,
        approves=payload.role is Role.APPROVE,
        nonce=decode(payload.body).nonce,
        hash=payload.signed.hash if isinstance(payload.signed, SignedTransaction) else "",
        stage=stage,
        block=block_of(order.venue_order_id) if order is not None and in_block else None,
        gas=ZERO if order is None else order.gas,
    )


def _stage(payload: Payload, order: Order | None) -> Stage:
    if order is None or payload.state is PayloadState.DROPPED:
        return Stage.UNSENT
    if order.state is OrderState.REJECTED:  # without gas the nodes refused it: it was never in a block
        return Stage.REVERTED if order.gas else Stage.UNSENT
    return _STAGES.get(order.state, Stage.REPLACED)


def block_of(place: str) -> int | None:
    """The block that a transaction's newest report names; None where it names none.

    Args:
        place: the venue's id of the order: number and hash of the block, ``412/0x...``; empty while it is in none.
    """
    number, slash, _ = place.partition("/")
    return int(number) if slash and number.isdecimal() else None


def newest_block(state: State) -> int:
    """The number of the newest block that something of ours is booked of; 0 where nothing is."""
    orders = (order for trade in state.remembered() for order in trade.orders.values())
    return max((block for order in orders if (block := block_of(order.venue_order_id)) is not None), default=0)
