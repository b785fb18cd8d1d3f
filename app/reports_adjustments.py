"""What the trader posted to make the ledger say what the venue has, from the database. Read-only."""

from __future__ import annotations

from typing import Any, Final

from storage.database import Reader

ADJUSTED: Final = "ledger.adjusted"
"""Kind of the journal rows that hold them; how the ledger began is of another."""


def adjustments(reader: Reader) -> list[dict[str, Any]]:
    """All, oldest first; none in a database of a version that knew none."""
    if not reader.value("SELECT count(*) FROM sqlite_master WHERE name = 'adjustments'"):
        return []
    sql = (
        "SELECT a.subject, a.amount, a.venue_has, a.ledger_has, a.block, a.reason, a.wall_ms, a.seq "
        "FROM adjustments a JOIN journal j ON j.seq = a.seq WHERE j.kind = ? ORDER BY a.seq, a.rowid"
    )
    return reader.rows(sql, (ADJUSTED,))
