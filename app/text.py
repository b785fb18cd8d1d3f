"""Text from outside (exchange errors, token names, file contents) made safe to show.

What a terminal obeys rather than shows (control characters, ANSI and OSC sequences), what reorders or hides text (bidi
controls, zero-width and tag characters, blank letters) and what a spreadsheet would run becomes visible or inert here.
Markup is the screen's own business: it renders untrusted text as plain text.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that draw nothing, so two names could look alike: Hangul fillers, the blank braille cell, variation
# selectors, the combining grapheme joiner, Mongolian separators, Khmer inherent vowels.
_BLANKS = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
    | {*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
)
_PLAIN = re.compile(r"[ -~]*")
_MARKS_IN_A_ROW = 2
"""More combining marks on one character than any living orthography stacks would paint over the lines around it."""


def escape_untrusted(text: str, limit: int = 0) -> str:
    """`text` with everything a terminal would obey or hide written out as ``\\x1b`` or ``\\u202e``, on one line.

    Escaping twice changes nothing. A backslash stays as it is, so the result is for eyes, not for decoding.

    Args:
        limit: keep at most this many characters of the result and say how many were left out; 0 keeps all.
    """
    shown = text if _PLAIN.fullmatch(text) else _escape(text)
    if limit and len(shown) > limit:
        return f"{shown[:limit]}... ({len(shown) - limit} more)"
    return shown


def _escape(text: str) -> str:
    parts = []
    marks = 0
    for character in text:
        escaped = _escaped(character)
        marks = marks + 1 if escaped == character and unicodedata.combining(character) else 0
        parts.append(_code(character) if marks > _MARKS_IN_A_ROW else escaped)
    return "".join(parts)


@lru_cache(maxsize=4096)
def _escaped(character: str) -> str:
    category = unicodedata.category(character)
    if category in _ESCAPED_CATEGORIES or ord(character) in _BLANKS:
        return _code(character)
    # All spaces but the plain one: they look like it and differ from it.
    return _code(character) if category == "Zs" and character != " " else character


def _code(character: str) -> str:
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
# OWASP "CSV Injection": = + - @ and TAB or CR begin a formula; some locales also take the full-width forms.
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "＝", "＋", "－", "＠")  # noqa: RUF001 -- meant


def counted(count: int, noun: str) -> str:
    """``1 trade``, ``2 trades``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def stopped(cancelled: int, kept: int, sold: int) -> str:
    """What an emergency stop did, for whoever asked for it, the journal and the screens."""
    orders, exits, positions = counted(cancelled, "entry order"), counted(kept, "exit"), counted(sold, "position")
    return f"{orders} cancelled, {exits} kept, {positions} sold"


def lasting(ms: int) -> str:
    """``45 s``, ``4 min 10 s``, ``2 h 5 min``: begun seconds count, so that 0 s is over."""
    seconds = -(-max(ms, 0) // 1000)
    minutes, hours = seconds // 60, seconds // 3600
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def csv_guard(cell: str) -> str:
    """`cell` such that a spreadsheet shows it instead of running it: a leading apostrophe where it could be a formula.

    A plain number keeps its sign and gets no apostrophe. Source: OWASP, "CSV Injection".
    """
    if _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}" if cell.startswith(_FORMULA_START) or cell.lstrip().startswith(_FORMULA_START) else cell
