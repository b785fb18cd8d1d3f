"""Showing a private transaction that waits to the public mempool."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from app.chain_commands import WORD
from app.tui.screens.ask import WordDialog

if TYPE_CHECKING:
    from app.tui.app import Terminal


def ask(app: Terminal, client_id: str, what: str) -> None:
    """Say what it means, and ask for the typed word."""
    short = f"Shows the {what} ({client_id[:10]}) to everybody before it is mined; the same bytes, so it lands once."
    lines = [
        (short, ""),
        ("Others can trade around it down to its bound; one that fails costs gas. It can not be taken back.", "warn"),
    ]
    act = partial(app.do.command, "publish", id=client_id, word=WORD)
    app.push_screen(WordDialog("Publish a private transaction", lines, WORD, act, topic="orders"))
