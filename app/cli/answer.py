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
from app.execution import basket_preview, chain_preview
from app.execution.states import TradeState
from app.ids import by_prefix
from app.outcomes import Outcome, became
from app.text import counted, lasting
from storage.database import reader
from storage.faults import StorageFault

SUBMIT = "S"
_HOT: Final = "HOT KEY: the key in this computer's keyring"
_PATIENCE_S: Final = 3.0
_PAUSE_S: Final = 0.05


def proposals(options: argparse.Namespace) -> int:
    """Trades that wait for an answer; or what became of all that did."""
    if options.stats:
        return _stats(options)
    waiting = _waiting(context.database(options))
    lines = [line for each in waiting for line in _lines(each, waiting)]
    context.emit(options, "proposals", {"proposals": waiting}, lines or ["Nothing waits for you."])
    return 0


def _lines(p: dict[str, Any], waiting: list[dict[str, Any]]) -> list[str]:
    resumed = "  SIGNED BEFORE A RESTART" if p["resumed"] else ""
    resumed += "  HOT" if p["signer"] == "keyring" else ""
    value = "" if p["edge_value"] is None else f"  worth {p['edge_value']} of {p['value']}"
    head = f"{p['id'][:8]}  {_wanted(p)}, "
    lines = [
        f"{head}until {when(p['expires_ms'])}  [{p['module']}] {p['reason']}{resumed}",
        f"          {p['why']}; proposed {lasting(p['age_ms'])} ago{value}  ({p['app']} app)",
    ]
    notes = []
    if p["requirement"]["words"]:
        notes.append(p["requirement"]["words"])
    if p["asked_again"]:
        notes.append(
            f"Asked for again {counted(p['asked_again'], 'time')}, last at {p['newer_worst_price']} or better."
        )
    if p["opposed"]:
        notes.append("Its module has asked for the other side since.")
    if p["beside"]:
        others = {each["id"]: each["module"] for each in waiting}
        names = ", ".join(f"{each[:8]} [{others.get(each, '?')}]" for each in p["beside"])
        notes.append(f"The same is wanted by {names}: together one larger position.")
    return [*lines, *(f"          {note}" for note in notes)]


def _wanted(p: dict[str, Any]) -> str:
    """What is wanted. An act has no side, no quantity and no price: its name says what it is."""
    if p["act"] is not None:
        return str(p["title"])
    place = f", in the place of {p['replaces'][:10]}" if p["replaces"] else ""
    return f"{p['side']} {p['quantity']} {p['symbol']} at {p['worst_price']} or better{place}"


def _stats(options: argparse.Namespace) -> int:
    """From the database, whether a trader runs or not."""
    from app import reports_proposals  # noqa: PLC0415 -- only here

    with reader(context.database(options)) as data:
        counts, missed = reports_proposals.answers(data), reports_proposals.missed(data)
    context.emit(
        options, "proposal_stats", {"answers": counts, "hypothetical": missed}, reports_proposals.lines(counts, missed)
    )
    return 0


def confirm(options: argparse.Namespace) -> int:
    """Show the text that will be signed and ask. Only S confirms; Enter alone never does. A large trade's quantity is
    typed as well."""
    db = context.database(options)
    proposal = _one(options, db)
    _show(proposal)
    shown = _answer(db, {"op": "shown", "id": proposal["id"]})
    need = shown["requirement"]
    if need["cool_down_ms"]:
        raise SafetyError("confirm.rate", f"{need['words']} It still waits.", next_step="Declining stays possible.")
    threading.Event().wait(shown["wait_ms"] / 1000)  # only then is an answer one to what was read
    if streams.typed_line(f"\nType {SUBMIT} and Enter to confirm; anything else leaves it waiting: ") != SUBMIT:
        raise SafetyError(
            "confirm.no", "Not confirmed.", next_step="It still waits. Decline it with: countersign decline ID"
        )
    request = {"op": "confirm", "id": proposal["id"], "text": proposal["text"]}
    if need["readback"] is not None:
        request["readback"] = streams.typed_line(f"{need['words']} ")
    answer = _answer(db, request)
    outcome = _wait(db, answer["id"])
    if outcome is not None and not outcome.on_its_way and not outcome.traded:
        raise _ended(outcome)
    words = f"Confirmed {answer['id'][:8]}. {'The signer is asked now.' if outcome is None else outcome.words()}"
    state = {} if outcome is None else {"state": outcome.state.value, "sent": outcome.sent}
    context.emit(options, "confirmed", {**answer, **state}, [words])
    return 0


def decline(options: argparse.Namespace) -> int:
    """Decline at once: refusing is always safe."""
    request = {"op": "decline", "id": options.id, "code": options.reason or ""}
    answer = _answer(context.database(options), request)
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


def _preview(preview: dict[str, Any]) -> list[str]:
    """The simulation of a chain's transactions; of anything else what it does to the book."""
    if chain_preview.of_chain(preview):
        return [each.text for each in chain_preview.lines(preview)]
    book = "a SYNTHETIC book" if preview["synthetic_book"] else "the book"
    return [f"Walking {book} of {when(preview['book_ms'])} UTC: {_walked(preview)}.", *basket_preview.lines(preview)]


def _show(proposal: dict[str, Any]) -> None:
    """On stderr, so that ``--json`` stays one document."""
    preview = json.loads(proposal["preview"])
    lines = [proposal["title"], "The signer will show and sign exactly this text:", ""]
    if proposal["signer"] == "keyring":
        lines = [proposal["title"], f"{_HOT} signs exactly this text, at once, and no device shows it again:", ""]
    lines += [f"    {line}" for line in proposal["text"].splitlines()]
    lines += ["", *_preview(preview), f"Proposed by {proposal['module']}: {proposal['reason']}"]
    if proposal["displaces"]:
        lines.append(chain_preview.displaced(proposal["displaces"]))
    if proposal["resumed"]:
        lines.append("These bytes were signed before a restart and never sent; confirming sends the same bytes.")
    for line in lines:
        streams.tell_line(line)
