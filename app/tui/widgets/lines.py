"""A widget of whole lines. A change redraws the lines that changed and no others: about 3 ms for a full pane, where a
DataTable takes 50."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from app.tui import themes

if TYPE_CHECKING:
    from rich.style import Style
    from textual.events import Resize

Piece = tuple[str, str]
"""Text and its role in the theme ("" is plain). The text is shown as it is: no markup; untrusted text is escaped
where it comes in."""


class Line(NamedTuple):
    """One line; `base` is the role that lies under all its pieces."""

    pieces: tuple[Piece, ...] = ()
    base: str = ""


def line(*pieces: Piece | str, base: str = "") -> Line:
    """A line of pieces; a bare text is plain."""
    return Line(tuple((piece, "") if isinstance(piece, str) else piece for piece in pieces), base)


def fit(text: str, width: int, *, right: bool = False, ellipsis: str = "…") -> str:
    """`text` in exactly `width` cells, cut with an ellipsis or padded."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, max(width - 1, 0)) + ellipsis[:width] if width > 0 else ""
    padding = " " * (width - length)
    return padding + text if right else text + padding


def width_of(pieces: Sequence[Piece]) -> int:
    """Cells that the pieces take."""
    return sum(cell_len(text) for text, _ in pieces)


def wrapped(text: str, width: int, role: str = "", indent: str = "") -> list[Line]:
    """`text` in lines of at most `width` cells, broken at spaces; further lines begin with `indent`."""
    result: list[Line] = []
    current = ""
    for word in text.split(" "):
        for part in _parts(word, max(width - len(indent), 1)):
            joined = f"{current} {part}" if current else part
            if cell_len(joined) > width and current:
                result.append(line((current, role)))
                current = indent + part
            else:
                current = joined
    return [*result, line((current, role))]


def _parts(word: str, width: int) -> list[str]:
    return [word[start : start + width] for start in range(0, len(word), width)] or [""]


class Lines(Widget):
    """Subclasses say what the lines are; `show` draws what differs from what is drawn."""

    DEFAULT_CSS = "Lines { height: 1fr; width: 1fr; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._strips: list[Strip] = []
        self._drawn = (0, "")

    def content(self, width: int, height: int) -> Sequence[Line]:
        """The lines for a body of `width` x `height` cells; at most `height` of them are shown."""
        raise NotImplementedError

    def show(self) -> None:
        """Draw what changed since the last time."""
        width, height = self.content_size
        if not (width and height and self.is_attached):
            return
        new = list(self.content(width, height))[:height]
        new += [Line()] * (height - len(new))
        look = (width, self.app.theme)
        everything = look != self._drawn or len(new) != len(self._lines)
        old, self._lines, self._drawn = self._lines, new, look
        if everything:
            self._strips = [self._strip(each, width) for each in new]
            self.refresh()
            return
        for number, each in enumerate(new):
            if each != old[number]:
                self._strips[number] = self._strip(each, width)
                self.refresh(Region(0, number, width, 1))

    def render_line(self, y: int) -> Strip:
        """The line at `y`, as it was last shown."""
        if self._drawn != (self.content_size.width, self.app.theme):
            self.show()
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.content_size.width, self.rich_style)

    def text_lines(self) -> list[str]:
        """What is drawn, as plain text: for tests and the clipboard."""
        return ["".join(text for text, _ in each.pieces) for each in self._lines]

    def on_resize(self, _event: Resize) -> None:
        """Draw for the new size."""
        self.show()

    def _strip(self, each: Line, width: int) -> Strip:
        base = self.rich_style + self._style(each.base)
        segments = [Segment(text, base + self._style(role)) for text, role in each.pieces if text]
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, role: str) -> Style:
        return themes.style(self.app.theme, role)
