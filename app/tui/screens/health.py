"""The Health screen: ready or not and why, what runs, what was measured, errors, alerts and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult

from app.tui.host import aside
from app.tui.screens import health_rows as rows
from app.tui.screens.panes import Paned, PaneNames
from app.tui.screens.text import TextDialog
from app.tui.widgets.lines import Line, wrapped
from app.tui.widgets.reader import Reader
from app.tui.widgets.table import Table

if TYPE_CHECKING:
    from pathlib import Path

    from textual.widget import Widget

    from app.health import Health
    from app.reports_troubles import Troubles
    from app.snapshots.chain import ChainView
    from app.snapshots.log import LogLine

_LOG_LINES = 300
_TABLES = (
    ("nodes", "Nodes", rows.NODES),
    ("parts", "Parts", rows.PARTS),
    ("feeds", "Feeds", rows.FEEDS),
    ("errors", "Errors", rows.ERRORS),
    ("alerts", "Alerts", rows.ALERTS),
    ("log", "Log", rows.LOG),
)
_NO_ENGINE = "The engine does not run."
_EMPTY = {
    "parts": _NO_ENGINE,
    "nodes": "This session trades on no chain.",
    "feeds": "The market has not spoken yet.",
    "errors": "No errors. What goes wrong is stored here until you press a on it.",
    "alerts": "No alerts. A halt, a stop or a failed module puts one here.",
    "log": "Nothing of this level in the log file; l shows more.",
}


class HealthView(Paned):
    """How the trader fares."""

    name_shown = "Health"
    topic = "health"
    first = "state"
    SCOPED_CSS = False
    DEFAULT_CSS = """
    .-tall.-wide HealthView, .-tall.-full HealthView {
        grid-size: 2 5; grid-rows: 12 9 3fr 2fr 3fr; grid-columns: 1fr 1fr;
    }
    .-tall.-wide HealthView.-chain, .-tall.-full HealthView.-chain {
        grid-size: 2 6; grid-rows: 12 6 9 3fr 2fr 3fr;
    }
    .-tall.-wide HealthView #nodes, .-tall.-full HealthView #nodes { column-span: 2; }
    HealthView #nodes.-none { display: none; }
    .-tall.-wide HealthView #errors, .-tall.-wide HealthView #alerts, .-tall.-wide HealthView #log { column-span: 2; }
    .-tall.-full HealthView #errors, .-tall.-full HealthView #alerts, .-tall.-full HealthView #log { column-span: 2; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._health: Health | None = None
        self._troubles: Troubles | None = None
        self._log: tuple[LogLine, ...] = ()
        self._log_path: Path | None = None
        self._level = 1
        self._reading = False
        self._read_at: object = None

    def compose(self) -> ComposeResult:
        """Seven panes, and one for the nodes of a chain."""
        yield PaneNames(id="names")
        for name, title, document in (("state", "State", self._state), ("numbers", "Numbers", self._numbers)):
            reader = Reader(document, id=name)
            reader.add_class("pane")
            reader.border_title = title
            yield reader
        for name, title, columns in _TABLES:
            table = Table(columns, empty=_EMPTY[name], id=name)
            table.add_class("pane")
            table.border_title = title
            yield table

    def hints(self) -> list[tuple[str, str]]:
        """Of the focused pane."""
        if self.pane_is("errors"):
            return [("Enter", "all of it"), ("a", "acknowledge"), ("Tab", "next pane")]
        if self.pane_is("log"):
            return [("Enter", "all of it"), ("l", "level"), ("Tab", "next pane")]
        if self.pane_is("nodes"):
            return [("r", "believe it well again"), ("Tab", "next pane")]
        if self.pane_is("alerts"):
            return [("Enter", "all of it"), ("Tab", "next pane")]
        return [("d", "compare"), ("Tab", "next pane")]

    def panes(self) -> list[Widget]:
        """Those there are: the nodes' only where a chain has some."""
        return [pane for pane in super().panes() if not pane.has_class("-none")]

    # -- what it shows ----------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Every pane; what is stored is read aside when something new was written."""
        from app import health  # noqa: PLC0415 -- the engine behind it, after the first frame
        from app.snapshots.log import LEVELS  # noqa: PLC0415 -- as above

        host = self.host
        running = host.desk is not None and host.trader is not None
        self._health = health.health(host.trader) if running and host.trader is not None else None
        seen = self._health
        self.query_one("#parts", Table).set_rows([] if seen is None else [rows.part(each) for each in seen.parts])
        self._draw_nodes(None if seen is None else seen.chain)
        feeds = self.query_one("#feeds", Table)
        feeds.set_rows(
            [] if seen is None else [rows.feed(each) for each in seen.feeds],
            empty=_NO_ENGINE if seen is None else _EMPTY["feeds"],
        )
        self.query_one("#log", Table).border_title = f"Log  {LEVELS[self._level]} and above  this computer's clock, UTC"
        for name in ("state", "numbers"):
            self.query_one(f"#{name}", Reader).show()
        self.query_one(PaneNames).show()
        self._look_up()

    def _draw_nodes(self, seen: ChainView | None) -> None:
        nodes, launch = self.query_one("#nodes", Table), self.host.launch
        on_chain = launch is not None and launch.plan.chain is not None
        self.set_class(on_chain, "-chain")
        nodes.set_class(not on_chain, "-none")
        empty = _NO_ENGINE if on_chain else _EMPTY["nodes"]
        nodes.set_rows([] if seen is None else [rows.node(each) for each in seen.nodes], empty=empty)

    def _state(self, width: int) -> list[Line]:
        serious = self._troubles.serious if self._troubles is not None else 0
        host = self.host
        words = host.words if host.over else f"The engine is {host.words or 'loading'}."
        return rows.state(self._health, words, serious, width)

    def _numbers(self, width: int) -> list[Line]:
        return wrapped(_NO_ENGINE, width, "dim") if self._health is None else rows.numbers(self._health, width)

    # -- what is stored ---------------------------------------------------------------------------------------------

    def _look_up(self) -> None:
        launch = self.host.launch
        written = self._health.machine.commits if self._health is not None else -1
        wanted = (written, self._level, self._log_size(), self.host.stage)
        if not self._reading and launch is not None and wanted != self._read_at:
            self._reading, self._read_at = True, wanted
            self.app.keep(self._read(launch.db, self._level))

    @property
    def _log_file(self) -> Path:
        from app import paths  # noqa: PLC0415 -- platformdirs

        if self._log_path is None:
            self._log_path = paths.log_dir() / "countersign.jsonl"
        return self._log_path

    def _log_size(self) -> int:
        try:
            return self._log_file.stat().st_size
        except OSError:
            return 0

    async def _read(self, db: Path, level: int) -> None:
        from app.reports_troubles import troubles  # noqa: PLC0415 -- as above
        from app.snapshots.log import LEVELS, tail  # noqa: PLC0415 -- after the first frame
        from storage.database import reader  # noqa: PLC0415 -- as above
        from storage.faults import StorageFault  # noqa: PLC0415 -- as above

        def job() -> tuple[Troubles | None, tuple[LogLine, ...]]:
            lines = tail(self._log_file, LEVELS[level], _LOG_LINES)
            try:
                with reader(db) as data:
                    return troubles(data), lines
            except StorageFault:
                return None, lines  # no session has made the database yet, or its disk is gone: the state pane says so

        try:
            found, self._log = await aside(job)
            self._troubles = self._troubles if found is None else found
        finally:
            self._reading = False
        if self.is_attached:
            self._show_stored()

    def _show_stored(self) -> None:
        seen = self._troubles
        if seen is not None:
            errors = self.query_one("#errors", Table)
            waiting = sum(each.acknowledged_ms is None for each in seen.errors)
            errors.entitle(f"Errors ({waiting} new)" if waiting else "Errors")
            errors.set_rows([rows.error(each) for each in seen.errors])
            self.query_one("#alerts", Table).set_rows([rows.alert(each) for each in seen.alerts])
        self.query_one("#log", Table).set_rows([rows.log(each) for each in reversed(self._log)])
        self.query_one("#state", Reader).show()

    # -- keys -------------------------------------------------------------------------------------------------------

    @on(Table.RowOpened, "#errors")
    def _error_opened(self, event: Table.RowOpened) -> None:
        found = [each for each in self._troubles.errors if str(each.id) == event.key] if self._troubles else []
        for each in found:
            self.app.push_screen(TextDialog(f"Error {each.id}", rows.error_facts(each), topic="health"))

    @on(Table.RowOpened, "#alerts")
    def _alert_opened(self, event: Table.RowOpened) -> None:
        found = [each for each in self._troubles.alerts if str(each.id) == event.key] if self._troubles else []
        for each in found:
            self.app.push_screen(TextDialog(f"Alert {each.id}", rows.alert_facts(each), topic="health"))

    @on(Table.RowOpened, "#log")
    def _log_opened(self, event: Table.RowOpened) -> None:
        for each in [each for each in self._log if str(each.offset) == event.key]:
            self.app.push_screen(TextDialog("Log", rows.log_facts(each), topic="health"))

    def key_a(self) -> None:
        """Acknowledge the error under the cursor; only while the errors have the focus."""
        table = self.query_one("#errors", Table)
        if table.has_focus and table.cursor:
            self.app.do.command("acknowledge", id=int(table.cursor))

    def key_d(self) -> None:
        """Compare venue and ledger now, and adjust what differs."""
        self.app.do.reconcile()

    def key_r(self) -> None:
        """Believe the node under the cursor to be well again; only while the nodes have the focus."""
        table = self.query_one("#nodes", Table)
        if table.has_focus and table.cursor:
            self.app.do.command("nodes_reset", name=table.cursor)

    def key_l(self) -> None:
        """The next level of the log; only while it has the focus."""
        from app.snapshots.log import LEVELS  # noqa: PLC0415 -- after the first frame

        if self.pane_is("log"):
            self._level = (self._level + 1) % len(LEVELS)
            self.refresh_view()
