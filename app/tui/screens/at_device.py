"""The frame of a dialog that waits for a hardware wallet: the answer is given on the device, never here."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from app.tui.screens.dialog import Dialog
from app.tui.widgets.choice import Choice
from app.tui.widgets.lines import Line
from app.tui.widgets.reader import Reader
from app.tui.widgets.status import KeyLine, StatusLine


class AtTheDevice(Dialog):
    """Lines to read, Escape to leave the device waiting, `x` to give up while it waits."""

    frame: ClassVar[str]
    """The id that the style sheet knows it by."""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("x", "give_up", "give up", show=False)]

    @property
    @abstractmethod
    def waits(self) -> bool:
        """Whether a device is asked for something that can be given up."""

    @abstractmethod
    def lines(self, width: int) -> list[Line]:
        """What there is to read."""

    @abstractmethod
    def action_give_up(self) -> None:
        """Wait no longer. The device may go on showing it."""

    def compose(self) -> ComposeResult:
        """The lines, then the choices."""
        yield StatusLine()
        with Container(classes="frame", id=self.frame):
            yield Reader(self.lines, id="lines", focusable=False)
            with Container(classes="choices"):
                yield Choice("Esc", "leave it waiting", id="leave")
                yield Choice("x", "give up", id="give-up", focusable=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Nothing that decides has the focus."""
        self.query_one("#leave").focus()
        self.call_after_refresh(self.refresh_view)

    def hints(self) -> list[tuple[str, str]]:
        """Keys of this dialog."""
        give_up = [("x", "give up")] if self.waits else []
        return [("Esc", "leave it waiting" if give_up else "back"), *give_up, ("?", "help"), ("!", "STOP")]

    def draw(self) -> None:
        """Draw."""
        self.query_one(Reader).show()
        self.query_one("#leave", Choice).set_label("leave it waiting" if self.waits else "back")
        self.query_one("#give-up", Choice).display = self.waits

    @on(Choice.Taken)
    def _chosen(self, event: Choice.Taken) -> None:
        {"leave": self.action_back, "give-up": self.action_give_up}[str(event.choice.id)]()
