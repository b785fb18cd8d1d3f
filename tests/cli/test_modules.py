"""``modules``: what a trader may do with modules, beside a running session and without one."""

from __future__ import annotations

import json
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.cli.harness import Cli, until

OFF = ("momentum", "mean_reversion")


def listed(cli: Cli) -> dict[str, Any]:
    result = cli("modules", "--db", cli.db, "--json")
    assert result.code == 0, result
    return {row["name"]: row for row in result.document["modules"]}


def settings(cli: Cli, text: str = "") -> Path:
    """The settings file with the probe on: what a command writes there counts."""
    tables = [f"[modules.{name}]\nenabled = false\n" for name in OFF]
    file = cli.home / "settings.toml"
    file.write_text(text or "".join(tables) + '[modules.probe]\nenabled = true\nallocation = "1000"\n')
    return file


def session(cli: Cli, *more: str | Path) -> Any:
    """A session whose modules come from the settings file."""
    running = cli.start(
        "run", "--headless", "--json", "--db", cli.db, "--replay", cli.market, "--speed", "20", *more,
        "--set", "risk.cool_down_min=0", "--set", "trade.proposal_expiry_ms=86400000",
        "--set", "trade.authorisation_validity_ms=86400000",
    )  # fmt: skip
    until(lambda: cli.socket.exists() or running.ended, "the trader takes commands")
    assert not running.ended, running.wait()
    return running


def end(running: Any) -> None:
    running.signal(signal.SIGTERM)
    assert running.wait().code == 0


def test_pause_and_resume_beside_a_running_session(cli: Cli) -> None:
    running = cli.trader()
    cli.waiting()
    done = cli("modules", "pause", "probe", "--db", cli.db)
    assert done.code == 0, done
    assert "probe is paused. Exits: nobody needs to: it holds nothing." in done.out
    until(lambda: not cli("proposals", "--db", cli.db, "--json").document["proposals"], "they are withdrawn")
    assert (listed(cli)["probe"]["state"], listed(cli)["probe"]["reason"]) == ("paused", "paused by the trader")
    status = cli("status", "--db", cli.db)
    assert "module      probe paused" in status.out
    assert cli("health", "--ready", "--db", cli.db).code == 0, "a pause is no fault"
    until(lambda: listed(cli)["probe"]["skipped"].get("paused", 0) > 1, "opinions become nothing")
    again = cli("modules", "pause", "probe", "--db", cli.db, "--json").document
    assert (again["modules"], again["at_next_start"]) == (["probe"], False)
    assert cli("modules", "resume", "--all", "--db", cli.db, "--json").document["modules"] == ["probe"]
    cli.waiting()
    end(running)
    assert cli("journal", "verify", "--db", cli.db).code == 0


def test_a_pause_without_a_session_holds_at_the_next_start(cli: Cli) -> None:
    config = settings(cli)
    end(session(cli, "--config", config))
    done = cli("modules", "pause", "probe", "--db", cli.db, "--config", config)
    assert done.code == 0, done
    assert "probe: paused from the next start; no trader runs." in done.out
    assert listed(cli)["probe"]["state"] == "paused"
    assert cli("journal", "verify", "--db", cli.db).code == 0
    running = session(cli, "--config", config)
    assert listed(cli)["probe"]["state"] == "paused"
    end(running)
    assert cli("modules", "resume", "--all", "--db", cli.db, "--config", config).code == 0
    running = session(cli, "--config", config)
    until(lambda: listed(cli)["probe"]["state"] == "running", "it runs again")
    end(running)


def test_on_off_and_capital_beside_a_running_session(cli: Cli) -> None:
    config = settings(cli)
    running = session(cli, "--config", config)
    off = cli("modules", "disable", "probe", "--db", cli.db, "--config", config)
    assert off.code == 0, off
    assert "modules.probe.enabled = false. It holds now." in off.out
    assert listed(cli)["probe"]["state"] == "stopped"
    assert "enabled = false" in config.read_text().split("[modules.probe]")[1]
    less = cli("modules", "allocate", "probe", "500", "--db", cli.db, "--config", config)
    assert less.code == 0, less
    on = cli("modules", "enable", "probe", "--db", cli.db, "--config", config)
    assert on.code == 0, on
    assert "it is a third party's code and runs with your full rights" in on.err
    until(lambda: listed(cli)["probe"]["state"] == "running", "it runs again")
    assert listed(cli)["probe"]["allocation"] == "500"
    kept = cli("modules", "allocate", "probe", "900", "--db", cli.db, "--config", config, stdin="no\n")
    assert kept.code == 3
    assert "Type LOOSEN" in kept.err
    more = cli("modules", "allocate", "probe", "900", "--db", cli.db, "--config", config, "--json", stdin="LOOSEN\n")
    assert more.code == 0, more
    assert more.document["value"] == "900"
    too = cli("modules", "allocate", "probe", "10000.01", "--db", cli.db, "--config", config, stdin="LOOSEN\n")
    assert too.code == 3
    assert "would have 10000.01 together; capital.total is 10000" in too.err
    assert 'allocation = "900"' in config.read_text()
    end(running)
    assert cli("journal", "verify", "--db", cli.db).code == 0
    with sqlite3.connect(cli.db) as data:
        changed = data.execute("SELECT key, new FROM config_changes ORDER BY rowid DESC LIMIT 1").fetchone()
        told = data.execute("SELECT body FROM journal WHERE kind = 'module.stopped'").fetchone()
    data.close()
    assert changed == ("modules.probe.allocation", "900")
    ((_, name, old, new, who, why),) = json.loads(told[0])["set"]
    assert (name, old, new, who, why) == ("probe", "running", "stopped", "trader", "switched off by the trader")


def test_on_off_and_capital_without_a_session(cli: Cli) -> None:
    config = settings(cli, "[log]\nlevel = 'info'\n")
    mine = ("--db", cli.db, "--config", config)
    cli.refused("modules", "enable", "probe", *mine, code=2, says="an enabled module needs capital")
    assert cli("modules", "allocate", "probe", "50", *mine, stdin="LOOSEN\n").code == 0
    on = cli("modules", "enable", "probe", *mine, "--json")
    assert (on.code, on.document["at_next_start"]) == (0, True)
    assert "full rights" in on.err
    cli.refused(
        "modules", "allocate", "momentum", "9000", *mine, stdin="LOOSEN\n", code=2, says="more than 10000"
    )  # fmt: skip
    assert cli("modules", "disable", "momentum", *mine).code == 0
    found = {row["name"]: row for row in cli("modules", *mine, "--json").document["modules"]}
    assert (found["probe"]["enabled"], found["probe"]["allocation"]) == (True, "50")
    assert found["momentum"]["enabled"] is False
    assert "(third party)" in cli("modules", *mine).out


@pytest.mark.parametrize(
    "words",
    [
        ("pause",),
        ("pause", "a", "--all"),
        ("pause", "a", "5"),
        ("list", "a"),
        ("--all",),
        ("enable", "--all"),
        ("enable",),
        ("allocate", "momentum"),
        ("allocate", "5"),
        ("allocate", "momentum", "five"),
        ("allocate", "momentum", "1e99"),
        ("allocate", "ghost", "5"),
        ("enable", "ghost"),
        ("pause", "ghost"),
        ("sleep", "momentum"),
    ],
)
def test_wrong_words(cli: Cli, words: tuple[str, ...]) -> None:
    result = cli("modules", *words, "--db", cli.db, "--json", stdin="LOOSEN\n")
    assert result.code == 2, result


def test_a_pause_where_no_session_ever_was(cli: Cli) -> None:
    cli.refused("modules", "pause", "momentum", "--db", cli.db, code=2, says="There is no database")
