"""A database with a writer, transitions to write, and scripts run under strace."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.database import TraderDatabase, open_for_trading, reader
from storage.journal import Finding, read_mirror, verify_chain
from storage.writer import Commit, Writer

ROOT = Path(__file__).resolve().parents[3]


_RECORD = "INSERT INTO alerts (ts_ms, severity, kind, text, subject) VALUES (1, 'LOW', 'test', '', ?)"


def transition(number: int, *, filler: str = "") -> Commit:
    """A transition with a journal row, two postings and a record of its own."""
    return Commit(
        1_600_000_000_000 + number,
        "test.step",
        str(number),
        f'{{"set":[["step",{number}]],"filler":"{filler}"}}',
        (("postings", "assets:paper", "X", "1"), ("postings", "equity:opening", "X", "-1")),
        ((_RECORD, (str(number),)),),
        ("source", number, 1_600_000_000_000 + number),
    )  # fmt: skip


@dataclass
class Desk:
    """One open database and its writer."""

    database: TraderDatabase
    writer: Writer

    @property
    def path(self) -> Path:
        """The database file."""
        return self.database.path

    def subjects(self) -> list[str]:
        """Subjects of the journal, in order, as another connection sees them."""
        with reader(self.path) as data:
            return [row["subject"] for row in data.rows("SELECT subject FROM journal ORDER BY seq")]

    def balances(self) -> dict[str, str]:
        """The balances projection."""
        with reader(self.path) as data:
            return {row["account"]: row["amount"] for row in data.rows("SELECT account, amount FROM balances")}

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """The writer's thread waits, so that everything submitted meanwhile is queued."""
        gate, reached = threading.Event(), threading.Event()

        def wait() -> None:
            reached.set()
            assert gate.wait(10)

        self.writer._queue.put(wait)
        assert reached.wait(10)
        try:
            yield
        finally:
            gate.set()


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    """A fresh database with a running writer, closed afterwards."""
    database = open_for_trading(folder / "a.db", "paper")
    writer = Writer(database.connection, database.path)
    writer.start(asyncio.get_running_loop())
    try:
        yield Desk(database, writer)
    finally:
        writer.stop()
        database.close()


async def make(path: Path, rows: int = 5) -> Path:
    """A closed database with `rows` transitions."""
    database = open_for_trading(path, "paper")
    writer = Writer(database.connection, path)
    writer.start(asyncio.get_running_loop())
    await asyncio.gather(*(writer.submit(transition(n)) for n in range(1, rows + 1)))
    writer.stop()
    database.close()
    return path


def findings(path: Path) -> list[Finding]:
    """What the chain says against the mirrored head."""
    mirror = read_mirror(path)
    with reader(path) as data:
        return list(verify_chain(data.connection, mirror))


def traced(script: Path, *arguments: str | Path, calls: str, inject: str = "") -> tuple[int, str]:
    """Run a Python script under strace; its return code (negative: the signal) and the calls it made."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    log = script.with_suffix(".strace")
    command = [strace, "-f", "-qq", "-o", str(log), "-e", f"trace={calls}"]
    command += ["-e", f"inject={inject}"] if inject else []
    done = run_script(script, *arguments, prefix=command)
    assert "ptrace" not in done.stderr or done.returncode == 0, done.stderr
    return done.returncode, log.read_text()


def run_script(
    script: Path, *arguments: str | Path, prefix: list[str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a Python script with the project importable."""
    return subprocess.run(
        [*(prefix or []), sys.executable, str(script), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def syncs(log: str) -> int:
    """Completed fsync and fdatasync calls in a strace log."""
    return len(re.findall(r"\bf(?:data)?sync\(|<\.\.\. f(?:data)?sync resumed", log)) - log.count("<unfinished")
