"""The hash chain: what one journal row commits to, and how it is checked.

``hash = sha256(prev_hash || canonical JSON of [seq, ts_ms, kind, subject, body, rows])`` where ``rows`` are the hashed
rows (`schema.HASHED`) written in the same transaction, as ``[table, value, ...]`` in insertion order. The first row's
``prev_hash`` is 32 zero bytes. Changing, inserting, deleting or re-ordering any of them breaks the chain at that row;
cutting the tail is seen against ``<db>.head``, and proven to others only by a device seal.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from storage.schema import HASHED

GENESIS: Final = bytes(32)
_MIRROR_BYTES: Final = 1_024
"""More than a mirror has."""

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(value: Any) -> str:
    """JSON without spaces; the caller fixes the order of keys."""
    return _encode(value)


def row_hash(
    prev: bytes, seq: int, ts_ms: int, kind: str, subject: str, body: str, rows: list[list[Any]] | list[tuple[Any, ...]]
) -> bytes:
    """The chain value of one journal row."""
    text = _encode([seq, ts_ms, kind, subject, body, rows])
    # Text that is not UTF-8 is read back as surrogates by `journal verify`; no row of ours ever hashed to that.
    return hashlib.sha256(prev + text.encode(errors="surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not verify: where and what."""

    seq: int | None
    table: str
    what: str


@dataclass(frozen=True, slots=True)
class Head:
    """End of the chain."""

    seq: int
    hash: bytes


class HeadMirror:
    """``<db>.head``: the last committed (seq, hash), rewritten in place after each group, not synced.

    It catches a database swapped or cut behind our back; it may lag one group behind after a crash.
    """

    def __init__(self, database: Path) -> None:
        self._fd = os.open(database.with_name(database.name + ".head"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, head: Head) -> None:
        """Overwrite; a fixed width keeps a torn line recognisable."""
        os.pwrite(self._fd, f"{head.seq:020d} {head.hash.hex()}\n".encode(), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def read_mirror(database: Path) -> Head | None:
    """The mirrored head; None when absent or torn."""
    try:
        # NONBLOCK: a named pipe in its place would wait for its writer for ever.
        number = os.open(database.with_name(database.name + ".head"), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(number, "rb") as file:
            seq, digest = file.read(_MIRROR_BYTES).decode().split()
        return Head(int(seq), bytes.fromhex(digest)) if len(digest) == 64 else None
    except (OSError, ValueError):
        return None


def head_of(connection: sqlite3.Connection) -> Head:
    """Last (seq, hash) in the database."""
    row = connection.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    return Head(row[0], row[1]) if row else Head(0, GENESIS)


def verify_chain(
    connection: sqlite3.Connection, mirror: Head | None, checked: Callable[[], None] = lambda: None
) -> Iterator[Finding]:
    """Walk the whole chain once, in seq order; SQLite sorts, so memory stays bounded.

    Yields a finding per broken row; a break is reported once, then the walk goes on from the stored hash, so that
    one changed row gives one finding, not thousands. Values of any type are judged, also those a STRICT table would
    have refused: whoever tampers may have replaced the table.

    Args:
        checked: called after each row of the journal; what it raises ends the walk.
    """
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
    # An older version's database has not all of them; that none of its own is missing is for `storage.tables` to say.
    streams = {table: _Stream(connection, table) for table in HASHED if table in there}
    prev, expected = GENESIS, 1
    mirrored = mirror is None or mirror == Head(0, GENESIS)
    for seq, ts_ms, kind, subject, body, prev_hash, stored in connection.execute(
        "SELECT seq, ts_ms, kind, subject, body, prev_hash, hash FROM journal ORDER BY seq"
    ):
        if seq != expected:
            yield Finding(seq, "journal", _gap(expected, seq))
        rows: list[list[Any]] = []
        for table, stream in streams.items():
            for stray in stream.before(seq):
                yield Finding(stray, table, "a row belongs to no journal row")
            rows.extend([table, *values] for values in stream.at(seq))
        if prev_hash != prev and seq == expected:
            yield Finding(seq, "journal", f"row {seq} does not continue the row before it")
        if _recomputed(prev_hash, seq, ts_ms, kind, subject, body, rows) != stored:
            tables = ", ".join(dict.fromkeys(row[0] for row in rows))
            held = f" or what it committed in {tables}" if tables else " or what it committed"
            yield Finding(seq, "journal", f"row {seq} ({kind} {subject}){held} was changed")
        if mirror is not None and seq == mirror.seq:
            mirrored = stored == mirror.hash
        prev, expected = stored, seq + 1
        checked()
    for table, stream in streams.items():
        for stray in stream.before(None):
            yield Finding(stray, table, "a row belongs to no journal row")
    if not mirrored and mirror is not None:
        yield Finding(
            mirror.seq, "head", f"the mirrored head (row {mirror.seq}) is not in the chain: rows were cut or replaced"
        )


def _gap(expected: int, seq: int) -> str:
    if seq < expected:
        return f"row {seq} stands before the first"
    return f"row {expected} is missing" if seq == expected + 1 else f"rows {expected} to {seq - 1} are missing"


def _recomputed(
    prev: Any, seq: int, ts_ms: Any, kind: Any, subject: Any, body: Any, rows: list[list[Any]]
) -> bytes | None:
    """`row_hash` of values read back; None when they are of types that were never hashed."""
    try:
        return row_hash(prev, seq, ts_ms, kind, subject, body, rows)
    except (TypeError, ValueError):
        return None


class _Stream:
    """The rows of one hashed table in (seq, insertion) order, read beside the journal."""

    def __init__(self, connection: sqlite3.Connection, table: str) -> None:
        columns = ", ".join(HASHED[table])
        # NULL first, then numbers, then text and blobs: what is no number never equals a journal row's
        self._cursor = connection.execute(f"SELECT seq, {columns} FROM {table} ORDER BY seq, rowid")  # noqa: S608 -- names from the schema
        self._next: tuple[Any, ...] | None = self._cursor.fetchone()

    def before(self, seq: int | None) -> Iterator[int | None]:
        """The `seq` of each row that stands before journal row `seq`; None for one that is no number."""
        while self._next is not None:
            mine = self._next[0]
            number = isinstance(mine, int)
            if number and seq is not None and mine >= seq:
                return
            if not number and mine is not None and seq is not None:
                return  # sorts behind every number: reported at the end
            yield mine if number else None
            self._next = self._cursor.fetchone()

    def at(self, seq: int) -> Iterator[tuple[Any, ...]]:
        """The rows of journal row `seq`."""
        while self._next is not None and self._next[0] == seq:
            yield self._next[1:]
            self._next = self._cursor.fetchone()
