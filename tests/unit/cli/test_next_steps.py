"""What an error says to do next is a sentence of its own, and something that helps."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from storage.database import open_for_trading
from tests.unit.cli.conftest import Call


def test_a_wrong_setting_and_what_to_do_are_two_sentences(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[risk]\nopen_positions = 5000\n", encoding="utf-8")
    shown = call("config", "show", "--config", file)
    assert shown.code == 2
    assert "0 to 1000. Correct this and run `countersign config check`." in shown.err
    checked = call("config", "check", "--config", file)
    assert checked.code == 2
    assert "0 to 1000. Correct this and check again." in checked.err
    assert "config check`" not in checked.err, "it is running"


def test_a_folder_that_is_gone(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_for_trading(tmp_path / "a.db", "paper").close()
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    shutil.rmtree(gone)
    try:
        for command in ("run --headless --for 1", "status", "config set risk.position 5"):
            result = call(*command.split(), "--db", "x.db")
            if command.startswith("config"):
                assert "folder that this command was started in was deleted" in result.err
                continue
            assert result.code == 2, result
            assert "x.db can not be found: the folder that this command was started in was deleted" in result.err
        result = call("backup", "copy.db", "--db", tmp_path / "a.db")
        assert (result.code, "copy.db can not be found" in result.err) == (2, True)
        assert call("status", "--db", tmp_path / "a.db").code == 0
    finally:
        os.chdir(tmp_path)


def test_another_seed_is_named(call: Call, tmp_path: Path) -> None:
    run = ("run", "--headless", "--for", "0.1", "--db", tmp_path / "a.db")
    assert call(*run, "--seed", "8").code == 0
    result = call(*run, "--seed", "9")
    assert result.code == 3
    assert "with seed 8, not 9. Nothing was changed. Use --seed 8" in result.err
    bars = call(*run, "--seed", "8", "--set", "market.timeframe=5m")
    assert bars.code == 3
    assert "other bars than 5m" in bars.err
    assert call(*run, "--seed", "8").code == 0
