"""The person at the keyboard: their own time, and that they read before they confirm."""

from __future__ import annotations

from typing import Any

from app.execution.fatigue import READ_MS
from app.session import Session


class PersonClock:
    """The trader's own time: stands still unless a test lets it pass."""

    def __init__(self, wall_ms: int = 1_700_000_000_000) -> None:
        self.wall_ms = wall_ms
        self.mono_ms = 1_000

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic_ns(self) -> int:
        return self.mono_ms * 1_000_000

    async def sleep_until(self, ts_ms: int) -> None:
        raise AssertionError(f"nobody sleeps on the person's clock (until {ts_ms})")

    def passes(self, ms: int) -> None:
        self.wall_ms += ms
        self.mono_ms += ms


def read_first(session: Session, person: PersonClock) -> None:
    """From now on whoever confirms has brought up the text and read it for long enough."""
    proposals: Any = session.pipeline.proposals
    confirm = proposals.confirm

    def careful(trade_id: str, readback: str | None = None) -> None:
        proposals.shown(trade_id)
        person.passes(READ_MS)
        confirm(trade_id, readback)

    proposals.confirm = careful
