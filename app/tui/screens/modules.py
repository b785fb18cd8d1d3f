"""Modules: what each is doing, its capital, how it fares; pause, switch on and off, give capital. What a module that
takes no entries still holds stays protected, and the pane says by whom."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from app.errors import CountersignError
from app.money import ZERO, add, from_text, to_text
from app.text import counted, escape_untrusted
from app.tui import words
from app.tui.screens.view import View
from app.tui.widgets.lines import Line, Lines, Piece, line, wrapped
from app.tui.widgets.table import Column, Row, Table
from strategies.base import MANUAL

if TYPE_CHECKING:
    from app.engine.module_views import ModuleView
    from app.tui.app import Terminal

_COLUMNS: Final = (
    Column("module", 15),
    Column("state", 11),
    Column("health", 8, rank=2),
    Column("profit", 10, right=True, rank=1),
    Column("capital used", 17, right=True),
    Column("bars", 7, right=True, rank=4),
    Column("signals", 7, right=True, rank=4),
    Column("proposed", 8, right=True, rank=3),
    Column("fills", 5, right=True, rank=3),
    Column("restarts", 8, right=True, rank=5),
    Column("why", 0, rank=6),
)
_STATES: Final = {"running": "ok", "paused": "warn", "failed": "error", "enabled": "warn"}
_HEALTH: Final = {"ok": "ok", "warming": "warn", "starved": "warn", "slow": "warn", "failed": "error"}
_EMPTY: Final = "No modules yet: the engine is starting, or it has stopped."


class ModulesView(View):
    """The list above, one module below."""

    name_shown = "Modules"
    topic = "modules"
    SCOPED_CSS = False
    DEFAULT_CSS = """
    ModulesView { layout: vertical; }
    ModulesView #modules { height: 1fr; min-height: 6; }
    ModulesView #module { height: 16; }
    .-narrow ModulesView #module { height: 12; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "switch", "pause or resume", show=False),
        Binding("e", "enable", "switch on", show=False),
        Binding("d", "disable", "switch off", show=False),
        Binding("a", "allocate", "give capital", show=False),
        Binding("u", "resume_all", "resume all", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Two panes."""
        table = Table(_COLUMNS, empty=_EMPTY, id="modules")
        table.add_class("pane")
        table.border_title = "Modules"
        yield table
        yield _Module(id="module")

    def hints(self) -> list[tuple[str, str]]:
        """Of the list."""
        return [("space", "pause/resume"), ("e", "on"), ("d", "off"), ("a", "capital"), ("u", "resume all")]

    def views(self) -> tuple[ModuleView, ...]:
        """Every module, those that are on first; none while the engine does not run."""
        trader = self.host.trader
        seen = () if trader is None or self.host.desk is None else trader.manager.views()
        return tuple(sorted(seen, key=lambda each: (not each.enabled, each.name)))

    @property
    def marked(self) -> ModuleView | None:
        """The one under the cursor."""
        cursor = self.query_one("#modules", Table).cursor
        return next((each for each in self.views() if each.name == cursor), None)

    def draw(self) -> None:
        """Both panes."""
        table, seen = self.query_one("#modules", Table), self.views()
        table.set_rows([*(_row(each, self.app) for each in seen), *_by_hand(self.app)])
        total = self.host.launch.loaded.settings.capital.total if self.host.launch is not None else None
        given = ZERO
        for each in seen:
            given = add(given, each.allocation if each.enabled else ZERO)
        allocated = f"{words.money(given, 0)} of {words.money(total, 0)} allocated"
        table.entitle(f"Modules  {allocated}; bars to fills since this start")
        self.query_one(_Module).set_module(self.marked)

    # -- keys, on the list only -------------------------------------------------------------------------------------

    def action_switch(self) -> None:
        """Pause what runs, resume what is paused or has failed."""
        seen = self._asked()
        if seen is not None:
            op = "module_resume" if seen.paused or seen.state == "failed" else "module_pause"
            self.app.do.command(op, name=seen.name)

    def action_enable(self) -> None:
        """Switch it on; with no capital yet, ask for that first."""
        seen = self._asked()
        if seen is None:
            return
        if not seen.allocation:
            self.app.notify(f"{seen.name} has no capital yet: a gives it some.", severity="warning")
        self.app.do.command("module_enable", name=seen.name)

    def action_disable(self) -> None:
        """Switch it off: it sees no more bars; its exits rest where they are. Asks, as its capital leaves the equity
        that limits and drawdown are measured on."""
        from app.tui.screens.ask import QuestionDialog  # noqa: PLC0415 -- when it is wanted

        seen = self._asked()
        if seen is None or not seen.enabled:
            return
        words_ = f"{seen.name} sees no more bars and proposes nothing. What it holds stays: {seen.exits_managed_by}."
        capital = f"Equity counts the capital of modules that are on, so it falls by {to_text(seen.allocation)}."
        off = partial(self.app.do.command, "module_disable", name=seen.name)
        self.app.push_screen(
            QuestionDialog(
                f"Switch {seen.name} off",
                [(words_, ""), (capital, "dim"), ("", "")],
                [("n", "leave it on", lambda: None), ("y", "switch it off", off)],
                topic="modules",
            )
        )

    def action_resume_all(self) -> None:
        """Resume whatever is paused."""
        if self._on_list:
            self.app.do.command("module_resume", all=True)

    def action_allocate(self) -> None:
        """Give it more or less capital."""
        from app.tui.screens.ask import LineDialog  # noqa: PLC0415 -- when it is wanted

        seen = self._asked()
        if seen is None:
            return
        text = f"{seen.name} has {to_text(seen.allocation)} and uses {words.money(seen.committed)}."
        dialog = LineDialog(
            f"Capital of {seen.name}",
            [
                (text, ""),
                ("Account currency, a plain number. Less holds at once; so does more, after a typed word.", "dim"),
            ],
            to_text(seen.allocation),
            partial(self._allocate, seen),
            topic="modules",
        )
        self.app.push_screen(dialog)

    def _allocate(self, seen: ModuleView, typed: str) -> None:
        from app.tui.screens.ask import WordDialog  # noqa: PLC0415 -- when it is wanted

        try:
            amount = from_text(typed.strip())
        except (CountersignError, ValueError, ArithmeticError):
            self.app.notify(f"{escape_untrusted(typed)[:40]} is no plain number.", severity="error")
            return
        from app.settings_change import WORD, gives_more  # noqa: PLC0415 -- the settings behind it, when it is wanted

        act = partial(self.app.do.command, "module_allocate", name=seen.name, amount=to_text(amount))
        try:
            asks = gives_more(self.app.host.request.settings().path, seen.name, seen.allocation, amount)
        except CountersignError as error:
            self.app.notify(escape_untrusted(str(error)), severity="error")
            return
        if not asks:
            act()
            return
        more = f"{seen.name} gets {to_text(amount)} to trade with."
        self.app.push_screen(WordDialog("More capital", [(more, "")], WORD, act, topic="modules"))

    def _asked(self) -> ModuleView | None:
        return self.marked if self._on_list else None

    @property
    def _on_list(self) -> bool:
        return self.query_one("#modules", Table).has_focus


def _row(seen: ModuleView, app: Terminal) -> Row:
    profit = None
    if seen.realised is not None and seen.unrealised is not None:
        profit = add(seen.realised, seen.unrealised)
    state: Piece = ("unavailable", "error") if seen.unavailable else _state(seen)
    count = seen.counters
    return Row(
        seen.name,
        (
            (seen.name, "title"),
            state,
            (seen.health.value, _HEALTH.get(seen.health.value, "dim")),
            words.signed(profit, app.glyphs),
            (f"{words.money(seen.committed)}/{words.money(seen.allocation, 0)}", ""),
            (str(count.bars), "dim"),
            (str(count.signals), "dim"),
            (str(count.intents), ""),
            (str(count.fills), ""),
            (str(seen.restarts), "warn" if seen.restarts else "dim"),
            (escape_untrusted(seen.unavailable or seen.reason or seen.summary), "dim"),
        ),
    )


def _by_hand(app: Terminal) -> list[Row]:
    """The trader's own trades, where there are any: with the modules they make the whole profit."""
    from app.engine.module_views import profit  # noqa: PLC0415 -- the engine behind it, after the first frame

    desk = app.host.desk
    realised, unrealised = (None, None) if desk is None else profit(desk, MANUAL)
    if desk is None or not any(owner == MANUAL for owner, _ in desk.state.positions.holdings):
        return []
    made = None if realised is None or unrealised is None else add(realised, unrealised)
    blank = ("", "")
    cells = (("by hand", "dim"), blank, blank, words.signed(made, app.glyphs), *([blank] * 6))
    return [Row(MANUAL, (*cells, ("your own trades; b buys", "dim")))]


def _state(seen: ModuleView) -> Piece:
    if seen.state == "registered":
        return "off", "dim"
    if seen.state == "enabled":
        return "warming up", "warn"
    return seen.state.value, _STATES.get(seen.state.value, "dim")


class _Module(Lines):
    """One module in words."""

    app: Terminal

    def __init__(self, *, id: str) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id, classes="pane")
        self._seen: ModuleView | None = None

    def set_module(self, seen: ModuleView | None) -> None:
        """What to draw."""
        self._seen = seen
        self.entitle("-" if seen is None else f"{seen.name} {seen.version}")
        self.show()

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- as many lines as there are
        """State and why, exits and who manages them, parameters, what was skipped."""
        seen = self._seen
        if seen is None:
            return [line(("Choose a module above.", "dim"))]
        lines = wrapped(escape_untrusted(seen.summary), width, "label") if seen.summary else []
        if seen.unavailable:
            lines += wrapped(f"unavailable: {escape_untrusted(seen.unavailable)}", width, "error")
        why = f": {escape_untrusted(seen.reason)}" if seen.reason else ""
        state, role = _state(seen)
        lines += wrapped(f"{state}{why}", width, role)
        if seen.restart_ms is not None:
            lines.append(line((f"starts again at {words.clock(seen.restart_ms)}", "warn")))
        health = (
            f"{seen.health.value}: {escape_untrusted(seen.health_words)}" if seen.health_words else seen.health.value
        )
        lines += wrapped(f"health {health}", width, _HEALTH.get(seen.health.value, "dim"))
        lines += wrapped(f"exits  {seen.exits_managed_by}", width)
        for note in seen.notes:
            lines += wrapped(f"says   {note}", width, "label", "       ")
        lines += wrapped(f"trades {', '.join(seen.instruments)}   log level {seen.log_level}", width, "dim", "  ")
        if seen.third_party:
            lines += wrapped("Not ours: it runs with full rights, as any program of yours does.", width, "warn")
        skipped = ", ".join(
            f"{escape_untrusted(why)} ({count})" for why, count in sorted(seen.counters.skipped.items())
        )
        if skipped:
            lines += wrapped(
                f"{counted(sum(seen.counters.skipped.values()), 'signal')} skipped: {skipped}", width, "dim"
            )
        params = ", ".join(f"{name} {value}" for name, value in seen.params) or "as its author chose them"
        return lines + wrapped(f"params {escape_untrusted(params)}", width, "dim", "  ")
