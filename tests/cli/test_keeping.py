"""Settings, secrets, modules, backup and restore, by command."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

from tests.cli.harness import Cli, until
from tests.cli.test_lifecycle import rows


def test_config_set_asks_before_it_loosens_a_limit(cli: Cli) -> None:
    file = cli.home / "config" / "countersign" / "config.toml"
    tighter = cli("config", "set", "risk.position", "5", "--json")
    assert tighter.code == 0
    assert (tighter.document["old"], tighter.document["new"]) == ("10", "5")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    for typed in ("", "\n", "loosen\n", "LOOSEN it\n"):
        refused = cli.refused(
            "config", "set", "risk.position", "500", "--json", stdin=typed, code=3, says="Nothing was"
        )
        assert "5 -> 500 loosens a limit" in refused.err
    assert file.read_bytes() == content
    assert cli("config", "set", "risk.position", "500", stdin="LOOSEN\n").code == 0
    shown = cli("config", "show", "risk.position", "--json").document["settings"]["risk.position"]
    assert shown == {"value": "500", "source": str(file)}
    cli.refused("config", "set", "risk.position", "-5", stdin="LOOSEN\n", code=2, says="risk.position")
    cli.refused("config", "set", "risk.postion", "5", stdin="LOOSEN\n", code=2, says="risk.position")
    cli.refused("config", "set", "signer.api_key", "hunter2", code=2, says="secret")


def test_config_check_names_every_problem(cli: Cli) -> None:
    file = cli.home / "bad.toml"
    file.write_text('[risk]\nposition = 10\npostion = "3"\n[log]\nlevel = "loud"\n', encoding="utf-8")
    result = cli.refused("config", "check", "--config", file, "--json", code=2, says="bad.toml")
    for word in ("risk.position", "risk.postion", "log.level", "loud"):
        assert word in result.err
    assert cli("config", "check", "--json").document["valid"] is True
    every = cli("config", "--json").document["settings"]
    assert every["risk.position"] == {"value": "10", "source": "default"}
    flag = cli("config", "show", "risk", "--json", env=cli.env(COUNTERSIGN_RISK__POSITION="3")).document["settings"]
    assert flag["risk.position"] == {"value": "3", "source": "environment COUNTERSIGN_RISK__POSITION"}


def test_a_change_of_the_settings_is_journaled_at_the_next_start(cli: Cli) -> None:
    cli.replay(bars=5)
    assert cli("config", "set", "risk.position", "5").code == 0
    cli.replay(bars=5)
    (change,) = rows(
        cli.db, "SELECT key, old, new, source FROM config_changes WHERE key = 'risk.position' AND old <> ''"
    )
    assert change[:3] == ("risk.position", "10", "5")
    assert change[3].endswith("config.toml")


def test_secrets_without_a_keyring_are_refused_before_the_value_is_asked_for(cli: Cli) -> None:
    env = cli.env(DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent", DISPLAY=None)
    for arguments in (("set", "kraken.api"), ("rotate", "kraken.api"), ("rm", "kraken.api"), ("list",)):
        result = cli("secrets", *arguments, "--json", stdin="hunter2\n", env=env)
        assert result.code == 3, result
        assert "hunter2" not in result.out + result.err
        assert result.document["code"].startswith("secrets.")
        assert "Value of" not in result.err
    null = cli.env(PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")
    result = cli.refused(
        "secrets", "set", "kraken.api", stdin="hunter2\n", env=null, code=3, says="keyring.backends.null"
    )
    assert "hunter2" not in result.err
    for path in cli.home.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path


def test_modules_tells_what_is_there_and_what_is_on(cli: Cli) -> None:
    listed = {row["name"]: row for row in cli("modules", "--json").document["modules"]}
    assert listed["momentum"]["enabled"] is True
    assert listed["momentum"]["allocation"] == "1000"
    assert (listed["probe"]["enabled"], listed["probe"]["unavailable"]) == (False, "")
    broken = cli.plugins / "broken-1.0.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n", encoding="utf-8")
    points = "[countersign.modules]\nabsent = nowhere:SPEC\nother = countersign_probe:SPEC\n"
    (broken / "entry_points.txt").write_text(points, encoding="utf-8")
    result = cli("modules", "--json")
    assert result.code == 0
    listed = {row["name"]: row for row in result.document["modules"]}
    assert "nowhere" in listed["absent"]["unavailable"]
    assert "probe" in listed["other"]["unavailable"]
    assert not listed["probe"]["unavailable"]
    assert "unavailable" in cli("modules").out
    more = ("--set", "modules.absent.enabled=true", "--set", "modules.absent.allocation=5")
    assert cli.replay(*more).code == 0
    (alert,) = cli("alerts", "--db", cli.db, "--json").document["alerts"]
    assert (alert["kind"], alert["subject"]) == ("module.unavailable", "absent")
    assert "nowhere" in alert["text"]


def test_backup_and_restore_beside_and_after_a_trader(cli: Cli) -> None:
    trader = cli.trader("--auto-confirm")
    until(lambda: rows(cli.db, "SELECT count(*) FROM fills") > [(2,)], "it trades")
    copy = cli.home / "copy.db"
    document = cli("backup", copy, "--db", cli.db, "--json").document
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert rows(copy, "SELECT max(seq) FROM journal") == [(document["journal_rows"],)]
    assert cli("journal", "verify", "--db", copy).code == 0, "a copy of a running database is whole"
    cli.refused("backup", copy, "--db", cli.db, code=1, says="exists")
    cli.refused("backup", cli.home / "no" / "where.db", "--db", cli.db, code=1, says="where.db")
    cli.refused("restore", copy, "--db", cli.db, code=3, says=f"pid {trader.pid}")
    trader.signal(signal.SIGTERM)
    assert trader.wait().code == 0
    final = rows(cli.db, "SELECT max(seq) FROM journal")
    for bad in (cli.home / "absent", cli.plugins, cli.plugins / "countersign_probe.py"):
        cli.refused("restore", bad, "--db", cli.db, code=2, says=bad.name)
    cli.refused("restore", cli.db, "--db", cli.db, code=2, says="the database itself")
    assert rows(cli.db, "SELECT max(seq) FROM journal") == final
    restored = cli("restore", copy, "--db", cli.db, "--json").document
    assert restored["database"] == str(cli.db)
    assert rows(cli.db, "SELECT max(seq) FROM journal") == [(document["journal_rows"],)]
    assert rows(Path(restored["former"]), "SELECT max(seq) FROM journal") == final, "the former database is kept"
    assert cli("journal", "verify", "--db", cli.db).code == 0


def test_after_a_restore_the_next_session_is_compared_with_the_venue_first(cli: Cli) -> None:
    """The venue went on after the backup: its record differs, and nothing new is traded on that."""
    copy = cli.home / "early.db"
    first = cli.trader("--auto-confirm")
    until(lambda: rows(cli.db, "SELECT count(*) FROM fills") > [(0,)], "it trades")
    assert cli("backup", copy, "--db", cli.db).code == 0
    until(
        lambda: rows(cli.db, "SELECT count(*) FROM fills") > rows(copy, "SELECT count(*) + 1 FROM fills"), "it goes on"
    )
    first.signal(signal.SIGTERM)
    first.wait()
    assert cli("restore", copy, "--db", cli.db).code == 0
    venue, bought = cli.home / "a.venue.db", "SELECT count(*) FROM orders WHERE request LIKE '%\"buy\"%'"
    before = rows(venue, bought)
    assert before > [(0,)]
    second = cli.trader("--auto-confirm")
    status = cli("status", "--db", cli.db, "--json").document
    assert "differ" in status["trader"]["halted"]
    assert cli("health", "--ready", "--db", cli.db).code == 1
    second.signal(signal.SIGTERM)
    assert second.wait().code == 0
    alerts = cli("alerts", "--db", cli.db, "--json").document["alerts"]
    assert any(alert["kind"] == "reconcile" for alert in alerts)
    assert rows(venue, bought) == before


def test_doctor_says_what_is_wrong(cli: Cli) -> None:
    cli.replay(bars=3)
    good = cli("doctor", "--db", cli.db, "--json").document
    names = {check["name"]: check["state"] for check in good["checks"]}
    assert names["database"] == names["clock"] == names["settings"] == names["SQLite"] == "ok"
    assert names["keyring"] == "warn", "no keyring here, and paper trading needs none"
    content = bytearray(cli.db.read_bytes())
    content[5000:9000] = b"\xaa" * 4000
    cli.db.write_bytes(content)
    broken = cli("doctor", "--db", cli.db, "--json")
    assert broken.code == 1
    assert {check["name"]: check["state"] for check in broken.document["checks"]}["database"] == "FAIL"
