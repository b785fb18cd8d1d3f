"""Orders from the database: pages of them, one of them in full, and what a position came from. Read-only; each function
is one look that a screen takes off the loop, so nothing here reads more than it shows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app import reports_chain
from app.execution.act_rows import moves_of
from app.execution.records import Role
from app.money import CEILING, ZERO, add, div, from_text, mul, sub
from app.reports_acts import PLAIN, Wish, wishes
from app.reports_chain import TransactionFacts
from app.venues.base import TERMINAL, Move, OrderState
from app.wish_words import called
from signers.base import SignerKind
from storage.database import Reader

ENDED: Final = tuple(sorted(state.value for state in TERMINAL))
STATES: Final[dict[str, tuple[str, ...]]] = {
    "all": (),
    "live": tuple(sorted(state.value for state in OrderState if state not in TERMINAL)),
    "unknown": (OrderState.UNKNOWN.value,),
    "ended": ENDED,
}
"""Names of the filters by state; none of the states named means all."""
MOST_FILLS: Final = 200
"""Fills of one position or order that are read; the newest."""
_BPS: Final = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders, and which page of them. `text` is looked for in instrument, module, role, client id and trade id;
    `newest` is the rowid that later orders are beyond, so that pages do not move while one reads: 0 takes all."""

    states: str = "all"
    text: str = ""
    page: int = 0
    size: int = 200
    newest: int = 0


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order. `price` is the stop's or the limit's; None at market, and of what trades nothing."""

    client_id: str
    trade_id: str
    module: str
    symbol: str
    side: str
    role: str
    kind: str
    state: str
    quantity: Decimal
    filled: Decimal
    price: Decimal | None
    updated_ms: int
    gas: Decimal = ZERO
    """What it has cost in gas, in its chain's coin."""
    block: int | None = None
    """Of a transaction, once it is in one."""
    wish: Wish = PLAIN
    """What its trade wants beside buying and selling."""

    @property
    def name(self) -> str:
        """What its trade is called."""
        return called(self.wish.act, self.wish.replaces, self.side, self.symbol)

    @property
    def plain(self) -> bool:
        """It buys or sells: it has a side, a quantity and a price."""
        return self.wish.act is None and self.role != Role.APPROVE

    @property
    def transaction(self) -> bool:
        """It is one of a chain, and its client id the hash."""
        return self.kind == reports_chain.KIND

    @property
    def unknown(self) -> bool:
        """Maybe at the venue, maybe not."""
        return self.state == OrderState.UNKNOWN

    @property
    def live(self) -> bool:
        """Not ended, or not known to have ended."""
        return self.state not in ENDED


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One page: live orders first, then the others, each newest first. `total`: how many there are in all pages;
    `unknown`: how many orders of any page and any filter are in doubt."""

    rows: tuple[OrderRow, ...]
    total: int
    unknown: int
    newest: int


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One step of an order's machine, with the venue's or our own words."""

    ts_ms: int
    seq: int
    before: str
    state: str
    filled: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class FillRow:
    """One execution."""

    ts_ms: int
    client_id: str
    trade_id: str
    role: str
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str


@dataclass(frozen=True, slots=True)
class Signed:
    """What permitted an order."""

    text: str
    address: str
    signer: str
    signed_ms: int

    @property
    def hot(self) -> bool:
        """By the hot signer, whose trades are marked everywhere."""
        return self.signer == SignerKind.KEYRING


@dataclass(frozen=True, slots=True)
class TradeFacts:
    """What a trade's orders have in common.

    Attributes:
        steps: name and microseconds, in the order of the trade's life.
        slippage_bps: what entry and closes paid beyond the touch of the quote they were sent at, rounded up; None
            before a fill.
    """

    id: str
    state: str
    reason: str
    why: str
    signed: Signed | None
    steps: tuple[tuple[str, int], ...]
    slippage_bps: Decimal | None


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """One order in full."""

    row: OrderRow
    terms: dict[str, Any]
    venue_order_id: str
    events: tuple[OrderEvent, ...]
    fills: tuple[FillRow, ...]
    trade: TradeFacts
    transaction: TransactionFacts | None = None
    moves: tuple[Move, ...] = ()
    """What an act has moved."""


@dataclass(frozen=True, slots=True)
class PositionOrigin:
    """Where a position came from: its fills oldest first, the trades they belong to, and their orders."""

    fills: tuple[FillRow, ...]
    more: bool
    """There are older fills than these."""
    trades: tuple[TradeFacts, ...]
    orders: tuple[OrderRow, ...]


def page(reader: Reader, wanted: Wanted) -> OrderPage:
    """One page of orders.

    The rowids come from the index by state alone where no text is looked for, so that a page costs the same wherever it
    is and whatever the terms of the orders before it.
    """
    newest = wanted.newest or reader.value("SELECT coalesce(max(rowid), 0) FROM orders")
    states = STATES[wanted.states]
    where, given = ["+o.rowid <= ?"], [newest]  # the plus: by the index of states, which holds no terms
    if states:
        where.append(f"o.state IN ({_marks(states)})")
        given += states
    if wanted.text:
        # instr, not LIKE: what is typed is no pattern
        where.append(
            "instr(lower(t.symbol || ' ' || t.module || ' ' || o.role || ' ' || o.client_id || ' ' || o.trade_id), ?)"
        )
        given.append(wanted.text.lower())
    tables = "orders o JOIN trades t ON t.id = o.trade_id" if wanted.text else "orders o"
    condition = " AND ".join(where)
    ended = f"state IN ({_marks(ENDED)})"
    rows = reader.rows(
        "SELECT o.*, t.module FROM (SELECT o.rowid AS number FROM "  # noqa: S608 -- our own names and question marks
        f"{tables} WHERE {condition} ORDER BY o.{ended}, o.rowid DESC LIMIT ? OFFSET ?) AS found "
        f"JOIN orders o ON o.rowid = found.number JOIN trades t ON t.id = o.trade_id ORDER BY o.{ended}, o.rowid DESC",
        (*given, *ENDED, wanted.size, wanted.page * wanted.size, *ENDED),
    )
    total = reader.value(f"SELECT count(*) FROM {tables} WHERE {condition}", tuple(given))  # noqa: S608 -- as above
    unknown = reader.value("SELECT count(*) FROM orders WHERE state = 'UNKNOWN'")
    return OrderPage(_all(reader, rows), total, unknown, newest)


def detail(reader: Reader, client_id: str) -> OrderDetail | None:
    """One order in full; None when there is none of that id."""
    row = reader.one(
        "SELECT o.*, t.module FROM orders o JOIN trades t ON t.id = o.trade_id WHERE o.client_id = ?", (client_id,)
    )
    if row is None:
        return None
    events = reader.rows(
        "SELECT * FROM order_events WHERE client_id = ? ORDER BY seq DESC, rowid DESC LIMIT ?", (client_id, MOST_FILLS)
    )
    return OrderDetail(
        row=_all(reader, [row])[0],
        terms=json.loads(row["terms"]),
        venue_order_id=row["venue_order_id"],
        events=tuple(_event(each) for each in reversed(events)),
        fills=_fills(reader, "f.client_id = ?", (client_id,)),
        trade=facts(reader, row["trade_id"]),
        transaction=reports_chain.transaction(reader, row["trade_id"], client_id),
        moves=moves_of(row.get("moves", "")),
    )


def origin(reader: Reader, module: str, symbol: str, opened_ms: int) -> PositionOrigin:
    """What a module's open position in `symbol` came from."""
    fills = _fills(reader, "f.module = ? AND f.symbol = ? AND f.ts_ms >= ?", (module, symbol, opened_ms))
    more = len(fills) == MOST_FILLS
    if not more:
        fills = _since_flat(fills)
    ids = tuple(dict.fromkeys(fill.trade_id for fill in fills))
    orders = reader.rows(
        f"SELECT o.*, t.module FROM orders o JOIN trades t ON t.id = o.trade_id WHERE o.trade_id IN ({_marks(ids)}) "  # noqa: S608 -- question marks
        "ORDER BY o.rowid",
        ids,
    )
    return PositionOrigin(fills, more, tuple(facts(reader, trade_id) for trade_id in ids), _all(reader, orders))


def _since_flat(fills: tuple[FillRow, ...]) -> tuple[FillRow, ...]:
    """Those after the last instant at which nothing was held: a position may open in the millisecond another ended."""
    quantity, start = ZERO, 0
    for number, fill in enumerate(fills):
        quantity = add(quantity, fill.quantity) if fill.side == "buy" else sub(quantity, fill.quantity)
        if quantity <= 0:
            quantity, start = ZERO, number + 1
    return fills[start:]


def facts(reader: Reader, trade_id: str) -> TradeFacts:
    """What a trade's orders have in common."""
    trade = reader.one(
        "SELECT t.state, t.reason, i.reason AS why FROM trades t LEFT JOIN intents i ON i.id = t.id WHERE t.id = ?",
        (trade_id,),
    )
    signed = reader.one(
        "SELECT text, address, signer, signed_ms FROM authorisations WHERE trade_id = ? ORDER BY seq DESC", (trade_id,)
    )
    steps = reader.rows("SELECT step, micros FROM latencies WHERE trade_id = ? ORDER BY id", (trade_id,))
    known = trade or {"state": "", "reason": "", "why": ""}
    return TradeFacts(
        id=trade_id,
        state=known["state"],
        reason=known["reason"],
        why=known["why"] or "",
        signed=None if signed is None else Signed(**signed),
        steps=tuple((row["step"], row["micros"]) for row in steps),
        slippage_bps=_slippage(reader, trade_id),
    )


def _slippage(reader: Reader, trade_id: str) -> Decimal | None:
    quote = reader.one(
        "SELECT bid, ask FROM quotes WHERE trade_id = ? AND stage = 'submit' ORDER BY id DESC", (trade_id,)
    )
    if quote is None:
        return None
    cost, value = ZERO, ZERO
    for fill in _fills(reader, "f.trade_id = ? AND o.role IN ('entry', 'close')", (trade_id,)):
        touch = from_text(quote["ask" if fill.side == "buy" else "bid"])
        beyond = sub(fill.price, touch) if fill.side == "buy" else sub(touch, fill.price)
        cost, value = add(cost, mul(beyond, fill.quantity)), add(value, mul(touch, fill.quantity))
    return div(mul(cost, _BPS), value, 2, CEILING) if value else None


def _fills(reader: Reader, condition: str, given: tuple[Any, ...]) -> tuple[FillRow, ...]:
    """The newest that fit the condition, oldest first."""
    rows = reader.rows(
        "SELECT f.*, o.role FROM fills f JOIN orders o ON o.client_id = f.client_id "  # noqa: S608 -- our own conditions
        f"WHERE {condition} ORDER BY f.seq DESC, f.rowid DESC LIMIT ?",
        (*given, MOST_FILLS),
    )
    return tuple(
        FillRow(
            ts_ms=row["ts_ms"],
            client_id=row["client_id"],
            trade_id=row["trade_id"],
            role=row["role"],
            side=row["side"],
            price=from_text(row["price"]),
            quantity=from_text(row["quantity"]),
            fee=from_text(row["fee"]),
            fee_asset=row["fee_asset"],
        )
        for row in reversed(rows)
    )


def _all(reader: Reader, rows: list[dict[str, Any]]) -> tuple[OrderRow, ...]:
    wished = wishes(reader, {row["trade_id"] for row in rows})
    return tuple(_row(row, wished.get(row["trade_id"], PLAIN)) for row in rows)


def _row(row: dict[str, Any], wish: Wish) -> OrderRow:
    terms = json.loads(row["terms"])
    price = terms["stop_price"] or terms["limit_price"]
    return OrderRow(
        client_id=row["client_id"],
        trade_id=row["trade_id"],
        module=row["module"],
        symbol=terms["symbol"],
        side=terms["side"],
        role=row["role"],
        kind=terms["kind"],
        state=row["state"],
        quantity=from_text(terms["quantity"]),
        filled=from_text(row["filled"]),
        price=None if price is None else from_text(price),
        updated_ms=row["updated_ms"],
        gas=from_text(row["gas"]),
        block=reports_chain.block(row),
        wish=wish,
    )


def _event(row: dict[str, Any]) -> OrderEvent:
    return OrderEvent(
        ts_ms=row["ts_ms"],
        seq=row["seq"],
        before=row["from_state"] or "",
        state=row["to_state"],
        filled=from_text(row["filled"]),
        reason=json.loads(row["detail"]).get("reason", ""),
    )


def needs_no_text(role: str) -> bool:
    """A reduce-only sale after an emergency stop: journaled as such, permitted by no text."""
    return role == Role.FLATTEN


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
