"""One thing in full, scrolling."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Container

from app.tui.screens.dialog import Dialog
from app.tui.screens.facts import fact
from app.tui.widgets.lines import Line
from app.tui.widgets.reader import Reader
from app.tui.widgets.status import KeyLine, StatusLine


class TextDialog(Dialog):
    """Labels and what they say; an empty text is left out."""

    def __init__(self, title: str, facts: Sequence[tuple[str, str, str]], *, topic: str = "") -> None:
        super().__init__()
        self._title, self._facts = title, [each for each in facts if each[1]]
        self.help_topic = topic

    def compose(self) -> ComposeResult:
        """The text."""
        yield StatusLine()
        with Container(classes="frame", id="text"):
            yield Reader(self._lines, id="facts")
        yield KeyLine()

    def on_mount(self) -> None:
        """Ready to scroll."""
        self.query_one("#text").border_title = self._title
        self.query_one(Reader).focus()

    def draw(self) -> None:
        """Draw."""
        reader = self.query_one(Reader)
        reader.show()
        self.query_one("#text").border_subtitle = reader.more

    def _lines(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for label, text, role in self._facts:
            lines += fact(label, text, width, role)
        return lines
