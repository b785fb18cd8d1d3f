"""A terminal under test: the real application, engine, paper venue and demo device; the market is moved by hand, and
the clock that watches the person too. Nothing sleeps and nothing waits for wall time."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from textual.message import Message
from textual.pilot import Pilot

from app.config.load import load as load_config
from app.engine.clock import MarketClock, WallClock
from app.execution.records import Trade
from app.launch import Request
from app.market.events import MarketSource, event_time
from app.market.pace import Deliver, Settle, Speed, step_to
from app.tui.app import Terminal
from app.tui.host import Host, Stage
from strategies.model import Side
from tests.execution.harness import WIDE, Rig
from tests.tui.idle import judged_by_the_loop

SMALL, WIDE_SCREEN = (80, 24), (160, 48)
SIZES = [SMALL, WIDE_SCREEN]
_PATIENCE, _STEP_S = 5_000, 0.002
"""Looks, and the time between two, before something that should happen is given up; threads (imports, the device) need
real time."""
_SLICE_S = 0.02
"""How soon a stop is noticed, as the real pacer notices it between its slices; else the session waits a second."""


class Hand:
    """A pacer that releases events when told."""

    def __init__(self) -> None:
        self._wanted = 0
        self._told = asyncio.Event()
        self._idle = asyncio.Event()

    async def __call__(
        self,
        source: MarketSource,
        clock: MarketClock,
        start: int,
        speed: Speed,
        deliver: Deliver,
        settle: Settle,
        stopping: Callable[[], bool],
    ) -> int:
        assert speed() is not None
        position, events = start, source.events(start)
        while not stopping():
            while self._wanted and not stopping():
                event = next(events)
                due = event_time(event)
                await step_to(clock, due - 1, settle)
                clock.advance(due)
                position += 1
                await deliver(event, position)
                await settle()
                self._wanted -= 1
            self._idle.set()
            self._told.clear()
            while not self._told.is_set() and not stopping():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._told.wait(), _SLICE_S)
        return position

    async def release(self, events: int) -> None:
        self._wanted += events
        self._idle.clear()
        self._told.set()
        await self._idle.wait()


class Person:
    """The clock that the person is watched with."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds

    def waits(self, seconds: float) -> None:
        self.seconds += seconds


class _Watch(WallClock):
    """The person's clock as the queue of proposals reads it."""

    def __init__(self, person: Person) -> None:
        self._person = person

    def monotonic_ns(self) -> int:
        return round(self._person.seconds * 1000) * 1_000_000


class Seat:
    """In front of the terminal."""

    def __init__(self, pilot: Pilot[int], app: Terminal, host: Host, hand: Hand, heard: list[Message]) -> None:
        self.pilot = pilot
        self.app = app
        self.host = host
        self.hand = hand
        self.heard = heard
        self.person = Person()
        app.now = self.person
        self._rig: Rig | None = None

    # -- the engine -------------------------------------------------------------------------------------------------

    @property
    def desk(self) -> Any:
        assert self.host.desk is not None
        return self.host.desk

    @property
    def rig(self) -> Rig:
        """The engine's harness, over the session that runs here."""
        assert self.host.trader is not None
        if self._rig is None or self._rig.session is not self.host.trader.session:
            self._rig = Rig(self.host.trader.session, [], [])
            self._rig._numbers = itertools.count(1_000_000)  # the modules count their own intents from 1
        return self._rig

    async def running(self) -> None:
        await self.until(lambda: self.host.stage is Stage.RUNNING and self.host.desk is not None)
        self.desk.wall = _Watch(self.person)
        history = self.host.history
        assert history is not None
        await self.until(lambda: bool(history.bars("BTC-USDT")))
        await self.look()

    async def market(self, events: int) -> None:
        """So many market events happen."""
        await self.hand.release(events)
        await self.look()

    async def propose(self, symbol: str = "BTC-USDT", side: Side = Side.BUY, **terms: Any) -> Trade:
        """A trade that waits for an answer: bounds around the market as it stands."""
        quote = self.desk.market.quote(symbol)
        tick = self.desk.instruments[symbol].tick
        price = quote.ask if side is Side.BUY else quote.bid
        factor = Decimal("1.002") if side is Side.BUY else Decimal("0.998")
        given: dict[str, Any] = {
            "quantity": "0.001",
            "worst": str((price * factor // tick) * tick),
            "stop": str((price * Decimal("0.98") // tick) * tick),
            "target": str((price * Decimal("1.03") // tick) * tick),
            "module": "momentum",
        }
        trade: Trade | None = self.rig.pipeline.propose(self.rig.intent(side, symbol=symbol, **{**given, **terms}))
        assert trade is not None, self.desk.counters.by_rule
        await self.until(lambda: trade in self.rig.pipeline.proposals.waiting())
        await self.look()
        return trade

    async def confirmed(self, trade: Trade) -> None:
        """Read and confirmed by the core's own rules, without the dialog; until the device asks."""
        self.rig.pipeline.proposals.shown(trade.id)
        self.person.waits(1)
        self.rig.pipeline.proposals.confirm(trade.id)
        await self.until(lambda: self.dialog == "DeviceDialog")

    async def became(self, trade: Trade, *states: str) -> None:
        """Until the trade has come to one of these states, and its record to the disk."""
        await self.until(lambda: trade.state.value in states)
        await self.rig.settle()
        await self.look()

    # -- the screen -------------------------------------------------------------------------------------------------

    async def press(self, *keys: str) -> None:
        """Keys, and what they do is done."""
        await self.pilot.press(*keys)
        await self.look()

    async def look(self) -> None:
        """Everything is drawn."""
        await self.pilot.pause()
        if self.app.is_running and self.app.crash is None:
            self.app.tick()
            await self.pilot.pause()
            self.app.tick()
            await self.pilot.pause()

    async def until(self, happened: Callable[[], bool]) -> None:
        """It happened, and what it set going is done: a dialog that is in front can be used."""
        for _ in range(_PATIENCE):
            if happened():
                await self.pilot.pause()
                return
            await asyncio.sleep(_STEP_S)
        raise AssertionError(f"it did not happen; the engine: {self.host.stage} {self.host.words}\n{self.text()}")

    async def shows(self, *words: str) -> None:
        """All of it is on the screen, however it is spaced."""

        def there() -> bool:
            self.app.tick()
            seen = " ".join(self.text().split())
            return all(" ".join(each.split()) in seen for each in words)

        await self.until(there)

    def text(self) -> str:
        """What is on the screen, as text."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    def line(self, containing: str) -> str:
        """The first line with these words."""
        found = [line for line in self.text().splitlines() if containing in line]
        assert found, f"{containing!r} is not on the screen:\n{self.text()}"
        return found[0]

    @property
    def dialog(self) -> str:
        """The dialog in front, by class; "" without one."""
        return type(self.app.screen).__name__ if len(self.app.screen_stack) > 1 else ""


def request(folder: Path, settings: Mapping[str, str] | None = None) -> Request:
    """The practice market on a database of its own."""
    config = folder / "config.toml"
    config.touch()
    given = {**WIDE, "modules.momentum.allocation": "1000", **(settings or {})}
    return Request(settings=lambda: load_config(config, {}, given), db=folder / "a.db", attended=True)


@asynccontextmanager
async def terminal(
    folder: Path,
    size: tuple[int, int] = SMALL,
    *,
    settings: Mapping[str, str] | None = None,
    ascii_only: bool = False,
    theme: str = "dark",
    first_run: bool = False,
    events: int = 200,
    toasts: bool = False,
) -> AsyncIterator[Seat]:
    """A running terminal whose market has moved by `events`. The same folder again is a restart."""
    hand = Hand()
    host = Host(request(folder, settings), hand, first_run=first_run)
    app = Terminal(host, ascii_only=ascii_only, theme=theme)
    if not toasts:
        vars(app)["NOTIFICATION_TIMEOUT"] = 3_600.0  # tests look for them, however slow the machine is
    heard: list[Message] = []
    try:
        with judged_by_the_loop(app, host):
            async with app.run_test(size=size, message_hook=heard.append, notifications=toasts) as pilot:
                seat = Seat(pilot, app, host, hand, heard)
                if not first_run:
                    await seat.running()
                    if events:
                        await seat.market(events)
                yield seat
    finally:
        await host.end("test ended")
        gc.unfreeze()  # the terminal of the next test would keep this one's garbage for ever
