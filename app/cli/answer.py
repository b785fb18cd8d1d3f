"""Answering proposals from another terminal: the same text, then the same question."""

from __future__ import annotations

import argparse
import json
from typing import Any

from app.cli import context, streams
from app.cli.watch import when
from app.errors import SafetyError
from app.ids import by_prefix

SUBMIT = "S"


def proposals(options: argparse.Namespace) -> int:
    """Trades that wait for an answer."""
    waiting = _waiting(options)
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
    proposal = _one(options)
    _show(proposal)
    if streams.typed_line(f"\nType {SUBMIT} and Enter to confirm; anything else leaves it waiting: ") != SUBMIT:
        raise SafetyError(
            "confirm.no", "Not confirmed.", next_step="It still waits. Decline it with: countersign decline ID"
        )
    answer = context.ask_trader(
        context.database(options), {"op": "confirm", "id": proposal["id"], "text": proposal["text"]}
    )
    context.emit(options, "confirmed", answer, [f"Confirmed {answer['id'][:8]}. The signer is asked now."])
    return 0


def decline(options: argparse.Namespace) -> int:
    """Decline at once: refusing is always safe."""
    answer = context.ask_trader(context.database(options), {"op": "decline", "id": options.id})
    context.emit(options, "declined", answer, [f"Declined {answer['id'][:8]}. Nothing was sent."])
    return 0


def _waiting(options: argparse.Namespace) -> list[dict[str, Any]]:
    answer = context.ask_trader(context.database(options), {"op": "proposals"})
    found: list[dict[str, Any]] = answer["proposals"]
    return found


def _one(options: argparse.Namespace) -> dict[str, Any]:
    waiting = {p["id"]: p for p in _waiting(options)}
    return waiting[by_prefix(options.id, list(waiting))]


def _show(proposal: dict[str, Any]) -> None:
    """On stderr, so that ``--json`` stays one document."""
    preview = json.loads(proposal["preview"])
    lines = ["The signer will show and sign exactly this text:", ""]
    lines += [f"    {line}" for line in proposal["text"].splitlines()]
    book = "a SYNTHETIC book" if preview["synthetic_book"] else "the book"
    lines += [
        "",
        (
            f"Walking {book} of {when(preview['book_ms'])} UTC: fills {preview['filled']} at {preview['average']}, "
            f"impact {preview['impact_bps']} bps, fee {preview['fee']}."
        ),
        f"Proposed by {proposal['module']}: {proposal['reason']}",
    ]
    if proposal["resumed"]:
        lines.append("These bytes were signed before a restart and never sent; confirming sends the same bytes.")
    for line in lines:
        streams.tell_line(line)
