"""``countersign health``: one line per check, exit 1 when one fails. For a person, a cron job, a supervisor."""

from __future__ import annotations

import argparse
from typing import Any, Final

from app.cli import context
from app.errors import CountersignError
from storage.database import reader, trader_pid

_ILL: Final = frozenset({"failed", "starved"})
"""A slow module, or one that is not warm yet, does what it should."""


def health(options: argparse.Namespace) -> int:
    """``--live``: the process answers. ``--ready``: it also takes new trades. Neither: everything, running or not."""
    db = context.database(options)
    pid = trader_pid(db)
    checks: list[tuple[str, bool, str]] = [("trader runs", pid is not None, f"pid {pid}" if pid else "not running")]
    live: dict[str, Any] | None = None
    if pid is not None:
        try:
            live = context.ask_trader(db, {"op": "status"}, timeout_s=2.0)
            checks.append(("trader answers", True, f"market event {live['position']}"))
        except CountersignError as error:
            checks.append(("trader answers", False, error.what))
    if live is not None and not options.live:
        checks += _readiness(live)
    if not options.live and not options.ready:
        with reader(db) as data:
            open_errors = data.value(
                "SELECT count(*) FROM errors WHERE acknowledged_ms IS NULL AND severity IN ('HIGH', 'CRITICAL')"
            )
        checks.append(("no serious errors", open_errors == 0, f"{open_errors} not acknowledged"))
    healthy = all(passed for _, passed, _ in checks)
    document = {"healthy": healthy, "checks": [{"name": n, "passed": p, "detail": d} for n, p, d in checks]}
    context.emit(options, "health", document, [f"{'ok  ' if p else 'FAIL'}  {n:<20} {d}" for n, p, d in checks])
    return 0 if healthy else 1


def _readiness(live: dict[str, Any]) -> list[tuple[str, bool, str]]:
    modules = live["modules"]
    ill = [f"{m['name']} {m['health']}: {m['health_words']}" for m in modules if m["health"] in _ILL]
    ill += [f"{m['name']} unavailable: {m['reason']}" for m in modules if m["state"] == "registered"]
    states = ", ".join(f"{m['name']} {m['state']}" for m in modules) or "none is enabled"
    return [
        ("database writes", not live["writer_failed"], live["writer_failed"] or f"{live['writer_queue']} queued"),
        ("takes new trades", not live["halted"] and not live["stop_in_force"], live["halted"] or _stop(live)),
        ("orders all known", live["unknown_orders"] == 0, f"{live['unknown_orders']} unknown"),
        ("modules run", not ill, "; ".join(ill) or states),
    ]


def _stop(live: dict[str, Any]) -> str:
    return "the emergency stop is in force" if live["stop_in_force"] else "yes"
