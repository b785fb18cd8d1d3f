"""Backup, restore and broken databases through the command line: exit code, words, and nothing changed."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.__main__ import main
from storage.database import open_for_trading
from tests.cli.harness import NOISE, Cli, commands, one_document


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A finished session."""
    with commands(tmp_path_factory.mktemp("keeping") / "home") as cli:
        result = cli.replay(bars=12)
        assert result.code == 0, result
        yield cli


@pytest.fixture
def database(session: Cli, tmp_path: Path) -> Path:
    """A copy of it, mirror and all."""
    for suffix in ("", ".head"):
        shutil.copy(f"{session.db}{suffix}", tmp_path / f"a.db{suffix}")
    return tmp_path / "a.db"


class Command:
    """The command in this process: its code, stdout and stderr."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        assert not any(noise in out + err for noise in NOISE), err
        return code, out, err


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """See `Command`."""
    return Command(capsys)


def test_a_backup_verifies_and_so_does_what_it_restores(command: Command, database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert command("backup", copy, "--db", database)[0] == 0
    assert command("journal", "verify", "--db", copy)[0] == 0
    tamper = sqlite3.connect(database)
    tamper.execute("UPDATE fills SET price = '1'")
    tamper.commit()
    tamper.close()
    assert command("journal", "verify", "--db", database)[0] == 1
    code, out, _ = command("restore", copy, "--db", database, "--json")
    assert code == 0
    former = one_document(out)["former"]
    assert command("journal", "verify", "--db", database)[0] == 0
    assert command("journal", "verify", "--db", former)[0] == 1  # kept as it was


def test_a_session_goes_on_after_a_restore(session: Cli, tmp_path: Path) -> None:
    with commands(tmp_path / "home") as cli:
        assert cli.replay(bars=12).code == 0
        assert cli("backup", tmp_path / "copy.db", "--db", cli.db).code == 0
        assert cli("restore", tmp_path / "copy.db", "--db", cli.db).code == 0
        again = cli.replay(bars=12)
        assert again.code == 0, again
        assert cli("journal", "verify", "--db", cli.db).code == 0


@pytest.mark.parametrize("content", ["junk", "foreign", "truncated", "empty", "itself", "absent", "folder"])
def test_a_bad_backup_is_refused_and_the_database_stays(
    command: Command, database: Path, tmp_path: Path, content: str
) -> None:
    bad = tmp_path / "bad.db"
    make: dict[str, Callable[[], object]] = {
        "junk": lambda: bad.write_bytes(b"junk" * 3000),
        "foreign": lambda: _foreign(bad),
        "truncated": lambda: bad.write_bytes(database.read_bytes()[:20_000]),
        "empty": bad.touch,
        "itself": lambda: bad.symlink_to(database),
        "absent": lambda: None,
        "folder": bad.mkdir,
    }
    make[content]()
    before = hashlib.sha256(database.read_bytes()).digest()
    code, out, err = command("restore", bad, "--db", database)
    assert code == 2  # a file that was named by hand
    assert out == ""
    assert "Nothing was changed" in err
    assert hashlib.sha256(database.read_bytes()).digest() == before
    assert command("journal", "verify", "--db", database)[0] == 0


def _foreign(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE journal (seq)")
    other.commit()
    other.close()


def test_a_backup_over_something_is_refused(command: Command, database: Path) -> None:
    for target in (database, database.with_name("a.db.head")):
        code, _, err = command("backup", target, "--db", database)
        assert code == 1
        assert "exists already" in err


def test_a_running_traders_database_is_not_restored(command: Command, database: Path, tmp_path: Path) -> None:
    assert command("backup", tmp_path / "copy.db", "--db", database)[0] == 0
    held = open_for_trading(database, "paper")
    code, _, err = command("restore", tmp_path / "copy.db", "--db", database)
    held.close()
    assert code == 3
    assert "Stop it first" in err


LOOKING = (
    ("status",),
    ("orders",),
    ("positions",),
    ("pnl",),
    ("errors",),
    ("alerts",),
    ("journal", "verify"),
    ("journal",),
)


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
@pytest.mark.parametrize("kind", ["absent", "empty", "junk", "foreign", "folder", "truncated", "newer"])
def test_a_bad_database_is_said_by_every_command_that_looks(
    command: Command, database: Path, words: tuple[str, ...], kind: str
) -> None:
    _spoil(database, kind)
    code, out, err = command(*words, "--db", database)
    assert code == 2, (out, err)
    assert out == ""
    assert "a.db" in err
    assert err.rstrip().count(". ") >= 1  # what happened, and what to do next
    code, out, _ = command(*words, "--db", database, "--json")
    assert code == 2
    assert one_document(out)["schema"] == "countersign.error/1"


def _spoil(path: Path, kind: str) -> None:
    content = path.read_bytes()
    path.unlink()
    match kind:
        case "empty":
            path.touch()
        case "junk":
            path.write_bytes(b"junk" * 3000)
        case "foreign":
            _foreign(path)
        case "folder":
            path.mkdir()
        case "truncated":
            path.write_bytes(content[:20_000])
        case "newer":
            path.write_bytes(content)
            future = sqlite3.connect(path)
            future.execute(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('countersign', 'm999', '')"
            )
            future.commit()
            future.close()


@pytest.mark.parametrize(
    ("kind", "code", "says"),
    [
        ("locked", 3, "Another trader"),
        ("busy", 3, "locked by another program"),
        ("junk", 2, "not a readable database"),
        ("foreign", 2, "another program's database"),
        ("truncated", 2, "not a readable database"),
        ("empty", 1, "a.db.head names journal row"),
        ("newer", 2, "newer countersign"),
        ("folder", 2, "is a folder"),
    ],
)
def test_a_bad_database_stops_a_session_before_it_starts(
    session: Cli, database: Path, kind: str, code: int, says: str
) -> None:
    data = session.home / "paper_AAA-USDT_1m.csv"
    run = ("run", "--headless", "--auto-confirm", "--replay", data, "--db", database)
    if kind == "locked":
        with database.with_name("a.db.lock").open("w") as lock:
            lock.write("4242\n")
            lock.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
            result = session(*run)
    elif kind == "busy":
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        result = session(*run)
        other.close()
    else:
        _spoil(database, kind)
        result = session(*run)
    assert result.code == code, result
    assert says in result.err, result
