"""While a live session runs: what the live gate asked for is looked at again, and the clock compared again. What lapses
ends new trades until it is on record again; exits go on."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from app.errors import CountersignError, Severity
from app.gate_records import CLOCK_CHECKED, clock_checked
from app.live_rules import LiveRules
from app.risk.live import CLOCK_FRESH_MS
from storage.faults import StorageFault, fault_of

if TYPE_CHECKING:
    from app.session import Session

EVERY_S: Final = 60.0
_CLOCK_MS: Final = CLOCK_FRESH_MS // 4
"""Well before the last comparison is too old, so that a network that is away for hours ends nothing."""


class LiveWatch:
    """Of one session; does nothing on another profile."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._compared_ms: int | None = None

    async def run(self) -> None:
        """Look once a minute until cancelled."""
        if not isinstance(self._session.rules, LiveRules):
            return
        self._compared_ms = self._session.wall.now_ms()  # the gate let us in, so it was
        while True:
            await asyncio.sleep(EVERY_S)
            if self._session.wall.now_ms() - self._compared_ms >= _CLOCK_MS:
                await self.compare()
            await look(self._session)

    async def compare(self) -> None:
        """Compare the clock; journal that it is right. Where nobody answers, or it is wrong, nothing is journaled, and
        the last time that it was right lapses."""
        from app.clock_check import ask, judge  # noqa: PLC0415 -- the network, where it is asked

        session = self._session
        sources = session.settings.clock.sources
        verdict = judge(await ask(sources, session.wall), len(sources))
        self._compared_ms = session.wall.now_ms()
        if verdict.checked:
            transition = session.desk.transition()
            transition.change(*clock_checked(verdict, session.wall.now_ms()))
            await session.desk.commit(transition, CLOCK_CHECKED, "")


async def look(session: Session) -> None:
    """Go by what is on record now: caps, and whether new trades are taken. A change is alerted."""
    rules, desk = session.rules, session.desk
    if not isinstance(rules, LiveRules):
        return
    before = rules.barred()
    try:
        rules.take(await asyncio.to_thread(rules.read))
    except (CountersignError, StorageFault, sqlite3.Error) as error:
        rules.lost(_words(error, session))
    desk.configure(desk.configured)
    desk.terms = replace(desk.terms, capital=rules.capital(rules.given))
    after = rules.barred()
    if after and not before:
        text = f"New trades stopped: {after} Exits stay managed."
        desk.alert(Severity.HIGH, "live.lapsed", text)
    elif before and not after:
        desk.alert(Severity.LOW, "live.lapsed", "The live gate holds again: new trades are taken.")


def _words(error: CountersignError | StorageFault | sqlite3.Error, session: Session) -> str:
    return (fault_of(error, session.plan.db) if isinstance(error, sqlite3.Error) else error).what
