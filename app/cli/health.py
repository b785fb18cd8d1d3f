"""``countersign health``: one line per check, exit 1 when one fails. For a person, a cron job, a supervisor."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from app.cli import context
from app.errors import CountersignError, UsageError
from app.health import SERIOUS, size
from storage.database import reader, trader_pid


def health(options: argparse.Namespace) -> int:
    """``--live``: the process answers. ``--ready``: it also takes new trades. Neither: everything, running or not."""
    db = context.database(options)
    if options.reset is not None:
        if options.live or options.ready:
            raise UsageError("health.reset", "--reset goes alone.")
        return _reset(options, db)
    pid = trader_pid(db)
    checks: list[tuple[str, bool, str]] = [("trader runs", pid is not None, f"pid {pid}" if pid else "not running")]
    live: dict[str, Any] | None = None
    if pid is not None:
        try:
            live = context.ask_trader(db, {"op": "health"}, timeout_s=2.0)
            checks.append(("trader answers", True, f"market event {live['market']['position']}"))
        except CountersignError as error:
            checks.append(("trader answers", False, error.what))
    if live is not None and not options.live:
        checks += [(each["name"], each["passed"], each["detail"]) for each in live["checks"]]
    if not options.live and not options.ready:
        with reader(db) as data:
            open_errors = data.value(SERIOUS)
        checks.append(("no serious errors", open_errors == 0, f"{open_errors} not acknowledged"))
    healthy = all(passed for _, passed, _ in checks)
    document = {
        "healthy": healthy,
        "checks": [{"name": n, "passed": p, "detail": d} for n, p, d in checks],
        "trader": live,
    }
    lines = [f"{'ok  ' if p else 'FAIL'}  {n:<20} {d}" for n, p, d in checks]
    if live is not None and not options.live and not options.ready:
        lines += _numbers(live)
    context.emit(options, "health", document, lines)
    return 0 if healthy else 1


def _reset(options: argparse.Namespace, db: Path) -> int:
    answer = context.ask_trader(db, {"op": "nodes_reset", "name": options.reset})
    now = f"{_mode(answer['mode'])}{': ' + answer['reason'] if answer['reason'] else ''}"
    lines = [f"Believed to be well again, and asked anew: {', '.join(answer['reset'])}.", f"The chain is {now}"]
    context.emit(options, "nodes-reset", answer, lines)
    return 0


def _mode(mode: str) -> str:
    return mode.upper().replace(" ", "_")


def _chain(seen: dict[str, Any]) -> list[str]:
    """A chain and its nodes; of a node the host only."""
    mode = _mode(seen["mode"])
    block = "none yet" if seen["block"] is None else f"{seen['block']}, {seen['age_ms'] / 1000:.1f} s old"
    reason = f": {seen['reason']}" if seen["reason"] else ""
    lines = [f"chain       {seen['name']} ({seen['chain_id']}) {mode}{reason}"]
    lines.append(f"block       {block}; agreeing {seen['quorum']}")
    lines += _private(seen["private"])
    for each in seen["nodes"]:
        state = "well" if each["usable"] else "NOT USED"
        head = "none" if each["head"] is None else f"{each['head']}, {each['lag']} behind"
        breakers = f"reading {each['reading']['state']}, sending {each['sending']['state']}"
        trouble = f": {each['trouble']}" if each["trouble"] else ""
        lines.append(
            f"node        {each['name']} {state}, {each['latency_us'] / 1000:.1f} ms, head {head}, {breakers}, "
            f"{each['errors_percent']} % errors{trouble}"
        )
    return lines


def _private(seen: dict[str, Any] | None) -> list[str]:
    """Where transactions go, and what of them waits."""
    if seen is None:
        return ["sending     to the public mempool"]
    signs = f", signed as {seen['signs_as']}" if seen["signs_as"] else ""
    way, then = f"{seen['host']} ({seen['kind']}{signs})", f"after {seen['blocks']} blocks: {seen['fallback']}"
    lines = [f"sending     privately through {way}, {seen['sending']['state']}; {then}"]
    for each in seen["waiting"]:
        known = "" if each["known"] else ", ITS ANSWER WAS LOST"
        status = f", it says {each['status']}" if each["status"] else ""
        lines.append(
            f"private     {each['client_id'][:10]} waits {each['blocks']} of {seen['blocks']} blocks{known}{status}"
        )
    return lines


def _numbers(live: dict[str, Any]) -> list[str]:
    """What is measured, for reading; no number of these fails a check by itself."""
    lag, market, machine = live["lag"], live["market"], live["machine"]
    lines = [] if live["chain"] is None else _chain(live["chain"])
    for each in live["books"]["differences"]:
        lines += [f"difference  {each['words']}", f"            {each['next_step']}"]
    if lag is not None and lag["samples"]:
        lines.append(
            f"loop lag    {_ms(lag['p50_us'])} / {_ms(lag['p99_us'])} / {_ms(lag['max_us'])} ms (p50, p99, max)"
        )
    lines += [f"slow        {each['worst_ms']} ms, {each['count']}x: {each['handler']}" for each in live["slow"][:5]]
    if market["per_minute"] is not None:
        lines.append(
            f"market      {market['per_minute'] / 60:.1f} events/s, newest {market['silent_ms'] / 1000:.1f} s ago"
        )
    for each in live["feeds"]:
        age = "no quote yet" if each["age_ms"] is None else f"{each['age_ms'] / 1000:.1f} s old"
        fresh, oldest = "fresh" if each["fresh"] else "STALE", each["limit_ms"] / 1000
        lines.append(f"feed        {each['symbol']:<12} {fresh}, {age}, oldest traded on {oldest:.0f} s")
    memory = "unknown" if machine["memory"] is None else size(machine["memory"])
    lines.append(
        f"machine     memory {memory}, database {size(machine['database'])} + log {size(machine['wal'])}, "
        f"journal row {machine['journal_seq']}"
    )
    return lines


def _ms(micros: int) -> str:
    return f"{micros / 1000:.1f}"
