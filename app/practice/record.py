"""The venue's database: the independent record that judges the trader.

Plain sqlite3, because this process is started anew in every crash test and sqlite-utils would add 150 ms to each start.
WAL and synchronous=FULL; everything a reply claims is committed before its first byte.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any, Final

from app.money import from_text, to_text
from app.practice.orders import Account, VenueOrder
from app.venues.base import OrderState
from app.venues.paper_wire import fill_in, fill_out, request_in, request_out

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS deposits (asset TEXT PRIMARY KEY, amount TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS balances (asset TEXT PRIMARY KEY, amount TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, now_ms INTEGER NOT NULL, op TEXT NOT NULL, body TEXT NOT NULL, verdict TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS orders (
    client_id TEXT PRIMARY KEY, venue_order_id TEXT NOT NULL, request TEXT NOT NULL, accepted_ms INTEGER NOT NULL,
    state TEXT NOT NULL, filled TEXT NOT NULL, revision INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
    reason TEXT NOT NULL, triggered INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS order_history (
    id INTEGER PRIMARY KEY, client_id TEXT NOT NULL, state TEXT NOT NULL, filled TEXT NOT NULL, now_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS fills (
    fill_id TEXT PRIMARY KEY, client_id TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, price TEXT NOT NULL,
    quantity TEXT NOT NULL, fee TEXT NOT NULL, fee_asset TEXT NOT NULL, ts_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS fills_client ON fills (client_id);
"""
_ORDER: Final = (
    "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (client_id) DO UPDATE SET "
    "state = excluded.state, filled = excluded.filled, revision = excluded.revision, "
    "updated_ms = excluded.updated_ms, reason = excluded.reason, triggered = excluded.triggered"
)
_PATIENCE_S: Final = 5.0


class Record:
    """The open database, locked against a second venue process."""

    def __init__(self, path: Path) -> None:
        self._lock = _lock(path)
        self._db = sqlite3.connect(path, isolation_level=None)
        os.chmod(path, 0o600)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def load(self, base_of: dict[str, str]) -> Account:
        """The account as it was committed."""
        account = Account(base_of)
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        account.now_ms, account.position = int(meta.get("now_ms", 0)), int(meta.get("position", 0))
        account.balances = {asset: from_text(amount) for asset, amount in self._db.execute("SELECT * FROM balances")}
        account.fills = self._db.execute("SELECT count(*) FROM fills").fetchone()[0]
        for row in self._db.execute("SELECT * FROM orders ORDER BY rowid"):
            client_id, venue_id, request, accepted, state, filled, revision, updated, reason, triggered = row
            order = VenueOrder(
                request_in(json.loads(request)), venue_id, accepted, OrderState(state), from_text(filled)
            )
            order.revision, order.updated_ms, order.reason, order.triggered = revision, updated, reason, bool(triggered)
            fills = self._db.execute("SELECT * FROM fills WHERE client_id = ? ORDER BY rowid", (client_id,))
            order.fills = [fill_in(list(fill)) for fill in fills]
            account.restore(order)
        return account

    def deposited(self) -> dict[str, str]:
        """Deposits by asset."""
        return dict(self._db.execute("SELECT asset, amount FROM deposits"))

    def deposit(self, asset: str, amount: str, account: Account) -> None:
        """Pay in once."""
        account.move(asset, from_text(amount))
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("INSERT INTO deposits VALUES (?, ?)", (asset, amount))
        self._save(account)
        self._db.execute("COMMIT")

    def commit(self, account: Account, request: tuple[str, str, str] | None) -> None:
        """What changed, and the request ``(op, body, verdict)`` that was received, in one transaction."""
        if request is None and not account.changed and not account.moved:
            return
        self._db.execute("BEGIN IMMEDIATE")
        if request is not None:
            op, body, verdict = request
            sql = "INSERT INTO requests (now_ms, op, body, verdict) VALUES (?, ?, ?, ?)"
            self._db.execute(sql, (account.now_ms, op, body, verdict))
        self._save(account)
        self._db.execute("COMMIT")

    def _save(self, account: Account) -> None:
        execute = self._db.execute
        for order in account.changed.values():
            execute(_ORDER, _row(order))
            history = (order.request.client_id, order.state.value, to_text(order.filled), account.now_ms)
            execute("INSERT INTO order_history (client_id, state, filled, now_ms) VALUES (?, ?, ?, ?)", history)
        for fill in account.new_fills:
            execute("INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", fill_out(fill))
        for asset in account.moved:
            execute("INSERT OR REPLACE INTO balances VALUES (?, ?)", (asset, to_text(account.balances[asset])))
        clock = (("now_ms", str(account.now_ms)), ("position", str(account.position)))
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", clock)
        account.changed.clear()
        account.new_fills.clear()
        account.moved.clear()

    def close(self, account: Account) -> None:
        """Remember the time, close, unlock."""
        self._db.execute("BEGIN IMMEDIATE")
        self._save(account)
        self._db.execute("COMMIT")
        self._db.close()
        os.close(self._lock)


def _row(order: VenueOrder) -> tuple[Any, ...]:
    return (
        order.request.client_id,
        order.venue_order_id,
        json.dumps(request_out(order.request)),
        order.accepted_ms,
        order.state.value,
        to_text(order.filled),
        order.revision,
        order.updated_ms,
        order.reason,
        int(order.triggered),
    )


def _lock(path: Path) -> int:
    """Wait a moment for a predecessor that is still finishing its last transaction.

    Raises:
        TimeoutError: another venue process holds the database.
    """
    fd = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    pause = threading.Event()
    for _ in range(int(_PATIENCE_S / 0.02)):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pause.wait(0.02)
        else:
            return fd
    raise TimeoutError(f"another paper venue holds {path}")
