"""``countersign run``: choose market and database, then trade until the data, the clock or a signal ends it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app import logs, paths, reports
from app.cli import context, streams
from app.config.values import read_speed
from app.engine.clock import WallClock
from app.errors import SafetyError, StorageError, UsageError
from app.money import from_text
from storage.database import reader
from storage.faults import StorageFault

if TYPE_CHECKING:
    from app.config.load import Loaded
    from app.market.events import MarketSource
    from app.session_plan import SessionPlan

PAST_BARS = 400
"""Bars of the practice market's past; the momentum module needs 360."""

_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def run(options: argparse.Namespace) -> int:
    """Trade. Exit 0 when the data or the time ends, or on Ctrl-C."""
    if not options.headless:
        raise UsageError(
            "run.headless",
            "The terminal is not built yet.",
            next_step="Trade without a screen: countersign run --headless",
        )
    for name in ("instrument", "timeframe"):
        if options.replay is None and getattr(options, name) is not None:
            raise UsageError(
                f"run.{name}",
                f"--{name} says what is in a recording, and goes with --replay only.",
                next_step="For the practice market: --set market.timeframe=5m" if name == "timeframe" else "",
            )
    loaded = context.settings(options, _flags(options))
    if options.auto_confirm and loaded.settings.profile != "paper":
        raise SafetyError("run.auto_confirm", "Only the paper profile may confirm by itself.")
    speed, seconds = _speed(options, loaded), _seconds(options)
    if speed is None and not options.auto_confirm:
        context.note("at full speed nobody can answer in time, so every proposal expires: --auto-confirm, or --speed N")
    logs.configure(_log_dir(), loaded.settings.log.level)
    try:
        source, db = _market(options, loaded)
        outcome, document = asyncio.run(_trade(options, loaded, source, db, (speed, seconds)))
    finally:
        logs.close()
    lines = _lines(document, outcome, db)
    context.emit(options, "run", document, lines)
    return 0


def _log_dir() -> Path:
    try:
        return paths.private_dir(paths.log_dir())
    except StorageError as error:
        raise StorageError(error.code, error.what, next_step="Make it writable, or set XDG_STATE_HOME.") from error


def _flags(options: argparse.Namespace) -> dict[str, str]:
    """Settings given as flags; a flag wins over everything."""
    given = context.overrides(options)
    for key, value in (
        ("market.seed", options.seed),
        ("signer.kind", options.signer),
        ("market.source", options.market),
    ):
        if value is not None:
            given[key] = value
    return given


def _speed(options: argparse.Namespace, loaded: Loaded) -> Decimal | None:
    text = options.speed if options.speed is not None else "max" if options.replay else loaded.settings.market.speed
    try:
        text = read_speed(text)
    except ValueError:
        raise UsageError(
            "run.speed", f"--speed {text}: expected a number above 0, at most 1000000, or max; for example --speed 60."
        ) from None
    return None if text == "max" else from_text(text)


def _seconds(options: argparse.Namespace) -> float | None:
    if options.seconds is None:
        return None
    # float() also reads "1_0", "1e3", "nan" and other scripts' digits.
    seconds = float(options.seconds) if _SECONDS.fullmatch(options.seconds) else -1.0
    if not 0 < seconds <= 31_536_000:
        raise UsageError("run.for", f"--for {options.seconds}: expected seconds above 0, at most a year.")
    return seconds


def _market(options: argparse.Namespace, loaded: Loaded) -> tuple[MarketSource, Path]:
    """The market source, and the database of its session."""
    settings, named = loaded.settings, context.database_named(options)
    if options.replay is not None:
        from app.market.replay import ReplaySource  # noqa: PLC0415 -- only a replay needs the readers

        ticks = {s: (i.tick, i.lot) for s, i in settings.market.instruments.items() if i.tick and i.lot}
        replay = ReplaySource(
            Path(options.replay), instrument=options.instrument, timeframe=options.timeframe, ticks=ticks
        )
        # A replay without --db has a database of its own, so that it never mixes with another market's past.
        short = replay.source_id.removeprefix("sha256:")[:12]
        return replay, named or Path(os.path.realpath(paths.data_dir() / f"replay-{short}.db"))
    return _practice(loaded, named or Path(os.path.realpath(paths.database(settings.profile))))


def _practice(loaded: Loaded, db: Path) -> tuple[MarketSource, Path]:
    """The practice market; its time line begins when its database does, and goes on where it stopped."""
    from app.market.naming import parse_timeframe  # noqa: PLC0415 -- as above
    from app.market.practice import PracticeSource  # noqa: PLC0415 -- as above
    from app.session_plan import remembered  # noqa: PLC0415 -- as above

    started = remembered(db, "start_ms")
    market = loaded.settings.market
    timeframe = parse_timeframe(market.timeframe)
    start_ms = int(started) if started is not None else WallClock().now_ms() - PAST_BARS * timeframe
    source = PracticeSource(market.seed, start_ms=start_ms, timeframe_ms=timeframe)
    _check_same(db, remembered(db, "source"), source.source_id, loaded)
    return source, db


def _check_same(db: Path, held: str | None, asked: str, loaded: Loaded) -> None:
    """A database goes on with the practice market that it began with: name what differs. Another kind of market is the
    session's to refuse."""
    before, now = (held or "").split(":"), asked.split(":")
    if held == asked or len(before) != len(now) or before[0] != now[0]:
        return
    seed, market = before[2], loaded.settings.market
    if seed != now[2]:
        what, step = f"seed {seed}, not {market.seed}", f"Use --seed {seed}"
    else:
        what, step = f"other bars than {market.timeframe} or of another version", "Use the former market.timeframe"
    raise SafetyError(
        "run.source",
        f"{db} holds a session on another market source: the practice market with {what}.",
        next_step=f"Nothing was changed. {step}, or choose another database with --db.",
    )


def _past(source: MarketSource) -> int:
    """Events of the practice market that lie before its first session, so that modules start warm."""
    from app.market.practice import PracticeSource  # noqa: PLC0415 -- as above

    return source.position_of(PAST_BARS) if isinstance(source, PracticeSource) else 0


def _plan(
    options: argparse.Namespace, loaded: Loaded, source: MarketSource, db: Path, speed: Decimal | None
) -> SessionPlan:
    from app.market.events import event_time  # noqa: PLC0415 -- as above
    from app.session_plan import SessionPlan  # noqa: PLC0415 -- as above

    first = next(iter(source.events()), None)
    return SessionPlan(
        db=db,
        loaded=loaded,
        source_id=source.source_id,
        instruments=source.instruments,
        start_ms=event_time(first) if first is not None else 0,
        auto_confirm=options.auto_confirm,
        lockstep=speed is None,
        first_event=_past(source),
        reload=lambda: context.settings(options, _flags(options)),
    )


async def _trade(
    options: argparse.Namespace,
    loaded: Loaded,
    source: MarketSource,
    db: Path,
    pace: tuple[Decimal | None, float | None],
) -> tuple[str, dict[str, Any]]:
    from app.trader import RunLimits, Trader  # noqa: PLC0415 -- as above

    plan = _plan(options, loaded, source, db, pace[0])
    progress = None if options.json else streams.tell_line
    # Not before: a run that is refused must not become what `stop --emergency` means.
    trader = Trader(plan, source, RunLimits(*pace), progress, on_open=lambda: context.remember_database(db))
    if progress is not None:
        names = ", ".join(i.symbol for i in plan.instruments[:8]) + (" ..." if len(plan.instruments) > 8 else "")
        progress(f"PAPER {'replay ' + options.replay if options.replay else 'practice market'}: {names}; database {db}")
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
