"""A text that has to be read: it scrolls, and knows whether its last line has been on the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from app.tui.widgets.lines import Line, Lines

if TYPE_CHECKING:
    from textual.events import MouseScrollDown, MouseScrollUp

Document = Callable[[int], list[Line]]
"""The whole text for a width."""


class Reader(Lines):
    """Shows a document. `on_read` is called once every line of it has been visible at its present width."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_by(-1)", "up", show=False),
        Binding("down,j", "scroll_by(1)", "down", show=False),
        Binding("pageup,ctrl+u", "scroll_by(-8)", "page up", show=False),
        Binding("pagedown,ctrl+d,space", "scroll_by(8)", "page down", show=False),
        Binding("home,g", "scroll_by(-1000000)", "top", show=False),
        Binding("end,G", "scroll_by(1000000)", "bottom", show=False),
    ]

    def __init__(self, document: Document, *, id: str | None = None, focusable: bool = True) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._document = document
        self.can_focus = focusable
        self._top = 0
        self._seen: set[int] = set()
        self._seen_at = 0
        self._whole: list[Line] = []

    def set_document(self, document: Document) -> None:
        """Another text, to be read anew."""
        self._document, self._top, self._seen = document, 0, set()
        self.show()

    @property
    def read(self) -> bool:
        """Every line was visible at this width."""
        return bool(self._whole) and len(self._seen) >= len(self._whole)

    @property
    def unread(self) -> int:
        """Lines that have not been visible yet."""
        return len(self._whole) - len(self._seen)

    @property
    def more(self) -> str:
        """For the frame: that the text goes on, or ""."""
        below = self._top + self.content_size.height < len(self._whole)
        return "more below (PgDn)" if below else "more above (PgUp)" if self._top else ""

    def action_scroll_by(self, by: int) -> None:
        """Scroll."""
        self._top += by
        self.show()

    def on_mouse_scroll_down(self, _event: MouseScrollDown) -> None:
        """Three lines on."""
        self.action_scroll_by(3)

    def on_mouse_scroll_up(self, _event: MouseScrollUp) -> None:
        """Three lines back."""
        self.action_scroll_by(-3)

    def content(self, width: int, height: int) -> list[Line]:
        """The part that is scrolled to."""
        whole = self._document(width)
        if whole != self._whole or width != self._seen_at:
            self._seen, self._seen_at, self._whole = set(), width, whole
        self._top = max(0, min(self._top, len(whole) - height))
        self._seen.update(range(self._top, min(self._top + height, len(whole))))
        return whole[self._top : self._top + height]
