"""Rows under a header, with a cursor that stays on its row whatever arrives above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message

from app.tui.widgets.lines import Line, Lines, Piece, fit, line, wrapped

if TYPE_CHECKING:
    from textual.events import Click, MouseScrollDown, MouseScrollUp


@dataclass(frozen=True, slots=True)
class Column:
    """One column. Width 0 takes what is left, at least `least`; one at the right (a number) is as wide as the widest
    that it holds. When there is too little room columns become as narrow as what they hold; then those of the highest
    `rank` go first (rank 0 stays)."""

    title: str
    width: int
    right: bool = False
    rank: int = 0
    least: int = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `key` is what it is, whatever its place."""

    key: str
    cells: tuple[Piece, ...]
    base: str = ""


class Table(Lines, can_focus=True):
    """A list with a cursor. Enter opens a row; nothing more than that ever happens on Enter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup,ctrl+u", "move(-10)", "page up", show=False),
        Binding("pagedown,ctrl+d", "move(10)", "page down", show=False),
        Binding("home,g", "move(-1000000)", "first", show=False),
        Binding("end,G", "move(1000000)", "last", show=False),
        Binding("enter", "open", "open", show=False),
    ]

    class RowOpened(Message):
        """Enter, or a second click, on a row."""

        def __init__(self, table: Table, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> Table:
            """The table."""
            return self.table

    class RowMarked(Message):
        """The cursor came to another row."""

        def __init__(self, table: Table, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> Table:
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str,
        id: str | None = None,  # noqa: A002 -- Textual's name
        header: bool = True,
    ) -> None:
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._widest: list[int] = []
        """Of what each column holds, its title included."""
        self._empty = empty
        self._header = header
        self._rows: list[Row] = []
        self._cursor = ""
        self._top = 0

    # -- what it holds ----------------------------------------------------------------------------------------------

    def set_rows(self, rows: Sequence[Row], *, empty: str | None = None) -> None:
        """Replace the rows. The cursor stays on its key; where that is gone, on the row at its place."""
        place = self._place()
        if (fresh := list(rows)) != self._rows or not self._widest:
            self._rows = fresh
            self._measure()
        self._empty = self._empty if empty is None else empty
        keys = [row.key for row in self._rows]
        if self._cursor not in keys:
            self._cursor = keys[min(place, len(keys) - 1)] if keys else ""
            self._tell()
        self.show()

    def name_column(self, number: int, title: str) -> None:
        """Call a column otherwise."""
        if self._columns[number].title != title:
            named = replace(self._columns[number], title=title)
            self._columns = (*self._columns[:number], named, *self._columns[number + 1 :])
            self._measure()
            self.show()

    @property
    def cursor(self) -> str:
        """Key of the row under the cursor; "" in an empty table."""
        return self._cursor

    @property
    def keys(self) -> list[str]:
        """The rows' keys, in order."""
        return [row.key for row in self._rows]

    def mark(self, key: str) -> None:
        """Put the cursor on a row, where there is such a row."""
        if key in self.keys and key != self._cursor:
            self._cursor = key
            self._tell()
            self.show()

    # -- keys and mouse ---------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        if self._rows:
            place = max(0, min(len(self._rows) - 1, self._place() + by))
            self.mark(self._rows[place].key)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self._cursor:
            self.post_message(self.RowOpened(self, self._cursor))

    def on_click(self, event: Click) -> None:
        """A click marks, a second one opens."""
        offset = event.get_content_offset(self)
        number = -1 if offset is None else self._top + offset.y - int(self._header)
        if 0 <= number < len(self._rows):
            again = self._rows[number].key == self._cursor
            self.mark(self._rows[number].key)
            if again and event.chain > 1:
                self.action_open()

    def on_mouse_scroll_down(self, _event: MouseScrollDown) -> None:
        """Three rows on."""
        self.action_move(3)

    def on_mouse_scroll_up(self, _event: MouseScrollUp) -> None:
        """Three rows back."""
        self.action_move(-3)

    def on_focus(self) -> None:
        """The cursor becomes visible, once Textual has set `has_focus`: it hears of this after us."""
        self.call_next(self.show)

    def on_blur(self) -> None:
        """The cursor becomes a mark."""
        self.call_next(self.show)

    # -- drawing ----------------------------------------------------------------------------------------------------

    def content(self, width: int, height: int) -> list[Line]:
        """Header, then the rows around the cursor; or why there are none."""
        if not self._rows:
            return [Line(), *wrapped(self._empty, width, "dim")]
        columns = self._fitting(width)
        body = max(1, height - int(self._header))
        place = self._place()
        self._top = max(0, min(self._top, place, len(self._rows) - body))
        self._top = max(self._top, place - body + 1)
        result = [self._title_line(columns)] if self._header else []
        return result + [self._row_line(columns, row) for row in self._rows[self._top : self._top + body]]

    def _fitting(self, width: int) -> list[tuple[int, Column, int]]:
        """Number, column and width of those that have room."""
        chosen = list(range(len(self._columns)))
        roomy = [self._roomy(number) for number in chosen]
        if sum(roomy) + len(roomy) - 1 > width:
            roomy = [min(cells, self._narrow(number)) for number, cells in enumerate(roomy)]
        while sum(roomy[number] + 1 for number in chosen) > width + 1:
            rank = max(self._columns[number].rank for number in chosen)
            if rank == 0:
                break
            chosen.remove(max(number for number in chosen if self._columns[number].rank == rank))
        if sum(roomy[number] + 1 for number in chosen) > width + 1:
            roomy = [min(cells, self._columns[number].width or cells) for number, cells in enumerate(roomy)]
        left = width + 1 - sum(roomy[number] + 1 for number in chosen)
        for number in chosen:
            if self._columns[number].width and left > 0:
                more = min(left, max(self._widest[number], self._columns[number].width) - roomy[number])
                roomy[number], left = roomy[number] + more, left - more
        flexible = [number for number in chosen if not self._columns[number].width]
        for number in flexible:
            roomy[number] += max(0, left) // len(flexible)
        return [(number, self._columns[number], roomy[number]) for number in chosen]

    def _roomy(self, number: int) -> int:
        column = self._columns[number]
        wanted = column.width or min(self._widest[number], column.least)
        return max(wanted, self._widest[number]) if column.right else wanted

    def _narrow(self, number: int) -> int:
        column = self._columns[number]
        return min(self._widest[number], column.width) if column.width and not column.right else self._widest[number]

    def _measure(self) -> None:
        cells = [[column.title, *(row.cells[at][0] for row in self._rows)] for at, column in enumerate(self._columns)]
        self._widest = [max(map(cell_len, each)) for each in cells]

    def _title_line(self, columns: list[tuple[int, Column, int]]) -> Line:
        titles = [fit(column.title, width, right=column.right) for _, column, width in columns]
        return line((" ".join(titles), "label"))

    def _row_line(self, columns: list[tuple[int, Column, int]], row: Row) -> Line:
        pieces: list[Piece] = []
        for number, column, width in columns:
            text, role = row.cells[number]
            pieces.append((fit(text, width, right=column.right), role))
            pieces.append((" ", ""))
        marked = row.key == self._cursor
        base = "cursor" if marked and self.has_focus else row.base
        return Line(tuple(pieces[:-1]), base)

    def _place(self) -> int:
        return next((number for number, row in enumerate(self._rows) if row.key == self._cursor), 0)

    def _tell(self) -> None:
        if self._cursor and self.is_attached:
            self.post_message(self.RowMarked(self, self._cursor))
