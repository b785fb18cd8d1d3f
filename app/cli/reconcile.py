"""``countersign reconcile``: what venue and ledger say differently, and, with a typed word, the adjustment that makes
them one. By the running trader; without one, by a session that is opened for it and trades nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from app.cli import context, streams
from app.errors import SafetyError, UsageError
from storage.database import trader_pid
from storage.identity import is_there

_PATIENCE_S = 60.0
"""A chain is read up to five times, by nodes that may take their time."""

Ask = Callable[[dict[str, Any]], dict[str, Any]]


def reconcile(options: argparse.Namespace) -> int:
    """Exit 1 while they differ."""
    if options.reason is not None and options.adjust is None:
        raise UsageError("reconcile.reason", "--reason goes with --adjust.")
    db = context.database(options)
    if trader_pid(db) is not None:
        return _with(options, lambda request: context.ask_trader(db, request, timeout_s=_PATIENCE_S))
    if not is_there(db):
        what = f"There is no database at {db}, so no ledger."
        raise UsageError("reconcile.database", what, next_step="Start a session first: countersign run --headless")
    from app.cli.opened import asking  # noqa: PLC0415 -- a whole session

    context.note("no trader runs: a session is opened to ask the venue; it trades nothing")
    with asking(options, db) as ask:
        return _with(options, ask)


def _with(options: argparse.Namespace, ask: Ask) -> int:
    found = ask({"op": "reconcile"})
    if options.adjust is None:
        context.emit(options, "reconcile", found, _lines(found))
        return 0 if found["agree"] and not found["trouble"] else 1
    return _adjust(options, ask, found)


def _adjust(options: argparse.Namespace, ask: Ask, found: dict[str, Any]) -> int:
    from app.execution.adjustments import WORD  # noqa: PLC0415 -- the pipeline behind it
    from app.reconcile_commands import told  # noqa: PLC0415 -- as above

    if found["trouble"]:
        raise SafetyError("reconcile.doubt", found["trouble"], next_step="Nothing was posted. Repeat it in a moment.")
    names = {each["subject"]: each for each in found["differences"]}
    if options.adjust not in names:
        there = f"there are: {', '.join(names)}" if names else "venue and ledger agree"
        raise UsageError("reconcile.subject", f"{options.adjust} does not differ; {there}. Nothing was posted.")
    each = names[options.adjust]
    if not each["adjustable"]:
        raise SafetyError("reconcile.kind", f"An adjustment does not end that: {each['words']}.")
    context.note(each["words"])
    reason = options.reason if options.reason is not None else streams.typed_line("Why, for the journal: ")
    if not reason.strip():
        raise UsageError("reconcile.reason", "An adjustment needs a reason.", next_step="Nothing was posted.")
    what = f"The ledger's {each['subject']} goes from {each['ledger_has']} to {each['venue_has']}."
    if streams.typed_line(f"{what} Type {WORD} and Enter to post it: ") != WORD:
        raise SafetyError("reconcile.kept", "Nothing was posted.")
    request = {"op": "adjust", "reason": reason, "word": WORD}
    answer = ask({**request, **{name: each[name] for name in ("subject", "venue_has", "ledger_has")}})
    context.emit(options, "reconcile-adjust", answer, told(answer))
    return 0


def _lines(found: dict[str, Any]) -> list[str]:
    where = f" in block {found['block']}" if found["block"] else ""
    if found["trouble"]:
        lines = [f"They could not be compared: {found['trouble']}"]
    elif found["agree"]:
        lines = [f"Venue and ledger agree{where}."]
    else:
        lines = [f"Venue and ledger differ{where}:"]
    for each in found["differences"]:
        lines += [f"  {each['words']}", f"    {each['next_step']}"]
    if found["halted"]:
        lines.append(f"New trades are stopped: {found['halted']}.")
    elif found["differences"]:
        lines.append("New trades are taken.")
    return lines
