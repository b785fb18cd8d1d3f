"""A long history as a list: filtered by a key and by text, a page at a time, read from the database while in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from app.text import escape_untrusted
from app.tui.screens.history import History
from app.tui.screens.split import Split
from app.tui.widgets.pages import PagedTable
from app.tui.widgets.table import Column, Row, Table

SIZE: Final = 200
"""Rows of a page."""


class Paged(Split):
    """Subclasses say what is read, and how a row of it looks."""

    SCOPED_CSS = False
    DEFAULT_CSS = """
    Paged #filter { display: none; border: none; height: 1; padding: 0 1; background: $panel; }
    Paged.-filter #filter { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "next_choice", "filter", show=False),
        Binding("slash", "find", "find", show=False),
    ]
    columns: ClassVar[tuple[Column, ...]] = ()
    list_id: ClassVar[str] = ""
    choices: ClassVar[tuple[str, ...]] = ()
    """What `f` goes round; the first is no filter."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self.choice = self.choices[0]
        self.text = ""
        self.page = 0
        self.newest = 0
        """Rows after this one do not count while a page of the past is shown: it would move under the reader."""
        self.pages: History[Any, Any] = self.history()
        self._shown: Any = None
        self._shown_page = 0

    # -- for subclasses ---------------------------------------------------------------------------------------------

    def history(self) -> History[Any, Any]:
        """Reads a page; its result has `rows`, `total` and `newest`."""
        raise NotImplementedError

    def wanted(self) -> Any:
        """The page that is wanted now."""
        raise NotImplementedError

    def rows(self, found: Any) -> list[Row]:
        """The rows of a page."""
        raise NotImplementedError

    def title(self, found: Any) -> str:
        """What the list is called, without its filters and pages."""
        raise NotImplementedError

    def nothing(self) -> str:
        """Why there are no rows when nothing is filtered."""
        raise NotImplementedError

    def above(self) -> Sequence[Widget]:
        """What stands above the list."""
        return ()

    def draw_more(self) -> None:
        """What else is shown."""

    # -- the list ---------------------------------------------------------------------------------------------------

    def titles(self) -> tuple[Column, ...]:
        """The columns of the list."""
        return self.columns

    def lists(self) -> list[Widget]:
        """What stands above, the list, the line to type on."""
        table = PagedTable(self.titles(), empty="reading", id=self.list_id)
        table.add_class("pane")
        table.border_title = self.name_shown
        return [*self.above(), table, Input(id="filter", placeholder="type to find; Enter keeps it, Esc clears it")]

    @property
    def filtered(self) -> bool:
        """Something is left out."""
        return bool(self.text) or self.choice != self.choices[0]

    def draw(self) -> None:
        """The page, when there is another one; then what depends on it."""
        self.pages.want(self.wanted())
        table, found = self.query_one(f"#{self.list_id}", PagedTable), self.pages.result
        answered = self.pages.wanted
        if found is not None and answered is not None and found is not self._shown:
            self._shown = found
            before, self._shown_page = self._shown_page, answered.page
            rows = self.rows(found)
            if not rows and self.page:
                self.page, self.newest = 0, 0  # fewer than there were: back to where there is something
            if self._shown_page == before:
                table.set_rows(rows)
            else:
                table.turn(rows, to_end=self._shown_page < before)
        if not table.keys or self.pages.words:
            table.set_rows(
                () if self.pages.words else self.rows(found) if found is not None else (), empty=self._empty()
            )
        table.entitle(self._title(found))
        self.draw_more()
        if self.detail_seen():
            self.detail.show()

    def _title(self, found: Any) -> str:
        if found is None:
            return self.name_shown
        parts = [self.title(found)]
        if self.choice != self.choices[0]:
            parts.append(self.choice)
        if self.text:
            parts.append(f"'{escape_untrusted(self.text)}'")
        pages = max(1, -(-found.total // SIZE))
        if pages > 1:
            parts.append(f"page {self._shown_page + 1} of {pages}")
        return "  ".join(parts).replace("[", "\\[")  # a title is markup

    def _empty(self) -> str:
        host = self.host
        if self.pages.words:
            return escape_untrusted(self.pages.words)
        if self.pages.result is None:
            if host.desk is None and not host.over:
                return "The engine is starting; then this is read."
            return "The engine stopped before there was a database." if host.launch is None else "reading"
        if self.filtered:
            what = f"'{escape_untrusted(self.text)}'" if self.text else self.choice
            return f"Nothing here is {what}. Esc clears the text, f goes on to the next filter."
        return self.nothing()

    # -- keys -------------------------------------------------------------------------------------------------------

    def action_next_choice(self) -> None:
        """The next filter; only from the list."""
        if self.table.has_focus:
            place = self.choices.index(self.choice)
            self.choice = self.choices[(place + 1) % len(self.choices)]
            self._from_the_newest()

    def action_find(self) -> None:
        """A line to type on; only from the list."""
        if self.table.has_focus:
            self.add_class("-filter")
            self.query_one("#filter", Input).focus()

    def action_back(self) -> None:
        """Out of the detail; else the text is cleared."""
        typing = self.query_one("#filter", Input)
        if self.detail.has_focus or (self.opened and not typing.has_focus):
            super().action_back()
            return
        typing.value = ""
        self.remove_class("-filter")
        self.table.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Each letter narrows it."""
        if event.value.strip() != self.text:
            self.text = event.value.strip()
            self._from_the_newest()

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """To what was found."""
        self.table.focus()

    @on(PagedTable.PageWanted)
    def _page_wanted(self, event: PagedTable.PageWanted) -> None:
        found = self.pages.result
        if found is None:
            return
        page = 0 if event.by == 0 else self.page + event.by
        if page < 0 or page * SIZE >= found.total or self._shown_page != self.page:
            return
        self.page = page
        self.newest = found.newest if page else 0
        self.refresh_view()

    @on(Table.RowMarked)
    def _another_row(self) -> None:
        self.row_marked()
        self.detail.set_document(self.document)
        self.refresh_view()

    @on(Table.RowOpened)
    def _row_opened(self, event: Table.RowOpened) -> None:
        self.row_opened(event.key)
        self.detail.set_document(self.document)
        self.open_detail()

    def row_marked(self) -> None:
        """The cursor came to another row."""

    def row_opened(self, key: str) -> None:
        """Enter on a row."""

    def _from_the_newest(self) -> None:
        self.page, self.newest = 0, 0
        self.refresh_view()
