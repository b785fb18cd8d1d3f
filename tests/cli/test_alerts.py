"""``countersign alerts``, its secrets, and that these get nowhere: the real command, real couriers, a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.servers import closed_port, keyring_in
from tests.alerts.test_post import TOKEN
from tests.cli.harness import Cli, until

CHANNELS = {"COUNTERSIGN_ALERTS__CHANNELS": "hook"}


@dataclass
class Hook:
    """A webhook on this computer."""

    port: int = 0
    status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def url(self, secret: str = "") -> str:
        return f"json://{secret}127.0.0.1:{self.port}/"


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the library's
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def env(cli: Cli, urls: dict[str, str], **more: str) -> dict[str, str]:
    """The environment of a person whose keyring holds these channels' URLs."""
    found = keyring_in(cli.home, {f"alert.{name}": url for name, url in urls.items()})
    paths = f"{cli.plugins}:{found.pop('PYTHONPATH')}"
    return cli.env(PYTHONPATH=paths, **found, **more)


def test_a_test_arrives_and_is_on_record(cli: Cli, hook: Hook) -> None:
    cli.replay()
    person = env(cli, {"hook": hook.url()}, **CHANNELS)
    result = cli("alerts", "test", "--db", cli.db, "--json", env=person)
    assert result.code == 0, result
    (tried,) = result.document["tried"]
    assert (tried["channel"], tried["state"], result.document["recorded"]) == ("hook", "DELIVERED", True)
    assert hook.bodies[0]["title"] == "countersign PAPER: test alert"
    newest = cli("alerts", "--db", cli.db, "--json").document["alerts"][0]
    assert (newest["kind"], newest["severity"]) == ("test", "LOW")
    (delivery,) = cli("alerts", "deliveries", "--db", cli.db, "--json").document["deliveries"]
    assert (delivery["alert_id"], delivery["state"]) == (newest["id"], "DELIVERED")
    assert "DELIVERED hook" in cli("alerts", "deliveries", "--db", cli.db).out
    assert cli("journal", "verify", "--db", cli.db).code == 0
    assert cli("alerts", "test", "--db", cli.home / "none.db", "--json", env=person).document["recorded"] is False


def test_one_of_two_is_enough_and_none_is_not(cli: Cli, hook: Hook) -> None:
    cli.replay()
    dead = f"json://127.0.0.1:{closed_port()}/"
    person = env(cli, {"hook": hook.url(), "dead": dead}, COUNTERSIGN_ALERTS__CHANNELS="hook,dead")
    both = cli("alerts", "test", "--db", cli.db, env=person)
    assert both.code == 0
    assert "FAILED    dead: nobody listens there" in both.out
    alone = cli("alerts", "test", "--channel", "dead", "--db", cli.db, "--json", env=person)
    assert alone.code == 1
    assert alone.document["tried"][0]["outcome"] == "REFUSED"
    hook.status = 500
    assert cli("alerts", "test", "--channel", "hook", "--db", cli.db, env=person).code == 1
    states = [each["state"] for each in cli("alerts", "deliveries", "--db", cli.db, "--json").document["deliveries"]]
    assert sorted(states) == ["DELIVERED", "FAILED", "FAILED", "FAILED"]


def test_bad_settings_are_named(cli: Cli) -> None:
    def refused(*words: str, says: str, **settings: str) -> None:
        person = env(cli, {"bad": "nonsense", "clear": f"json://me:{TOKEN}@example.com/"}, **settings)
        for extra in ((), ("--json",)):
            result = cli.refused("alerts", "test", *words, *extra, code=2, says=says, env=person)
            assert TOKEN not in result.err + result.out

    refused(says="names no channel")
    refused("--channel", "pohne", says="alerts.channels = [hook] has no channel pohne", **CHANNELS)
    refused(says="countersign secrets set alert.hook", **CHANNELS)
    refused(says="no URL of a service", COUNTERSIGN_ALERTS__CHANNELS="bad")
    refused(says="secure form (jsons://", COUNTERSIGN_ALERTS__CHANNELS="clear")
    refused(says="a list of at most 10 names", COUNTERSIGN_ALERTS__CHANNELS="Not A Name")
    refused(says="one of these is there twice", COUNTERSIGN_ALERTS__CHANNELS="a,a")
    refused(says='allowed: "low", "medium", "high", "critical"', COUNTERSIGN_ALERTS__LEAST="loud")
    cli.refused("alerts", "--channel", "hook", code=2, says="takes no --channel")


def test_a_url_in_the_settings_is_no_name(cli: Cli) -> None:
    config = cli.home / "c.toml"
    config.write_text(f'[alerts]\nchannels = ["tgram://{TOKEN}/1"]\n')
    result = cli.refused("config", "check", "--config", config, code=2, says="alerts.channels")
    assert TOKEN not in result.err


def test_lists_can_be_emptied_again(cli: Cli) -> None:
    for value in ("phone,mail", ""):
        assert cli("config", "set", "alerts.channels", value).code == 0
        shown = cli("config", "show", "alerts.channels", "--json").document["settings"]["alerts.channels"]["value"]
        assert shown == value
    assert cli("config", "check").code == 0


def test_what_is_no_channel_is_not_stored(cli: Cli) -> None:
    person = env(cli, {})

    def stored(name: str, url: str) -> Any:
        return cli("secrets", "set", name, stdin=f"{url}\n", env=person)

    assert stored("alert.phone", f"tgram://{TOKEN}/4711").code == 0
    for name, url, says in (
        ("alert.phone", f"tgram://{TOKEN}/", "names no chat"),
        ("alert.phone", f"http//{TOKEN}", "tgram://TOKEN/CHAT"),
        ("alert.phone", f"json://{TOKEN}@example.com/", "unencrypted"),
        ("alert.9", f"tgram://{TOKEN}/1", "names no channel"),
        ("alert.", f"tgram://{TOKEN}/1", "names no channel"),
    ):
        result = stored(name, url)
        assert (result.code, says in result.err) == (2, True), result
        assert "Nothing was stored" in result.err
        assert TOKEN not in result.err + result.out
    assert json.loads((cli.home / "keyring.json").read_text())["alert.phone"] == f"tgram://{TOKEN}/4711"


def everything_written(home: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below `home` but the keyring itself."""
    for file in home.rglob("*"):
        if file.is_file() and file.name != "keyring.json":
            yield file, file.read_bytes()


def test_no_secret_of_a_channel_gets_anywhere(cli: Cli, hook: Hook) -> None:
    """A session whose channels fail in every way, stopped in an emergency so that there is something to tell; then
    everything that was written, said and answered is searched."""
    password, path_key = "pw-9f8e7d6c5b4a", "key0123456789abcdefghijk"
    hook.status = 401
    urls = {
        "hook": hook.url(f"me:{password}@") + path_key,
        "dead": f"json://me:{password}@127.0.0.1:{closed_port()}/{path_key}",
        "tls": f"jsons://me:{password}@127.0.0.1:{hook.port}/{path_key}",
        "bad": f"carrier://{password}/{path_key}",
        "chat": f"tgram://{TOKEN}/",
    }
    person = env(
        cli, urls, COUNTERSIGN_ALERTS__CHANNELS=",".join(urls), COUNTERSIGN_ALERTS__LEAST="low",
        COUNTERSIGN_LOG__LEVEL="debug",
    )  # fmt: skip
    trader = cli.trader(env=person)
    said = [cli("alerts", "test", "--db", cli.db, env=person), cli("stop", "--emergency", "--db", cli.db, env=person)]
    assert said[0].code == 1, said[0]

    def states() -> dict[str, str]:
        found = cli("alerts", "deliveries", "--db", cli.db, "--json").document["deliveries"]
        return {each["channel"]: each["state"] for each in found if each["kind"] == "stop"}

    until(
        lambda: {"hook", "bad", "chat", "tls"} <= {k for k, v in states().items() if v == "FAILED"}, "they failed", 120
    )
    assert hook.bodies, "the secret was really used"
    looks = ("errors", "alerts", "alerts deliveries", "status", "health", "journal", "doctor", "config show")
    said += [cli(*words.split(), "--db", cli.db, env=person) for words in looks]
    assert "alerts.undelivered" in said[2].out
    cli("stop", "--db", cli.db)
    said.append(trader.wait())
    texts = [(Path("said"), f"{each.out}{each.err}".encode()) for each in said]
    found = [
        (file, secret)
        for file, text in [*texts, *everything_written(cli.home)]
        for secret in (password, path_key, TOKEN, TOKEN.partition(":")[2])
        if secret.encode() in text
    ]
    assert found == []
    assert any(file.suffix == ".jsonl" for file, _ in everything_written(cli.home)), "the log was searched"
    assert any(file == cli.db for file, _ in everything_written(cli.home)), "and the database"


def test_a_running_trader_tests_and_delivers(cli: Cli, hook: Hook) -> None:
    person = env(cli, {"hook": hook.url()}, **CHANNELS)
    trader = cli.trader(env=person)
    result = cli("alerts", "test", "--db", cli.db, "--json", env=person)
    assert result.document["tried"][0]["state"] == "DELIVERED"
    assert cli("stop", "--emergency", "--db", cli.db, env=person).code == 0
    until(lambda: len(hook.bodies) > 1, "the emergency is told", 60)
    assert hook.bodies[1]["title"] == "countersign PAPER: CRITICAL stop"
    assert hook.bodies[1]["type"] == "failure"
    cli("stop", "--db", cli.db)
    ended = trader.wait()
    assert ended.code == 0, ended
    assert cli("journal", "verify", "--db", cli.db).code == 0
