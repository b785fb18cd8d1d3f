"""What `config` and `doctor` accept of a module, a session does not refuse: the same judge, the same words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.harness import write_candles
from tests.unit.cli.conftest import Call

WRONG = {
    "no such parameter": ({"modules.momentum.params.nope": "3"}, "params.nope = 3: is not a parameter"),
    "a word for a number": ({"modules.momentum.params.fast_bars": "many"}, "modules.momentum.params.fast_bars"),
    "parameters that contradict": ({"modules.momentum.params.fast_bars": "500"}, "fast_bars"),
    "more than the capital": (
        {"modules.momentum.allocation": "9500"},
        "the enabled modules (mean_reversion, momentum) have 10500 together, more than 10000",
    ),
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The settings file."""
    return tmp_path / "config" / "countersign" / "config.toml"


def write(file: Path, settings: dict[str, str]) -> None:
    """`settings` as a file."""
    file.parent.mkdir(parents=True)
    bare = {key for key, value in settings.items() if value == "true" or ("params" in key and value.isdecimal())}
    words = (f"{key} = {value}" if key in bare else f'{key} = "{value}"' for key, value in settings.items())
    file.write_text("\n".join(words) + "\n", encoding="utf-8")


@pytest.mark.parametrize("name", WRONG)
def test_a_settings_file_that_a_session_would_refuse(call: Call, tmp_path: Path, file: Path, name: str) -> None:
    settings, says = WRONG[name]
    write(file, settings)
    checked = call("config", "check")
    assert (checked.code, checked.out) == (2, ""), checked
    assert says in checked.err
    data = write_candles(tmp_path / "paper_AAA-USDT_1m.csv", 3)
    run = call("run", "--headless", "--db", tmp_path / "a.db", "--replay", data)
    assert run.code == 2
    assert says in run.err
    doctor = call("doctor", "--json", "--db", tmp_path / "none.db")
    assert doctor.code == 1
    (settings_check,) = [check for check in doctor.document["checks"] if check["name"] == "settings"]
    assert settings_check["state"] == "FAIL"
    assert says in settings_check["detail"]


@pytest.mark.parametrize("name", WRONG)
def test_a_change_that_a_session_would_refuse_is_not_written(call: Call, file: Path, name: str) -> None:
    settings, says = WRONG[name]
    *before, last = settings.items()
    for key, value in before:
        assert call("config", "set", key, value, stdin="LOOSEN\n").code == 0
    content = file.read_bytes() if before else b""
    result = call("config", "set", *last, stdin="LOOSEN\n")
    assert (result.code, result.out) == (2, ""), result
    assert says in result.err
    assert "loosens" not in result.err, "nobody is asked to agree to what is refused anyway"
    assert (file.read_bytes() if file.exists() else b"") == content


def test_a_module_that_can_not_run_is_told_and_the_rest_trades(call: Call, tmp_path: Path, file: Path) -> None:
    write(file, {"modules.ghost.allocation": "5", "modules.ghost.enabled": "true"})
    says = "it is not installed; installed are: arbitrage, grid, liquidity, mean_reversion, momentum, new_pairs, whales"
    checked = call("config", "check")
    assert checked.code == 0
    assert f"modules.ghost is enabled and unavailable, so a session runs without it: {says}" in checked.err
    doctor = call("doctor", "--json", "--db", tmp_path / "none.db").document
    (settings_check,) = [check for check in doctor["checks"] if check["name"] == "settings"]
    assert (settings_check["state"], says in settings_check["detail"]) == ("warn", True)
    data, db = write_candles(tmp_path / "paper_AAA-USDT_1m.csv", 3), tmp_path / "a.db"
    assert call("run", "--headless", "--db", db, "--replay", data).code == 0
    (alert,) = call("alerts", "--json", "--db", db).document["alerts"]
    assert (alert["kind"], alert["severity"], alert["subject"]) == ("module.unavailable", "HIGH", "ghost")
    assert says in alert["text"]
    listed = {row["name"]: row for row in call("modules", "--json", "--db", db).document["modules"]}
    assert listed["ghost"]["unavailable"] == says
    assert "unavailable" in call("modules", "--db", db).out


def test_what_is_wrong_can_be_set_right(call: Call, file: Path) -> None:
    write(file, {"modules.ghost.allocation": "5", "modules.ghost.enabled": "true"})
    assert call("config", "set", "modules.ghost.enabled", "false").code == 0
    assert call("config", "check").code == 0


def test_bars_that_the_practice_market_can_not_make(call: Call, file: Path) -> None:
    result = call("config", "set", "market.timeframe", "7s")
    assert result.code == 2
    assert "The practice market can not make bars of 7000 ms" in result.err
    write(file, {"market.timeframe": "7s"})
    assert call("config", "check").code == 2
    assert "7000 ms" in call("run", "--headless", "--for", "0.1").err


def test_instruments_that_are_not_on_the_practice_market_are_said(call: Call) -> None:
    result = call("config", "set", "modules.momentum.instruments", "AAA-USDT,BBB-USDT")
    assert result.code == 0, "a recording may have them"
    for words in (result.err, call("config", "check").err, call("doctor").out):
        assert "the practice market has none of these" in words
    assert call("config", "set", "modules.momentum.instruments", "AAA-USDT,BTC-USDT").err == ""
