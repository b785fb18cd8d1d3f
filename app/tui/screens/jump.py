"""Jump mode: a letter on each pane; typing it goes there."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.events import Key
from textual.widgets import Static

from app.tui.screens.dialog import Dialog
from app.tui.widgets.status import StatusLine

if TYPE_CHECKING:
    from textual.widget import Widget

    from app.tui.screens.view import View


class JumpDialog(Dialog):
    """Letters over the panes of one screen."""

    DEFAULT_CSS = """
    JumpDialog { align: left top; background: $background 30%; }
    JumpDialog .letter { position: absolute; width: auto; height: 1; background: $primary; color: $background; }
    """
    topic = "everywhere"

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view
        self._targets: dict[str, Widget] = dict(zip(ascii_lowercase, view.panes(), strict=False))

    def compose(self) -> ComposeResult:
        """One label for each pane, at its corner; a pane that is hidden gets its letter in a row below."""
        yield StatusLine()
        hidden = 0
        for letter, pane in self._targets.items():
            title = str(pane.border_title or pane.id)
            label = Static(f" {letter} {title} ", markup=False, classes="letter")
            if pane.display and pane.region.area:
                label.styles.offset = (pane.region.x + 2, pane.region.y)
            else:
                label.styles.offset = (2, 3 + hidden)
                hidden += 1
            yield label

    def on_key(self, event: Key) -> None:
        """A letter goes to its pane; anything else goes back."""
        if event.key == "escape":
            return
        event.stop()
        pane = self._targets.get(event.key)
        self.dismiss(None)
        if pane is None:
            return
        self._view.show_pane(str(pane.id))
