"""The Settings screen: every setting with its value, source and meaning; what was changed when; Enter changes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from app.errors import CountersignError
from app.tui.host import aside
from app.tui.screens import settings_rows as rows
from app.tui.screens.edit import EditDialog
from app.tui.screens.panes import Paned, PaneNames
from app.tui.widgets.lines import Line, wrapped
from app.tui.widgets.reader import Reader
from app.tui.widgets.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from app.config.load import Loaded
    from app.reports_settings import ConfigChange, SettingView

_READING = "Reading the settings."
_NO_CHANGES = (
    "No change is journaled yet: the first session journals what differs from the defaults. Enter changes one."
)
_NONE_FOUND = "No setting has this in its name, value or meaning. Esc shows all again."


class SettingsView(Paned):
    """What can be set."""

    name_shown = "Settings"
    topic = "settings"
    first = "settings"
    SCOPED_CSS = False
    DEFAULT_CSS = """
    SettingsView #find { display: none; dock: bottom; border: none; height: 1; padding: 0 1; background: $panel; }
    SettingsView.-finding #find { display: block; }
    .-tall.-wide SettingsView, .-tall.-full SettingsView {
        grid-size: 2 2; grid-rows: 3fr 2fr; grid-columns: 3fr 2fr;
    }
    .-tall.-wide SettingsView #changes, .-tall.-full SettingsView #changes { column-span: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "find", "find", show=False),
        Binding("escape", "all", "all settings", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._seen: tuple[SettingView, ...] = ()
        self._changes: tuple[ConfigChange, ...] = ()
        self._path: Path | None = None
        self._wrong = ""
        self._folded: set[str] = set()
        self._wanted = ""
        self._reading = False
        self._read_at: object = None

    def compose(self) -> ComposeResult:
        """Three panes, and a line to type on."""
        yield PaneNames(id="names")
        table = Table(rows.SETTINGS, empty=_READING, id="settings")
        detail = Reader(self._detail, id="detail")
        changes = Table(rows.CHANGES, empty=_NO_CHANGES, id="changes")
        for pane, title in ((table, "Settings"), (detail, "Detail"), (changes, "Changes")):
            pane.add_class("pane")
            pane.border_title = title
            yield pane
        yield Input(id="find", placeholder="find: a part of a name, value or meaning")

    def hints(self) -> list[tuple[str, str]]:
        """Of the focused pane."""
        if self.pane_is("find"):
            return [("Enter", "to the list"), ("Esc", "all settings")]
        if self.pane_is("settings"):
            return [("Enter", "change"), ("/", "find"), ("f", "fold"), ("Tab", "next pane")]
        return [("/", "find"), ("Tab", "next pane")]

    # -- what it shows ----------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """What a file says may have changed meanwhile."""
        self._read_at = None
        super().enter()

    def draw(self) -> None:
        """Every pane; settings and changes are read aside when they may be others."""
        shown = rows.matching(self._seen, self._wanted)
        table = self.query_one("#settings", Table)
        found = f" ({len(shown)} of {len(self._seen)})" if self._wanted else ""
        table.entitle(f"Settings{found}")
        empty = self._wrong or (_NONE_FOUND if self._wanted else _READING)
        table.set_rows(rows.settings(shown, () if self._wanted else self._folded), empty=empty)
        self.query_one("#changes", Table).set_rows([rows.change(each) for each in self._changes])
        self.query_one("#detail", Reader).show()
        self.query_one(PaneNames).show()
        self._look_up()

    def _marked(self) -> SettingView | None:
        cursor = self.query_one("#settings", Table).cursor
        return next((each for each in self._seen if each.key == cursor), None)

    def _detail(self, width: int) -> list[Line]:
        seen = self._marked()
        if seen is not None:
            return rows.detail(seen, width)
        where = "" if self._path is None else f" The file: {self._path}"
        return wrapped(self._wrong or f"Put the cursor on a setting.{where}", width, "dim")

    # -- reading ----------------------------------------------------------------------------------------------------

    def _look_up(self) -> None:
        trader, desk = self.host.trader, self.host.desk
        version = trader.session.config.version if trader is not None and desk is not None else -1
        wanted = (version, self.host.stage)
        if not self._reading and wanted != self._read_at:
            self._reading, self._read_at = True, wanted
            in_force = dict(trader.session.config.in_force) if trader is not None and desk is not None else None
            self.app.keep(self._read(in_force))

    async def _read(self, in_force: Mapping[str, str] | None) -> None:
        from app.reports_settings import changes, settings  # noqa: PLC0415 -- after the first frame
        from storage.database import reader  # noqa: PLC0415 -- as above
        from storage.faults import StorageFault  # noqa: PLC0415 -- as above

        request, launch = self.host.request, self.host.launch

        def job() -> tuple[Loaded, tuple[SettingView, ...], tuple[ConfigChange, ...]]:
            loaded = request.settings()
            seen = settings(loaded, in_force)
            try:
                if launch is None:
                    return loaded, seen, ()
                with reader(launch.db) as data:
                    return loaded, seen, changes(data)
            except StorageFault:
                return loaded, seen, ()  # no session has made the database yet

        try:
            loaded, self._seen, self._changes = await aside(job)
            self._path, self._wrong = loaded.path, ""
        except CountersignError as error:
            self._seen, self._wrong = (), str(error)
        finally:
            self._reading = False
        self.refresh_view()

    def read_again(self) -> None:
        """A setting was written."""
        self._read_at = None
        self.refresh_view()

    # -- keys -------------------------------------------------------------------------------------------------------

    @on(Table.RowMarked, "#settings")
    def _setting_marked(self) -> None:
        self.query_one("#detail", Reader).show()

    @on(Table.RowOpened, "#settings")
    def _setting_opened(self, event: Table.RowOpened) -> None:
        section = rows.section_of(event.key)
        if section is not None:
            if not self._wanted:
                self._folded ^= {section}
            self.refresh_view()
            return
        seen = self._marked()
        if seen is not None and self._path is not None:
            self.app.push_screen(EditDialog(seen, self._path, self.read_again))

    def key_f(self) -> None:
        """Fold every section, or unfold them; only while the settings have the focus."""
        if self.pane_is("settings") and not self._wanted:
            every = {each.section for each in self._seen if each.section}
            self._folded = set() if self._folded else every
            self.refresh_view()

    def action_find(self) -> None:
        """Type what to look for."""
        self.add_class("-finding")
        self.query_one("#find", Input).focus()

    def action_all(self) -> None:
        """Every setting again."""
        self.query_one("#find", Input).value = ""
        self._wanted = ""
        self.remove_class("-finding")
        self.show_pane("settings")

    @on(Input.Changed, "#find")
    def _typed(self, event: Input.Changed) -> None:
        self._wanted = event.value
        self.refresh_view()

    @on(Input.Submitted, "#find")
    def _found(self) -> None:
        self.show_pane("settings")
