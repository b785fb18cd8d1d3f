"""``countersign stop``: end the trader; ``--emergency`` stops all trading; ``--reset`` lifts that."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from app import paths
from app.cli import context, streams
from app.errors import CountersignError, SafetyError, StorageError, UsageError
from app.execution.stop_flag import StopFlag
from app.text import stopped
from storage.database import reader, trader_pid
from storage.faults import StorageFault
from storage.identity import application_of
from storage.schema import APPLICATION_ID

WORD = "TRADE"
_PATIENCE_S = 2.0
_REPEAT = (
    "Repeat: countersign stop --emergency. On paper a position can only be sold while a session shows it a market: "
    "start one (the stop keeps entries out), then repeat with --flatten."
)


def stop(options: argparse.Namespace) -> int:
    """One of the three."""
    if options.flatten and not options.emergency:
        raise UsageError("stop.flatten", "--flatten sells everything, and goes with --emergency only.")
    db = context.database(options)
    if options.emergency:
        return _emergency(options, db)
    if options.reset:
        return _reset(options, db)
    answer = context.ask_trader(db, {"op": "stop"})
    context.emit(options, "stop", answer, ["The trader ends. Exits stay at the venue."])
    return 0


def _emergency(options: argparse.Namespace, db: Path) -> int:
    """Everything, where nobody named one: every trader that runs, not only the newest."""
    named = context.database_named(options) is not None or context.profile_named(options) is not None
    others = [] if named else [each for each in context.running() if each != db]
    flagged = [(each, _raise_flag(each)) for each in (db, *others)]  # all of them, before the first may take its time
    found, faults = [], []
    for each, lost in flagged:
        try:
            found.append((_act(options, each), lost))
        except (CountersignError, StorageFault) as error:
            if not others:
                raise
            faults.append(error)
            context.note(f"{each}: {error} {error.next_step}".rstrip())
    lines = [line for report, _ in found for line in _told(report)]
    lines.append("New trades are refused until: countersign stop --reset")
    documents = [report for report, _ in found]
    if documents:
        context.emit(options, "stop-emergency", {**documents[0], "others": documents[1:]}, lines)
    left = any(lost or report["unknown"] or report["refused"] or report["halted"] for report, lost in found)
    return 1 if faults or left else 0


def _told(report: dict[str, Any]) -> list[str]:
    did = len(report["cancelled"]), report["kept_exits"], len(report["flattened"])
    return [
        f"Stopped {report['database']}: {stopped(*did)}.",
        *(f"NOT ANSWERED by the venue, may still be open: {client_id}" for client_id in report["unknown"]),
        *(f"NOT DONE: {words}" for words in report["refused"]),
        *([f"ATTENTION: {report['halted']}. Compare with the venue's own record."] if report["halted"] else []),
        *([_REPEAT] if report["unknown"] or report["refused"] else []),
    ]


def _raise_flag(db: Path) -> bool:
    """Durable, before anything else. Whether it could not be made at all."""
    _check_ours(db)
    flag = StopFlag(db)
    with suppress(StorageError):  # said below, when the flag can not be made there
        paths.private_dir(db.parent)
    why = flag.create("stop --emergency")
    lost = bool(why) and not flag.path.exists()
    if lost:
        context.note(f"{flag.path} can not be made ({why}): the stop holds in the running trader only")
    elif why:
        context.note(f"the stop is in force: {flag.path}; it may not outlive a power cut ({why})")
    else:
        context.note(f"the stop is in force: {flag.path}")
    return lost


def _act(options: argparse.Namespace, db: Path) -> dict[str, Any]:
    """By the running trader, or by this process."""
    pid = trader_pid(db)
    return {"database": str(db), **(_alone(options, db) if pid is None else _by_trader(options, db, pid))}


def _check_ours(db: Path) -> None:
    """A stop beside another program's database would stop nothing, and say that it did.

    Raises:
        UsageError: the file is a database of another program.
    """
    try:
        application = application_of(db) if db.is_file() else None
    except OSError:
        return  # not readable: the flag may still do its work
    if application not in {None, APPLICATION_ID}:
        raise UsageError("stop.foreign", f"{db} is another program's database; nothing was stopped.")


def _by_trader(options: argparse.Namespace, db: Path, pid: int) -> dict[str, Any]:
    try:
        return context.ask_trader(db, {"op": "emergency", "flatten": options.flatten}, timeout_s=_PATIENCE_S)
    except CountersignError as error:
        raise StorageError(
            "stop.silent",
            f"The trader (pid {pid}) did not answer within {_PATIENCE_S:.0f} s: {error.what} "
            f"The stop is in force, so it sends nothing new; orders may still be open at the venue.",
            next_step=f"End it with: kill -9 {pid}; then repeat: countersign stop --emergency",
        ) from error


def _nothing() -> dict[str, Any]:
    from app.execution.emergency import StopReport  # noqa: PLC0415 -- the pipeline behind it, 0.3 s

    return StopReport().document()


def _alone(options: argparse.Namespace, db: Path) -> dict[str, Any]:
    try:
        return asyncio.run(_act_alone(options, db)) if db.exists() else _nothing()
    except (CountersignError, StorageFault) as error:
        raise StorageError(
            "stop.alone",
            f"The stop is in force, and nothing could be cancelled: {error.what} "
            "Orders may still be open at the venue.",
            next_step=f"{error.next_step} Then repeat: countersign stop --emergency".lstrip(),
        ) from error


async def _act_alone(options: argparse.Namespace, db: Path) -> dict[str, Any]:
    """No trader runs: open the session as the database remembers it, and act through the same pipeline."""
    from app.cli.opened import paper_plan  # noqa: PLC0415 -- 0.3 s
    from app.session import Session  # noqa: PLC0415 -- same
    from app.session_plan import remembered  # noqa: PLC0415 -- same

    source = remembered(db, "source")
    if source is None or remembered(db, "instruments") is None:
        return _nothing()
    plan = paper_plan(options, db, emergency=True)
    if plan is None:
        return _on_chain(options, db, source)
    session = Session(plan, lambda _: None, lambda _: None)
    await session.open()
    try:
        document = session.stopped.document()  # opening with the stop in force has cancelled already
        if options.flatten:
            again = await session.emergency.act(flatten=True)
            document = {**again.document(), "cancelled": document["cancelled"] + again.cancelled}
        await session.desk.activity.settle()
    finally:
        await session.close("emergency stop")
    return document


def _on_chain(options: argparse.Namespace, db: Path, source: str) -> dict[str, Any]:
    """A chain holds no order that could be cancelled, and selling there takes a signature. What is signed and unsent
    stays unsent while the stop is in force; what was sent is named."""
    name = source.split(":")[1]
    with reader(db) as data:
        rows = data.rows(
            "SELECT client_id FROM orders WHERE state IN ('PENDING', 'OPEN', 'UNKNOWN') ORDER BY client_id"
        )
    refused = [f"selling on {name} takes a signature, so it takes a session."] if options.flatten else []
    return {**_nothing(), "unknown": [row["client_id"] for row in rows], "refused": refused}


def _reset(options: argparse.Namespace, db: Path) -> int:
    flag = StopFlag(db)
    if not flag.raised() and not _held_in_memory(db):
        context.emit(options, "stop-reset", {"lifted": False}, [f"No emergency stop is in force on {db}."])
        return 0
    if streams.typed_line(f"Type {WORD} and Enter to lift the emergency stop: ") != WORD:
        raise SafetyError("stop.kept", "The emergency stop stays in force.")
    _journal_reset(db)
    flag.lift()
    context.emit(options, "stop-reset", {"lifted": True}, [f"The emergency stop of {db} is lifted."])
    return 0


def _held_in_memory(db: Path) -> bool:
    """A running trader for whose stop no file could be made."""
    return trader_pid(db) is not None and context.ask_trader(db, {"op": "status"})["stop_in_force"] is True


def _journal_reset(db: Path) -> None:
    """The lifting is journaled: by the running trader, or here under the trader's lock."""
    if not db.exists():
        return
    if trader_pid(db) is not None:
        context.ask_trader(db, {"op": "lift"})
        return
    from app.cli.alone import journal  # noqa: PLC0415 -- asyncio and the writer, only to change something
    from app.engine.clock import WallClock  # noqa: PLC0415 -- with it
    from app.gate_records import lifted  # noqa: PLC0415 -- with it
    from storage.journal import canonical  # noqa: PLC0415 -- with it

    journal(db, "stop.lifted", canonical({"set": [list(lifted(WallClock().now_ms()))]}))
