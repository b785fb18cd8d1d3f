"""What the dialogs have in common: the status line stays, Escape goes back, Enter never submits."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from app.tui.widgets.status import KeyLine

if TYPE_CHECKING:
    from app.tui.app import Terminal
    from app.tui.host import Host


SCROLLING: Final = (
    ("up,k", -1),
    ("down,j", 1),
    ("pageup,ctrl+u", -8),
    ("pagedown,ctrl+d,space", 8),
    ("home,g", -1_000_000),
    ("end,G", 1_000_000),
)
"""Keys of a dialog that scroll its text, and by how many lines."""


class Dialog(ModalScreen[None]):
    """In front of a screen until it is dismissed."""

    SCOPED_CSS = False
    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background; }
    Dialog .frame {
        width: 100%; height: 1fr; max-width: 110; max-height: 46; background: $surface; border: round $primary;
        padding: 0 1; border-subtitle-align: left;
    }
    Dialog .-small { height: auto; max-width: 76; }
    .-ascii .frame { border: ascii $primary; }
    Dialog .choices { height: 1; layout: horizontal; margin: 0 0 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", show=False),
        Binding("question_mark,f1", "help", "help", show=False),
    ]
    topic: ClassVar[str] = ""
    app: Terminal

    @property
    def host(self) -> Host:
        """The engine."""
        return self.app.host

    def refresh_view(self) -> None:
        """Draw what changed, unless it is not there yet or not any more: the key line comes last and goes first."""
        if self.is_mounted and self.query(KeyLine):
            self.draw()

    def draw(self) -> None:
        """Draw what changed."""

    def hints(self) -> list[tuple[str, str]]:
        """Keys of this dialog."""
        return [("Esc", "back"), ("?", "help"), ("!", "STOP")]

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Go away, once, and not before it is there. A dialog that is on its way out is still told to draw, and Textual
        pops whatever is in front: the device that has its answer took the confirmation behind it along. One that Escape
        ended before it was mounted would look for what it never had."""
        if self.is_active and not self.is_mounted:
            self.call_later(self._leave)
        elif self.is_active:
            return super().dismiss(result)
        return AwaitComplete()

    def _leave(self) -> None:
        self.dismiss(None)  # what it returns may not be awaited here

    def action_back(self) -> None:
        """Leave without doing anything."""
        self.dismiss(None)

    def action_help(self) -> None:
        """What can be done here."""
        self.app.do.help()
