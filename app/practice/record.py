"""The venue's database: the independent record that judges the trader.

Plain sqlite3, because this process is started anew in every crash test and sqlite-utils would add 150 ms to each start.
WAL and synchronous=FULL; everything a reply claims is committed before its first byte. A failed commit ends the
process: memory would be ahead of the disk.

Table `requests` has one row for each arrival of hello, submit and cancel, and of each line that could not be read, with
its raw text (authorisation, signature and address included) and the verdict: ``accepted``, ``repeat`` (the original
answer was given again), ``refused: CODE`` or ``malformed``. Amounts are canonical texts; for every asset, balance =
deposit + fills - fees, to the last digit.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from app.money import from_text, to_text
from app.practice.books import Feed, Market
from app.practice.orders import Account, VenueOrder
from app.venues.base import OrderState
from app.venues.paper_wire import fill_in, fill_out, instrument_in, instrument_out, request_in, request_out

_VERSION: Final = 2
_SCHEMA: Final = f"""
PRAGMA user_version = {_VERSION};
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS deposits (asset TEXT PRIMARY KEY, amount TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS balances (asset TEXT PRIMARY KEY, amount TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS markets (
    symbol TEXT PRIMARY KEY, instrument TEXT NOT NULL, feed TEXT NOT NULL, opened_ms INTEGER NOT NULL,
    used TEXT NOT NULL, bar_volume TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, now_ms INTEGER NOT NULL, op TEXT NOT NULL, body TEXT NOT NULL, verdict TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS orders (
    client_id TEXT PRIMARY KEY, venue_order_id TEXT NOT NULL, request TEXT NOT NULL, accepted_ms INTEGER NOT NULL,
    after_bar_ms INTEGER NOT NULL, state TEXT NOT NULL, filled TEXT NOT NULL, revision INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL, reason TEXT NOT NULL, triggered INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS order_history (
    id INTEGER PRIMARY KEY, client_id TEXT NOT NULL, state TEXT NOT NULL, filled TEXT NOT NULL, now_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS fills (
    fill_id TEXT PRIMARY KEY, client_id TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, price TEXT NOT NULL,
    quantity TEXT NOT NULL, fee TEXT NOT NULL, fee_asset TEXT NOT NULL, ts_ms INTEGER NOT NULL
) STRICT;
"""
_ORDER: Final = (
    "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (client_id) DO UPDATE SET "
    "state = excluded.state, filled = excluded.filled, revision = excluded.revision, "
    "updated_ms = excluded.updated_ms, reason = excluded.reason, triggered = excluded.triggered"
)
_MARKETS: Final = "SELECT instrument, feed, opened_ms, used, bar_volume FROM markets ORDER BY rowid"
# Not by row: an entry that fills at once is written after its exits.
_ORDERS: Final = "SELECT * FROM orders ORDER BY CAST(substr(venue_order_id, 2) AS INTEGER)"
_PATIENCE_S: Final = 5.0


class RecordFault(Exception):
    """The record can not be used; the text says why."""


class Record:
    """The open database, locked against a second venue process.

    Raises:
        RecordFault: locked by another venue, not a venue's database, or made by another version.
        sqlite3.Error, OSError: the file or its disk.
    """

    def __init__(self, path: Path) -> None:
        self._lock = _lock(path)
        self._db = sqlite3.connect(path, isolation_level=None)
        os.chmod(path, 0o600)
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if version != _VERSION and (version or tables):
            raise RecordFault(f"{path} was made by another version ({version}, this is {_VERSION}); move it away")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        self._saved: dict[str, tuple[Any, ...]] = {}

    def load(self) -> tuple[Account, dict[str, Market]]:
        """The account and its markets as they were committed."""
        account, markets = Account(), {}
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        account.now_ms, account.position = int(meta.get("now_ms", 0)), int(meta.get("position", 0))
        account.balances = {asset: from_text(amount) for asset, amount in self._db.execute("SELECT * FROM balances")}
        for instrument, feed, opened_ms, used, volume in self._db.execute(_MARKETS):
            market = Market(instrument_in(json.loads(instrument)), Feed(feed))
            market.opened_ms, market.used = opened_ms, from_text(used)
            market.bar_volume = None if volume is None else from_text(volume)
            markets[market.instrument.symbol] = market
            account.instruments[market.instrument.symbol] = market.instrument
            self._saved[market.instrument.symbol] = _market_row(market)
        for order in self._orders():
            account.restore(order)
            account.fills += len(order.fills)
        return account, markets

    def _orders(self) -> Iterable[VenueOrder]:
        fills: dict[str, list[Any]] = {}
        for fill in self._db.execute("SELECT * FROM fills ORDER BY rowid"):
            fills.setdefault(fill[1], []).append(fill_in(list(fill)))
        for row in self._db.execute(_ORDERS):
            client_id, venue_id, request, accepted_ms, after_ms, state, filled, revision, updated, reason, hit = row
            yield VenueOrder(
                request_in(json.loads(request)),
                venue_id,
                accepted_ms,
                after_ms,
                OrderState(state),
                from_text(filled),
                fills.get(client_id, []),
                revision,
                updated,
                reason,
                bool(hit),
            )

    def deposited(self) -> set[str]:
        """Assets that were paid in."""
        return {asset for (asset,) in self._db.execute("SELECT asset FROM deposits")}

    def commit(
        self,
        account: Account,
        markets: dict[str, Market],
        request: tuple[str, str, str] | None = None,
        deposits: Iterable[tuple[str, str]] = (),
    ) -> None:
        """What changed, and the request ``(op, body, verdict)`` that was received, in one transaction.

        Raises:
            sqlite3.Error: it is not committed, and this object can not be used any more.
        """
        if request is None and not account.changed and not account.moved:
            return
        execute = self._db.execute
        execute("BEGIN IMMEDIATE")
        if request is not None:
            sql = "INSERT INTO requests (now_ms, op, body, verdict) VALUES (?, ?, ?, ?)"
            execute(sql, (account.now_ms, *request))
        for deposit in deposits:
            execute("INSERT INTO deposits VALUES (?, ?)", deposit)
        self._save(account, markets)
        execute("COMMIT")
        account.changed.clear()
        account.new_fills.clear()
        account.moved.clear()

    def _save(self, account: Account, markets: dict[str, Market]) -> None:
        execute = self._db.execute
        for order in account.changed.values():
            execute(_ORDER, _order_row(order))
            history = (order.request.client_id, order.state.value, to_text(order.filled), account.now_ms)
            execute("INSERT INTO order_history (client_id, state, filled, now_ms) VALUES (?, ?, ?, ?)", history)
        for fill in account.new_fills:
            execute("INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", fill_out(fill))
        for asset in account.moved:
            execute("INSERT OR REPLACE INTO balances VALUES (?, ?)", (asset, to_text(account.balances[asset])))
        for symbol, market in markets.items():
            row = _market_row(market)
            if self._saved.get(symbol) != row:
                execute("INSERT OR REPLACE INTO markets VALUES (?, ?, ?, ?, ?, ?)", row)
                self._saved[symbol] = row
        clock = (("now_ms", str(account.now_ms)), ("position", str(account.position)))
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", clock)

    def close(self, account: Account, markets: dict[str, Market]) -> None:
        """Remember the time, close, unlock."""
        self._db.execute("BEGIN IMMEDIATE")
        self._save(account, markets)
        self._db.execute("COMMIT")
        self._db.close()
        os.close(self._lock)


def _market_row(market: Market) -> tuple[Any, ...]:
    volume = market.bar_volume
    return (
        market.instrument.symbol,
        json.dumps(instrument_out(market.instrument)),
        market.feed.value,
        market.opened_ms,
        to_text(market.used),
        None if volume is None else to_text(volume),
    )


def _order_row(order: VenueOrder) -> tuple[Any, ...]:
    return (
        order.request.client_id,
        order.venue_order_id,
        json.dumps(request_out(order.request)),
        order.accepted_ms,
        order.after_bar_ms,
        order.state.value,
        to_text(order.filled),
        order.revision,
        order.updated_ms,
        order.reason,
        int(order.triggered),
    )


def _lock(path: Path) -> int:
    """Wait a moment for a predecessor that is still finishing its last transaction."""
    fd = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    pause = threading.Event()
    for _ in range(int(_PATIENCE_S / 0.02)):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pause.wait(0.02)
        else:
            return fd
    os.close(fd)
    raise RecordFault(f"another paper venue holds {path}")
