"""Backup and restore: whole consistent copies by SQLite's online backup, checked before they count."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from storage.faults import DatabaseBroken, DatabaseUnusable
from storage.schema import APPLICATION_ID


def backup_connection(source: sqlite3.Connection, target: Path) -> None:
    """Copy the open database to `target`, 0600, fsynced and moved into place only when complete.

    Raises:
        DatabaseUnusable: `target` exists or can not be written.
    """
    if target.exists():
        raise DatabaseUnusable("backup.exists", f"{target} exists already.", "Choose another file name.")
    part = target.with_name(target.name + ".part")
    try:
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.close(fd)
        copy = sqlite3.connect(part)
        try:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        finally:
            copy.close()
        _check(part)
        _fsync(part)
        part.rename(target)
        _fsync(target.parent)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise DatabaseUnusable(
            "backup.write", f"{target} can not be written: {error}.", "Choose another folder."
        ) from error


def restore(backup: Path, target: Path) -> Path | None:
    """Put a copy of `backup` in place of `target`; the old database is kept beside it and its path returned.

    Raises:
        DatabaseBroken: `backup` is not a countersign database or fails SQLite's integrity check.
        DatabaseUnusable: disk or permissions.
    """
    if not backup.is_file():
        raise DatabaseUnusable("restore.missing", f"There is no backup at {backup}.", "Nothing was changed.")
    _check(backup)
    part = target.with_name(target.name + ".restoring")
    kept: Path | None = None
    try:
        source = sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True)
        try:
            part.unlink(missing_ok=True)
            backup_connection(source, part)
        finally:
            source.close()
        if target.exists():
            kept = _free_name(target)
            for suffix in ("", "-wal", "-shm"):
                old = target.with_name(target.name + suffix)
                if old.exists():
                    old.rename(kept.with_name(kept.name + suffix))
        part.rename(target)
        target.with_name(target.name + ".head").unlink(missing_ok=True)
        _fsync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseUnusable(
            "restore.write", f"{target} can not be replaced: {error}.", "Nothing was lost."
        ) from error
    return kept


def _free_name(target: Path) -> Path:
    number = 1
    while (name := target.with_name(f"{target.name}.replaced-{number}")).exists():
        number += 1
    return name


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


def _fsync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
