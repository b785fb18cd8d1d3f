"""The venue's account: balances, orders, and the rules that tie orders together (parent, group, reduce-only)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from app.money import ZERO, add, sub
from app.venues.base import TERMINAL, OrderReport, OrderRequest, OrderState, VenueFill
from strategies.model import Instrument, Side


@dataclass(slots=True)
class VenueOrder:
    """One accepted order. `after_bar_ms`: the bar that was open when it was accepted; only later bars trade it."""

    request: OrderRequest
    venue_order_id: str
    accepted_ms: int
    after_bar_ms: int = -1
    state: OrderState = OrderState.OPEN
    filled: Decimal = ZERO
    fills: list[VenueFill] = field(default_factory=list)
    revision: int = 0
    updated_ms: int = 0
    reason: str = ""
    triggered: bool = False

    @property
    def live(self) -> bool:
        """Open or partly filled."""
        return self.state not in TERMINAL

    @property
    def tie(self) -> str | None:
        """Name of the quantity this order shares: its group, else its entry's (exits of one entry always share)."""
        if self.request.group is not None:
            return f"group {self.request.group}"
        return None if self.request.parent is None else f"parent {self.request.parent}"

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


class Tie:
    """Orders that share one quantity."""

    def __init__(self) -> None:
        self.members: list[VenueOrder] = []
        self.entry: VenueOrder | None = None
        self.traded = ZERO

    @property
    def capacity(self) -> Decimal:
        """What its members may sell in all: what the entry bought; without one, the largest member."""
        if self.entry is not None:
            return self.entry.filled
        return max(member.request.quantity for member in self.members)

    @property
    def left(self) -> Decimal:
        """Not sold yet."""
        return sub(self.capacity, self.traded)

    @property
    def used_up(self) -> bool:
        """Nothing is left, and the entry can buy no more."""
        return not (self.entry is not None and self.entry.live) and self.left <= ZERO


class Account:
    """What the venue holds for the trader, and every order it ever accepted."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.position = 0
        """Number of the newest market event processed."""
        self.fills = 0
        self.balances: dict[str, Decimal] = {}
        self.instruments: dict[str, Instrument] = {}
        """Everything this account was ever told of."""
        self.orders: dict[str, VenueOrder] = {}
        self.changed: dict[str, VenueOrder] = {}
        """Orders changed since the server last looked, in order of change."""
        self.new_fills: list[VenueFill] = []
        self.moved: dict[str, None] = {}
        self.live: dict[str, VenueOrder] = {}
        self._ties: dict[str, Tie] = {}
        self._exits: dict[str, list[VenueOrder]] = {}

    def balance(self, asset: str) -> Decimal:
        """Total held."""
        return self.balances.get(asset, ZERO)

    def move(self, asset: str, amount: Decimal) -> None:
        """Change a balance."""
        self.balances[asset] = add(self.balance(asset), amount)
        self.moved[asset] = None

    def live_orders(self, symbol: str | None = None) -> list[VenueOrder]:
        """Orders that are not finished, in order of acceptance."""
        return [o for o in self.live.values() if symbol is None or o.request.symbol == symbol]

    def group(self, name: str) -> list[VenueOrder]:
        """Every order that was ever in this group."""
        tie = self._ties.get(f"group {name}")
        return [] if tie is None else tie.members

    def restore(self, order: VenueOrder) -> None:
        """Take in an order, new or read from disk. Its entry comes before it."""
        request = order.request
        self.orders[request.client_id] = order
        if order.live:
            self.live[request.client_id] = order
        if order.tie is not None:
            tie = self._ties.setdefault(order.tie, Tie())
            tie.members.append(order)
            tie.traded = add(tie.traded, order.filled)
            if request.parent is not None:
                tie.entry = self.orders[request.parent]
                self._exits.setdefault(request.parent, []).append(order)

    def accept(self, request: OrderRequest, after_bar_ms: int) -> VenueOrder:
        """A new order."""
        order = VenueOrder(request, f"v{len(self.orders) + 1}", self.now_ms, after_bar_ms)
        self.restore(order)
        self.touch(order)
        return order

    def sleeping(self, order: VenueOrder) -> bool:
        """An exit whose entry has not filled anything yet."""
        parent = order.request.parent
        return parent is not None and not self.orders[parent].filled

    def remaining(self, order: VenueOrder) -> Decimal:
        """What `order` may still trade: its rest, cut by what it shares and, for a sale, by what is held."""
        request = order.request
        left = sub(request.quantity, order.filled)
        if order.tie is not None:
            left = min(left, self._ties[order.tie].left)
        if request.side is Side.SELL:
            left = min(left, self.balance(self.instruments[request.symbol].base))
        return max(left, ZERO)

    def book(self, order: VenueOrder, fill: VenueFill) -> None:
        """Record a fill and what follows from it."""
        order.fills.append(fill)
        order.filled = add(order.filled, fill.quantity)
        self.new_fills.append(fill)
        if order.tie is not None:
            tie = self._ties[order.tie]
            tie.traded = add(tie.traded, fill.quantity)
        done = order.filled == order.request.quantity
        order.state = OrderState.FILLED if done else OrderState.PARTIALLY_FILLED
        self.touch(order)
        if done:
            self._finished(order)
        self.settle(order)
        if order.request.side is Side.SELL:
            self._nothing_held(self.instruments[fill.symbol].base)

    def end(self, order: VenueOrder, state: OrderState, reason: str) -> None:
        """Finish an order, and the exits that hang on it when it bought nothing or all of that is sold."""
        order.state, order.reason = state, reason
        self.touch(order)
        self._finished(order)

    def _finished(self, order: VenueOrder) -> None:
        self.live.pop(order.request.client_id, None)
        for each in self._exits.get(order.request.client_id, ()):
            if not order.filled and each.live:
                self.end(each, OrderState.CANCELLED, "the entry it protects filled nothing")
            elif each.live:
                self.settle(each)

    def settle(self, order: VenueOrder) -> None:
        """When the quantity that `order` shares is used up for good, finish everything that shares it."""
        tie = None if order.tie is None else self._ties[order.tie]
        if tie is None or not tie.used_up:
            return
        for member in [member for member in tie.members if member.live]:
            if member.filled and (member is order or member.filled == tie.capacity):
                self.end(member, OrderState.FILLED, "all that was bought is sold")
            else:
                self.end(member, OrderState.CANCELLED, "the other exit sold it")

    def stopped(self, stop: VenueOrder) -> None:
        """A stop of a basket was triggered: what is unfilled of the basket's entries must not buy again, and the stops
        of its other legs are triggered with it, also where the bids it needed are gone."""
        basket = stop.request.basket
        if basket is None:
            return
        mine = [order for order in self.live_orders(stop.request.symbol) if order.request.basket == basket]
        for order in mine:
            if order.live and order.request.side is Side.BUY:
                self.end(order, OrderState.CANCELLED, "the stop of its basket was triggered")
        for order in mine:
            if order.live and order.request.stop_price is not None and not order.triggered:
                order.triggered = True
                self.touch(order)

    def _nothing_held(self, base: str) -> None:
        """Exits that have nothing left to sell end with the position; else they would sell the next one."""
        if self.balance(base):
            return
        for order in self.live_orders():
            request = order.request
            if not order.live or not request.reduce_only or self.instruments[request.symbol].base != base:
                continue
            if request.parent is None or not self.orders[request.parent].live:
                self.end(order, OrderState.CANCELLED, "nothing is held any more")

    def touch(self, order: VenueOrder) -> None:
        """Note a change."""
        order.revision += 1
        order.updated_ms = self.now_ms
        self.changed.pop(order.request.client_id, None)
        self.changed[order.request.client_id] = order
