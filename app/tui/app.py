"""The terminal's application: the frame that is painted first, the screens behind the number keys, the keys that work
everywhere. What is heavy loads after the first frame."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from app.text import counted
from app.tui import glyphs, themes
from app.tui.driver import PatientDriver
from app.tui.host import Host, Stage, background
from app.tui.widgets.lines import Line, Lines, Piece
from app.tui.widgets.status import KeyLine, StatusLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from textual.app import SystemCommand
    from textual.screen import Screen

    from app.execution.records import Order, Trade
    from app.tui.screens.view import View
    from signers.base import DeviceState, Question

TICK_S: Final = 0.25
"""Between two looks at the engine; each draws only what changed."""

VIEWS: Final = {
    "trade": 1,
    "positions": 2,
    "orders": 3,
    "modules": 4,
    "risk": 5,
    "journal": 6,
    "health": 7,
    "settings": 8,
    "wallets": 0,
}
"""The screens and their number keys."""


class _Blank(Lines):
    """What is shown while the first screen loads."""

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- the same at any size
        return [Line(((" loading", "dim"),))]


class Terminal(App[int]):
    """One run of the screen over a host; another one may take its place without the engine noticing."""

    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    TITLE = "countersign"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide"), (160, "-full")]  # noqa: RUF012 -- Textual's own declaration
    VERTICAL_BREAKPOINTS = [(0, "-low"), (36, "-tall")]  # noqa: RUF012 -- Textual's own declaration
    CSS = """
    Screen { background: $background; color: $foreground; layers: base; }
    #body { width: 100%; height: 1fr; }
    .pane { border: round $primary 40%; border-title-color: $foreground; padding: 0 1; }
    .pane:focus, .pane:focus-within { border: round $primary; }
    .-ascii .pane { border: ascii $primary 60%; }
    .-ascii .pane:focus { border: ascii $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "help", show=False, id="help"),
        *(Binding(str(number), f"view('{name}')", name, show=False) for name, number in VIEWS.items()),
        Binding("9", "device", "device", show=False, id="device"),
        Binding("R", "restart_engine", "start the engine again", show=False),
        Binding("F", "sell_everything", "sell everything", show=False, id="sell_everything"),
        Binding("p", "proposals", "what waits", show=False, id="proposals"),
        Binding("P", "pause_all", "pause all modules", show=False, id="pause_all"),
        Binding("ctrl+o", "jump", "jump to a pane", show=False, id="jump"),
        Binding("q", "leave", "quit", show=False, id="leave"),
        Binding("ctrl+q", "leave", "quit", show=False, priority=True),
        Binding("ctrl+c", "leave", "quit", show=False, priority=True),
    ]

    def __init__(self, host: Host, *, ascii_only: bool = False, theme: str = themes.DEFAULT, notice: str = "") -> None:
        super().__init__(driver_class=PatientDriver)
        self.host = host
        self.glyphs = glyphs.ASCII if ascii_only else glyphs.UNICODE
        self.crash: Exception | None = None
        self.now: Callable[[], float] = lambda: asyncio.get_running_loop().time()
        """Seconds on a clock that never goes back; for how long a person has been looking at something."""
        self.current = ""
        self._ascii = ascii_only
        self._notice = notice
        self._early: list[events.Key] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self.register_theme(themes.theme(theme))
        self.theme = theme

    # -- the first frame --------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Status line, an empty body, key hints: no engine, no settings, no database."""
        yield StatusLine(id="status")
        yield Container(_Blank(id="blank"), id="body")
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        """Everything else comes after the first frame."""
        self.set_class(self._ascii, "-ascii")
        loop = asyncio.get_running_loop()
        # From Python 3.12 on Textual has tasks begin before their creator goes on; the engine was not made for that.
        loop.set_task_factory(None)

    def on_ready(self) -> None:
        """The first frame is out."""
        gc.freeze()  # what the first frame needed stays: no collection looks at it again
        gc.enable()
        from app.tui import actions, boot  # noqa: PLC0415 -- after the first frame

        for name in themes.NAMES:
            if name != self.theme:
                self.register_theme(themes.theme(name))
        self.do = actions.Actions(self)
        self.host.on_ask, self.host.on_first = self._ask, self._first
        self.host.on_trade, self.host.on_device = self._trade_told, self._device_told
        self.set_interval(TICK_S, self.tick)
        boot.begin(self)
        if self._notice:
            self.notify(self._notice, severity="error", timeout=15)
        for key in self._early:
            self.post_message(key)

    def wear(self, *, theme: str | None = None, ascii_only: bool | None = None) -> None:
        """Look otherwise from now on."""
        if ascii_only is not None:
            self._ascii, self.glyphs = ascii_only, glyphs.ASCII if ascii_only else glyphs.UNICODE
            for screen in self.screen_stack:
                screen.set_class(ascii_only, "-ascii")
            self.set_class(ascii_only, "-ascii")
        if theme is not None:
            self.theme = theme
        self.call_after_refresh(self._redraw)

    def _redraw(self) -> None:
        """All of it: the theme's own backgrounds came after the lines were drawn on the old ones."""
        for screen in self.screen_stack:
            for each in screen.query(Lines):
                each.forget()
        self.tick()

    # -- what every screen shows ------------------------------------------------------------------------------------

    def status_pieces(self) -> list[tuple[Piece, ...]]:
        """Groups of the status line, the most important first."""
        from app.tui.status import pieces  # noqa: PLC0415 -- after the first frame it reads the engine

        return pieces(self.host, self.glyphs)

    def alarm(self) -> str:
        """What a trader must know on whatever screen, or "". What can be done stands where 80 columns show it."""
        host = self.host
        if host.over:
            return f"THE ENGINE STOPPED  R starts it again, q quits.  {host.words}  {host.request.exits}"
        desk = host.desk
        if desk is None:
            return ""
        if desk.stop.raised():
            return "EMERGENCY STOP: nothing new is sent; exits are kept. Ctrl+P lifts it"
        why = desk.barred()
        return f"HALTED: no new trades: {why}" if why else ""

    def hints(self) -> list[tuple[str, str]]:
        """Keys worth showing now. What stops everything comes first: on 80 columns the last ones have no room."""
        dialog = getattr(self.screen, "hints", None)
        if dialog is not None:
            return list(dialog())
        view = self.view
        own = [] if view is None or not view.is_mounted else view.hints()
        if self.host.waiting and not (self.focused is not None and self.focused.id == "proposals"):
            own = [("p", counted(self.host.waiting, "proposal")), *own]
        return [("!", "STOP"), *own, ("?", "help"), ("0-9", "screens"), ("q", "quit"), ("P", "pause all")]

    def tick(self) -> None:
        """Look at the engine and draw what changed, on the screen that is in front; not while it is taken down. An
        engine that was told to stop from outside (a signal, `countersign stop`, a terminal that was closed) takes the
        screen with it."""
        if not self.is_running:
            return
        if self.host.stage is Stage.ENDED and self.host.words.startswith("stopped by"):
            self.exit(0)
            return
        if self.host.over and self.host.never_ran and self.host.error is not None:
            self.exit(1)  # bad settings, another trader: the command says it in words, where they stay
            return
        screen = self.screen
        for bar in screen.query(StatusLine):
            bar.show()
        for keys in screen.query(KeyLine):
            keys.show()
        refresh = getattr(screen, "refresh_view", None)
        if refresh is not None:
            refresh()
        elif self.view is not None:
            self.view.refresh_view()

    @property
    def view(self) -> View | None:
        """The screen in front, behind any dialog."""
        from app.tui.screens.view import View  # noqa: PLC0415 -- after the first frame

        if not self.current:
            return None
        found = self.screen_stack[0].query(f"#view-{self.current}")
        return found.first(View) if found else None

    # -- keys -------------------------------------------------------------------------------------------------------

    def action_view(self, name: str) -> None:
        """Show one of the screens."""
        if self.is_at_home:
            self.do.show(name)

    @property
    def is_at_home(self) -> bool:
        """No dialog is open."""
        return len(self.screen_stack) == 1

    async def on_event(self, event: events.Event) -> None:
        """`!` comes before everything: a text field would keep it, and a dialog its own keys. Keys that are faster than
        the first screen wait for it."""
        if isinstance(event, events.Key) and not hasattr(self, "do"):
            self._early.append(event)
            return
        if isinstance(event, events.Key) and event.character == "!" and not event.is_forwarded:
            self.action_emergency()
            return
        await super().on_event(event)

    def action_emergency(self) -> None:
        """The emergency stop, from anywhere, without a question: lifting it asks."""
        if not self.screen.query(StatusLine):
            self.pop_screen()  # the command palette has no room to say that it is in force
        self.do.emergency()

    def action_help(self) -> None:
        """What can be done here."""
        self.do.help()

    def action_pause_all(self) -> None:
        """No module takes new entries."""
        if self.is_at_home:
            self.do.pause_all()

    def action_proposals(self) -> None:
        """To what waits for an answer, from any screen."""
        if self.is_at_home:
            self.do.show("trade")
            self.call_after_refresh(self._to_proposals)

    def _to_proposals(self) -> None:
        if self.view is not None and self.current == "trade":
            self.view.show_pane("proposals")

    def action_sell_everything(self) -> None:
        """The emergency stop, and out of every position; asks for a typed word."""
        if self.is_at_home:
            self.do.sell_everything()

    def get_system_commands(self, screen: Screen[Any]) -> Iterator[SystemCommand]:  # noqa: ARG002 -- Textual's
        """The command palette's entries."""
        from textual.app import SystemCommand  # noqa: PLC0415 -- with it

        from app.tui import palette  # noqa: PLC0415 -- when it is wanted

        for each in palette.commands(self):
            yield SystemCommand(each.title, each.text, each.act)

    def action_device(self) -> None:
        """The device: the demo's screen, or what a real one is doing."""
        if self.is_at_home:
            self.do.device_dialog()

    def action_jump(self) -> None:
        """Letters on the panes; one of them goes there."""
        if self.is_at_home:
            self.do.jump()

    def action_leave(self) -> None:
        """Quit; asks when something would be left behind."""
        self.do.leave()

    def action_restart_engine(self) -> None:
        """Start an engine that stopped once more."""
        if self.host.over:
            self.host.start()

    # -- news -------------------------------------------------------------------------------------------------------

    # The engine calls from its own tasks, which know of no screen: what follows runs as a message of this one.

    def _trade_told(self, trade: Trade, order: Order | None) -> None:
        if self.is_running:
            self.call_later(self.do.news.told, trade, order)

    def _device_told(self, trade: Trade, state: DeviceState) -> None:
        if self.is_running:
            self.call_later(self.do.device, trade, state)

    def _first(self) -> None:
        if self.is_running:
            self.call_later(self.do.device_dialog)

    async def _ask(self, question: Question) -> str:
        """What a device needs typed."""
        from app.tui.screens.secret import SecretDialog  # noqa: PLC0415 -- when it is wanted

        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        dialog = SecretDialog(question, answer)
        self.call_later(self.push_screen, dialog)
        try:
            return await answer
        finally:
            dialog.dismiss()  # answered, or not waited for any more

    def keep(self, job: Any) -> asyncio.Task[Any]:
        """Run a coroutine in the background of the screen."""
        return background(job, self._tasks)

    # -- crashes ----------------------------------------------------------------------------------------------------

    def _handle_exception(self, error: Exception) -> None:
        """Textual's own ends the program with a traceback over the trader's screen. Here only this screen ends: the
        supervisor logs it and puts a new one over the same engine."""
        if self.crash is None:
            self.crash = error
            if self._exception is None:  # the pilot of a test raises it
                self._exception = error
                self._exception_event.set()
        self._return_code = 1
        self._close_messages_no_wait()
