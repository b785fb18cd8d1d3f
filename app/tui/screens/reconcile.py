"""What venue and ledger say differently, and the adjustment: which, why, and a typed word."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from app.text import escape_untrusted
from app.tui.keys import keyed
from app.tui.screens.ask import LineDialog, QuestionDialog, WordDialog

if TYPE_CHECKING:
    from app.tui.app import Terminal

_TOPIC: Final = "reconcile"
_MOST: Final = 9
"""Differences that have a key of their own."""


def compare(app: Terminal) -> None:
    """Compare now, and show what was found."""
    app.keep(_compare(app))


async def _compare(app: Terminal) -> None:
    found = await app.do.ask("reconcile")
    if found is None:
        return
    if found["trouble"]:
        app.notify(f"They could not be compared: {escape_untrusted(found['trouble'])}", severity="warning", timeout=10)
    elif found["agree"]:
        where = f" in block {found['block']}" if found["block"] else ""
        app.notify(f"Venue and ledger agree{where}.")
    else:
        app.push_screen(_question(app, found))


def _question(app: Terminal, found: dict[str, Any]) -> QuestionDialog:
    paragraphs: list[tuple[str, str]] = []
    for each in found["differences"]:
        paragraphs += [(escape_untrusted(each["words"]), "error" if each["stops"] else "warn")]
        paragraphs += [("" if each["adjustable"] else escape_untrusted(each["next_step"]), "dim")]
    stopped = f"New trades are stopped: {found['halted']}." if found["halted"] else "New trades are taken."
    paragraphs += [(escape_untrusted(stopped), "title"), ("", "")]
    can = [each for each in found["differences"] if each["adjustable"]][:_MOST]
    answers = [
        (str(number), f"{each['subject']}: post it, from {each['ledger_has']} to {each['venue_has']}", each)
        for number, each in enumerate(can, 1)
    ]
    return QuestionDialog(
        "Venue and ledger differ",
        paragraphs,
        [
            ("n", "leave it as it is", lambda: None),
            *((key, escape_untrusted(label), partial(_ask_why, app, each)) for key, label, each in answers),
        ],
        topic=_TOPIC,
    )


def _ask_why(app: Terminal, each: dict[str, Any]) -> None:
    lines = [(escape_untrusted(each["words"]), ""), (escape_untrusted(keyed(each["next_step"])), "dim")]
    lines += [("", ""), ("Why do they differ? It goes into the journal.", "key")]
    app.push_screen(LineDialog("Why", lines, "", partial(_ask_word, app, each), topic=_TOPIC))


def _ask_word(app: Terminal, each: dict[str, Any], reason: str) -> None:
    from app.execution.adjustments import WORD  # noqa: PLC0415 -- the engine, after the first frame

    if not reason.strip():
        app.notify("An adjustment needs a reason. Nothing was posted.", severity="warning")
        return
    lines = [
        (f"The ledger's {each['subject']} goes from {each['ledger_has']} to {each['venue_has']}.", ""),
        (f"Because: {escape_untrusted(reason.strip())}", ""),
        ("It is neither profit nor loss.", "dim"),
    ]
    act = partial(_post, app, each, reason, WORD)
    app.push_screen(WordDialog("Adjust the ledger", lines, WORD, act, topic=_TOPIC))


def _post(app: Terminal, each: dict[str, Any], reason: str, word: str) -> None:
    app.keep(_posted(app, each, reason, word))


async def _posted(app: Terminal, each: dict[str, Any], reason: str, word: str) -> None:
    from app.reconcile_commands import told  # noqa: PLC0415 -- the engine, after the first frame

    figures = {name: each[name] for name in ("subject", "venue_has", "ledger_has")}
    answer = await app.do.ask("adjust", reason=reason, word=word, **figures)
    if answer is not None:
        left = answer["books"]["differences"] or answer["halted"] or answer["not_there"]
        words = escape_untrusted(" ".join(told(answer)))
        app.notify(words, severity="warning" if left else "information", timeout=10)
        app.tick()
