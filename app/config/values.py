"""One value of a setting in its three forms: what TOML or the environment gives, what the program uses, and the one
canonical text that is shown, hashed and journaled."""

from __future__ import annotations

import json
import math
import re
import tomllib
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

from app.money import to_text
from app.redact import redact_text
from app.text import escape_untrusted

_AMOUNT: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_INTEGER: Final = re.compile(r"-?[0-9]{1,4000}")
"""As long as int() reads it; the bounds of each setting refuse what is too large, with the right words."""
_LONG_AMOUNT: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN: Final = 60


class Kind(StrEnum):
    """How a setting is written."""

    AMOUNT = "amount"
    INTEGER = "integer"
    SWITCH = "switch"
    TEXT = "text"
    LIST = "list"
    FREE = "free"
    """A module's own parameter: any TOML value, checked by the module."""


class UnquotedNumber(float):
    """A TOML float that still knows its digits, for the message that refuses it."""

    def __new__(cls, text: str) -> Self:
        """From the text between the equals sign and the line's end."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str


def read_amount(value: object) -> Decimal:
    """An exact decimal from quoted text.

    Raises:
        ValueError: anything else, saying how to write it.
    """
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float | int) and not isinstance(value, bool):
        digits = shown(value)
        why = " (a plain number would lose digits)" if isinstance(value, float) else ""
        raise ValueError(f'an amount is quoted text: write "{digits}"{why}')  # noqa: TRY004 -- pydantic reads ValueError
    if not isinstance(value, str):
        raise ValueError("an amount is quoted text")  # noqa: TRY004 -- as above
    if not _AMOUNT.fullmatch(value) and _LONG_AMOUNT.fullmatch(value):
        raise ValueError("too long: at most 30 digits before the point and 30 after it")
    if not _AMOUNT.fullmatch(value):
        raise ValueError("not a plain decimal: digits, at most one point, no exponent, no separators")
    return Decimal(to_text(Decimal(value)))


def read_speed(value: object) -> str:
    """``max`` or how many market seconds pass per second, canonical.

    Raises:
        ValueError: neither.
    """
    if value == "max":
        return "max"
    speed = read_amount(value)
    if not 0 < speed <= 1_000_000:
        raise ValueError("out of bounds")
    return to_text(speed)


def read_list(value: object) -> object:
    """A list as a tuple, which does not change; anything else stays, for the schema to refuse."""
    return tuple(value) if isinstance(value, list) else value


def read_param(value: object) -> object:
    """A module parameter: a scalar, or a list of scalars as a tuple.

    Raises:
        ValueError: a table, a date, a nested list, NaN, an infinity or text that is not Unicode.
    """
    if isinstance(value, list | tuple):
        return tuple(_read_scalar(item) for item in value)
    return _read_scalar(value)


def _read_scalar(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) >= 2**63:
            raise ValueError("a whole number beyond 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("not a finite number")
        return float(value)
    if isinstance(value, str):
        if value.encode("utf-8", "replace").decode() != value:
            raise ValueError("not Unicode text")
        return value
    raise ValueError("a table, a date or a nested list")


def from_argument(kind: Kind, text: str) -> object:
    """What TOML would have given for `text` of an environment variable or a flag. What does not fit stays text, for
    the schema to refuse."""
    if kind is Kind.INTEGER and _INTEGER.fullmatch(text):
        return int(text)
    if kind is Kind.SWITCH and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if kind is Kind.LIST:
        return [item.strip() for item in text.split(",")] if text else []
    return _toml_value(text) if kind is Kind.FREE else text


def _toml_value(text: str) -> object:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if len(parsed) == 1 else text


def canonical(kind: Kind, value: object) -> str:
    """The one text of a validated value; `from_argument` reads it back."""
    if kind is Kind.FREE:
        return _literal(value)
    if isinstance(value, Decimal):
        return to_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def toml_literal(kind: Kind, text: str) -> str:
    """A canonical text as it stands in a TOML file."""
    if kind is Kind.LIST:
        return _literal(tuple(text.split(",")) if text else ())
    return text if kind in {Kind.INTEGER, Kind.SWITCH, Kind.FREE} else _literal(text)


def _literal(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL, which TOML wants escaped and JSON leaves.
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def shown(value: object) -> str:
    """A value for a message: on one line, short, without secrets, whatever it holds."""
    if isinstance(value, str):
        return f'"{escape_untrusted(redact_text(value), _SHOWN)}"'
    if isinstance(value, UnquotedNumber):
        text = value.text
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int):
        # str() of an int refuses more than 4300 digits, and TOML's hexadecimal form has no bound.
        text = str(value) if abs(value) < 10**40 else "a number of more than 40 digits"
    else:
        text = _described(value)
    return escape_untrusted(text, _SHOWN)


def _described(value: object) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    return "not set" if value is None else str(value)


def dotted(parts: tuple[object, ...]) -> str:
    """A key as TOML writes it; odd parts are quoted and escaped."""
    return ".".join(_key(str(part)) for part in parts)


def _key(part: str) -> str:
    if _BARE_KEY.fullmatch(part) and len(part) <= _SHOWN:
        return part
    return f'"{escape_untrusted(redact_text(part), _SHOWN)}"'
