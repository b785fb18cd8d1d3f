"""What the database says, as documents: positions, orders, profit and loss, a run's summary. Read-only; amounts are
canonical texts, times ms UTC. The terminal and ``--json`` show the same documents."""

from __future__ import annotations

import hashlib
import json
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from app import reports_acts, reports_chain
from app.money import ZERO, add, div, from_text, mul, sub, to_text
from app.portfolio.ledger import venue_account
from app.reports_adjustments import adjustments
from storage.database import Reader
from storage.journal import canonical, head_of
from storage.schema import HASHED

Document = dict[str, Any]


def positions(reader: Reader) -> list[Document]:
    """Open positions by module and instrument, with the exits that rest for them."""
    result = []
    marks = {row["symbol"]: row for row in reader.rows("SELECT * FROM marks")}
    for row in reader.rows("SELECT * FROM module_positions WHERE quantity <> '0' ORDER BY module, symbol"):
        quantity, cost = from_text(row["quantity"]), from_text(row["cost"])
        mark = marks.get(row["symbol"])
        value = mul(quantity, from_text(mark["price"])) if mark else None
        result.append(
            {
                "module": row["module"],
                "symbol": row["symbol"],
                "quantity": row["quantity"],
                "average_entry": to_text(div(cost, quantity, 12, ROUND_HALF_EVEN)),
                "cost": row["cost"],
                "mark": mark["price"] if mark else None,
                "mark_ms": mark["ts_ms"] if mark else None,
                "unrealised": None if value is None else to_text(sub(value, cost)),
                "exits": _exits(reader, row["module"], row["symbol"]),
                "opened_ms": row["opened_ms"],
            }
        )
    return result


def _exits(reader: Reader, module: str, symbol: str) -> list[Document]:
    rows = reader.rows(
        "SELECT o.role, o.terms, o.state FROM orders o JOIN trades t ON t.id = o.trade_id "
        "WHERE t.module = ? AND t.symbol = ? AND o.role IN ('stop', 'target') "
        "AND o.state IN ('OPEN', 'PARTIALLY_FILLED', 'UNKNOWN') ORDER BY o.rowid",
        (module, symbol),
    )
    exits = []
    for row in rows:
        terms = json.loads(row["terms"])
        exits.append({"role": row["role"], "price": terms["stop_price"] or terms["limit_price"], "state": row["state"]})
    return exits + reports_chain.standing(reader, module, symbol)


def orders(reader: Reader, *, limit: int, offset: int) -> list[Document]:
    """Orders, newest first."""
    rows = reader.rows(
        "SELECT o.*, t.module, (SELECT signer FROM authorisations a WHERE a.trade_id = o.trade_id) AS signer "
        "FROM orders o JOIN trades t ON t.id = o.trade_id ORDER BY o.rowid DESC LIMIT ? OFFSET ?",
        (limit, offset),
    )
    wished = reports_acts.wishes(reader, {row["trade_id"] for row in rows})
    return [_order(row, wished.get(row["trade_id"], reports_acts.PLAIN)) for row in rows]


def _order(row: dict[str, Any], wish: reports_acts.Wish) -> Document:
    terms = json.loads(row["terms"])
    return {
        **terms,
        **reports_acts.document(wish, terms["side"], terms["symbol"]),
        "role": row["role"],
        "module": row["module"],
        "trade_id": row["trade_id"],
        "signer": row["signer"],
        "state": row["state"],
        "filled": row["filled"],
        "venue_order_id": row["venue_order_id"],
        "updated_ms": row["updated_ms"],
        **_transaction(row),
    }


def _transaction(row: dict[str, Any]) -> Document:
    """Of a transaction its gas and its block; nothing of any other order."""
    if json.loads(row["terms"])["kind"] != reports_chain.KIND:
        return {}
    return {"gas": row["gas"], "block": reports_chain.block(row), "moves": reports_acts.moves(row)}


def profit(reader: Reader) -> Document:
    """Profit and loss per quote asset, exact: realised by first-in-first-out lots, fees, open lots at the last mark."""
    instruments = _quotes(reader)
    by_asset: dict[str, dict[str, Decimal]] = {}
    unknown_marks: list[str] = []
    marks = {row["symbol"]: from_text(row["price"]) for row in reader.rows("SELECT * FROM marks")}
    for row in reader.rows("SELECT * FROM module_positions ORDER BY module, symbol"):
        totals = by_asset.setdefault(instruments[row["symbol"]], {"realised": ZERO, "fees": ZERO, "unrealised": ZERO})
        totals["realised"] = add(totals["realised"], from_text(row["realised"]))
        totals["fees"] = add(totals["fees"], from_text(row["fees"]))
        quantity, cost = from_text(row["quantity"]), from_text(row["cost"])
        if quantity and row["symbol"] in marks:
            totals["unrealised"] = add(totals["unrealised"], sub(mul(quantity, marks[row["symbol"]]), cost))
        elif quantity:
            unknown_marks.append(row["symbol"])
    venue = reader.value("SELECT value FROM meta WHERE key = 'venue'") or "paper"
    balances = reader.rows(
        "SELECT asset, amount FROM balances WHERE account = ? ORDER BY asset", (venue_account(venue),)
    )
    return {
        "by_asset": {asset: _net(totals) for asset, totals in sorted(by_asset.items())},
        "balances": {row["asset"]: row["amount"] for row in balances if row["amount"] != "0"},
        "fills": reader.value("SELECT count(*) FROM fills"),
        "round_trips": _round_trips(reader),
        "unknown_marks": sorted(set(unknown_marks)),
        "gas": reports_chain.gas(reader),
        "adjustments": adjustments(reader),
        "acts": reports_acts.income(reader),
    }


def _net(totals: dict[str, Decimal]) -> Document:
    net = add(sub(totals["realised"], totals["fees"]), totals["unrealised"])
    return {**{key: to_text(value) for key, value in totals.items()}, "net": to_text(net)}


def _round_trips(reader: Reader) -> Document:
    won = lost = 0
    for row in reader.connection.execute("SELECT body FROM journal WHERE body LIKE '%\"round_trip%'"):
        for entity, *values in json.loads(row[0])["set"]:
            if entity in {"round_trip", "round_trip_undone"}:
                times = 1 if entity == "round_trip" else -1  # the chain took back what had ended it
                won += times * (from_text(values[2]) > 0)
                lost += times * (from_text(values[2]) < 0)
    return {"won": won, "lost": lost}


def _quotes(reader: Reader) -> dict[str, str]:
    text = reader.value("SELECT value FROM meta WHERE key = 'instruments'")
    return {row[0]: row[2] for row in json.loads(text)} if text else {}


def _legs(reader: Reader) -> dict[str, list[list[Any]]]:
    """The legs of each basket, in order, without its id."""
    legs: dict[str, list[list[Any]]] = {}
    for trade_id, *values in reader.connection.execute(
        "SELECT intent_id, number, price, quantity, target, rest_ms FROM intent_legs ORDER BY intent_id, number"
    ):
        legs.setdefault(trade_id, []).append(values)
    return legs


def intents_sha256(reader: Reader) -> str:
    """The golden hash: every intent in order, without its ids; equal for equal data, seed, config and confirmations."""
    digest = hashlib.sha256()
    columns = [name for name in HASHED["intents"] if name not in {"id", "config_version"}]
    legs = _legs(reader)
    query = f"SELECT id, {', '.join(columns)} FROM intents ORDER BY seq, rowid"  # noqa: S608 -- names from the schema
    for trade_id, *row in reader.connection.execute(query):
        for values in (row, *legs.get(trade_id, ())):
            digest.update(canonical(values).encode() + b"\n")
    return digest.hexdigest()


def summary(reader: Reader) -> Document:
    """Everything a run's end reports that the database knows."""
    states = reader.rows("SELECT state, count(*) AS n FROM trades GROUP BY state ORDER BY state")
    report = profit(reader)
    head = head_of(reader.connection)
    return {
        "intents_sha256": intents_sha256(reader),
        "trades": {row["state"]: row["n"] for row in states},
        "denied_by_rule": denied_by_rule(reader),
        "fills": report["fills"],
        "fees": {asset: totals["fees"] for asset, totals in report["by_asset"].items()},
        "pnl": report["by_asset"],
        "balances": report["balances"],
        "open_positions": positions(reader),
        "journal_head": {"seq": head.seq, "hash": head.hash.hex()},
    }


def denied_by_rule(reader: Reader) -> dict[str, int]:
    """Proposals that were denied, by the rule that did, over the whole record."""
    counts: dict[str, int] = {}
    for row in reader.connection.execute("SELECT body FROM journal WHERE kind = 'trade.denied'"):
        for entity, *values in json.loads(row[0])["set"]:
            if entity == "denied":
                counts[values[1]] = counts.get(values[1], 0) + 1
    return dict(sorted(counts.items()))
