"""Whose file this is: what is refused as no database of ours, of another profile, or not the one written last."""

from __future__ import annotations

import shlex
import sqlite3
import stat
from pathlib import Path
from typing import Final

from storage.faults import DatabaseBroken, DatabaseUnusable, OtherProfile, file_fault
from storage.journal import read_mirror
from storage.schema import APPLICATION_ID, KNOWN, LATEST

_MAGIC: Final = b"SQLite format 3\x00"
_ID_AT: Final = 68
"""Where a database's header holds its application id, 4 bytes, big-endian. Source: SQLite file format, section 1.3."""

_KINDS: Final = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


def is_there(path: Path) -> bool:
    """Whether a file is at `path`.

    Raises:
        DatabaseUnusable: what is there is no regular file, and opening it would wait for ever or change a device; or it
            can not be looked at.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise file_fault(error, path) from error
    if stat.S_ISDIR(mode):
        raise file_fault(IsADirectoryError(), path)
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "a device")
        raise DatabaseUnusable(
            "storage.special", f"{path} is {kind}, not a database.", "Name a file with --db.", exit_code=2
        )
    return True


def application_of(path: Path) -> int | None:
    """The application id in a database's header, None when the file is no SQLite database (or is empty).

    Raises:
        OSError: it can not be read.
    """
    with path.open("rb") as file:
        header = file.read(_ID_AT + 4)
    whole = header.startswith(_MAGIC) and len(header) == _ID_AT + 4
    return int.from_bytes(header[_ID_AT:], "big") if whole else None


def check_replaceable(path: Path) -> None:
    """Refuse to put a backup in place of what is demonstrably not ours. A broken database of ours may be replaced: that
    is what backups are for.

    Raises:
        DatabaseUnusable, DatabaseBroken: it is no file, another program's, or junk that nothing beside it calls ours.
    """
    if not is_there(path):
        return
    try:
        application, size = application_of(path), path.stat().st_size
    except OSError as error:
        raise file_fault(error, path) from error
    if application == APPLICATION_ID or not size:
        return
    if application is None and read_mirror(path) is not None:
        return
    what = "not a database of ours" if application is None else "another program's database"
    raise DatabaseBroken(
        "restore.foreign",
        f"{path} is {what}, and would be replaced.",
        "Nothing was changed. If you do mean this place, move the file away first: "
        f"mv -- {shlex.quote(str(path))} {shlex.quote(f'{path}.mine')}",
        exit_code=2,
    )


def check_ours(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse another program's file, a file that is no database, and a newer version's."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID and (tables or application):
        raise DatabaseBroken(
            "storage.foreign", f"{path} is another program's database.", "Nothing was changed. Choose another --db."
        )
    size = path.stat().st_size
    if size == 0:
        raise DatabaseUnusable(
            "storage.empty", f"{path} holds nothing yet.", "Start a session first: countersign run --headless"
        )
    # SQLite reads a torn last page as zeros. With a log beside it, that is what a power cut leaves, and the log heals.
    wal = path.with_name(path.name + "-wal")
    torn = size % connection.execute("PRAGMA page_size").fetchone()[0] and not (wal.exists() and wal.stat().st_size)
    if torn or not applied(connection):
        raise DatabaseBroken(
            "storage.broken",
            f"{path} is not a readable database ({'its end is missing' if torn else 'it has no tables'}).",
            "Nothing was changed. Restore a backup: countersign restore FILE",
        )
    newer = [name for name in applied(connection) if name not in KNOWN]
    if newer:
        raise DatabaseBroken(
            "storage.newer",
            f"{path} was written by a newer countersign (it has {newer[-1]}; this one knows up to {LATEST}).",
            "Nothing was changed. Update countersign.",
        )


def applied(connection: sqlite3.Connection) -> list[str]:
    """Names of the migrations it has, oldest first."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone() is None:
        return []
    sql = "SELECT name FROM _sqlite_migrations WHERE migration_set = 'countersign' ORDER BY rowid"
    return [row[0] for row in connection.execute(sql)]


def check_profile(path: Path, connection: sqlite3.Connection, profile: str) -> None:
    """Refuse a database of another profile."""
    found = connection.execute("SELECT value FROM meta WHERE key = 'profile'").fetchone()
    if found is not None and found[0] != profile:
        raise OtherProfile(
            "storage.profile",
            f"{path} belongs to profile {found[0]!r}, not {profile!r}.",
            "Nothing was changed. Every profile has its own database.",
        )


def check_mirror(path: Path, connection: sqlite3.Connection | None) -> None:
    """The mirror is written after the commit, so it never runs ahead: what it names must be in the journal. The writer
    is about to overwrite it, and with it the only sign of a database that was cut or swapped."""
    mirror = read_mirror(path)
    if mirror is None or mirror.seq == 0:
        return
    row = None
    if connection is not None:
        row = connection.execute("SELECT hash FROM journal WHERE seq = ?", (mirror.seq,)).fetchone()
    if row is None or row[0] != mirror.hash:
        raise DatabaseBroken(
            "storage.head",
            f"{path} is not the database that was written last: {path.name}.head names journal row {mirror.seq}, "
            f"which is {'not there' if row is None else 'another one there'}.",
            "Nothing was changed. Restore a backup: countersign restore FILE. If you put this file there yourself, "
            f"remove {path.name}.head and reconcile.",
        )
