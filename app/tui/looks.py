"""Theme and characters, known before the first frame: the two settings of section ``terminal``, read without the
schema. Whatever is odd here gives the defaults; the settings are judged with the right words when they load."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.tui import themes

_MOST_BYTES: Final = 262_144
"""As large as a settings file can be."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the screen looks."""

    theme: str = themes.DEFAULT
    ascii_only: bool = False


def chosen(path: Path, env: Mapping[str, str], overrides: Mapping[str, str]) -> Look:
    """The look that the settings will ask for: flags over variables over the file."""
    table = _table(path)
    theme, plain = table.get("theme"), table.get("ascii")
    for source, prefix in ((env, "COUNTERSIGN_TERMINAL__"), (overrides, "terminal.")):
        names = ("THEME", "ASCII") if source is env else ("theme", "ascii")
        theme = source.get(f"{prefix}{names[0]}", theme)
        text = source.get(f"{prefix}{names[1]}")
        plain = plain if text is None else text.lower() == "true"
    return Look(theme if theme in themes.NAMES else themes.DEFAULT, plain is True)


def _table(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            return {}
        with path.open("rb") as file:
            table = tomllib.loads(file.read(_MOST_BYTES).decode()).get("terminal")
    except (OSError, ValueError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}
