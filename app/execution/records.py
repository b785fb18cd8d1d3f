"""Trades, payloads and orders as they stand in memory: one record each, changed only by `transition.Transition`."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from app.execution.states import PayloadState, TradeState
from app.money import ZERO, from_text, to_text
from app.venues.base import TERMINAL, OrderKind, OrderRequest, OrderState, SignedText
from strategies.model import Exits, Intent, Side


class Role(StrEnum):
    """What an order is for."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"
    CLOSE = "close"
    FLATTEN = "flatten"


@dataclass(slots=True)
class Order:
    """One order. `request` never changes; `fills` are the venue's fill ids already booked, `fees` what those cost."""

    request: OrderRequest
    trade_id: str
    role: Role
    state: OrderState = OrderState.PENDING
    filled: Decimal = ZERO
    revision: int = 0
    venue_order_id: str = ""
    fills: set[str] = field(default_factory=set)
    fees: Decimal = ZERO

    @property
    def live(self) -> bool:
        """Not ended, or not known to have ended."""
        return self.state not in TERMINAL


@dataclass(slots=True)
class Payload:
    """One thing to sign: `text` is exactly what the screen shows and the device signs."""

    id: str
    text: str
    preview: str
    valid_until_ms: int
    state: PayloadState = PayloadState.BUILT
    signed: SignedText | None = None
    signed_ms: int = 0


@dataclass(slots=True)
class Trade:
    """One intent's life."""

    intent: Intent
    state: TradeState = TradeState.PROPOSED
    reason: str = ""
    payload: Payload | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    """By `slot`: its role, and for a flatten that is tried again its role and number."""
    resumed: bool = False
    """Signed before a restart and proven unsent: it is sent only when the trader says so again."""
    lap_ns: int = 0
    """When its last step was done, on the monotonic clock; 0 before the first of this process."""

    @property
    def id(self) -> str:
        """The intent's id."""
        return self.intent.id

    def keep(self, order: Order) -> None:
        """Add an order."""
        self.orders[self.slot(order.role)] = order

    def slot(self, role: Role) -> str:
        """Where the next order of `role` is kept, and what its client id derives from."""
        return slot(role, sum(1 for order in self.orders.values() if order.role is role) + 1)

    @property
    def entry(self) -> Order | None:
        """The order that decides the trade's state."""
        return self.orders.get(Role.ENTRY) or self.orders.get(Role.CLOSE)


def slot(role: str, number: int) -> str:
    """The `number`-th order of a role in a trade: ``flatten``, then ``flatten:2``."""
    return str(role) if number == 1 else f"{role}:{number}"


def terms_of(request: OrderRequest) -> dict[str, Any]:
    """An order's terms as JSON-ready values with a fixed key order; stored in the order's first event and row."""
    return {
        "client_id": request.client_id,
        "symbol": request.symbol,
        "side": request.side.value,
        "kind": request.kind.value,
        "quantity": to_text(request.quantity),
        "valid_until_ms": request.valid_until_ms,
        "limit_price": _text(request.limit_price),
        "stop_price": _text(request.stop_price),
        "expires_ms": request.expires_ms,
        "parent": request.parent,
        "group": request.group,
        "reduce_only": request.reduce_only,
    }


def request_of(terms: dict[str, Any]) -> OrderRequest:
    """The inverse of `terms_of`."""
    return OrderRequest(
        client_id=terms["client_id"],
        symbol=terms["symbol"],
        side=Side(terms["side"]),
        kind=OrderKind(terms["kind"]),
        quantity=from_text(terms["quantity"]),
        valid_until_ms=terms["valid_until_ms"],
        limit_price=_amount(terms["limit_price"]),
        stop_price=_amount(terms["stop_price"]),
        expires_ms=terms["expires_ms"],
        parent=terms["parent"],
        group=terms["group"],
        reduce_only=terms["reduce_only"],
    )


def intent_row(intent: Intent) -> tuple[Any, ...]:
    """An intent as a hashed row: ``("intents", ...)`` in `storage.schema.HASHED` order."""
    exits = intent.exits
    return (
        "intents",
        intent.id,
        intent.module,
        intent.symbol,
        intent.side.value,
        to_text(intent.quantity),
        to_text(intent.worst_price),
        to_text(intent.max_fee),
        to_text(exits.stop) if exits else None,
        to_text(exits.target) if exits and exits.target is not None else None,
        int(intent.reduce_only),
        intent.reason,
        repr(intent.strength),
        repr(intent.confidence),
        intent.created_ms,
        intent.expires_ms,
        intent.config_version,
    )


def intent_of(row: dict[str, Any]) -> Intent:
    """The inverse of `intent_row`, from a database row."""
    exits = None
    if row["stop"] is not None:
        exits = Exits(from_text(row["stop"]), _amount(row["target"]))
    return Intent(
        id=row["id"],
        module=row["module"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=from_text(row["quantity"]),
        worst_price=from_text(row["worst_price"]),
        max_fee=from_text(row["max_fee"]),
        exits=exits,
        reason=row["reason"],
        created_ms=row["created_ms"],
        expires_ms=row["expires_ms"],
        config_version=row["config_version"],
        reduce_only=bool(row["reduce_only"]),
        strength=float(row["strength"]),
        confidence=float(row["confidence"]),
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else to_text(amount)


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else from_text(text)
