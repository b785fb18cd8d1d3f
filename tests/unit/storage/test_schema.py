"""The tables: what may be in them, and that every version's database becomes this version's."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database, Migrations

import storage.database
import storage.identity
import storage.migrations
from app.practice import record
from storage.database import open_for_trading, reader
from storage.faults import DatabaseBroken
from storage.journal import verify_chain
from storage.migrations import MIGRATIONS
from storage.schema import APPLICATION_ID, HASHED, KNOWN, LATEST
from storage.tables import strangers
from storage.writer import Writer
from tests.unit.storage.support import findings, make, transition

EXACT = {"TEXT", "INTEGER", "BLOB"}
METRICS = {"module_metrics"}
"""The only table that may hold a float."""


def fresh(stop_before: str | None = None) -> sqlite3.Connection:
    """A database in memory, of this version or of the one before a migration."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    MIGRATIONS.apply(Database(connection), stop_before=stop_before)
    return connection


def tables(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Name and statement of every table of ours."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    return ((name, sql) for name, sql in rows if not name.startswith(("sqlite_", "_sqlite_")))


def _venue() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(record._SCHEMA)
    return connection


@pytest.mark.parametrize("database", [fresh, _venue], ids=["trader", "paper venue"])
def test_no_column_can_hold_a_float_and_every_table_is_strict(database: Any) -> None:
    connection = database()
    seen = 0
    for name, sql in tables(connection):
        assert sql.rstrip().endswith(("STRICT", "STRICT, WITHOUT ROWID")), name
        for column in connection.execute(f"PRAGMA table_info({name})"):
            seen += 1
            if name not in METRICS:
                assert column[2] in EXACT, f"{name}.{column[1]} is {column[2]}"
    assert seen > 20
    connection.close()


def test_strict_tables_refuse_a_float_amount() -> None:
    connection = fresh()
    with pytest.raises(sqlite3.IntegrityError, match="cannot store REAL"):
        connection.execute("INSERT INTO errors VALUES (1, 1.5, '', '', '', '', '', '', '', NULL)")
    connection.execute("INSERT INTO balances VALUES ('a', 'X', 0.5)")  # TEXT takes it, as text: the writer never does
    assert connection.execute("SELECT typeof(amount) FROM balances").fetchone() == ("text",)
    connection.close()


def test_hashed_columns_are_the_tables_columns_after_seq() -> None:
    connection = fresh()
    for table, columns in HASHED.items():
        found = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        assert tuple(found) == ("seq", *columns), table
    connection.close()


def test_every_hashed_row_belongs_to_a_journal_row() -> None:
    connection = fresh()
    for table in HASHED:
        keys = [(row[2], row[3]) for row in connection.execute(f"PRAGMA foreign_key_list({table})")]
        assert ("journal", "seq") in keys, table
    connection.close()


def test_the_known_names_are_the_migrations_in_order() -> None:
    names = [migration.name for migration in MIGRATIONS.pending(Database(memory=True))]
    assert tuple(names) == KNOWN
    assert names[-1] == LATEST
    assert names == sorted(names)
    assert [int(name[1:4]) for name in names] == list(range(1, len(names) + 1))


# -- from every version to this one -----------------------------------------------------------------------------


def older(path: Path, stop_before: str) -> Path:
    """An older version's database on disk, in use: a profile is set."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    MIGRATIONS.apply(Database(connection), stop_before=stop_before)
    connection.execute("INSERT INTO meta VALUES ('profile', 'paper')")
    connection.close()
    return path


def backups(path: Path) -> list[str]:
    """What migrations put beside a database."""
    return sorted(p.name for p in path.parent.glob(f"{path.name}.before-*"))


def schema(path: Path) -> list[tuple[str, str]]:
    """Everything in the schema."""
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    connection.close()
    return found


def test_every_older_version_becomes_this_one(tmp_path: Path) -> None:
    open_for_trading(tmp_path / "new.db", "paper").close()
    versions: tuple[str, ...] = KNOWN[1:]
    for name in versions:
        path = older(tmp_path / f"{name}.db", name)
        open_for_trading(path, "paper").close()
        assert schema(path) == schema(tmp_path / "new.db"), name
        assert path.with_name(f"{path.name}.before-{LATEST}").exists()


async def test_an_older_database_in_use_keeps_every_row(tmp_path: Path) -> None:
    path = older(tmp_path / "a.db", KNOWN[1])
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys=ON")
    storage.database._functions(connection)
    writer = Writer(connection, path)
    writer.start(asyncio.get_running_loop())
    await asyncio.gather(*(writer.submit(transition(n)) for n in range(1, 5)))
    writer.stop()
    connection.execute("INSERT INTO reservations VALUES ('t', 'USDT', '5', '2', 'OPEN', 9)")
    connection.execute("INSERT INTO module_positions VALUES ('m', 'A-B', '1', '2', '3', '4', 5, 6)")
    connection.execute("INSERT INTO equity VALUES (1, 5, '100', '0', 0)")
    assert list(strangers(connection)) == []  # held against the schema of its own version
    before = contents(connection)
    connection.close()
    database = open_for_trading(path, "paper")
    after = contents(database.connection)
    changed = {name: rows for name, rows in after.items() if rows != before.get(name, [])}
    assert changed == {"equity": [(1, 5, "100", "0", 0, None)]}  # its profit can not be known
    assert before["balances"]
    assert list(strangers(database.connection)) == []
    database.close()
    assert findings(path) == []


def contents(connection: sqlite3.Connection) -> dict[str, list[Any]]:
    """Every row of every table of ours."""
    return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name, _ in list(tables(connection))}


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> str:
    """A version after this one: the same migrations and one more."""
    future = Migrations("countersign")
    for migration in MIGRATIONS._migrations:
        future._migrations.append(migration)

    @future()
    def m999_next(db: Database) -> None:
        db.execute("CREATE TABLE later (a TEXT) STRICT")
        db.execute("ALTER TABLE alerts ADD COLUMN later TEXT")

    monkeypatch.setattr(storage.migrations, "MIGRATIONS", future)
    for module in (storage.database, storage.identity):
        monkeypatch.setattr(module, "KNOWN", (*KNOWN, "m999_next"))
        monkeypatch.setattr(module, "LATEST", "m999_next")
    return "m999_next"


async def test_a_migration_keeps_everything_and_takes_a_backup_first(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = await make(tmp_path / "a.db", 4)
    name = request.getfixturevalue("next_version")
    database = open_for_trading(path, "paper")
    assert database.connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
    writer = Writer(database.connection, path)
    writer.start(asyncio.get_running_loop())
    assert await writer.submit(transition(9)) == 5
    writer.stop()
    database.close()
    assert findings(path) == []
    copy = sqlite3.connect(path.with_name(f"a.db.before-{name}"))
    assert copy.execute("SELECT count(*) FROM journal").fetchone() == (4,)
    assert list(verify_chain(copy, None)) == []
    assert copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'later'").fetchone() is None
    copy.close()
    open_for_trading(path, "paper").close()  # once
    assert backups(path) == [f"a.db.before-{name}"]


async def test_a_migration_that_failed_before_is_tried_again(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Its backup is there already: the second start takes another beside it, and neither is lost."""
    path = await make(tmp_path / "a.db", 2)
    name = request.getfixturevalue("next_version")
    earlier = path.with_name(f"a.db.before-{name}")
    shutil.copy(path, earlier)
    open_for_trading(path, "paper").close()
    assert backups(path) == [f"a.db.before-{name}", f"a.db.before-{name}-2"]


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = await make(tmp_path / "a.db", 2)
    database = open_for_trading(path, "paper")
    database.connection.execute("CREATE TABLE unrelated (a)")
    database.connection.execute("ALTER TABLE alerts ADD COLUMN later TEXT")  # so that its second step fails
    database.close()
    request.getfixturevalue("next_version")
    with pytest.raises(Exception, match="duplicate column"):
        open_for_trading(path, "paper")
    with pytest.MonkeyPatch.context() as back:
        back.setattr(storage.database, "KNOWN", KNOWN)
        with reader(path) as data:
            assert data.value("SELECT count(*) FROM journal") == 2
            assert data.value("SELECT 1 FROM sqlite_master WHERE name = 'later'") is None


async def test_an_older_program_refuses_the_migrated_database(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = await make(tmp_path / "a.db", 1)
    with pytest.MonkeyPatch.context():
        request.getfixturevalue("next_version")
        open_for_trading(path, "paper").close()
    with pytest.MonkeyPatch.context() as old:
        old.setattr(storage.identity, "KNOWN", KNOWN)
        with pytest.raises(DatabaseBroken, match="m999_next"):
            open_for_trading(path, "paper")
