"""Columns, rows and lines of the Settings screen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from app.reports_settings import ConfigChange, SettingView
from app.settings_change import WORD
from app.text import counted, escape_untrusted
from app.tui import words
from app.tui.screens.facts import fact
from app.tui.widgets.lines import Line, line, wrapped
from app.tui.widgets.table import Column, Row

SETTINGS: Final = (Column("setting", 34), Column("value", 0), Column("source", 12, rank=1))
CHANGES: Final = (
    Column("when", 14),
    Column("setting", 30),
    Column("old", 0),
    Column("new", 0),
    Column("source", 14, rank=1),
    Column("version", 7, right=True, rank=2),
)
_SECTION: Final = "["


def section_of(key: str) -> str | None:
    """The section that a row stands for, or None."""
    return key[1:-1] if key.startswith(_SECTION) else None


def matching(seen: Sequence[SettingView], wanted: str) -> list[SettingView]:
    """Those whose name, value, source or meaning has every word of `wanted`."""
    parts = wanted.lower().split()
    return [s for s in seen if all(part in f"{s.key} {s.value} {s.source} {s.about}".lower() for part in parts)]


def settings(seen: Sequence[SettingView], folded: Collection[str]) -> list[Row]:
    """Sections with their settings below; those of a folded one are left out."""
    rows: list[Row] = []
    sections: dict[str, list[SettingView]] = {}
    for each in seen:
        sections.setdefault(each.section, []).append(each)
    for name, inside in sections.items():
        shut = name in folded
        if name:
            mark, count = ("+", counted(len(inside), "setting")) if shut else ("-", "")
            rows.append(Row(f"[{name}]", ((f"{mark} {name}", "title"), (count, "dim"), ("", ""))))
        rows += [] if shut else [_setting(each) for each in inside]
    return rows


def _setting(seen: SettingView) -> Row:
    name = seen.key.removeprefix(f"{seen.section}.")
    own = "dim" if seen.source == "default" else ""
    waits = "  (next start)" if seen.waits else ""
    return Row(
        seen.key,
        (
            (f"  {escape_untrusted(name)}" if seen.section else escape_untrusted(name), ""),
            (escape_untrusted(f"{seen.value}{waits}"), "warn" if seen.waits else own),
            (source(seen.source), own or "label"),
        ),
    )


def source(text: str) -> str:
    """Where a value comes from, short."""
    if text in {"default", "command line"}:
        return text if text == "default" else "flag"
    return "variable" if text.startswith("environment ") else "file"


def change(seen: ConfigChange) -> Row:
    """One journaled change."""
    return Row(
        f"{seen.seq}:{seen.key}",
        (
            (words.clock(seen.ts_ms), "dim"),
            (escape_untrusted(seen.key), ""),
            (escape_untrusted(seen.old or "-"), "dim"),
            (escape_untrusted(seen.new or "-"), "title"),
            (source(seen.source), "dim"),
            (str(seen.version), "dim"),
        ),
    )


def detail(seen: SettingView, width: int) -> list[Line]:
    """All there is to know of a setting."""
    lines = wrapped(escape_untrusted(seen.key), width, "title")
    lines += [*wrapped(escape_untrusted(seen.about), width), Line()]
    lines += fact("value", seen.value, width)
    lines += fact("source", seen.source, width)
    lines += fact("default", seen.default if seen.default is not None else "none", width)
    lines += fact("allowed", seen.allowed, width)
    if seen.waits:
        lines += fact("in force", f"{seen.in_force or 'none'} until the next start", width, "warn")
    lines += fact("a change", f"counts {seen.takes_effect}", width)
    if seen.limit:
        lines += fact("limit", f"making it looser needs the typed word {WORD}", width, "warn")
    return [*lines, Line(), line(("Enter", "key"), (" changes it", "dim"))]


def covered(seen: SettingView) -> str:
    """Why a change of the file will not be seen yet, or ""."""
    if seen.source == "command line" or seen.source.startswith("environment "):
        return f"The value comes from the {seen.source}: what the file says counts once that is gone."
    return ""
