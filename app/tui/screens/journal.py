"""The Journal screen: rows backwards in time, a trade's whole life, and the proof that nothing was changed."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.binding import Binding, BindingType

from app import reports_journal
from app.engine.clock import WallClock
from app.text import escape_untrusted
from app.tui import words
from app.tui.host import aside
from app.tui.screens import journal_text
from app.tui.screens.history import History
from app.tui.screens.paged import SIZE, Paged
from app.tui.widgets.lines import Line, Lines, fit
from app.tui.widgets.table import Column, Row
from app.verification import Verification, VerificationCancelled
from storage.faults import StorageFault

if TYPE_CHECKING:
    from textual.widget import Widget

    from app.reports_journal import JournalDetail, JournalPage, JournalRow, Life
    from app.verification import Verified

COLUMNS: Final = (
    Column("row", 7, right=True),
    Column("time", 14, rank=1),
    Column("kind", 18),
    Column("subject", 8),
    Column("what it changed", 0, rank=2),
)


def journal_row(each: JournalRow) -> Row:
    """One row."""
    return Row(
        str(each.seq),
        (
            (f"{each.seq:,}", "dim"),
            (words.clock(each.ts_ms), "dim"),
            (escape_untrusted(each.kind), journal_text.role_of(each.kind)),
            (escape_untrusted(each.subject[:8]), "label"),
            (escape_untrusted(each.changes, 200), "dim"),
        ),
    )


class _Verdict(Lines):
    """One line: how far the verification is, or what it came to."""

    DEFAULT_CSS = "_Verdict { height: 1; display: none; } _Verdict.-some { display: block; }"

    def __init__(self) -> None:
        super().__init__(id="verdict")
        self.said: tuple[str, str] = ("", "")

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- one line
        """The words."""
        return [Line(((fit(f" {self.said[0]}", width), self.said[1]),))]


class JournalView(Paged):
    """The journal."""

    name_shown = "Journal"
    topic = "journal"
    SCOPED_CSS = False
    columns = COLUMNS
    list_id = "journal"
    choices = reports_journal.KINDS
    BINDINGS: ClassVar[list[BindingType]] = [Binding("v", "verify", "verify", show=False)]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._rows: dict[str, JournalRow] = {}
        self._detail: History[int, JournalDetail | None] = History(self, reports_journal.detail)
        self._life: History[str, Life | None] = History(self, reports_journal.life)
        self._shows = "row"
        """What the detail is of: "row", "life" or "verify"."""
        self._job: Verification | None = None
        self._verified: Verified | None = None
        self._refused = ""
        """Why it could not be verified, or ""."""

    def history(self) -> History[Any, Any]:
        """Pages of rows."""
        return History(self, reports_journal.page)

    def wanted(self) -> reports_journal.JournalWanted:
        """By kind and text."""
        return reports_journal.JournalWanted(self.choice, self.text, self.page, SIZE, self.newest)

    def rows(self, found: JournalPage) -> list[Row]:
        """As the table shows them."""
        self._rows = {str(each.seq): each for each in found.rows}
        return [journal_row(each) for each in found.rows]

    def title(self, found: JournalPage) -> str:
        """With the end of the chain."""
        sealed = f"  sealed to {found.sealed:,}" if found.sealed else ""
        return f"Journal  head {found.head:,} {found.head_hash[:16]}{sealed}"

    def nothing(self) -> str:
        """Before the first row."""
        return "The journal is empty: its first row is written when a session begins."

    def lists(self) -> list[Widget]:
        """The verdict stands below the list."""
        return [*super().lists(), _Verdict()]

    def hints(self) -> list[tuple[str, str]]:
        """Of the focused pane."""
        if self.detail.has_focus:
            return [("Esc", "back"), ("v", "verify")]
        if not self.table.has_focus:
            return [("Enter", "to the list"), ("Esc", "clear")]
        return [("Enter", "a trade's life"), ("f", f"filter: {self.choice}"), ("/", "find"), ("v", "verify")]

    # -- what it shows ----------------------------------------------------------------------------------------------

    def draw_more(self) -> None:
        """The verdict, and what the detail needs."""
        verdict = self.query_one(_Verdict)
        verdict.said = self._verdict()
        verdict.set_class(bool(verdict.said[0]), "-some")
        verdict.show()
        self.detail.border_title = {"row": "Row", "life": "A trade's life", "verify": "Verification"}[self._shows]
        row = self._rows.get(self.table.cursor)
        if row is None or not self.detail_seen():
            return
        if self._shows == "life":
            self._life.want(row.subject)
        if self._shows == "row" or (self._life.wanted == row.subject and self._life.result is None):
            self._detail.want(row.seq)

    def document(self, width: int) -> list[Line]:
        """The row under the cursor, its trade's life, or the verification."""
        if self._shows == "verify":
            progress = None if self._job is None else self._job.progress()
            return journal_text.verification(progress, self._verified, self._refused, width)
        row = self._rows.get(self.table.cursor)
        if row is None:
            return []
        if self._shows == "life" and self._life.wanted == row.subject and self._life.result is not None:
            return journal_text.life(self._life.result, row.seq, width)
        missing = self._detail.words or (self._life.words if self._shows == "life" else "")
        known = self._detail.result if self._detail.wanted == row.seq else None
        return journal_text.row(known, missing, width)

    def row_marked(self) -> None:
        """The detail follows a cursor that somebody moves, not one that new rows move."""
        if self.table.has_focus:
            self._shows = "row"

    def row_opened(self, key: str) -> None:
        """The life of its trade; of a row that has none, what it committed."""
        self._shows = "life" if key in self._rows and self._rows[key].subject else "row"

    # -- verification -----------------------------------------------------------------------------------------------

    def action_verify(self) -> None:
        """Begin, or show the one that runs."""
        host = self.host
        if host.launch is None or (host.desk is None and not host.over):
            self.app.notify("There is nothing to verify before the engine has opened its database.")
            return
        if self._job is None:
            self._verified, self._refused = None, ""
            self._job = Verification(host.launch.db, WallClock())
            self.app.keep(self._verify(self._job))
        self._shows = "verify"
        self.detail.set_document(self.document)
        self.open_detail()

    async def _verify(self, job: Verification) -> None:
        found: Verified | None = None
        refused = ""
        try:
            found = await aside(job.run)
        except VerificationCancelled:
            return
        except (StorageFault, sqlite3.Error) as error:
            refused = f"It could not be verified: {error}"
        finally:
            if self._job is job:
                self._job = None
        self._verified, self._refused = found, refused
        self.refresh_view()

    def leave(self) -> None:
        """Nobody watches any more: the processor belongs to the engine."""
        if self._job is not None:
            self._job.cancel()
            self._job, self._shows = None, "row"

    def on_unmount(self) -> None:
        """This screen is gone; the engine may go on under another one."""
        self.leave()

    def _verdict(self) -> tuple[str, str]:
        if self._job is not None:
            return journal_text.progress_words(self._job.progress()), "warn"
        if self._refused:
            return escape_untrusted(self._refused), "error"
        return ("", "") if self._verified is None else journal_text.verdict(self._verified)
