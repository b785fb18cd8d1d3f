"""``countersign doctor --live``: whether real money could be traded, condition by condition. Changes nothing but the
record of what was checked, and of the trader's own words."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app import paths
from app.cli import context, streams
from app.cli.watch import when
from app.engine.clock import WallClock
from app.errors import SafetyError, UsageError
from storage.database import trader_pid
from storage.identity import is_there

if TYPE_CHECKING:
    from app.clock_check import Verdict
    from app.config.load import Loaded
    from app.live_gate import LiveGate
    from app.risk.live import Condition

REFUSED: Final = 3


def live(options: argparse.Namespace) -> int:
    """Show the gate, put a word in a condition's place, or raise the pilot caps. Exit 3 while live is refused."""
    if options.override is not None and options.ramp:
        raise UsageError("doctor.words", "Either --override or --ramp.")
    loaded, db = context.settings(options), _home(context.database(options))
    if options.override is not None:
        return _override(options, loaded, db)
    if options.ramp:
        return _ramp(options, loaded, db)
    verdict = _clock(loaded)
    if verdict.checked and is_there(db):
        _record_clock(db, verdict)
    gate = _gate(loaded, db, "" if verdict.checked else verdict.words)
    return _show(options, loaded, gate, verdict, db)


def _show(options: argparse.Namespace, loaded: Loaded, gate: LiveGate, verdict: Verdict, db: Path) -> int:
    modules = [each.name.partition(":")[2] for each in gate.conditions if ":" in each.name]
    refusal = gate.refusal(*dict.fromkeys(modules))
    pilot = gate.pilot(loaded.settings.risk.limits(), loaded.settings.capital.total)
    document = {
        "allowed": not refusal,
        "refusal": refusal,
        "database": str(db),
        "conditions": [_document(each) for each in gate.conditions],
        "clock": {"checked": verdict.checked, "words": verdict.words, "sources": list(verdict.sources)},
        "pilot": {"step": pilot.step, "next_ms": pilot.next_ms, "reasons": list(pilot.reasons)},
    }
    lines = [line for each in gate.conditions for line in _lines(each)]
    lines += [f"{'pilot caps':<45} {reason}" for reason in pilot.reasons]
    missing = sum(not each.holds for each in gate.conditions)
    refused = f"Live is refused: {missing} of {len(gate.conditions)} conditions are not on record."
    open_ = "Every condition is on record or overridden. Trade: countersign run --profile live --chain NAME"
    lines.append(refused if missing else open_)
    context.emit(options, "doctor-live", document, lines)
    return REFUSED if refusal else 0


def _document(condition: Condition) -> dict[str, Any]:
    return {
        "name": condition.name,
        "state": condition.state.value,
        "words": condition.words,
        "next_step": condition.next_step,
        "at_ms": condition.at_ms,
    }


def _lines(condition: Condition) -> list[str]:
    at = "" if condition.at_ms is None else f"{when(condition.at_ms)} UTC: "
    lines = [f"{condition.state.value:<10}  {condition.name:<32} {at}{condition.words}"]
    return [*lines, f"{'':<45}{condition.next_step}"] if condition.next_step else lines


# -- the clock ------------------------------------------------------------------------------------------------------


def _clock(loaded: Loaded) -> Verdict:
    import asyncio  # noqa: PLC0415 -- only where the network is asked

    from app.clock_check import ask, judge  # noqa: PLC0415 -- with it

    sources = loaded.settings.clock.sources
    return judge(asyncio.run(ask(sources, WallClock())), len(sources))


def _record_clock(db: Path, verdict: Verdict) -> None:
    from app.gate_records import CLOCK_CHECKED, clock_checked  # noqa: PLC0415 -- the signers behind it

    if trader_pid(db) is not None:
        request = {"op": "gate_clock", "worst_ms": verdict.worst_ms, "sources": ",".join(verdict.sources)}
        context.ask_trader(db, request)
        return
    _journal(db, CLOCK_CHECKED, "", clock_checked(verdict, WallClock().now_ms()))


# -- words ----------------------------------------------------------------------------------------------------------


def _override(options: argparse.Namespace, loaded: Loaded, db: Path) -> int:
    """A word in the place of one condition, with a reason, journaled."""
    from app.gate_records import OVERRIDDEN, OVERRIDE, overridden, user  # noqa: PLC0415 -- as above

    name = options.override
    gate = _gate(loaded, db)
    known = {each.name: each for each in gate.conditions}
    if name not in known:
        raise UsageError("gate.condition", f"There is no condition {name}; one of: {', '.join(known)}.")
    _there(db)
    if known[name].state.value == "ON RECORD":
        raise UsageError("gate.condition", f"{name} is on record: {known[name].words}. There is nothing to override.")
    prompt = f"{name}: {known[name].words}. Live would trade without it. Type {OVERRIDE} and Enter: "
    if streams.typed_line(prompt) != OVERRIDE:
        raise SafetyError("gate.kept", "Nothing was changed.")
    reason = streams.typed_line("Why, for the record: ")
    by = user()
    entry = overridden(name, by, reason, WallClock().now_ms())  # refused here before anybody is asked
    if trader_pid(db) is not None:
        request = {"op": "gate_override", "condition": name, "by": by, "reason": reason, "word": OVERRIDE}
        context.ask_trader(db, request)
    else:
        _journal(db, OVERRIDDEN, name, entry)
    now = {each.name: each for each in _gate(loaded, db).conditions}[name]
    context.emit(options, "doctor-live-override", _document(now), _lines(now))
    return 0


def _ramp(options: argparse.Namespace, loaded: Loaded, db: Path) -> int:
    """A word that doubles the pilot caps, a week after the first live trade at the earliest."""
    from app.gate_records import RAMP, RAMPED, ramped, user  # noqa: PLC0415 -- as above

    _there(db)
    gate = _gate(loaded, db)
    pilot = gate.pilot(loaded.settings.risk.limits(), loaded.settings.capital.total)
    if pilot.next_ms is None or gate.now_ms < pilot.next_ms:
        why = pilot.reasons[-1] if pilot.reasons else "the settings are tighter than every cap"
        raise SafetyError("gate.ramp", f"The pilot caps stay: {why}.", next_step="Nothing was changed.")
    if streams.typed_line(f"The pilot caps are doubled. Type {RAMP} and Enter: ") != RAMP:
        raise SafetyError("gate.kept", "Nothing was changed.")
    by = user()
    if trader_pid(db) is not None:
        context.ask_trader(db, {"op": "gate_ramp", "by": by, "word": RAMP})
    else:
        _journal(db, RAMPED, "", ramped(by, WallClock().now_ms()))
    after = _gate(loaded, db).pilot(loaded.settings.risk.limits(), loaded.settings.capital.total)
    document = {"step": after.step, "reasons": list(after.reasons)}
    context.emit(options, "doctor-live-ramp", document, [f"Pilot caps: step {after.step}.", *after.reasons])
    return 0


def _journal(db: Path, kind: str, subject: str, entry: tuple[Any, ...]) -> None:
    from app.cli.alone import journal  # noqa: PLC0415 -- the writer, only to change something
    from storage.journal import canonical  # noqa: PLC0415 -- with it

    journal(db, kind, canonical({"set": [list(entry)]}), subject)


def _home(db: Path) -> Path:
    """Where a word is journaled: before the first live session there is none of its database, and paper's has the
    drills that the gate asks for."""
    paper = Path(os.path.realpath(paths.database("paper")))
    return paper if not is_there(db) and db == Path(os.path.realpath(paths.database("live"))) else db


def _there(db: Path) -> None:
    """A word is written into a journal, or it was never said."""
    if not is_there(db):
        raise UsageError(
            "gate.database",
            f"There is no database at {db} to journal a word in.",
            next_step="Nothing was changed. Start a session first: countersign run --headless",
        )


# -- what is on record ----------------------------------------------------------------------------------------------


def _gate(loaded: Loaded, db: Path, clock_now: str = "") -> LiveGate:
    from app.live_gate import on_record  # noqa: PLC0415 -- the signers behind it

    return on_record(loaded, db, WallClock().now_ms(), clock_now)
