"""The adaptive profile on recorded data: a session that was interrupted tightens and relaxes at the same instants as
one that was not."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.replay.command import ROOT, document
from tests.replay.test_replay import RUN, _wait_for_fills, head_of_recording

pytestmark = pytest.mark.shared

BARS = 6000
"""Enough of the recording for two rounds of losses."""


def levels(db: Path) -> list[tuple[int, str]]:
    with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as reader:
        return reader.execute("SELECT ts_ms, body FROM journal WHERE kind = 'risk.level' ORDER BY seq").fetchall()


def test_a_session_killed_again_and_again_has_the_same_levels_at_the_same_instants(tmp_path: Path) -> None:
    recording, db = head_of_recording(tmp_path, BARS), tmp_path / "a.db"
    run = [sys.executable, "-m", "app", *RUN, "--db", str(db), "--replay", str(recording), "--json"]
    for _ in range(3):
        process = subprocess.Popen(
            run, cwd=ROOT, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE, text=True
        )
        _wait_for_fills(db, process, more=2)
        process.kill()
        process.communicate(timeout=30)
    done = document(tmp_path, *RUN, "--db", str(db), "--replay", str(recording))
    whole = document(tmp_path, *RUN, "--db", str(tmp_path / "b.db"), "--replay", str(recording))
    assert len(levels(db)) >= 2
    assert levels(db) == levels(tmp_path / "b.db")
    assert done["trades"]["FILLED"] == whole["trades"]["FILLED"]
    assert done["pnl"] == whole["pnl"]


def test_without_it_the_same_recording_decides_otherwise(tmp_path: Path) -> None:
    recording = head_of_recording(tmp_path, BARS)
    found = []
    for switch in ("true", "false"):
        db = tmp_path / f"{switch}.db"
        set_ = ("--set", f"risk.adaptive={switch}", "--set", "risk.cool_down_min=90")
        done = document(tmp_path, *RUN, "--db", str(db), "--replay", str(recording), *set_)
        found.append((len(levels(db)) > 0, done["intents_sha256"]))
    assert [changes for changes, _ in found] == [True, False]
    assert found[0][1] != found[1][1]


def test_the_risk_command_after_a_session_shows_the_record(tmp_path: Path) -> None:
    recording, db = head_of_recording(tmp_path, 2500), tmp_path / "a.db"
    done = document(tmp_path, *RUN, "--db", str(db), "--replay", str(recording))
    shown = document(tmp_path, "risk", "--db", str(db))
    assert shown["running"] is False
    assert shown["denied_by_rule"] == done["denied_by_rule"]
    assert {limit["name"] for limit in shown["limits"]} >= {"position", "asset_exposure", "errors", "daily_loss"}
    trades = next(limit for limit in shown["limits"] if limit["name"] == "trades_per_day")
    assert int(trades["used"]) <= int(trades["limit"]) == 50
