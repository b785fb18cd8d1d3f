"""A hardware wallet is asked to sign: what it is doing, what its screen will show, and the way on. The answer is given
on the device, never here."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from app.tui.screens import device_text
from app.tui.screens.dialog import SCROLLING, Dialog
from app.tui.widgets.choice import Choice
from app.tui.widgets.lines import Line, line, wrapped
from app.tui.widgets.reader import Reader
from app.tui.widgets.status import KeyLine, StatusLine

if TYPE_CHECKING:
    from app.execution.device_view import DeviceView
    from app.execution.records import Trade


class HardwareDialog(Dialog):
    """One trade at the device; goes away with its answer."""

    topic = "hardware"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "give_up", "give up", show=False),
        *(Binding(keys, f"reader({by})", "scroll", show=False) for keys, by in SCROLLING),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._trade: Trade | None = None

    def compose(self) -> ComposeResult:
        """State, then the expected lines."""
        yield StatusLine()
        with Container(classes="frame", id="hardware"):
            yield Reader(self._lines, id="expected", focusable=False)
            with Container(classes="choices"):
                yield Choice("Esc", "leave it waiting", id="leave")
                yield Choice("x", "give up", id="give-up", focusable=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Nothing that decides has the focus."""
        self._trade = self.host.device_trade
        self.query_one("#hardware").border_title = "On the device"
        self.query_one("#leave").focus()
        self.call_after_refresh(self.refresh_view)

    def hints(self) -> list[tuple[str, str]]:
        """Keys of this dialog."""
        give_up = [("x", "give up")] if self.host.device_trade is not None else []
        return [("Esc", "leave it waiting" if give_up else "back"), *give_up, ("?", "help"), ("!", "STOP")]

    def draw(self) -> None:
        """Draw; go away once the device has answered."""
        trade = self.host.device_trade
        if trade is None and self._trade is not None:
            self.dismiss(None)
            return
        self._trade = trade
        self.query_one(Reader).show()
        self.query_one("#leave", Choice).set_label("leave it waiting" if trade is not None else "back")
        self.query_one("#give-up", Choice).display = trade is not None

    def view(self) -> DeviceView | None:
        """The device as it is known now."""
        from app.execution.device_view import device_view  # noqa: PLC0415 -- the engine behind it, after the first frame

        trade, desk = self.host.device_trade, self.host.desk
        return None if trade is None or desk is None else device_view(desk, trade)

    def _lines(self, width: int) -> list[Line]:
        seen = self.view()
        if seen is None:
            return [Line(), *wrapped("The device is asked for nothing. Confirm a trade first.", width, "dim")]
        state, rule = self.host.device or seen.state, self.app.glyphs.rule
        lines = device_text.doing(seen, state, self.host.device_s, width)
        lines.append(line((rule * width, "dim")))
        return [*lines, *device_text.expected(seen, (), width, named=False)]

    def action_give_up(self) -> None:
        """Wait no longer. The device may go on showing it."""
        trade = self.host.device_trade
        if trade is not None:
            self.app.do.refuse(trade.id)

    def action_reader(self, by: int) -> None:
        """Scroll the lines."""
        self.query_one(Reader).action_scroll_by(by)

    @on(Choice.Taken)
    def _chosen(self, event: Choice.Taken) -> None:
        {"leave": self.action_back, "give-up": self.action_give_up}[str(event.choice.id)]()
