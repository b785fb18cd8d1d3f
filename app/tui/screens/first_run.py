"""The first start: nothing is on this machine yet, so say what this is and ask what to start. Enter takes the practice
market; there is nothing to set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.tui.screens.ask import QuestionDialog

if TYPE_CHECKING:
    from app.tui.app import Terminal


def first_run(app: Terminal) -> QuestionDialog:
    """The question. Escape starts the practice market too: whatever is pressed, nothing real can be traded."""
    dialog = _FirstRun(
        "Welcome to countersign",
        [
            ("Modules propose trades. You read each one, confirm it with S, and approve it on the device.", ""),
            ("Everything here is PAPER: a generated market, no keys, no network.", "key"),
            ("A demo device signs, unless you chose your own.", "key"),
            ("", ""),
        ],
        [
            ("1", "practise: modules propose, the market runs fast and waits for you", app.host.start),
            ("2", "look around first: all modules paused, 4 then space starts one", lambda: _quiet(app)),
            ("q", "quit", lambda: (app.keep(_leave(app)), None)[1]),
        ],
        topic="first_run",
    )
    dialog.start = app.host.start
    return dialog


class _FirstRun(QuestionDialog):
    start = staticmethod(lambda: None)

    def hints(self) -> list[tuple[str, str]]:
        """Escape is no way back: there is nothing behind."""
        return [("Esc", "practise"), ("q", "quit"), ("?", "help")]

    def action_back(self) -> None:
        self.dismiss(None)
        self.start()


def _quiet(app: Terminal) -> None:
    app.host.quiet = True
    app.host.start()


async def _leave(app: Terminal) -> None:
    app.exit(0)
