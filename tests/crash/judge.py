"""What must hold after a crash and a restart, told from the venue's own record and from the journal.

Lost: the venue accepted it and our database can not name it, or a reservation outlives its trade.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from app.execution.authorisation import parse, refusal
from app.execution.verify import verify
from app.venues.base import OrderKind
from app.venues.paper_wire import request_in
from signers.faults import SignatureMismatch
from signers.verify import verify_text
from storage.database import reader
from storage.journal import read_mirror


def judge(db: Path) -> list[str]:
    """Everything that is wrong; empty when nothing is."""
    with reader(db) as ours:
        wrong = [f"verify: {f.table}: {f.what}" for f in verify(ours, read_mirror(db))]
        our_orders = {r["client_id"]: (r["state"], r["filled"]) for r in ours.rows("SELECT * FROM orders")}
        our_fills = {r["fill_id"]: r for r in ours.rows("SELECT * FROM fills")}
        our_balances = {
            r["asset"]: r["amount"]
            for r in ours.rows("SELECT asset, amount FROM balances WHERE account = 'assets:paper'")
            if r["amount"] != "0"
        }
        open_holds = ours.rows(
            "SELECT r.trade_id, t.state FROM reservations r LEFT JOIN trades t ON t.id = r.trade_id "
            "WHERE r.state = 'OPEN'"
        )
        entries = ours.rows(
            "SELECT id, state FROM trades WHERE state IN ('PROPOSED', 'RESERVED', 'PREPARED', 'CONFIRMED')"
        )
    wrong += [
        f"reservation of {h['trade_id']} is open though the trade is {h['state']}"
        for h in open_holds
        if _ended(h["state"])
    ]
    wrong += [f"trade {row['id']} is left {row['state']}" for row in entries]
    venue = sqlite3.connect(db.with_name("a.venue.db"))
    try:
        wrong += _sent_once(venue)
        wrong += _covered(venue)
        wrong += _baskets(venue)
        wrong += _nothing_lost(venue, our_orders)
        wrong += _same_fills(venue, our_fills)
        theirs = {asset: amount for asset, amount in venue.execute("SELECT * FROM balances") if amount != "0"}
    finally:
        venue.close()
    if theirs != our_balances:
        wrong.append(f"balances: the venue says {theirs}, the ledger {our_balances}")
    return wrong


def _ended(state: str | None) -> bool:
    return state not in {"PROPOSED", "RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "SUBMITTED", "PARTIALLY_FILLED"}


def _submits(venue: sqlite3.Connection) -> list[dict[str, Any]]:
    rows = venue.execute("SELECT body FROM requests WHERE op = 'submit' AND verdict IN ('accepted', 'repeat')")
    return [json.loads(row[0]) for row in rows]


def _sent_once(venue: sqlite3.Connection) -> list[str]:
    seen: dict[str, int] = {}
    for request in _submits(venue):
        for order in request["orders"]:
            seen[order[0]] = seen.get(order[0], 0) + 1
    return [f"order {client_id} was sent {times} times" for client_id, times in seen.items() if times > 1]


def _covered(venue: sqlite3.Connection) -> list[str]:
    """Every accepted order came with a text that its signer signed and that permits it."""
    wrong = []
    for request in _submits(venue):
        text, signature, address = request["authorisation"]
        try:
            verify_text(text, bytes.fromhex(signature), address)
        except SignatureMismatch as error:
            wrong.append(f"accepted with a bad signature: {error}")
        refused = {order[0]: refusal(text, request_in(order), "paper") for order in request["orders"]}
        wrong += [f"order {client_id} is not permitted: {why}" for client_id, why in refused.items() if why is not None]
    return wrong


def _baskets(venue: sqlite3.Connection) -> list[str]:
    """Each basket arrived whole; every leg that bought something had its stop; after the stop nothing was bought."""
    wrong = []
    fills = "SELECT client_id, min(ts_ms), max(ts_ms) FROM fills GROUP BY client_id"
    when = {client_id: (first, last) for client_id, first, last in venue.execute(fills)}
    for request in _submits(venue):
        orders = [request_in(order) for order in request["orders"]]
        legs = parse(request["authorisation"][0]).legs
        entries = [order for order in orders if order.parent is None]
        stops = [order for order in orders if order.kind is OrderKind.STOP]
        if not legs:
            continue
        name = orders[0].basket
        if len(entries) != len(legs) or {stop.parent for stop in stops} != {entry.client_id for entry in entries}:
            wrong.append(f"basket {name} has {len(entries)} entries and {len(stops)} stops for {len(legs)} legs")
        stopped = [when[stop.client_id][0] for stop in stops if stop.client_id in when]
        bought = {entry.client_id: when[entry.client_id][1] for entry in entries if entry.client_id in when}
        late = [client_id for client_id, last_ms in bought.items() if stopped and last_ms > min(stopped)]
        wrong += [f"basket {name}: entry {client_id} bought after a stop had sold" for client_id in late]
    return wrong


def _nothing_lost(venue: sqlite3.Connection, ours: dict[str, tuple[str, str]]) -> list[str]:
    wrong = []
    for client_id, state, filled in venue.execute("SELECT client_id, state, filled FROM orders"):
        if client_id not in ours:
            wrong.append(f"the venue accepted order {client_id} and the database does not know it")
        elif ours[client_id] != (state, filled):
            wrong.append(f"order {client_id}: the venue says {state} {filled}, the database {ours[client_id]}")
    return wrong


def _same_fills(venue: sqlite3.Connection, ours: dict[str, dict[str, object]]) -> list[str]:
    theirs = {row[0]: row for row in venue.execute("SELECT fill_id, client_id, price, quantity, fee FROM fills")}
    wrong = [f"fill {fill_id} of the venue is not booked" for fill_id in theirs.keys() - ours.keys()]
    wrong += [f"fill {fill_id} is booked and the venue does not know it" for fill_id in ours.keys() - theirs.keys()]
    for fill_id in theirs.keys() & ours.keys():
        mine = ours[fill_id]
        if theirs[fill_id][1:] != (mine["client_id"], mine["price"], mine["quantity"], mine["fee"]):
            wrong.append(f"fill {fill_id} is booked as {mine}, the venue says {theirs[fill_id]}")
    return wrong
