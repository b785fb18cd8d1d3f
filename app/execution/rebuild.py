"""Projections folded anew from the evidence, for `verify`: nothing here trusts a projection or a well-formed row."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from app.execution.state import fill_of
from app.execution.transition import kind_of, position_row
from app.portfolio.positions import PositionBook
from storage.database import Reader
from storage.journal import Finding, canonical

Row = dict[str, Any]
Rows = dict[tuple[Any, ...], Row]

MALFORMED: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError)
"""What reading a row that somebody wrote by hand can raise."""

_POSITION: Final = ("module", "symbol", "quantity", "cost", "realised", "fees", "opened_ms", "updated_ms")


_BOOKED: Final = (
    "SELECT f.*, n.notional, j.ts_ms AS booked_ms, b.was, b.booked FROM "
    "(SELECT venue, fill_id, seq AS booked, 'booked' AS was, rowid AS row FROM fills "
    "UNION ALL SELECT venue, fill_id, seq, state, rowid FROM fill_changes) AS b "
    "JOIN fills AS f USING (venue, fill_id) LEFT JOIN fill_notionals AS n USING (venue, fill_id) "
    "LEFT JOIN journal AS j ON j.seq = b.booked ORDER BY b.booked, b.was = 'booked', b.row"
)
"""Every fill when it was booked, taken back, or booked again; within one transition what is taken back comes first."""


@dataclass(slots=True)
class Journal:
    """Trades, payloads and reservations from the journal's own list of changes, by primary key."""

    trades: Rows = field(default_factory=dict)
    payloads: Rows = field(default_factory=dict)
    reservations: Rows = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class Orders:
    """Orders from their events; `terms` as they were when the order was made."""

    rows: Rows = field(default_factory=dict)
    terms: dict[Any, dict[str, Any]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class Positions:
    """Positions from all fills in order."""

    rows: Rows = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def fold_journal(reader: Reader, checked: Callable[[], None]) -> Journal:
    """Walk every journal body."""
    journal = Journal()
    for seq, ts_ms, body in reader.connection.execute("SELECT seq, ts_ms, body FROM journal ORDER BY seq"):
        checked()
        try:
            for entity, *values in json.loads(body).get("set", ()):
                _apply(journal, ts_ms, entity, values)
        except MALFORMED as error:
            journal.findings.append(Finding(seq, "journal", f"the body of row {seq} can not be read ({error!r:.80})"))
    return journal


def _apply(journal: Journal, ts_ms: Any, entity: Any, values: list[Any]) -> None:
    if entity == "trade":
        subject, state, reason = values
        journal.trades[subject,] = {"id": subject, "state": state, "reason": reason, "updated_ms": ts_ms}
    elif entity == "payload":
        subject, trade_id, state, *built = values
        row = journal.payloads[subject,] if not built else {"id": subject, "kind": "authorisation", "body": ""}
        row.update(zip(("text", "valid_until_ms", "preview", "body"), built, strict=False))
        if len(built) > 4:
            row["kind"] = kind_of(built[4])
        row.update(trade_id=trade_id, state=state, updated_ms=ts_ms)
        journal.payloads[subject,] = row
    elif entity == "reservation":
        subject, asset, amount, remaining, state = values
        names = ("trade_id", "asset", "amount", "remaining", "state", "updated_ms")
        row = dict(zip(names, (subject, asset, amount, remaining, state, ts_ms), strict=True))
        journal.reservations[subject,] = row


def fold_orders(reader: Reader, checked: Callable[[], None]) -> Orders:
    """Walk every order event."""
    orders = Orders()
    for event in reader.rows("SELECT * FROM order_events ORDER BY seq, rowid"):
        checked()
        client_id = event["client_id"]
        try:
            _order_event(orders, event, json.loads(event["detail"]))
        except MALFORMED as error:
            what = f"an event of {client_id} can not be read ({error!r:.80})"
            orders.findings.append(Finding(event["seq"], "order_events", what))
    return orders


def _order_event(orders: Orders, event: Row, detail: dict[str, Any]) -> None:
    client_id = event["client_id"]
    if event["from_state"] is None:
        row: Row = {
            "client_id": client_id,
            "role": detail["role"],
            "terms": canonical(detail["terms"]),
            "venue_order_id": "",
            "gas": "0",
            "moves": "",
        }
        orders.terms[client_id] = detail["terms"]
        orders.rows[client_id,] = row
    else:
        row = orders.rows[client_id,]
        if row["state"] != event["from_state"]:
            what = f"{client_id} leaves {event['from_state']}, and it was {row['state']}"
            orders.findings.append(Finding(event["seq"], "order_events", what))
    if "venue_order_id" in detail:
        row["venue_order_id"], row["gas"] = detail["venue_order_id"], detail.get("gas", "0")
        row["moves"] = detail.get("moves", "")
    row.update(state=event["to_state"], filled=event["filled"], revision=event["revision"], updated_ms=event["ts_ms"])


def fold_positions(reader: Reader, checked: Callable[[], None]) -> Positions:
    """Walk every fill; each position bears the time of the transition that booked its last one."""
    positions, book = Positions(), PositionBook()
    for row in reader.rows(_BOOKED):
        checked()
        try:
            fill = fill_of(row)
            if fill.quantity <= 0:
                raise ValueError(f"quantity {row['quantity']}")
            if row["was"] == "undone":
                book.undo(row["module"], row["symbol"], row["fill_id"])
            else:
                book.apply(row["module"], fill)
            key = (row["module"], row["symbol"])
            values = position_row(book.holdings[key], row["booked_ms"])
            positions.rows[key] = dict(zip(_POSITION, values, strict=True))
        except MALFORMED as error:
            what = f"{row['venue']} {row['fill_id']} can not be booked ({error!r:.80})"
            positions.findings.append(Finding(row["booked"], "fills", what))
    return positions


def fold_settings(reader: Reader) -> dict[str, Any]:
    """What all journaled changes of settings add up to, as `meta` remembers it; empty when there was none."""
    values: dict[str, str] = {}
    version = 0
    for row in reader.rows("SELECT version, key, new FROM config_changes ORDER BY seq, rowid"):
        version = row["version"]
        if row["new"] is None:
            values.pop(row["key"], None)
        else:
            values[row["key"]] = row["new"]
    return {"config_version": str(version), "config": values} if version else {}
