"""What dialogs with typed fields have in common: fields on the left, on the right what is wrong with them and what they
would do, judged at every key. They propose; what is proposed is read and confirmed like every trade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Input

from app.text import escape_untrusted
from app.tui import words
from app.tui.screens.dialog import Dialog
from app.tui.widgets.choice import Choice
from app.tui.widgets.lines import Line, Lines, flowed, line, wrapped
from app.tui.widgets.pick import Pick
from app.tui.widgets.status import KeyLine, StatusLine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.engine.ticket import Problem

_ENGINE: Final = "The engine does not run."


class FormDialog(Dialog):
    """One form; its frame is called as its topic is."""

    SCOPED_CSS = False
    DEFAULT_CSS = """
    FormDialog .frame { max-width: 110; height: auto; max-height: 22; }
    FormDialog #columns { layout: horizontal; height: auto; }
    FormDialog #fields { width: 36; height: auto; }
    FormDialog Pick { width: 21; background: $panel; }
    FormDialog .field { layout: horizontal; height: 1; }
    FormDialog Input { border: none; height: 1; padding: 0; width: 21; background: $panel; }
    FormDialog Input:focus { border: none; background: $primary 35%; }
    FormDialog Label { width: 14; height: 1; }
    FormDialog Judged { height: 17; margin: 0 0 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "propose", "propose", show=False, priority=True),
        Binding("down,enter", "app.focus_next", "next field", show=False, priority=True),
        Binding("up", "app.focus_previous", "field before", show=False, priority=True),
    ]
    labels: ClassVar[Mapping[str, str]] = {}
    """What the engine's names of the fields are called here."""

    def __init__(self) -> None:
        super().__init__()
        self._said = ""

    # -- what each has of its own ------------------------------------------------------------------------------------

    def fields(self) -> Sequence[tuple[str, Input | Pick]]:
        """Label and field, in their order; a field's id is ``field-`` and its name."""
        raise NotImplementedError

    def heading(self) -> tuple[str, str]:
        """The frame's title, and the name of the field that is missing most."""
        raise NotImplementedError

    def typed(self) -> dict[str, str]:
        """Fields as typed."""
        raise NotImplementedError

    def judge(self) -> tuple[Sequence[Problem], Any] | None:
        """What is wrong with the fields now, and whatever `verdict` is to tell; None while the engine does not run."""
        raise NotImplementedError

    def verdict(self, told: Any, width: int) -> list[Line]:
        """What they would do, as far as that can be said."""
        raise NotImplementedError

    async def propose(self) -> str | None:
        """Through the trader's own handlers; the id of what was proposed."""
        raise NotImplementedError

    # -- the same for all --------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Fields, judgement, choices."""
        yield StatusLine()
        with Container(classes="frame", id=self.topic):
            with Container(id="columns"):
                with Container(id="fields"):
                    for label, field in self.fields():
                        with Container(classes="field"):
                            yield Label(label)
                            yield field
                yield Judged(self)
            with Container(classes="choices"):
                yield Choice("Esc", "leave it", id="leave", focusable=False)
                yield Choice("Ctrl+S", "propose", id="propose", focusable=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """A price that is typed is typed against the market as it stands."""
        title, first = self.heading()
        self.query_one(f"#{self.topic}").border_title = title
        self.query_one(f"#field-{first}").focus()
        self.host.readers.add(self)
        self.call_after_refresh(self.refresh_view)

    def on_unmount(self) -> None:
        """Proposed, or left."""
        self.host.readers.discard(self)

    def hints(self) -> list[tuple[str, str]]:
        """Keys of this dialog."""
        keys = [("Enter", "next field"), ("Ctrl+S", "propose"), ("Esc", "leave"), ("F1", "help"), ("!", "STOP")]
        if isinstance(self.focused, Pick):
            arrows = self.app.glyphs.arrows
            keys.insert(0, (f"{arrows[0]} {arrows[1]}", "choose"))
        return keys

    def value(self, name: str) -> str:
        """What is in a field."""
        found = self.query_one(f"#field-{name}")
        return found.value.strip() if isinstance(found, Input | Pick) else ""

    def draw(self) -> None:
        """The judgement, which moves with the market."""
        self.query_one(Judged).show()

    def judged_lines(self, width: int) -> list[Line]:
        """The market, what was said, what is wrong, or what it would do."""
        judged = self.judge()
        if judged is None:
            return [line((_ENGINE, "error"))]
        problems, told = judged
        lines = [*self._now(width), *(wrapped(self._said, width, "error") if self._said else [])]
        for problem in problems:
            allowed = f"; allowed: {problem.allowed}" if problem.allowed else ""
            text = f"{self.labels.get(problem.field, problem.field)}: {problem.words}{allowed}"
            lines += wrapped(escape_untrusted(text), width, "warn", "  ")
        return [*lines, *self.verdict(told, width)]

    def _now(self, width: int) -> list[Line]:
        """The market, whatever is typed: prices are chosen by it."""
        desk, symbol = self.host.desk, self.value("symbol").upper()
        instrument = None if desk is None else desk.instruments.get(symbol)
        quote = None if desk is None or instrument is None else desk.market.quote(symbol)
        if instrument is None or quote is None:
            return []
        bid, ask = words.price(quote.bid, instrument.tick), words.price(quote.ask, instrument.tick)
        groups = [
            (("now ", "dim"), (f"bid {bid}", "")),
            (("/ ", "dim"), (f"ask {ask}", "")),
            ((instrument.quote, "dim"),),
        ]
        return flowed(groups, width)

    @on(Input.Changed)
    @on(Pick.Picked)
    def _edited(self) -> None:
        self._said = ""
        self.refresh_view()

    @on(Choice.Taken)
    def _chosen(self, event: Choice.Taken) -> None:
        if event.choice.id == "propose":
            self.action_propose()
        else:
            self.action_back()

    def action_propose(self) -> None:
        """Through the door; then the confirmation opens."""
        judged = self.judge()
        if judged is None:
            self._said = _ENGINE
        elif judged[0]:
            self._said = "Not proposed: see what is wrong below."
        else:
            self.app.keep(self._propose())
        self.refresh_view()

    async def _propose(self) -> None:
        trade_id = await self.propose()
        if trade_id is not None:
            self.dismiss(None)
            self.app.do.read_when_prepared(trade_id)


class Label(Lines):
    """A field's label."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self._label = label

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- one line
        """The label."""
        return [line((self._label, "label"))]


class Judged(Lines):
    """What the dialog says of its fields."""

    def __init__(self, dialog: FormDialog) -> None:
        super().__init__(id="judged")
        self._dialog = dialog

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- as many lines as there are
        """The judgement."""
        return self._dialog.judged_lines(width)
