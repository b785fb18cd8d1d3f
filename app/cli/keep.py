"""Backup and restore."""

from __future__ import annotations

import argparse

from app import paths
from app.cli import context
from app.errors import DatabaseInUse, UsageError
from storage.backup import backup_connection
from storage.backup import restore as restore_file
from storage.database import reader, trader_pid
from storage.journal import head_of


def backup(options: argparse.Namespace) -> int:
    """A consistent copy, also beside a running trader. The paper venue's record is not ours to copy: after a restore it
    is what we are compared with."""
    db, target = context.database(options), context.real_path(options.file)
    with reader(db) as data:
        backup_connection(data.connection, target)
    with reader(target) as copy:  # a running trader may have gone on: what counts is what the copy holds
        head = head_of(copy.connection).seq
    document = {"database": str(db), "backup": str(target), "journal_rows": head}
    context.emit(options, "backup", document, [f"Backed up {db} ({head} journal rows) to {target}."])
    return 0


def restore(options: argparse.Namespace) -> int:
    """Put a backup in place. The next session reconciles with the venue before it trades.

    Without --profile it must be paper's, as a session without --profile is."""
    db, source = context.database(options), context.real_path(options.file)
    if source == db:
        raise UsageError("restore.same", f"{source} is the database itself.", next_step="Nothing was changed.")
    pid = trader_pid(db)
    if pid is not None:
        raise DatabaseInUse(
            "storage.in_use", f"A trader (pid {pid}) runs on {db}.", next_step="Nothing was changed. Stop it first."
        )
    profile = context.profile_named(options) or context.PROFILES[0]
    paths.private_dir(db.parent)
    kept = restore_file(source, db, profile)
    lines = [f"Restored {db} from {source}."]
    if kept is not None:
        lines.append(f"The former database is {kept}.")
    lines.append("The next session compares it with the venue before it trades.")
    context.emit(options, "restore", {"database": str(db), "former": None if kept is None else str(kept)}, lines)
    return 0
