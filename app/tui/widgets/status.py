"""The line at the top of every screen: what money is at stake, whether anything is wrong. Painted before the engine is
loaded; never hidden by a dialog, because each dialog has its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.tui import dress
from app.tui.widgets.lines import Line, Lines, Piece, fit, width_of

if TYPE_CHECKING:
    from app.tui.app import Terminal


class StatusLine(Lines):
    """One line, and a second one for an alarm."""

    DEFAULT_CSS = """
    StatusLine { dock: top; height: auto; min-height: 1; max-height: 2; background: $surface; width: 100%; }
    StatusLine.-alarm { height: 2; }
    ToastRack { margin: 0 0 1 0; scrollbar-size: 0 0; }
    ToastRack Toast { width: auto; max-width: 48; margin: 0; padding: 0 1; max-height: 5; }
    """
    SCOPED_CSS = False
    app: Terminal

    def get_content_height(self, *_: object) -> int:
        """One line, or two while there is an alarm."""
        return 2 if self.has_class("-alarm") else 1

    def content(self, width: int, height: int) -> list[Line]:
        """Pieces from the most to the least important, as many as fit."""
        alarm = self.app.alarm()
        lines = [Line(_fitting(self.app.status_pieces(), width))]
        if alarm:
            lines.append(Line(((fit(f" {alarm}", width), ""),), "alarm"))
        return lines[:height]

    def on_mount(self) -> None:
        """The first widget of every screen sees to what Textual adds to it."""
        dress.dress(self.app)

    def show(self) -> None:
        """Make room for an alarm, or take it back, then draw."""
        self.set_class(bool(self.app.alarm()), "-alarm")
        dress.tidy_toasts(self.screen)
        super().show()


def _fitting(pieces: list[tuple[Piece, ...]], width: int) -> tuple[Piece, ...]:
    """Whole groups, until the line is full."""
    shown: list[Piece] = []
    for group in pieces:
        gap: list[Piece] = [("  ", "")] if shown else []
        if width_of(shown) + width_of(gap) + width_of(group) > width:
            continue
        shown += [*gap, *group]
    return tuple(shown)


class KeyLine(Lines):
    """The keys of the moment, at the bottom."""

    DEFAULT_CSS = "KeyLine { dock: bottom; height: 1; background: $surface; width: 100%; }"
    app: Terminal

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- one line
        """As many hints as fit; `?` names the rest."""
        hints, focused = self.app.hints(), self.screen.focused
        if focused is not None and focused.check_consume_key("question_mark", "?"):  # a line to type on would keep it
            hints = [("F1" if key == "?" else key, text) for key, text in hints]
        groups: list[tuple[Piece, ...]] = [((key, "key"), (f" {text}", "dim")) for key, text in hints]
        return [Line(_fitting(groups, width))]
