"""What the screens have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Container
from textual.widget import Widget

if TYPE_CHECKING:
    from app.tui.app import Terminal
    from app.tui.host import Host


class View(Container):
    """One screen. Its panes are redrawn by `refresh_view`, called while it is in front."""

    DEFAULT_CSS = "View { width: 100%; height: 100%; }"
    name_shown: ClassVar[str] = ""
    topic: ClassVar[str] = ""
    """Its help page, ``help/<topic>.md``."""
    app: Terminal

    @property
    def host(self) -> Host:
        """The engine."""
        return self.app.host

    def refresh_view(self) -> None:
        """Draw what changed, unless it is not there yet or not any more."""
        if self.app.is_running and self.is_attached and self.is_mounted:
            self.draw()

    def draw(self) -> None:
        """Draw what changed."""
        raise NotImplementedError

    def hints(self) -> list[tuple[str, str]]:
        """Key and what it does, for the focused pane, most useful first."""
        return []

    def panes(self) -> list[Widget]:
        """What jump mode and Tab go to, in order."""
        return [pane for pane in self.query(".pane") if pane.can_focus]

    def show_pane(self, name: str) -> None:
        """Bring one pane to the front."""
        self.query_one(f"#{name}").focus()

    @property
    def own_focus(self) -> Widget | None:
        """Its own widget that has the focus. By the time one hears of a focus it may be on another screen."""
        found = self.app.focused
        return found if found is not None and self in found.ancestors else None

    def leave(self) -> None:
        """Another screen comes to the front."""

    def enter(self) -> None:
        """The screen came to the front."""
        panes = [pane for pane in self.panes() if pane.display]
        if panes and not any(pane.has_focus for pane in panes):
            panes[0].focus()
        self.refresh_view()
