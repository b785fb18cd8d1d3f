"""Paths: one database has one set of names, sockets fit, folders are private."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app import paths
from app.errors import SafetyError, StorageError, UsageError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_names_stand_beside_the_database(tmp_path: Path) -> None:
    db = tmp_path.resolve() / "paper.db"
    names = [paths.stop_file(db), paths.head_file(db), paths.lock_file(db), paths.venue_db(db)]
    assert [path.name for path in names] == ["paper.db.stop", "paper.db.head", "paper.db.lock", "paper.venue.db"]
    assert {path.parent for path in names} == {db.parent}


def test_a_link_a_relative_path_and_the_file_share_lock_stop_and_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = tmp_path / "real" / "paper.db"
    db.parent.mkdir()
    db.touch()
    link = tmp_path / "link.db"
    link.symlink_to(db)
    monkeypatch.chdir(tmp_path)
    for derive in (paths.lock_file, paths.stop_file, paths.socket_path, paths.venue_socket_path, paths.venue_db):
        assert derive(link) == derive(db) == derive(Path("real/../real/paper.db"))


@pytest.mark.parametrize("derive", [paths.socket_path, paths.venue_socket_path])
@pytest.mark.parametrize("length", range(96, 125))
def test_a_socket_path_can_be_bound_however_long_the_database_path_is(
    tmp_path: Path, derive: object, length: int
) -> None:
    assert callable(derive)
    folder = tmp_path / "ü"
    folder /= "d" * (length - len(os.fsencode(folder)) - len("/") - len("/paper.db.sock"))
    path = derive(folder / "paper.db")
    assert len(os.fsencode(path)) <= paths.SOCKET_PATH_BYTES
    assert path == derive(folder / "paper.db")
    assert path != derive(folder / "other.db")
    paths.open_socket_dir(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.unlink()


def test_the_short_socket_does_not_depend_on_the_environment(tmp_path: Path) -> None:
    db = tmp_path / ("d" * 120) / "paper.db"
    code = "import sys; from pathlib import Path; from app import paths; print(paths.socket_path(Path(sys.argv[1])))"
    bare = subprocess.run([sys.executable, "-c", code, db], env={"TMPDIR": "/var/tmp"}, capture_output=True, check=True)
    assert bare.stdout.decode().strip() == str(paths.socket_path(db))


@pytest.mark.parametrize("trap", ["open", "link", "file", "owner"])
def test_a_short_socket_folder_that_others_reach_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    folder = tmp_path / "countersign"
    monkeypatch.setattr(paths, "_short_dir", lambda: folder)
    if trap == "link":
        folder.symlink_to(tmp_path)
    elif trap == "file":
        folder.touch()
    else:
        folder.mkdir(mode=0o700)
    if trap == "open":
        folder.chmod(0o770)
    if trap == "owner":
        if os.getuid() != 0:
            pytest.skip("changing an owner needs root")
        os.chown(folder, 12345, -1)
    with pytest.raises((SafetyError, StorageError), match=r"socket folder .*countersign"):
        paths.open_socket_dir(folder / "x.sock")


def test_folders_are_made_0700_and_files_0600(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    folder = paths.private_dir(shared / "a" / "b")
    assert [mode(folder), mode(folder.parent), mode(shared)] == [0o700, 0o700, 0o755]
    file = paths.private_file(folder / "x.db")
    assert mode(file) == 0o600
    file.write_text("kept")
    file.chmod(0o644)
    assert mode(paths.private_file(file)) == 0o600
    assert file.read_text() == "kept"


def test_a_folder_that_is_a_file_and_a_path_that_is_none_say_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="not a folder"):
        paths.private_dir(tmp_path / "file")
    with pytest.raises(StorageError, match=r"file/below"):
        paths.private_dir(tmp_path / "file" / "below")
    with pytest.raises(StorageError, match=r"nowhere/x"):
        paths.private_file(tmp_path / "nowhere" / "x")
    with pytest.raises(UsageError, match="--db"):
        paths.lock_file(Path("a\0b"))


def test_default_places_follow_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    if sys.platform == "linux":
        assert paths.config_file() == tmp_path / "CONFIG" / "countersign" / "config.toml"
        assert paths.log_dir() == tmp_path / "STATE" / "countersign" / "log"
    assert paths.database("paper") == paths.data_dir() / "paper.db"
