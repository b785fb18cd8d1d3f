"""Which database a command looks at: another profile's is refused or said, and what was named wrongly is bad input."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from storage.database import open_for_trading
from tests.cli.harness import COMMAND, Cli, write_candles
from tests.unit.cli.conftest import Call
from tests.unit.storage.test_database import foreign

READERS = (
    "status", "positions", "orders", "pnl", "risk", "errors", "alerts", "journal", "journal verify", "health",
    "modules", "proposals", "confirm abcd", "decline abcd", "backup copy.db", "errors ack 1", "stop", "doctor",
)  # fmt: skip


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A database of a profile that this version can not trade on, but a later one will."""
    open_for_trading(tmp_path / "live.db", "live").close()
    return tmp_path / "live.db"


@pytest.mark.parametrize("command", READERS)
def test_a_profile_that_was_named_must_be_the_database_s(
    call: Call, live: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = call(*command.split(), "--db", live, "--profile", "paper")
    assert (result.code, result.out) == (3, ""), result
    assert "live.db belongs to profile 'live', not 'paper'" in result.err
    monkeypatch.setenv("COUNTERSIGN_PROFILE", "paper")
    assert call(*command.split(), "--db", live).code == 3


@pytest.mark.parametrize("command", ["status", "positions", "pnl", "risk", "journal", "orders --json"])
def test_without_a_name_another_profile_is_said(call: Call, live: Path, tmp_path: Path, command: str) -> None:
    result = call(*command.split(), "--db", live)
    assert result.code == 0
    assert result.err == f"countersign: {live} belongs to profile 'live'\n"
    open_for_trading(tmp_path / "a.db", "paper").close()
    assert call(*command.split(), "--db", tmp_path / "a.db").err == ""


def test_an_emergency_waits_for_no_profile(call: Call, live: Path) -> None:
    assert "in force" in call("stop", "--emergency", "--db", live, "--profile", "paper").err
    assert live.with_name("live.db.stop").exists()


def test_a_session_on_another_profile_s_database_is_refused_by_a_rule(call: Call, live: Path, tmp_path: Path) -> None:
    data = write_candles(tmp_path / "paper_AAA-USDT_1m.csv", 3)
    result = call("run", "--headless", "--db", live, "--replay", data)
    assert result.code == 3
    assert "belongs to profile 'live'" in result.err


@pytest.mark.parametrize("kind", ["missing", "junk", "foreign", "folder"])
@pytest.mark.parametrize("command", ["status", "journal verify", "backup copy.db", "health", "errors ack 1"])
def test_a_wrong_file_is_bad_input_where_it_was_named(call: Call, tmp_path: Path, kind: str, command: str) -> None:
    path = tmp_path / "data" / "countersign" / "paper.db"
    path.parent.mkdir(parents=True)
    if kind == "junk":
        path.write_bytes(b"junk" * 3000)
    elif kind == "folder":
        path.mkdir()
    elif kind == "foreign":
        foreign(path)
    result = call(*command.split(), "--db", path)
    assert result.code == 2, result
    assert "paper.db" in result.err
    assert call(*command.split()).code == 1, "nobody named it: something is wrong here, and no input was"


def test_the_name_of_a_secret_is_input(call: Call) -> None:
    for action in ("set", "rm", "rotate"):
        assert call("secrets", action, "../x").code == 2


def test_settings_on_a_full_disk(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "home")
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 0; exec {COMMAND} config set risk.position 5"],
        env=cli.env(), capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1, done
    assert "The old settings are untouched" in done.stderr
    assert not list((cli.home / "config" / "countersign").iterdir())


def test_settings_where_nothing_can_be_written(call: Call, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "config", ignore_errors=True)
    (tmp_path / "config").write_text("a file", encoding="utf-8")
    result = call("config", "set", "risk.position", "5")
    assert result.code == 1
    assert "--config" in result.err
    assert "--db" not in result.err
