"""The short campaign of every test run; ``make crash N=1000`` is the long one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.crash.campaign import Campaign, KillPoint
from tests.crash.judge import judge

KILLS = 12
"""Of all kill points; `make crash` tries as many as it is told to."""

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace absent: no kill points"),
]


def test_nothing_is_lost_doubled_or_left_over(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    counts = campaign.dry_run()
    assert all(counts.values()), f"a kind of kill point does not exist: {counts}"
    findings = [line for point in campaign.points(counts, KILLS, seed=1) for line in campaign.hit(point)]
    assert not findings, "\n".join(findings)


def test_a_trader_killed_again_and_again_still_ends_right(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    db = campaign._fresh("again") / "a.db"
    for number in (40, 25, 60, 33, 80):
        campaign._kill(KillPoint("fdatasync", number), db)
        campaign._venue_gone(db)
    done = campaign._run(campaign.command(db))
    assert done.returncode == 0, done.stderr
    assert not judge(db)
