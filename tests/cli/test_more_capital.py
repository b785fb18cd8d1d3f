"""Capital is a limit: whichever way it becomes more, the trader types the word."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.tree import is_tightening
from app.errors import UsageError
from app.module_commands import _amount
from app.settings_change import consider
from tests.cli.harness import Cli
from tests.cli.test_modules import end, session, settings


@pytest.mark.parametrize(("text", "loosens"), [("100.01", True), ("1000000000", True), ("99", False), ("100", False)])
def test_more_capital_for_trades_by_hand_is_looser(tmp_path: Path, text: str, loosens: bool) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("")
    assert consider(file, "manual.allocation", text).loosens is loosens


def test_more_for_the_hand_needs_the_word(cli: Cli) -> None:
    config = settings(cli)
    kept = cli("config", "set", "manual.allocation", "100000", "--config", config, stdin="\n")
    assert kept.code == 3, kept
    assert "manual" not in config.read_text()


def test_what_a_variable_covers_up_is_no_reason_to_write_more_without_the_word(cli: Cli) -> None:
    """It may be gone at the next start, and the file holds then."""
    config = settings(cli)
    config.write_text(config.read_text().replace('"1000"', '"10"'))
    env = cli.env(COUNTERSIGN_MODULES__PROBE__ALLOCATION="5000")
    mine = ("--db", cli.db, "--config", config)
    kept = cli("modules", "allocate", "probe", "500", *mine, stdin="\n", env=env)
    assert kept.code == 3, kept
    assert 'allocation = "10"' in config.read_text()
    running = session(cli, "--config", config, "--set", "modules.probe.allocation=5000")
    kept = cli("modules", "allocate", "probe", "500", *mine, stdin="\n")
    assert kept.code == 3, kept
    assert 'allocation = "10"' in config.read_text()
    less = cli("modules", "allocate", "probe", "10", *mine)
    assert less.code == 0, less
    end(running)


@pytest.mark.parametrize(("old", "new"), [("1", "2"), ("2", "1")])
def test_a_rate_is_looser_whichever_way_it_goes(old: str, new: str) -> None:
    assert is_tightening(old, new, "risk.rates.USDT") is False


@pytest.mark.parametrize("text", ["-1", "-0.01", "NaN", "1e3", "", None, 5])
def test_less_than_nothing_is_no_capital(text: object) -> None:
    with pytest.raises(UsageError, match="quoted text from 0 up"):
        _amount(text)
    assert _amount("0") == 0
