"""A field with a few allowed values, all of them shown: the arrow keys or a first letter choose one. Never empty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Key
from textual.message import Message

from app.tui.widgets.lines import Line, Lines, Piece, line


class Pick(Lines, can_focus=True):
    """One field.

    Args:
        values: what it may be.
        value: what it is at first; the first of `values` when it is none of them.
    """

    DEFAULT_CSS = "Pick { height: 1; } Pick:focus { background: $primary 35%; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "turn(1)", "next", show=False),
        Binding("left", "turn(-1)", "before", show=False),
    ]

    class Picked(Message):
        """Another value was chosen."""

    def __init__(self, values: Sequence[str], value: str, *, id: str) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._values = tuple(values)
        self._value = value if value in self._values else self._values[0]

    @property
    def value(self) -> str:
        """What is chosen."""
        return self._value

    @value.setter
    def value(self, chosen: str) -> None:
        if chosen not in self._values:
            raise ValueError(f"{chosen!r} is none of {', '.join(self._values)}")
        if chosen != self._value:
            self._value = chosen
            self.show()
            self.post_message(self.Picked())

    def action_turn(self, by: int) -> None:
        """The next one, round and round."""
        self.value = self._values[(self._values.index(self._value) + by) % len(self._values)]

    def on_key(self, event: Key) -> None:
        """A first letter: the next value that begins with it."""
        letter = (event.character or "").lower()
        after = self._values.index(self._value) + 1
        for each in (*self._values[after:], *self._values[:after]):
            if letter and each.startswith(letter):
                event.stop()
                self.value = each
                return

    def on_click(self) -> None:
        """The mouse goes round too."""
        self.action_turn(1)

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- one line
        """All of them, the chosen one in brackets: not by colour alone."""
        pieces: list[Piece] = []
        for each in self._values:
            chosen = each == self._value
            pieces += [(f"[{each}]" if chosen else each, "title" if chosen else "dim"), (" ", "")]
        return [line(*pieces[:-1])]
