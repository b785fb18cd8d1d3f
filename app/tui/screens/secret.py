"""What a device needs typed here: a PIN's positions, a passphrase, a pairing code. Never stored, never shown."""

from __future__ import annotations

import asyncio
from typing import Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Input

from app.tui.screens.ask import Words
from app.tui.screens.dialog import Dialog
from app.tui.widgets.status import KeyLine, StatusLine
from signers.base import Question
from signers.faults import NotReady
from signers.person import STATES

_KEYS: Final = "Enter gives it to the device. It is kept nowhere. Esc gives up."
_WORDS: Final = {
    Question.PIN_POSITIONS: (
        "PIN",
        "The device shows nine digits in a square. Type where your PIN's digits stand, not the digits:",
        "    7 8 9\n    4 5 6\n    1 2 3",
    ),
    Question.PASSPHRASE: (
        "Passphrase",
        "The passphrase of the hidden wallet. Another spelling is another wallet, which is empty.",
        "",
    ),
    Question.PAIRING_CODE: ("Pairing", "The six digits on the device's screen:", ""),
}


class SecretDialog(Dialog):
    """One secret. Enter gives it to the device, Escape gives up.

    Args:
        answer: gets what was typed; or the fault that says nobody would.
    """

    topic = "secret"
    DEFAULT_CSS = """
    SecretDialog Input, SecretDialog Input:focus {
        border: none; height: 1; padding: 0; margin: 1 0; background: $panel;
    }
    """

    def __init__(self, question: Question, answer: asyncio.Future[str]) -> None:
        super().__init__()
        self._question, self._answer = question, answer

    def compose(self) -> ComposeResult:
        """Words and a line to type on."""
        yield StatusLine()
        with Container(classes="frame -small", id="secret"):
            yield Words(_paragraphs(self._question))
            yield Input(id="typed", password=True, max_length=100)
        yield KeyLine()

    def on_mount(self) -> None:
        """Ready to type."""
        self.query_one("#secret").border_title = _WORDS[self._question][0]
        self.query_one(Input).focus()
        if self._answer.done():
            self.dismiss(None)  # nobody waits for it any more

    def on_unmount(self) -> None:
        """Left unanswered is given up."""
        if not self._answer.done():
            self._answer.set_exception(NotReady(STATES[self._question], "It was not typed."))

    def draw(self) -> None:
        """Draw."""
        self.query_one(Words).show()

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        if not self._answer.done():
            self._answer.set_result(event.value)
        event.input.value = ""
        self.dismiss(None)


def _paragraphs(question: Question) -> list[tuple[str, str]]:
    _, text, picture = _WORDS[question]
    rows = [(row, "title") for row in picture.split("\n") if row]
    return [(text, ""), *rows, ("", ""), (_KEYS, "key")]
