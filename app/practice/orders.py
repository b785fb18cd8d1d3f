"""The venue's account: balances, orders, and the rules that tie orders together (parent, group, reduce-only)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from app.money import ZERO, add, sub
from app.venues.base import TERMINAL, OrderReport, OrderRequest, OrderState, VenueFill


@dataclass(slots=True)
class VenueOrder:
    """One accepted order."""

    request: OrderRequest
    venue_order_id: str
    accepted_ms: int
    state: OrderState = OrderState.OPEN
    filled: Decimal = ZERO
    fills: list[VenueFill] = field(default_factory=list)
    revision: int = 1
    updated_ms: int = 0
    reason: str = ""
    triggered: bool = False

    @property
    def live(self) -> bool:
        """Open or partly filled."""
        return self.state not in TERMINAL

    def sleeping(self, account: Account) -> bool:
        """An exit whose entry has not filled anything yet."""
        parent = self.request.parent
        return parent is not None and not account.orders[parent].filled

    def report(self) -> OrderReport:
        """Everything known of it."""
        return OrderReport(
            client_id=self.request.client_id,
            venue_order_id=self.venue_order_id,
            state=self.state,
            quantity=self.request.quantity,
            filled=self.filled,
            fills=tuple(self.fills),
            revision=self.revision,
            ts_ms=self.updated_ms,
            reason=self.reason,
        )


class Account:
    """What the venue holds for the trader, and every order it ever accepted.

    Args:
        base_of: base asset by symbol.
    """

    def __init__(self, base_of: dict[str, str]) -> None:
        self._base_of = base_of
        self.now_ms = 0
        self.position = 0
        """Number of the newest market event processed."""
        self.fills = 0
        self.balances: dict[str, Decimal] = {}
        self.orders: dict[str, VenueOrder] = {}
        self.changed: dict[str, VenueOrder] = {}
        """Orders changed since the server last looked, in order of change."""
        self.new_fills: list[VenueFill] = []
        self.moved: set[str] = set()
        self._live: dict[str, VenueOrder] = {}

    def move(self, asset: str, amount: Decimal) -> None:
        """Change a balance."""
        self.balances[asset] = add(self.balances.get(asset, ZERO), amount)
        self.moved.add(asset)

    def live_orders(self, symbol: str | None = None) -> list[VenueOrder]:
        """Orders that are not finished, in order of acceptance."""
        return [o for o in self._live.values() if symbol is None or o.request.symbol == symbol]

    def restore(self, order: VenueOrder) -> None:
        """An order read from disk."""
        self.orders[order.request.client_id] = order
        if order.live:
            self._live[order.request.client_id] = order

    def accept(self, request: OrderRequest) -> VenueOrder:
        """A new order."""
        order = VenueOrder(request, f"v{len(self.orders) + 1}", self.now_ms)
        self.restore(order)
        self._touch(order)
        order.revision = 1
        return order

    def remaining(self, order: VenueOrder) -> Decimal:
        """What `order` may still trade: its rest, cut by its group, its parent and, reduce-only, by what is held."""
        request = order.request
        left = sub(request.quantity, order.filled)
        if request.group is not None:
            left = min(left, sub(self._capacity(request.group), self._traded(request.group)))
        elif request.parent is not None:
            left = min(left, sub(self.orders[request.parent].filled, order.filled))
        if request.reduce_only:
            left = min(left, self.balances.get(self._base_of[request.symbol], ZERO))
        return max(left, ZERO)

    def book(self, order: VenueOrder, fill: VenueFill) -> None:
        """Record a fill and what follows from it."""
        order.fills.append(fill)
        order.filled = add(order.filled, fill.quantity)
        self.new_fills.append(fill)
        done = order.filled == order.request.quantity
        order.state = OrderState.FILLED if done else OrderState.PARTIALLY_FILLED
        self._touch(order)
        if done:
            self._finished(order)
        self._settle_group(order)

    def end(self, order: VenueOrder, state: OrderState, reason: str) -> None:
        """Finish an order, and the exits that hang on it when it bought nothing or all of that is sold."""
        order.state, order.reason = state, reason
        self._touch(order)
        self._finished(order)

    def _finished(self, order: VenueOrder) -> None:
        self._live.pop(order.request.client_id, None)
        for exit_order in [o for o in self._live.values() if o.request.parent == order.request.client_id]:
            if not order.filled:
                self.end(exit_order, OrderState.CANCELLED, "its entry bought nothing")
            elif exit_order.live:
                self._settle_group(exit_order)

    def _settle_group(self, order: VenueOrder) -> None:
        """When the quantity a group shares is used up for good, finish its members."""
        group = order.request.group
        if group is None or self._growing(group) or sub(self._capacity(group), self._traded(group)) > 0:
            return
        for member in self._members(group):
            if not member.live:
                continue
            if member is order and member.filled:
                self.end(member, OrderState.FILLED, "all that was bought is sold")
            else:
                self.end(member, OrderState.CANCELLED, "the other exit sold it")

    def _members(self, group: str) -> list[VenueOrder]:
        return [order for order in self.orders.values() if order.request.group == group]

    def _parents(self, group: str) -> Iterator[VenueOrder]:
        seen = {order.request.parent for order in self._members(group) if order.request.parent is not None}
        return (self.orders[parent] for parent in seen)

    def _growing(self, group: str) -> bool:
        return any(parent.live for parent in self._parents(group))

    def _capacity(self, group: str) -> Decimal:
        """What a group may sell in all: what its entries bought; without entries, its largest member."""
        bought = [parent.filled for parent in self._parents(group)]
        if bought:
            return max(bought)
        return max(order.request.quantity for order in self._members(group))

    def _traded(self, group: str) -> Decimal:
        result = ZERO
        for order in self._members(group):
            result = add(result, order.filled)
        return result

    def _touch(self, order: VenueOrder) -> None:
        order.revision += 1
        order.updated_ms = self.now_ms
        self.changed.pop(order.request.client_id, None)
        self.changed[order.request.client_id] = order
