"""The three machines of a trade's life (DESIGN section 4): their states, their edges, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, TypeVar

from app.errors import IllegalTransition
from app.venues.base import TERMINAL, OrderKind, OrderState


class TradeState(StrEnum):
    """From proposal to fill. Once SUBMITTED it is a pure function of the entry order."""

    PROPOSED = "PROPOSED"
    RESERVED = "RESERVED"
    PREPARED = "PREPARED"
    CONFIRMED = "CONFIRMED"
    SIGNED = "SIGNED"
    SUBMITTED = "SUBMITTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    DENIED = "DENIED"
    EXPIRED = "EXPIRED"
    DECLINED = "DECLINED"
    REFUSED = "REFUSED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class PayloadState(StrEnum):
    """One thing signed. DEAD: proven it can never land. DROPPED: proven unsent."""

    BUILT = "BUILT"
    CONFIRMED = "CONFIRMED"
    SIGNED = "SIGNED"
    SENT = "SENT"
    LANDED = "LANDED"
    UNKNOWN = "UNKNOWN"
    DEAD = "DEAD"
    DROPPED = "DROPPED"


T, P, Q = TradeState, PayloadState, OrderState

_ENDS: Final = frozenset({T.EXPIRED, T.CANCELLED, T.FAILED})

TRADE_EDGES: Final[Mapping[TradeState, frozenset[TradeState]]] = {
    T.PROPOSED: _ENDS | {T.RESERVED, T.DENIED, T.DECLINED},
    T.RESERVED: _ENDS | {T.PREPARED, T.DENIED, T.DECLINED},
    T.PREPARED: _ENDS | {T.CONFIRMED, T.DENIED, T.DECLINED},
    T.CONFIRMED: _ENDS | {T.SIGNED, T.DENIED, T.REFUSED},
    T.SIGNED: _ENDS | {T.SUBMITTED, T.DENIED, T.DECLINED},
    # from here on only what an entry order can say (`trade_state_of`)
    T.SUBMITTED: frozenset({T.PARTIALLY_FILLED, T.FILLED, T.REJECTED, T.CANCELLED, T.EXPIRED}),
    T.PARTIALLY_FILLED: frozenset({T.FILLED, T.CANCELLED, T.EXPIRED}),
    # the one edge out of FILLED is a reorganisation of a chain; a late fill leaves CANCELLED or EXPIRED
    T.FILLED: frozenset({T.SUBMITTED}),
    # (to EXPIRED: the one cancelled leg of a basket was filled after all, the others had expired)
    T.CANCELLED: frozenset({T.PARTIALLY_FILLED, T.FILLED, T.EXPIRED}),
    T.EXPIRED: frozenset({T.PARTIALLY_FILLED, T.FILLED}),
    T.DENIED: frozenset(),
    T.DECLINED: frozenset(),
    T.REFUSED: frozenset(),
    T.REJECTED: frozenset({T.SUBMITTED}),  # reverted in a block that was undone
    T.FAILED: frozenset(),
}

PAYLOAD_EDGES: Final[Mapping[PayloadState, frozenset[PayloadState]]] = {
    P.BUILT: frozenset({P.CONFIRMED, P.DROPPED}),
    P.CONFIRMED: frozenset({P.SIGNED, P.DROPPED}),
    P.SIGNED: frozenset({P.SENT, P.DROPPED}),
    P.SENT: frozenset({P.LANDED, P.UNKNOWN, P.DEAD}),
    P.UNKNOWN: frozenset({P.LANDED, P.DEAD, P.DROPPED}),
    P.LANDED: frozenset({P.UNKNOWN}),
    P.DEAD: frozenset(),
    P.DROPPED: frozenset(),
}

_LIVE: Final = frozenset({Q.PARTIALLY_FILLED, Q.FILLED, Q.CANCELLED, Q.UNKNOWN})

ORDER_EDGES: Final[Mapping[OrderState, frozenset[OrderState]]] = {
    Q.PENDING: _LIVE | {Q.OPEN, Q.REJECTED},
    Q.OPEN: _LIVE | {Q.EXPIRED},
    Q.PARTIALLY_FILLED: frozenset({Q.FILLED, Q.CANCELLED, Q.EXPIRED, Q.UNKNOWN}),
    Q.UNKNOWN: _LIVE - {Q.UNKNOWN} | {Q.OPEN, Q.EXPIRED, Q.REJECTED},
    Q.CANCELLED: frozenset({Q.FILLED, Q.PARTIALLY_FILLED}),
    Q.EXPIRED: frozenset({Q.FILLED, Q.PARTIALLY_FILLED}),
    Q.FILLED: frozenset(),
    Q.REJECTED: frozenset(),
}

TRANSACTION_EDGES: Final[Mapping[OrderState, frozenset[OrderState]]] = {
    **ORDER_EDGES,
    # A chain says no by reverting a transaction in a block, for which it has waited.
    Q.OPEN: ORDER_EDGES[Q.OPEN] | {Q.REJECTED},
    # What a block said is unsaid when the block is undone.
    Q.FILLED: frozenset({Q.OPEN}),
    Q.REJECTED: frozenset({Q.OPEN}),
}
"""Of an order that is a transaction."""

BEFORE_SIGNATURE: Final = frozenset({T.PROPOSED, T.RESERVED, T.PREPARED, T.CONFIRMED})
IN_FLIGHT: Final = BEFORE_SIGNATURE | {T.SIGNED, T.SUBMITTED, T.PARTIALLY_FILLED}
"""States in which a trade holds its reservation."""

S = TypeVar("S", bound=StrEnum)


def check_edge(edges: Mapping[S, frozenset[S]], subject: str, old: S, new: S) -> None:
    """Refuse an edge that the machine does not have.

    Raises:
        IllegalTransition: always a fault of ours; journaled by the caller.
    """
    if new not in edges[old]:
        raise IllegalTransition(
            "machine.edge",
            f"{type(old).__name__} {subject} can not go from {old} to {new}.",
            next_step="New trades stopped. Please report this.",
        )


def order_edges(kind: OrderKind) -> Mapping[OrderState, frozenset[OrderState]]:
    """The edges of an order."""
    return TRANSACTION_EDGES if kind is OrderKind.TRANSACTION else ORDER_EDGES


def order_path(
    subject: str, old: OrderState, new: OrderState, kind: OrderKind = OrderKind.LIMIT
) -> tuple[OrderState, ...]:
    """The states a report takes an order through; empty when it changes none. What a venue says is expired was open
    before, also when we slept through that.

    Raises:
        IllegalTransition: no such path.
    """
    if old is new:
        return ()
    if old is Q.PENDING and new is Q.EXPIRED:
        return (Q.OPEN, Q.EXPIRED)
    check_edge(order_edges(kind), subject, old, new)
    return (new,)


def trade_state_of(entry: OrderState, filled: bool) -> TradeState:
    """The trade's state once submitted, from its entry order."""
    match entry:
        case Q.FILLED:
            return T.FILLED
        case Q.PARTIALLY_FILLED:
            return T.PARTIALLY_FILLED
        case Q.CANCELLED:
            return T.CANCELLED
        case Q.EXPIRED:
            return T.EXPIRED
        case Q.REJECTED:
            return T.REJECTED
        case Q.PENDING | Q.OPEN | Q.UNKNOWN:
            return T.PARTIALLY_FILLED if filled else T.SUBMITTED


def trade_state_of_all(entries: Iterable[tuple[OrderState, bool]]) -> TradeState:
    """The trade's state once submitted, from each entry's state and whether it has a fill. Of one entry it is
    `trade_state_of`.

    A basket is under way while one of its legs is. Ended, it is FILLED or REJECTED when every leg is, CANCELLED when a
    leg was cancelled, and else EXPIRED; what its legs bought is settled in each of them.
    """
    each = list(entries)
    states = {trade_state_of(*entry) for entry in each}
    if len(states) == 1:
        return states.pop()
    if any(state not in TERMINAL for state, _ in each):
        return T.PARTIALLY_FILLED if any(filled for _, filled in each) else T.SUBMITTED
    return T.CANCELLED if T.CANCELLED in states else T.EXPIRED
