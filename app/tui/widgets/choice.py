"""A choice at the foot of a dialog: a key, a label, and the mouse. Whether Enter may take it is decided where it is
made: one that submits never has the focus."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from app.tui.widgets.lines import Line, Lines, line


class Choice(Lines):
    """One choice."""

    DEFAULT_CSS = "Choice { height: 1; width: auto; margin: 0 2 0 0; } Choice:focus { background: $primary 40%; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "take", "take", show=False)]

    class Taken(Message):
        """It was clicked, or taken with Enter."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

        @property
        def control(self) -> Choice:
            """The choice."""
            return self.choice

    def __init__(self, key: str, label: str, *, id: str, focusable: bool = True) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._key, self._label = key, label
        self.can_focus = focusable
        self._allowed = True

    def set_label(self, label: str, *, key: str = "", allowed: bool = True) -> None:
        """Another label, or key; not allowed is dimmed, and may be taken all the same, to be told why not."""
        new = key or self._key, label, allowed
        if new != (self._key, self._label, self._allowed):
            self._key, self._label, self._allowed = new
            self.refresh(layout=True)
            self.show()

    def get_content_width(self, *_: object) -> int:
        """As wide as what it says."""
        return len(self._key) + len(self._label) + 3

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- one line
        """Key and label."""
        role = "" if self._allowed else "dim"
        return [line((f" {self._key} ", "key" if self._allowed else "dim"), (f"{self._label} ", role))]

    def action_take(self) -> None:
        """Take it."""
        self.post_message(self.Taken(self))

    def on_click(self) -> None:
        """The mouse took it."""
        self.action_take()
