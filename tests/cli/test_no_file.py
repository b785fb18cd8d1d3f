"""What --db names is opened only where it is a regular file: a pipe would keep every command waiting for ever."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.cli.harness import Cli, write_candles

COMMANDS = (
    "run --headless --for 1", "status", "health", "pnl", "risk", "modules", "journal verify", "errors ack 1",
    "backup copy.db", "restore copy.db",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_named_pipe_is_refused_at_once(finished: Cli, command: str) -> None:
    pipe = finished.home / "pipe"
    if not pipe.exists():
        os.mkfifo(pipe)
    assert finished("backup", "copy.db", "--db", finished.db).code == 0
    result = finished.refused(*command.split(), "--db", pipe, code=2, says="pipe is a named pipe", timeout=60)
    assert "--db" in result.err
    (finished.home / "copy.db").unlink()
    assert not [entry.name for entry in finished.home.iterdir() if entry.name.startswith("pipe.")]


@pytest.mark.parametrize("kind", ["socket", "device", "folder"])
def test_other_things_that_are_no_files(finished: Cli, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "x"
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(str(place))
    elif kind == "folder":
        place.mkdir()
    else:
        place = Path("/dev/zero")
    data = write_candles(tmp_path / "paper_AAA-USDT_1m.csv", 3)
    for command in ("status", "run --headless --for 1", f"run --headless --replay {data}"):
        finished.refused(*command.split(), "--db", place, code=2, says=f"is a {kind}", timeout=60)


def test_doctor_names_it(finished: Cli) -> None:
    pipe = finished.home / "doctors-pipe"
    os.mkfifo(pipe)
    result = finished("doctor", "--json", "--db", pipe, timeout=60)
    assert result.code == 1
    assert any("named pipe" in check["detail"] for check in result.document["checks"])


def test_a_pipe_where_the_mirror_belongs(cli: Cli) -> None:
    cli.replay(bars=3)
    head = cli.db.with_name("a.db.head")
    head.unlink()
    os.mkfifo(head)
    assert "no readable a.db.head" in cli("journal", "verify", "--db", cli.db, timeout=60).out
