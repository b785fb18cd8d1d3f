"""``countersign publish ORDER``: show a private transaction that waits to the public mempool. The same bytes: it lands
once at most."""

from __future__ import annotations

import argparse
from typing import Final

from app.cli import context, streams
from app.errors import SafetyError

WORD: Final = "PUBLISH"


def publish(options: argparse.Namespace) -> int:
    """Ask for the word, then have the trader do it."""
    db = context.database(options)
    context.note(
        f"Everybody can see {options.id} before it is mined then, and trade around it down to its bound; "
        "one that fails costs gas. It can not be taken back."
    )
    if streams.typed_line(f"Type {WORD} and Enter to publish it: ") != WORD:
        raise SafetyError("publish.kept", "It stays private.")
    answer = context.ask_trader(db, {"op": "publish", "id": options.id, "word": WORD})
    words = f"The {answer['role']} of {answer['symbol']} ({answer['client_id'][:10]}) goes to the public mempool now."
    context.emit(options, "published", answer, [words])
    return 0
