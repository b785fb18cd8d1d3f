"""`restore` replaces nothing but a countersign database of the profile that was asked for."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.backup import backup_connection
from storage.database import open_for_trading, reader
from tests.unit.cli.conftest import Call
from tests.unit.storage.test_database import foreign, unwritable


def database(path: Path, profile: str = "paper") -> Path:
    """A fresh database."""
    open_for_trading(path, profile).close()
    return path


def backup_of(path: Path) -> Path:
    """A backup beside it."""
    copy = path.with_name(f"{path.name}.copy")
    with reader(path) as data:
        backup_connection(data.connection, copy)
    return copy


def _text(path: Path) -> None:
    path.write_text("my diary\n" * 900, encoding="utf-8")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


def _cut_foreign(path: Path) -> None:
    path.write_bytes(foreign(path).read_bytes()[:1000])


def _near(path: Path) -> None:
    """Another program's, with its own application id, where a database of ours was once."""
    foreign(path)
    other = sqlite3.connect(path)
    other.execute("PRAGMA application_id=7")
    other.close()
    path.with_name(f"{path.name}.head").write_text(f"{4:020d} {bytes(32).hex()}\n", encoding="utf-8")


OTHERS: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a text file": _text,
    "another program's database": foreign,
    "another program's database, cut": _cut_foreign,
    "another program's database where ours was": _near,
    "a named pipe": os.mkfifo,
    "a socket": _socket,
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_not_ours_stays_where_it_is(call: Call, tmp_path: Path, kind: str) -> None:
    copy, target = backup_of(database(tmp_path / "a.db")), tmp_path / "x"
    OTHERS[kind](target)
    before = target.lstat(), target.read_bytes() if target.is_file() else b""
    names = sorted(entry.name for entry in tmp_path.iterdir())
    result = call("restore", copy, "--db", target)
    assert (result.code, result.out) == (2, ""), result
    assert "x is " in result.err
    assert (target.lstat(), target.read_bytes() if target.is_file() else b"") == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == names
    if target.is_file():
        assert f"mv -- {target} {target}.mine" in result.err


@pytest.mark.parametrize("kind", ["cut", "emptied", "no header, and its mirror says whose it is", "bad pages"])
def test_a_broken_database_of_ours_is_replaced_and_kept(call: Call, tmp_path: Path, kind: str) -> None:
    target = database(tmp_path / "a.db")
    copy, whole = backup_of(target), target.read_bytes()
    mirror = tmp_path / "a.db.head"
    broken = {"cut": whole[:5000], "emptied": b"", "bad pages": whole[:4096] + b"\xaa" * 9000}.get(kind, b"junk" * 2000)
    if kind.startswith("no header"):
        mirror.write_text(f"{4:020d} {bytes(32).hex()}\n", encoding="utf-8")
    target.write_bytes(broken)
    result = call("restore", copy, "--db", target)
    assert result.code == 0, result
    assert (tmp_path / "a.db.replaced").read_bytes() == broken
    assert not mirror.exists()
    with reader(target) as data:
        assert data.value("SELECT value FROM meta WHERE key = 'profile'") == "paper"


@pytest.mark.parametrize("named", [(), ("--profile", "paper")])
def test_backup_and_database_must_be_of_the_profile_that_was_asked_for(
    call: Call, tmp_path: Path, named: tuple[str, ...]
) -> None:
    paper, live = database(tmp_path / "paper.db"), database(tmp_path / "live.db", "live")
    of_live, of_paper = backup_of(live), backup_of(paper)
    for copy, target in ((of_live, paper), (of_paper, live), (of_live, tmp_path / "absent.db"), (of_live, live)):
        before = target.read_bytes() if target.exists() else None
        result = call("restore", copy, "--db", target, *named)
        assert result.code == 3, result
        assert "belongs to profile 'live', not 'paper'" in result.err
        assert (target.read_bytes() if target.exists() else None) == before
    assert not list(tmp_path.glob("*.replaced*"))


def test_a_backup_that_is_none_is_bad_input(call: Call, tmp_path: Path) -> None:
    target = database(tmp_path / "a.db")
    _text(tmp_path / "text")
    foreign(tmp_path / "foreign")
    for name in ("absent", "text", "foreign", "."):
        result = call("restore", tmp_path / name, "--db", target)
        assert result.code == 2, result
        assert "Nothing was changed" in result.err


def test_a_database_that_can_not_be_moved_is_left_alone(call: Call, tmp_path: Path) -> None:
    copy = backup_of(database(tmp_path / "a.db"))
    folder = tmp_path / "trading"
    target = database(folder / "a.db")
    (folder / "a.db.lock").unlink()
    with unwritable(target if os.geteuid() == 0 else folder):
        result = call("restore", copy, "--db", target)
    assert result.code == 1, result
    assert not [entry.name for entry in folder.iterdir() if "restoring" in entry.name or "replaced" in entry.name]
