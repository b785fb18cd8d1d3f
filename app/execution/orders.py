"""From an authorisation to the exact orders a venue gets. One tested place derives every client id and every term."""

from __future__ import annotations

from app.execution.records import Order, Role, Trade, slot
from app.execution.signed_terms import Authorisation, Part, exit_group
from app.ids import client_order_id
from app.venues.base import OrderKind, OrderRequest
from strategies.model import Side


def orders_of(authorisation: Authorisation, now_ms: int) -> tuple[Order, ...]:
    """Entry with its exits, one such set for each leg of a basket, or a close; the time in force counts from `now_ms`,
    the instant of signing."""
    if authorisation.reduce_only:
        return (_marketable(authorisation, Role.CLOSE, 1, authorisation.parts[0], now_ms),)
    orders = []
    for number, part in enumerate(authorisation.parts, 1):
        orders.append(_marketable(authorisation, Role.ENTRY, number, part, now_ms))
        if authorisation.stop is not None:
            orders.append(_exit(authorisation, Role.STOP, number, part))
        if part.target is not None:
            orders.append(_exit(authorisation, Role.TARGET, number, part))
    return tuple(orders)


def _marketable(a: Authorisation, role: Role, number: int, part: Part, now_ms: int) -> Order:
    """An order that decides the trade: an entry, or a close that shares the exits of what it closes."""
    request = OrderRequest(
        client_id=client_order_id(a.trade_id, slot(role, number)),
        symbol=a.symbol,
        side=a.side,
        kind=OrderKind.LIMIT,
        quantity=part.quantity,
        valid_until_ms=a.valid_until_ms,
        limit_price=part.worst_price,
        expires_ms=now_ms + a.time_in_force_ms,
        group=a.group,
        reduce_only=a.reduce_only,
        basket=a.basket,
    )
    return Order(request, a.trade_id, role)


def _exit(a: Authorisation, role: Role, number: int, part: Part) -> Order:
    request = OrderRequest(
        client_id=client_order_id(a.trade_id, slot(role, number)),
        symbol=a.symbol,
        side=Side.SELL,
        kind=OrderKind.STOP if role is Role.STOP else OrderKind.LIMIT,
        quantity=part.quantity,
        valid_until_ms=a.valid_until_ms,
        limit_price=part.target if role is Role.TARGET else None,
        stop_price=a.stop if role is Role.STOP else None,
        parent=client_order_id(a.trade_id, slot(Role.ENTRY, number)),
        group=exit_group(a.trade_id, number),
        reduce_only=True,
        basket=a.basket,
    )
    return Order(request, a.trade_id, role)


def flatten_of(trade: Trade, exit_order: OrderRequest, now_ms: int, time_in_force_ms: int) -> Order:
    """A reduce-only market sale that shares the exits of `exit_order`; the one order that needs no authorisation."""
    request = OrderRequest(
        client_id=client_order_id(trade.id, trade.slot(Role.FLATTEN)),
        symbol=exit_order.symbol,
        side=Side.SELL,
        kind=OrderKind.MARKET,
        quantity=exit_order.quantity,
        valid_until_ms=now_ms + time_in_force_ms,
        expires_ms=now_ms + time_in_force_ms,
        group=exit_order.group,
        reduce_only=True,
    )
    return Order(request, trade.id, Role.FLATTEN)
