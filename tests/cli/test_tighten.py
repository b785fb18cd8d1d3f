"""`config set` beside a running trader: a tighter limit holds at once and is journaled; a looser one asks a word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replay.command import ROOT, countersign


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home with a running practice session."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "app", "run", "--headless", "--speed", "60", "--for", "60"]
    trader = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        while countersign(tmp_path, "health", "--live").returncode != 0:
            assert trader.poll() is None, "the session ended before it answered"
        yield tmp_path
    finally:
        trader.terminate()
        trader.wait()


def test_a_tighter_limit_holds_at_once_and_is_journaled(home: Path) -> None:
    done = json.loads(countersign(home, "config", "set", "risk.position", "5", "--json").stdout)
    assert done["in_force"] is True
    rows = json.loads(countersign(home, "journal", "show", "--json").stdout)["rows"]
    kinds = [row["kind"] for row in rows]
    assert kinds.count("config.changed") == 2, "the first is the session's own; the market may have spoken since"
    assert json.loads(countersign(home, "journal", "verify", "--json").stdout)["ok"] is True


def test_what_does_not_tighten_waits_for_the_next_start(home: Path) -> None:
    done = json.loads(countersign(home, "config", "set", "sizing.fixed", "7", "--json").stdout)
    assert done["in_force"] is False


def test_a_looser_limit_needs_the_typed_word(home: Path) -> None:
    refused = countersign(home, "config", "set", "risk.position", "500")
    assert refused.returncode == 3
    assert "Nothing was changed" in refused.stderr


def test_risk_through_the_running_trader_shows_the_tightened_limit(home: Path) -> None:
    def position() -> dict[str, str]:
        shown = json.loads(countersign(home, "risk", "--json").stdout)
        assert (shown["schema"], shown["running"], shown["level"]) == ("countersign.risk/1", True, "normal")
        (found,) = [limit for limit in shown["limits"] if limit["name"] == "asset_exposure"]
        return dict(found)

    assert position()["limit"] == "20"
    countersign(home, "config", "set", "risk.asset_exposure", "7")
    assert position()["limit"] == "7"
    words = countersign(home, "risk").stdout
    assert "largest asset" in words
    assert "BTC-USDT" in words
