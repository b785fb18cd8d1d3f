"""Opening databases: the trader's (locked, migrated, backed up before a migration) and a reader's (read-only)."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.decimals import CONTEXT, ExactSum, to_text
from storage.faults import DatabaseBroken, DatabaseLocked, DatabaseUnusable, StorageFault
from storage.schema import APPLICATION_ID, LATEST

_BUSY_MS = 2_000
"""How long a writer waits for a reader's lock; WAL makes this rare."""


def _exact_add(left: str, right: str) -> str:
    return to_text(CONTEXT.add(CONTEXT.create_decimal(left), CONTEXT.create_decimal(right)))


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection with our functions and pragmas. `isolation_level=None`: transactions are always explicit.

    Raises:
        StorageFault: the file is missing (readers), not a database, or can not be opened.
    """
    if read_only and not path.exists():
        raise DatabaseUnusable(
            "storage.missing", f"There is no database at {path}.", "Start a session first: countersign run --headless"
        )
    mode = "ro" if read_only else "rwc"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
        )
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        connection.create_function("exact_add", 2, _exact_add, deterministic=True)
        connection.create_aggregate("exact_sum", 1, ExactSum)  # type: ignore[arg-type]  # typeshed wants int results; str is fine
        if read_only:
            connection.execute("PRAGMA query_only=1")
        else:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            # The writer checkpoints when it is idle, so that a transition costs one fdatasync, not sometimes three.
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise fault_of(error, path) from error
    return connection


def fault_of(error: sqlite3.Error, path: Path) -> StorageFault:
    """Our words for an SQLite error."""
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return DatabaseBroken(
            "storage.broken",
            f"{path} is not a readable database ({name}).",
            "Nothing was changed. Restore a backup: countersign restore FILE",
        )
    if name.startswith("SQLITE_FULL"):
        return DatabaseUnusable(
            "storage.full", f"The disk that holds {path} is full ({name}).", "Free some space, then restart."
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM")):
        return DatabaseUnusable(
            "storage.read_only",
            f"{path} can not be written ({name}).",
            "Check the permissions of the file and its folder.",
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return DatabaseLocked(
            "storage.busy", f"{path} is locked by another program ({name}).", "Close it and try again."
        )
    if name.startswith("SQLITE_IOERR"):
        return DatabaseUnusable(
            "storage.io", f"The disk failed while writing {path} ({name}).", "Check the disk, then restart."
        )
    return DatabaseUnusable("storage.error", f"{path}: {error} ({name}).", "Check the file and its folder.")


@dataclass(slots=True)
class TraderDatabase:
    """The one writing handle: lock held, schema current."""

    path: Path
    connection: sqlite3.Connection
    lock_fd: int

    def close(self) -> None:
        """Checkpoint, close, unlock."""
        try:
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            pass  # a reader may be in the way or the disk full; the WAL is complete either way
        self.connection.close()
        os.close(self.lock_fd)


def open_for_trading(path: Path, profile: str) -> TraderDatabase:
    """Lock, open, check, migrate. The database remembers its profile and refuses another.

    Raises:
        DatabaseLocked: another trader runs on it.
        DatabaseBroken: junk, another program's file, a newer version's schema, or another profile's.
        DatabaseUnusable: permissions, disk.
    """
    lock_fd = _lock(path)
    try:
        connection = connect(path, read_only=False)
        try:
            os.chmod(path, 0o600)
            _migrate(path, connection)
            _check_profile(path, connection, profile)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        os.close(lock_fd)
        raise fault_of(error, path) from error
    except OSError as error:
        os.close(lock_fd)
        raise DatabaseUnusable(
            "storage.open", f"{path}: {error.strerror}.", "Check the folder's permissions."
        ) from error
    except BaseException:
        os.close(lock_fd)
        raise
    return TraderDatabase(path, connection, lock_fd)


def _lock(path: Path) -> int:
    lock = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseUnusable(
            "storage.folder", f"{lock} can not be created: {error.strerror}.", "Choose a writable folder with --db."
        ) from error
    if not _flock_patiently(fd):
        pid = os.pread(fd, 32, 0).decode(errors="replace").strip()
        os.close(fd)
        raise DatabaseLocked(
            "storage.in_use",
            f"Another trader (pid {pid or 'unknown'}) runs on {path}.",
            "Nothing was changed. Use it, stop it (countersign stop), or choose another --db.",
        )
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def _flock_patiently(fd: int) -> bool:
    # `trader_pid` of another command holds a shared lock for microseconds; that is not a second trader.
    for _ in range(5):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            threading.Event().wait(0.02)
        else:
            return True
    return False


def trader_pid(path: Path) -> int | None:
    """The pid of the trader that holds the lock, or None when none runs."""
    lock = path.with_name(path.name + ".lock")
    try:
        fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            text = os.pread(fd, 32, 0).decode(errors="replace").strip()
            return int(text) if text.isdigit() else -1
        return None
    finally:
        os.close(fd)


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    from sqlite_utils import Database  # noqa: PLC0415 -- 150 ms, and readers never need it

    from storage.backup import backup_connection  # noqa: PLC0415 -- circular at module level
    from storage.schema import MIGRATIONS  # noqa: PLC0415 -- needs sqlite_utils

    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise DatabaseBroken(
            "storage.foreign", f"{path} is another program's database.", "Nothing was changed. Choose another --db."
        )
    database = Database(connection)
    known = {migration.name for migration in MIGRATIONS._migrations}  # noqa: SLF001 -- no public list of names
    applied = [migration.name for migration in MIGRATIONS.applied(database)]
    newer = [name for name in applied if name not in known]
    if newer:
        raise DatabaseBroken(
            "storage.newer",
            f"{path} was written by a newer countersign (it has {newer[-1]}; this one knows up to {LATEST}).",
            "Nothing was changed. Update countersign.",
        )
    if not MIGRATIONS.pending(database):
        return
    if applied:
        backup_connection(connection, path.with_name(f"{path.name}.before-{LATEST}"))
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    MIGRATIONS.apply(database)


def _check_profile(path: Path, connection: sqlite3.Connection, profile: str) -> None:
    row = connection.execute("SELECT value FROM meta WHERE key='profile'").fetchone()
    if row is None:
        connection.execute("INSERT INTO meta VALUES ('profile', ?)", (profile,))
    elif row[0] != profile:
        raise DatabaseBroken(
            "storage.profile",
            f"{path} belongs to profile {row[0]!r}, not {profile!r}.",
            "Nothing was changed. Every profile has its own database.",
        )


@contextmanager
def reader(path: Path) -> Iterator[Reader]:
    """A read-only view, safe beside a running trader.

    Raises:
        StorageFault: missing, junk, another program's file.
    """
    connection = connect(path, read_only=True)
    try:
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise DatabaseBroken("storage.foreign", f"{path} is not a countersign database.", "Choose another --db.")
        yield Reader(connection)
    except sqlite3.Error as error:
        raise fault_of(error, path) from error
    finally:
        connection.close()


class Reader:
    """Queries as dictionaries."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        """All rows of a query."""
        cursor = self.connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def one(self, sql: str, parameters: tuple[Any, ...] = ()) -> dict[str, Any] | None:
        """The first row, or None."""
        rows = self.rows(sql, parameters)
        return rows[0] if rows else None

    def value(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """The first column of the first row, or None."""
        row = self.connection.execute(sql, parameters).fetchone()
        return row[0] if row else None
