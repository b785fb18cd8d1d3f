"""One trader on a database, and readers beside it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.database import open_for_trading, trader_pid
from storage.faults import DatabaseLocked
from tests.unit.storage.support import ROOT


def test_a_second_trader_is_refused_and_told_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    first = open_for_trading(path, "paper")
    assert trader_pid(path) == os.getpid()
    with pytest.raises(DatabaseLocked, match=rf"pid {os.getpid()}\) runs on"):
        open_for_trading(path, "paper")
    assert trader_pid(path) == os.getpid()
    first.close()
    assert trader_pid(path) is None
    open_for_trading(path, "paper").close()


def test_the_lock_of_a_killed_trader_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    script = tmp_path / "hold.py"
    script.write_text(
        "import os, signal, sys\nfrom pathlib import Path\nfrom storage.database import open_for_trading\n"
        "open_for_trading(Path(sys.argv[1]), 'paper')\nprint(os.getpid(), flush=True)\nsignal.pause()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, str(script), str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        assert trader_pid(path) == pid
        with pytest.raises(DatabaseLocked, match=f"pid {pid}"):
            open_for_trading(path, "paper")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert trader_pid(path) is None
    assert path.with_name("a.db.lock").read_text().strip() == str(pid)  # stale, and only a text
    database = open_for_trading(path, "paper")
    assert trader_pid(path) == os.getpid()
    database.close()


@pytest.mark.parametrize("text", ["", "no number", "-5", "12 34"])
def test_a_lock_without_a_readable_pid_is_still_a_lock(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.db"
    lock = path.with_name("a.db.lock")
    lock.write_text(text)
    with lock.open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert trader_pid(path) == -1
        with pytest.raises(DatabaseLocked, match="Another trader"):
            open_for_trading(path, "paper")
    assert trader_pid(path) is None


def test_a_look_at_the_lock_is_no_second_trader(tmp_path: Path) -> None:
    """`trader_pid` of other commands takes a shared lock for an instant; a starting trader waits for it."""
    path = tmp_path / "a.db"
    open_for_trading(path, "paper").close()
    with path.with_name("a.db.lock").open() as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        loop = asyncio.new_event_loop()
        timer = loop.run_in_executor(None, lambda: fcntl.flock(looker, fcntl.LOCK_UN))
        open_for_trading(path, "paper").close()
        loop.run_until_complete(timer)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def test_no_lock_file_means_no_trader(tmp_path: Path) -> None:
    assert trader_pid(tmp_path / "a.db") is None
    assert list(tmp_path.iterdir()) == []
