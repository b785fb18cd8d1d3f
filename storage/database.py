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
from storage.faults import (
    DatabaseBroken,
    DatabaseLocked,
    DatabaseUnusable,
    StorageFault,
    as_input,
    fault_of,
    file_fault,
)
from storage.identity import applied, check_mirror, check_ours, check_profile, is_there
from storage.schema import APPLICATION_ID, KNOWN, LATEST

_BUSY_MS = 2_000
"""How long a writer waits for a reader's lock; WAL makes this rare."""


def _exact_add(left: str, right: str) -> str:
    return to_text(CONTEXT.add(CONTEXT.create_decimal(left), CONTEXT.create_decimal(right)))


def _functions(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.create_function("exact_add", 2, _exact_add, deterministic=True)
    connection.create_aggregate("exact_sum", 1, ExactSum)  # type: ignore[arg-type]  # typeshed wants int results; str is fine
    return connection


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection with our functions and pragmas. `isolation_level=None`: transactions are always explicit.

    Raises:
        StorageFault: the file is missing (readers), not a database, or can not be opened.
    """
    connection = _open(path, "ro" if read_only else "rw")
    try:
        if read_only:
            connection.execute("PRAGMA query_only=1")
        else:
            _for_writing(path, connection)
    except sqlite3.Error as error:
        connection.close()
        raise fault_of(error, path) from error
    except StorageFault:
        connection.close()
        raise
    return connection


def _open(path: Path, mode: str) -> sqlite3.Connection:
    """Open and read the first page; nothing is changed yet, so that another program's file stays as it is."""
    try:
        if not is_there(path) and mode == "ro":
            raise DatabaseUnusable(
                "storage.missing",
                f"There is no database at {path}.",
                "Start a session first: countersign run --headless",
            )
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
        )
    except OSError as error:
        raise file_fault(error, path) from error
    except sqlite3.Error as error:
        raise fault_of(error, path) from error
    try:
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        _functions(connection)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise fault_of(error, path) from error
    return connection


def _for_writing(path: Path, connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise DatabaseUnusable(
            "storage.wal",
            f"{path} can not keep a write-ahead log there (journal mode {mode}).",
            "Put the database on a local disk: --db FILE",
        )
    connection.execute("PRAGMA synchronous=FULL")
    # The writer checkpoints when it is idle, so that a transition costs one fdatasync, not sometimes three.
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA foreign_keys=ON")
    # Another program's write lock and a read-only file show themselves now, not in the middle of a trade.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")


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

    A file that is refused is left as it was: every check comes before the first write.

    Raises:
        DatabaseLocked: another trader runs on it.
        DatabaseBroken: junk, another program's file, a newer version's schema, another profile's, or cut behind our
            back.
        DatabaseUnusable: permissions, disk.
    """
    lock_fd = lock(path)
    try:
        return TraderDatabase(path, _open_checked(path, profile), lock_fd)
    except BaseException as error:
        os.close(lock_fd)
        if isinstance(error, StorageFault):
            as_input(error)
        if isinstance(error, sqlite3.Error):
            raise as_input(fault_of(error, path)) from error
        if isinstance(error, OSError):
            raise as_input(file_fault(error, path)) from error
        raise


def _open_checked(path: Path, profile: str) -> sqlite3.Connection:
    if not is_there(path) or path.stat().st_size == 0:
        check_mirror(path, None)
        _create(path, profile)
    os.close(
        os.open(path, os.O_RDWR | os.O_CLOEXEC)
    )  # SQLite would open what can not be written read-only, and not say so
    connection = _open(path, "rw")
    try:
        check_ours(path, connection)
        check_profile(path, connection, profile)
        check_mirror(path, connection)
        os.chmod(path, 0o600)
        _for_writing(path, connection)
        _migrate(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path, profile: str) -> None:
    """A new database appears whole or not at all: until it is renamed, nothing of it needs to survive a crash."""
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        raise DatabaseBroken(
            "storage.leftover",
            f"{path} is missing or empty, and {wal.name} beside it is not: it holds what was written last.",
            "Nothing was changed. Restore a backup: countersign restore FILE",
        )
    new = path.with_name(path.name + ".new")
    for name in (path, new):
        for suffix in ("-wal", "-shm", "-journal"):
            name.with_name(name.name + suffix).unlink(missing_ok=True)
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # SQLite would make it 0644
    connection = _open(new, "rw")
    try:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        _apply_migrations(connection)
        connection.execute("INSERT INTO meta VALUES ('profile', ?)", (profile,))
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
    sync(new)
    new.rename(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file, or a folder's names, durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def lock(path: Path) -> int:
    """Become the one trader of `path`. The returned descriptor holds the lock until it is closed or the process ends.

    Raises:
        DatabaseLocked: another trader has it.
        DatabaseUnusable: the folder can not be written, or what is at `path` can be no database.
    """
    is_there(path)  # no lock file beside what is refused anyway
    name = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _lock_fault(error, name) from error
    if not _flock_patiently(fd):
        pid = os.pread(fd, 32, 0).decode(errors="replace").strip()
        os.close(fd)
        raise DatabaseLocked(
            "storage.in_use",
            f"Another trader (pid {pid or 'unknown'}) runs on {path}.",
            "Nothing was changed. Use it, stop it (countersign stop), or choose another --db.",
        )
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        os.close(fd)
        raise _lock_fault(error, name) from error
    return fd


def _lock_fault(error: OSError, name: Path) -> DatabaseUnusable:
    return DatabaseUnusable(
        "storage.folder", f"{name} can not be written: {error.strerror}.", "Choose a writable folder with --db."
    )


def _flock_patiently(fd: int) -> bool:
    # `trader_pid` of another command holds a shared lock for microseconds, or until a busy machine lets it go on; that
    # is not a second trader.
    for _ in range(25):
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
    if applied(connection) == list(KNOWN):
        return
    from storage.backup import backup_connection, free_name  # noqa: PLC0415 -- circular at module level

    backup_connection(connection, free_name(path.with_name(f"{path.name}.before-{LATEST}")))
    _apply_migrations(connection)


def _apply_migrations(connection: sqlite3.Connection) -> None:
    from sqlite_utils import Database  # noqa: PLC0415 -- 150 ms, and only a new version needs it

    from storage.migrations import MIGRATIONS  # noqa: PLC0415 -- needs sqlite_utils

    MIGRATIONS.apply(Database(connection))


@contextmanager
def reader(path: Path) -> Iterator[Reader]:
    """A read-only view, safe beside a running trader.

    Raises:
        StorageFault: missing, empty, junk, another program's file, a newer version's.
    """
    try:
        connection = connect(path, read_only=True)
        try:
            check_ours(path, connection)
            yield Reader(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise as_input(fault_of(error, path)) from error
    except StorageFault as fault:
        as_input(fault)
        raise


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
