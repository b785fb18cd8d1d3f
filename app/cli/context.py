"""What commands share: which database, which settings, how to print, how to reach the running trader."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app import paths
from app.errors import ConfigError, CountersignError, StorageError, UsageError, VenueUnknown
from app.text import escape_untrusted

if TYPE_CHECKING:
    from app.config.load import Loaded

_LAST: Final = "last-database"
"""File in the data folder: the database of the newest session, which commands without --db mean."""


def profile_of(options: argparse.Namespace) -> str:
    """The profile named by flag or environment; paper by default."""
    return options.profile or os.environ.get("COUNTERSIGN_PROFILE") or "paper"


def database_named(options: argparse.Namespace) -> Path | None:
    """The database named by flag or environment."""
    name = options.db or os.environ.get("COUNTERSIGN_DB")
    return Path(os.path.realpath(name)) if name else None


def database(options: argparse.Namespace) -> Path:
    """The database a command means: named, else the newest session's, else the profile's own."""
    named = database_named(options)
    if named is not None:
        return named
    try:
        last = Path((paths.data_dir() / _LAST).read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        last = Path()
    if last.is_absolute() and last.exists():
        return last
    return Path(os.path.realpath(paths.database(profile_of(options))))


def remember_database(db: Path) -> None:
    """The session that starts now is what later commands mean."""
    folder = paths.private_dir(paths.data_dir())
    part = folder / f"{_LAST}.part"
    try:
        part.write_text(f"{db}\n", encoding="utf-8")
        part.rename(folder / _LAST)
    except OSError as error:
        raise StorageError("storage.folder", f"{folder} can not be written: {error.strerror}.") from error


def settings(options: argparse.Namespace, overrides: dict[str, str] | None = None) -> Loaded:
    """The validated settings."""
    from app.config.load import load  # noqa: PLC0415 -- pydantic behind it, 0.1 s

    name = options.config or os.environ.get("COUNTERSIGN_CONFIG")
    given = dict(overrides or {})
    profile = profile_of(options)
    if profile != "paper":
        given["profile"] = profile
    return load(Path(name) if name else None, os.environ, given)


def overrides(options: argparse.Namespace) -> dict[str, str]:
    """``--set KEY=VALUE`` flags."""
    result = {}
    for text in options.overrides:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError("config.set", f"--set {text}: expected KEY=VALUE, for example --set risk.position=20.")
        result[key] = value
    return result


def emit(options: argparse.Namespace, schema: str, document: dict[str, Any], lines: Iterable[str]) -> None:
    """One JSON document, or readable lines. Untrusted text is escaped in the lines."""
    if options.json:
        print(json.dumps({"schema": f"countersign.{schema}/1", **document}))
        return
    for line in lines:
        print(escape_untrusted(line))


def note(text: str) -> None:
    """A diagnostic on stderr."""
    print(f"countersign: {escape_untrusted(text)}", file=sys.stderr)


def ask_trader(db: Path, request: dict[str, Any], timeout_s: float = 10.0) -> dict[str, Any]:
    """One command to the running trader.

    Raises:
        UsageError: no trader runs on this database.
        VenueUnknown: it took the command and did not answer in time.
        CountersignError: what the trader refused with.
    """
    path = paths.socket_path(db)
    paths.open_socket_dir(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
        except OSError:
            raise UsageError(
                "control.none", f"No trader runs on {db}.", next_step="Start one: countersign run --headless"
            ) from None
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
            answer: dict[str, Any] = json.loads(line)
        except (OSError, ValueError):
            raise VenueUnknown(
                "control.silent", "The trader did not answer.", next_step="See: countersign status"
            ) from None
    if "error" in answer:
        raise _refused(answer["error"])
    result: dict[str, Any] = answer["ok"]
    return result


def _refused(error: dict[str, Any]) -> CountersignError:
    raised = CountersignError(error["code"], error["what"], sent=error["sent"], next_step=error["next_step"])
    raised.exit_code = error["exit_code"]  # type: ignore[misc]  # the trader's own code travels with its error
    return raised
