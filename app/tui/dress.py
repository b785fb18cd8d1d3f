"""What Textual brings along (toasts, the command palette, frames, scrollbars), dressed like the rest of the terminal:
plain ASCII where that is asked for, and toasts that leave room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.filter import LineFilter

if TYPE_CHECKING:
    from textual.app import App
    from textual.color import Color
    from textual.screen import Screen

MOST_TOASTS: Final = 2
_STAND_INS: Final = {
    **dict.fromkeys("─━═▔▁▂▀▄", "-"),
    **dict.fromkeys("│┃║▌▐▎▏▊▋█", "|"),
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼", "+"),
    "🔎": "/ ",
    "…": "~",
    "•": "*",
    "·": ".",
    "▲": "^",
    "▼": "v",
}


class PlainFilter(LineFilter):
    """Every character on the screen in ASCII while the terminal is `-ascii`; cells stay where they are."""

    def __init__(self, app: App[Any]) -> None:
        super().__init__()
        self._app = app

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 -- Textual's
        """The same segments, drawn with what every terminal has."""
        if not self._app.has_class("-ascii"):
            return segments
        return [
            each if each.control or each.text.isascii() else Segment(plain(each.text), each.style) for each in segments
        ]


def plain(text: str) -> str:
    """`text` in ASCII, as many cells wide."""
    return "".join(each if each.isascii() else _STAND_INS.get(each, "?" * cell_len(each)) for each in text)


def dress(app: App[Any]) -> None:
    """Once for each run of the screen."""
    # Textual keeps its own filters (for NO_COLOR) here and has no other door for one that draws toasts and frames too.
    if not any(isinstance(each, PlainFilter) for each in app._filters):  # noqa: SLF001 -- as said
        app._filters.append(PlainFilter(app))  # noqa: SLF001 -- as said


def tidy_toasts(screen: Screen[Any]) -> None:
    """Only the newest stay: a third one would cover what is worked with. Each is told elsewhere too."""
    for each in list(screen.query("ToastHolder"))[:-MOST_TOASTS]:
        each.display = False
