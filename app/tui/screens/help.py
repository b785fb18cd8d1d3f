"""Context help: the page of the screen or dialog one is on, then the keys that work everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from textual.app import ComposeResult
from textual.containers import Container

from app.tui.screens.dialog import Dialog
from app.tui.widgets.lines import Line, line, wrapped
from app.tui.widgets.reader import Reader
from app.tui.widgets.status import KeyLine, StatusLine

_FOLDER: Final = Path(__file__).parent.parent / "help"


class HelpDialog(Dialog):
    """One page."""

    def __init__(self, topic: str) -> None:
        super().__init__()
        pages = [each for each in (topic, "everywhere") if each]
        self._text = "\n\n".join((_FOLDER / f"{page}.md").read_text("utf-8").strip() for page in pages)

    def compose(self) -> ComposeResult:
        """The page, scrolling."""
        yield StatusLine()
        with Container(classes="frame", id="help"):
            yield Reader(self._lines, id="page")
        yield KeyLine()

    def on_mount(self) -> None:
        """Ready to scroll."""
        self.query_one("#help").border_title = "Help"
        self.query_one(Reader).focus()

    def draw(self) -> None:
        """Draw."""
        self.query_one(Reader).show()

    def action_help(self) -> None:
        """`?` once more goes back."""
        self.dismiss(None)

    def _lines(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for text in self._text.splitlines():
            if text.startswith("#"):
                lines.append(line((text.lstrip("# "), "title")))
            elif text.startswith("- `"):
                key, _, rest = text[3:].partition("`")
                lines += _key(key, rest.strip(), width)
            else:
                lines += wrapped(text, width)
        return lines


def _key(key: str, text: str, width: int) -> list[Line]:
    """A key and what it does, in two columns."""
    first, *more = wrapped(text, max(width - 16, 10))
    head = line((f"  {key:<13} ", "key"), *first.pieces)
    return [head, *(line(" " * 16, *each.pieces) for each in more)]
