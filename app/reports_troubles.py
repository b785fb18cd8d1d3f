"""Stored errors and alerts as a screen shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.health import SERIOUS
from storage.database import Reader

MOST: Final = 200
"""Rows of each kind on the screen; ``countersign errors --offset`` has the rest."""


@dataclass(frozen=True, slots=True)
class ErrorView:
    """One stored error. `ts_ms` is market time."""

    id: int
    ts_ms: int
    error_class: str
    severity: str
    code: str
    what: str
    sent: str
    next_step: str
    subject: str
    acknowledged_ms: int | None


@dataclass(frozen=True, slots=True)
class AlertView:
    """One stored alert."""

    id: int
    ts_ms: int
    severity: str
    kind: str
    text: str
    subject: str


@dataclass(frozen=True, slots=True)
class Troubles:
    """The newest of both, newest first; how many serious errors nobody has acknowledged."""

    errors: tuple[ErrorView, ...] = ()
    alerts: tuple[AlertView, ...] = ()
    serious: int = 0


def troubles(reader: Reader) -> Troubles:
    """What is on record."""
    return Troubles(
        tuple(
            ErrorView(
                row["id"],
                row["ts_ms"],
                row["class"],
                row["severity"],
                row["code"],
                row["what"],
                row["sent"],
                row["next_step"],
                row["subject"],
                row["acknowledged_ms"],
            )
            for row in reader.rows("SELECT * FROM errors ORDER BY id DESC LIMIT ?", (MOST,))
        ),
        tuple(
            AlertView(row["id"], row["ts_ms"], row["severity"], row["kind"], row["text"], row["subject"])
            for row in reader.rows("SELECT * FROM alerts ORDER BY id DESC LIMIT ?", (MOST,))
        ),
        int(reader.value(SERIOUS)),
    )
