"""A verification as a job: what it finds, how far it says it is, and that it ends when nobody waits."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from app.engine.clock import WallClock
from app.verification import Checked, Verification, VerificationCancelled
from storage.faults import StorageFault
from tests.execution.harness import rig


class Steps(WallClock):
    """A monotonic clock that goes on by a millisecond at each look."""

    def __init__(self) -> None:
        self._ns = 0

    def monotonic_ns(self) -> int:
        self._ns += 1_000_000
        return self._ns


async def test_a_sound_database_beside_its_running_trader(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
        job = Verification(tmp_path / "a.db", Steps())
        found = job.run()
        assert found.findings == ()
        assert found.head == r.session.writer.head
        assert found.mirror == found.head
        seen = job.progress()
        assert seen.rows == seen.of > 20
        assert seen.left_ms == 0


async def test_what_was_changed_is_found(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("UPDATE orders SET state = 'CANCELLED' WHERE role = 'stop'")
    (finding,) = Verification(tmp_path / "a.db", Steps()).run().findings
    assert finding.table == "orders"


async def test_progress_grows_to_the_whole_and_knows_the_time_left(tmp_path: Path) -> None:
    seen: list[Checked] = []

    class Watched(Verification):
        def _checked(self, part: str) -> None:
            super()._checked(part)
            seen.append(self.progress())

    async with rig(tmp_path) as r:
        await r.trade()
        await r.close_position("1")
    Watched(tmp_path / "a.db", Steps()).run()
    assert [each.rows for each in seen] == list(range(1, seen[-1].of + 1))
    assert list(dict.fromkeys(each.part for each in seen)) == [
        "chain", "changes", "fills", "events", "postings", "signatures", "orders",
    ]  # fmt: skip
    assert all(each.left_ms is not None and each.left_ms >= 0 for each in seen)
    assert seen[0].left_ms is not None
    assert seen[0].left_ms > seen[0].of, "a row took a millisecond, and two signatures are still to come"


async def test_cancelled_it_ends_at_the_next_row(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
    job = Verification(tmp_path / "a.db", Steps())
    job.cancel()
    ended: list[BaseException] = []

    def run() -> None:
        try:
            job.run()
        except VerificationCancelled as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert len(ended) == 1
    assert job.progress().rows == 0


def test_no_database_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageFault):
        Verification(tmp_path / "none.db", Steps()).run()
