"""What flags and environment ask for: profile, database, settings, a session. Light, because the terminal paints its
first frame right after this: no database module, no pydantic."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app import launch
from app.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from app.config.load import Loaded

PROFILES: Final = ("paper", "testnet", "live")
"""What `app.config.schema.Settings.profile` allows; here so that a command that reads no settings knows it too."""


def profile_named(options: argparse.Namespace) -> str | None:
    """The profile named by flag or environment.

    Raises:
        UsageError: there is no such profile.
    """
    name = options.profile or os.environ.get("COUNTERSIGN_PROFILE") or None
    if name is not None and name not in PROFILES:
        raise UsageError("profile.unknown", f"There is no profile {name!r}; allowed: {', '.join(PROFILES)}.")
    return name


def database_named(options: argparse.Namespace) -> Path | None:
    """The database named by flag or environment."""
    name = options.db or os.environ.get("COUNTERSIGN_DB")
    return real_path(name) if name else None


def real_path(name: str) -> Path:
    """A path that was typed, whole and without links.

    Raises:
        UsageError: it begins at a folder that is not there any more.
    """
    try:
        return Path(os.path.realpath(name))
    except FileNotFoundError:
        raise UsageError(
            "paths.here",
            f"{name} can not be found: the folder that this command was started in was deleted.",
            next_step="Nothing was changed. Go to another folder, or type the whole path.",
        ) from None


def settings(options: argparse.Namespace, overrides: dict[str, str] | None = None) -> Loaded:
    """The validated settings."""
    from app.config.load import load  # noqa: PLC0415 -- pydantic behind it, 0.1 s

    name = options.config or os.environ.get("COUNTERSIGN_CONFIG")
    given = dict(overrides or {})
    profile = profile_named(options)
    if profile is not None:
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


def request(options: argparse.Namespace, *, auto_confirm: bool = False, attended: bool = False) -> launch.Request:
    """The session that the flags ask for.

    Raises:
        UsageError: a flag that goes with a recording only, without one.
    """
    for name in ("instrument", "timeframe"):
        if options.replay is None and getattr(options, name) is not None:
            raise UsageError(
                f"run.{name}",
                f"--{name} says what is in a recording, and goes with --replay only.",
                next_step="For the practice market: --set market.timeframe=5m" if name == "timeframe" else "",
            )
    return launch.Request(
        settings=lambda: settings(options, _flags(options)),
        db=database_named(options),
        replay=options.replay,
        instrument=options.instrument,
        timeframe=options.timeframe,
        speed=options.speed,
        auto_confirm=auto_confirm,
        attended=attended,
        chain=options.chain,
        profile=profile_named(options),
    )


def _flags(options: argparse.Namespace) -> dict[str, str]:
    """Settings given as flags; a flag wins over everything."""
    given = overrides(options)
    for key, value in (
        ("market.seed", options.seed),
        ("signer.kind", options.signer),
        ("market.source", options.market),
    ):
        if value is not None:
            given[key] = value
    return given
