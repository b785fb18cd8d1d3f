"""A hardware wallet is asked to sign: what it is doing, what its screen will show, and the way on. The answer is given
on the device, never here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from app.tui.screens import chain_text, device_text
from app.tui.screens.at_device import AtTheDevice
from app.tui.screens.dialog import SCROLLING
from app.tui.widgets.lines import Line, line, wrapped
from app.tui.widgets.reader import Reader

if TYPE_CHECKING:
    from app.execution.device_view import DeviceView
    from app.execution.records import Trade


class HardwareDialog(AtTheDevice):
    """One trade at the device; goes away with its answer."""

    topic = frame = "hardware"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(keys, f"reader({by})", "scroll", show=False) for keys, by in SCROLLING
    ]

    def __init__(self) -> None:
        super().__init__()
        self._trade: Trade | None = None

    @property
    def waits(self) -> bool:
        """A trade is at the device."""
        return self.host.device_trade is not None

    def on_mount(self) -> None:
        """Goes away with the trade that is there now."""
        self._trade = self.host.device_trade
        self.query_one("#hardware").border_title = "On the device"

    def draw(self) -> None:
        """Draw; go away once the device has answered."""
        trade = self.host.device_trade
        if trade is None and self._trade is not None:
            self.dismiss(None)
            return
        self._trade = trade
        super().draw()

    def view(self) -> DeviceView | None:
        """The device as it is known now."""
        from app.execution.device_view import device_view  # noqa: PLC0415 -- the engine behind it, after the first frame

        trade, desk = self.host.device_trade, self.host.desk
        return None if trade is None or desk is None else device_view(desk, trade)

    def lines(self, width: int) -> list[Line]:
        """State, then the expected lines."""
        seen, trade = self.view(), self.host.device_trade
        if seen is None or trade is None:
            return [Line(), *wrapped("The device is asked for nothing. Confirm a trade first.", width, "dim")]
        state, rule = self.host.device or seen.state, self.app.glyphs.rule
        lines = device_text.doing(seen, state, self.host.device_s, width)
        lines += [*chain_text.asked(trade), line((rule * width, "dim"))]
        number = chain_text.at_device(trade)[0]
        now = replace(seen, each=seen.each[number - 1 : number])
        return [*lines, *device_text.expected(now, (), width, named=False)]

    def action_give_up(self) -> None:
        """Wait no longer. The device may go on showing it."""
        trade = self.host.device_trade
        if trade is not None:
            self.app.do.refuse(trade.id)

    def action_reader(self, by: int) -> None:
        """Scroll the lines."""
        self.query_one(Reader).action_scroll_by(by)
