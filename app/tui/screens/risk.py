"""Risk: every limit with how much of it is used, the profile that may only tighten them, what the gate turned away."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from textual.app import ComposeResult

from app.money import mul
from app.tui import words
from app.tui.screens.view import View
from app.tui.widgets.lines import Line, Lines, Piece, line, wrapped
from app.tui.widgets.table import Column, Row, Table

if TYPE_CHECKING:
    from app.execution.risk_view import RiskView as Picture
    from app.risk.usage import LimitUse
    from app.tui.app import Terminal

_COLUMNS: Final = (
    Column("limit", 0, least=32),
    Column("used", 12, right=True, rank=1),
    Column("of", 12, right=True),
    Column("unit", 8, rank=3),
    Column("share", 6, right=True),
    Column("", 10, rank=2),
    Column("set by", 10, rank=4),
    Column("about", 0, rank=5, least=40),
)
_ROLES: Final = {"ok": "", "near": "warn", "reached": "error"}
_EMPTY: Final = "The engine does not run, so nothing is measured. R starts it again."


class RiskView(View):
    """Limits in the middle, the profile above, denials and correlations below."""

    name_shown = "Risk"
    topic = "risk"
    SCOPED_CSS = False
    DEFAULT_CSS = """
    RiskView { layout: vertical; }
    RiskView #profile { height: 6; }
    RiskView #profile.-pilot { height: 8; }
    RiskView #limits { height: 1fr; }
    RiskView #denied { height: 8; }
    .-narrow RiskView #denied { height: 5; }
    """

    def compose(self) -> ComposeResult:
        """Three panes."""
        yield _Profile(id="profile")
        table = Table(_COLUMNS, empty=_EMPTY, id="limits")
        table.add_class("pane")
        table.border_title = "Limits"
        yield table
        yield _Denied(id="denied")

    def draw(self) -> None:
        """All of it, from one picture."""
        desk = self.host.desk
        table, profile, denied = self.query_one("#limits", Table), self.query_one(_Profile), self.query_one(_Denied)
        if desk is None:
            table.set_rows([])
            profile.set_picture(None)
            denied.set_picture(None)
            return
        from app.execution.risk_view import risk_view  # noqa: PLC0415 -- the engine behind it, after the first frame

        seen = risk_view(desk)
        rows = [_row("", use, self.app) for use in seen.uses]
        for each in seen.per_instrument:
            rows += [_row(each.symbol, use, self.app) for use in each.uses]
        table.set_rows(rows)
        profile.set_class(bool(seen.pilot), "-pilot")
        profile.set_picture(seen)
        denied.set_picture(seen)


def _row(symbol: str, use: LimitUse, app: Terminal) -> Row:
    role = _ROLES[use.state.value]
    eighths = min(80, int(use.share * 80))
    bar = app.glyphs.bar
    drawn = bar[-1] * (eighths // 8) + (bar[eighths % 8] if eighths % 8 else "")
    about = use.note if not symbol or symbol in use.note else f"{symbol} {use.note}".strip()
    tightened = use.source.value != "configured"
    return Row(
        f"{symbol} {use.name}",
        (
            (use.title if not symbol else f"{symbol}: {use.title}", "" if not symbol else "label"),
            ("unknown" if use.used is None else words.money(use.used), role),
            (words.money(use.limit), ""),
            (use.unit, "dim"),
            (f"{words.money(mul(use.share, Decimal(100)), 0)} %", role),
            (drawn, role or "ok"),
            (use.source.value if tightened else "settings", "warn" if tightened else "dim"),
            (about, "dim"),
        ),
    )


class _Panel(Lines):
    app: Terminal

    def __init__(self, *, id: str) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id, classes="pane")
        self._seen: Picture | None = None

    def set_picture(self, seen: Picture | None) -> None:
        """What to draw."""
        self._seen = seen
        self.show()


class _Profile(_Panel):
    """Equity, its fall from the peak, and the profile's level with its reason."""

    def on_mount(self) -> None:
        self.border_title = "Account"

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- four lines
        seen = self._seen
        if seen is None:
            return [line(("-", "dim"))]
        today = words.signed(seen.equity - seen.day_start_equity, self.app.glyphs)
        fall = words.signed(seen.equity - seen.peak, self.app.glyphs)
        level: Piece = (seen.level, "ok" if seen.level == "normal" else "warn")
        lines = [
            line(
                ("equity ", "dim"),
                words.money(seen.equity),
                ("   today ", "dim"),
                today,
                ("   from its peak ", "dim"),
                fall,
            )
        ]
        if seen.pilot:
            lines += wrapped(f"{seen.pilot}; {seen.pilot_notes[-1]}", width, "warn")
        if seen.halted:
            lines += wrapped(f"No new trades: {seen.halted}", width, "error")
        if not seen.adaptive:
            return [*lines, line(("The adaptive profile is off: risk.adaptive", "dim"))]
        since = f"  since {words.clock(seen.level_since_ms)}" if seen.level_since_ms else ""
        lines.append(line(("profile ", "dim"), level, (since, "dim"), ("  it may only tighten by itself", "dim")))
        return lines + (wrapped(seen.level_reason, width, "label") if seen.level_reason else [])


class _Denied(_Panel):
    """What the gate turned away since the start, and which holdings move together."""

    def on_mount(self) -> None:
        self.border_title = "Denied since the start"

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- as many lines as there are
        seen = self._seen
        if seen is None:
            return [line(("-", "dim"))]
        denied = sorted(seen.denied_by_rule.items(), key=lambda each: -each[1])
        text = "   ".join(f"{rule}: {count}" for rule, count in denied)
        lines = wrapped(text, width) if text else [line(("Nothing was denied.", "dim"))]
        for each in seen.correlations:
            value = "unknown, counted as 1" if each.value is None else words.money(each.value)
            lines.append(line((f"{each.one} and {each.other}: correlation ", "dim"), value))
        return lines
