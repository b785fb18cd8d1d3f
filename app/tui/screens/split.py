"""Lists with the detail of the row under the cursor beside them. Where there is room for one thing only, one list is
shown, Tab goes to the next, Enter puts the detail in its place and Escape goes back."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from app.tui.screens.view import View
from app.tui.widgets.lines import Line
from app.tui.widgets.reader import Reader
from app.tui.widgets.table import Table


class Split(View):
    """Subclasses give the lists and write the detail."""

    SCOPED_CSS = False
    DEFAULT_CSS = """
    Split { layout: horizontal; }
    Split .lists { width: 2fr; height: 100%; layout: vertical; }
    Split Reader { width: 1fr; height: 100%; }
    .-wide Split .lists { width: 3fr; }
    .-wide Split Reader { width: 2fr; }
    .-narrow Split Reader { display: none; }
    .-narrow Split.-opened Reader { display: block; }
    .-narrow Split.-opened .lists { display: none; }
    .-narrow Split Table { display: none; }
    .-narrow Split Table.-current { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", show=False),
        Binding("tab", "next_pane(1)", "next pane", show=False, priority=True),
        Binding("shift+tab", "next_pane(-1)", "pane before", show=False, priority=True),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self.current = ""
        """The list whose row the detail is of."""

    def lists(self) -> list[Widget]:
        """What stands at the left; the tables of it are panes."""
        raise NotImplementedError

    def document(self, width: int) -> list[Line]:
        """The detail."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """The lists, then the detail."""
        made = self.lists()
        self.current = next(str(each.id) for each in made if isinstance(each, Table))
        with Container(classes="lists"):
            yield from made
        detail = Reader(self.document, id="detail")
        detail.add_class("pane")
        detail.border_title = "Detail"
        yield detail

    def on_mount(self) -> None:
        """The first list first."""
        self._mark_current()
        self.call_after_refresh(self.enter)

    # -- panes ------------------------------------------------------------------------------------------------------

    @property
    def detail(self) -> Reader:
        """The pane of the detail."""
        return self.query_one("#detail", Reader)

    @property
    def table(self) -> Table:
        """The list that is in front."""
        return self.query_one(f"#{self.current}", Table)

    @property
    def opened(self) -> bool:
        """The detail was opened, and nobody went back yet."""
        return self.has_class("-opened")

    @property
    def narrow(self) -> bool:
        """There is room for one thing only."""
        return self.screen.has_class("-narrow")

    def detail_seen(self) -> bool:
        """Somebody can see the detail, so it is worth reading what it shows."""
        return self.opened or not self.narrow

    def open_detail(self) -> None:
        """To the detail."""
        self.add_class("-opened")
        self.call_after_refresh(self.detail.focus)
        self.call_after_refresh(self.refresh_view)

    def action_back(self) -> None:
        """From the detail to its list."""
        if self.opened or self.detail.has_focus:
            self.remove_class("-opened")
            self.call_after_refresh(self.table.focus)

    def action_next_pane(self, by: int) -> None:
        """Go round the panes; where there is room for one only, round the lists."""
        panes = [pane for pane in self.panes() if not self.narrow or isinstance(pane, Table)]
        here = next((number for number, pane in enumerate(panes) if pane.has_focus), 0)
        self.show_pane(str(panes[(here + by) % len(panes)].id))

    def show_pane(self, name: str) -> None:
        """Bring one pane to the front."""
        if name == "detail":
            self.open_detail()
            return
        self.remove_class("-opened")
        self.current = name
        self._mark_current()
        self.call_after_refresh(self.table.focus)
        self.call_after_refresh(self.refresh_view)

    def on_descendant_focus(self) -> None:
        """A click may have focused another pane."""
        focused = self.own_focus
        if isinstance(focused, Table) and focused.id and focused.id != self.current:
            self.current = focused.id
            self._mark_current()
            self.refresh_view()

    def enter(self) -> None:
        """Focus what was left, once it is there."""
        if not self.is_mounted or self.app.view is not self:
            return
        (self.detail if self.opened else self.table).focus()
        self.refresh_view()

    def _mark_current(self) -> None:
        for table in self.query(Table):
            table.set_class(table.id == self.current, "-current")
