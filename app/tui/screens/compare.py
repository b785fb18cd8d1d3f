"""The first time a hardware wallet is used: its address, here and on its own screen, compared by its person."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container

from app.tui.host import Stage
from app.tui.screens.ask import Words
from app.tui.screens.dialog import Dialog
from app.tui.widgets.status import KeyLine, StatusLine


class CompareDialog(Dialog):
    """In front while the session opens; goes away with the device's answer, or with Escape, which decides nothing."""

    topic = "compare"

    def __init__(self, words: str) -> None:
        super().__init__()
        self._text = words

    def compose(self) -> ComposeResult:
        """What to compare, and where to answer."""
        yield StatusLine()
        with Container(classes="frame -small", id="compare"):
            yield Words(
                [
                    (self._text, "title"),
                    ("", ""),
                    ("From then on only this device and this account sign for this database.", ""),
                    ("If it differs, refuse on the device: nothing is registered.", "label"),
                ]
            )
        yield KeyLine()

    def on_mount(self) -> None:
        """What it is about."""
        self.query_one("#compare").border_title = "Register the device's account"

    def hints(self) -> list[tuple[str, str]]:
        """The answer is given on the device."""
        return [("Esc", "back, the device goes on waiting"), ("?", "help"), ("!", "STOP")]

    def draw(self) -> None:
        """Draw; go away once the session is open, or failed to."""
        if self.host.stage is not Stage.OPENING:
            self.dismiss(None)
            return
        self.query_one(Words).show()
