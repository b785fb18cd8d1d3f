"""From an authorisation to the exact orders a venue gets. One tested place derives every client id and every term."""

from __future__ import annotations

from app.execution.authorisation import Authorisation
from app.execution.records import Order, Role, Trade
from app.ids import client_order_id
from app.venues.base import OrderKind, OrderRequest
from strategies.model import Side


def orders_of(authorisation: Authorisation, now_ms: int) -> tuple[Order, ...]:
    """Entry with its exits, or a close; the time in force counts from `now_ms`, the instant of signing."""
    if authorisation.reduce_only:
        return (_marketable(authorisation, Role.CLOSE, now_ms),)
    orders = [_marketable(authorisation, Role.ENTRY, now_ms)]
    if authorisation.stop is not None:
        orders.append(_exit(authorisation, Role.STOP))
    if authorisation.target is not None:
        orders.append(_exit(authorisation, Role.TARGET))
    return tuple(orders)


def exit_group(trade_id: str) -> str:
    """The group that the exits of one trade share."""
    return client_order_id(trade_id, "exits")


def _marketable(a: Authorisation, role: Role, now_ms: int) -> Order:
    """The order that decides the trade: an entry, or a close that shares the exits of what it closes."""
    request = OrderRequest(
        client_id=client_order_id(a.trade_id, role),
        symbol=a.symbol,
        side=a.side,
        kind=OrderKind.LIMIT,
        quantity=a.quantity,
        valid_until_ms=a.valid_until_ms,
        limit_price=a.worst_price,
        expires_ms=now_ms + a.time_in_force_ms,
        group=a.group,
        reduce_only=a.reduce_only,
    )
    return Order(request, a.trade_id, role)


def _exit(a: Authorisation, role: Role) -> Order:
    request = OrderRequest(
        client_id=client_order_id(a.trade_id, role),
        symbol=a.symbol,
        side=Side.SELL,
        kind=OrderKind.STOP if role is Role.STOP else OrderKind.LIMIT,
        quantity=a.quantity,
        valid_until_ms=a.valid_until_ms,
        limit_price=a.target if role is Role.TARGET else None,
        stop_price=a.stop if role is Role.STOP else None,
        parent=client_order_id(a.trade_id, Role.ENTRY),
        group=exit_group(a.trade_id),
        reduce_only=True,
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
