"""Changing a database without a running trader: under its lock, by the same writer, journaled the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from storage.database import TraderDatabase, open_for_trading, reader
from storage.writer import Commit, Writer

Statements = list[tuple[str, tuple[Any, ...]]]


def record(db: Path, statements: Callable[[int], Statements]) -> None:
    """Write rows that need no place in the journal; `statements` gets the time to write into them.

    Raises:
        StorageFault: another trader started meanwhile, or the disk failed.
    """
    _write(db, lambda now_ms: Commit(now_ms, "", statements=tuple(statements(now_ms))))


def journal(db: Path, kind: str, body: str, subject: str = "") -> None:
    """Write one row of the journal.

    Raises:
        StorageFault: as `record`.
    """
    _write(db, lambda now_ms: Commit(now_ms, kind, subject, body))


def change(db: Path, kind: str, subject: str, body: str, statements: Callable[[int], Statements]) -> None:
    """Write one row of the journal and what follows from it, in one transaction.

    Raises:
        StorageFault: as `record`.
    """
    _write(db, lambda now_ms: Commit(now_ms, kind, subject, body, statements=tuple(statements(now_ms))))


def _write(db: Path, make: Callable[[int], Commit]) -> None:
    with reader(db) as data:
        profile = data.value("SELECT value FROM meta WHERE key = 'profile'")
    database = open_for_trading(db, profile or "paper")
    try:
        asyncio.run(_commit(database, db, make))
    finally:
        database.close()


async def _commit(database: TraderDatabase, db: Path, make: Callable[[int], Commit]) -> None:
    writer = Writer(database.connection, db)
    writer.start(asyncio.get_running_loop())
    try:
        await writer.submit(make(market_ms(database)))
    finally:
        writer.stop()


def market_ms(database: TraderDatabase) -> int:
    """Where market time stands. The machine's clock would be years ahead of a recorded market, and the next session
    would find its own past in the future."""
    sql = "SELECT max(coalesce((SELECT max(ts_ms) FROM journal), 0), coalesce((SELECT max(ts_ms) FROM cursor), 0))"
    found: int = database.connection.execute(sql).fetchone()[0]
    return found
