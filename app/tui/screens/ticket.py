"""The manual ticket: fields on the left, what the trade would do on the right, judged at every key. It proposes; what
is proposed is read and confirmed like every other trade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Input

from app.engine.ticket import Kind, Measure, Problem
from app.risk.model import Deny
from app.text import escape_untrusted
from app.tui import words
from app.tui.keys import keyed
from app.tui.screens.dialog import Dialog
from app.tui.widgets.choice import Choice
from app.tui.widgets.lines import Line, Lines, Piece, flowed, line, wrapped
from app.tui.widgets.pick import Pick
from app.tui.widgets.status import KeyLine, StatusLine

if TYPE_CHECKING:
    from app.engine.manual import Look
    from app.tui.app import Terminal

_FIELDS: Final = (
    ("symbol", "instrument"),
    ("kind", "kind"),
    ("quantity", "quantity"),
    ("measure", "counted in"),
    ("price", "price"),
    ("stop", "stop"),
    ("target", "target"),
    ("seconds", "seconds open"),
)
_HINTS: Final = {
    "symbol": "such as ETH-USDT",
    "quantity": "such as 0.05",
    "price": "worst, or the limit",
    "stop": "needed",
    "target": "optional",
    "seconds": "optional",
}
_CHOICES: Final = {"kind": tuple(Kind), "measure": tuple(Measure)}
_LABELS: Final = {**dict(_FIELDS), "module": "held by"}
"""What the engine's names of the fields are called here."""
_SALE: Final = frozenset({"stop", "target"})
"""Fields that a sale does not have."""


class TicketDialog(Dialog):
    """One ticket.

    Args:
        side: ``buy`` or ``sell``.
        typed: fields filled in already; ``module`` says whose position a sale reduces.
    """

    topic = "ticket"
    SCOPED_CSS = False
    DEFAULT_CSS = """
    TicketDialog .frame { max-width: 110; height: auto; max-height: 22; }
    TicketDialog #columns { layout: horizontal; height: auto; }
    TicketDialog #fields { width: 36; height: auto; }
    TicketDialog Pick { width: 21; background: $panel; }
    TicketDialog .field { layout: horizontal; height: 1; }
    TicketDialog Input { border: none; height: 1; padding: 0; width: 21; background: $panel; }
    TicketDialog Input:focus { border: none; background: $primary 35%; }
    TicketDialog _Name { width: 14; height: 1; }
    TicketDialog _Judged { height: 17; margin: 0 0 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "propose", "propose", show=False, priority=True),
        Binding("down,enter", "app.focus_next", "next field", show=False, priority=True),
        Binding("up", "app.focus_previous", "field before", show=False, priority=True),
    ]

    def __init__(self, side: str, typed: Mapping[str, str]) -> None:
        super().__init__()
        self._side = side
        self._given = {"kind": Kind.MARKET.value, "measure": Measure.BASE.value, **typed}
        self._said = ""

    def compose(self) -> ComposeResult:
        """Fields, judgement, choices."""
        yield StatusLine()
        with Container(classes="frame", id="ticket"):
            with Container(id="columns"):
                with Container(id="fields"):
                    for name, label in self._fields():
                        with Container(classes="field"):
                            yield _Name(label)
                            value, identity = self._given.get(name, ""), f"field-{name}"
                            if name in _CHOICES:
                                yield Pick(_CHOICES[name], value, id=identity)
                            else:
                                yield Input(value=value, placeholder=_HINTS[name], id=identity, max_length=40)
                yield _Judged(self, id="judged")
            with Container(classes="choices"):
                yield Choice("Esc", "leave it", id="leave", focusable=False)
                yield Choice("Ctrl+S", "propose", id="propose", focusable=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """The quantity is what is missing most. A price that is typed is typed against the market as it stands."""
        whose = self._given.get("module", "")
        what = "Buy" if self._side == "buy" else f"Sell what {whose or 'manual'} holds"
        self.query_one("#ticket").border_title = what
        self.query_one("#field-quantity" if self._given.get("symbol") else "#field-symbol").focus()
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

    def typed(self) -> dict[str, str]:
        """Fields as typed."""
        fields = {name: self._value(name) for name, _ in self._fields()}
        module = {"module": self._given["module"]} if self._given.get("module") else {}
        return {**fields, **module, "side": self._side, "symbol": fields["symbol"].upper()}

    def _value(self, name: str) -> str:
        found = self.query_one(f"#field-{name}")
        return found.value.strip() if isinstance(found, (Input, Pick)) else ""

    def _fields(self) -> list[tuple[str, str]]:
        return [each for each in _FIELDS if self._side == "buy" or each[0] not in _SALE]

    def draw(self) -> None:
        """The judgement, which moves with the market."""
        self.query_one(_Judged).show()

    def look(self) -> Look | None:
        """The ticket judged now; None while the engine does not run."""
        trader = self.host.trader
        if trader is None or self.host.desk is None:
            return None
        return trader.tickets.look(self.typed())

    @property
    def said(self) -> str:
        """What the door answered to a proposal."""
        return self._said

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
        seen = self.look()
        if seen is None:
            self._said = "The engine does not run."
        elif seen.problems:
            self._said = "Not proposed: see what is wrong below."
        else:
            self.app.keep(self._propose())
        self.refresh_view()

    async def _propose(self) -> None:
        """The trader's own handlers, as the command line reaches them."""
        ticket = self.typed()
        if self._side == "sell" and ticket.get("module"):
            position = f"{ticket['symbol']}:{ticket['module']}"
            answer = await self.app.do.ask("close", position=position, ticket=_without(ticket, "symbol", "module"))
        else:
            answer = await self.app.do.ask(self._side, ticket=_without(ticket, "side", "module"))
        if answer is None or answer.get("id") is None:
            return
        self.dismiss(None)
        self.app.do.read_when_prepared(str(answer["id"]))


def _without(ticket: dict[str, str], *names: str) -> dict[str, Any]:
    return {name: text for name, text in ticket.items() if name not in names and text}


class _Name(Lines):
    """A field's label."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self._label = label

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- one line
        return [line((self._label, "label"))]


class _Judged(Lines):
    """Problems field by field; without any, what the trade would do and what the gate would say."""

    app: Terminal

    def __init__(self, dialog: TicketDialog, *, id: str) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._dialog = dialog

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- as many lines as there are
        seen = self._dialog.look()
        lines: list[Line] = []
        if seen is None:
            return [line(("The engine does not run.", "error"))]
        lines += [*self._now(width), *(wrapped(self._dialog.said, width, "error") if self._dialog.said else [])]
        for problem in seen.problems:
            lines += wrapped(escape_untrusted(_said(problem)), width, "warn", "  ")
        if seen.preview is not None:
            lines += self._preview(seen, width)
        return lines

    def _now(self, width: int) -> list[Line]:
        """The market, whatever is typed: a stop is chosen by it."""
        desk, symbol = self.app.host.desk, self._dialog.typed()["symbol"]
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

    def _preview(self, seen: Look, width: int) -> list[Line]:
        preview, glyphs, desk = seen.preview, self.app.glyphs, self.app.host.desk
        assert preview is not None
        assert desk is not None  # it made the preview
        tick, quote = desk.instruments[preview.symbol].tick, desk.instruments[preview.symbol].quote
        word = "pay up to" if preview.side.value == "buy" else "get at least"
        rests: list[tuple[Piece, ...]] = [(("rests", "key"),)] if preview.rests else []
        worth = f"${words.money(preview.value)}" if preview.value is not None else "unknown"
        bound = f"{words.precise(preview.bound)} {quote}"
        lines = flowed([(("worst price ", "dim"), (words.price(preview.price, tick), "")), *rests], width)
        lines += flowed([((f"{word} ", "dim"), (bound, "")), ((" worth ", "dim"), (worth, ""))], width)
        outcomes = [("at the stop ", None if preview.loss is None else preview.loss.copy_abs().copy_negate())]
        outcomes.append(("at the target ", preview.gain))
        for label, profit in outcomes:
            if profit is not None:
                groups: list[tuple[Piece, ...]] = [
                    ((label, "dim"), words.signed(profit, glyphs, 4, exact=True), (f" {quote}", "dim")),
                    *words.worth(profit, preview.rate),
                ]
                if profit is preview.gain and preview.reward_risk is not None:
                    groups.append(((f"{preview.reward_risk} for 1 risked", "dim"),))
                lines += flowed(groups, width)
        if isinstance(preview.verdict, Deny):
            lines += wrapped(f"The gate would deny it: {keyed(preview.verdict.reason)}", width, "error")
        else:
            lines.append(line(("The gate would allow it.", "ok")))
        if preview.left:
            lines += wrapped(f"{preview.left} is covered by other exits: close again for it", width, "warn")
        shares = [f"{each.limit_name} {each.percent} %" for each in preview.shares if each.percent]
        return lines + (wrapped("uses " + ", ".join(shares), width, "dim", "  ") if shares else [])


def _said(problem: Problem) -> str:
    """A problem with the label that its field has on the screen."""
    allowed = f"; allowed: {problem.allowed}" if problem.allowed else ""
    return f"{_LABELS.get(problem.field, problem.field)}: {problem.words}{allowed}"
