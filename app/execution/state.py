"""Everything in memory that disk is the truth of: trades in flight, live orders, the purse, positions. Built by `load`,
at start and again after a failed commit; nothing else makes it."""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from app.execution.act_rows import moves_of
from app.execution.counterfactual import Missed
from app.execution.purse import Hold, Purse
from app.execution.records import Order, Payload, Role, Trade, intent_of, request_of, signed_transaction
from app.execution.states import IN_FLIGHT, PayloadState, TradeState
from app.money import ZERO, add, from_text, mul, sub, total
from app.portfolio.ledger import GAS, venue_account
from app.portfolio.positions import PositionBook
from app.portfolio.stakes import Stakes
from app.risk.basket import entries
from app.venues.base import TERMINAL, OrderState, Signed, SignedText, VenueFill
from storage.database import Reader
from strategies.model import Side

_LAST: Final = (
    "(SELECT c.{} FROM fill_changes AS c WHERE c.venue = f.venue AND c.fill_id = f.fill_id ORDER BY c.seq DESC LIMIT 1)"
)
FILLS: Final = (
    f"SELECT f.*, n.notional, {_LAST.format('state')} AS change, {_LAST.format('seq')} AS changed "  # noqa: S608 -- ours
    "FROM fills AS f LEFT JOIN fill_notionals AS n USING (venue, fill_id)"
)
"""Fills, each with its exact quote amount and with what a reorganisation last did to it."""
STANDING: Final = f"SELECT * FROM ({FILLS}) WHERE change IS NOT 'undone' ORDER BY coalesce(changed, seq), fill_id"  # noqa: S608 -- ours
"""Those that count, in the order in which they were booked."""
_ENTRIES: Final = (
    "SELECT max(a.signed_ms) AS signed_ms FROM authorisations AS a JOIN orders AS o ON o.trade_id = a.trade_id "
    "JOIN intents AS i ON i.id = a.trade_id WHERE o.role IN ('entry', 'act') AND NOT i.reduce_only "
    "GROUP BY o.client_id ORDER BY min(a.seq)"
)
"""When each entry was signed: several transactions may have been signed for one."""
_REMEMBERED: Final = 256
"""Ended trades kept in memory for late reports; older ones are read back from disk."""


class State:
    """The account as it stands."""

    def __init__(self, venue: str, reader: Reader) -> None:
        self.venue = venue
        self.reader = reader
        self.trades: dict[str, Trade] = {}
        self.orders: dict[str, Order] = {}
        self.purse = Purse()
        self.positions = PositionBook()
        self.gas: dict[str, Decimal] = {}
        """What all transactions have cost in gas, by coin."""
        self.stakes = Stakes()
        self.missed = Missed()
        self._ended: OrderedDict[str, Trade] = OrderedDict()
        self._entries: deque[int] = deque(maxlen=100_000)

    def signed(self, trade: Trade) -> None:
        """It is signed: its orders are known by their ids, and its entries count as today's."""
        self.add(trade)
        if not trade.intent.reduce_only:
            assert trade.payload is not None
            self.count_entries(trade.payload.signed_ms, entries(trade.intent))

    def count_entries(self, ts_ms: int, number: int = 1) -> None:
        """`number` entries were signed at `ts_ms`: each leg of a basket is one."""
        self._entries.extend([ts_ms] * number)

    def entries_since(self, ts_ms: int) -> int:
        """Entries signed at or after `ts_ms`."""
        count = 0
        for signed_ms in reversed(self._entries):
            if signed_ms < ts_ms:
                break
            count += 1
        return count

    def add(self, trade: Trade) -> None:
        """Track a trade and its orders."""
        self.trades[trade.id] = trade
        for order in trade.orders.values():
            self.orders[order.request.client_id] = order

    def retire(self, trade: Trade) -> None:
        """Forget a trade that has ended with all its orders, in time. A close stays as long as the exits it shared its
        quantity with: what it sold says how much they still cover."""
        if trade.state in IN_FLIGHT or any(order.live for order in trade.orders.values()) or self._shares_live(trade):
            return
        if self.trades.pop(trade.id, None) is None:
            return
        for order in trade.orders.values():
            self.orders.pop(order.request.client_id, None)
        self._ended[trade.id] = trade
        while len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)
        groups = {order.request.group for order in trade.orders.values()} - {None}
        for other in list(self.trades.values()):
            if any(order.request.group in groups for order in other.orders.values()):
                self.retire(other)

    def _shares_live(self, trade: Trade) -> bool:
        groups = {order.request.group for order in trade.orders.values()} - {None}
        return bool(groups) and any(order.live and order.request.group in groups for order in self.orders.values())

    def find_order(self, client_id: str) -> tuple[Trade, Order] | None:
        """The trade and order of a client id, from memory or from disk; None when it is not ours."""
        order = self.orders.get(client_id)
        if order is not None:
            return self.trades[order.trade_id], order
        for trade in self._ended.values():
            for order in trade.orders.values():
                if order.request.client_id == client_id:
                    return trade, order
        row = self.reader.one("SELECT trade_id FROM orders WHERE client_id = ?", (client_id,))
        if row is None:
            return None
        trade = load_trade(self.reader, row["trade_id"])
        return trade, next(o for o in trade.orders.values() if o.request.client_id == client_id)

    def remembered(self) -> Iterator[Trade]:
        """All trades in memory: those that go on, and the last ones that ended."""
        yield from self.trades.values()
        yield from self._ended.values()

    def in_flight(self) -> list[Trade]:
        """Trades that hold a reservation."""
        return [trade for trade in self.trades.values() if trade.state in IN_FLIGHT]

    def exit_groups(self, module: str, symbol: str) -> list[tuple[str, Decimal]]:
        """Resting exits of a module's position: group and the quantity it still covers, oldest first."""
        groups: dict[str, Decimal] = {}
        for trade in self.trades.values():
            if trade.intent.module != module or trade.intent.symbol != symbol:
                continue
            for stop in trade.orders.values():
                group = stop.request.group
                if stop.role is Role.STOP and stop.live and group is not None:
                    left = self.left_of(trade, stop)
                    if left > 0:
                        groups[group] = left
        return list(groups.items())

    def left_of(self, trade: Trade, stop: Order) -> Decimal:
        """What the entry of `stop` bought and nothing of its group has sold."""
        entry, group = trade.entry_of(stop), stop.request.group
        return ZERO if entry is None or group is None else sub(entry.filled, self._sold(group))

    def _sold(self, group: str) -> Decimal:
        sold = ZERO
        for order in self.orders.values():
            if order.request.group == group:
                sold = add(sold, order.filled)
        return sold

    def pending_entries(self, without: Trade | None = None) -> dict[str, Decimal]:
        """Quote reserved by entries in flight, by symbol: what their positions may still cost."""
        pending: dict[str, Decimal] = {}
        for trade in self.in_flight():
            hold = self.purse.holds.get(trade.id)
            if hold is not None and trade.intent.side is Side.BUY and trade is not without:
                symbol = trade.intent.symbol
                value = hold.remaining if trade.intent.act is None else trade.intent.quantity
                pending[symbol] = add(pending.get(symbol, ZERO), value)
        return pending

    def position_value(self, symbol: str, mark: Decimal) -> Decimal:
        """All modules' holdings of `symbol` at `mark`, in the quote asset."""
        quantity = ZERO
        for (_, held), holding in self.positions.holdings.items():
            if held == symbol:
                quantity = add(quantity, holding.quantity)
        return mul(quantity, mark)

    def unknown_orders(self) -> int:
        """Orders whose fate is not known."""
        return sum(1 for order in self.orders.values() if order.state is OrderState.UNKNOWN)


def load(venue: str, reader: Reader) -> State:
    """Build the state from disk."""
    state = State(venue, reader)
    for row in reader.rows("SELECT asset, amount FROM balances WHERE account = ?", (venue_account(venue),)):
        state.purse.move(row["asset"], from_text(row["amount"]))
    gas = f"SELECT asset, amount FROM balances WHERE account GLOB '{GAS}*'"  # noqa: S608 -- our own name
    for row in reader.rows(gas):
        state.gas[row["asset"]] = add(state.gas.get(row["asset"], ZERO), from_text(row["amount"]))
    for row in reader.rows("SELECT * FROM reservations WHERE state = 'OPEN' ORDER BY trade_id"):
        hold = Hold(row["asset"], from_text(row["amount"]), from_text(row["remaining"]))
        state.purse.restore(row["trade_id"], hold)
    for row in reader.rows(STANDING):
        state.positions.apply(row["module"], fill_of(row))
    _load_stakes(state)
    for row in reader.rows(_ENTRIES):
        state.count_entries(row["signed_ms"])
    live = ", ".join(f"'{s.value}'" for s in sorted(IN_FLIGHT))
    ended = ", ".join(f"'{s.value}'" for s in sorted(TERMINAL))
    query = (
        f"SELECT id FROM trades WHERE state IN ({live}) "  # noqa: S608 -- our own state names
        f"UNION SELECT trade_id FROM orders WHERE state NOT IN ({ended}) "
        # closes that have ended and share their quantity with exits that have not
        f"UNION SELECT trade_id FROM orders WHERE role = 'close' AND terms ->> '$.group' IN "
        f"(SELECT terms ->> '$.group' FROM orders WHERE state NOT IN ({ended}))"
    )
    ids = [row["id"] for row in reader.rows(query)]
    trades = sorted((load_trade(reader, trade_id) for trade_id in ids), key=lambda t: (t.intent.created_ms, t.id))
    for trade in trades:
        # Signed before: it goes when the trader says so again; a standing exit was signed to go by itself.
        trade.resumed = trade.unsent is not None and not trade.armed
        state.add(trade)
    state.missed.load(reader)
    return state


def _load_stakes(state: State) -> None:
    sql = (
        "SELECT o.moves, t.module, t.symbol FROM orders AS o JOIN trades AS t ON t.id = o.trade_id "
        "WHERE o.moves <> '' ORDER BY o.rowid"
    )
    for row in state.reader.rows(sql):
        for move in moves_of(row["moves"]):
            state.stakes.apply(row["module"], row["symbol"], move)


def load_trade(reader: Reader, trade_id: str) -> Trade:
    """One trade with its payloads and orders."""
    row = reader.one("SELECT * FROM trades WHERE id = ?", (trade_id,))
    intent = reader.one("SELECT * FROM intents WHERE id = ?", (trade_id,))
    legs = reader.rows("SELECT * FROM intent_legs WHERE intent_id = ? ORDER BY number", (trade_id,))
    act = reader.one("SELECT * FROM intent_acts WHERE intent_id = ?", (trade_id,))
    assert row is not None
    assert intent is not None
    trade = Trade(intent_of(intent, legs, act), TradeState(row["state"]), row["reason"])
    for payload_row in reader.rows("SELECT * FROM payloads WHERE trade_id = ? ORDER BY rowid", (trade_id,)):
        trade.payloads.append(_payload(reader, payload_row))
    for order_row in reader.rows("SELECT * FROM orders WHERE trade_id = ? ORDER BY rowid", (trade_id,)):
        order = _order(reader, order_row)
        trade.keep(order)
    return trade


def _payload(reader: Reader, row: dict[str, Any]) -> Payload:
    payload = Payload(row["id"], row["text"], row["preview"], row["valid_until_ms"], PayloadState(row["state"]))
    if row["body"]:
        payload.body, payload.role = bytes.fromhex(row["body"]), Role(row["kind"].partition(":")[2])
    signed = reader.one("SELECT * FROM authorisations WHERE payload_id = ?", (payload.id,))
    if signed is not None:
        payload.signed = _signed(payload, signed["text"], bytes.fromhex(signed["signature"]), signed["address"])
        payload.signed_ms = signed["signed_ms"]
    return payload


def _signed(payload: Payload, text: str, signature: bytes, address: str) -> Signed:
    """What differs from the payload's own bytes stays a text, and is refused as one before it is sent."""
    if payload.body and text == f"0x{payload.body.hex()}":
        try:
            return signed_transaction(payload.body, signature, address)
        except ValueError:
            pass  # tampered with
    return SignedText(text, signature, address)


def _order(reader: Reader, row: dict[str, Any]) -> Order:
    found = reader.rows(f"{FILLS} WHERE f.client_id = ?", (row["client_id"],))
    fills = [fill for fill in found if fill["change"] != "undone"]
    exact = [fill_of(fill) for fill in found if fill["notional"] is not None]
    booked = {fill["fill_id"] for fill in fills}
    return Order(
        request=request_of(json.loads(row["terms"])),
        trade_id=row["trade_id"],
        role=Role(row["role"]),
        state=OrderState(row["state"]),
        filled=from_text(row["filled"]),
        revision=row["revision"],
        venue_order_id=row["venue_order_id"],
        fills={fill["fill_id"] for fill in fills},
        fees=total([from_text(fill["fee"]) for fill in fills]),
        gas=from_text(row["gas"]),
        moves=moves_of(row["moves"]),
        booked={fill.fill_id: fill for fill in exact if fill.fill_id in booked},
        undone={fill.fill_id: fill for fill in exact if fill.fill_id not in booked},
    )


def fill_of(row: dict[str, Any]) -> VenueFill:
    """A fill from its row of `FILLS`, whatever became of it."""
    return VenueFill(
        fill_id=row["fill_id"],
        client_id=row["client_id"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        price=from_text(row["price"]),
        quantity=from_text(row["quantity"]),
        fee=from_text(row["fee"]),
        fee_asset=row["fee_asset"],
        ts_ms=row["ts_ms"],
        notional=None if row["notional"] is None else from_text(row["notional"]),
    )
