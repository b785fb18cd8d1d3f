"""Reading the database for a screen: off the loop, on a connection of its own, one read at a time, and only when what
is wanted or the journal's end has changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from app.tui.host import aside
from storage.database import Reader, reader
from storage.faults import StorageFault

if TYPE_CHECKING:
    from pathlib import Path

    from app.tui.screens.view import View

W = TypeVar("W")
R = TypeVar("R")

_AFTER_THE_END = -1
"""Stands for the journal's end when no engine runs: it will not move."""
_BY_HAND = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError)
"""What reading a row that is none of ours can raise."""


class History(Generic[W, R]):
    """What was read last. `result` stays until the next one is there, so that nothing flickers.

    Args:
        view: drawn when `result` or `words` changed.
        read: one look at the database; runs on another thread.
    """

    def __init__(self, view: View, read: Callable[[Reader, W], R]) -> None:
        self._view, self._read = view, read
        self.wanted: W | None = None
        """What `result` is the answer to."""
        self.result: R | None = None
        self.words = ""
        """Why there is no answer to what was wanted last, or ""."""
        self._have: tuple[Any, ...] | None = None
        self._busy = False

    def want(self, wanted: W) -> None:
        """Read it, unless it is there. Called each time the screen is drawn; while a read runs the next one waits."""
        host = self._view.host
        if host.launch is None or (host.desk is None and not host.over) or self._busy:
            return
        head = _AFTER_THE_END
        if host.desk is not None and host.trader is not None:
            head = host.trader.session.writer.head.seq
        key = (host.launch.db, head, wanted)
        if key != self._have:
            self._busy = True
            self._view.app.keep(self._fetch(host.launch.db, key, wanted))

    async def _fetch(self, db: Path, key: tuple[Any, ...], wanted: W) -> None:
        def look() -> R:
            with reader(db) as data:
                return self._read(data, wanted)

        words = ""
        try:
            self.result, self.wanted = await aside(look), wanted
        except (StorageFault, sqlite3.Error) as error:
            words = f"The database could not be read: {error}"
        except _BY_HAND as error:
            words = f"A row can not be read ({type(error).__name__}). Verify the journal: v on its screen."
        finally:
            self._busy = False
        self._have, self.words = key, words
        self._view.refresh_view()
