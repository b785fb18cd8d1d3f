"""``countersign doctor --live``: what is on record after real drills and checks, and the words in their place."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.cli.harness import Cli, Result


@pytest.fixture
def clock_server() -> Iterator[int]:
    """A server of this computer, whose answers have its time."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the library's
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def live(cli: Cli, *more: str, stdin: str = "", json_: bool = True, sources: str = "") -> Result:
    """Without a source nothing but this computer is asked."""
    words = ("doctor", "--live", "--db", cli.db, *(("--json",) if json_ else ()), *more)
    return cli(*words, stdin=stdin, env=cli.env(COUNTERSIGN_CLOCK__SOURCES=sources, NO_PROXY="*", no_proxy="*"))


def states(result: Result) -> dict[str, str]:
    return {each["name"]: each["state"] for each in result.document["conditions"]}


def test_without_any_record_it_is_refused_and_says_how_to_get_each(cli: Cli) -> None:
    result = live(cli)
    assert result.code == 3
    assert result.document["allowed"] is False
    assert set(states(result).values()) == {"MISSING"}
    assert all(each["next_step"] for each in result.document["conditions"])
    assert result.document["clock"]["words"].startswith("not checked")
    words = live(cli, json_=False)
    assert words.code == 3
    assert "judgement:momentum               not built yet: needs the word" in words.out
    assert "Live is refused: 9 of 9 conditions are not on record." in words.out
    assert not cli.db.exists(), "looking makes nothing"


def test_drills_and_settings_that_are_really_done_are_on_record(cli: Cli, clock_server: int) -> None:
    cli.replay()
    assert live(cli).code == 3
    assert cli("stop", "--emergency", "--db", cli.db).code == 0
    assert states(live(cli))["stop-drill"] == "MISSING"
    assert cli("stop", "--reset", "--db", cli.db, stdin="TRADE\n").code == 0
    for key, value in (("risk.position", "10"), ("risk.exposure", "50"), ("risk.daily_loss", "25")):
        assert cli("config", "set", key, value).code == 0
    sources = f"http://127.0.0.1:{clock_server},http://localhost:{clock_server}"
    found = live(cli, sources=sources)
    assert {name for name, state in states(found).items() if state == "ON RECORD"} == {"stop-drill", "limits", "clock"}
    assert found.document["clock"]["checked"] is True
    assert states(live(cli))["clock"] == "MISSING", "that it can not be checked now counts more than that it was"
    assert cli("journal", "verify", "--db", cli.db).code == 0


def test_a_word_and_a_reason_stand_in_for_a_condition_and_are_journaled(cli: Cli) -> None:
    cli.replay()
    for stdin, code, says in (
        ("yes\nreason\n", 3, "Nothing was changed"),
        ("live\nreason\n", 3, "Nothing was changed"),
        ("", 3, "Nothing was changed"),
        ("LIVE\n\n", 2, "with a reason"),
    ):
        refused = live(cli, "--override", "stop-drill", stdin=stdin)
        assert (refused.code, says in refused.err) == (code, True), refused
        assert states(live(cli))["stop-drill"] == "MISSING"
    done = live(cli, "--override", "stop-drill", stdin="LIVE\nI know how\n")
    assert done.code == 0
    assert done.document["state"] == "OVERRIDDEN"
    shown = live(cli)
    assert shown.code == 3
    assert states(shown)["stop-drill"] == "OVERRIDDEN"
    (condition,) = [each for each in shown.document["conditions"] if each["name"] == "stop-drill"]
    assert "I know how" in condition["words"]
    assert type(condition["at_ms"]) is int
    with closing(sqlite3.connect(cli.db)) as connection:
        ((body,),) = connection.execute("SELECT body FROM journal WHERE kind = 'gate.override'").fetchall()
    assert json.loads(body)["set"][0][:2] == ["override", "stop-drill"]
    assert cli("journal", "verify", "--db", cli.db).code == 0


def test_wrong_words(cli: Cli) -> None:
    for words, says in (
        (("--override", "everything"), "There is no condition everything; one of: signer, limits"),
        (("--override", "signer"), "There is no database"),
        (("--override", "signer", "--ramp"), "Either --override or --ramp"),
        (("--ramp",), "There is no database"),
    ):
        refused = live(cli, *words, stdin="LIVE\nwhy\n")
        assert (refused.code, says in refused.err) == (2, True), refused
    cli.refused("doctor", "--override", "signer", code=2, says="go with --live only")
    cli.refused("doctor", "--ramp", code=2, says="go with --live only")
    cli.replay()
    refused = live(cli, "--ramp", stdin="RAMP\n")
    assert (refused.code, "first live trade" in refused.err) == (3, True), refused


def test_all_overridden_is_not_refused(cli: Cli) -> None:
    cli.replay()
    for name in states(live(cli)):
        assert live(cli, "--override", name, stdin="LIVE\nwhy\n").code == 0
    result = live(cli)
    assert (result.code, result.document["allowed"], result.document["refusal"]) == (0, True, "")
    assert "Trade: countersign run --profile live --chain NAME" in live(cli, json_=False).out


def test_through_a_running_trader(cli: Cli, clock_server: int) -> None:
    trader = cli.trader()
    assert live(cli, "--override", "signer", stdin="LIVE\nnone here\n").code == 0
    sources = f"http://127.0.0.1:{clock_server},http://localhost:{clock_server}"
    found = states(live(cli, sources=sources))
    assert (found["signer"], found["clock"]) == ("OVERRIDDEN", "ON RECORD")
    assert cli("stop", "--emergency", "--db", cli.db).code == 0
    assert cli("stop", "--reset", "--db", cli.db, stdin="TRADE\n").code == 0
    assert states(live(cli))["stop-drill"] == "ON RECORD"
    assert cli("signers", "test", "--signer", "demo", "--db", cli.db).code == 0
    assert states(live(cli))["signer"] == "OVERRIDDEN", "the demo device is no hardware wallet"
    cli("stop", "--db", cli.db)
    assert trader.wait().code == 0
    assert cli("journal", "verify", "--db", cli.db).code == 0
    assert cli("signers", "test", "--signer", "demo", "--db", cli.db).code == 0
    with closing(sqlite3.connect(cli.db)) as connection:
        kinds = [kind for (kind,) in connection.execute("SELECT kind FROM journal WHERE kind LIKE '%tested'")]
    assert kinds == ["signer.tested"] * 2, "by the trader, and without one"
