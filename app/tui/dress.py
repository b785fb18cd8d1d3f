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

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 -- Textual's
        """The same segments, drawn with what every terminal has."""
        return [
            each if each.control or each.text.isascii() else Segment(plain(each.text), each.style) for each in segments
        ]


def plain(text: str) -> str:
    """`text` in ASCII, as many cells wide."""
    return "".join(each if each.isascii() else _STAND_INS.get(each, "?" * cell_len(each)) for each in text)


def dress(app: App[Any]) -> None:
    """Plain or not, as the terminal is now."""
    # Textual keeps its own filters (for NO_COLOR) here and has no other door for one that draws toasts and frames too.
    found = next((each for each in app._filters if isinstance(each, PlainFilter)), None)  # noqa: SLF001 -- as said
    if found is None:
        found = PlainFilter()
        app._filters.append(found)  # noqa: SLF001 -- as said
    found.enabled = app.has_class("-ascii")  # one that does nothing still costs every line


def tidy_toasts(screen: Screen[Any]) -> None:
    """Only the newest stay: a third one would cover what is worked with. Each is told elsewhere too."""
    for each in list(screen.query("ToastHolder"))[:-MOST_TOASTS]:
        each.display = False
