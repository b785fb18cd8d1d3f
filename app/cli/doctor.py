"""``countersign doctor``: what this machine has and lacks, before a trader meets it. Changes nothing."""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from app import paths
from app.cli import context
from app.cli.doctor_signers import checks as signer_checks
from app.engine.clock import WallClock
from app.errors import CountersignError, UsageError
from app.settings_change import judge
from storage.database import reader
from storage.faults import StorageFault

_LEAST_FREE_MB = 200
_LEAST_BEHIND_S = 60
"""As `app.session` refuses it."""


def doctor(options: argparse.Namespace) -> int:
    """One line per check, exit 1 when one fails; warnings do not fail."""
    if options.live:
        from app.cli.doctor_live import live  # noqa: PLC0415 -- another question

        return live(options)
    if options.override is not None or options.ramp:
        raise UsageError("doctor.words", "--override and --ramp go with --live only.")
    data = _existing(paths.data_dir())
    checks = [_python(), _sqlite(), _folders(), _disk(data), _sync(data), _settings(options), _keyring()]
    checks += _database(db := context.database(options))
    checks += _alerts(options)
    signers, denied = _signers(options, db)
    checks += [*signers, *_chains(options)]
    failed = [name for name, state, _ in checks if state == "FAIL"]
    rules = _rules() if denied or options.udev else []
    document = {
        "ok": not failed,
        "checks": [{"name": n, "state": s, "detail": d} for n, s, d in checks],
        "udev_rules": rules,
    }
    lines = [f"{s:<4}  {n:<11} {d}" for n, s, d in checks]
    if rules:
        from signers.words import UDEV_FILE  # noqa: PLC0415 -- rarely wanted

        lines += ["", f"Save as {UDEV_FILE}, then: sudo udevadm control --reload", *rules]
    context.emit(options, "doctor", document, lines)
    return 1 if failed else 0


def _signers(options: argparse.Namespace, db: Path) -> tuple[list[_Check], bool]:
    try:
        settings = context.settings(options).settings
    except CountersignError:
        return [], False  # told by the settings' own line
    return signer_checks(settings, db)


def _chains(options: argparse.Namespace) -> list[_Check]:
    try:
        settings = context.settings(options).settings
    except CountersignError:
        return []  # as above
    if not settings.chains:
        return []
    from app.cli.doctor_chains import checks  # noqa: PLC0415 -- aiohttp, only where there is a network to ask

    return checks(settings)


def _rules() -> list[str]:
    from signers.words import UDEV_RULES  # noqa: PLC0415 -- rarely wanted

    return list(UDEV_RULES)


_Check = tuple[str, str, str]


def _python() -> _Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return "Python", "ok" if sys.version_info >= (3, 11) else "FAIL", f"{version} (3.11 or newer is needed)"


def _sqlite() -> _Check:
    return (
        "SQLite",
        "ok" if sqlite3.sqlite_version_info >= (3, 37) else "FAIL",
        f"{sqlite3.sqlite_version} (3.37 for STRICT)",
    )


def _folders() -> _Check:
    for folder in (paths.data_dir(), paths.log_dir()):
        nearest = _existing(folder)
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            return "folders", "FAIL", f"{folder} can not be used: {nearest} is no folder that we may write to"
    loose = [str(f) for f in (paths.data_dir(), paths.config_dir()) if f.exists() and f.stat().st_mode & 0o077]
    if loose:
        return "folders", "warn", f"readable by others: {', '.join(loose)}; chmod 700 them"
    return "folders", "ok", f"data in {paths.data_dir()}, logs in {paths.log_dir()}"


def _disk(folder: Path) -> _Check:
    free = shutil.disk_usage(folder).free // 1_000_000
    return "disk", "ok" if free >= _LEAST_FREE_MB else "FAIL", f"{free} MB free ({_LEAST_FREE_MB} MB are needed)"


def _sync(folder: Path) -> _Check:
    """What one durable write costs here: each trade makes about six."""
    times = []
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for _ in range(20):
                start = time.monotonic_ns()
                os.write(file.fileno(), b"x" * 4096)
                os.fdatasync(file.fileno())
                times.append(time.monotonic_ns() - start)
    except OSError as error:
        return "fdatasync", "FAIL", f"nothing can be written in {folder}: {error.strerror}"
    micros = sorted(times)[len(times) // 2] // 1000
    return "fdatasync", "ok" if micros < 50_000 else "warn", f"{micros} us for 4 KiB (median of 20)"


def _settings(options: argparse.Namespace) -> _Check:
    try:
        loaded = context.settings(options)
        doubts = judge(loaded)
    except CountersignError as error:
        return "settings", "FAIL", error.what.splitlines()[0]
    if doubts:
        return "settings", "warn", "; ".join(doubts)
    return "settings", "ok", str(loaded.path) if loaded.path.exists() else "defaults (no file)"


def _database(db: Path) -> list[_Check]:
    """Its pages, and whether the machine's clock agrees with what is on record: a session would refuse otherwise."""
    if not db.exists():
        folder = "" if db.parent.is_dir() else ", and the folder before it"
        return [("database", "ok", f"none yet; the first session makes {db}{folder}")]
    try:
        with reader(db) as data:
            result = data.value("PRAGMA quick_check")
            last_ms = data.value("SELECT max(wall_start_ms) FROM runs") or 0
    except StorageFault as fault:
        return [("database", "FAIL", f"{fault.what} {fault.next_step}")]
    behind_s = (last_ms - WallClock().now_ms()) // 1000
    clock = (
        ("clock", "FAIL", f"{behind_s} s before the last session's start: set it")
        if behind_s > _LEAST_BEHIND_S
        else ("clock", "ok", "not before the last session's start")
    )
    return [("database", "ok" if result == "ok" else "FAIL", f"{db}: quick check says {result}"), clock]


def _keyring() -> _Check:
    from storage.secrets import SecretsError, SecretStore  # noqa: PLC0415 -- keyring loads its backends

    try:
        backend = SecretStore().backend_name()
    except SecretsError as error:
        return "keyring", "warn", f"{error.what} Paper trading needs none."
    return "keyring", "ok", backend


def _alerts(options: argparse.Namespace) -> list[_Check]:
    """Whether each channel of alerts could be sent to. Nothing is sent."""
    try:
        channels = context.settings(options).settings.alerts.policy().channels
    except CountersignError:
        return []  # told by the settings' own line
    if not channels:
        return [("alerts", "ok", "stay on this computer: the settings name no channel")]
    import asyncio  # noqa: PLC0415 -- only where there are channels

    from app.alerts.model import Outcome  # noqa: PLC0415 -- with it
    from app.alerts.post import check  # noqa: PLC0415 -- with it

    async def all_of_them() -> list[_Check]:
        found = await asyncio.gather(*(check(name) for name in channels))
        return [
            ("alerts", "ok" if each.outcome is Outcome.USABLE else "warn", f"channel {name}: {each.words}")
            for name, each in zip(channels, found, strict=True)
        ]

    return asyncio.run(all_of_them())


def _existing(folder: Path) -> Path:
    """`folder` or the nearest of its parents that is there."""
    while not os.path.lexists(folder):
        folder = folder.parent
    return folder
