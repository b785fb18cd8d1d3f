"""Backup and restore: whole copies or none, and nothing of what was there is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from storage.backup import backup_connection, free_name, restore
from storage.database import open_for_trading, reader
from storage.faults import DatabaseBroken, DatabaseLocked, DatabaseUnusable
from storage.journal import Finding, read_mirror, verify_chain
from tests.unit.storage.support import desk, findings, make, traced, transition


def back_up(source: Path, target: Path) -> Path:
    """As the command does it: through a reader."""
    with reader(source) as data:
        backup_connection(data.connection, target)
    return target


def subjects(path: Path) -> list[str]:
    """What the journal is about."""
    with reader(path) as data:
        return [row["subject"] for row in data.rows("SELECT subject FROM journal ORDER BY seq")]


def files(folder: Path, beginning: str = "") -> dict[str, bytes]:
    """Files by name with their content; what SQLite keeps beside a database it has read is nobody's."""
    found = (p for p in folder.glob(f"{beginning}*") if not p.name.endswith(("-wal", "-shm")))
    return {p.name: p.read_bytes() for p in found if p.is_file()}


def chain(path: Path) -> list[Finding]:
    """The chain alone: a backup has no mirror."""
    with reader(path) as data:
        return list(verify_chain(data.connection, None))


# -- backup -----------------------------------------------------------------------------------------------------


async def test_copies_beside_a_writer_that_never_rests_are_whole(tmp_path: Path) -> None:
    """Each copy holds a beginning of the journal, its chain, and balances that fit it."""
    async with desk(tmp_path) as d:
        running = True

        async def write() -> int:
            n = 0
            while running:
                n += 1
                await d.writer.submit(transition(n, filler="x" * 500))
            return n

        await d.writer.submit(transition(0))
        writing = asyncio.create_task(write())
        lengths = []
        for n in range(6):
            copy = await asyncio.to_thread(back_up, d.path, tmp_path / f"copy-{n}.db")
            found = subjects(copy)
            assert found == [str(k) for k in range(len(found))]
            assert chain(copy) == []
            with reader(copy) as data:
                assert data.value("SELECT amount FROM balances WHERE account = 'assets:paper'") == str(len(found))
                assert data.value("PRAGMA integrity_check") == "ok"
            lengths.append(len(found))
            await asyncio.wait({writing}, timeout=0.02)
        running = False
        total = await writing
    assert lengths == sorted(lengths)
    assert 0 < lengths[0] < lengths[-1] <= total + 1
    assert findings(d.path) == []


async def test_a_copy_is_private_and_stands_alone(tmp_path: Path) -> None:
    source = await make(tmp_path / "a.db", 3)
    old = os.umask(0)
    try:
        copy = back_up(source, tmp_path / "copy.db")
    finally:
        os.umask(old)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert list(files(tmp_path, "copy")) == ["copy.db"]
    connection = sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)  # as from read-only media
    assert connection.execute("SELECT count(*) FROM journal").fetchone() == (3,)
    connection.close()


async def test_an_existing_target_is_refused_and_kept(tmp_path: Path) -> None:
    source = await make(tmp_path / "a.db")
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(DatabaseUnusable, match="exists already") as caught:
        back_up(source, tmp_path / "copy.db")
    assert caught.value.code == "backup.exists"
    assert (tmp_path / "copy.db").read_text() == "mine"
    with pytest.raises(DatabaseUnusable, match="exists already"):
        back_up(source, source)


@pytest.mark.parametrize("place", ["nowhere/copy.db", "file/copy.db", "x" * 300, "x" * 253])
async def test_a_target_that_can_not_be_written_is_said(tmp_path: Path, place: str) -> None:
    source = await make(tmp_path / "a.db")
    (tmp_path / "file").touch()
    before = files(tmp_path)
    with pytest.raises(DatabaseUnusable, match="can not be written") as caught:
        back_up(source, tmp_path / place)
    assert caught.value.next_step
    assert files(tmp_path) == before


_BACKUP = """
import sys
from pathlib import Path
from storage.backup import backup_connection
from storage.database import reader
with reader(Path(sys.argv[1])) as data:
    backup_connection(data.connection, Path(sys.argv[2]))
"""


@pytest.mark.crash
@pytest.mark.parametrize(("call", "step"), [("pwrite64", 40), ("fdatasync", 1), ("fsync", 1), ("rename", 1)])
async def test_a_backup_killed_at_any_instant_leaves_no_half_copy(tmp_path: Path, call: str, step: int) -> None:
    source = await make(tmp_path / "a.db", 30)
    script = tmp_path / "backup.py"
    script.write_text(_BACKUP)
    code, log = traced(script, source, tmp_path / "dry.db", calls=call)
    assert code == 0
    count = log.count(f"{call}(")
    for when in range(1, count + 1, step):
        target = tmp_path / f"{call}-{when}.db"
        code, _ = traced(script, source, target, calls=call, inject=f"{call}:signal=KILL:when={when}")
        assert code in {-signal.SIGKILL, 128 + signal.SIGKILL}, (when, code)
        if target.exists():
            assert chain(target) == []
            assert len(subjects(target)) == 30
        else:
            back_up(source, target)  # what was left of the first try is no obstacle
            assert len(subjects(target)) == 30
            assert not target.with_name(target.name + ".part").exists()
    assert findings(source) == []


# -- restore ----------------------------------------------------------------------------------------------------


async def test_a_restored_database_is_the_backup_and_the_former_is_kept(tmp_path: Path) -> None:
    path = await make(tmp_path / "a.db", 3)
    copy = back_up(path, tmp_path / "copy.db")
    await make(path, 4)
    kept = restore(copy, path, "paper")
    assert kept is not None
    assert subjects(path) == ["1", "2", "3"]
    assert subjects(kept) == ["1", "2", "3", "1", "2", "3", "4"]
    assert read_mirror(path) is None  # it would speak of the former database
    assert findings(path) == []
    assert path.stat().st_mode & 0o777 == 0o600
    await make(path, 1)  # and trading goes on
    assert subjects(path) == ["1", "2", "3", "1"]
    assert findings(path) == []
    assert subjects(copy) == ["1", "2", "3"]


async def test_the_former_log_is_kept_with_its_database_and_never_applied_to_the_new(tmp_path: Path) -> None:
    copy = back_up(await make(tmp_path / "other.db", 2), tmp_path / "copy.db")
    folder = tmp_path / "trading"
    folder.mkdir()
    async with desk(folder) as d:
        for n in range(5):
            await d.writer.submit(transition(n))
        for suffix in ("", "-wal"):  # as a kill leaves it
            target = tmp_path / f"b.db{suffix}"
            target.write_bytes(d.path.with_name(d.path.name + suffix).read_bytes())
    path = tmp_path / "b.db"
    kept = restore(copy, path, "paper")
    assert kept is not None
    assert kept.with_name(kept.name + "-wal").stat().st_size > 0
    assert subjects(path) == ["1", "2"]
    assert subjects(kept) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("suffix", ["-wal", "-journal", "-shm"])
async def test_a_leftover_log_is_put_aside_also_when_the_database_is_gone(tmp_path: Path, suffix: str) -> None:
    """As after a restore that was cut short: applied to the restored file, it would break it."""
    copy = back_up(await make(tmp_path / "other.db", 2), tmp_path / "copy.db")
    path = tmp_path / "a.db"
    path.with_name(path.name + suffix).write_bytes(b"old")
    kept = restore(copy, path, "paper")
    assert kept is not None
    assert kept.with_name(kept.name + suffix).read_bytes() == b"old"
    assert subjects(path) == ["1", "2"]


async def test_restoring_into_an_empty_place_keeps_nothing(tmp_path: Path) -> None:
    copy = back_up(await make(tmp_path / "other.db", 2), tmp_path / "copy.db")
    assert restore(copy, tmp_path / "new" / "a.db", "paper") is None
    assert subjects(tmp_path / "new" / "a.db") == ["1", "2"]


async def test_every_former_database_is_kept(tmp_path: Path) -> None:
    path = await make(tmp_path / "a.db", 1)
    copy = back_up(path, tmp_path / "copy.db")
    kept = {restore(copy, path, "paper") for _ in range(3)}
    assert len(kept) == 3
    assert all(name is not None and subjects(name) == ["1"] for name in kept)
    assert free_name(path) not in {path, *kept}


async def test_a_running_traders_database_is_not_replaced(tmp_path: Path) -> None:
    copy = back_up(await make(tmp_path / "other.db", 2), tmp_path / "copy.db")
    async with desk(tmp_path) as d:
        await d.writer.submit(transition(1))
        with pytest.raises(DatabaseLocked, match="Another trader"):
            restore(copy, d.path, "paper")
        await d.writer.submit(transition(2))
        assert d.subjects() == ["1", "2"]


def _foreign(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE journal (seq)")
    other.commit()
    other.close()


async def test_what_is_no_sound_backup_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    path = await make(tmp_path / "a.db", 3)
    whole = back_up(path, tmp_path / "copy.db").read_bytes()
    bad = tmp_path / "bad.db"
    flipped = bytearray(whole)
    flipped[len(whole) // 2 : len(whole) // 2 + 4096] = bytes(4096)
    before = files(tmp_path, "a.db")
    contents = [b"", b"junk", b"junk" * 9000, whole[:100], whole[:5000], whole[: len(whole) // 2], bytes(flipped)]
    for content in contents:
        bad.write_bytes(content)
        with pytest.raises(DatabaseBroken, match=r"bad\.db is not") as caught:
            restore(bad, path, "paper")
        assert "Nothing was changed" in caught.value.next_step
    bad.unlink()
    _foreign(bad)
    with pytest.raises(DatabaseBroken, match="countersign"):
        restore(bad, path, "paper")
    for missing in (tmp_path / "none.db", tmp_path):
        with pytest.raises(DatabaseUnusable, match="no backup at"):
            restore(missing, path, "paper")
    assert files(tmp_path, "a.db") == before
    assert subjects(path) == ["1", "2", "3"]


_RESTORE = """
import sys
from pathlib import Path
from storage.backup import restore
restore(Path(sys.argv[1]), Path(sys.argv[2]), "paper")
"""


@pytest.mark.crash
async def test_a_restore_killed_at_any_rename_can_be_repeated_and_loses_nothing(tmp_path: Path) -> None:
    copy = back_up(await make(tmp_path / "other.db", 2), tmp_path / "copy.db")
    script = tmp_path / "restore.py"
    script.write_text(_RESTORE)
    dry = await make(tmp_path / "dry" / "a.db", 7)
    code, log = traced(script, copy, dry, calls="rename,unlink")
    assert code == 0
    for call in ("rename", "unlink"):
        for when in range(1, log.count(f"{call}(") + 1):
            path = await make(tmp_path / f"{call}-{when}" / "a.db", 7)
            code, _ = traced(script, copy, path, calls=call, inject=f"{call}:signal=KILL:when={when}")
            assert code in {-signal.SIGKILL, 128 + signal.SIGKILL}, (call, when, code)
            restore(copy, path, "paper")
            assert subjects(path) == ["1", "2"]
            assert findings(path) == []
            former = [p for p in path.parent.glob("a.db.replaced*") if not p.name.endswith(("-wal", "-shm"))]
            assert [str(n) for n in range(1, 8)] in [subjects(p) for p in former]
            open_for_trading(path, "paper").close()
