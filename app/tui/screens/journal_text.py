"""Journal rows, a trade's life and a verification as lines. Pure."""

from __future__ import annotations

from typing import Final

from app.reports_journal import MOST_OF_A_LIFE, JournalDetail, Life
from app.text import counted, escape_untrusted
from app.tui import words
from app.tui.screens.facts import fact, heading, state_words
from app.tui.widgets.lines import Line, line, wrapped
from app.verification import Checked, Verified

_ROLES: Final = (
    ("trade.unknown", "error"),
    ("order.unanswered", "error"),
    ("stop.", "error"),
    ("trade.filled", "ok"),
    ("order.filled", "ok"),
    ("trade.denied", "dim"),
    ("trade.expired", "dim"),
    ("trade.rejected", "warn"),
    ("trade.failed", "warn"),
)
_MOST_FINDINGS: Final = 200
_LONG: Final = 2_000
"""Characters of one value; a payload's text is longer than any other."""


def role_of(kind: str) -> str:
    """How a kind is drawn."""
    return next((role for start, role in _ROLES if kind.startswith(start)), "")


def row(each: JournalDetail | None, missing: str, width: int) -> list[Line]:
    """One row with all it committed; `missing` says why it is not there."""
    if each is None:
        return wrapped(escape_untrusted(missing) or "reading", width, "error" if missing else "dim")
    lines = [line((f"{each.row.seq:,}  ", "dim"), (escape_untrusted(each.row.kind), "title"))]
    lines += fact("time", words.clock(each.row.ts_ms), width)
    lines += fact("subject", each.row.subject or "-", width)
    lines += fact("hash", each.row.hash, width)
    lines += fact("before it", each.prev_hash, width)
    if each.body:
        lines += [
            *heading("Its body, which is none of ours"),
            *wrapped(escape_untrusted(each.body, _LONG), width, "error"),
        ]
    if each.changes:
        lines += heading("Changes")
    for entity, values in each.changes:
        lines += _value(entity, " ".join(values), width)
    for table, columns in each.facts:
        lines += heading(table)
        for name, value in columns:
            lines += _value(name, value, width)
    return lines


def _value(name: str, value: str, width: int) -> list[Line]:
    """Texts of several lines keep them."""
    first, *more = value[:_LONG].split("\n")
    lines = fact(escape_untrusted(name, 12), first, width)
    for each in more:
        lines += wrapped(f"  {escape_untrusted(each)}", width, "", "  ")
    return lines


def life(each: Life, marked: int, width: int) -> list[Line]:
    """All rows of a trade, the first in front; `marked` is where one came from."""
    lines = wrapped(f"{escape_untrusted(each.name)} by {escape_untrusted(each.module)}", width, "title")
    lines += fact("trade", each.trade_id, width)
    lines += fact("is now", f"{state_words(each.state)}{': ' + each.reason if each.reason else ''}", width)
    lines.append(Line())
    for each_row in each.rows:
        base = "cursor" if each_row.seq == marked else ""
        lines.append(
            line(
                (f"{each_row.seq:>7,} ", "dim"),
                (f"{words.clock(each_row.ts_ms)} ", "dim"),
                (escape_untrusted(each_row.kind), role_of(each_row.kind)),
                base=base,
            )
        )
        lines += [
            Line(part.pieces, base)
            for part in wrapped(f"  {escape_untrusted(each_row.changes, 400)}", width, "label", "  ")
        ]
    if each.more:
        lines += wrapped(f"Its first {MOST_OF_A_LIFE} rows; / and its id finds the others.", width, "dim")
    return lines


def progress_words(seen: Checked) -> str:
    """How far a verification is."""
    if not seen.of:
        return "Verifying: looking at the tables"
    left = "" if seen.left_ms is None else f", about {words.span(seen.left_ms + 999)} left"
    return f"Verifying {seen.part}: {seen.rows:,} of {seen.of:,} rows{left}"


def verdict(found: Verified) -> tuple[str, str]:
    """What a verification came to, in one line, and its role."""
    if found.findings:
        return f"NOT VERIFIED: {counted(len(found.findings), 'finding')}", "error"
    unseen = "" if found.mirror is not None else "; no readable .head beside it, so a cut end would not be seen"
    return f"Verified: {counted(found.head.seq, 'row')}, head {found.head.hash.hex()[:16]}{unseen}", "ok"


def verification(seen: Checked | None, found: Verified | None, refused: str, width: int) -> list[Line]:
    """One that runs, or one that ended."""
    if seen is not None:
        lines = wrapped(progress_words(seen), width, "warn")
        return [*lines, Line(), *wrapped("The engine goes on. Leaving this screen cancels it.", width, "dim")]
    if refused or found is None:
        return wrapped(escape_untrusted(refused), width, "error") if refused else []
    said, role = verdict(found)
    lines = wrapped(said, width, role)
    if not found.findings:
        text = (
            "The chain is whole, every signature is its address's, and orders, positions and balances follow from it."
        )
        return [*lines, Line(), *wrapped(text, width)]
    lines += [
        Line(),
        *wrapped("Do not trade on this database. Copy it, then restore a backup.", width, "error"),
        Line(),
    ]
    for finding in found.findings[:_MOST_FINDINGS]:
        place = "" if finding.seq is None else f" (row {finding.seq})"
        lines += wrapped(escape_untrusted(f"{finding.table}{place}: {finding.what}", _LONG), width, "", "  ")
    if len(found.findings) > _MOST_FINDINGS:
        lines += wrapped(f"and {len(found.findings) - _MOST_FINDINGS} more: countersign journal verify", width, "dim")
    return lines
