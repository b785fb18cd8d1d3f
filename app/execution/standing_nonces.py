"""Whether the nonces of standing exits are still theirs: by what was sent, and by what the chain says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.errors import VenueError
from app.execution.desk import Desk
from app.execution.preparation import Preparation
from app.execution.records import Trade
from app.execution.standing_view import nonces_of, nonces_sent, own_nonce
from app.execution.work import Work

_NAME: Final = "nonces of standing exits"
"""What its work is called; no trade is."""
_CHECK_MS: Final = 4_000
"""Between two questions to the chain whether the nonces still are the account's next."""


class NonceWatch:
    """Of one session; on the loop thread.

    Args:
        then: called when the chain was asked.
    """

    def __init__(self, desk: Desk, preparation: Preparation, work: Work, then: Callable[[], None]) -> None:
        self._desk, self._preparation, self._work, self._then = desk, preparation, work, then
        self._doubted: dict[str, str] = {}
        """Armed ones whose nonce was not the next one when the chain was last asked, and why."""
        self._displaced: dict[str, str] = {}
        """The same, twice in a row."""
        self._spent: set[int] = set()
        """Nonces that this session has sent something with, also for trades that have ended and are forgotten."""
        self._next_ms = 0
        self._checking = False

    def sent(self, trade: Trade) -> None:
        """A trade went on: the nonces of what it sent are spent."""
        self._spent |= nonces_of(trade)

    def look(self) -> None:
        """Ask the chain, unless it was asked a moment ago."""
        now = self._desk.clock.now_ms()
        if now < self._next_ms or self._checking:
            return
        self._next_ms = now + _CHECK_MS
        if any(trade.armed for trade in self._desk.state.trades.values()):
            self._checking = True
            self._work.start(_NAME, self._check())

    def doubts(self, trade: Trade) -> bool:
        """Whether the chain said once that its nonce is not the next one."""
        return trade.id in self._doubted

    def taken(self, trade: Trade) -> str | None:
        """Why its nonce can not be its own any more, or None."""
        if own_nonce(trade) in self._spent | nonces_sent(self._desk, {trade.id}):
            return "A later trade of this account was sent with its nonce."
        return self._displaced.get(trade.id)

    def forget(self, trade: Trade) -> None:
        """It has ended."""
        self._doubted.pop(trade.id, None)
        self._displaced.pop(trade.id, None)

    async def _check(self) -> None:
        """Ask whether something else has a nonce. Believed at the second time: a node may be behind."""
        try:
            for trade in [each for each in self._desk.state.trades.values() if each.armed]:
                with self._desk.activity.parked():
                    why = await self._preparation.stands(trade)
                if not trade.armed or self._work.owns(trade.id):
                    continue  # it is being sent, or was meanwhile: what has its nonce may be itself
                if why is None:
                    if trade.held_back == self._doubted.pop(trade.id, None):
                        trade.held_back = ""
                    continue
                if trade.id in self._doubted:
                    self._displaced[trade.id] = why
                self._doubted[trade.id] = trade.held_back = why
        except VenueError:
            return  # asked again soon; the health of the nodes says what is wrong
        finally:
            self._checking = False
        self._then()
