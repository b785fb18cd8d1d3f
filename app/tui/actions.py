"""What keys and the command palette do, screen by screen: everything that changes something goes to the trader's own
handlers, the ones the command line reaches."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from app.errors import CountersignError
from app.text import counted, escape_untrusted, stopped
from app.tui.host import Stage, aside
from app.tui.keys import keyed
from app.tui.news import News
from storage.faults import StorageFault

if TYPE_CHECKING:
    from textual.widget import AwaitMount

    from app.execution.records import Trade
    from app.tui.app import Terminal
    from app.tui.screens.view import View
    from signers.base import DeviceState

_NO_SALE: Final = (
    "Stops all trading. On a chain NOTHING is sold by this: a sale there needs your signature. Held stays:"
)
_PREPARES, _PREPARES_S = 100, 0.05
"""How often, and after how long, a proposed trade is looked for until it is prepared: one commit, usually 1 ms."""


class Actions:
    """One per screen run."""

    def __init__(self, app: Terminal) -> None:
        self._app = app
        self.news = News(app)

    # -- screens ----------------------------------------------------------------------------------------------------

    def show(self, name: str) -> AwaitMount | None:
        """Bring a screen to the front; made the first time it is wanted, which can be waited for."""
        app = self._app
        before = app.view
        if before is not None and app.current != name:
            before.leave()
        body = app.screen_stack[0].query_one("#body")
        for view in body.children:
            view.display = view.id == f"view-{name}"
        app.current = name
        found, mounted = body.query(f"#view-{name}"), None
        if found:
            found.first().display = True
            there = app.view
            if there is not None:
                app.call_after_refresh(self._enter, there)
        else:
            made = _make(name)
            mounted = body.mount(made)
            app.call_after_refresh(self._enter, made)
        app.call_after_refresh(app.tick)
        return mounted

    def _enter(self, view: View) -> None:
        """Unless a faster key has brought another one to the front."""
        if self._app.view is view:
            view.enter()

    def take_back(self, order_or_trade: str) -> None:
        """Cancel a resting order, or all that a trade's id stands for: needs no authorisation, and is refused for an
        exit that protects a position."""
        self._app.keep(self._take_back(order_or_trade))

    async def _take_back(self, order_or_trade: str) -> None:
        answer = await self.ask("cancel", id=order_or_trade)
        if answer is not None:
            self._app.notify(escape_untrusted(str(answer["words"])))
            if answer.get("id"):
                self.read_when_prepared(str(answer["id"]))

    def propose(self, op: str, **request: Any) -> None:
        """Have something proposed; it is read and confirmed like every trade."""
        self._app.keep(self._propose(op, request))

    async def _propose(self, op: str, request: dict[str, Any]) -> None:
        answer = await self.ask(op, **request)
        if answer is not None:
            self.read_when_prepared(str(answer["id"]))

    def verify_journal(self) -> None:
        """To the journal's screen, and verify there."""
        from app.tui.screens.journal import JournalView  # noqa: PLC0415 -- when it is wanted

        self.show("journal")
        view = self._app.view
        if isinstance(view, JournalView):
            view.call_after_refresh(view.action_verify)

    def read(self, trade_id: str) -> None:
        """Open a waiting trade."""
        from app.tui.screens.confirm import ConfirmDialog  # noqa: PLC0415 -- when it is wanted

        trade = self._waiting(trade_id)
        if trade is None:
            self._app.notify("It does not wait any more.", severity="warning")
        else:
            self._app.push_screen(ConfirmDialog(trade))

    def read_when_prepared(self, trade_id: str) -> None:
        """Open a trade that was proposed a moment ago, once it waits for its answer."""
        self._app.keep(self._read_soon(trade_id))

    async def _read_soon(self, trade_id: str) -> None:
        for _ in range(_PREPARES):
            if self._waiting(trade_id) is not None:
                self.read(trade_id)
                return
            await asyncio.sleep(_PREPARES_S)
        self._app.notify("It was proposed and does not wait: see the log.", severity="warning")

    def ticket(self, side: str, **typed: str) -> None:
        """A trade by hand."""
        from app.tui.screens.ticket import TicketDialog  # noqa: PLC0415 -- when it is wanted

        if self._app.host.desk is None:
            self._app.notify("The engine does not run yet.", severity="warning")
        else:
            self._app.push_screen(TicketDialog(side, typed))

    def close(self, symbol: str, module: str) -> None:
        """Propose to sell what a module holds; it is read and confirmed like every trade."""
        self._app.keep(self._close(symbol, module))

    def cover(self, symbol: str, module: str) -> None:
        """Propose a standing exit for what a module holds on a chain."""
        self._app.keep(self._cover(symbol, module))

    async def _cover(self, symbol: str, module: str) -> None:
        answer = await self.ask("cover", position=f"{symbol}:{module}")
        if answer is not None:
            self.read_when_prepared(str(answer["id"]))

    async def _close(self, symbol: str, module: str) -> None:
        answer = await self.ask("close", position=f"{symbol}:{module}", ticket={})
        if answer is None:
            return
        if answer["id"] is None:
            text = "; ".join(f"{each['field']}: {each['words']}" for each in answer["problems"])
            self._app.notify(escape_untrusted(text), severity="error", timeout=10)
            return
        self.read_when_prepared(str(answer["id"]))

    def help(self) -> None:
        """Help for what is in front."""
        from app.tui.screens.help import HelpDialog  # noqa: PLC0415 -- when it is wanted

        screen, view = self._app.screen, self._app.view
        topic = getattr(screen, "help_topic", "") or getattr(screen, "topic", "")
        self._app.push_screen(HelpDialog(topic or (view.topic if view is not None else "")))

    def device_dialog(self) -> None:
        """The device: the demo's screen, or what a real one is doing."""
        from app.tui.screens.compare import CompareDialog  # noqa: PLC0415 -- once in a device's life
        from app.tui.screens.device import DeviceDialog  # noqa: PLC0415 -- when it is wanted
        from app.tui.screens.hardware import HardwareDialog  # noqa: PLC0415 -- as above

        host = self._app.host
        if host.first and host.stage is Stage.OPENING:
            if not isinstance(self._app.screen, CompareDialog):
                self._app.push_screen(CompareDialog())
            return
        desk = host.desk
        demo = desk is None or desk.terms.signer == "demo"
        if not isinstance(self._app.screen, DeviceDialog | HardwareDialog):
            self._app.push_screen(DeviceDialog() if demo else HardwareDialog())

    def first_run(self) -> None:
        """No database yet: what shall be started?"""
        from app.tui.screens.first_run import first_run  # noqa: PLC0415 -- once in a database's life

        self._app.push_screen(first_run(self._app))

    def leave(self) -> None:
        """Quit; asks when a person is being waited for or orders are on their way."""
        from app.tui.screens.ask import QuestionDialog  # noqa: PLC0415 -- when it is wanted

        app, host = self._app, self._app.host
        trader = host.trader
        if host.desk is None or trader is None:
            app.keep(self._quit())
            return
        waiting = len(trader.session.pipeline.proposals.waiting())
        moving = len(host.desk.state.in_flight()) - waiting
        if not waiting and moving <= 0:
            app.keep(self._quit())
            return
        what = [counted(waiting, "proposal") + " will expire" if waiting else ""]
        what.append(f"{counted(moving, 'trade')} on its way: what was sent stays at the venue" if moving > 0 else "")
        text = "; ".join(each for each in what if each)
        app.push_screen(
            QuestionDialog(
                "Quit",
                [(f"{text[:1].upper()}{text[1:]}. {host.request.exits}", ""), ("", "")],
                [("n", "stay", lambda: None), ("y", "quit", lambda: (app.keep(self._quit()), None)[1])],
            )
        )

    async def _quit(self) -> None:
        host = self._app.host
        failed = host.stage is Stage.FAILED
        await host.end("quit")
        self._app.exit(1 if failed or host.stage is Stage.FAILED else 0)

    # -- commands ---------------------------------------------------------------------------------------------------

    def became(self) -> None:
        """What became of all proposals, and what the missed would have made."""
        from app.tui.screens import became  # noqa: PLC0415 -- when it is wanted

        self._app.keep(became.show(self._app))

    def refuse(self, trade_id: str) -> None:
        """Decline a waiting trade."""
        self.command("decline", id=trade_id)

    def emergency(self, *, flatten: bool = False) -> None:
        """The flag first, synchronously and durably; then cancel, drop, keep; with `flatten` sell what is held too."""
        desk = self._app.host.desk
        if desk is None:
            self._app.keep(self._flag_alone())
            return
        why = desk.stop.create("the emergency key")
        if why:
            self._app.notify(f"The stop may not outlive this process: {why}", severity="error", timeout=30)
        self._app.tick()
        self._app.keep(self._stop(flatten=flatten))

    def sell_everything(self) -> None:
        """The emergency stop, and everything that is held is sold at market; asks for a typed word."""
        from app.tui.screens.ask import WordDialog  # noqa: PLC0415 -- when it is wanted

        desk = self._app.host.desk
        if desk is None:
            self._app.notify("The engine does not run: nothing can be sold.", severity="error")
            return
        held = desk.state.positions.open_holdings()
        text = f"Stops all trading, then sells {counted(len(held), 'position')} at market, whatever the price:"
        lines = [(text, ""), *((f"  {each.quantity:f} {each.symbol}  ({each.module})", "") for each in held[:9])]
        if self._app.host.request.chain is None:
            lines.append(("No signature is needed: each sale takes the place of the signed stop.", "dim"))
        else:
            lines = [(_NO_SALE, "error"), *lines[1:]]
        sell = partial(self.emergency, flatten=True)
        self._app.push_screen(WordDialog("Sell everything", lines, "SELL", sell, topic="stop"))

    async def _flag_alone(self) -> None:
        """No session is open: the flag stops the next one, and the one that is opening."""
        from app.execution.stop_flag import StopFlag  # noqa: PLC0415 -- cheap, and rarely needed

        host = self._app.host
        db = host.launch.db if host.launch is not None else host.request.database
        why = StopFlag(db).create("the emergency key")
        words = f"The stop could not be written: {why}" if why else f"The emergency stop is in force: {db.name}.stop"
        self._app.notify(words, severity="error" if why else "warning", timeout=30)

    async def _stop(self, *, flatten: bool) -> None:
        report = await self.ask("emergency", flatten=flatten)
        if report is None:
            return
        text = f"Stopped. {stopped(len(report['cancelled']), report['kept_exits'], len(report['flattened']))}."
        for words in (*report["unknown"], *report["refused"]):
            text += f" NOT DONE: {escape_untrusted(str(words))}."
        bad = report["unknown"] or report["refused"] or report["halted"]
        self._app.notify(text, severity="error" if bad else "warning", timeout=20)
        self._app.tick()

    def lift_stop(self) -> None:
        """Lift the emergency stop; asks for a typed word."""
        from app.tui.screens.ask import WordDialog  # noqa: PLC0415 -- when it is wanted

        desk = self._app.host.desk
        if desk is None or not desk.stop.raised():
            self._app.notify("No emergency stop is in force.")
            return
        text = "Modules that run will propose again. What was cancelled stays cancelled."
        self._app.push_screen(WordDialog("Lift the emergency stop", [(text, "")], "TRADE", self._lift, topic="stop"))

    def _lift(self) -> None:
        self._app.keep(self._lift_now())

    async def _lift_now(self) -> None:
        if await self.ask("lift") is None:
            return
        desk = self._app.host.desk
        if desk is not None:
            desk.stop.lift()
        self._app.tick()

    def reconcile(self) -> None:
        """Compare venue and ledger; what differs can be adjusted, which asks for a reason and a typed word."""
        from app.tui.screens import reconcile  # noqa: PLC0415 -- when it is wanted

        reconcile.compare(self._app)

    def pause_all(self) -> None:
        """No module takes new entries."""
        self.command("module_pause", all=True)
        self._app.notify("All modules are paused: no new entries; exits stay managed. 4, then u resumes them.")

    def jump(self) -> None:
        """Letters on the panes."""
        from app.tui.screens.jump import JumpDialog  # noqa: PLC0415 -- when it is wanted

        view = self._app.view
        if view is not None:
            self._app.push_screen(JumpDialog(view))

    def choose_look(self, key: str, text: str) -> None:
        """Change a setting of section ``terminal``: on the screen at once, in the file for the next time."""
        self.look_at_once(key, text)
        self._app.keep(self._save_look(key, text))

    def look_at_once(self, key: str, text: str) -> None:
        """What a setting of section ``terminal`` means for this screen."""
        if key == "terminal.theme":
            self._app.wear(theme=text)
        elif key == "terminal.ascii":
            self._app.wear(ascii_only=text == "true")

    async def _save_look(self, key: str, text: str) -> None:
        from app.settings_change import consider, write  # noqa: PLC0415 -- when it is wanted

        request = self._app.host.request
        try:
            await aside(lambda: write(consider(request.settings().path, key, text)))
        except CountersignError as error:
            words = f"Not in the settings file: {escape_untrusted(str(error))}"
            self._app.notify(words, severity="warning", timeout=10)

    def command(self, op: str, **request: Any) -> None:
        """Ask the trader for something; what it refuses is said."""
        self._app.keep(self.ask(op, **request))

    async def ask(self, op: str, **request: Any) -> dict[str, Any] | None:
        """The trader's answer, or None after saying why there is none."""
        handler = self._app.host.commands.get(op)
        if handler is None:
            self._app.notify("The engine does not run.", severity="error")
            return None
        try:
            return await handler({"op": op, **request})
        except (CountersignError, StorageFault) as error:
            self._app.notify(escape_untrusted(keyed(str(error))), severity="error", timeout=10)
            return None

    def device(self, _trade: Trade, state: DeviceState) -> None:
        """The device wants its person, or can not go on without."""
        if state not in {"SIGNED", "REJECTED", "TIMED_OUT"}:
            self.device_dialog()

    def _waiting(self, trade_id: str) -> Trade | None:
        trader = self._app.host.trader
        if trader is None or self._app.host.desk is None:
            return None
        return next((t for t in trader.session.pipeline.proposals.waiting() if t.id == trade_id), None)


def _make(name: str) -> View:
    """Import and make one screen."""
    from importlib import import_module  # noqa: PLC0415 -- each screen loads when it is first wanted

    module = import_module(f"app.tui.screens.{name}")
    made: View = getattr(module, f"{name.capitalize()}View")(id=f"view-{name}")
    return made
