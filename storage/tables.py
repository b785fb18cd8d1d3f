"""Are the tables those that our migrations make? A trigger, a view or a replaced table could change what rows say.

A database that no session of this version has opened yet is held against the schema of its own version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cache

from storage.journal import Finding
from storage.schema import KNOWN

_OURS = "SELECT name, type, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@' AND tbl_name <> ?"
_BOOKKEEPING = "_sqlite_migrations"
"""Made by sqlite-utils; its text depends on that library's version."""


def strangers(connection: sqlite3.Connection) -> Iterator[Finding]:
    """What is in the schema and should not be, what is not and should, and what SQLite itself finds wrong."""
    ours, theirs = _ours(_version(connection))[0], _schema(connection)
    for name in sorted(ours.keys() | theirs.keys()):
        kind = (theirs.get(name) or ours[name])[0]
        if name not in ours:
            yield Finding(None, "schema", f"{kind} {name} is not ours")
        elif name not in theirs:
            yield Finding(None, "schema", f"{kind} {name} is missing")
        elif ours[name] != theirs[name]:
            yield Finding(None, "schema", f"{kind} {name} was replaced or altered")
    for (what,) in connection.execute("PRAGMA integrity_check(20)"):
        if what != "ok":
            yield Finding(None, "database", what)


def unreadable(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Tables without the columns we read: nothing can be verified against them."""
    for name, columns in _ours(_version(connection))[1].items():
        missing = columns - _columns(connection, name)
        if missing:
            yield Finding(None, name, f"has no {', '.join(sorted(missing))}: nothing can be verified against it")


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def _schema(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    rows = connection.execute(_OURS, (_BOOKKEEPING,))
    return {name: (kind, " ".join((sql or "").split())) for name, kind, sql in rows}


def _version(connection: sqlite3.Connection) -> int:
    """How many of our migrations it says it has."""
    try:
        names = {row[0] for row in connection.execute(f"SELECT name FROM {_BOOKKEEPING}")}  # noqa: S608 -- our own constant
    except sqlite3.Error:
        return len(KNOWN)
    return next((number for number, name in enumerate(KNOWN) if name not in names), len(KNOWN))


@cache
def _ours(version: int) -> tuple[dict[str, tuple[str, str]], dict[str, set[str]]]:
    """The schema that the first `version` migrations make, and the columns of its tables."""
    from sqlite_utils import Database  # noqa: PLC0415 -- 150 ms, only to verify

    from storage.migrations import MIGRATIONS  # noqa: PLC0415 -- needs sqlite_utils

    pristine = sqlite3.connect(":memory:", isolation_level=None)
    MIGRATIONS.apply(Database(pristine), stop_before=(*KNOWN, None)[version])
    schema = _schema(pristine)
    columns = {name: _columns(pristine, name) for name, (kind, _) in schema.items() if kind == "table"}
    pristine.close()
    return schema, columns
