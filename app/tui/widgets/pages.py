"""A table that shows one page of a long history; past its ends are the pages before and after."""

from __future__ import annotations

from collections.abc import Sequence

from textual.message import Message

from app.tui.widgets.table import Row, Table

_WHOLE = 1_000_000
"""A move this far means the end, not a number of rows."""


class PagedTable(Table):
    """Moving past the last row asks for the page after it, before the first one for the page before it."""

    class PageWanted(Message):
        """`by`: 1 older, -1 newer, 0 the newest."""

        def __init__(self, table: PagedTable, by: int) -> None:
            super().__init__()
            self.table = table
            self.by = by

        @property
        def control(self) -> PagedTable:
            """The table."""
            return self.table

    def action_move(self, by: int) -> None:
        """Move the cursor; at an end, ask for another page."""
        place, last = self._place(), len(self._rows) - 1
        if by > 0 and place >= last:
            self.post_message(self.PageWanted(self, 1))
        elif by < 0 and (place == 0 or by <= -_WHOLE):
            self.post_message(self.PageWanted(self, 0 if by <= -_WHOLE else -1))
            super().action_move(by)
        else:
            super().action_move(by)

    def turn(self, rows: Sequence[Row], *, to_end: bool) -> None:
        """Another page: the cursor goes to its beginning, or to its end where one came from behind it."""
        self.set_rows(rows)
        if rows:
            self.mark(rows[-1 if to_end else 0].key)
