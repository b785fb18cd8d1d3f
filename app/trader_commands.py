"""What a running trader answers on its control socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.errors import UsageError
from app.execution.control import Handler
from app.execution.records import Trade
from app.money import to_text

if TYPE_CHECKING:
    from app.trader import Trader


def handlers(trader: Trader) -> Mapping[str, Handler]:
    """The commands by name."""
    commands = _Commands(trader)
    return {
        "status": commands.status,
        "proposals": commands.proposals,
        "confirm": commands.confirm,
        "decline": commands.decline,
        "stop": commands.stop,
        "emergency": commands.emergency,
        "acknowledge": commands.acknowledge,
        "lift": commands.lift,
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
            "halted": desk.halted,
            "stop_in_force": desk.stop.raised(),
            "waiting": len(trader.session.pipeline.proposals.waiting()),
            "in_flight": len(desk.state.in_flight()),
            "unknown_orders": desk.state.unknown_orders(),
            "writer_queue": writer.queued,
            "writer_failed": writer.failed.what if writer.failed else "",
            "modules": [
                {"name": m.name, "state": m.state.value, "reason": m.reason, "bars": m.counters.bars}
                for m in trader.modules
            ],
        }

    async def proposals(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"proposals": [self._proposal(trade) for trade in self._trader.session.pipeline.proposals.waiting()]}

    async def confirm(self, request: dict[str, Any]) -> dict[str, Any]:
        """`text` must be the text that was shown: what is confirmed is what was read."""
        trade = self._find(request)
        assert trade.payload is not None
        if request["text"] != trade.payload.text:
            raise UsageError("confirm.text", "The trade's text is not the one you read.", next_step="Read it again.")
        self._trader.session.pipeline.proposals.confirm(trade.id)
        return {"id": trade.id}

    async def decline(self, request: dict[str, Any]) -> dict[str, Any]:
        trade = self._find(request)
        self._trader.session.pipeline.proposals.decline(trade.id)
        return {"id": trade.id}

    async def stop(self, _: dict[str, Any]) -> dict[str, Any]:
        self._trader.stop("stopped by command")
        return {"stopping": True}

    async def emergency(self, request: dict[str, Any]) -> dict[str, Any]:
        report = await self._trader.session.emergency.act(flatten=bool(request.get("flatten")))
        return {
            "cancelled": report.cancelled,
            "kept_exits": report.kept_exits,
            "flattened": report.flattened,
            "unknown": report.unknown,
        }

    async def lift(self, _: dict[str, Any]) -> dict[str, Any]:
        """Journal that the stop is about to be lifted; the command removes the flag after this."""
        desk = self._trader.session.desk
        transition = desk.transition()
        transition.change("stop", "lifted")
        await desk.commit(transition, "stop.lifted", "")
        return {"journaled": True}

    async def acknowledge(self, request: dict[str, Any]) -> dict[str, Any]:
        desk = self._trader.session.desk
        sql = "UPDATE errors SET acknowledged_ms = ? WHERE id = ? AND acknowledged_ms IS NULL"
        desk.note(sql, (desk.clock.now_ms(), int(request["id"])))
        return {"id": int(request["id"])}

    def _find(self, request: dict[str, Any]) -> Trade:
        prefix = str(request["id"])
        waiting = self._trader.session.pipeline.proposals.waiting()
        found = [trade for trade in waiting if trade.id.startswith(prefix)]
        if len(found) == 1:
            return found[0]
        what = (
            f"No waiting trade begins with {prefix}."
            if not found
            else f"{len(found)} waiting trades begin with {prefix}."
        )
        raise UsageError("proposal.unknown", what, next_step="See what waits: countersign proposals")

    def _proposal(self, trade: Trade) -> dict[str, Any]:
        intent, payload = trade.intent, trade.payload
        assert payload is not None
        return {
            "id": trade.id,
            "module": intent.module,
            "symbol": intent.symbol,
            "side": intent.side.value,
            "quantity": to_text(intent.quantity),
            "worst_price": to_text(intent.worst_price),
            "reason": intent.reason,
            "expires_ms": intent.expires_ms,
            "text": payload.text,
            "preview": payload.preview,
            "resumed": trade.resumed,
        }
