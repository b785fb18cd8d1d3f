"""A module's own parameters: a free table of the settings checked against the module's frozen dataclass."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from app.config.values import shown

T = TypeVar("T")


def module_params(
    params_type: type[T], table: Mapping[str, object], *, key: str = "params", sources: Mapping[str, str] | None = None
) -> T:
    """An instance of `params_type` (a dataclass, `ModuleSpec.params`) from `table`.

    Decimal parameters are quoted text, as everywhere; a whole number fits a float, a float never fits an int.

    Args:
        key: dotted key of the table, ``modules.momentum.params``, for messages.
        sources: `Loaded.sources`, for messages.

    Raises:
        ConfigError: every unknown, mistyped or refused parameter; the dataclass's own ValueError for what its
            `__post_init__` refuses.
    """
    from app.config import problems  # noqa: PLC0415 -- loads the schema's tree

    fields = {field.name: field for field in dataclasses.fields(params_type) if field.init}  # type: ignore[arg-type]  # a type is no instance
    hints = get_type_hints(params_type)
    found: list[problems.Problem] = []
    values: dict[str, Any] = {}

    def source(name: str) -> str:
        return (sources or {}).get(f"{key}.{name}", "settings")

    for name, value in table.items():
        if name not in fields:
            allowed = ", ".join(fields) or "no parameter at all"
            found.append(problems.Problem(source(name), f"{key}.{name}", shown(value), "is not a parameter", allowed))
            continue
        try:
            values[name] = _read(hints[name], value)
        except ValueError:
            allowed = _words(hints[name])
            found.append(problems.Problem(source(name), f"{key}.{name}", shown(value), "does not fit", allowed))
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in table:
            found.append(problems.Problem("settings", f"{key}.{name}", "", "is missing", _words(hints[name])))
    if not found:
        try:
            return params_type(**values)
        except ValueError as error:
            given = ", ".join(f"{name} = {shown(value)}" for name, value in table.items()) or "the defaults"
            where = ", ".join(sorted({source(name) for name in table})) or "settings"
            found.append(problems.Problem(where, key, given, str(error)))
    raise problems.refuse(found)


def _read(hint: Any, value: object) -> object:
    """Strictly, by JSON's rules: text to Decimal and enum, list to tuple, and nothing else changes its type."""
    from pydantic import TypeAdapter  # noqa: PLC0415 -- 0.1 s, once a module starts

    if _holds_decimal(hint) and not isinstance(value, str | list | tuple):
        raise ValueError("an amount is quoted text")
    if isinstance(value, list | tuple) and _holds_decimal(hint) and not all(isinstance(item, str) for item in value):
        raise ValueError("an amount is quoted text")
    return TypeAdapter(hint).validate_json(json.dumps(value, allow_nan=False), strict=True)


def _holds_decimal(hint: Any) -> bool:
    return hint is Decimal or any(_holds_decimal(each) for each in get_args(hint))


def _words(hint: Any) -> str:
    plain = {
        int: "a whole number",
        float: "a finite number",
        bool: "true or false",
        str: "quoted text",
        Decimal: 'a quoted amount such as "1.5"',
    }
    if hint in plain:
        return plain[hint]
    return str(hint).replace("typing.", "") if get_origin(hint) else getattr(hint, "__name__", str(hint))
