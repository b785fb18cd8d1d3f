"""Deliveries of alerts, from the database. Read-only; times are wall time, ms UTC."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from app.alerts.message import Waiting
from app.alerts.model import Alert
from app.errors import Severity
from storage.database import Reader


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """What became of one alert on one channel.

    Attributes:
        state: PENDING, DELIVERED or FAILED.
        reason: why it failed, or "".
    """

    alert_id: int
    channel: str
    state: str
    reason: str
    attempts: int
    accepted_ms: int
    updated_ms: int
    severity: str
    kind: str
    text: str

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def deliveries(reader: Reader, *, limit: int, offset: int) -> tuple[DeliveryView, ...]:
    """Newest first."""
    if not _knows(reader):
        return ()
    rows = reader.rows(
        "SELECT d.*, coalesce(a.severity, '') AS severity, coalesce(a.kind, '') AS kind, coalesce(a.text, '') AS text "
        "FROM alert_deliveries d LEFT JOIN alerts a ON a.id = d.alert_id "
        "ORDER BY d.alert_id DESC, d.channel LIMIT ? OFFSET ?",
        (limit, offset),
    )
    return tuple(DeliveryView(**row) for row in rows)


def last_sent(reader: Reader) -> dict[tuple[str, str], int]:
    """When the newest alert of each kind and subject was taken over that reached somebody or still may."""
    rows = reader.rows(
        "SELECT a.kind, a.subject, max(d.accepted_ms) AS last_ms FROM alert_deliveries d "
        "JOIN alerts a ON a.id = d.alert_id WHERE d.state <> 'FAILED' AND a.kind <> 'test' GROUP BY a.kind, a.subject"
    )
    return {(row["kind"], row["subject"]): row["last_ms"] for row in rows}


def pending(reader: Reader) -> tuple[tuple[str, Waiting], ...]:
    """Channel and alert of what was not got to, oldest first."""
    rows = reader.rows(
        "SELECT d.channel, d.accepted_ms, a.* FROM alert_deliveries d JOIN alerts a ON a.id = d.alert_id "
        "WHERE d.state = 'PENDING' ORDER BY d.alert_id"
    )
    return tuple((row["channel"], Waiting(_alert(row), row["accepted_ms"])) for row in rows)


def _alert(row: dict[str, Any]) -> Alert:
    severity = Severity(row["severity"])
    return Alert(row["id"], row["ts_ms"], severity, row["kind"], row["text"], row["subject"])


def _knows(reader: Reader) -> bool:
    """Whether a session of this version has opened the database yet."""
    return bool(reader.value("SELECT count(*) FROM sqlite_master WHERE name = 'alert_deliveries'"))
