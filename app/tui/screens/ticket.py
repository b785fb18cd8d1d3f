"""The manual ticket: fields on the left, what the trade would do on the right, judged at every key. It proposes; what
is proposed is read and confirmed like every other trade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.widgets import Input

from app.engine.ticket import Kind, Measure
from app.risk.model import Deny
from app.tui import words
from app.tui.keys import keyed
from app.tui.screens.form import FormDialog
from app.tui.widgets.lines import Line, Piece, flowed, line, wrapped
from app.tui.widgets.pick import Pick

if TYPE_CHECKING:
    from app.engine.manual import Look
    from app.engine.ticket import Problem

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
_SALE: Final = frozenset({"stop", "target"})
"""Fields that a sale does not have."""


class TicketDialog(FormDialog):
    """One ticket.

    Args:
        side: ``buy`` or ``sell``.
        typed: fields filled in already; ``module`` says whose position a sale reduces.
    """

    topic = "ticket"
    labels: ClassVar[Mapping[str, str]] = {**dict(_FIELDS), "module": "held by"}

    def __init__(self, side: str, typed: Mapping[str, str]) -> None:
        super().__init__()
        self._side = side
        self._given = {"kind": Kind.MARKET.value, "measure": Measure.BASE.value, **typed}

    def fields(self) -> Sequence[tuple[str, Input | Pick]]:
        """A sale has no exits."""
        return [(label, self._field(name)) for name, label in self._fields()]

    def _field(self, name: str) -> Input | Pick:
        value, identity = self._given.get(name, ""), f"field-{name}"
        if name in _CHOICES:
            return Pick(_CHOICES[name], value, id=identity)
        return Input(value=value, placeholder=_HINTS[name], id=identity, max_length=40)

    def heading(self) -> tuple[str, str]:
        """The quantity is what is missing most."""
        whose = self._given.get("module", "")
        title = "Buy" if self._side == "buy" else f"Sell what {whose or 'manual'} holds"
        return title, "quantity" if self._given.get("symbol") else "symbol"

    def typed(self) -> dict[str, str]:
        """Fields as typed."""
        fields = {name: self.value(name) for name, _ in self._fields()}
        module = {"module": self._given["module"]} if self._given.get("module") else {}
        return {**fields, **module, "side": self._side, "symbol": fields["symbol"].upper()}

    def _fields(self) -> list[tuple[str, str]]:
        return [each for each in _FIELDS if self._side == "buy" or each[0] not in _SALE]

    def judge(self) -> tuple[Sequence[Problem], Any] | None:
        """The ticket judged now."""
        trader = self.host.trader
        if trader is None or self.host.desk is None:
            return None
        seen = trader.tickets.look(self.typed())
        return seen.problems, seen

    def verdict(self, told: Look, width: int) -> list[Line]:
        """What the trade would do and what the gate would say."""
        return [] if told.preview is None else self._preview(told, width)

    async def propose(self) -> str | None:
        """As the command line does."""
        ticket = self.typed()
        if self._side == "sell" and ticket.get("module"):
            position = f"{ticket['symbol']}:{ticket['module']}"
            answer = await self.app.do.ask("close", position=position, ticket=_without(ticket, "symbol", "module"))
        else:
            answer = await self.app.do.ask(self._side, ticket=_without(ticket, "side", "module"))
        return None if answer is None or answer.get("id") is None else str(answer["id"])

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


def _without(ticket: dict[str, str], *names: str) -> dict[str, Any]:
    return {name: text for name, text in ticket.items() if name not in names and text}
