"""The process on its socket: order of lines, hostile bytes, and death at any point of a transaction."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.venues.paper_wire import MOST_LINE_BYTES, event_out, request_out, settings_out
from strategies.model import Book
from tests.unit.practice.scene import ETH, SETTINGS, D, bracket, buy


class Peer:
    """A raw connection."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(str(path))
        self.lines = self.sock.makefile("rb")

    def send(self, line: bytes) -> None:
        self.sock.sendall(line + b"\n")

    def read(self) -> Any:
        """The next line; None when the venue closed the connection."""
        try:
            line = self.lines.readline()
        except OSError:
            return None
        return json.loads(line) if line else None

    def call(self, op: str, **fields: Any) -> Any:
        self.send(json.dumps({"id": 1, "op": op, **fields}).encode())
        return self.read()

    def hello(self) -> Any:
        return self.call("hello", settings=settings_out(SETTINGS))

    def close(self) -> None:
        self.lines.close()
        self.sock.close()


class Process:
    """The venue, started by hand."""

    def __init__(self, folder: Path, *prefix: str) -> None:
        self.db, self.path = folder / "v.db", folder / "s"
        command = [*prefix, sys.executable, "-m", "app.practice", "--db", str(self.db), "--socket", str(self.path)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline()
        self.peers: list[Peer] = []

    def peer(self) -> Peer:
        self.peers.append(Peer(self.path))
        return self.peers[-1]

    def end(self) -> int:
        for peer in self.peers:
            peer.close()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        code = self.process.wait(timeout=20)
        self.process.stdout.close()
        return code


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    assert process.end() == 0


def book(position: int, ts_ms: int = 0) -> list[Any]:
    return [position, event_out(Book(ETH.symbol, ts_ms, ((D("99.99"), D(9)),), ((D(100), D(9)),)))]


def test_reports_come_before_the_reply_of_what_caused_them(venue: Process) -> None:
    peer = venue.peer()
    assert peer.hello() == {"id": 1, "ok": {"now_ms": 0, "position": 0}}
    assert peer.call("market", events=[book(1)]) == {"id": 1, "ok": None}
    peer.call("submit", orders=[request_out(order) for order in bracket(limit="99")], authorisation=None)
    peer.send(json.dumps({"id": 7, "op": "cancel", "client_id": "entry"}).encode())
    lines = [peer.read() for _ in range(3)]
    assert [line["report"][0] for line in lines[:2]] == ["stop", "target"]
    assert (lines[2]["id"], lines[2]["ok"][0][:3:2]) == (7, ["entry", "CANCELLED"])


def test_nobody_does_anything_before_hello(venue: Process) -> None:
    peer = venue.peer()
    for op in ("submit", "cancel", "order", "open_orders", "balances", "market", "bye"):
        assert peer.call(op, orders=[], client_id="a", events=[])["error"]["code"] == "session"


def test_what_a_fenced_session_wrote_before_is_discarded_unread(venue: Process) -> None:
    first, second = venue.peer(), venue.peer()
    first.hello()
    first.call("market", events=[book(1)])
    submit = {"id": 2, "op": "submit", "orders": [request_out(buy("late", "100"))], "authorisation": None}
    line = json.dumps(submit).encode()
    first.sock.sendall(line)  # all but the end of the line
    second.hello()
    try:
        first.sock.sendall(b"\n")
    except OSError:
        pass
    assert first.read() is None
    assert second.call("order", client_id="late") == {"id": 1, "ok": None}


HOSTILE = [
    b"",
    b"\x00\xff\xfe",
    b"null",
    b"[]",
    b"{}",
    b'{"id":1}',
    b'{"id":1,"op":5}',
    b'{"id":"1","op":"hello"}',
    b'{"id":1,"op":"hello"}',
    b'{"id":1,"op":"hello","settings":{}}',
    b"[" * 100_000,
    b'{"id":1,"op":"submit","orders":null,"authorisation":null}',
    b'{"id":1,"op":"submit","orders":[[]],"authorisation":null}',
    b'{"id":1,"op":"order","client_id":"\\ud800"}',
    b'{"id":1,"op":"cancel","client_id":"\\ud800\\u0000"}',
    b'{"id":1,"op":"order","client_id":{}}',
    b'{"id":1,"op":"market","events":[[1e400,[]]]}',
    b'{"id":1,"op":"market","events":[[1,["book","ETH-USDT",1,[["1","1"]],[["0.5"]]]]]}',
    b'{"id":' + b"9" * 5000 + b',"op":"balances"}',
    b'{"id":1,"op":"' + b"x" * 10_000 + b'"}',
]


def test_hostile_lines_are_answered_with_an_error_and_change_nothing(venue: Process) -> None:
    peer = venue.peer()
    peer.hello()
    peer.call("market", events=[book(1)])
    for line in HOSTILE:
        peer.send(line)
        answer = peer.read()
        assert "error" in answer or answer["ok"] is None, line[:80]
    assert peer.call("balances")["ok"] == {"USDT": "10000"}
    assert peer.call("submit", orders=[request_out(buy("a", "100"))], authorisation=None)["ok"][0][2] == "FILLED"


def test_an_endless_line_ends_the_connection_not_the_venue(venue: Process) -> None:
    peer = venue.peer()
    peer.hello()
    try:
        peer.sock.sendall(b"x" * (MOST_LINE_BYTES + 500_000))
    except OSError:
        pass
    assert peer.read() is None
    again = venue.peer()
    assert "ok" in again.hello()
    db = sqlite3.connect(venue.db)
    assert db.execute("SELECT op, verdict FROM requests ORDER BY id").fetchall()[1] == ("unknown", "malformed")
    db.close()


def test_a_peer_that_never_reads_is_cut_off(venue: Process) -> None:
    deaf = venue.peer()
    deaf.hello()
    line = json.dumps({"id": 1, "op": "order", "client_id": "x" * 50}).encode() + b"\n"
    with pytest.raises(OSError, match=r"timed out|Broken pipe|reset"):
        deaf.sock.sendall(line * 100_000)
    assert "ok" in venue.peer().hello()


@pytest.mark.parametrize("how", ["SIGTERM", "bye", "stdin"])
def test_it_ends_at_once_and_cleanly(tmp_path: Path, how: str) -> None:
    process = Process(tmp_path)
    peer = process.peer()
    peer.hello()
    process.process.send_signal(signal.SIGINT)  # the trader's to handle
    assert "ok" in peer.call("balances")
    if how == "SIGTERM":
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(timeout=10) == 0
    elif how == "bye":
        assert peer.call("bye") == {"id": 1, "ok": None}
        assert process.process.wait(timeout=10) == 0
    assert process.end() == 0
    assert not process.path.exists()


@pytest.mark.crash
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace absent: no kill points")
@pytest.mark.parametrize("kill", range(1, 5))
def test_killed_at_any_sync_the_record_is_whole_and_a_repeat_is_answered_once(tmp_path: Path, kill: int) -> None:
    """From hello to the second list there are four syncs: hello, two lists, the close. Killed at the k-th."""
    Process(tmp_path).end()  # the tables are there
    inject = ["strace", "-f", "-o", str(tmp_path / "trace"), "-e", "trace=fdatasync"]
    traced = Process(tmp_path, *inject, "-e", f"inject=fdatasync:signal=KILL:when={kill}")
    lists = [[request_out(order) for order in bracket(limit="100")], [request_out(buy("b", "100"))]]
    answers = []
    if traced.ready:
        peer = traced.peer()
        try:
            answers = [peer.hello(), peer.call("market", events=[book(1)])]
            answers += [peer.call("submit", orders=orders, authorisation=None) for orders in lists]
        except OSError:
            pass  # dead
    for each in traced.peers:
        each.close()
    assert traced.process.stdin is not None
    assert traced.process.stdout is not None
    traced.process.stdin.close()
    assert traced.process.wait(timeout=10) != 0, "it was not killed: there are fewer syncs than thought"
    traced.process.stdout.close()

    again = Process(tmp_path)
    peer = again.peer()
    assert "ok" in peer.hello()
    for position in (1, 2):
        peer.call("market", events=[book(position, ts_ms=position)])
    told = [answer for answer in answers[2:] if answer is not None]
    for orders, answer in zip(lists, told, strict=False):
        assert peer.call("submit", orders=orders, authorisation=None) == answer, "what was answered was not kept"
    for orders in lists:
        done = peer.call("submit", orders=orders, authorisation=None)
        assert done["ok"][0][2] == "FILLED"
    assert peer.call("balances")["ok"] == {"ETH": "2", "USDT": "9799.8"}
    assert again.end() == 0
    db = sqlite3.connect(tmp_path / "v.db")
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    accepted = [
        json.loads(body)["orders"][0][0]
        for (body,) in db.execute("SELECT body FROM requests WHERE op = 'submit' AND verdict = 'accepted'")
    ]
    db.close()
    assert sorted(accepted) == ["b", "entry"]
