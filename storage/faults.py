"""What can be wrong with a database, in words. `app` maps these onto its own error tree.

StorageFault
  DatabaseLocked    another trader holds it
  DatabaseBroken    not a database, truncated, another program's, a newer version's
    OtherProfile    sound, and of another profile than the one that was asked for
  DatabaseUnusable  no permission, disk full, read-only, I/O error
  TransitionLost    a commit failed: nothing of its group is on disk
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3


class StorageFault(Exception):
    """`code` is a stable word; `what` one sentence; `next_step` what the trader can do; `exit_code` as everywhere:
    2 bad input, 3 refused by a safety rule, 1 anything else."""

    exit_code: int = 1

    def __init__(self, code: str, what: str, next_step: str = "", *, exit_code: int | None = None) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.next_step = next_step
        if exit_code is not None:
            self.exit_code = exit_code


class DatabaseLocked(StorageFault):
    """Another trader runs on this database."""

    exit_code = 3


class DatabaseBroken(StorageFault):
    """The file is not a usable countersign database."""


class OtherProfile(DatabaseBroken):
    """The database belongs to another profile."""

    exit_code = 3


class DatabaseUnusable(StorageFault):
    """The file can not be opened or written."""


class TransitionLost(StorageFault):
    """The commit failed and was rolled back; memory must be rebuilt from disk."""


_INPUT: Final = frozenset(
    {"storage.broken", "storage.foreign", "storage.newer", "storage.missing", "storage.empty", "storage.open"}
)
"""What is wrong with the file itself, found as it is opened."""


def as_input(fault: StorageFault) -> StorageFault:
    """`fault` as met on opening a file: the wrong one was named. Found in the middle of a session it is none."""
    if fault.code in _INPUT:
        fault.exit_code = 2
    return fault


def file_fault(error: OSError, path: Path) -> StorageFault:
    """Our words for what the operating system says of the file or its folder."""
    if isinstance(error, IsADirectoryError):
        return DatabaseUnusable(
            "storage.folder", f"{path} is a folder, not a database.", "Name a file with --db.", exit_code=2
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return DatabaseUnusable(
            "storage.read_only",
            f"{path} can not be written ({error.strerror}).",
            "Check the permissions of the file and its folder.",
        )
    return DatabaseUnusable(
        "storage.open", f"{path} can not be used: {error.strerror}.", "Choose another file with --db."
    )


_KNOWN: Final[tuple[tuple[tuple[str, ...], type[StorageFault], str, str, str], ...]] = (
    (
        ("SQLITE_NOTADB", "SQLITE_CORRUPT"),
        DatabaseBroken,
        "storage.broken",
        "{path} is not a readable database ({name}).",
        "Nothing was changed. Restore a backup: countersign restore FILE",
    ),
    (
        ("SQLITE_FULL",),
        DatabaseUnusable,
        "storage.full",
        "The disk that holds {path} is full ({name}).",
        "Free some space, then restart.",
    ),
    (
        ("SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY", "SQLITE_READONLY_CANTINIT"),
        DatabaseUnusable,
        "storage.unfinished",
        "A crash left {path} in the middle of a change ({name}).",
        "Start a session: it finishes or undoes that.",
    ),
    (
        ("SQLITE_READONLY", "SQLITE_PERM"),
        DatabaseUnusable,
        "storage.read_only",
        "{path} can not be written ({name}).",
        "Check the permissions of the file and its folder.",
    ),
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED"),
        DatabaseLocked,
        "storage.busy",
        "{path} is locked by another program ({name}).",
        "Close it and try again.",
    ),
    (
        ("SQLITE_IOERR",),
        DatabaseUnusable,
        "storage.io",
        "The disk failed while reading or writing {path} ({name}).",
        "Check the disk, then restart.",
    ),
    (
        ("SQLITE_CONSTRAINT",),
        DatabaseUnusable,
        "storage.constraint",
        "{path} refuses a row that contradicts what it holds: {error} ({name}).",
        "Check it: countersign journal verify. Then report this.",
    ),
    (("",), DatabaseUnusable, "storage.error", "{path}: {error} ({name}).", "Check the file and its folder."),
)
"""Beginnings of an SQLite error's name, and our kind, code, sentence and next step for it; the first that fits."""


def fault_of(error: sqlite3.Error, path: Path) -> StorageFault:
    """Our words for an SQLite error."""
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR")) and path.is_dir():
        return file_fault(IsADirectoryError(), path)
    _, kind, code, what, step = next(known for known in _KNOWN if name.startswith(known[0]))
    return kind(code, what.format(path=path, name=name, error=error), step)
