"""A whole session whose paper venue is killed again and again: it is restarted, looked up, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.crash.campaign import ROOT, Campaign, _env
from tests.crash.judge import judge


def _venue_of(trader: int) -> int | None:
    children = Path(f"/proc/{trader}/task/{trader}/children").read_text(encoding="ascii").split()
    return int(children[0]) if children else None


def test_a_session_outlives_its_venue(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    db = campaign._fresh("dying") / "a.db"
    command = [*campaign.command(db), "--speed", "2000"]
    killed: set[int] = set()
    with subprocess.Popen(
        command, cwd=ROOT, env=_env(db.parent), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as trader:
        while trader.poll() is None and len(killed) < 3:
            venue = _venue_of(trader.pid)
            if venue is not None and venue not in killed and _has_orders(db, 6 * len(killed) + 3):
                os.kill(venue, signal.SIGKILL)
                killed.add(venue)
        _, errors = trader.communicate(timeout=60)
    assert len(killed) == 3, errors
    assert trader.returncode == 0, errors
    assert not judge(db), judge(db)


def _has_orders(db: Path, number: int) -> bool:
    done = subprocess.run([sys.executable, "-c", _COUNT, str(db)], capture_output=True, text=True, check=False)
    return done.returncode == 0 and int(done.stdout) >= number


_COUNT = """
import sqlite3, sys
print(sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("SELECT count(*) FROM orders").fetchone()[0])
"""
