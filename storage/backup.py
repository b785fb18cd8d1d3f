"""Backup and restore: whole consistent copies by SQLite's online backup, checked before they count."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from storage.database import connect, lock, sync
from storage.faults import DatabaseBroken, DatabaseUnusable, OtherProfile, StorageFault
from storage.identity import check_profile, check_replaceable, is_there
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


def restore(backup: Path, target: Path, profile: str) -> Path | None:
    """Put a copy of `backup` in place of `target`; the old database is kept beside it and its path returned.

    The trader's lock is held meanwhile. The mirror of the old journal's head goes: it says nothing about the new one.

    Raises:
        DatabaseBroken: `backup` is not a countersign database or fails SQLite's integrity check; `target` is not ours.
        OtherProfile: one of the two belongs to another profile than `profile`.
        DatabaseLocked: a trader runs on `target`.
        DatabaseUnusable: disk or permissions.
    """
    try:
        if not backup.is_file():
            raise DatabaseUnusable(
                "restore.missing", f"There is no backup at {backup}.", "Nothing was changed.", exit_code=2
            )
        _check(backup, profile)
        check_replaceable(target)
        _check_former(target, profile)
        held = lock(target)
        try:
            return _replace(backup, target)
        finally:
            os.close(held)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseUnusable(
            "restore.write", f"{target} can not be replaced: {_reason(error)}.", "Nothing was lost."
        ) from error


def _check_former(target: Path, profile: str) -> None:
    """Refuse another profile's database; whose a broken one was can not be asked, and it is kept."""
    if not is_there(target):
        return
    try:
        connection = connect(target, read_only=True)
        try:
            check_profile(target, connection, profile)
        finally:
            connection.close()
    except OtherProfile:
        raise
    except (StorageFault, sqlite3.Error):
        pass


def _replace(backup: Path, target: Path) -> Path | None:
    part = target.with_name(target.name + ".restoring")
    part.unlink(missing_ok=True)
    try:
        _copy_for_use(backup, part)
        kept = _put_aside(target)
        target.with_name(target.name + ".head").unlink(missing_ok=True)
        part.rename(target)
    except BaseException:
        for suffix in _PARTS:
            part.with_name(part.name + suffix).unlink(missing_ok=True)
        raise
    sync(target.parent)
    return kept


def _copy_for_use(backup: Path, part: Path) -> None:
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


def _put_aside(target: Path) -> Path | None:
    """Rename the old database and what belongs to it, all or nothing."""
    there = [suffix for suffix in _PARTS if target.with_name(target.name + suffix).exists()]
    if not there:
        return None
    kept = free_name(target.with_name(target.name + ".replaced"))
    moved: list[str] = []
    try:
        for suffix in there:
            target.with_name(target.name + suffix).rename(kept.with_name(kept.name + suffix))
            moved.append(suffix)
    except OSError:
        for suffix in moved:
            kept.with_name(kept.name + suffix).rename(target.with_name(target.name + suffix))
        raise
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


def _check(path: Path, profile: str | None = None) -> None:
    """A sound countersign database, of `profile` where one is given."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            result = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if application == APPLICATION_ID and result == "ok" and profile is not None:
                check_profile(path, connection, profile)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _no_backup(path, f"is not a readable database ({error})", profile) from error
    if application != APPLICATION_ID or result != "ok":
        raise _no_backup(path, f"is not a sound countersign database ({result})", profile)


def _no_backup(path: Path, what: str, profile: str | None) -> DatabaseBroken:
    """A file that the trader named (it comes with a profile) is bad input; a copy that we made is our trouble."""
    code = 1 if profile is None else 2
    return DatabaseBroken("backup.broken", f"{path} {what}.", "Nothing was changed.", exit_code=code)
