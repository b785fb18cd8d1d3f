"""``countersign run``: choose market and database, then trade until the data, the clock or a signal ends it."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app import launch, logs, reports
from app.cli import asked, context, streams
from app.errors import UsageError
from storage.database import reader
from storage.faults import StorageFault

_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def run(options: argparse.Namespace) -> int:
    """Trade. Exit 0 when the data or the time ends, or on Ctrl-C."""
    seconds = _seconds(options)
    wanted = asked.request(options, auto_confirm=options.auto_confirm)
    start = launch.prepare(wanted)
    if start.speed is None and not options.auto_confirm:
        context.note("at full speed nobody can answer in time, so every proposal expires: --auto-confirm, or --speed N")
    logs.configure(launch.log_folder(), start.loaded.settings.log.level)
    try:
        outcome, document = asyncio.run(_trade(options, start, seconds, wanted.market))
    finally:
        logs.close()
    lines = _lines(document, outcome, start.db)
    context.emit(options, "run", document, lines)
    return 0


def _seconds(options: argparse.Namespace) -> float | None:
    if options.seconds is None:
        return None
    # float() also reads "1_0", "1e3", "nan" and other scripts' digits.
    seconds = float(options.seconds) if _SECONDS.fullmatch(options.seconds) else -1.0
    if not 0 < seconds <= 31_536_000:
        raise UsageError("run.for", f"--for {options.seconds}: expected seconds above 0, at most a year.")
    return seconds


async def _trade(
    options: argparse.Namespace, start: launch.Launch, seconds: float | None, market: str
) -> tuple[str, dict[str, Any]]:
    from app.trader import RunLimits, Trader  # noqa: PLC0415 -- 0.3 s, after bad input was refused

    source, db, plan = start.source, start.db, start.plan
    progress = None if options.json else _tell
    # Not before: a run that is refused must not become what `stop --emergency` means.
    trader = Trader(
        plan, source, RunLimits(start.speed, seconds), progress, on_open=lambda: context.remember_database(db)
    )
    if progress is not None:
        names = ", ".join(i.symbol for i in plan.instruments[:8]) + (" ..." if len(plan.instruments) > 8 else "")
        profile = start.loaded.settings.profile.upper()
        streams.tell_line(f"{profile} {market}: {names}; database {db}")
    outcome = await trader.run()
    try:
        with reader(db) as data:
            document = reports.summary(data)
    except StorageFault as fault:
        fault.exit_code = 1  # it was a database when the session began
        raise
    warnings = {"counts": source.warnings.counts, "examples": source.warnings.examples}
    return outcome, {
        "outcome": outcome,
        "database": str(db),
        **document,
        "data_warnings": warnings,
        "position": trader.position,
        "halted": trader.halted,
        "skipped": {module.name: module.counters.skipped for module in trader.modules if module.counters.skipped},
    }


def _tell(ts_ms: int, text: str) -> None:
    streams.tell_line(f"{datetime.fromtimestamp(ts_ms / 1000, UTC):%m-%d %H:%M:%S}  {text}")


def _lines(document: dict[str, Any], outcome: str, db: Path) -> list[str]:
    trades = ", ".join(f"{n} {state.lower()}" for state, n in document["trades"].items()) or "none"
    lines = [f"Ended: {outcome}.", f"trades      {trades}", f"fills       {document['fills']}"]
    lines += [f"{asset:<11} net {totals['net']}, fees {totals['fees']}" for asset, totals in document["pnl"].items()]
    lines += [f"denied by   {json.dumps(document['denied_by_rule'])}"] if document["denied_by_rule"] else []
    lines += (
        [f"data        {json.dumps(document['data_warnings']['counts'])}"]
        if document["data_warnings"]["counts"]
        else []
    )
    lines += [f"skipped     {name}: {json.dumps(why)}" for name, why in document["skipped"].items()]
    lines += [f"HALTED      {document['halted']}"] if document["halted"] else []
    lines.append(f"journal     {document['journal_head']['seq']} rows in {db}")
    return lines
