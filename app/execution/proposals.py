"""Prepared trades that wait for the one pair of eyes: confirm, decline, expiry, or the emergency stop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.errors import SafetyError
from app.execution.desk import Desk
from app.execution.records import Trade


class Answer(StrEnum):
    """What became of a proposal that waited for the trader."""

    CONFIRMED = "confirmed"
    DECLINED = "declined"
    EXPIRED = "expired"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer and, where it is a no, why."""

    answer: Answer
    reason: str = ""


class Proposals:
    """The waiting ones."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: dict[str, asyncio.Future[Decision]] = {}

    async def ask(self, trade: Trade) -> Decision:
        """Wait for the trader, the intent's expiry, or the stop. Paper may confirm by itself."""
        desk = self._desk
        if desk.stop.raised():
            return Decision(Answer.STOPPED, "The emergency stop.")
        if desk.terms.auto_confirm:
            return Decision(Answer.CONFIRMED)
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting[trade.id] = answer
        expiry = asyncio.ensure_future(desk.clock.sleep_until(trade.intent.expires_ms))
        either: set[asyncio.Future[Any]] = {answer, expiry}
        try:
            with desk.activity.parked():
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return answer.result() if answer.done() else Decision(Answer.EXPIRED, "Nobody confirmed it in time.")
        finally:
            expiry.cancel()
            self._waiting.pop(trade.id, None)

    def waiting(self) -> list[Trade]:
        """Trades that wait for an answer, oldest first."""
        return [trade for trade in self._desk.state.trades.values() if trade.id in self._waiting]

    def confirm(self, trade_id: str) -> None:
        """The trader confirmed the text of this trade.

        Raises:
            SafetyError: it does not wait for an answer.
        """
        self._answer(trade_id, Decision(Answer.CONFIRMED))

    def decline(self, trade_id: str, reason: str = "Declined by the trader.") -> None:
        """The trader declined.

        Raises:
            SafetyError: it does not wait for an answer.
        """
        self._answer(trade_id, Decision(Answer.DECLINED, reason))

    def stop_all(self, reason: str) -> None:
        """End everything that waits: the emergency stop."""
        self._end_all(Decision(Answer.STOPPED, reason))

    def expire_all(self, reason: str) -> None:
        """End everything that waits: the session ends."""
        self._end_all(Decision(Answer.EXPIRED, reason))

    def _end_all(self, decision: Decision) -> None:
        # one that was answered a moment ago has its answer; the pipeline asks the stop again before sign and send
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(decision)

    def _answer(self, trade_id: str, decision: Decision) -> None:
        waiting = self._waiting.get(trade_id)
        if waiting is None or waiting.done():
            raise SafetyError(
                "proposal.gone",
                f"Trade {trade_id} does not wait for an answer.",
                next_step="See what does: countersign proposals",
            )
        waiting.set_result(decision)
