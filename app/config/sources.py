"""The three places a setting can come from: a TOML file, the environment, the command line. Each becomes a tree as TOML
would give it, the source of every key beside it, and a list of problems; nothing is validated here but names.

Not pydantic-settings: it costs 0.25 s more, says nothing about a missing file, a typo in a nested table or a mistyped
variable, and reads an unquoted 123456789.123456789123 as ...12345679 (facts/engineering.md).
"""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from app.config import problems, tree
from app.config.problems import Problem
from app.config.values import UnquotedNumber, dotted, from_argument
from app.redact import looks_secret
from app.text import escape_untrusted

PREFIX: Final = "COUNTERSIGN_"
RESERVED: Final = frozenset({"DB", "CONFIG", "PROFILE", "SHARED"})
"""Variables of the command line and the tests; not settings."""
_SHORT: Final = {"LEDGER": "SIGNER__LEDGER", "TREZOR": "SIGNER__TREZOR"}
"""Variables with a shorter name than their setting's."""
_TESTS: Final = ("SPECULOS_", "TREZOR_EMULATOR")
"""What the tests read."""

COMMAND_LINE: Final = "command line"
MAX_BYTES: Final = 262_144
_MAX_DEPTH: Final = 6
_MAX_DOTS: Final = 100
"""In one line. tomllib is cubic in the parts of a dotted key: 800 kB of ``a.a.a`` would take hours."""


@dataclass(slots=True)
class Layer:
    """What one place says."""

    tree: dict[str, Any] = field(default_factory=dict)
    sources: dict[tuple[str, ...], str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, parts: tuple[str, ...], value: object, source: str) -> None:
        """One value; a second one for the same key is a problem."""
        if parts in self.sources:
            self.problems.append(Problem(source, dotted(parts), "", f"is set by {self.sources[parts]} too"))
            return
        self.sources[parts] = source
        tree.put(self.tree, parts, value)


def read_file(path: Path) -> tuple[bytes, list[Problem]]:
    """The bytes of a settings file; no bytes and a problem where it can not be one."""
    source = escape_untrusted(str(path))

    def refused(reason: str, allowed: str = "a UTF-8 text file of at most 256 KiB") -> tuple[bytes, list[Problem]]:
        return b"", [Problem(source, "", "", reason, allowed)]

    try:
        # NONBLOCK: a named pipe would wait for its writer for ever.
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                return refused("is not a regular file")
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        return refused(f"can not be read: {error.strerror if isinstance(error, OSError) else error}")
    if len(content) > MAX_BYTES:
        return refused("is larger than a settings file can be")
    if content.startswith(b"\xef\xbb\xbf"):
        return refused("begins with a byte-order mark; save it as UTF-8 without one")
    return content, []


def parse(path: Path, content: bytes) -> Layer:
    """A settings file's content as a layer."""
    source = escape_untrusted(str(path))
    layer = Layer()
    if any(line.count(b".") > _MAX_DOTS and not line.lstrip().startswith(b"#") for line in content.split(b"\n")):
        layer.problems.append(
            Problem(source, "", "", f"has a line with more than {_MAX_DOTS} dots: no key is nested so deep")
        )
        return layer
    try:
        parsed = tomllib.loads(content.decode("utf-8"), parse_float=UnquotedNumber)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        layer.problems.append(Problem(source, "", "", f"is not UTF-8 text (line {line})"))
    except RecursionError:
        layer.problems.append(Problem(source, "", "", "is nested too deep to be a settings file"))
    except ValueError as error:
        # TOMLDecodeError names line and column; a number of 5000 digits raises a plain ValueError.
        reason = (
            escape_untrusted(str(error), 200) if isinstance(error, tomllib.TOMLDecodeError) else "a number is too long"
        )
        layer.problems.append(Problem(source, "", "", f"is not TOML: {reason}"))
    else:
        _collect(parsed, (), source, layer)
    return layer


def _collect(table: dict[str, Any], prefix: tuple[str, ...], source: str, layer: Layer) -> None:
    for name, value in table.items():
        parts = (*prefix, name)
        if looks_secret(name):
            layer.problems.append(problems.secret(source, dotted(parts)))
        elif len(parts) > _MAX_DEPTH:
            layer.problems.append(Problem(source, dotted(parts), "", "is nested deeper than any setting"))
        elif isinstance(value, dict):
            if value:
                _collect(value, parts, source, layer)
            elif tree.find(parts) is not None or not _is_table(parts):
                layer.add(parts, value, source)
        else:
            layer.add(parts, value, source)


def _is_table(parts: tuple[str, ...]) -> bool:
    return any(
        len(pattern) == len(parts)
        and all(wanted == part or wanted in tree.NAME_RULES for wanted, part in zip(pattern, parts, strict=True))
        for pattern in tree.sections()
    )


def read_environment(env: Mapping[str, str]) -> Layer:
    """``COUNTERSIGN_RISK__POSITION=20`` and the like; every other name that begins so is a problem."""
    layer = Layer()
    for name in sorted(env):
        upper = name.upper()
        short = upper[len(PREFIX) :]
        if not upper.startswith(PREFIX) or short in RESERVED or short.startswith(_TESTS):
            continue
        source = f"environment {escape_untrusted(name, 100)}"
        if looks_secret(name[len(PREFIX) :].replace("__", ".")):
            layer.problems.append(problems.secret(source, ""))
            continue
        parts, leaf = _resolve(_SHORT.get(short, short).split("__"))
        if leaf is None:
            found = difflib.get_close_matches(upper[:200], _variables(), n=1, cutoff=0.5)
            layer.problems.append(problems.unknown(source, "", "", found[0] if found else ""))
        else:
            layer.add(parts, from_argument(leaf.kind, env[name]), source)
    return layer


def _resolve(words: list[str]) -> tuple[tuple[str, ...], tree.Leaf | None]:
    for leaf in tree.leaves():
        if len(words) != len(leaf.pattern):
            continue
        parts = tuple(_cased(wanted, word) for wanted, word in zip(leaf.pattern, words, strict=True))
        if leaf.matches(parts) and len(parts) > 1:
            return parts, leaf
    return (), None


def _cased(wanted: str, word: str) -> str:
    """Variable names are upper case, and a shell allows no dash in them."""
    if wanted == tree.INSTRUMENT:
        return word.replace("_", "-")
    if wanted in {tree.CHAIN, tree.DEX, tree.WATCHED}:
        return word.lower().replace("_", "-")
    return word if wanted == tree.ASSET else word.lower()


def variable(key: str) -> str:
    """The environment variable of a dotted key."""
    return PREFIX + key.upper().replace("-", "_").replace(".", "__")


def _variables() -> list[str]:
    patterns = (".".join(leaf.pattern) for leaf in tree.leaves() if len(leaf.pattern) > 1)
    return [variable(key) for key in (*tree.default_flat(), *patterns) if "." in key]


def read_overrides(overrides: Mapping[str, str]) -> Layer:
    """Dotted keys from the command line."""
    layer = Layer()
    for key, text in overrides.items():
        parts = tuple(key.split("."))
        leaf = tree.find(parts)
        if any(looks_secret(part) for part in parts):
            layer.problems.append(problems.secret(COMMAND_LINE, dotted(parts)))
        elif leaf is None:
            layer.problems.append(problems.unknown(COMMAND_LINE, dotted(parts), "", problems.nearest_key(key)))
        else:
            layer.add(parts, from_argument(leaf.kind, text), COMMAND_LINE)
    return layer
