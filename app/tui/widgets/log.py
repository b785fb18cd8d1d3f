"""The session's log: newest at the bottom, and it stays there unless somebody scrolls back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from app.text import escape_untrusted
from app.tui.widgets.lines import Line, Lines, fit, line

if TYPE_CHECKING:
    from app.tui.host import Told

_ROLES = (
    ("HALTED", "error"),
    ("denied", "dim"),
    ("expired", "dim"),
    ("filled", "ok"),
    ("target", "up"),
    ("stop ", "down"),
    ("failed", "error"),
    ("prepared", "key"),
)


class LogPane(Lines, can_focus=True):
    """Lines as they were told."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "back(1)", "back", show=False),
        Binding("down,j", "back(-1)", "on", show=False),
        Binding("pageup,ctrl+u", "back(10)", "page back", show=False),
        Binding("pagedown,ctrl+d", "back(-10)", "page on", show=False),
        Binding("end,G", "back(-1000000)", "newest", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id, classes="pane")
        self.border_title = "Log  market time, UTC"
        self._told: Sequence[Told] = ()
        self._back = 0

    def set_lines(self, told: Sequence[Told]) -> None:
        """What was told so far."""
        self._told = told
        self.show()

    def action_back(self, by: int) -> None:
        """Scroll towards the past."""
        self._back = max(0, min(len(self._told) - 1, self._back + by))
        self.show()

    def content(self, width: int, height: int) -> list[Line]:
        """The newest lines that fit."""
        told = list(self._told)
        if not told:
            return [line(("nothing yet: modules speak when a bar ends", "dim"))]
        end = len(told) - self._back
        shown = told[max(0, end - height) : end]
        return [
            line((f"{each.clock} ", "dim"), (fit(_safe(each.text), max(1, width - 9)), _role(each.text)))
            for each in shown
        ]


def _safe(text: str) -> str:
    return escape_untrusted(" ".join(text.split()))


def _role(text: str) -> str:
    return next((role for start, role in _ROLES if text.startswith(start)), "")
