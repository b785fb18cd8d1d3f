"""`journal verify`: the chain, and everything that claims to follow from it, rebuilt and compared.

Hashed rows and the journal are the evidence; trades, payloads, orders, reservations, balances and positions are
projections of it. A finding names the table and the row, never only "something is wrong".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from app.execution.authorisation import refusal
from app.execution.records import Role, request_of
from app.execution.state import fill_of
from app.execution.states import IN_FLIGHT, TradeState
from app.execution.transition import position_row
from app.portfolio.positions import PositionBook
from signers.faults import SignatureMismatch
from signers.verify import verify_text
from storage.database import Reader
from storage.journal import Finding, Head, verify_chain

_UNCOVERED: Final = frozenset({Role.FLATTEN.value})
"""Roles that need no authorisation: reduce-only sales after an emergency stop."""


def verify(reader: Reader, mirror: Head | None) -> Iterator[Finding]:
    """Every finding; none means: nothing was changed, inserted or removed, and every projection follows."""
    yield from verify_chain(reader.connection, mirror)
    yield from _ledger(reader)
    yield from _journal_states(reader)
    yield from _orders(reader)
    yield from _positions(reader)
    yield from _signatures(reader)


def _ledger(reader: Reader) -> Iterator[Finding]:
    sums = "SELECT seq, asset, exact_sum(amount) AS total FROM postings GROUP BY seq, asset"
    for row in reader.rows(f"SELECT * FROM ({sums}) WHERE total <> '0'"):  # noqa: S608 -- our own text
        yield Finding(row["seq"], "postings", f"{row['asset']} does not sum to zero but to {row['total']}")
    rebuilt = {
        (row["account"], row["asset"]): row["total"]
        for row in reader.rows(
            "SELECT account, asset, exact_sum(amount) AS total FROM postings GROUP BY account, asset"
        )
    }
    stored = {(row["account"], row["asset"]): row["amount"] for row in reader.rows("SELECT * FROM balances")}
    for key in sorted(rebuilt.keys() | stored.keys()):
        if rebuilt.get(key) != stored.get(key):
            yield Finding(
                None, "balances", f"{key[0]} {key[1]} is {stored.get(key)}, the postings give {rebuilt.get(key)}"
            )


def _journal_states(reader: Reader) -> Iterator[Finding]:
    """Trades, payloads and reservations, folded from the journal's own list of changes."""
    trades: dict[str, str] = {}
    payloads: dict[str, tuple[str, str]] = {}
    reservations: dict[str, tuple[str, ...]] = {}
    for row in reader.connection.execute("SELECT body FROM journal ORDER BY seq"):
        for entity, subject, *values in json.loads(row[0]).get("set", ()):
            if entity == "trade":
                trades[subject] = values[0]
            elif entity == "payload":
                text = values[2] if len(values) > 2 else payloads[subject][1]
                payloads[subject] = (values[1], text)
            elif entity == "reservation":
                reservations[subject] = tuple(values)
    columns = (
        "SELECT trade_id AS id, asset || ' ' || amount || ' ' || remaining || ' ' || state AS value FROM reservations"
    )
    yield from _compare(reader, "trades", "SELECT id, state AS value FROM trades", trades)
    states = {key: value[0] for key, value in payloads.items()}
    texts = {key: value[1] for key, value in payloads.items()}
    yield from _compare(reader, "payloads", "SELECT id, state AS value FROM payloads", states)
    yield from _compare(reader, "payloads", "SELECT id, text AS value FROM payloads", texts)
    joined = {key: " ".join(value) for key, value in reservations.items()}
    yield from _compare(reader, "reservations", columns, joined)
    for trade, values in reservations.items():
        if values[-1] == "OPEN" and TradeState(trades.get(trade, TradeState.FAILED)) not in IN_FLIGHT:
            yield Finding(None, "reservations", f"the reservation of {trade} outlives its trade")


def _orders(reader: Reader) -> Iterator[Finding]:
    rebuilt: dict[str, str] = {}
    terms: dict[str, str] = {}
    for row in reader.rows("SELECT * FROM order_events ORDER BY seq, rowid"):
        if row["from_state"] is None:
            terms[row["client_id"]] = json.dumps(json.loads(row["detail"])["terms"], separators=(",", ":"))
        rebuilt[row["client_id"]] = f"{row['to_state']} {row['filled']} {row['revision']}"
    state = "SELECT client_id AS id, state || ' ' || filled || ' ' || revision AS value FROM orders"
    yield from _compare(reader, "orders", state, rebuilt)
    yield from _compare(reader, "orders", "SELECT client_id AS id, terms AS value FROM orders", terms)
    sums = reader.rows("SELECT client_id, exact_sum(quantity) AS filled FROM fills GROUP BY client_id")
    filled = {row["client_id"]: row["filled"] for row in sums}
    for row in reader.rows("SELECT client_id, filled FROM orders"):
        if row["filled"] != filled.get(row["client_id"], "0"):
            yield Finding(
                None,
                "orders",
                f"{row['client_id']} says {row['filled']}, its fills {filled.get(row['client_id'], '0')}",
            )


def _positions(reader: Reader) -> Iterator[Finding]:
    book = PositionBook()
    for row in reader.rows("SELECT * FROM fills ORDER BY seq, rowid"):
        book.apply(row["module"], fill_of(row))
    rebuilt = {f"{h.module} {h.symbol}": str(position_row(h, 0)[2:-1]) for h in book.holdings.values()}
    stored: dict[str, str] = {}
    for row in reader.rows("SELECT * FROM module_positions"):
        values = (row["quantity"], row["cost"], row["realised"], row["fees"], row["opened_ms"])
        stored[f"{row['module']} {row['symbol']}"] = str(values)
    for key in sorted(rebuilt.keys() | stored.keys()):
        if rebuilt.get(key) != stored.get(key):
            yield Finding(None, "module_positions", f"{key} is {stored.get(key)}, the fills give {rebuilt.get(key)}")


def _signatures(reader: Reader) -> Iterator[Finding]:
    """Every authorisation is what its address signed, and every order follows from one."""
    texts: dict[str, str] = {}
    for row in reader.rows("SELECT * FROM authorisations ORDER BY seq"):
        texts[row["trade_id"]] = row["text"]
        try:
            verify_text(row["text"], bytes.fromhex(row["signature"]), row["address"])
        except (SignatureMismatch, ValueError) as error:
            yield Finding(row["seq"], "authorisations", f"{row['payload_id']}: {error}")
    for row in reader.rows("SELECT client_id, trade_id, role, terms FROM orders"):
        if row["role"] in _UNCOVERED:
            continue
        text = texts.get(row["trade_id"])
        why = "nothing was signed for it" if text is None else refusal(text, request_of(json.loads(row["terms"])))
        if why is not None:
            yield Finding(None, "orders", f"{row['client_id']} is not covered by a signed text: {why}")


def _compare(reader: Reader, table: str, sql: str, rebuilt: dict[str, Any]) -> Iterator[Finding]:
    stored = {row["id"]: row["value"] for row in reader.rows(sql)}
    for key in sorted(rebuilt.keys() | stored.keys()):
        if rebuilt.get(key) != stored.get(key):
            have, want = _short(stored.get(key)), _short(rebuilt.get(key))
            yield Finding(None, table, f"{key} is {have}, the journal gives {want}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
