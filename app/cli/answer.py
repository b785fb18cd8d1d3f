"""Answering proposals from another terminal: the same text, then the same question."""

from __future__ import annotations

import argparse
import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Any, Final

from app.cli import context, streams
from app.cli.watch import when
from app.errors import CountersignError, SafetyError, UsageError
from app.execution.states import TradeState
from app.ids import by_prefix
from app.outcomes import Outcome, became
from storage.database import reader
from storage.faults import StorageFault

SUBMIT = "S"
_PATIENCE_S: Final = 3.0
_PAUSE_S: Final = 0.05


def proposals(options: argparse.Namespace) -> int:
    """Trades that wait for an answer."""
    waiting = _waiting(context.database(options))
    resumed = {True: "  SIGNED BEFORE A RESTART", False: ""}
    lines = [
        f"{p['id'][:8]}  {p['side']} {p['quantity']} {p['symbol']} at {p['worst_price']} or better, "
        f"until {when(p['expires_ms'])}  [{p['module']}] {p['reason']}{resumed[p['resumed']]}"
        for p in waiting
    ]
    context.emit(options, "proposals", {"proposals": waiting}, lines or ["Nothing waits for you."])
    return 0


def confirm(options: argparse.Namespace) -> int:
    """Show the text that will be signed and ask. Only S confirms; Enter alone never does."""
    db = context.database(options)
    proposal = _one(options, db)
    _show(proposal)
    if streams.typed_line(f"\nType {SUBMIT} and Enter to confirm; anything else leaves it waiting: ") != SUBMIT:
        raise SafetyError(
            "confirm.no", "Not confirmed.", next_step="It still waits. Decline it with: countersign decline ID"
        )
    answer = _answer(db, {"op": "confirm", "id": proposal["id"], "text": proposal["text"]})
    outcome = _wait(db, answer["id"])
    if outcome is not None and not outcome.on_its_way and not outcome.traded:
        raise _ended(outcome)
    words = f"Confirmed {answer['id'][:8]}. {'The signer is asked now.' if outcome is None else outcome.words()}"
    state = {} if outcome is None else {"state": outcome.state.value, "sent": outcome.sent}
    context.emit(options, "confirmed", {**answer, **state}, [words])
    return 0


def decline(options: argparse.Namespace) -> int:
    """Decline at once: refusing is always safe."""
    answer = _answer(context.database(options), {"op": "decline", "id": options.id})
    context.emit(options, "declined", answer, [f"Declined {answer['id'][:8]}. Nothing was sent."])
    return 0


def _answer(db: Path, request: dict[str, Any]) -> dict[str, Any]:
    """The trader's word. Where it has ended meanwhile: what became of the trade."""
    try:
        return context.ask_trader(db, request)
    except CountersignError as error:
        outcome = _look(db, request["id"]) if error.code == "control.none" else None
        if outcome is None:
            raise
        raise outcome.refusal() from error


def _ended(outcome: Outcome) -> CountersignError:
    """Confirmed, and nothing came of it."""
    kind = CountersignError if outcome.state is TradeState.FAILED else SafetyError
    return kind("confirm.ended", f"Confirmed, but nothing came of it. {outcome.words()}")


def _wait(db: Path, trade: str) -> Outcome | None:
    """What became of a confirmed trade within `_PATIENCE_S`; the device may take longer. Ctrl-C ends the waiting, and
    takes nothing back."""
    end, pause, outcome = time.monotonic() + _PATIENCE_S, threading.Event(), None
    with contextlib.suppress(KeyboardInterrupt):
        while time.monotonic() < end:
            outcome = _look(db, trade)
            if outcome is not None and not outcome.on_its_way:
                break
            pause.wait(_PAUSE_S)
    return outcome


def _look(db: Path, trade: str) -> Outcome | None:
    try:
        with reader(db) as data:
            return became(data, trade)
    except StorageFault:
        return None


def _waiting(db: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = context.ask_trader(db, {"op": "proposals"})["proposals"]
    return found


def _one(options: argparse.Namespace, db: Path) -> dict[str, Any]:
    waiting = {p["id"]: p for p in _waiting(db)}
    try:
        return waiting[by_prefix(options.id, list(waiting))]
    except UsageError:
        outcome = _look(db, options.id)
        if outcome is None or any(each.startswith(options.id) for each in waiting):
            raise
        raise outcome.refusal() from None


def _walked(preview: dict[str, Any]) -> str:
    if preview["average"] is None:
        return "nothing of it fills now; it waits at its price"
    return (
        f"fills {preview['filled']} at {preview['average']}, impact {preview['impact_bps']} bps, fee {preview['fee']}"
    )


def _show(proposal: dict[str, Any]) -> None:
    """On stderr, so that ``--json`` stays one document."""
    preview = json.loads(proposal["preview"])
    lines = ["The signer will show and sign exactly this text:", ""]
    lines += [f"    {line}" for line in proposal["text"].splitlines()]
    book = "a SYNTHETIC book" if preview["synthetic_book"] else "the book"
    lines += [
        "",
        f"Walking {book} of {when(preview['book_ms'])} UTC: {_walked(preview)}.",
        f"Proposed by {proposal['module']}: {proposal['reason']}",
    ]
    if proposal["resumed"]:
        lines.append("These bytes were signed before a restart and never sent; confirming sends the same bytes.")
    for line in lines:
        streams.tell_line(line)
