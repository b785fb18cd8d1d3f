"""Proposals of a running trader, answered from another terminal; and `stop` in its three forms."""

from __future__ import annotations

import os
import pty
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from app.cli.context import ask_trader
from tests.cli.harness import COMMAND, Cli, Running, alive, read_ready, until
from tests.cli.test_lifecycle import gone, rows


def state_of(db: Path, trade: str) -> str:
    """A trade's state on disk."""
    ((state,),) = rows(db, f"SELECT state FROM trades WHERE id = '{trade}'")
    return str(state)


def test_confirm_shows_the_text_and_only_s_confirms(cli: Cli) -> None:
    trader = cli.practice("--speed", "10")  # it takes a while until S, and the price goes on
    (proposal, *_) = cli.waiting()
    trade = proposal["id"]
    short = trade[:8]
    for typed in ("", "\n", "s\n", "S S\n", " S\n", "yes\n", "SS\n", "\x00\n", "\u017f\n"):
        result = cli.refused("confirm", short, "--db", cli.db, stdin=typed, code=3, says="Not confirmed")
        for line in proposal["text"].splitlines():
            assert f"    {line}\n" in result.err, "every line that will be signed is shown"
        assert "fee" in result.err
        assert "Proposed by probe" in result.err
    cli.refused("confirm", short, "--db", cli.db, "--json", stdin="\n", code=3, says="Not confirmed")
    assert state_of(cli.db, trade) == "PREPARED", "it still waits"
    assert trade in {each["id"] for each in cli.waiting()}
    document = cli("confirm", short, "--db", cli.db, "--json", stdin="S\n").document
    assert document == {"schema": "countersign.confirmed/1", "id": trade, "state": "FILLED", "sent": "yes"}
    until(lambda: state_of(cli.db, trade) == "FILLED", "it is signed and filled")
    ((text, signature),) = rows(cli.db, "SELECT text, signature FROM authorisations")
    assert text == proposal["text"], "what was read is what was signed"
    assert len(bytes.fromhex(signature)) == 65
    orders = cli("orders", "--db", cli.db, "--json").document["orders"]
    assert {order["role"]: order["state"] for order in orders} == {"entry": "FILLED", "stop": "OPEN", "target": "OPEN"}
    (position,) = cli("positions", "--db", cli.db, "--json").document["positions"]
    assert position["quantity"] == proposal["quantity"]
    says = f"Trade {short}: signed and sent, filled."
    for command in ("confirm", "decline"):
        late = cli.refused(command, short, "--db", cli.db, stdin="S\n", code=3, says=says)
        assert "Nothing was sent" not in late.err
    trader.signal(signal.SIGTERM)
    assert trader.wait().document["trades"]["FILLED"] == 1
    assert cli("journal", "verify", "--db", cli.db).code == 0


def test_decline_and_prefixes(cli: Cli) -> None:
    cli.trader()
    first, second = (each["id"] for each in cli.waiting(2))
    for command in ("confirm", "decline"):
        for prefix, says in (
            ("", "too short"),
            (first[:3], "too short"),
            ("zzzz", "No waiting trade"),
            ("?" * 99, "No"),
        ):
            cli.refused(command, prefix, "--db", cli.db, code=2, says=says, stdin="S\n")
    assert cli("decline", first[:4], "--db", cli.db, "--json").document["id"] == first
    until(lambda: state_of(cli.db, first) == "DECLINED", "it is declined")
    assert rows(cli.db, f"SELECT reason FROM trades WHERE id = '{first}'") == [("Declined by the trader.",)]
    assert state_of(cli.db, second) == "PREPARED"
    says = f"Trade {first[:8]} was declined: Declined by the trader. Nothing was sent."
    for command in ("confirm", "decline"):
        cli.refused(command, first, "--db", cli.db, code=3, says=says, stdin="S\n")
    assert cli("decline", second, "--db", cli.db).out == f"Declined {second[:8]}. Nothing was sent.\n"
    assert rows(cli.home / "a.venue.db", "SELECT count(*) FROM orders") == [(0,)]
    assert rows(cli.db, "SELECT count(*) FROM reservations WHERE state = 'OPEN' AND trade_id IN ('" + first + "')") == [
        (0,)
    ]


def test_at_a_terminal_what_was_typed_ahead_does_not_confirm(cli: Cli) -> None:
    cli.trader()
    (proposal, *_) = cli.waiting()
    keyboard, terminal = pty.openpty()
    os.write(keyboard, b"S\n")  # before the text could be read
    process = subprocess.Popen(
        [COMMAND, "confirm", proposal["id"], "--db", cli.db],
        stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=cli.env(), cwd=cli.home,
    )  # fmt: skip
    os.close(terminal)
    try:
        assert process.stderr is not None
        shown = b""
        while b"anything else leaves it waiting" not in shown:
            assert read_ready(process.stderr, 20), shown
            shown += os.read(process.stderr.fileno(), 65536)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.7)  # it waits for a key after the prompt
        assert state_of(cli.db, proposal["id"]) == "PREPARED"
        os.write(keyboard, b"S\n")
        assert process.wait(30) == 0
        until(lambda: state_of(cli.db, proposal["id"]) in {"SUBMITTED", "FILLED"}, "it is sent")
    finally:
        process.kill()
        process.communicate()
        os.close(keyboard)


def test_stop_ends_the_trader(cli: Cli) -> None:
    trader = cli.trader()
    assert cli("stop", "--db", cli.db, "--json").document == {"schema": "countersign.stop/1", "stopping": True}
    result = trader.wait()
    assert (result.code, result.document["outcome"]) == (0, "stopped by command")
    cli.refused("stop", "--db", cli.db, code=2, says="No trader runs")


def flag_of(cli: Cli) -> Path:
    """The emergency stop on disk."""
    return cli.home / "a.db.stop"


def filled(cli: Cli) -> str:
    """Confirm what waits first; returns its id once it is filled."""
    trade: str = cli.waiting()[0]["id"]
    assert cli("confirm", trade, "--db", cli.db, stdin="S\n").code == 0
    until(lambda: state_of(cli.db, trade) == "FILLED", "it is filled")
    return trade


def test_emergency_with_a_running_trader(cli: Cli) -> None:
    trader = cli.trader()
    filled(cli)
    waiting = cli.waiting()
    result = cli("stop", "--emergency", "--db", cli.db, "--json")
    assert result.code == 0
    assert result.document["kept_exits"] == 2
    assert result.document["unknown"] == []
    assert flag_of(cli).exists()
    until(lambda: state_of(cli.db, waiting[0]["id"]) == "CANCELLED", "what waited is dropped")
    exits = {o["role"]: o["state"] for o in cli("orders", "--db", cli.db, "--json").document["orders"]}
    assert exits["stop"] == exits["target"] == "OPEN", "protective exits stay"
    # While it is in force nothing new is taken, and everybody is told.
    assert cli("status", "--db", cli.db, "--json").document["stop_in_force"] is True
    health = cli("health", "--ready", "--db", cli.db, "--json")
    assert health.code == 1
    assert {c["name"]: c["passed"] for c in health.document["checks"]}["takes new trades"] is False
    assert cli("health", "--live", "--db", cli.db).code == 0
    denied = "SELECT count(*) FROM trades WHERE state = 'DENIED'"
    seen = rows(cli.db, denied)
    until(lambda: rows(cli.db, denied) > seen, "new intents are denied")
    assert cli("proposals", "--db", cli.db).out == "Nothing waits for you.\n"
    # Lifted by the typed word only, and the trader goes on.
    for typed in ("", "\n", "trade\n", "TRADE.\n"):
        cli.refused("stop", "--reset", "--db", cli.db, stdin=typed, code=3, says="stays in force")
    assert flag_of(cli).exists()
    assert cli("stop", "--reset", "--db", cli.db, "--json", stdin="TRADE\n").document["lifted"] is True
    assert not flag_of(cli).exists()
    assert cli("stop", "--reset", "--db", cli.db, "--json").document["lifted"] is False
    cli.waiting()
    kinds = [kind for (kind,) in rows(cli.db, "SELECT kind FROM journal WHERE kind LIKE 'stop.%' ORDER BY seq")]
    assert kinds == ["stop.emergency", "stop.lifted"]
    trader.signal(signal.SIGTERM)
    assert trader.wait().code == 0
    assert cli("journal", "verify", "--db", cli.db).code == 0


def test_emergency_flatten_sells_what_is_held(cli: Cli) -> None:
    cli.trader()
    filled(cli)
    result = cli("stop", "--emergency", "--flatten", "--db", cli.db, "--json")
    assert (result.code, len(result.document["flattened"])) == (0, 1)
    until(lambda: rows(cli.db, "SELECT count(*) FROM module_positions WHERE quantity <> '0'") == [(0,)], "nothing held")
    assert cli("positions", "--db", cli.db, "--json").document["positions"] == []
    assert rows(cli.home / "a.venue.db", "SELECT count(*) FROM orders WHERE state = 'OPEN'") == [(0,)]


def test_emergency_without_a_trader(cli: Cli) -> None:
    trader = cli.practice()
    filled(cli)
    trader.signal(signal.SIGKILL)
    trader.wait()
    result = cli("stop", "--emergency", "--db", cli.db, "--json")
    assert (result.code, result.document["kept_exits"], result.document["unknown"]) == (0, 2, [])
    assert flag_of(cli).exists()
    assert not [pid for pid in _venues(cli) if alive(pid)]
    # The paper venue has no market while no trader shows it one, so it sells nothing; that must not be called done.
    result = cli("stop", "--emergency", "--flatten", "--db", cli.db, "--json")
    assert (result.code, result.document["flattened"]) == (1, [])
    (position,) = cli("positions", "--db", cli.db, "--json").document["positions"]
    assert {each["role"] for each in position["exits"]} == {"stop", "target"}
    # `run` under the flag takes no new trade, however many are proposed.
    before = rows(cli.home / "a.venue.db", "SELECT count(*) FROM orders")
    running = cli.practice("--auto-confirm", "--for", "1.5")
    under_flag = running.wait()
    assert under_flag.code == 0, under_flag
    document = under_flag.document
    assert document["trades"]["DENIED"] > 0
    assert rows(cli.home / "a.venue.db", "SELECT count(*) FROM orders") == before
    # Lifted without a trader: journaled all the same, at market time, so that the next session starts.
    assert cli("stop", "--reset", "--db", cli.db, "--json", stdin="TRADE\n").document["lifted"] is True
    assert rows(cli.db, "SELECT kind FROM journal ORDER BY seq DESC LIMIT 1") == [("stop.lifted",)]
    assert cli("journal", "verify", "--db", cli.db).code == 0
    again = cli.practice("--auto-confirm", "--for", "1.5").wait()
    assert again.document["trades"]["FILLED"] > document["trades"].get("FILLED", 0)


def _venues(cli: Cli) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if b"app.practice" in line and os.fsencode(cli.home) in line:
            found.append(int(entry.name))
    return found


def test_emergency_before_there_is_anything(cli: Cli) -> None:
    result = cli("stop", "--emergency", "--db", cli.db, "--json")
    assert (result.code, result.document["kept_exits"]) == (0, 0)
    assert flag_of(cli).exists()
    assert not cli.db.exists()
    assert cli("stop", "--emergency", "--db", cli.home / "absent" / "a.db").code == 0
    assert (cli.home / "absent" / "a.db.stop").exists()
    (cli.home / "file").touch()
    nowhere = cli("stop", "--emergency", "--db", cli.home / "file" / "a.db")
    assert nowhere.code == 1
    assert "can not be made" in nowhere.err


def test_another_programs_database_is_not_said_to_be_stopped(cli: Cli) -> None:
    with sqlite3.connect(cli.home / "notes.db") as other:
        other.execute("CREATE TABLE notes (a)")
    other.close()
    cli.refused("stop", "--emergency", "--db", cli.home / "notes.db", code=2, says="another program")
    assert not (cli.home / "notes.db.stop").exists()


def test_a_clock_that_was_set_back_is_no_reason_not_to_stop(cli: Cli) -> None:
    assert cli.replay().code == 0
    with sqlite3.connect(cli.db) as connection:
        connection.execute("UPDATE runs SET wall_start_ms = wall_start_ms + 7200000")
    connection.close()
    assert cli("stop", "--emergency", "--db", cli.db).code == 0
    assert cli("stop", "--reset", "--db", cli.db, "--json", stdin="TRADE\n").document["lifted"] is True


def test_emergency_uses_the_session_s_own_settings(cli: Cli) -> None:
    """A settings file broken since then is no reason not to cancel, and other settings are not taken over."""
    cli.replay()
    before = rows(cli.db, "SELECT key, value FROM meta ORDER BY key")
    broken = cli.home / "broken.toml"
    broken.write_text("[risk\n", encoding="utf-8")
    result = cli("stop", "--emergency", "--db", cli.db, "--config", broken, "--json")
    assert (result.code, result.document["kept_exits"]) == (0, 2)
    assert rows(cli.db, "SELECT key, value FROM meta ORDER BY key") == before


def test_emergency_that_can_not_act_says_that_orders_may_be_open(cli: Cli) -> None:
    cli.replay()
    (cli.home / "a.venue.db").write_bytes(b"junk" * 2000)
    cli.refused("stop", "--emergency", "--db", cli.db, code=1, says="Orders may still be open at the venue")
    assert flag_of(cli).exists()


def test_emergency_with_a_trader_that_hangs(cli: Cli) -> None:
    trader = cli.trader()
    cli.waiting()
    trader.signal(signal.SIGSTOP)
    try:
        start = time.monotonic()
        result = cli.refused("stop", "--emergency", "--db", cli.db, "--json", code=1, says=f"pid {trader.pid}")
        assert time.monotonic() - start < 6, "2 s of patience, and the time a command takes on a busy machine"
        assert "orders may still be open" in result.err
        assert f"kill -9 {trader.pid}" in result.err
        assert flag_of(cli).exists()
        live = cli("health", "--live", "--db", cli.db, "--json")
        assert live.code == 1
        assert {c["name"]: c["passed"] for c in live.document["checks"]} == {
            "trader runs": True,
            "trader answers": False,
        }
        assert cli("status", "--db", cli.db, "--json").document["trader"] is None
    finally:
        trader.signal(signal.SIGCONT)
    until(lambda: not ask_trader(cli.db, {"op": "proposals"})["proposals"], "it acted when it woke")


def test_a_recorded_market_goes_on_after_a_stop_lifted_without_a_trader(cli: Cli) -> None:
    """The lifting is journaled in market time; today's date would put the rest of the recording into the past."""
    first = cli.trader("--for", "0.5").wait().document
    assert cli("stop", "--emergency", "--db", cli.db).code == 0
    assert cli("stop", "--reset", "--db", cli.db, stdin="TRADE\n").code == 0
    assert rows(cli.db, "SELECT count(*) FROM journal WHERE kind = 'stop.lifted'") == [(1,)]
    second = cli.trader("--for", "0.5").wait()
    assert (second.code, second.document["outcome"]) == (0, "time is up")
    assert second.document["position"] > first["position"]


def test_status_and_health_of_a_running_trader(cli: Cli) -> None:
    trader = cli.trader()
    cli.waiting(2)
    document = cli("status", "--db", cli.db, "--json").document
    assert (document["running"], document["pid"]) == (True, trader.pid)
    live: dict[str, Any] = document["trader"]
    assert live["waiting"] == 2
    assert live["modules"][0]["name"] == "probe"
    assert live["modules"][0]["state"] == "running"
    assert f"pid {trader.pid}" in cli("status", "--db", cli.db).out
    for more in ((), ("--ready",), ("--live",)):
        result = cli("health", *more, "--db", cli.db, "--json")
        assert (result.code, result.document["healthy"]) == (0, True), more
    trader.signal(signal.SIGTERM)
    trader.wait()
    for more in ((), ("--ready",), ("--live",)):
        assert cli("health", *more, "--db", cli.db, "--json").code == 1, more


def test_an_error_is_acknowledged_with_and_without_a_trader(cli: Cli) -> None:
    trader = cli.trader()
    venue = trader.children()
    os.kill(venue[0], signal.SIGKILL)
    until(lambda: trader.children() not in ([], venue), "a new venue")
    until(lambda: cli("health", "--ready", "--db", cli.db).code == 0, "it is reached")
    assert cli("confirm", cli.waiting()[0]["id"], "--db", cli.db, stdin="S\n").code == 0

    def errors() -> list[Any]:
        found: list[Any] = cli("errors", "--db", cli.db, "--json").document["errors"]
        return found

    until(errors, "the error is on record")
    number = errors()[-1]["id"]
    assert errors()[-1]["acknowledged_ms"] is None
    cli.refused("errors", "ack", str(number + 1000), "--db", cli.db, code=2, says="no error")
    assert cli("errors", "ack", str(number), "--db", cli.db, "--json").document["id"] == number
    assert errors()[-1]["acknowledged_ms"] is not None
    trader.signal(signal.SIGTERM)
    _ended(trader)
    for error in errors():
        assert cli("errors", "ack", str(error["id"]), "--db", cli.db).code == 0
    assert all(error["acknowledged_ms"] for error in errors())
    assert cli("status", "--db", cli.db, "--json").document["errors_unacknowledged"] == 0
    assert cli("journal", "verify", "--db", cli.db).code == 0


def _ended(trader: Running) -> None:
    children = trader.children()
    assert trader.wait().code == 0
    gone(children)
