"""What a running trader answers of tickets: buy, sell, close, cancel, and the preview of a ticket that is typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.act_commands import propose_cancel, waiting
from app.engine.manual import Proposed, Tickets
from app.engine.ticket import Problem, read
from app.errors import CountersignError, UsageError
from app.execution.control import Handler
from app.execution.withdrawal import withdraw
from app.money import to_text
from strategies.base import MANUAL
from strategies.model import Side

if TYPE_CHECKING:
    from app.trader import Trader


def ticket_handlers(trader: Trader) -> Mapping[str, Handler]:
    """The commands by name."""
    commands = _TicketCommands(trader)
    return {
        "ticket_preview": commands.preview,
        "buy": commands.buy,
        "sell": commands.sell,
        "close": commands.close,
        "cover": commands.cover,
        "cancel": commands.cancel,
    }


class _TicketCommands:
    """A request's ``ticket`` holds typed text by field (`app.engine.ticket.FIELDS`)."""

    def __init__(self, trader: Trader) -> None:
        self._trader = trader

    @property
    def _tickets(self) -> Tickets:
        return self._trader.tickets

    async def preview(self, request: dict[str, Any]) -> dict[str, Any]:
        """Changes nothing; made to be asked at every key."""
        look = self._tickets.look(_typed(request))
        preview = None if look.preview is None else look.preview.as_json()
        return {"problems": _told(look.problems), "preview": preview}

    async def buy(self, request: dict[str, Any]) -> dict[str, Any]:
        """Propose a purchase of module ``manual``."""
        return self._propose({**_typed(request), "side": Side.BUY.value, "module": MANUAL})

    async def sell(self, request: dict[str, Any]) -> dict[str, Any]:
        """Propose a sale of what the trader's own hand holds."""
        return self._propose({**_typed(request), "side": Side.SELL.value, "module": MANUAL})

    async def close(self, request: dict[str, Any]) -> dict[str, Any]:
        """Propose the sale of a position, whoever holds it: ``position`` is SYMBOL or SYMBOL:MODULE, or ``all``."""
        typed = _typed(request)
        if request.get("all") is True:
            return {"closes": [self._each(each.symbol, each.module, typed) for each in self._tickets.holdings()]}
        symbol, module = self._position(request["position"])
        return self._propose({**typed, "symbol": symbol, "side": Side.SELL.value, "module": module})

    async def cover(self, request: dict[str, Any]) -> dict[str, Any]:
        """Propose a standing exit of a position on a chain: ``position`` is SYMBOL or SYMBOL:MODULE."""
        symbol, module = self._position(request["position"])
        standing = self._trader.session.standing
        if standing is None:
            raise UsageError("cover.session", "The session is not open yet.")
        trade = standing.cover(module, symbol)
        exits, intent = trade.intent.exits, trade.intent
        return {
            "id": trade.id,
            "symbol": symbol,
            "module": module,
            "quantity": to_text(intent.quantity),
            "stop": None if exits is None else to_text(exits.stop),
            "worst_price": to_text(intent.worst_price),
        }

    async def cancel(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take an order back. A transaction that waits is taken back by another one in its place, which is proposed."""
        session = self._trader.session
        if (found := waiting(session, request["id"])) is not None:
            return propose_cancel(self._trader.acts, *found)
        return (await withdraw(session.desk, session.pipeline, request["id"])).as_json()

    def _each(self, symbol: str, module: str, typed: dict[str, Any]) -> dict[str, Any]:
        """One of several closes: what is in the way of one is no reason not to propose the next."""
        name = {"symbol": symbol, "module": module}
        try:
            return {**name, **self._propose({**typed, **name, "side": Side.SELL.value})}
        except CountersignError as error:
            return {**name, "error": error.what}

    def _propose(self, typed: dict[str, Any]) -> dict[str, Any]:
        ticket, problems = read(typed)
        proposed = problems if ticket is None else self._tickets.propose(ticket)
        if isinstance(proposed, Proposed):
            return {"id": proposed.trade.id, "problems": [], "preview": proposed.preview.as_json()}
        return {"id": None, "problems": _told(proposed), "preview": None}

    def _position(self, name: object) -> tuple[str, str]:
        """Symbol and module of an open position.

        Raises:
            UsageError: there is none of that name, or several modules hold it.
        """
        symbol, _, module = name.partition(":") if isinstance(name, str) else ("", "", "")
        held = [each for each in self._tickets.holders(symbol) if module in {"", each.module}]
        if len(held) == 1:
            return symbol, held[0].module
        every = held or self._tickets.holdings()
        choices = ", ".join(f"{each.symbol}:{each.module} ({to_text(each.quantity)})" for each in every)
        what = f"Several modules hold {symbol}: say which." if held else f"There is no open position {repr(name)[:60]}."
        raise UsageError("close.position", what, next_step=f"Open: {choices or 'none'}.")


def _typed(request: dict[str, Any]) -> dict[str, Any]:
    typed = request.get("ticket", {})
    if not isinstance(typed, dict):
        raise UsageError("ticket.fields", "A ticket is a table of typed fields.")
    return typed


def _told(problems: tuple[Problem, ...]) -> list[dict[str, str]]:
    return [{"field": each.field, "words": each.words, "allowed": each.allowed} for each in problems]
