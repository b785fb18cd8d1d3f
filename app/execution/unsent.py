"""The end of a trade whose bytes never left."""

from __future__ import annotations

from collections.abc import Callable

from app.errors import Severity, SignerError
from app.execution.desk import Desk
from app.execution.proposals import Answer, Proposals
from app.execution.records import Trade
from app.execution.settlement import end_unsent
from app.execution.states import TradeState


class Unsent:
    """Keeps the record for the pipeline."""

    def __init__(self, desk: Desk, proposals: Proposals, on_progress: Callable[[Trade], None]) -> None:
        self._desk, self._proposals, self._on_progress = desk, proposals, on_progress

    async def end(self, trade: Trade, state: TradeState, reason: str, answer: Answer | None = None) -> bool:
        """End it; `answer`: who waited was told so. Always False: nothing goes on. A standing exit that is being sent
        is held back instead."""
        if trade.triggered:
            trade.held_back = reason
            return False
        desk = self._desk
        transition = desk.transition()
        if trade.state is TradeState.SUBMITTED:  # an approval went before it, and is all that was sent
            state, reason = TradeState.CANCELLED, f"{reason.removesuffix(' Nothing was sent.')} It was approved only."
        end_unsent(desk, transition, trade, state, reason)
        if answer is not None:
            self._proposals.missed(transition, trade, answer)
        kind = "withdrawn" if answer is Answer.WITHDRAWN else state.value.lower()
        await desk.commit(transition, f"trade.{kind}", trade.id)
        self._on_progress(trade)
        return False

    async def not_ours(self, trade: Trade, what: str) -> bool:
        """What would be sent is not what was confirmed: refused, told, and nothing new begins."""
        desk = self._desk
        desk.record_error(SignerError("signature.refused", what, next_step="Nothing was sent."), trade.id)
        desk.alert(Severity.CRITICAL, "signature.refused", f"{trade.intent.symbol}: {what}", trade.id)
        desk.halt("a signed trade was not what was confirmed")
        trade.triggered = False
        return await self.end(trade, TradeState.FAILED, what)

    async def in_turn(self, trade: Trade, state: TradeState, reason: str) -> None:
        """`end`, where nobody else did before the turn was taken."""
        async with self._desk.turn:
            if trade.state is TradeState.CONFIRMED:
                await self.end(trade, state, reason)
