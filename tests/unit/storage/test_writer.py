"""The writer: order, group commit, and what a failed commit leaves behind (nothing)."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import threading
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import storage.writer as writer_module
from storage.database import open_for_trading, reader
from storage.faults import DatabaseUnusable, StorageFault, TransitionLost
from storage.journal import Head, HeadMirror, read_mirror
from storage.writer import GROUP, Commit, Writer
from tests.unit.storage.support import desk, findings, run_script, syncs, traced, transition


async def lost(*futures: asyncio.Future[int]) -> list[str]:
    """The codes of futures that must all have failed with `TransitionLost`."""
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert all(isinstance(result, TransitionLost) for result in results), results
    return [result.code for result in results if isinstance(result, TransitionLost)]


async def test_commits_keep_the_order_of_their_submission(tmp_path: Path) -> None:
    order = random.Random(7)
    async with desk(tmp_path) as d:
        futures = []
        for n in range(300):
            futures.append(d.writer.submit(transition(n)))
            if order.random() < 0.1:
                await asyncio.sleep(0)
            if order.random() < 0.02:
                await futures[-1]
        assert await asyncio.gather(*futures) == list(range(1, 301))
        assert d.subjects() == [str(n) for n in range(300)]
        assert d.balances() == {"assets:paper": "300", "equity:opening": "-300"}
        assert findings(d.path) == []


async def test_answers_come_in_the_order_of_submission(tmp_path: Path) -> None:
    seen: list[int] = []
    async with desk(tmp_path) as d:
        with d.held_up():
            futures = [d.writer.submit(transition(n)) for n in range(150)]
            for future in futures:
                future.add_done_callback(lambda done: seen.append(done.result()))
        await asyncio.gather(*futures)
    assert seen == sorted(seen)


@pytest.mark.parametrize(("waiting", "transactions"), [(1, 1), (GROUP, 1), (GROUP + 1, 2), (3 * GROUP, 3)])
async def test_everything_that_waits_shares_transactions(tmp_path: Path, waiting: int, transactions: int) -> None:
    async with desk(tmp_path) as d:
        statements: list[str] = []
        d.database.connection.set_trace_callback(statements.append)
        with d.held_up():
            futures = [d.writer.submit(transition(n)) for n in range(waiting)]
        await asyncio.gather(*futures)
        assert statements.count("COMMIT") == transactions
        assert statements.count("BEGIN IMMEDIATE") == transactions
        assert (d.writer.stats.groups, d.writer.stats.commits) == (transactions, waiting)
        assert d.writer.stats.largest_group == min(waiting, GROUP)


async def test_64_submitted_at_once_cost_at_most_two_transactions(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await asyncio.gather(*(d.writer.submit(transition(n)) for n in range(64)))
        assert d.writer.stats.groups <= 2


async def test_a_record_without_a_journal_row_has_no_seq_and_no_link_in_the_chain(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        note = replace(transition(7), kind="", rows=())
        assert await asyncio.gather(*map(d.writer.submit, (transition(1), note, transition(2)))) == [1, 0, 2]
        assert d.subjects() == ["1", "2"]
        with reader(d.path) as data:
            assert data.value("SELECT count(*) FROM alerts WHERE subject = '7'") == 1
        assert findings(d.path) == []


async def test_the_cursor_commits_with_the_transition_it_caused(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.writer.submit(transition(41))
        await d.writer.submit(transition(42))
        with reader(d.path) as data:
            assert data.rows("SELECT source, position FROM cursor") == [{"source": "source", "position": 42}]


# -- failure ----------------------------------------------------------------------------------------------------


def _twice(number: int) -> Commit:
    """Violates a UNIQUE constraint: the same primary key twice in one transition."""
    statement = ("INSERT INTO meta VALUES ('same', '')", ())
    return replace(transition(number), statements=(statement, statement))


POISON: dict[str, Any] = {
    "a unique violation": _twice,
    "no such table": lambda n: replace(transition(n), statements=(("INSERT INTO nowhere VALUES (1)", ()),)),
    "a Decimal": lambda n: replace(transition(n), statements=(("INSERT INTO meta VALUES ('a', ?)", (Decimal(1),)),)),
    "a huge number": lambda n: replace(transition(n), statements=(("INSERT INTO meta VALUES (?, '')", (2**63,)),)),
    "half a character": lambda n: replace(transition(n), subject="\ud800"),
    "half a character in a hashed row": lambda n: replace(transition(n), rows=(("postings", "\udfff", "X", "0"),)),
    "a table that is not hashed": lambda n: replace(transition(n), rows=(("meta", "a", "b"),)),
    "too few columns": lambda n: replace(transition(n), rows=(("postings", "a"),)),
    "NaN": lambda n: replace(transition(n), rows=(("postings", "a", "X", float("nan")),)),
    "no amount": lambda n: replace(transition(n), rows=(("postings", "assets:paper", "X", "much"),)),
    "bytes": lambda n: replace(transition(n), rows=(("postings", "a", "X", b"1"),)),
}


@pytest.mark.parametrize("poison", POISON)
async def test_one_bad_commit_loses_its_group_and_all_behind_it_and_nothing_else(tmp_path: Path, poison: str) -> None:
    async with desk(tmp_path) as d:
        for n in (1, 2):
            await d.writer.submit(transition(n))
        with d.held_up():
            queued = [d.writer.submit(transition(n)) for n in (3, 4)]
            queued.append(d.writer.submit(POISON[poison](5)))
            queued += [d.writer.submit(transition(n)) for n in range(6, 6 + 2 * GROUP)]  # two more groups behind it
        codes = await lost(*queued)
        assert len(set(codes)) == 1
        failed = d.writer.failed
        assert failed is not None
        assert failed.what
        assert failed.next_step
        await lost(d.writer.submit(transition(900)))  # refused at once
        assert d.subjects() == ["1", "2"]
        assert d.balances() == {"assets:paper": "2", "equity:opening": "-2"}
        assert d.writer.head.seq == 2
        assert read_mirror(d.path) == d.writer.head

        await d.writer.reset()
        assert d.writer.failed is None
        assert await asyncio.gather(*(d.writer.submit(transition(n)) for n in (10, 11))) == [3, 4]
        assert d.subjects() == ["1", "2", "10", "11"]
        assert d.balances() == {"assets:paper": "4", "equity:opening": "-4"}
        assert findings(d.path) == []
        assert read_mirror(d.path) == d.writer.head


async def test_a_full_disk_rolls_back_and_says_so(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.writer.submit(transition(1))
        (pages,) = d.database.connection.execute("PRAGMA page_count").fetchone()
        d.database.connection.execute(f"PRAGMA max_page_count={pages}")
        with d.held_up():
            queued = [d.writer.submit(transition(2)), d.writer.submit(transition(3, filler="x" * 100_000))]
        assert set(await lost(*queued)) == {"storage.full"}
        assert d.subjects() == ["1"]
        d.database.connection.execute("PRAGMA max_page_count=1000000")
        await lost(d.writer.submit(transition(4)))  # not before the owner has rebuilt its state
        await d.writer.reset()
        assert await d.writer.submit(transition(5, filler="x" * 100_000)) == 2
        assert findings(d.path) == []


async def test_a_lock_of_another_program_fails_the_commit_and_passes(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        d.database.connection.execute("PRAGMA busy_timeout=20")
        other = sqlite3.connect(d.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert await lost(d.writer.submit(transition(1))) == ["storage.busy"]
        other.execute("ROLLBACK")
        other.close()
        await d.writer.reset()
        assert await d.writer.submit(transition(2)) == 1


_IO_ERROR = """
import asyncio, json, resource, signal, sys
from pathlib import Path
from storage.database import open_for_trading
from storage.faults import TransitionLost
from storage.writer import Writer
from tests.unit.storage.support import transition, findings

async def main(path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    database = open_for_trading(path, "paper")
    writer = Writer(database.connection, path)
    writer.start(asyncio.get_running_loop())
    written = 0
    for n in range(3):
        await writer.submit(transition(n)); written += 1
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    size = path.with_name(path.name + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 9_000, hard))
    code = None
    for n in range(100, 200):
        try:
            await writer.submit(transition(n, filler="x" * 2000)); written += 1
        except TransitionLost as fault:
            code = fault.code
            break
    head = writer.head.seq
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await writer.reset()
    after = await writer.submit(transition(500))
    writer.stop(); database.close()
    print(json.dumps({"code": code, "written": written, "head": head, "after": after,
                      "findings": [f.what for f in findings(path)]}))

asyncio.run(main(Path(sys.argv[1])))
"""


def test_an_io_error_rolls_back_and_the_chain_goes_on(tmp_path: Path) -> None:
    script = tmp_path / "io.py"
    script.write_text(_IO_ERROR)
    done = run_script(script, tmp_path / "a.db")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["code"] in {"storage.io", "storage.full"}
    assert found["written"] >= 3
    assert found["head"] == found["written"]  # what was answered is there, what was not is not
    assert found["after"] == found["written"] + 1
    assert found["findings"] == []


async def test_reset_says_when_the_journal_can_not_be_read(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await lost(d.writer.submit(_twice(1)))
        d.database.connection.execute("ALTER TABLE journal RENAME TO elsewhere")
        with pytest.raises(StorageFault, match="journal"):
            await asyncio.wait_for(d.writer.reset(), 5)
        await lost(d.writer.submit(transition(2)))
        d.database.connection.execute("ALTER TABLE elsewhere RENAME TO journal")
        await d.writer.reset()
        assert await d.writer.submit(transition(3)) == 1


async def test_a_cancelled_reset_does_no_harm(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        complaints: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        await lost(d.writer.submit(_twice(1)))
        with d.held_up():
            task = asyncio.create_task(d.writer.reset())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await d.writer.reset()
        assert await d.writer.submit(transition(2)) == 1
        assert complaints == []


# -- waiters, ends ----------------------------------------------------------------------------------------------


async def test_a_cancelled_waiter_does_no_harm(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        complaints: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        with d.held_up():
            futures = [d.writer.submit(transition(n)) for n in range(3)]
            futures[1].cancel()
        assert await futures[0] == 1
        assert await futures[2] == 3
        with d.held_up():
            failing = [d.writer.submit(transition(5)), d.writer.submit(_twice(6))]
            failing[0].cancel()
        await lost(failing[1])
        assert d.subjects() == ["0", "1", "2"]
        assert complaints == []


async def test_stop_writes_what_is_queued_and_refuses_what_comes_later(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        futures = [d.writer.submit(transition(n)) for n in range(100)]
        d.writer.stop()
        assert d.subjects() == [str(n) for n in range(100)]
        assert await asyncio.gather(*futures) == list(range(1, 101))
        assert await lost(d.writer.submit(transition(200))) == ["storage.stopped"]
        with pytest.raises(StorageFault, match="ended"):
            await asyncio.wait_for(d.writer.reset(), 5)
        d.writer.stop()  # twice is once
        assert read_mirror(d.path) == d.writer.head


def test_a_loop_that_closed_meanwhile_does_not_end_the_thread(tmp_path: Path) -> None:
    database = open_for_trading(tmp_path / "a.db", "paper")
    writer = Writer(database.connection, database.path)
    gate = threading.Event()

    def wait() -> None:
        assert gate.wait(10)

    async def leave() -> None:
        writer.start(asyncio.get_running_loop())
        writer._queue.put(wait)
        for n in range(3):
            writer.submit(transition(n))

    asyncio.run(leave())
    gate.set()
    writer.stop()
    assert writer.head.seq == 3
    database.close()
    assert findings(database.path) == []


# -- durability -------------------------------------------------------------------------------------------------


async def test_the_writer_is_durable(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        found = {
            name: d.database.connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("synchronous", "journal_mode", "foreign_keys", "wal_autocheckpoint")
        }
    assert found == {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1, "wal_autocheckpoint": 0}


_SINGLES = """
import asyncio, os, sys
from pathlib import Path
from storage.database import open_for_trading
from storage.writer import Writer
from tests.unit.storage.support import transition

async def main(path):
    database = open_for_trading(path, "paper")
    writer = Writer(database.connection, path)
    writer.start(asyncio.get_running_loop())
    await writer.submit(transition(0))
    os.mkdir(f"{path}.begin")
    for n in range(1, 21):
        await writer.submit(transition(n))
    os.mkdir(f"{path}.middle")
    await asyncio.gather(*(writer.submit(transition(n)) for n in range(100, 164)))
    os.mkdir(f"{path}.end")
    writer.stop(); database.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_transition_costs_exactly_one_sync_and_sixty_four_at_most_two(tmp_path: Path) -> None:
    script = tmp_path / "singles.py"
    script.write_text(_SINGLES)
    code, log = traced(script, tmp_path / "a.db", calls="fsync,fdatasync,mkdir,mkdirat")
    assert code == 0
    singles, group = log.split(".begin", 1)[1].split(".middle", 1)
    assert syncs(singles) == 20, singles
    assert 1 <= syncs(group.split(".end", 1)[0]) <= 2, group


async def test_a_writer_that_is_never_idle_still_keeps_its_log_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_CHECKPOINT_BUSY", 10)
    async with desk(tmp_path) as d:
        for n in range(80):
            await d.writer.submit(transition(n, filler="x" * 8000))
        size = d.path.with_name(d.path.name + "-wal").stat().st_size
        assert size < 120 * 4096, f"{size // 4096} pages"
        assert findings(d.path) == []


async def test_an_idle_moment_starts_the_log_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log written over from its start does not grow, and syncs faster for it."""
    monkeypatch.setattr(writer_module, "_IDLE_S", 0.001)
    async with desk(tmp_path) as d:
        checkpointed = threading.Event()
        d.database.connection.set_trace_callback(lambda sql: checkpointed.set() if "checkpoint" in sql else None)
        wal = d.path.with_name(d.path.name + "-wal")
        for n in range(writer_module._CHECKPOINT_IDLE):
            await d.writer.submit(transition(n))
        assert await asyncio.to_thread(checkpointed.wait, 5)
        grown = wal.stat().st_size
        for n in range(writer_module._CHECKPOINT_IDLE // 2):
            await d.writer.submit(transition(100 + n))
        assert wal.stat().st_size == grown
        assert findings(d.path) == []


# -- the mirror -------------------------------------------------------------------------------------------------


async def test_the_mirror_follows_every_commit(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        assert read_mirror(d.path) == Head(0, bytes(32))
        assert findings(d.path) == []  # an empty journal is no cut one
        for n in range(3):
            await d.writer.submit(transition(n))
            assert read_mirror(d.path) == d.writer.head
            assert d.writer.head.seq == n + 1
    assert (tmp_path / "a.db.head").stat().st_mode & 0o777 == 0o600


async def test_a_mirror_that_can_not_be_written_loses_no_commit(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.writer.submit(transition(1))
        working = d.writer._mirror
        broken = HeadMirror(d.path)
        os.close(broken._fd)
        broken._fd = os.open(d.path.with_name("a.db.head"), os.O_RDONLY)
        d.writer._mirror = broken
        assert await d.writer.submit(transition(2)) == 2
        assert d.writer.stats.mirror_failures == 1
        assert read_mirror(d.path) == Head(1, read_mirror_hash(d.path))
        assert findings(d.path) == []  # behind by a row is not cut
        broken.close()
        d.writer._mirror = working
        await d.writer.submit(transition(3))
        assert read_mirror(d.path) == d.writer.head


def read_mirror_hash(path: Path) -> bytes:
    with reader(path) as data:
        found: bytes = data.value("SELECT hash FROM journal WHERE seq = 1")
    return found


@pytest.mark.parametrize(
    "text", ["", "5", "x y", "5 zz", f"{5:020d} {'ab' * 31}\n", "1 2 3", "\x00" * 86, f"{5:020d} {'ab' * 20}"]
)
def test_a_torn_mirror_is_no_mirror(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.db.head").write_text(text)
    assert read_mirror(tmp_path / "a.db") is None


async def test_a_mirror_that_is_a_folder_is_said_before_anything_starts(tmp_path: Path) -> None:
    database = open_for_trading(tmp_path / "a.db", "paper")
    (tmp_path / "a.db.head").mkdir()
    with pytest.raises(DatabaseUnusable, match=r"a\.db\.head"):
        Writer(database.connection, database.path)
    database.close()
