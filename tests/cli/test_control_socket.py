"""Hostile lines on the control socket of a running trader: it answers in words or hangs up, and goes on trading."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.harness import Cli, Running, commands, until


@pytest.fixture(scope="module")
def trader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, Running]]:
    """One trader for all lines; it must still be well after each."""
    with commands(tmp_path_factory.mktemp("control") / "home") as cli:
        running = cli.trader()
        cli.waiting()
        yield cli, running
        running.signal(signal.SIGTERM)
        result = running.wait()
        assert result.code == 0
        assert cli("journal", "verify", "--db", cli.db).code == 0


def talk(cli: Cli, line: bytes, *, end: bool = False, patience: float = 10.0) -> bytes:
    """Send bytes, return everything that comes back before the trader hangs up."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience)
        connection.connect(str(cli.socket))
        try:
            connection.sendall(line)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            return b""
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return received


def ask(cli: Cli, **request: Any) -> Any:
    """One well-formed request's answer."""
    return json.loads(talk(cli, json.dumps(request).encode() + b"\n"))


def well(trader: tuple[Cli, Running]) -> None:
    """The trader runs, answers, and nothing of what was asked has happened."""
    cli, running = trader
    assert not running.ended
    status = ask(cli, op="status")["ok"]
    assert (status["halted"], status["writer_failed"], status["stop_in_force"]) == ("", "", False)


DEEP = b'{"op": ' + b"[" * 30_000 + b"]" * 30_000 + b"}\n"


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"hello\n",
        b"\xff\xfe\x00\n",
        b"null\n",
        b"[]\n",
        b'"status"\n',
        b"{}\n",
        b'{"op": null}\n',
        b'{"op": ["status"]}\n',
        b'{"op": {"status": 1}}\n',
        b'{"op": "fly"}\n',
        b'{"op": "__class__"}\n',
        DEEP,
        b'{"op": "confirm"}\n',
        b'{"op": "confirm", "id": null, "text": null}\n',
        b'{"op": "confirm", "id": ["a"], "text": 3}\n',
        b'{"op": "confirm", "id": "", "text": ""}\n',
        b'{"op": "decline"}\n',
        b'{"op": "decline", "id": ""}\n',
        b'{"op": "decline", "id": "zzzzzzzz"}\n',
        b'{"op": "module_pause"}\n',
        b'{"op": "module_pause", "name": null}\n',
        b'{"op": "module_resume", "name": ["probe"]}\n',
        b'{"op": "module_disable", "name": "ghost"}\n',
        b'{"op": "module_enable", "name": "../../etc/passwd"}\n',
        b'{"op": "module_allocate", "name": "probe"}\n',
        b'{"op": "module_allocate", "name": "probe", "amount": 5}\n',
        b'{"op": "module_allocate", "name": "probe", "amount": "NaN"}\n',
        b'{"op": "module_allocate", "name": "probe", "amount": "-1"}\n',
        b'{"op": "module_allocate", "name": "probe", "amount": "1e99"}\n',
        b'{"op": "acknowledge"}\n',
        b'{"op": "acknowledge", "id": "one"}\n',
        b'{"op": "acknowledge", "id": -1}\n',
        b'{"op": "acknowledge", "id": true}\n',
        b'{"op": "acknowledge", "id": 1.5}\n',
        b'{"op": "acknowledge", "id": NaN}\n',
        b'{"op": "acknowledge", "id": Infinity}\n',
        b'{"op": "acknowledge", "id": ' + b"9" * 40 + b"}\n",
        b'{"op": "acknowledge", "id": ' + b"9" * 5000 + b"}\n",
    ],
    ids=lambda line: repr(line[:40]),
)
def test_a_malformed_line_is_answered_with_an_error(trader: tuple[Cli, Running], line: bytes) -> None:
    answer = json.loads(talk(trader[0], line))
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"code", "what", "sent", "next_step", "exit_code"}
    assert answer["error"]["exit_code"] == 2
    assert answer["error"]["sent"] == "no"
    assert len(answer["error"]["what"]) < 400
    well(trader)


@pytest.mark.parametrize(
    ("line", "end"), [(b"", True), (b'{"op": "stop"', True), (b"x" * 200_000 + b"\n", False), (b"x" * 200_000, True)]
)
def test_what_is_no_line_is_hung_up_on(trader: tuple[Cli, Running], line: bytes, end: bool) -> None:
    assert talk(trader[0], line, end=end) == b""
    well(trader)


def test_silence_is_hung_up_on_and_holds_nobody_up(trader: tuple[Cli, Running]) -> None:
    cli, _ = trader
    with socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(10)
        slow.connect(str(cli.socket))
        slow.sendall(b'{"op": "stat')
        well(trader)
        assert slow.recv(1) == b""


def test_many_connections(trader: tuple[Cli, Running]) -> None:
    """Fifty do no harm; beyond a bound newcomers are turned away and the files of the trader are not used up."""
    cli, running = trader
    held = [socket.socket(socket.AF_UNIX) for _ in range(150)]
    try:
        for number, connection in enumerate(held):
            connection.settimeout(10)
            connection.connect(str(cli.socket))
            if number == 50:
                well(trader)
        late = held[-1]
        assert late.recv(1) == b"", "turned away"
    finally:
        for connection in held:
            connection.close()
    until(lambda: talk(cli, b'{"op": "status"}\n').startswith(b'{"ok"'), "it takes commands again")
    assert not running.ended


def test_a_client_that_does_not_listen(trader: tuple[Cli, Running]) -> None:
    cli, _ = trader
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(str(cli.socket))
            rude.sendall(b'{"op": "proposals"}\n')
    well(trader)


def test_a_text_that_differs_by_one_character_is_refused(trader: tuple[Cli, Running]) -> None:
    cli, _ = trader
    (proposal, *_) = ask(cli, op="proposals")["ok"]["proposals"]
    text = proposal["text"]
    for other in (text + " ", text.replace("BUY", "SELL"), text[:-1], text.upper(), "", None, [text]):
        answer = ask(cli, op="confirm", id=proposal["id"], text=other)
        assert answer["error"]["code"] == "confirm.text"
        assert answer["error"]["exit_code"] == 3
    assert proposal["id"] in {each["id"] for each in ask(cli, op="proposals")["ok"]["proposals"]}
    well(trader)


def test_lift_without_a_stop_journals_nothing(trader: tuple[Cli, Running]) -> None:
    cli, _ = trader
    assert ask(cli, op="lift") == {"ok": {"journaled": False}}


def test_emergency_by_socket_makes_the_flag_first(cli: Cli) -> None:
    """Whoever asks the trader itself gets a stop that outlives it."""
    running = cli.trader()
    cli.waiting()
    answer = ask(cli, op="emergency", flatten="no")
    assert answer["ok"]["flattened"] == []
    assert (cli.home / "a.db.stop").exists()
    assert ask(cli, op="status")["ok"]["stop_in_force"] is True
    running.signal(signal.SIGTERM)
    assert running.wait().code == 0


def test_ending_with_open_connections(cli: Cli) -> None:
    """Half a line of somebody who went to lunch does not hold up the end, nor print anything."""
    running = cli.trader()
    held = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    try:
        for connection in held:
            connection.connect(str(cli.socket))
            connection.sendall(b'{"op": ')
        assert ask(cli, op="stop") == {"ok": {"stopping": True}}
        result = running.wait()
        assert result.code == 0
        assert result.err == ""
    finally:
        for connection in held:
            connection.close()
