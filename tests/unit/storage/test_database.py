"""Opening databases: what is refused, in which words, and that a refusal changes nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.database import connect, open_for_trading, reader, trader_pid
from storage.faults import DatabaseBroken, DatabaseLocked, DatabaseUnusable, StorageFault, fault_of
from storage.journal import head_of
from storage.schema import APPLICATION_ID, KNOWN
from tests.unit.storage.support import findings, make, transition


def fingerprint(path: Path) -> tuple[bytes, int]:
    """Content and mode."""
    return hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mode


def foreign(path: Path) -> Path:
    """Another program's database, with its default permissions."""
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (a)")
    other.commit()
    other.close()
    path.chmod(0o644)
    return path


def refused(path: Path, kind: type[StorageFault], code: str, says: str, profile: str = "paper") -> StorageFault:
    """The trader's open must fail so, naming the file and what to do next, and must leave no lock behind."""
    with pytest.raises(kind) as caught:
        open_for_trading(path, profile)
    fault = caught.value
    assert fault.code == code, fault
    assert path.name in fault.what
    assert says in f"{fault.what} {fault.next_step}", (fault.what, fault.next_step)
    assert fault.next_step
    assert trader_pid(path) is None
    return fault


# -- the ordinary ways ------------------------------------------------------------------------------------------


def test_a_new_database_is_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        database = open_for_trading(tmp_path / "deep" / "er" / "a.db", "paper")
        modes = {p.name: p.stat().st_mode & 0o777 for p in database.path.parent.iterdir()}
        database.close()
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(("a.db", "a.db-wal", "a.db-shm", "a.db.lock"), 0o600)


async def test_opening_again_finds_everything(tmp_path: Path) -> None:
    path = await make(tmp_path / "a.db", 3)
    database = open_for_trading(path, "paper")
    assert head_of(database.connection).seq == 3
    assert database.connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    database.close()
    assert not path.with_name("a.db-wal").exists()  # closed clean: the file alone is whole


def test_an_empty_file_is_a_new_database(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    open_for_trading(tmp_path / "a.db", "paper").close()


@pytest.mark.parametrize(
    "name", ["with space.db", "100%.db", "a?b.db", "a#b.db", "ümläut.db", "-.db", "x" * 240 + ".db"]
)
def test_every_file_name_works(tmp_path: Path, name: str) -> None:
    open_for_trading(tmp_path / name, "paper").close()
    with reader(tmp_path / name) as data:
        assert data.value("SELECT value FROM meta WHERE key = 'profile'") == "paper"


# -- what is refused --------------------------------------------------------------------------------------------


def test_another_profile_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    open_for_trading(path, "paper").close()
    before = fingerprint(path)
    refused(path, DatabaseBroken, "storage.profile", "belongs to profile 'paper', not 'live'", profile="live")
    assert fingerprint(path) == before
    open_for_trading(path, "paper").close()


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_another_programs_database_is_refused_and_nothing_is_changed(tmp_path: Path, mode: str) -> None:
    path = foreign(tmp_path / "a.db")
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA journal_mode={mode}")
    other.close()
    before = fingerprint(path)
    refused(path, DatabaseBroken, "storage.foreign", "another program's database")
    assert fingerprint(path) == before
    with pytest.raises(DatabaseBroken, match="another program's"), reader(path):
        pass
    assert fingerprint(path) == before


def test_another_programs_empty_database_is_refused(tmp_path: Path) -> None:
    path = foreign(tmp_path / "a.db")
    other = sqlite3.connect(path)
    other.execute("DROP TABLE theirs")
    other.execute("PRAGMA application_id=7")
    other.close()
    refused(path, DatabaseBroken, "storage.foreign", "another program's database")


@pytest.mark.parametrize(
    "content", [b"junk", b"junk" * 5000, b"\x00" * 10_000, b"SQLite format 3\x00" + b"\xff" * 9000]
)
def test_junk_is_refused_and_nothing_is_changed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    path.chmod(0o644)
    before = fingerprint(path)
    refused(path, DatabaseBroken, "storage.broken", "countersign restore")
    assert fingerprint(path) == before
    with pytest.raises(DatabaseBroken, match="not a readable database"), reader(path):
        pass


async def test_a_truncated_database_is_refused_at_every_length(tmp_path: Path) -> None:
    whole = (await make(tmp_path / "whole.db", 40)).read_bytes()
    path = tmp_path / "a.db"
    for length in (1, 15, 16, 99, 100, 101, 511, 4095, 4096, 4097, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        path.write_bytes(whole[:length])
        fault = refused(path, DatabaseBroken, "storage.broken", "Restore a backup")
        assert path.read_bytes() == whole[:length], length
        with pytest.raises(DatabaseBroken, match="not a readable"), reader(path):
            pass
        assert "Nothing was changed" in fault.next_step


async def test_a_database_emptied_behind_our_back_is_refused(tmp_path: Path) -> None:
    path = await make(tmp_path / "a.db", 4)
    path.write_bytes(b"")
    refused(path, DatabaseBroken, "storage.head", "names journal row 4, which is not there")
    assert path.read_bytes() == b""


async def test_a_cut_tail_is_refused_at_the_start_and_the_mirror_stays(tmp_path: Path) -> None:
    path = await make(tmp_path / "a.db", 4)
    mirror = path.with_name("a.db.head").read_text()
    tamper = sqlite3.connect(path)
    for table in ("postings", "journal"):
        tamper.execute(f"DELETE FROM {table} WHERE seq = 4")
    tamper.commit()
    tamper.close()
    fault = refused(path, DatabaseBroken, "storage.head", "countersign restore FILE")
    assert "a.db.head" in fault.next_step
    assert path.with_name("a.db.head").read_text() == mirror
    path.with_name("a.db.head").unlink()  # the way out that it names
    open_for_trading(path, "paper").close()


async def test_a_database_put_in_place_of_another_is_refused(tmp_path: Path) -> None:
    path = await make(tmp_path / "a.db", 4)
    other = await make(tmp_path / "b.db", 6)
    tamper = sqlite3.connect(other)
    tamper.execute("UPDATE journal SET hash = x'00' WHERE seq = 4")
    tamper.commit()
    tamper.close()
    shutil.copy(other, path)
    refused(path, DatabaseBroken, "storage.head", "which is another one there")


async def test_a_mirror_that_lags_is_no_reason_to_refuse(tmp_path: Path) -> None:
    path = await make(tmp_path / "a.db", 2)
    lagging = path.with_name("a.db.head").read_bytes()
    database = open_for_trading(path, "paper")
    database.close()
    await make(path, 3)
    path.with_name("a.db.head").write_bytes(lagging)
    open_for_trading(path, "paper").close()
    assert findings(path) == []


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()
    refused(tmp_path / "a.db", DatabaseUnusable, "storage.folder", "is a folder")
    with pytest.raises(DatabaseUnusable, match="is a folder"), reader(tmp_path / "a.db"):
        pass


def test_a_folder_in_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db.lock").mkdir()
    refused(tmp_path / "a.db", DatabaseUnusable, "storage.folder", "a.db.lock")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(tmp_path / "file" / "a.db", DatabaseUnusable, "storage.folder", "writable folder")


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    with pytest.raises(DatabaseUnusable, match="can not be used"):
        open_for_trading(path, "paper")
    with pytest.raises(DatabaseUnusable, match="can not be used"), reader(path):
        pass


def test_a_missing_database_is_said_to_readers(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable) as caught, reader(tmp_path / "a.db"):
        pass
    assert caught.value.code == "storage.missing"
    assert "countersign run" in caught.value.next_step
    assert list(tmp_path.iterdir()) == []  # looking makes nothing


def test_a_database_that_holds_nothing_yet_is_said_to_readers(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    with pytest.raises(DatabaseUnusable) as caught, reader(tmp_path / "a.db"):
        pass
    assert caught.value.code == "storage.empty"


async def test_a_newer_versions_database_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    path = await make(tmp_path / "a.db", 2)
    future = sqlite3.connect(path)
    future.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('countersign', 'm999_x', '')"
    )
    future.commit()
    future.close()
    before = fingerprint(path)
    fault = refused(path, DatabaseBroken, "storage.newer", "it has m999_x; this one knows up to " + KNOWN[-1])
    assert "Update countersign" in fault.next_step
    assert fingerprint(path) == before
    with pytest.raises(DatabaseBroken, match="newer"), reader(path):
        pass


async def test_another_programs_write_lock_is_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database._BUSY_MS", 20)
    path = await make(tmp_path / "a.db", 1)
    for begin in ("BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"):
        other = sqlite3.connect(path, isolation_level=None)
        other.execute(begin)
        refused(path, DatabaseLocked, "storage.busy", "locked by another program")
        other.execute("ROLLBACK")
        other.close()
    open_for_trading(path, "paper").close()


def test_a_lock_on_a_database_without_a_log_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.database._BUSY_MS", 20)
    path = tmp_path / "a.db"
    open_for_trading(path, "paper").close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode=DELETE")
    other.execute("BEGIN EXCLUSIVE")
    refused(path, DatabaseLocked, "storage.busy", "try again")
    with pytest.raises(DatabaseLocked, match="locked by another program"), reader(path):
        pass
    other.close()


def _immutable(path: Path, *, on: bool) -> bool:
    tool = shutil.which("chattr")
    if tool is None:
        return False
    done = subprocess.run([tool, "+i" if on else "-i", path], check=False, capture_output=True)
    return done.returncode == 0


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """By permissions; as root by the immutable flag, which only some file systems have."""
    mode = path.stat().st_mode
    if os.geteuid():
        path.chmod(mode & ~0o222)
    elif not _immutable(path, on=True):
        pytest.skip("as root and without chattr +i on this file system nothing is read-only")
    try:
        yield
    finally:
        if os.geteuid():
            path.chmod(mode)
        else:
            _immutable(path, on=False)


async def test_a_file_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    path = await make(tmp_path / "a.db", 1)
    with unwritable(path):
        refused(path, DatabaseUnusable, "storage.read_only", "can not be written")
        with reader(path) as data:
            assert data.value("SELECT count(*) FROM journal") == 1


async def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = await make(folder / "a.db", 1)
    with unwritable(folder):
        with pytest.raises(DatabaseUnusable) as caught:
            open_for_trading(path, "paper")
        assert caught.value.next_step
        with pytest.raises(DatabaseUnusable, match=r"b\.db\.lock can not be written"):
            open_for_trading(folder / "b.db", "paper")


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("INSERT INTO meta VALUES ('a', 'b')", "storage.read_only"),
        ("SELECT * FROM nowhere", "storage.error"),
    ],
)
async def test_a_readers_errors_are_ours(tmp_path: Path, statement: str, code: str) -> None:
    path = await make(tmp_path / "a.db", 1)
    with pytest.raises(StorageFault) as caught, reader(path) as data:
        data.rows(statement)
    assert caught.value.code == code


def test_sqlites_errors_have_our_words(tmp_path: Path) -> None:
    """Each family of SQLite's errors, as SQLite itself raises it where that can be had."""

    def named(name: str) -> sqlite3.Error:
        error = sqlite3.OperationalError("its own words")
        error.sqlite_errorname = name
        return error

    expected = {
        "SQLITE_NOTADB": "storage.broken", "SQLITE_CORRUPT_INDEX": "storage.broken", "SQLITE_FULL": "storage.full",
        "SQLITE_READONLY_DIRECTORY": "storage.read_only", "SQLITE_PERM": "storage.read_only",
        "SQLITE_BUSY_SNAPSHOT": "storage.busy", "SQLITE_LOCKED": "storage.busy", "SQLITE_IOERR_FSYNC": "storage.io",
        "SQLITE_CONSTRAINT_UNIQUE": "storage.constraint", "SQLITE_CANTOPEN": "storage.error",
    }  # fmt: skip
    for name, code in expected.items():
        fault = fault_of(named(name), tmp_path / "a.db")
        assert fault.code == code
        assert "a.db" in fault.what
        assert name in fault.what
        assert fault.next_step
    closed = sqlite3.connect(":memory:")
    closed.close()
    with pytest.raises(sqlite3.ProgrammingError) as caught:
        closed.execute("SELECT 1")
    assert fault_of(caught.value, tmp_path / "a.db").code == "storage.error"


# -- readers ----------------------------------------------------------------------------------------------------


async def test_readers_beside_a_writer_see_what_was_committed(tmp_path: Path) -> None:
    from tests.unit.storage.support import desk  # noqa: PLC0415 -- only here

    async with desk(tmp_path) as d:
        with reader(d.path) as before:
            before.connection.execute("BEGIN")
            assert before.value("SELECT count(*) FROM journal") == 0
            for n in range(5):
                await d.writer.submit(transition(n))
                assert len(d.subjects()) == n + 1
            assert before.value("SELECT count(*) FROM journal") == 0  # one view, however long it looks


async def test_a_reader_works_without_the_logs_files(tmp_path: Path) -> None:
    path = await make(tmp_path / "a.db", 3)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with reader(path) as data:
        assert data.value("SELECT count(*) FROM journal") == 3


async def test_a_reader_can_not_write(tmp_path: Path) -> None:
    path = await make(tmp_path / "a.db", 1)
    connection = connect(path, read_only=True)
    for statement in ("DELETE FROM journal", "PRAGMA user_version=5", "DROP TABLE journal"):
        with pytest.raises(sqlite3.OperationalError, match=r"readonly|read-only"):
            connection.execute(statement)
    connection.close()
