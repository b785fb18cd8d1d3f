"""A screen of several panes: side by side where there is room, one at a time with their names above where there is
not."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from app.tui.screens.view import View
from app.tui.widgets.lines import Line, Lines, Piece, line

if TYPE_CHECKING:
    from app.tui.app import Terminal


class PaneNames(Lines):
    """Which pane is shown, where one is shown at a time."""

    DEFAULT_CSS = "PaneNames { height: 1; display: none; }"
    app: Terminal

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- one line
        """Names of the panes, the shown one marked."""
        view = self.parent
        assert isinstance(view, Paned)
        pieces: list[Piece] = [
            (f" {str(pane.border_title).split('  ', maxsplit=1)[0]} ", "mode" if pane.id == view.current else "dim")
            for pane in view.panes()
        ]
        return [line(*pieces)]


class Paned(View):
    """Subclasses yield `PaneNames` and their panes, and lay them out in their style sheet."""

    SCOPED_CSS = False
    DEFAULT_CSS = """
    Paned { layout: grid; grid-size: 1 2; grid-rows: 1 1fr; grid-gutter: 0; }
    Paned .pane { display: none; }
    Paned .pane.-current { display: block; }
    Paned PaneNames { display: block; }
    .-tall.-wide Paned .pane, .-tall.-full Paned .pane { display: block; }
    .-tall.-wide Paned PaneNames, .-tall.-full Paned PaneNames { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_pane(1)", "next pane", show=False, priority=True),
        Binding("shift+tab", "next_pane(-1)", "pane before", show=False, priority=True),
    ]
    first: ClassVar[str] = ""
    """Id of the pane that has the focus at first."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self.current = self.first

    def on_mount(self) -> None:
        """The first pane first."""
        self._mark()
        self.call_after_refresh(self.enter)

    def action_next_pane(self, by: int) -> None:
        """Focus the next pane, and show it where one is shown at a time."""
        panes = [pane for pane in self.panes() if pane.display or self._one_at_a_time]
        here = next((number for number, pane in enumerate(panes) if pane.id == self.current), 0)
        self.show_pane(str(panes[(here + by) % len(panes)].id))

    def show_pane(self, name: str) -> None:
        """Bring one pane to the front."""
        pane = next((each for each in self.panes() if each.id == name), None)
        if pane is None:
            return  # not there yet, or not any more
        self.current = name
        self._mark()
        pane.focus()
        self.call_after_refresh(self.refresh_view)

    def on_descendant_focus(self) -> None:
        """A click may have focused another pane."""
        focused = self.own_focus
        if focused is not None and focused.id and focused.has_class("pane"):
            self.current = focused.id

    def enter(self) -> None:
        """Focus the pane that was left."""
        if self.is_mounted:
            self.show_pane(self.current)

    def pane_is(self, name: str) -> bool:
        """Whether this pane has the focus."""
        focused = self.app.focused
        return focused is not None and focused.id == name

    def _mark(self) -> None:
        for pane in self.panes():
            pane.set_class(pane.id == self.current, "-current")

    @property
    def _one_at_a_time(self) -> bool:
        return self.screen.has_class("-narrow") or self.screen.has_class("-low")
