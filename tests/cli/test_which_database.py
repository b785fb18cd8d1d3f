"""Which database a command means that names none: a trader that runs before one that has ended, and for the emergency
stop every trader that runs."""

from __future__ import annotations

from app import paths
from tests.cli.harness import Cli, until


def _running(cli: Cli, name: str) -> None:
    db = cli.home / name
    cli.start("run", "--headless", "--json", "--db", db, "--replay", cli.market, "--speed", "20")
    until(paths.socket_path(db).exists, f"{name} takes commands")


def test_a_replay_that_has_ended_does_not_hide_the_trader_that_runs(cli: Cli) -> None:
    _running(cli, "mine.db")
    cli.replay(bars=3)
    status = cli("status", "--json").document
    assert status["database"] == str(cli.home / "mine.db")
    result = cli("stop", "--emergency")
    assert f"Stopped {cli.home / 'mine.db'}" in result.out
    assert paths.stop_file(cli.home / "mine.db").exists()
    assert not paths.stop_file(cli.db).exists()


def test_the_emergency_stop_stops_every_trader_that_runs(cli: Cli) -> None:
    _running(cli, "one.db")
    _running(cli, "two.db")
    result = cli("stop", "--emergency", "--json")
    assert result.code == 0, result
    document = result.document
    assert document["database"] == str(cli.home / "two.db"), "the newest first"
    assert [each["database"] for each in document["others"]] == [str(cli.home / "one.db")]
    for name in ("one.db", "two.db"):
        assert paths.stop_file(cli.home / name).exists()
        assert cli("status", "--json", "--db", cli.home / name).document["stop_in_force"] is True


def test_one_that_is_named_is_stopped_alone(cli: Cli) -> None:
    _running(cli, "one.db")
    _running(cli, "two.db")
    result = cli("stop", "--emergency", "--json", "--db", cli.home / "one.db")
    assert (result.document["database"], result.document["others"]) == (str(cli.home / "one.db"), [])
    assert not paths.stop_file(cli.home / "two.db").exists()
