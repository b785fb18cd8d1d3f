"""Settings from defaults, file, environment and command line, in that order of precedence, validated as one.

Importing this module loads neither pydantic nor tomlkit; calling it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import paths
from app.config.edit import set_value
from app.config.params import module_params
from app.config.tree import flatten, is_tightening, to_toml, version_digest

if TYPE_CHECKING:
    from app.config.problems import Problem
    from app.config.schema import Settings
    from app.config.sources import Layer

__all__ = ["Loaded", "flatten", "is_tightening", "load", "module_params", "set_value", "to_toml", "version_digest"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and where each came from.

    Attributes:
        sources: for every key of `flatten(settings)`: ``default``, the file's path, ``environment NAME`` or
            ``command line``.
        path: the settings file, read if it exists; `set_value` writes it.
    """

    settings: Settings
    sources: dict[str, str]
    path: Path


def load(path: Path | None, env: Mapping[str, str], overrides: Mapping[str, str]) -> Loaded:
    """Read, merge and validate.

    Args:
        path: a file that must exist; None: the default file, if there is one.
        env: the environment; names that do not begin with ``COUNTERSIGN_`` are ignored. The variables of global
            options (``COUNTERSIGN_CONFIG``, ``_DB``, ``_PROFILE``) are the command line's to read.
        overrides: dotted keys and their text, from flags.

    Raises:
        ConfigError: one line for every problem in every source.
    """
    from app.config import sources  # noqa: PLC0415 -- tomllib and difflib, 10 ms

    file = path if path is not None else paths.config_file()
    layer = sources.Layer()
    if path is not None or not _absent(file):
        content, unread = sources.read_file(file)
        layer = sources.parse(file, content)
        layer.problems.extend(unread)
    return combine(file, layer, sources.read_environment(env), sources.read_overrides(overrides))


def _absent(file: Path) -> bool:
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False  # it is there and can not be read: that must be said
    return False


def combine(path: Path, *layers: Layer) -> Loaded:
    """Merge `layers` onto the defaults, later ones over earlier ones, and validate the whole.

    Raises:
        ConfigError: one line for every problem.
    """
    from pydantic import ValidationError  # noqa: PLC0415 -- 0.1 s, after the first frame

    from app.config import problems, tree  # noqa: PLC0415 -- same reason
    from app.config.schema import Settings  # noqa: PLC0415 -- same reason

    merged = tree.default_tree()
    origin: dict[tuple[str, ...], str] = {}
    found: list[Problem] = []
    for layer in layers:
        found.extend(layer.problems)
        for parts, source in layer.sources.items():
            tree.put(merged, parts, tree.look_up(layer.tree, parts))
            origin[parts] = source

    def source_of(parts: tuple[str, ...]) -> str:
        # A finding about what nobody set has the source of its table's last setting: that is where to correct it.
        for end in range(len(parts), 0, -1):
            near = [each for each in origin if each[:end] == parts[:end] and (end > 1 or len(parts) == 1)]
            if parts[:end] in origin or near:
                return origin.get(parts[:end]) or origin[near[-1]]
        return "default"

    settings = None
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        found.extend(problems.from_validation(error, merged, source_of))
    if settings is None or found:
        raise problems.refuse(found)
    return Loaded(settings, _sources(settings, origin), path)


def _sources(settings: Settings, origin: dict[tuple[str, ...], Any]) -> dict[str, str]:
    return {key: origin.get(tuple(key.split(".")), "default") for key in flatten(settings)}
