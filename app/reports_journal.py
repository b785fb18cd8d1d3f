"""The journal from the database: pages of it backwards, one row in full, a trade's whole life. Read-only.

A row that somebody wrote by hand is shown like any other: what its body says is then not in our words, but as it is.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from app import reports_acts
from storage.database import Reader
from storage.journal import head_of
from storage.schema import HASHED

KINDS: Final = ("all", "trade", "order", "module", "risk", "config", "ledger", "stop")
"""Filters by kind: what it begins with."""
MOST_OF_A_LIFE: Final = 500
"""Rows of one trade that are read; the oldest."""
HOT: Final = "hot"
"""What a body calls a signature of the hot signer: `app.execution.hot_caps.ENTITY`."""
_ENTITY_STATE: Final = {"trade": 1, "payload": 2, "reservation": 4}
"""Where the state stands among the values of a change."""


@dataclass(frozen=True, slots=True)
class JournalWanted:
    """Which rows, and which page of them. `text` is looked for in kind and subject; `newest` is the last row that
    counts, so that pages do not move while one reads: 0 takes all."""

    kind: str = "all"
    text: str = ""
    page: int = 0
    size: int = 200
    newest: int = 0


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One row. `changes` is what it changed, in a few words."""

    seq: int
    ts_ms: int
    kind: str
    subject: str
    changes: str
    hash: str


@dataclass(frozen=True, slots=True)
class JournalPage:
    """One page, newest first; `head` is the journal's last row and its hash."""

    rows: tuple[JournalRow, ...]
    total: int
    head: int
    head_hash: str
    newest: int
    sealed: int = 0
    """The newest row that a seal covers; 0: none."""


@dataclass(frozen=True, slots=True)
class SealRow:
    """One seal: `seq` is the row it covers with all before it, `by` the journal row that holds it."""

    seq: int
    hash: str
    text: str
    signature: str
    address: str
    signer: str
    sealed_ms: int
    by: int


@dataclass(frozen=True, slots=True)
class JournalDetail:
    """One row in full. `changes`: entity and values; `facts`: table and values of each hashed row, as column and
    text; `body` is the text itself where it is not one of ours."""

    row: JournalRow
    prev_hash: str
    changes: tuple[tuple[str, tuple[str, ...]], ...]
    facts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    body: str


@dataclass(frozen=True, slots=True)
class Life:
    """All rows of a trade, in order."""

    trade_id: str
    module: str
    symbol: str
    name: str
    """What it is called: ``buy ETH-USDC``."""
    state: str
    reason: str
    rows: tuple[JournalRow, ...]
    more: bool


_COLUMNS: Final = "seq, ts_ms, kind, subject, body, hash"


def page(reader: Reader, wanted: JournalWanted) -> JournalPage:
    """One page. Without a filter it is found by its row numbers, whatever the journal's length."""
    head, last = head_of(reader.connection), newest_seal(reader)
    newest, sealed = wanted.newest or head.seq, 0 if last is None else last.seq
    skip = wanted.page * wanted.size
    if wanted.kind == "all" and not wanted.text:
        rows = reader.rows(
            f"SELECT {_COLUMNS} FROM journal WHERE seq <= ? ORDER BY seq DESC LIMIT ?",  # noqa: S608 -- our own names
            (newest - skip, wanted.size),
        )
        return JournalPage(_rows(reader, rows), newest, head.seq, _hex(head.hash), newest, sealed)
    where: list[str] = ["seq <= ?"]
    given: list[Any] = [newest]
    if wanted.kind != "all":
        where.append("substr(kind, 1, ?) = ?")
        given += [len(wanted.kind), wanted.kind]
    if wanted.text:
        where.append("instr(lower(kind || ' ' || subject), ?)")
        given.append(wanted.text.lower())
    condition = " AND ".join(where)
    rows = reader.rows(
        f"SELECT {_COLUMNS} FROM journal WHERE {condition} ORDER BY seq DESC LIMIT ? OFFSET ?",  # noqa: S608 -- as above
        (*given, wanted.size, skip),
    )
    total = reader.value(f"SELECT count(*) FROM journal WHERE {condition}", tuple(given))  # noqa: S608 -- as above
    return JournalPage(_rows(reader, rows), total, head.seq, _hex(head.hash), newest, sealed)


def newest_seal(reader: Reader) -> SealRow | None:
    """The last seal; None where there is none, or the database is of a version that knew none."""
    if not reader.value("SELECT count(*) FROM sqlite_master WHERE name = 'seals'"):
        return None
    row = reader.one(
        'SELECT sealed_seq AS seq, hash, text, signature, address, signer, sealed_ms, seq AS "by" FROM seals '
        "ORDER BY rowid DESC LIMIT 1"
    )
    return None if row is None else SealRow(**row)


def detail(reader: Reader, seq: int) -> JournalDetail | None:
    """One row with everything it committed; None when there is no such row."""
    row = reader.one("SELECT * FROM journal WHERE seq = ?", (seq,))
    if row is None:
        return None
    changes = _changes(row["body"])
    facts: list[tuple[str, tuple[tuple[str, str], ...]]] = []
    for table, columns in HASHED.items():
        names = ", ".join(columns)
        rows = reader.rows(f"SELECT {names} FROM {table} WHERE seq = ? ORDER BY rowid", (seq,))  # noqa: S608 -- names from the schema
        facts += [(table, _columns(each)) for each in rows]
    return JournalDetail(
        row=_rows(reader, [row])[0],
        prev_hash=_hex(row["prev_hash"]),
        changes=() if changes is None else tuple((entity, tuple(map(_text, values))) for entity, *values in changes),
        facts=tuple(facts),
        body=str(row["body"]) if changes is None else "",
    )


def _columns(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _text(value)) for name, value in row.items() if value is not None)


def life(reader: Reader, trade_id: str) -> Life | None:
    """Everything the journal says of a trade; None when it is none of ours."""
    trade = reader.one("SELECT module, symbol, side, state, reason FROM trades WHERE id = ?", (trade_id,))
    if trade is None:
        return None
    rows = reader.rows(
        f"SELECT {_COLUMNS} FROM journal WHERE subject = ? ORDER BY seq LIMIT ?",  # noqa: S608 -- our own names
        (trade_id, MOST_OF_A_LIFE),
    )
    name = reports_acts.name_of_trade(reader, trade_id, trade.pop("side"), trade["symbol"])
    return Life(trade_id=trade_id, name=name, **trade, rows=_rows(reader, rows), more=len(rows) == MOST_OF_A_LIFE)


_UNREADABLE: Final = (ValueError, TypeError, KeyError, ArithmeticError)
"""What a row raises that is none of ours; `journal verify` names it."""
_FACTS: Final = (
    (
        "SELECT e.seq, coalesce(o.role, 'order') || ' ' || e.to_state || "
        "CASE e.filled WHEN '0' THEN '' ELSE ' ' || e.filled END || "
        # a transaction's: only those cost gas, and only in a block (`app.execution.mined`)
        "CASE WHEN json_valid(e.detail) AND e.detail ->> '$.gas' IS NOT NULL THEN ' in block ' || "
        "substr(e.detail ->> '$.venue_order_id', 1, instr(e.detail ->> '$.venue_order_id', '/') - 1) || ', gas ' || "
        "(e.detail ->> '$.gas') ELSE '' END AS words "
        "FROM order_events e LEFT JOIN orders o ON o.client_id = e.client_id WHERE e.seq IN ({}) "
        "ORDER BY e.seq, e.rowid"
    ),
    "SELECT seq, side || ' ' || quantity || ' at ' || price AS words FROM fills WHERE seq IN ({}) ORDER BY seq, rowid",
    "SELECT seq, 'seal of row ' || sealed_seq || ' by ' || signer AS words FROM seals WHERE seq IN ({}) ORDER BY rowid",
    (
        "SELECT seq, key || ' ' || coalesce(old, '-') || ' to ' || coalesce(new, '-') AS words FROM config_changes "
        "WHERE seq IN ({}) ORDER BY seq, rowid"
    ),
)
"""What the hashed rows of journal rows say: orders, fills, seals, settings."""


def in_words(reader: Reader, rows: list[dict[str, Any]]) -> list[str]:
    """What each of these rows of the table changed, in a few words."""
    return [each.changes for each in _rows(reader, rows)]


def _rows(reader: Reader, rows: list[dict[str, Any]]) -> tuple[JournalRow, ...]:
    """Journal rows with what they committed. None of these tables has an index by journal row, so this is one walk over
    each: 2 ms for 15,000 events, on the thread that reads."""
    facts: dict[int, list[str]] = {}
    marks, wanted = ", ".join("?" * len(rows)), tuple(row["seq"] for row in rows)
    for query in _FACTS:
        try:
            found = reader.rows(query.format(marks), wanted)
        except sqlite3.OperationalError:
            continue  # a table is gone: `journal verify` names it, and what is left is shown all the same
        for each in found:
            facts.setdefault(each["seq"], []).append(str(each["words"]))
    with suppress(sqlite3.OperationalError, *_UNREADABLE):  # likewise
        for seq, words in reports_acts.in_words(reader, wanted):
            facts.setdefault(seq, []).append(words)
    return tuple(_row(row, facts.get(row["seq"], [])) for row in rows)


def _row(row: dict[str, Any], facts: list[str]) -> JournalRow:
    changes = _changes(row["body"])
    hot = [_words(change) for change in changes or () if change[0] == HOT]
    others = [_words(change) for change in changes or () if change[0] != HOT]
    return JournalRow(
        seq=row["seq"],
        ts_ms=row["ts_ms"],
        kind=str(row["kind"]),
        subject=str(row["subject"]),
        changes="its body is none of ours" if changes is None else ", ".join([*hot, *facts, *others]),
        hash=_hex(row["hash"]),
    )


def is_hot(body: Any) -> bool:
    """Whether a row, as its body says, was signed by the hot signer."""
    return any(change[0] == HOT for change in _changes(body) or ())


def _changes(body: Any) -> list[list[Any]] | None:
    """What a body lists; None when it is not written as we write it."""
    try:
        changes = json.loads(body)["set"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    fine = isinstance(changes, list) and all(isinstance(each, list) and each for each in changes)
    return changes if fine else None


def _words(change: list[Any]) -> str:
    entity, *values = change
    if entity == HOT:
        return (
            f"signed HOT {values[1] or 'to close'}" if len(values) == 2 and isinstance(values[1], str) else "signed HOT"
        )
    place = _ENTITY_STATE.get(str(entity))
    if place is not None and place < len(values):
        return f"{entity} {values[place]}"
    return " ".join(map(_text, change))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _hex(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
