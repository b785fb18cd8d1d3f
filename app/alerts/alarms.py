"""Where alerts are raised: numbered, stored, and handed to whoever delivers them, in one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from app.alerts.model import Alert
from app.errors import Severity

Statement = tuple[str, tuple[Any, ...]]

STORE: Final = "INSERT INTO alerts (id, ts_ms, severity, kind, text, subject) VALUES (?, ?, ?, ?, ?, ?)"
_MOST_KEPT: Final = 100


class Alarms:
    """Alerts of one session. They are numbered here, not by the database, so that a delivery can name its alert also
    when the disk that should hold it is full.

    Args:
        last: number of the newest alert on record.
    """

    def __init__(self, last: int) -> None:
        self._last = last
        self._kept: deque[Alert] = deque(maxlen=_MOST_KEPT)
        """Those raised before anybody delivers: while a session opens."""
        self._accept: Callable[[Alert], list[Statement]] | None = None

    def made(self, ts_ms: int, severity: Severity, kind: str, text: str, subject: str) -> Alert:
        """A new alert with its number."""
        self._last += 1
        return Alert(self._last, ts_ms, severity, kind, text, subject)

    def raised(self, alert: Alert) -> tuple[Statement, ...]:
        """What is to be written of it: itself, and that it is to be delivered."""
        if self._accept is None:
            self._kept.append(alert)
            return (stored(alert),)
        return (stored(alert), *self._accept(alert))

    def deliver_to(self, accept: Callable[[Alert], list[Statement]]) -> tuple[Statement, ...]:
        """From now on `accept` gets each alert, and now those raised before. Returns what is to be written of these."""
        self._accept = accept
        kept, self._kept = self._kept, deque(maxlen=_MOST_KEPT)
        return tuple(statement for alert in kept for statement in accept(alert))


def stored(alert: Alert) -> Statement:
    """The statement that stores it."""
    return STORE, (alert.id, alert.ts_ms, alert.severity.value, alert.kind, alert.text, alert.subject)
