"""Context help: the page of the screen or dialog one is on, then the keys that work everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from textual.app import ComposeResult
from textual.containers import Container

from app.tui.screens.dialog import Dialog
from app.tui.widgets.lines import Line, line, wrapped
from app.tui.widgets.reader import Reader
from app.tui.widgets.status import KeyLine, StatusLine

_ENTRY: Final = re.compile(r"- ((?:`[^`]+`(?:\.\.| )?)+)")
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
        reader = self.query_one(Reader)
        reader.show()
        self.query_one("#help").border_subtitle = reader.more

    def action_help(self) -> None:
        """`?` once more goes back."""
        self.dismiss(None)

    def _lines(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for text in _paragraphs(self._text):
            if text.startswith("#"):
                lines.append(line((text.lstrip("# "), "title")))
            elif found := _ENTRY.match(text):
                lines += _key(_keys(found[1]), text[found.end() :], width)
            else:
                lines += wrapped(text.replace("`", ""), width)
        return lines


def _paragraphs(text: str) -> list[str]:
    """The page without the line breaks inside its paragraphs and entries: it is wrapped to the screen."""
    found: list[str] = []
    for each in text.splitlines():
        if found and each and found[-1] and not each.startswith(("#", "- ")) and not found[-1].startswith("#"):
            found[-1] += f" {each.strip()}"
        else:
            found.append(each)
    return found


def _keys(quoted: str) -> str:
    """``b, s`` of "`b` `s`", ``1 .. 8`` of "`1`..`8`"; signs have a blank between, as a comma would look like one."""
    keys = quoted.strip().strip("`").replace("`..`", " .. ").split("` `")
    return (", " if any(key[0].isalnum() for key in keys) else " ").join(keys)


def _key(key: str, text: str, width: int) -> list[Line]:
    """A key and what it does, in two columns."""
    first, *more = wrapped(text.replace("`", ""), max(width - 16, 10))
    head = line((f"  {key:<13} ", "key"), *first.pieces)
    return [head, *(line(" " * 16, *each.pieces) for each in more)]
