"""Names and words from outside reach the terminal written out: it obeys nothing of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli import streams
from tests.cli.harness import write_candles
from tests.unit.cli.conftest import Call

HOSTILE = "a\nEnded: fine.\x1b]0;owned\x07\x1b[31m\u202e\x9b2J"


def harmless(words: str) -> bool:
    """Nothing in it but what is seen."""
    return not set(words) & {"\x1b", "\x07", "\u202e", "\x9b", "\r"}


def test_names_of_files_in_a_session_s_lines(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / HOSTILE
    folder.mkdir()
    write_candles(folder / "paper_AAA-USDT_1m.csv", 5)
    result = call("run", "--headless", "--replay", folder, "--db", folder / "x.db")
    assert result.code == 0, result
    assert "PAPER replay" in result.err
    assert r"\x1b]0;owned\x07" in result.err
    assert harmless(result.err), ascii(result.err)
    assert "\nEnded: fine." not in result.err
    assert harmless(result.out), ascii(result.out)


@pytest.mark.parametrize("command", ["status", "health", "doctor", "pnl", "journal", "modules", "confirm abcd", "stop"])
def test_names_of_databases(call: Call, tmp_path: Path, command: str) -> None:
    folder = tmp_path / HOSTILE
    folder.mkdir()
    write_candles(folder / "paper_AAA-USDT_1m.csv", 5)
    assert call("run", "--headless", "--replay", folder, "--db", folder / "x.db").code == 0
    for name in ("x.db", "absent.db"):
        result = call(*command.split(), "--db", folder / name)
        assert harmless(result.err + result.out), ascii(result)


def test_words_on_several_lines_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    streams.tell("usage\n  \x1b[31mred")
    assert capsys.readouterr().err == "usage\n  \\x1b[31mred\n"
