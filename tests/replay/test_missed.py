"""A recorded session that nobody answers: what expired is followed by the trader itself, bar by bar, the same every
time and the same after a restart."""

from __future__ import annotations

import csv
import signal
import sqlite3
import subprocess
import sys
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.replay.command import ROOT, document
from tests.replay.test_replay import head_of_recording

pytestmark = pytest.mark.shared

RUN = (
    "run", "--headless", "--set", "risk.cool_down_min=0", "--set", "trade.slippage_bps=100",
    "--set", "risk.slippage_bps=100", "--set", "trade.proposal_expiry_ms=60000",
)  # fmt: skip
ROWS = 5000
FEE = Decimal("0.001")
UNIT = Decimal("0.00000001")


def followed(db: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(db) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("SELECT * FROM hypotheticals ORDER BY begun_ms").fetchall()
    connection.close()
    return [{key: row[key] for key in row.keys() if key != "trade_id"} for row in rows]  # noqa: SIM118 -- a sqlite3.Row iterates over its values


def walked(made: dict[str, Any], bars: list[dict[str, str]]) -> tuple[str, Decimal] | None:
    """By hand, from the file: each bar's open is known when it begins, the rest when it ends."""
    stop, target = Decimal(made["stop"]), Decimal(made["target"])
    for bar in bars:
        at = int(bar["timestamp_ms"])
        if at < made["begun_ms"]:
            continue
        first = Decimal(bar["open"])
        if first <= stop:
            return "STOP", first
        if at <= made["ends_ms"] and first >= target:
            return "TARGET", target
        late = at >= made["ends_ms"]
        if not late and Decimal(bar["low"]) <= stop:
            return "STOP", stop
        if at + 60_000 <= made["ends_ms"] and Decimal(bar["high"]) >= target:
            return "TARGET", target
        if at + 60_000 >= made["ends_ms"]:
            return "HORIZON", min(first if late else Decimal(bar["close"]), target)
    return None


def test_what_expired_is_followed_against_a_walk_through_the_file(tmp_path: Path) -> None:
    recording = head_of_recording(tmp_path, ROWS)
    runs = []
    for seed in ("0", "4242"):
        db = tmp_path / f"{seed}.db"
        done = document(tmp_path, *RUN, "--speed", "max", "--db", str(db), "--replay", str(recording), hash_seed=seed)
        assert done["trades"]["EXPIRED"] >= 5
        runs.append(followed(db))
    assert runs[0] == runs[1]
    with recording.open(encoding="utf-8") as file:
        bars = list(csv.DictReader(file))
    endings = []
    for made in runs[0]:
        if made["state"] == "NOT_FILLED":
            assert made["result"] is None
            continue
        found = walked(made, bars)
        endings.append(made["state"])
        if found is None:
            assert made["state"] == "OPEN"
            continue
        assert (made["state"], Decimal(made["exit_price"])) == found
        quantity, entry = Decimal(made["quantity"]), Decimal(made["entry"])
        fees = sum((quantity * price * FEE).quantize(UNIT, ROUND_UP) for price in (entry, found[1]))
        assert Decimal(made["result"]) == quantity * (found[1] - entry) - fees
        assert made["value"] is not None
    assert {"STOP", "TARGET"} <= set(endings)


def test_a_session_stopped_half_way_goes_on_following(tmp_path: Path) -> None:
    recording = head_of_recording(tmp_path, ROWS)
    whole, db = tmp_path / "whole.db", tmp_path / "a.db"
    document(tmp_path, *RUN, "--speed", "max", "--db", str(whole), "--replay", str(recording))
    slow = [sys.executable, "-m", "app", *RUN, "--speed", "20000", "--db", str(db), "--replay", str(recording)]
    process = subprocess.Popen(slow, cwd=ROOT, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    while process.poll() is None:
        try:
            if any(row["state"] == "OPEN" for row in followed(db)):
                break
        except sqlite3.Error:
            continue
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    document(tmp_path, *RUN, "--speed", "max", "--db", str(db), "--replay", str(recording))
    there = {(row["begun_ms"], row["entry"]): row for row in followed(db)}
    common = [
        (row, there[row["begun_ms"], row["entry"]])
        for row in followed(whole)
        if (row["begun_ms"], row["entry"]) in there
    ]
    assert len(common) >= 5
    assert all(one == two for one, two in common)
