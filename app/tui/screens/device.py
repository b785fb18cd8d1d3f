"""The demo device's own screen: a small one, as a hardware wallet has. What is shown here is what is signed; it is
approved here, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from app.seal_text import SEAL
from app.text import counted
from app.tui.screens import chain_text
from app.tui.screens.dialog import Dialog
from app.tui.widgets.choice import Choice
from app.tui.widgets.lines import Line, Lines, fit, line, wrapped
from app.tui.widgets.status import KeyLine, StatusLine
from signers.pages import COLUMNS, ROWS

if TYPE_CHECKING:
    from signers.demo import DemoSigner, Review


class DeviceDialog(Dialog):
    """Walk through the pages, then approve or refuse."""

    topic = "device"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l,space,pagedown", "turn(1)", "next page", show=False),
        Binding("left,h,pageup", "turn(-1)", "page before", show=False),
        Binding("A", "approve", "approve", show=False),
        Binding("R", "refuse", "refuse", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._since = 0.0
        self._shown: Review | None = None
        self.words = ""

    def compose(self) -> ComposeResult:
        """The device, what to do, the choices."""
        yield StatusLine()
        with Container(classes="frame -small", id="device"):
            yield _Device(self, id="pages")
            with Container(classes="choices"):
                yield Choice("Esc", "leave it waiting", id="leave")
                yield Choice("R", "refuse", id="refuse", focusable=False)
                yield Choice("A", "approve", id="approve", focusable=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Nothing that approves has the focus."""
        self._since = self.app.now()
        self.query_one("#device").border_title = "Demo device (no hardware wallet)"
        self.query_one("#leave").focus()
        self.call_after_refresh(self.refresh_view)

    def hints(self) -> list[tuple[str, str]]:
        """Keys of this dialog."""
        arrows, review = self.app.glyphs.arrows, self.review
        rest = [("Esc", "leave it waiting" if review is not None else "back"), ("?", "help"), ("!", "STOP")]
        if review is None:
            return rest
        answers = [("A", "approve"), ("R", "refuse")] if review.asks else [("R", "refuse")]
        return [(f"{arrows[0]} {arrows[1]}", "pages"), *answers, *rest]

    @property
    def demo(self) -> DemoSigner | None:
        """The device, while a session runs."""
        trader = self.host.trader
        return None if trader is None else trader.session.devices.demo

    @property
    def review(self) -> Review | None:
        """What it shows."""
        return None if self.demo is None else self.demo.review

    def draw(self) -> None:
        """Draw; go away once the device has its answer."""
        review = self.review
        if review is None and self._shown is not None:
            self.dismiss(None)
            return
        self._shown = review
        self.query_one(_Device).show()
        self.query_one("#leave", Choice).set_label("leave it waiting" if review is not None else "back")
        self.query_one("#approve", Choice).display = review is not None and review.asks
        self.query_one("#refuse", Choice).display = review is not None

    @property
    def elapsed_s(self) -> int:
        """Seconds since this dialog opened."""
        return int(self.app.now() - self._since)

    def action_turn(self, by: int) -> None:
        """Another page."""
        if self.demo is not None:
            self.demo.turn(by)
            self.words = ""
            self.refresh_view()

    def action_approve(self) -> None:
        """Press both buttons on the last page."""
        review = self.review
        if self.demo is not None and review is not None and not self.demo.approve():
            left = counted(len(review.pages) - review.page, "more page")
            self.words = f"The device asks on its last page: {left}, with the right arrow key."
        self.refresh_view()

    def action_refuse(self) -> None:
        """Refuse on the device."""
        if self.demo is not None:
            self.demo.refuse()
        self.refresh_view()

    @on(Choice.Taken)
    def _chosen(self, event: Choice.Taken) -> None:
        {"leave": self.action_back, "refuse": self.action_refuse, "approve": self.action_approve}[
            str(event.choice.id)
        ]()


class _Device(Lines):
    """The little screen, drawn."""

    DEFAULT_CSS = "_Device { height: 11; }"

    def __init__(self, dialog: DeviceDialog, *, id: str) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._dialog = dialog

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- eleven lines
        review = self._dialog.review
        if review is None:
            return [
                Line(),
                *wrapped("The device shows nothing: no trade is being signed. Confirm one first.", width, "dim"),
            ]
        ascii_only = self.app.has_class("-ascii")
        top, side, bottom = ("+-+", "|", "+-+") if ascii_only else ("╭─╮", "│", "╰─╯")
        arrows = "<>" if ascii_only else "◀▶"
        if review.asks:
            sealed = review.pages[0][0].startswith(SEAL)
            what = "trade" if self._dialog.host.device_trade is not None else "text"
            asks = "Seal the journal?" if sealed else f"Sign this {what}?"
            rows: tuple[str, ...] = ("", asks.center(COLUMNS), "A yes      R refuse".center(COLUMNS))
        else:
            rows = review.pages[review.page]
        title = f"{review.page + 1} of {len(review.pages) + 1}"  # the last one asks
        left, right = arrows[0] if review.page else " ", " " if review.asks else arrows[1]
        edge = top[1] * (COLUMNS + 2)
        body = [
            line(f"    {left} {side} ", (fit(row, COLUMNS), "title"), f" {side} {right}")
            for row in (*rows, *[""] * (ROWS - len(rows)))
        ]
        trade = self._dialog.host.device_trade
        return [
            *(([] if trade is None else chain_text.asked(trade)) or [Line()]),
            line(f"      {top[0]}{edge}{top[2]}  ", (title, "dim")),
            *body,
            line(f"      {bottom[0]}{edge}{bottom[2]}"),
            Line(),
            *wrapped(self._dialog.words, width, "warn"),
            line((f"Waiting {self._dialog.elapsed_s} s. Compare each line with what you confirmed.", "label")),
        ]
