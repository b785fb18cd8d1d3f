"""The order book: asks above, bids below, a bar for the quantity of each level."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from app.tui import words
from app.tui.widgets.lines import Line, Lines, fit, line

if TYPE_CHECKING:
    from app.snapshots.market import BookView
    from app.tui.app import Terminal

Level = tuple[Decimal, Decimal]
_PRICE: Final = 11
_SIZE: Final = 12
"""Columns of a price, at least, and of a quantity."""


class BookPane(Lines, can_focus=True):
    """The book of one instrument."""

    app: Terminal

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id, classes="pane")
        self._view: BookView | None = None
        self._prices = _PRICE
        self.border_title = "Book"

    def set_book(self, view: BookView | None) -> None:
        """What to draw."""
        self._view = view
        if view is not None:
            self.entitle(f"Book {view.symbol}{'  SYNTHETIC' if view.synthetic else ''}")
        self.show()

    def content(self, width: int, height: int) -> list[Line]:
        """As many levels as fit on both sides of the spread."""
        view = self._view
        if view is None or not (view.bids and view.asks):
            return [line((" no book yet", "dim"))]
        levels = max(1, (height - 1) // 2)
        asks, bids = view.asks[:levels], view.bids[:levels]
        largest = max(size for _, size in (*asks, *bids))
        spread = view.asks[0][0] - view.bids[0][0]
        self._prices = max(_PRICE, *(len(words.price(price, view.tick)) for price, _ in (*asks, *bids)))
        middle = line((f" spread {words.price(spread, view.tick)}  age {words.age(view.age_ms)}", "dim"))
        return [
            *(self._level(each, largest, width, "down") for each in reversed(asks)),
            middle,
            *(self._level(each, largest, width, "up") for each in bids),
        ]

    def _level(self, level: Level, largest: Decimal, width: int, role: str) -> Line:
        view = self._view
        assert view is not None
        price, size = words.price(level[0], view.tick), f"{level[1]:,f}"
        size = size if len(size) <= _SIZE else words.precise(level[1])  # a chain's has up to 18 decimals
        room = max(0, width - self._prices - _SIZE - 1)
        eighths = int(level[1] / largest * room * 8)
        bar = self.app.glyphs.bar
        drawn = bar[-1] * (eighths // 8) + (bar[eighths % 8] if eighths % 8 else "")
        return line(
            (fit(price, self._prices, right=True), role), (fit(size, _SIZE, right=True), ""), (f" {drawn}", role)
        )
