"""Confirm: the exact text that will be signed, what it would do, what it risks, what the device will show. Cancel has
the focus; only S submits, once every line was visible and half a second has passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Input

from app import wish_words
from app.errors import CountersignError
from app.execution.fatigue import Requirement
from app.execution.states import TradeState
from app.snapshots import trades
from app.text import counted
from app.tui import words
from app.tui.screens import confirm_text
from app.tui.screens.dialog import SCROLLING, Dialog
from app.tui.widgets.choice import Choice
from app.tui.widgets.lines import Line, Lines, line, wrapped
from app.tui.widgets.reader import Reader
from app.tui.widgets.status import KeyLine, StatusLine

if TYPE_CHECKING:
    from app.execution.records import Trade

SETTLED_S: Final = 0.5
"""Between the moment the last line became visible and the first S that counts."""


_READ_FIRST: Final = "Read to the end first: PgDn."
_TOO_FAST: Final = "Too fast: every line must have been visible for half a second. Press S again."


class ConfirmDialog(Dialog):
    """One trade."""

    topic = "confirm"
    DEFAULT_CSS = """
    ConfirmDialog #live { height: 2; }
    ConfirmDialog #outcome { height: auto; max-height: 4; }
    ConfirmDialog Input { display: none; border: none; height: 1; padding: 0; background: $panel; }
    ConfirmDialog Input:focus { border: none; background: $primary 35%; }
    ConfirmDialog.-readback Input { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("S", "confirm", "confirm", show=False),
        Binding("x", "decline", "decline", show=False),
        Binding("9", "device", "device", show=False),
        *(Binding(keys, f"reader({by})", "scroll", show=False) for keys, by in SCROLLING),
    ]

    def __init__(self, trade: Trade) -> None:
        super().__init__()
        self.trade = trade
        self._read_at: float | None = None
        self._answered = ""
        """What the trader said here: "confirmed", "declined", or nothing yet."""
        self._words = ""
        """Why S did not count."""
        self._shown: trades.ConfirmView | None = None
        """What is read, as it stood when the dialog opened: a text that changed while it is read was not read."""

    def compose(self) -> ComposeResult:
        """Live numbers above, the text to read, the choices below."""
        yield StatusLine()
        with Container(classes="frame", id="confirm"):
            yield _Live(self, id="live")
            yield Reader(self._document, id="document", focusable=False)
            yield _Outcome(self, id="outcome")
            yield Input(id="readback", placeholder=self._asked_for(), max_length=60)
            with Container(classes="choices"):
                yield Choice("Esc", "cancel: it keeps waiting", id="back")
                yield Choice("x", "decline", id="decline")
                yield Choice("PgDn", "read on", id="yes", focusable=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Cancel has the focus. While somebody reads, the practice market goes at real time."""
        self.set_class(self._requirement().readback is not None, "-readback")
        self.query_one("#confirm").border_title = "Confirm"
        self.query_one("#back").focus()
        self.host.readers.add(self)
        self.call_after_refresh(self.refresh_view)

    def on_unmount(self) -> None:
        """Read, or left."""
        self.host.readers.discard(self)

    def _asked_for(self) -> str:
        plain = self.trade.intent.act is None
        return "the quantity, as it stands in the text" if plain else "the value at stake, as it stands above"

    def hints(self) -> list[tuple[str, str]]:
        """Keys of this dialog."""
        submit = [("S", "submit to the signer")] if self.waits and self._read_at is not None else []
        return [*submit, ("PgDn", "read on"), ("Esc", "back"), ("?", "help"), ("!", "STOP")]

    # -- what it shows ----------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Live numbers, the outcome, and whether S would count."""
        reader = self.query_one(Reader)
        reader.show()
        if reader.read and self._read_at is None:
            self._read_at = self.app.now()
            if self.waits and (trader := self.host.trader) is not None:
                trader.session.pipeline.proposals.shown(self.trade.id)  # the queue keeps a half second of its own
        elif not reader.read:
            self._read_at = None
        if self._no_longer_true():
            self._words = ""
        self.query_one(_Live).show()
        self.query_one(_Outcome).show()
        yes = self.query_one("#yes", Choice)
        to_read = self.waits and not reader.read
        label = f"read on: {counted(reader.unread, 'more line')}" if to_read else "submit to the signer"
        yes.set_label(label, key="PgDn" if to_read else "S", allowed=self.waits)
        self.query_one("#back", Choice).set_label("cancel: it keeps waiting" if self.waits else "close")
        for choice in (yes, self.query_one("#decline", Choice)):
            choice.display = self.waits

    @property
    def waits(self) -> bool:
        """It still waits for an answer."""
        trader = self.host.trader
        return (
            not self._answered
            and self.host.desk is not None
            and trader is not None
            and any(each.id == self.trade.id for each in trader.session.pipeline.proposals.waiting())
        )

    def _document(self, width: int) -> list[Line]:
        desk = self.host.desk
        if self._shown is None and desk is not None and self.trade.payload is not None:
            self._shown = trades.confirmation(desk, self.trade)
        if self._shown is None:
            return [line(("The engine has stopped; nothing can be confirmed.", "error"))]
        return confirm_text.document(self._shown, width, self.app.glyphs)

    def live_lines(self) -> list[Line]:
        """What changes while it is read: time left, the market now."""
        desk = self.host.desk
        if desk is None or self.trade.payload is None:
            return []
        seen = trades.confirmation(desk, self.trade)
        left = f"expires in {words.span(seen.left_ms)}" if self.waits else ""
        head = line(
            (f"{seen.module} ", "title"),
            (wish_words.title(self.trade.intent), "title"),
            (f"   {left}", "warn" if seen.left_ms < 60_000 else "label"),
        )
        return [head, confirm_text.now(seen)] if self.waits else [head]

    def outcome_lines(self, width: int) -> list[Line]:
        """What became of it, or why S did not count."""
        state = self.trade.state
        if self._words and self.waits:
            return wrapped(self._words, width, "warn")
        if self.waits:
            return []
        text, role = confirm_text.outcome(self.trade, self._answered)
        return wrapped(text, width, role) if state is not TradeState.PREPARED or self._answered else []

    # -- answers ----------------------------------------------------------------------------------------------------

    def action_reader(self, by: int) -> None:
        """Scroll the text, whatever has the focus."""
        self.query_one(Reader).action_scroll_by(by)
        self.refresh_view()

    def action_confirm(self) -> None:
        """Confirm, if everything was visible for half a second; else say why not, and begin that half second anew, so
        that a key held down never confirms."""
        if not self.waits:
            return
        self.refresh_view()
        if self._read_at is None:
            self._words = _READ_FIRST
        elif self.app.now() - self._read_at < SETTLED_S:
            self._read_at = self.app.now()
            self._words = _TOO_FAST
        elif words := self._missing():
            self._words = words
        else:
            self._answered = "confirmed"
            self.app.keep(self._confirm())
        self.refresh_view()

    def _no_longer_true(self) -> bool:
        """What kept S from counting is over."""
        if self._words == _READ_FIRST:
            return self._read_at is not None
        return self._words == _TOO_FAST and (self._read_at or 0) + SETTLED_S <= self.app.now()

    def _requirement(self) -> Requirement:
        """What a confirmation needs beside S: the core refuses without it, whatever this dialog thinks."""
        trader = self.host.trader
        if trader is None or self.host.desk is None:
            return Requirement()
        return trader.session.pipeline.proposals.requirement(self.trade)

    def _missing(self) -> str:
        """Why S can not count yet, or ""."""
        needed = self._requirement()
        if needed.cool_down_ms:
            return needed.words
        if needed.readback is None or self.query_one(Input).value.strip() == needed.readback:
            return ""
        self.query_one(Input).focus()
        return f"{needed.words} Then Enter, then S."

    @on(Input.Submitted)
    def _typed(self) -> None:
        """Enter only leaves the field."""
        self.query_one("#back").focus()

    async def _confirm(self) -> None:
        try:
            await self.host.commands["confirm"](
                {"id": self.trade.id, "text": self.trade.text, "readback": self.query_one(Input).value.strip()}
            )
        except CountersignError as error:
            self._answered, self._words = "", str(error)
            if error.code == "confirm.device":  # what was read is not true any more: it is read anew
                self._shown, self._read_at = None, None
        if self.is_attached:
            self.refresh_view()

    def action_decline(self) -> None:
        """Decline: always safe."""
        if self.waits:
            self._answered = "declined"
            self.app.do.refuse(self.trade.id)
            self.refresh_view()

    def action_device(self) -> None:
        """Back to the device, when it was left waiting."""
        if self.host.device_trade is self.trade:
            self.app.do.device_dialog()

    @on(Choice.Taken)
    def _chosen(self, event: Choice.Taken) -> None:
        if event.choice.id == "yes" and self.waits and self._read_at is None:
            self.action_reader(8)
            return
        {"back": self.action_back, "decline": self.action_decline, "yes": self.action_confirm}[str(event.choice.id)]()


class _Live(Lines):
    def __init__(self, dialog: ConfirmDialog, *, id: str) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._dialog = dialog

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- the same at any size
        return self._dialog.live_lines()


class _Outcome(Lines):
    def __init__(self, dialog: ConfirmDialog, *, id: str) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._dialog = dialog
        self._height = 0

    def get_content_height(self, *_: object) -> int:
        return max(1, min(4, self._height))

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- it makes its own room
        found = self._dialog.outcome_lines(width)
        if len(found) != self._height:
            self._height = len(found)
            self.refresh(layout=True)
        return found
