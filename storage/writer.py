"""The one thread that writes. Transitions are committed in the order they were queued, up to 64 in one transaction.

A commit costs one fdatasync (WAL, synchronous=FULL), whether it holds one transition or sixty-four. When a commit
fails, its group and everything queued behind it fail too (their memory state was built on what is now not on disk);
the writer then refuses all work until `reset`, which the owner calls after rebuilding from disk.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from storage.faults import DatabaseUnusable, StorageFault, TransitionLost, fault_of, file_fault
from storage.journal import Head, HeadMirror, head_of, row_hash
from storage.schema import HASHED

GROUP: Final = 64
_CHECKPOINT_IDLE: Final = 24
"""Commits since the last checkpoint from which an idle moment is used for the next. A log that was moved into the
database is written over from its start, and a file that does not grow syncs in half the time."""
_CHECKPOINT_BUSY: Final = 512
"""Commits (20 MB of log at most) after which the writer does not wait for an idle moment, which a replay at full speed
never has."""
_IDLE_S: Final = 0.25

_INSERT: Final = {
    table: f"INSERT INTO {table} (seq, {', '.join(columns)}) VALUES (?{', ?' * len(columns)})"  # noqa: S608 -- names from the schema
    for table, columns in HASHED.items()
}
_TABLE: Final = itemgetter(0)
_JOURNAL: Final = "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)"
_POST: Final = (
    "INSERT INTO balances VALUES (?, ?, ?) ON CONFLICT (account, asset) "
    "DO UPDATE SET amount = exact_add(amount, excluded.amount)"
)
_CURSOR: Final = (
    "INSERT INTO cursor VALUES (1, ?, ?, ?) ON CONFLICT (one) DO UPDATE "
    "SET source = excluded.source, position = excluded.position, ts_ms = excluded.ts_ms"
)


@dataclass(frozen=True, slots=True)
class Commit:
    """One transition, committed whole or not at all.

    Attributes:
        kind: what happened, for example ``trade.signed``; empty for a record that needs no journal row.
        subject: the id it is about.
        body: canonical JSON of the state changes.
        rows: hashed rows ``(table, value, ...)`` in `schema.HASHED` column order, grouped by table in `HASHED` order.
        statements: projection and record statements ``(sql, parameters)``.
        cursor: market cursor ``(source, position, ts_ms)`` that caused it.
    """

    ts_ms: int
    kind: str
    subject: str = ""
    body: str = "{}"
    rows: tuple[tuple[Any, ...], ...] = ()
    statements: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    cursor: tuple[str, int, int] | None = None


@dataclass(slots=True)
class _Item:
    commit: Commit
    future: asyncio.Future[int]


@dataclass(slots=True)
class WriterStats:
    """Counters for health and benchmarks."""

    groups: int = 0
    commits: int = 0
    failures: int = 0
    largest_group: int = 0
    mirror_failures: int = 0


class Writer:
    """Owns the trader's connection after `start`; `submit` is called on the loop thread only.

    Raises:
        DatabaseUnusable: ``<db>.head`` can not be opened.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._queue: queue.SimpleQueue[_Item | Callable[[], None] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._head: Head = head_of(connection)
        try:
            self._mirror = HeadMirror(path)
        except OSError as error:
            raise file_fault(error, path.with_name(path.name + ".head")) from error
        self._failed: StorageFault | None = None
        self._stopped = False
        self._since_checkpoint = 0
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.stats = WriterStats()

    @property
    def failed(self) -> StorageFault | None:
        """Why nothing is written any more, or None."""
        return self._failed

    @property
    def head(self) -> Head:
        """End of the chain, as committed."""
        return self._head

    @property
    def queued(self) -> int:
        """Entries that wait for the thread."""
        return self._queue.qsize()

    @property
    def alive(self) -> bool:
        """The thread runs."""
        return self._thread.is_alive()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the thread; answers come back to `loop`."""
        self._loop = loop
        self._write_mirror()
        self._thread.start()

    def submit(self, commit: Commit) -> asyncio.Future[int]:
        """Queue a transition. The future gives its journal seq (0 without one), or raises `TransitionLost`."""
        assert self._loop is not None
        item = _Item(commit, self._loop.create_future())
        fault = _STOPPED if self._stopped else self._failed
        if fault is not None:
            item.future.set_exception(_lost(fault))
            return item.future
        self._queue.put(item)
        return item.future

    async def reset(self) -> None:
        """Accept work again after the owner has rebuilt its state from disk.

        Raises:
            StorageFault: the journal can not even be read, or the writer was stopped; work stays refused.
        """
        assert self._loop is not None
        if self._stopped:
            raise _lost(_STOPPED)
        done: asyncio.Future[StorageFault | None] = self._loop.create_future()

        def clear() -> None:
            fault: StorageFault | None = None
            try:
                self._head = head_of(self._connection)
                self._failed = None
            except sqlite3.Error as error:
                self._failed = fault = fault_of(error, self._path)
            self._answer(_settle, done, fault)

        self._queue.put(clear)
        fault = await done
        if fault is not None:
            raise fault

    def stop(self) -> None:
        """Write what is queued, then end the thread. What is submitted later is refused."""
        if self._stopped:
            return
        self._stopped = True
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        self._mirror.close()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            group, control = self._next_group()
            if group:
                self._write(group)
            if control is None:
                continue
            if control is _STOP:
                stopping = True
            else:
                control()

    def _next_group(self) -> tuple[list[_Item], Callable[[], None] | None]:
        """Everything waiting, up to GROUP; a control entry ends the group."""
        group: list[_Item] = []
        while len(group) < GROUP:
            try:
                entry = self._queue.get(block=not group, timeout=None if group else _IDLE_S)
            except queue.Empty:
                if group:
                    return group, None
                self._checkpoint(_CHECKPOINT_IDLE)
                continue
            if entry is None:
                return group, _STOP
            if not isinstance(entry, _Item):
                return group, entry
            group.append(entry)
        return group, None

    def _write(self, group: list[_Item]) -> None:
        fault: StorageFault | None = self._failed
        seqs: list[int] = []
        if fault is None:
            try:
                seqs = self._transaction(group)
            except sqlite3.Error as error:
                fault = self._fail(fault_of(error, self._path))
            except (ValueError, TypeError, KeyError, OverflowError) as error:
                # Not text, not a number SQLite can hold, no table of ours: our own fault, and nobody else's commit
                # may wait for ever because of it.
                what = f"A row for {self._path} can not be stored: {error!r}."
                fault = self._fail(DatabaseUnusable("storage.value", what, "Please report this."))
        self._answer(_resolve, group, seqs, fault)
        if fault is None:
            self._checkpoint(_CHECKPOINT_BUSY)

    def _answer(self, callback: Callable[..., None], *values: Any) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(callback, *values)
        except RuntimeError:
            pass  # the loop is closed: nobody waits for these answers any more

    def _transaction(self, group: list[_Item]) -> list[int]:
        execute = self._connection.execute
        head, seqs = self._head, []
        execute("BEGIN IMMEDIATE")
        for item in group:
            head = self._apply(item.commit, head)
            seqs.append(head.seq if item.commit.kind else 0)
        execute("COMMIT")
        if head is not self._head:
            self._head = head
            self._write_mirror()
        self.stats.groups += 1
        self.stats.commits += len(group)
        self._since_checkpoint += len(group)
        self.stats.largest_group = max(self.stats.largest_group, len(group))
        return seqs

    def _apply(self, commit: Commit, head: Head) -> Head:
        execute = self._connection.execute
        if commit.kind:
            seq = head.seq + 1
            rows = commit.rows
            digest = row_hash(head.hash, seq, commit.ts_ms, commit.kind, commit.subject, commit.body, rows)  # type: ignore[arg-type]  # a tuple encodes like a list
            execute(_JOURNAL, (seq, commit.ts_ms, commit.kind, commit.subject, commit.body, head.hash, digest))
            for table, several in groupby(rows, _TABLE):
                values = [row[1:] for row in several]
                self._connection.executemany(_INSERT[table], [(seq, *row) for row in values])
                if table == "postings":
                    self._connection.executemany(_POST, values)
            head = Head(seq, digest)
        for sql, parameters in commit.statements:
            execute(sql, parameters)
        if commit.cursor is not None:
            execute(_CURSOR, commit.cursor)
        return head

    def _write_mirror(self) -> None:
        try:
            self._mirror.write(self._head)
        except OSError:
            # The commit is durable whatever becomes of its mirror, which may lag; the next group writes it again.
            self.stats.mirror_failures += 1

    def _fail(self, fault: StorageFault) -> StorageFault:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # SQLite rolled back by itself (disk full, I/O error)
        self.stats.failures += 1
        self._failed = fault
        return fault

    def _checkpoint(self, least: int) -> None:
        """Move the log into the database once `least` commits are in it; PASSIVE never blocks a reader."""
        if self._since_checkpoint < least:
            return
        self._since_checkpoint = 0
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error:
            pass  # a later moment tries again; the log alone is complete


def _stop() -> None:
    """Marks the end of the queue."""


_STOP: Final = _stop
_STOPPED: Final = DatabaseUnusable("storage.stopped", "The writer has ended.", "Start a session.")


def _lost(fault: StorageFault) -> TransitionLost:
    return TransitionLost(fault.code, fault.what, fault.next_step)


def _settle(done: asyncio.Future[StorageFault | None], fault: StorageFault | None) -> None:
    if not done.done():  # whoever waited may have been cancelled
        done.set_result(fault)


def _resolve(group: list[_Item], seqs: list[int], fault: StorageFault | None) -> None:
    for index, item in enumerate(group):
        if item.future.done():
            continue  # the waiter was cancelled
        if fault is None:
            item.future.set_result(seqs[index])
        else:
            item.future.set_exception(_lost(fault))
