"""Backup and restore: whole consistent copies by SQLite's online backup, checked before they count."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from storage.database import lock, sync
from storage.faults import DatabaseBroken, DatabaseUnusable
from storage.schema import APPLICATION_ID

_PARTS: Final = ("", "-wal", "-shm", "-journal")
"""A database and what SQLite keeps beside it. They belong together: a log beside another database would be applied to
it, so none of them may ever stay behind."""


def backup_connection(source: sqlite3.Connection, target: Path) -> None:
    """Copy the open database to `target`, 0600, fsynced and moved into place only when complete.

    Raises:
        DatabaseUnusable: `target` exists or can not be written.
        DatabaseBroken: what was read is no sound database.
    """
    part = target.with_name(target.name + ".part")
    try:
        if target.exists():
            raise DatabaseUnusable("backup.exists", f"{target} exists already.", "Choose another file name.")
        _copy(source, part)
        part.rename(target)
        sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseUnusable(
            "backup.write", f"{target} can not be written: {_reason(error)}.", "Choose another file or folder."
        ) from error


def _copy(source: sqlite3.Connection, part: Path) -> None:
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    try:
        copy = sqlite3.connect(part)
        try:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        finally:
            copy.close()
        _check(part)
        sync(part)
    except BaseException:
        for suffix in _PARTS:
            part.with_name(part.name + suffix).unlink(missing_ok=True)
        raise


def restore(backup: Path, target: Path) -> Path | None:
    """Put a copy of `backup` in place of `target`; the old database is kept beside it and its path returned.

    The trader's lock is held meanwhile. The mirror of the old journal's head goes: it says nothing about the new one.

    Raises:
        DatabaseBroken: `backup` is not a countersign database or fails SQLite's integrity check.
        DatabaseLocked: a trader runs on `target`.
        DatabaseUnusable: disk or permissions.
    """
    try:
        if not backup.is_file():
            raise DatabaseUnusable("restore.missing", f"There is no backup at {backup}.", "Nothing was changed.")
        _check(backup)
        held = lock(target)
        try:
            return _replace(backup, target)
        finally:
            os.close(held)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseUnusable(
            "restore.write", f"{target} can not be replaced: {_reason(error)}.", "Nothing was lost."
        ) from error


def _replace(backup: Path, target: Path) -> Path | None:
    part = target.with_name(target.name + ".restoring")
    part.unlink(missing_ok=True)
    source = sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True)
    try:
        backup_connection(source, part)
    finally:
        source.close()
    # In the mode it will be used in: changing that later, a crash could leave what no reader may repair.
    copy = sqlite3.connect(part)
    try:
        copy.execute("PRAGMA journal_mode=WAL")
    finally:
        copy.close()
    kept: Path | None = None
    if any(target.with_name(target.name + suffix).exists() for suffix in _PARTS):
        kept = free_name(target.with_name(target.name + ".replaced"))
        for suffix in _PARTS:
            old = target.with_name(target.name + suffix)
            if old.exists():
                old.rename(kept.with_name(kept.name + suffix))
    target.with_name(target.name + ".head").unlink(missing_ok=True)
    part.rename(target)
    sync(target.parent)
    return kept


def free_name(wanted: Path) -> Path:
    """`wanted`, or with the first number that is not taken, counting what stands beside a database too."""
    number, name = 1, wanted
    while any(name.with_name(name.name + suffix).exists() for suffix in _PARTS):
        number += 1
        name = wanted.with_name(f"{wanted.name}-{number}")
    return name


def _reason(error: OSError | sqlite3.Error) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _check(path: Path) -> None:
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            result = connection.execute("PRAGMA integrity_check").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise DatabaseBroken(
            "backup.broken", f"{path} is not a readable database ({error}).", "Nothing was changed."
        ) from error
    if application != APPLICATION_ID or result != "ok":
        raise DatabaseBroken(
            "backup.broken", f"{path} is not a sound countersign database ({result}).", "Nothing was changed."
        )
