"""A widget of whole lines. A change redraws the lines that changed and no others: about 3 ms for a full pane, where a
DataTable takes 50."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from app.tui import themes

if TYPE_CHECKING:
    from rich.style import Style
    from textual.events import Resize

ELLIPSIS: Final = "…"
_INSIDE: Final = re.compile(r"[0-9.,][0-9]|[0-9][.,%]", re.ASCII)
"""Both sides of a cut within a number."""
_NUMBER_BEGUN: Final = re.compile(r"[$+-]?[0-9.,]+$", re.ASCII)

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


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` cells, cut with an ellipsis or padded. What stands at the right is a number: the first
    digits of one are another one, so it is shown whole or as an ellipsis; nor does a cut text end within a number."""
    if cell_len(text) > width:
        text = "" if width < 1 else ELLIPSIS if right else cut(text, width)
    padding = " " * (width - cell_len(text))
    return padding + text if right else text + padding


def cut(text: str, width: int) -> str:
    """The beginning of `text` and an ellipsis, in at most `width` cells; a number that would be cut is left out."""
    kept = set_cell_size(text, max(width - 1, 0)).rstrip()
    if _INSIDE.match(text[len(kept) - 1 : len(kept) + 2]):
        kept = _NUMBER_BEGUN.sub("", kept)
    return kept + ELLIPSIS


def width_of(pieces: Sequence[Piece]) -> int:
    """Cells that the pieces take."""
    return sum(cell_len(text) for text, _ in pieces)


def flowed(groups: Sequence[Sequence[Piece]], width: int, indent: str = "  ") -> list[Line]:
    """Groups of pieces one after the other, a blank between; one that has no room left begins another line. A group
    wider than a line is wrapped at its spaces, in the role of its last piece."""
    result: list[Line] = []
    current: list[Piece] = []
    for group in groups:
        gap = [(" ", "")] if current else []
        if width_of([*current, *gap, *group]) <= width:
            current += [*gap, *group]
            continue
        if current:
            result.append(line(*current))
        current = [(indent, ""), *group] if result else list(group)
        if width_of(current) > width:
            more = wrapped("".join(text for text, _ in current), width, current[-1][1], indent)
            result += more[:-1]
            current = list(more[-1].pieces)
    return [*result, line(*current)] if current else result


def clipped(each: Line, width: int) -> Line:
    """A line that has room: what is too much goes from its end, with an ellipsis, and never within a number."""
    if width_of(each.pieces) <= width:
        return each
    kept: list[Piece] = []
    for text, role in each.pieces:
        left = width - width_of(kept)
        if cell_len(text) > left or (cell_len(text) == left and each.pieces[-1] != (text, role)):
            whole = "".join(piece for piece, _ in each.pieces[len(kept) :])
            return Line((*kept, (cut(whole, left), role)), each.base) if whole.strip() else each
        kept.append((text, role))
    return each


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
        self._drawn = (0, "", False)
        self._title = ""

    def content(self, width: int, height: int) -> Sequence[Line]:
        """The lines for a body of `width` x `height` cells; at most `height` of them are shown."""
        raise NotImplementedError

    def show(self) -> None:
        """Draw what changed since the last time."""
        width, height = self.content_size
        if not (width and height and self.is_attached):
            return
        new = [clipped(each, width) for each in list(self.content(width, height))[:height]]
        new += [Line()] * (height - len(new))
        look = self._look()
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

    def entitle(self, title: str) -> None:
        """Give the frame a title. Textual draws the whole widget anew for one, the same one too."""
        if title != self._title:
            self._title = title
            self.border_title = title

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Without the one that makes true colours of a terminal's own: the roles have true colours, or in the ANSI
        theme must not be changed. It cost a twelfth of all drawing."""
        return [each for each in super().get_line_filters() if not isinstance(each, ANSIToTruecolor)]

    def forget(self) -> None:
        """What is drawn looks otherwise now: draw all of it."""
        self._drawn = (0, "", False)
        self.show()

    def render_line(self, y: int) -> Strip:
        """The line at `y`, as it was last shown."""
        if self._drawn != self._look():
            self.show()
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.content_size.width, self.rich_style)

    def text_lines(self) -> list[str]:
        """What is drawn, as plain text: for tests and the clipboard."""
        return ["".join(text for text, _ in each.pieces) for each in self._lines]

    def on_resize(self, _event: Resize) -> None:
        """Draw for the new size."""
        self.show()

    def _look(self) -> tuple[int, str, bool]:
        return self.content_size.width, self.app.theme, self.app.has_class("-ascii")

    def _strip(self, each: Line, width: int) -> Strip:
        base = self.rich_style + self._style(each.base)
        segments = [Segment(text, base + self._style(role)) for text, role in each.pieces if text]
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, role: str) -> Style:
        return themes.style(self.app.theme, role)
