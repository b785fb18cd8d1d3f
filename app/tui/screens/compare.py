"""The first time a hardware wallet is used: what its person is to do at it, and its address, here and on its own
screen, compared by them."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from app.text import escape_untrusted
from app.tui.host import Stage
from app.tui.screens.ask import Words
from app.tui.screens.dialog import Dialog
from app.tui.widgets.status import KeyLine, StatusLine

_COMPARE = (
    ("From then on only this device and this account sign for this database.", ""),
    ("If it differs, refuse on the device: nothing is registered.", "label"),
)
_WAIT = (
    ("Its account is not registered for this database yet, so the start waits for it. Nothing was sent.", ""),
    ("To start without it: quit, then countersign run --signer demo", "label"),
)


class CompareDialog(Dialog):
    """In front while the session opens; goes away with the device's answer, or with Escape, which decides nothing."""

    topic = "compare"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "quit", "quit", show=False)]

    def compose(self) -> ComposeResult:
        """What to do or to compare, and where to answer."""
        yield StatusLine()
        with Container(classes="frame -small", id="compare"):
            yield Words([])
        yield KeyLine()

    def on_mount(self) -> None:
        """What it is about."""
        self.query_one("#compare").border_title = "Register the device's account"
        self.call_after_refresh(self.refresh_view)

    def hints(self) -> list[tuple[str, str]]:
        """The answer is given on the device."""
        return [("Esc", "back, it goes on waiting"), ("q", "quit"), ("?", "help"), ("!", "STOP")]

    def draw(self) -> None:
        """Draw; go away once the session is open, or failed to."""
        host = self.host
        if host.stage is not Stage.OPENING or not host.first:
            self.dismiss(None)
            return
        live = host.launch is not None and host.launch.loaded.settings.profile == "live"
        below = _COMPARE if host.compares else _WAIT[:1] if live else _WAIT
        self.query_one(Words).tell(
            [(escape_untrusted(host.first), "title" if host.compares else "warn"), ("", ""), *below]
        )

    def action_quit(self) -> None:
        """End the start; nothing was registered."""
        self.app.do.leave()
