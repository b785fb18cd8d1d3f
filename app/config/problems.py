"""What is wrong with a setting: where it came from, which one, what it is, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.config import tree
from app.config.values import dotted, shown
from app.errors import ConfigError
from app.redact import looks_secret
from app.venues.resilience import endpoint

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, ValidationError

MOST: Final = 50
"""Problems listed in one error: a file of junk has thousands."""

_STORE_IT: Final = "secrets are not settings; store it with `countersign secrets set NAME` and remove it here"
_PLANNED: Final[Mapping[str, frozenset[str]]] = {
    "market.source": frozenset({"replay", "live"}),
}
_WORDS: Final = {
    "bool_type": "not true or false",
    "decimal_type": "not an amount",
    "enum": "not one of the choices",
    "int_type": "not a whole number",
    "literal_error": "not one of the choices",
    "missing": "missing",
    "string_pattern_mismatch": "not written that way",
    "string_type": "not quoted text",
    "too_short": "empty",
    "tuple_type": "not a list",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of a `ConfigError`."""

    source: str
    key: str
    value: str
    reason: str
    allowed: str = ""

    def __str__(self) -> str:
        value = f" = {self.value}" if self.value else ""
        key = f"{self.key}{value}: " if self.key else ""
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        return f"{self.source}: {key}{self.reason}{allowed}"


def refuse(problems: Iterable[Problem]) -> ConfigError:
    """All problems in one error, one line each."""
    lines = [str(problem) for problem in problems]
    if len(lines) > MOST:
        lines = [*lines[:MOST], f"and {len(lines) - MOST} more"]
    return ConfigError(
        "config.value",
        "\n".join(lines) + ("" if lines[-1].endswith(".") else "."),
        next_step="Correct this and run `countersign config check`. Nothing was started or changed.",
    )


def secret(source: str, key: str) -> Problem:
    """A secret among the settings; its value is not repeated."""
    return Problem(source, key, "", f"looks like a secret, and {_STORE_IT}")


def unknown(source: str, key: str, value: str = "", nearest: str = "") -> Problem:
    """A key that is no setting, with the one that was probably meant."""
    hint = f"; the nearest is {nearest}" if nearest else ""
    return Problem(source, key, value, f"is not a setting{hint}", "" if nearest else "see `countersign config show`")


def nearest_key(key: str) -> str:
    """The setting or table most like `key`, or ""."""
    names = [".".join(leaf.pattern) for leaf in tree.leaves()] + [".".join(table) for table in sorted(tree.sections())]
    names = [*tree.default_flat(), *names]
    last = key.rsplit(".", 1)[-1]
    same_end = [name for name in names if name.rsplit(".", 1)[-1] == last]
    found = difflib.get_close_matches(key[:200], names, n=1, cutoff=0.7) or same_end
    found = found or difflib.get_close_matches(key[:200], names, n=1, cutoff=0.5)
    return found[0] if found else ""


def from_validation(
    error: ValidationError, values: Mapping[str, Any], source_of: Callable[[tuple[str, ...]], str]
) -> list[Problem]:
    """pydantic's findings in our words. `values` is what was validated, `source_of` tells where a key came from."""
    items = error.errors(include_url=False)
    told = [_problem(item, values, source_of) for item in items[:MOST]]
    # Looking for the nearest name costs 1 ms each; the rest is only counted.
    return told + [Problem("", dotted(item["loc"]), "", "") for item in items[MOST:]]


def _problem(item: ErrorDetails, values: Mapping[str, Any], source_of: Callable[[tuple[str, ...]], str]) -> Problem:
    context = item.get("ctx", {})
    bad_name = item["loc"][-1:] == ("[key]",)
    loc = item["loc"][:-1] if bad_name else item["loc"]
    if item["type"] == "setting":
        loc = (*loc, *str(context["key"]).split("."))
    parts = tuple(str(part) for part in loc)
    key, source = dotted(loc), source_of(parts)
    value = tree.look_up(values, loc)
    # An entry of a list is judged by the rule of the list.
    leaf = tree.find(parts) or tree.find(parts[:-1])
    if item["type"] == "extra_forbidden":
        return unknown(source, key, "" if looks_secret(parts[-1]) else shown(value), nearest_key(key))
    if bad_name:
        pattern = next((each.pattern[len(parts) - 1] for each in tree.leaves() if _under(each.pattern, parts)), "")
        return Problem(source, key, "", f"can not be the name of {pattern}", tree.NAME_RULES.get(pattern, ""))
    if leaf is None and item["type"] == "setting":
        return Problem(source, key, "", item["msg"])
    if leaf is None:
        return Problem(source, key, shown(value), "is not a table", f"a table [{key}]")
    return Problem(source, key, _shown(parts, value), _reason(item, key, value), leaf.allowed)


def _shown(parts: tuple[str, ...], value: object) -> str:
    """Of an endpoint no more than its host: what is refused may be refused for the key in it."""
    ends = len(parts) > 2 and parts[0] == "chains" and parts[2] in {"rpcs", "ws"}
    return shown(endpoint.shown(value)) if ends and isinstance(value, str) else shown(value)


def _reason(item: ErrorDetails, key: str, value: object) -> str:
    if isinstance(value, str) and value in _PLANNED.get(key, ()):
        return "not available in this version"
    if item["type"] in {"greater_than", "greater_than_equal", "less_than_equal"}:
        return "out of bounds"
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    return _WORDS.get(item["type"], item["msg"])


def _under(pattern: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    return (
        len(pattern) >= len(parts)
        and pattern[: len(parts) - 1] == parts[:-1]
        and pattern[len(parts) - 1] in tree.NAME_RULES
    )
