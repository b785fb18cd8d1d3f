"""What commands share: which database, which settings, how to print, how to reach the running trader."""

from __future__ import annotations

import argparse
import json
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from app import paths
from app.cli import streams
from app.cli.asked import PROFILES, database_named, overrides, profile_named, real_path, settings
from app.errors import CountersignError, UsageError, VenueError, VenueUnknown
from app.text import escape_untrusted
from storage.database import reader, trader_pid
from storage.faults import OtherProfile, StorageFault
from storage.identity import check_profile

__all__ = [
    "PROFILES",
    "ask_trader",
    "database",
    "database_named",
    "emit",
    "note",
    "overrides",
    "profile_named",
    "real_path",
    "recent",
    "remember_database",
    "running",
    "settings",
]

_QUESTIONS: Final = frozenset(
    {"status", "health", "reconcile", "proposals", "modules", "risk", "ticket_preview", "shown"}
    | {"signers", "signer_address", "signer_register", "signer_trial"}
    | {"allowances", "liquidity", "stakes"}
    | {"alert_channels", "alert_test", "gate_clock", "gate_override", "gate_ramp"}
)
"""Commands to the trader that can cause nothing to be sent to a venue."""

_LAST: Final = "last-database"
"""File in the data folder: the databases of the newest sessions, newest first, a line each."""
_REMEMBERED: Final = 20


def database(options: argparse.Namespace) -> Path:
    """The database a command means: named; else the named profile's own; else that of the newest session that still
    runs (a replay that has ended is not what anybody wants to stop); else the newest session's; else paper's.

    Whose it is is said where nobody asked for that profile.

    Raises:
        UsageError: there is no such profile.
        OtherProfile: the profile that was named is not the database's.
    """
    profile, named = profile_named(options), database_named(options)
    last = None if profile or named else next(iter([*running(), *recent()]), None)
    db = named or last or Path(os.path.realpath(paths.database(profile or PROFILES[0])))
    if getattr(options, "emergency", False):
        return db  # no wrong word and no slow disk may hold that up
    try:
        with reader(db) as data:
            if profile is not None:
                check_profile(db, data.connection, profile)
            found = data.value("SELECT value FROM meta WHERE key = 'profile'")
    except OtherProfile:
        raise
    except StorageFault:
        return db  # there is none, or none to ask: the command that needs it says so
    if found not in {None, profile or PROFILES[0]}:
        note(f"{db} belongs to profile {found!r}")
    return db


def running() -> list[Path]:
    """Databases of recent sessions that a trader runs on now, newest first."""
    return [db for db in recent() if trader_pid(db) is not None]


def recent() -> list[Path]:
    """Databases of the newest sessions that are still there, newest first; at most `_REMEMBERED`."""
    try:
        lines = (paths.data_dir() / _LAST).read_bytes().split(b"\n")
        found = [Path(os.fsdecode(each)) for each in lines[:_REMEMBERED]]
        return [db for db in found if db.is_absolute() and db.exists()]
    except (OSError, ValueError):
        return []


def remember_database(db: Path) -> None:
    """The session that runs now is what later commands mean. Said, not refused, where it can not be written: the
    session has a database, and commands can name it."""
    try:
        folder = paths.private_dir(paths.data_dir())
        part = folder / f"{_LAST}.part"
        known = [db, *(each for each in recent() if each != db)][:_REMEMBERED]
        part.write_bytes(b"".join(os.fsencode(each) + b"\n" for each in known))
        part.rename(folder / _LAST)
    except (OSError, CountersignError):
        note(f"{paths.data_dir()} can not be written, so other commands need: --db {db}")


def emit(options: argparse.Namespace, schema: str, document: dict[str, Any], lines: Iterable[str]) -> None:
    """One JSON document, or readable lines. Untrusted text is escaped in the lines."""
    if options.json:
        print(json.dumps({"schema": f"countersign.{schema}/1", **document}))
        return
    for line in lines:
        print(escape_untrusted(line))


def note(text: str) -> None:
    """A diagnostic on stderr."""
    streams.tell_line(f"countersign: {text}")


def ask_trader(db: Path, request: dict[str, Any], timeout_s: float = 10.0) -> dict[str, Any]:
    """One command to the running trader.

    Raises:
        UsageError: no trader runs on this database.
        VenueError: one does, and takes no commands (it is starting, ending, or stopped by a signal), or did not answer
            a question.
        VenueUnknown: it took the command and did not answer in time.
        CountersignError: what the trader refused with.
    """
    path = paths.socket_path(db)
    paths.open_socket_dir(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
        except OSError as error:
            raise _not_reached(db, error) from None
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
            answer: dict[str, Any] = json.loads(line)
        except (OSError, ValueError):
            raise _unanswered(request) from None
    if "error" in answer:
        raise _refused(answer["error"])
    result: dict[str, Any] = answer["ok"]
    return result


def _unanswered(request: dict[str, Any]) -> CountersignError:
    if request["op"] in _QUESTIONS:
        return VenueError("control.silent", "The trader did not answer.", next_step="See: countersign health")
    return VenueUnknown("control.silent", "The trader did not answer.", next_step="See: countersign status")


def _not_reached(db: Path, error: OSError) -> CountersignError:
    pid = trader_pid(db)
    if pid is None:
        return UsageError("control.none", f"No trader runs on {db}.", next_step="Start one: countersign run --headless")
    why = "it does not answer" if isinstance(error, TimeoutError) else "it is starting or ending"
    return VenueError(
        "control.busy", f"The trader (pid {pid}) takes no commands: {why}.", next_step="Try again in a moment."
    )


def _refused(error: dict[str, Any]) -> CountersignError:
    raised = CountersignError(error["code"], error["what"], sent=error["sent"], next_step=error["next_step"])
    raised.exit_code = error["exit_code"]  # type: ignore[misc]  # the trader's own code travels with its error
    return raised
