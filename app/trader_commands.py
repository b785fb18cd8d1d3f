"""What a running trader answers on its control socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from app.act_commands import act_handlers
from app.alert_service import alert_handlers
from app.chain_commands import chain_handlers
from app.device_commands import at_device, device_handlers, give_up
from app.engine.module_views import ModuleView
from app.errors import SafetyError, UsageError
from app.execution.act_rows import act_document
from app.execution.control import Handler
from app.execution.fatigue import Requirement
from app.execution.proposals import Refusal
from app.execution.ranking import Waiting
from app.execution.records import Trade
from app.execution.standing_view import displaced_by
from app.gate_records import gate_handlers, lifted
from app.health import health
from app.ids import by_prefix
from app.module_commands import module_handlers
from app.money import to_text
from app.outcomes import became
from app.reconcile_commands import reconcile_handlers
from app.risk_commands import risk_handlers
from app.seal_commands import seal_handlers
from app.ticket_commands import ticket_handlers
from app.wish_words import title
from storage.writer import Commit

if TYPE_CHECKING:
    from app.trader import Trader


ACKNOWLEDGE: Final = "UPDATE errors SET acknowledged_ms = ? WHERE id = ? AND acknowledged_ms IS NULL"


def handlers(trader: Trader) -> Mapping[str, Handler]:
    """The commands by name."""
    commands = _Commands(trader)
    return {
        "status": commands.status,
        "health": commands.health,
        "proposals": commands.proposals,
        "shown": commands.shown,
        "confirm": commands.confirm,
        "decline": commands.decline,
        "stop": commands.stop,
        "emergency": commands.emergency,
        "acknowledge": commands.acknowledge,
        "lift": commands.lift,
        "tighten": commands.tighten,
        **device_handlers(trader.session),
        **alert_handlers(trader),
        **gate_handlers(trader.session),
        **chain_handlers(trader.session),
        **act_handlers(trader),
        **risk_handlers(trader),
        **ticket_handlers(trader),
        **module_handlers(trader.manager),
        **seal_handlers(trader),
        **reconcile_handlers(trader.session),
    }


class _Commands:
    def __init__(self, trader: Trader) -> None:
        self._trader = trader

    async def status(self, _: dict[str, Any]) -> dict[str, Any]:
        trader, desk = self._trader, self._trader.session.desk
        writer = trader.session.writer
        return {
            "market_ms": desk.clock.now_ms(),
            "position": trader.position,
            "total_events": trader.source.total_events,
            "halted": desk.barred(),
            "stop_in_force": desk.stop.raised(),
            "waiting": len(trader.session.pipeline.proposals.waiting()),
            "in_flight": len(desk.state.in_flight()),
            "unknown_orders": desk.state.unknown_orders(),
            "writer_queue": writer.queued,
            "writer_failed": writer.failed.what if writer.failed else "",
            "modules": [_stands(view) for view in trader.manager.views() if view.enabled],
        }

    async def health(self, _: dict[str, Any]) -> dict[str, Any]:
        """How the trader fares; what `app.health` says."""
        return health(self._trader).document()

    async def proposals(self, _: dict[str, Any]) -> dict[str, Any]:
        """Most deserving first."""
        trades = self._trader.session.desk.state.trades
        ranked, signer = self._trader.session.pipeline.proposals.ranked(), self._trader.session.desk.terms.signer
        desk = self._trader.session.desk
        return {
            "proposals": [
                {
                    **_proposal(trades[each.trade_id], each),
                    "signer": signer,
                    "displaces": [other.intent.symbol for other in displaced_by(desk, trades[each.trade_id])],
                }
                for each in ranked
            ]
        }

    async def shown(self, request: dict[str, Any]) -> dict[str, Any]:
        """Every line of the text is visible at whoever asks. Answers what a confirmation needs, and how long to wait
        for it, in ms of wall time."""
        trade, found = self._find(request), self._trader.session.pipeline.proposals
        waits: list[int] = []
        self._answer(lambda trade_id: waits.append(found.shown(trade_id)), trade)
        return {"id": trade.id, "wait_ms": waits[0], "requirement": _requirement(found.requirement(trade))}

    async def confirm(self, request: dict[str, Any]) -> dict[str, Any]:
        """`text` must be the text that was shown: what is confirmed is what was read. `readback` is the quantity as
        typed, where one was asked for."""
        trade = self._find(request)
        if request["text"] != trade.text:
            raise SafetyError("confirm.text", "The trade's text is not the one you read.", next_step="Read it again.")
        confirm, readback = self._trader.session.pipeline.proposals.confirm, request.get("readback")
        self._answer(lambda trade_id: confirm(trade_id, readback if isinstance(readback, str) else None), trade)
        return {"id": trade.id}

    async def decline(self, request: dict[str, Any]) -> dict[str, Any]:
        """`code`: one of `Refusal`, or none. What was confirmed and waits for its device is given up."""
        code = request.get("code") or None
        if code is not None and code not in set(Refusal):
            raise UsageError("decline.reason", f"There is no such reason; allowed: {', '.join(Refusal)}.")
        session = self._trader.session
        if (asked := at_device(session, request["id"])) is not None and give_up(session, asked):
            return {"id": asked.id}
        trade, refuse = self._find(request), session.pipeline.proposals.decline
        self._answer(lambda trade_id: refuse(trade_id, code=None if code is None else Refusal(code)), trade)
        return {"id": trade.id}

    async def stop(self, _: dict[str, Any]) -> dict[str, Any]:
        self._trader.stop("stopped by command")
        return {"stopping": True}

    async def emergency(self, request: dict[str, Any]) -> dict[str, Any]:
        """The flag first, in case whoever asks has not made it; then cancel, drop, keep."""
        flag = self._trader.session.desk.stop
        if not flag.raised():
            flag.create("emergency by command")
        report = await self._trader.session.emergency.act(flatten=request.get("flatten") is True)
        return report.document()

    async def tighten(self, _: dict[str, Any]) -> dict[str, Any]:
        """The settings changed: limits that became tighter hold at once."""
        session = self._trader.session
        return {"keys": await session.config.tighten(session.desk)}

    async def lift(self, _: dict[str, Any]) -> dict[str, Any]:
        """Journal that the stop is about to be lifted; the command removes the flag after this."""
        desk = self._trader.session.desk
        if not desk.stop.raised():
            return {"journaled": False}
        transition = desk.transition()
        transition.change(*lifted(desk.wall.now_ms()))
        await desk.commit(transition, "stop.lifted", "")
        desk.stop.forget()
        return {"journaled": True}

    async def acknowledge(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answers once it is on disk."""
        desk, number = self._trader.session.desk, request["id"]
        if type(number) is not int or not 0 < number < 2**63:
            raise UsageError("errors.id", "An error's number is a whole number above 0.")
        statement = (ACKNOWLEDGE, (desk.clock.now_ms(), number))
        await desk.writer.submit(Commit(desk.clock.now_ms(), "", statements=(statement,), cursor=desk.cursor))
        return {"id": number}

    def _find(self, request: dict[str, Any]) -> Trade:
        waiting = {trade.id: trade for trade in self._trader.session.pipeline.proposals.waiting()}
        try:
            return waiting[by_prefix(request["id"], waiting)]
        except UsageError:
            outcome = became(self._trader.session.reader, request["id"])
            if outcome is None or any(each.startswith(request["id"]) for each in waiting):
                raise
            raise outcome.refusal() from None

    def _answer(self, answer: Callable[[str], None], trade: Trade) -> None:
        """Another terminal may have answered since: then what became of it."""
        try:
            answer(trade.id)
        except SafetyError as error:
            if error.code != "proposal.gone":
                raise
            outcome = became(self._trader.session.reader, trade.id)
            if outcome is None:
                raise
            raise outcome.refusal() from None


def _proposal(trade: Trade, listed: Waiting) -> dict[str, Any]:
    intent, payload = trade.intent, trade.payload
    assert payload is not None
    return {
        "id": trade.id,
        "module": intent.module,
        "symbol": intent.symbol,
        "title": title(intent),
        "act": act_document(intent.act),
        "replaces": intent.replaces,
        "side": intent.side.value,
        "quantity": to_text(intent.quantity),
        "worst_price": to_text(intent.worst_price),
        "reason": intent.reason,
        "expires_ms": intent.expires_ms,
        "text": trade.text,
        "preview": payload.preview,
        "resumed": trade.resumed,
        "closes": listed.closes,
        "value": _text(listed.value),
        "edge_bps": _text(listed.edge_bps),
        "edge_then_bps": _text(listed.edge_then_bps),
        "edge_value": _text(listed.edge_value),
        "reachable": listed.reachable,
        "age_ms": listed.age_ms,
        "left_ms": listed.left_ms,
        "app": listed.app,
        "asked_again": listed.asked_again,
        "newer_worst_price": _text(listed.newer_worst_price),
        "opposed": listed.opposed,
        "beside": list(listed.beside),
        "requirement": _requirement(listed.requirement),
        "why": listed.why,
    }


def _requirement(need: Requirement) -> dict[str, Any]:
    return {"readback": need.readback, "cool_down_ms": need.cool_down_ms, "words": need.words}


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else to_text(amount)


def _stands(view: ModuleView) -> dict[str, Any]:
    return {
        "name": view.name,
        "state": view.state.value,
        "reason": view.reason or view.unavailable,
        "health": view.health.value,
        "health_words": view.health_words,
        "bars": view.counters.bars,
        "skipped": view.counters.skipped,
    }
