"""The command line's contract: options, exit codes, one JSON document, words on stderr, never a traceback."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.cli.harness import COMMAND, Cli, Result, checked, one_document, shell, write_candles

READERS = ("status", "positions", "orders", "pnl", "risk", "errors", "alerts", "journal", "health")


def test_the_real_command_refuses_with_words_and_one_document(cli: Cli) -> None:
    cli.refused("orders", "--limit", "ten", code=2, says="--limit")
    cli.refused("orders", "--limit", "ten", "--json", code=2, says="--limit")
    cli.refused(code=2, says="no terminal")
    cli.refused("confirm", "abcd", "--db", cli.db, "--json", code=2, says="No trader runs")
    assert cli("--version", "--json").document["version"]
    assert "COMMAND" in cli("--help").out


@pytest.mark.parametrize("command", READERS)
def test_every_reader_gives_one_document_and_silence_on_stderr(finished: Cli, command: str) -> None:
    result = finished(command, "--json", "--db", finished.db)
    assert result.code == (1 if command == "health" else 0)
    assert result.err == ""
    assert result.document["schema"] == f"countersign.{command}/1"
    words = finished(command, "--db", finished.db)
    assert words.out
    assert words.err == ""


def test_global_options_before_and_after_the_command_and_from_the_environment(finished: Cli) -> None:
    expected = finished("status", "--db", finished.db, "--json").document
    assert expected["trades"]
    assert finished("--db", finished.db, "--json", "status").document == expected
    assert finished("--json", "status", "--db", finished.db).document == expected
    named = finished.env(COUNTERSIGN_DB=str(finished.db))
    assert finished("status", "--json", env=named).document == expected
    other = finished.env(COUNTERSIGN_DB=str(finished.home / "absent.db"))
    assert finished("status", "--json", "--db", finished.db, env=other).document == expected
    finished.refused("status", env=other, code=2, says="absent.db")
    # Without a name: the newest session's.
    assert finished("status", "--json").document == expected


def test_the_profile_and_the_settings_file_come_from_flag_or_environment(finished: Cli) -> None:
    file = finished.home / "mine.toml"
    file.write_text('[risk]\nposition = "7"\n', encoding="utf-8")
    for result in (
        finished("config", "show", "risk.position", "--json", "--config", file),
        finished("config", "show", "risk.position", "--json", env=finished.env(COUNTERSIGN_CONFIG=str(file))),
    ):
        shown = result.document["settings"]["risk.position"]
        assert shown == {"value": "7", "source": str(file)}
    finished.refused("status", env=finished.env(COUNTERSIGN_PROFILE="moon"), code=2, says="moon")
    # A profile that is named means its own database, not the newest session's.
    finished.refused("status", "--profile", "paper", code=1, says="paper.db")


def test_an_unknown_variable_is_an_error_and_names_the_near_one(cli: Cli) -> None:
    cli.refused("config", env=cli.env(COUNTERSIGN_RISK__POSITON="3"), code=2, says="COUNTERSIGN_RISK__POSITION")


def test_limit_and_offset_cut_the_same_list(finished: Cli) -> None:
    def rows(*more: str) -> list[object]:
        found: list[object] = finished("journal", "--db", finished.db, "--json", *more).document["rows"]
        return found

    everything = rows("--limit", "1000000")
    assert len(everything) > 20
    assert rows("--limit", "5", "--offset", "3") == everything[3:8]
    assert rows("--limit", "0") == []
    assert rows("--offset", "1000000") == []
    assert rows("--limit", "5") == everything[:5]


def test_a_run_tells_everything_a_script_needs(finished: Cli) -> None:
    document = finished("pnl", "--db", finished.db, "--json").document
    assert set(document) >= {"by_asset", "balances", "fills", "round_trips", "unknown_marks"}
    with_fills = finished("orders", "--db", finished.db, "--json").document["orders"]
    assert {row["role"] for row in with_fills} >= {"entry", "stop", "target"}
    assert all(isinstance(row["quantity"], str) for row in with_fills)


def test_the_documents_of_a_run(cli: Cli) -> None:
    document = cli.replay().document
    keys = {"intents_sha256", "trades", "fills", "fees", "pnl", "data_warnings", "journal_head", "outcome", "database"}
    assert keys <= set(document)
    assert document["fills"] > 0
    assert document["outcome"] == "data ended"


BAD = [
    (kind, command)
    for kind in ("missing", "junk", "empty", "truncated", "foreign", "folder", "near-foreign")
    for command in ("status", "journal verify", "run", "backup x.db")
    if (kind, command) not in {("missing", "run"), ("empty", "run")}  # a session makes its database
]


@pytest.mark.parametrize(("kind", "command"), BAD)
def test_a_database_that_is_none(finished: Cli, tmp_path: Path, kind: str, command: str) -> None:
    """Says which file and what is wrong with it, changes nothing, ends with 2: it was named by hand."""
    db = make_bad(tmp_path / "bad.db", kind, finished.db)
    before = db.read_bytes() if db.is_file() else None
    data = write_candles(tmp_path / "paper_AAA-USDT_1m.csv", 3)
    more: tuple[str | Path, ...] = ()
    if command == "run":
        more = ("--headless",) if kind == "near-foreign" else ("--headless", "--replay", data)
    result = finished(*command.split(), *more, "--db", db, "--json")
    assert result.code == 2, result
    assert "bad.db" in result.err
    assert result.document["schema"] == "countersign.error/1"
    assert (db.read_bytes() if db.is_file() else None) == before


def make_bad(path: Path, kind: str, good: Path) -> Path:
    """A file that is no usable database."""
    if kind == "junk":
        path.write_bytes(b"not a database at all\n" * 400)
    elif kind == "empty":
        path.touch()
    elif kind == "truncated":
        content = good.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    elif kind == "foreign":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE customers (name TEXT)")
        connection.close()
    elif kind == "near-foreign":  # another program with a table of the same name and other columns
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE meta (k TEXT, v TEXT)")
        connection.close()
    elif kind == "folder":
        path.mkdir()
    return path


def test_the_reader_of_our_output_leaves(finished: Cli) -> None:
    line = shell(["journal", "--limit", "1000", "--db", str(finished.db)])
    for reader in ("head -1", "true"):
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line} | {reader}"],
            capture_output=True, text=True, env=finished.env(), check=False, timeout=30,
        )  # fmt: skip
        checked(Result(done.returncode, done.stdout, done.stderr))
        assert done.stderr == ""


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full"])
@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("orders", "--limit", "x"), ("--help",)])
def test_closed_and_full_streams(finished: Cli, streams: str, arguments: tuple[str, ...]) -> None:
    line = shell([*arguments, "--db", str(finished.db)])
    done = subprocess.run(
        ["bash", "-c", f"{line} {streams}"], capture_output=True, text=True, env=finished.env(), check=False, timeout=30
    )
    checked(Result(done.returncode, done.stdout, done.stderr))
    if arguments[0] == "orders":
        expected = {2}
    elif streams == ">/dev/full":
        expected = {1} if arguments[0] == "status" else {0, 1}
    else:
        expected = {0}
    assert done.returncode in expected, done
    if streams == ">/dev/full" and arguments[0] == "status":
        assert "No space left" in done.stderr


@pytest.mark.parametrize("name", [b"\xff\xfe.db", "f\u00fcr \u202e.db".encode(), b"a\x1b[31m.db", b"x" * 300 + b".db"])
def test_hostile_file_names_are_shown_harmlessly(cli: Cli, name: bytes) -> None:
    path = os.fsencode(cli.home) + b"/" + name
    for locale in ("C.UTF-8", "POSIX"):
        result = cli("health", "--db", path, env=cli.env(LC_ALL=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"))
        assert result.code == 2
        assert "\x1b" not in result.err
        assert "\u202e" not in result.err
        assert cli("status", "--json", "--db", path).document["exit_code"] == 2


def test_folders_that_can_not_be_written(cli: Cli) -> None:
    data = write_candles(cli.home / "paper_AAA-USDT_1m.csv", 3)
    file = cli.home / "a-file"
    file.write_text("x", encoding="utf-8")
    run = ("run", "--headless", "--replay", data)
    below = str(file / "below")
    result = cli.refused(*run, env=cli.env(XDG_STATE_HOME=below), code=1, says=below)
    assert "--db" not in result.err, "another database would not help a log folder"
    cli.refused(*run, env=cli.env(XDG_DATA_HOME=below), code=1, says=below)
    for bad in ("/proc/nowhere", below):
        env = cli.env(XDG_DATA_HOME=bad, XDG_STATE_HOME=bad, XDG_CONFIG_HOME=bad)
        broken = cli("doctor", "--json", env=env)
        assert broken.code == 1
        assert any(check["state"] == "FAIL" for check in broken.document["checks"])
    # A named database needs no data folder; that it can not be remembered is said.
    named = cli(*run, "--db", cli.db, env=cli.env(XDG_DATA_HOME=below))
    assert named.code == 0
    assert f"--db {cli.db}" in named.err


def test_doctor_changes_nothing(cli: Cli) -> None:
    assert cli("doctor", "--json").document["ok"]
    assert {entry.name for entry in cli.home.iterdir()} == {"plugins"}


def test_a_run_that_is_refused_is_not_what_stop_means(finished: Cli) -> None:
    other = finished.home / "paper_BBB-USDT_1m.csv"
    junk = finished.home / "junk.db"
    junk.write_bytes(b"junk" * 1000)
    finished.refused("run", "--headless", "--replay", write_candles(other, 3), "--db", junk, code=2, says="junk.db")
    assert finished("status", "--json").document["database"] == str(finished.db)


def test_no_home(cli: Cli) -> None:
    env = cli.env(HOME=None, XDG_DATA_HOME=None, XDG_STATE_HOME=None, XDG_CONFIG_HOME=None)
    result = cli("status", "--db", cli.home / "absent.db", env=env)
    assert result.code == 2
    assert cli("config", "check", "--json", "--config", _settings(cli), env=env).code == 0


def _settings(cli: Cli) -> Path:
    file = cli.home / "empty.toml"
    file.touch()
    return file


def test_the_other_documents(finished: Cli) -> None:
    names = ("journal verify", "modules", "config", "config check", "doctor")
    for name in names:
        result = finished(*name.split(), "--db", finished.db, "--json")
        assert result.code == 0, result
        assert result.document["schema"] == f"countersign.{name.replace(' ', '-')}/1"


def test_the_command_is_installed() -> None:
    assert COMMAND.exists(), "pip install --no-deps -e ."
    one = subprocess.run([COMMAND, "--version", "--json"], capture_output=True, text=True, check=True)
    assert one_document(one.stdout) == json.loads(one.stdout)
