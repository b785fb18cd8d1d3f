"""How a run begins, ends and dies: signals, a second trader, another market, the end of the data, lost readers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app import paths
from tests.cli.harness import COMMAND, PROBE, Cli, Result, alive, checked, one_document, until, write_candles


def rows(db: Path, sql: str) -> list[Any]:
    """What a database says."""
    with sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True) as connection:
        found = connection.execute(sql).fetchall()
    connection.close()
    return found


def gone(pids: list[int]) -> None:
    """All of `pids` are soon gone."""
    until(lambda: not any(alive(pid) for pid in pids), f"{pids} are gone")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_a_signal_ends_the_run_in_order(cli: Cli, number: signal.Signals) -> None:
    trader = cli.trader()
    cli.waiting()
    (venue,) = trader.children()
    trader.signal(number)
    result = trader.wait()
    assert result.code == 0
    assert result.document["outcome"] == f"stopped by {number.name}"
    assert result.document["trades"]["EXPIRED"] >= 1, "what waited got no answer"
    gone([venue])
    assert not cli.socket.exists()
    ((wall_end, outcome),) = rows(cli.db, "SELECT wall_end_ms, outcome FROM runs")
    assert wall_end is not None
    assert outcome == f"stopped by {number.name}"
    status = cli("status", "--db", cli.db, "--json").document
    assert (status["running"], status["pid"], status["trader"]) == (False, None, None)
    assert cli("journal", "verify", "--db", cli.db).code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_session_opens(cli: Cli, number: signal.Signals) -> None:
    trader = cli.start("run", "--headless", "--json", "--db", cli.db, "--replay", cli.market, "--speed", "20")
    until(cli.db.with_name("a.db.lock").exists, "the lock is taken")
    trader.signal(number)
    result = trader.wait()
    assert result.code == 0, result
    assert result.document["outcome"] == f"stopped by {number.name}"
    assert not cli.socket.exists()
    again = cli("run", "--headless", "--json", "--db", cli.db, "--replay", cli.market, "--speed", "20", "--for", "0.2")
    assert again.document["outcome"] == "time is up"


def test_killed_leaves_no_venue_and_a_database_that_goes_on(cli: Cli) -> None:
    trader = cli.trader()
    cli.waiting()
    (venue,) = trader.children()
    trader.signal(signal.SIGKILL)
    assert trader.wait().code == -signal.SIGKILL
    gone([venue])
    assert cli.socket.exists(), "a dead trader could not remove it"
    assert cli("status", "--db", cli.db, "--json").document["running"] is False
    cli.refused("proposals", "--db", cli.db, code=2, says="No trader runs")
    again = cli.trader("--for", "1")
    assert again.wait().document["trades"]["EXPIRED"] >= 1, "what was not signed expired at the restart"
    assert cli("journal", "verify", "--db", cli.db).code == 0


def test_time_is_up(cli: Cli) -> None:
    result = cli("run", "--headless", "--json", "--db", cli.db, "--speed", "60", "--for", "0.3")
    assert result.code == 0
    assert result.document["outcome"] == "time is up"


def test_modules_as_they_stand(cli: Cli) -> None:
    trader = cli.trader()
    mine = ("modules", "--db", cli.db, "--json")
    until(lambda: state_of(cli(*mine), "probe") == ("running", ""), "the probe runs")
    assert state_of(cli(*mine), "momentum") == ("registered", "")
    trader.signal(signal.SIGTERM)
    assert trader.wait().code == 0
    assert state_of(cli(*mine), "probe") == ("", "")  # no trader, so nothing runs


def test_a_module_that_failed_is_named_until_the_next_start(cli: Cli) -> None:
    """Sixty bars, and every ninth fails it: it is restarted three times, and then no more."""
    assert cli.replay("--set", "modules.probe.params.fails_at=9").code == 0
    result = cli("modules", "--db", cli.db, "--json")
    words = "RuntimeError('the probe fails'); restarted too often, stays failed"
    assert state_of(result, "probe") == ("failed", words)
    assert "RuntimeError" in cli("modules", "--db", cli.db).out
    records = [json.loads(line) for line in log_of(cli).read_text().splitlines()]
    told = [record for record in records if record["event"] == "alert"]
    assert [record["kind"] for record in told] == ["module.failed"] * 4
    assert "the probe fails" in told[0]["text"]
    assert "It is started again in 1 s." in told[0]["text"]


def state_of(result: Result, module: str) -> tuple[str, str]:
    """State and reason of one module."""
    assert result.code == 0, result.err
    (row,) = [row for row in result.document["modules"] if row["name"] == module]
    return row["state"], row["reason"]


def log_of(cli: Cli) -> Path:
    """The structured log."""
    (path,) = cli.home.rglob("countersign.jsonl")
    return path


def test_a_session_that_may_not_trade_says_so_from_the_first_line_to_the_last(cli: Cli) -> None:
    """Here the ledger is behind the venue, as after the restore of an older backup."""
    assert cli.replay(bars=20).code == 0
    assert cli("backup", cli.home / "old.db", "--db", cli.db).code == 0
    data = write_candles(cli.home / "paper_AAA-USDT_1m.csv", 20)
    assert data.exists()
    with sqlite3.connect(cli.db.with_name("a.venue.db")) as venue:
        venue.execute("UPDATE balances SET amount = '1' WHERE asset = 'USDT'")
    venue.close()
    result = cli("run", "--headless", "--auto-confirm", "--db", cli.db, "--replay", data, *PROBE)
    assert result.code == 0
    assert "HALTED: no new trades: the venue and the ledger differ: USDT" in result.err
    assert "HALTED      the venue and the ledger differ" in result.out
    stopped = cli("stop", "--emergency", "--db", cli.db)
    assert stopped.code == 1
    assert "ATTENTION: the venue and the ledger differ" in stopped.out


def test_signals_that_became_no_trade_are_told_with_their_reason(cli: Cli) -> None:
    result = cli.replay(
        "--set", "market.instruments.AAA-USDT.lot=0.5", "--set", "market.instruments.AAA-USDT.tick=0.01"
    )
    assert result.code == 0, result.err
    assert result.document["skipped"]["probe"]["no room for one lot"] > 10


def test_full_speed_without_auto_confirm_says_that_nobody_can_answer(cli: Cli) -> None:
    data = write_candles(cli.home / "paper_AAA-USDT_1m.csv", 20)
    result = cli("run", "--headless", "--db", cli.db, "--replay", data, *PROBE)
    assert result.code == 0
    assert "nobody can answer" in result.err


def test_the_log_tells_the_session_from_its_opening_to_its_close(cli: Cli) -> None:
    assert cli.replay().code == 0
    records = [json.loads(line) for line in log_of(cli).read_text().splitlines()]
    events = [record["event"] for record in records]
    assert (events.count("session.opened"), events[-1]) == (1, "session.closed")
    assert records[-1]["outcome"] == "data ended"
    for expected in ("trade.reserved", "trade.prepared", "trade.confirmed", "trade.signed", "trade.submitted"):
        assert expected in events
    journal = cli("journal", "show", "--limit", "1000", "--db", cli.db, "--json").document["rows"]
    logged = [(record["seq"], record["event"]) for record in records if "seq" in record]
    assert logged == [(row["seq"], row["kind"]) for row in reversed(journal)]


def test_a_second_trader_is_refused_and_the_first_goes_on(cli: Cli) -> None:
    first = cli.trader()
    run = ("run", "--headless", "--json", "--replay", cli.market)
    second = cli.refused(*run, "--db", cli.db, code=3, says=f"pid {first.pid}")
    assert second.document["code"] == "storage.in_use"
    link = cli.home / "link.db"
    link.symlink_to(cli.db)
    cli.refused(*run, "--db", link, code=3, says="Another trader")
    cli.refused("restore", cli.home / "any", "--db", cli.db, code=3, says=f"pid {first.pid}")
    assert cli("status", "--db", cli.db, "--json").document["trader"]["halted"] == ""
    mode = cli.socket.stat()
    assert stat.S_ISSOCK(mode.st_mode)
    assert stat.S_IMODE(mode.st_mode) == 0o600
    for file in cli.home.glob("a.*"):
        assert stat.S_IMODE(file.lstat().st_mode) == 0o600, file


def test_another_market_on_one_database_is_refused(cli: Cli) -> None:
    cli.replay()
    before = rows(cli.db, "SELECT count(*), max(seq) FROM journal")
    other = write_candles(cli.home / "paper_AAA-USDT_1m_other.csv", 61)
    run = ("run", "--headless", "--auto-confirm", "--db", cli.db, "--json", *PROBE)
    assert cli.refused(*run, "--replay", other, code=3, says="another market source").document["code"] == "run.source"
    cli.refused(*run, "--speed", "60", code=3, says="another market source")
    assert rows(cli.db, "SELECT count(*), max(seq) FROM journal") == before


def test_a_finished_replay_says_the_same_again_and_sends_nothing(cli: Cli) -> None:
    first, venue = cli.replay(), cli.home / "a.venue.db"
    orders = rows(venue, "SELECT * FROM orders ORDER BY 1")
    second = cli.replay()
    assert second.code == 0
    keys = ("intents_sha256", "trades", "fills", "fees", "pnl", "balances", "open_positions", "position", "outcome")
    assert {key: second.document[key] for key in keys} == {key: first.document[key] for key in keys}
    assert first.document["fills"] > 0
    assert rows(venue, "SELECT * FROM orders ORDER BY 1") == orders


def test_a_folder_without_data_and_a_cut_gzip(cli: Cli) -> None:
    empty = cli.home / "empty"
    empty.mkdir()
    cli.refused("run", "--headless", "--db", cli.db, "--replay", empty, code=2, says="empty")
    whole = write_candles(cli.home / "paper_AAA-USDT_1m.csv.gz", 500)
    whole.write_bytes(whole.read_bytes()[:-200])
    cli.refused("run", "--headless", "--db", cli.db, "--replay", whole, code=2, says=whole.name)
    assert not cli.db.exists()


def test_auto_confirm_is_for_paper_only(cli: Cli) -> None:
    """The refusal must not depend on which way another profile is named."""
    for more in (("--profile", "live"), ("--set", "profile=live")):
        result = cli("run", "--headless", "--auto-confirm", *more)
        assert result.code == 3
        assert "Only the paper profile may confirm by itself" in result.err


def test_progress_to_a_reader_who_left_ends_nothing(cli: Cli) -> None:
    """The lines go to stderr from the middle of the pipeline: a broken pipe there must not end a trade's work."""
    quiet = cli.replay().document
    other = Cli(cli.home / "other")
    data = write_candles(other.home / "paper_AAA-USDT_1m.csv", 60)

    def run(on: Cli, stdout: int, stderr: int, *more: str) -> subprocess.CompletedProcess[str]:
        line: list[str | Path] = [
            COMMAND,
            "run",
            "--headless",
            "--auto-confirm",
            "--db",
            on.db,
            "--replay",
            data,
            *PROBE,
            *more,
        ]
        return subprocess.run(line, stdout=stdout, stderr=stderr, text=True, env=on.env(), check=False)

    reader, nobody = os.pipe()
    os.close(reader)
    done = run(other, subprocess.PIPE, nobody)
    checked(Result(done.returncode, done.stdout, ""))
    assert done.returncode == 0
    loud = other("pnl", "--db", other.db, "--json").document
    assert loud["by_asset"] == quiet["pnl"]
    assert loud["fills"] == quiet["fills"] > 0
    # And with nobody at stdout: everything is on disk, the exit code tells.
    third = Cli(cli.home / "third")
    broken = run(third, nobody, subprocess.PIPE, "--json")
    os.close(nobody)
    checked(Result(broken.returncode, "", broken.stderr))
    assert broken.returncode == 1
    assert third("pnl", "--db", third.db, "--json").document["by_asset"] == quiet["pnl"]


def test_the_progress_lines(cli: Cli) -> None:
    data = write_candles(cli.home / "paper_AAA-USDT_1m.csv", 60)
    result = cli("run", "--headless", "--auto-confirm", "--db", cli.db, "--replay", data, *PROBE)
    assert result.code == 0
    assert "PAPER replay" in result.err
    assert "filled" in result.err
    assert "net" in result.out


def test_no_socket_can_be_made(cli: Cli) -> None:
    """A folder in the socket's place: refused in words, everything closed again."""
    cli.socket.mkdir()
    result = cli("run", "--headless", "--json", "--db", cli.db, "--replay", cli.market, "--speed", "20")
    assert result.code == 1
    assert str(cli.socket) in result.err
    assert one_document(result.out)["code"] == "control.socket"


def test_a_database_whose_path_is_too_long_for_a_socket(cli: Cli) -> None:
    db = cli.home / ("d" * 60) / ("e" * 60) / "a.db"
    trader = cli.start("run", "--headless", "--json", "--db", db, "--replay", cli.market, "--speed", "20")
    until(lambda: paths.socket_path(db).exists() or trader.ended, "it takes commands")
    assert len(str(db)) > paths.SOCKET_PATH_BYTES
    assert cli("stop", "--db", db).code == 0
    assert trader.wait().document["outcome"] == "stopped by command"


def test_clock_set_back(cli: Cli) -> None:
    cli.replay()
    with sqlite3.connect(cli.db) as connection:
        connection.execute("UPDATE runs SET wall_start_ms = wall_start_ms + 3600000")
    connection.close()
    result = cli.replay()
    assert result.code == 3
    assert "system clock" in result.err
    doctor = cli("doctor", "--db", cli.db, "--json")
    assert doctor.code == 1
    assert {c["name"]: c["state"] for c in doctor.document["checks"]}["clock"] == "FAIL"


def test_nothing_listens_on_the_network(cli: Cli) -> None:
    trader = cli.trader()
    inodes = set()
    for link in [each for pid in (trader.pid, *trader.children()) for each in Path(f"/proc/{pid}/fd").iterdir()]:
        with contextlib.suppress(FileNotFoundError):  # closed since
            kind, _, inode = os.readlink(link).partition(":")
            if kind == "socket":
                inodes.add(inode.strip("[]"))
    assert inodes
    for table in ("tcp", "tcp6", "udp", "udp6"):
        lines = Path(f"/proc/{trader.pid}/net/{table}").read_text().splitlines()[1:]
        assert not inodes & {line.split()[9] for line in lines}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(cli.socket))
