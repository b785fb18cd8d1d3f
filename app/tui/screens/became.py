"""What became of all proposals, and what the missed ones would have made: from the database, read beside the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app import reports_proposals
from app.tui.host import aside
from app.tui.screens.text import TextDialog
from storage.database import reader
from storage.faults import StorageFault

if TYPE_CHECKING:
    from pathlib import Path

    from app.tui.app import Terminal

Facts = list[tuple[str, str, str]]


async def show(app: Terminal) -> None:
    """Open the dialog, or say why there is nothing to show."""
    launch = app.host.launch
    if launch is None:
        app.notify("No session is open yet.")
        return
    try:
        counts, missed = await aside(lambda: _read(launch.db))
    except StorageFault as fault:
        app.notify(str(fault), severity="error")
        return
    app.push_screen(TextDialog("What became of the proposals", facts(counts, missed), topic="became"))


def _read(db: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    with reader(db) as data:
        return reports_proposals.answers(data), reports_proposals.missed(data)


def facts(counts: dict[str, Any], missed: dict[str, Any]) -> Facts:
    """Labels and what they say."""
    found: Facts = [(name, f"{number:,}", "") for name, number in counts.items() if name != "declined_because"]
    why = ", ".join(f"{code} {number}" for code, number in counts["declined_because"].items())
    found += [("because", why, "dim"), ("missed", missed["label"], "warn")]
    found += [(answer, reports_proposals.outcome(missed[answer]), "") for answer in ("declined", "expired")]
    return found
