"""A database whose maker was killed, or whose disk was full, at any instant: the next start opens it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from storage.database import open_for_trading, reader
from storage.faults import DatabaseBroken
from storage.journal import head_of
from tests.unit.storage.support import findings, run_script, traced
from tests.unit.storage.test_database import refused

_CREATE = """
import sys
from pathlib import Path
from storage.database import open_for_trading
open_for_trading(Path(sys.argv[1]), "paper").close()
"""


CALLS = {"fsync": 1, "fdatasync": 1, "rename": 1, "pwrite64": 15}
"""System calls whose instant matters, and every how many of them a kill is tried."""


@pytest.mark.crash
@pytest.mark.parametrize("call", CALLS)
def test_a_kill_at_any_instant_of_the_first_creation_leaves_what_the_next_start_opens(
    tmp_path: Path, call: str
) -> None:
    script = tmp_path / "create.py"
    script.write_text(_CREATE)
    code, log = traced(script, tmp_path / "dry.db", calls=call)
    assert code == 0
    count = log.count(f"{call}(")
    whens = range(1, count + 1, CALLS[call])
    for when in whens:
        path = tmp_path / f"{when}.db"
        code, _ = traced(script, path, calls=call, inject=f"{call}:signal=KILL:when={when}")
        assert code in {-signal.SIGKILL, 128 + signal.SIGKILL}, (when, code)
        if path.exists():  # then it is whole
            with reader(path) as data:
                assert data.value("SELECT value FROM meta WHERE key = 'profile'") == "paper"
        database = open_for_trading(path, "paper")
        assert database.connection.execute("SELECT value FROM meta WHERE key = 'profile'").fetchone() == ("paper",)
        assert database.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
        assert not path.with_name(f"{path.name}.new").exists()
    assert count >= (1 if call in {"rename", "fsync"} else 0)


async def test_a_log_without_its_database_is_refused(tmp_path: Path) -> None:
    """Somebody removed the file, or a restore was cut short: the log holds what was committed last."""
    path = tmp_path / "a.db"
    path.with_name("a.db-wal").write_bytes(b"x" * 5000)
    refused(path, DatabaseBroken, "storage.leftover", "a.db-wal")
    assert path.with_name("a.db-wal").read_bytes() == b"x" * 5000
    path.with_name("a.db-wal").write_bytes(b"")
    path.with_name("a.db-shm").write_bytes(b"old")
    path.with_name("a.db-journal").write_bytes(b"old")
    open_for_trading(path, "paper").close()
    assert findings(path) == []


_WRITE_AND_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
from storage.database import open_for_trading
from storage.writer import Writer
from tests.unit.storage.support import transition

async def main(path):
    database = open_for_trading(path, "paper")
    writer = Writer(database.connection, path)
    writer.start(asyncio.get_running_loop())
    for n in range(1, 8):
        await writer.submit(transition(n))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.crash
@pytest.mark.parametrize("shm", ["kept", "lost"])
def test_after_a_kill_readers_and_the_next_trader_see_every_commit(tmp_path: Path, shm: str) -> None:
    script, path = tmp_path / "die.py", tmp_path / "a.db"
    script.write_text(_WRITE_AND_DIE)
    assert run_script(script, path).returncode == -signal.SIGKILL
    assert path.with_name("a.db-wal").stat().st_size > 0
    if shm == "lost":
        path.with_name("a.db-shm").unlink()
    with reader(path) as data:
        assert data.value("SELECT count(*) FROM journal") == 7
    assert findings(path) == []
    database = open_for_trading(path, "paper")
    assert head_of(database.connection).seq == 7
    database.close()


@pytest.mark.parametrize("limit", [0, 1000, 5000, 30_000])
def test_a_disk_that_is_full_while_it_is_made_is_said_and_leaves_what_opens(tmp_path: Path, limit: int) -> None:
    script = tmp_path / "full.py"
    script.write_text(
        "import resource, signal, sys\nfrom pathlib import Path\nfrom storage.database import open_for_trading\n"
        "from storage.faults import StorageFault\nimport sqlite_utils\nimport storage.migrations\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try:\n    open_for_trading(Path(sys.argv[1]), 'paper').close()\n"
        "except StorageFault as fault:\n    print(fault.code, '|', fault.what, '|', fault.next_step)\n"
    )
    done = run_script(script, tmp_path / "a.db")
    assert done.returncode == 0, done.stderr
    code, what, step = done.stdout.split("|")
    assert code.strip() in {"storage.io", "storage.full", "storage.folder", "storage.error"}
    assert "a.db" in what
    assert step.strip()
    open_for_trading(tmp_path / "a.db", "paper").close()
