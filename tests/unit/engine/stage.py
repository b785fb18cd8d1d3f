"""Modules that do what a test says, on a real session, fed by the trader's own code event by event."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from app.engine import registry
from app.engine.manager import ModuleManager
from app.engine.manual import Tickets
from app.engine.module_views import ModuleView
from app.engine.registry import Available
from app.market.events import MarketEvent, MarketSource, event_time
from app.market.pace import step_to
from app.trader import RunLimits, Trader
from strategies.base import API_VERSION, ModuleSpec
from strategies.model import Bar, Book, Direction, Position, Signal
from tests.execution.harness import Rig, rig

MINUTE = 60_000
Opinion = Callable[[Bar, Position | None], Signal | None]


@dataclass(frozen=True)
class Params:
    """One setting."""

    length: int = 20

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError(f"length is {self.length}; allowed: 1 or more")


@dataclass(frozen=True)
class Word:
    """What one module says to another."""

    symbol: str
    close_ms: int


@dataclass
class Script:
    """What the strategies of one module do; each made strategy is in `made`."""

    opinion: Opinion = lambda _bar, _position: None
    words: Callable[[Bar], tuple[object, ...]] = lambda _: ()
    hears: Callable[[Any], Any] = lambda _: None
    factory: Callable[[], None] = lambda: None
    made: list[Actor] = field(default_factory=list)


class Actor:
    """A strategy that follows its script."""

    def __init__(self, script: Script) -> None:
        script.factory()
        self.script = script
        self.seen: list[Bar] = []
        self.heard: list[Any] = []
        script.made.append(self)

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        self.seen.append(bar)
        return self.script.opinion(bar, position)

    def messages(self) -> tuple[object, ...]:
        return self.script.words(self.seen[-1])

    def on_message(self, message: Any) -> Any:
        self.heard.append(message)
        return self.script.hears(message)


def plugin(name: str, script: Script, *, warmup: int = 0, package: str = "", **more: Any) -> Available:
    spec = ModuleSpec(name, "1", API_VERSION, Params, lambda _: Actor(script), lambda _: warmup, **more)
    return Available(name, spec, package=package)


def install(monkeypatch: pytest.MonkeyPatch, *plugins: Available) -> None:
    monkeypatch.setattr(registry, "available", lambda: sorted(plugins, key=lambda each: each.name))


def on(*names: str, allocation: str = "1000") -> dict[str, str]:
    """Settings that enable these modules and no other."""
    given = {"modules.momentum.enabled": "false"}
    for name in names:
        given |= {f"modules.{name}.enabled": "true", f"modules.{name}.allocation": allocation}
    return given


def _write(file: Path, settings: Mapping[str, str]) -> None:
    tables: dict[str, list[str]] = {}
    for key, text in settings.items():
        table, _, name = key.rpartition(".")
        tables.setdefault(table, []).append(f"{name} = {text if text in {'true', 'false'} else repr(text)}")
    file.write_text("".join(f"[{table}]\n{chr(10).join(lines)}\n" for table, lines in tables.items()), encoding="utf-8")


def long(symbol: str = "ETH-USDT", stop: float = 90.0, target: float = 120.0) -> Signal:
    return Signal(symbol, Direction.LONG, 0.5, 0.5, "up", stop, target)


def flat(symbol: str = "ETH-USDT") -> Signal:
    return Signal(symbol, Direction.FLAT, 0.5, 0.5, "down")


class Past:
    """What the market has shown so far, as a source."""

    def __init__(self, events: list[MarketEvent]) -> None:
        self.events_so_far = events
        self.asked: list[tuple[int, int]] = []

    def bars_before(self, position: int, count: int) -> dict[str, list[Bar]]:
        self.asked.append((position, count))
        bars: dict[str, list[Bar]] = {}
        for event in self.events_so_far[:position]:
            if isinstance(event, Bar):
                bars.setdefault(event.symbol, []).append(event)
        return {symbol: found[-count:] for symbol, found in bars.items()}


class Stage:
    """A trader whose session is a rig's."""

    def __init__(self, r: Rig, events: list[MarketEvent]) -> None:
        self.r = r
        self.events = events
        self.past = Past(events)
        self.said: list[str] = []
        self.trader = Trader(r.session.plan, cast("MarketSource", self.past), RunLimits(None, None), self._hear)
        self.trader.session = self.trader.manager.session = r.session
        self.trader.tickets = Tickets(r.desk, r.pipeline, r.session.run, r.session.settings.manual.allocation)
        r.pipeline._on_progress = r.pipeline._sent._on_progress = self.trader._on_progress
        r.pipeline._on_worse = self.trader._on_worse

    def _hear(self, _ts_ms: int, text: str) -> None:
        self.said.append(text)

    @property
    def manager(self) -> ModuleManager:
        return self.trader.manager

    def view(self, name: str) -> ModuleView:
        (found,) = [view for view in self.manager.views() if view.name == name]
        return found

    def state(self, name: str) -> str:
        return self.view(name).state.value

    async def feed(self, event: MarketEvent) -> None:
        """What the market does between two events, then the event by the trader's own code."""
        r, now = self.r, event_time(event)
        await step_to(r.session.clock, now - 1, r.settle)
        r.session.clock.advance(now)
        r.position += 1
        self.events.append(event)
        await self.trader._deliver(event, r.position)
        await r.settle()

    async def bar(self, close: str = "100", *, symbol: str = "ETH-USDT") -> Bar:
        """A book at `close`, and at the end of the minute its bar."""
        open_ms, price = self.r.now // MINUTE * MINUTE, Decimal(close)
        await self.book(close, symbol=symbol, ts_ms=open_ms + MINUTE - 1)
        bar = Bar(symbol, open_ms, MINUTE, price, price, price, price, Decimal(1000))
        await self.feed(bar)
        return bar

    async def bars(self, count: int) -> None:
        for _ in range(count):
            await self.bar()

    async def book(self, price: str, *, symbol: str = "ETH-USDT", ts_ms: int | None = None) -> None:
        """A book around `price`: 0.10 below to the very price."""
        ask, size = Decimal(price), Decimal(1000)
        levels = ((ask - Decimal("0.10"), size),), ((ask, size),)
        await self.feed(Book(symbol, self.r.now + 1 if ts_ms is None else ts_ms, *levels))

    def journal(self, name: str) -> list[str]:
        """States a module went to, by the journal."""
        kinds = self.r.rows("SELECT kind FROM journal WHERE subject = ? ORDER BY seq", name)
        return [row["kind"].removeprefix("module.") for row in kinds]

    def stored(self, name: str) -> dict[str, Any]:
        (row,) = self.r.rows("SELECT * FROM modules WHERE name = ?", name)
        return row


@asynccontextmanager
async def stage(
    folder: Path,
    *,
    events: list[MarketEvent] | None = None,
    settings: Mapping[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[Stage]:
    """An open stage whose modules have started. The same folder and events again are a restart.

    Settings of modules are in the settings file, for commands to change; the others are flags.
    """
    events, given, file = [] if events is None else events, dict(settings or {}), folder / "config.toml"
    mine = {key: text for key, text in given.items() if key.startswith("modules.") and ".params." not in key}
    if not file.exists():
        _write(file, mine)
    flags = {key: text for key, text in given.items() if key not in mine}
    async with rig(folder, market=False, settings=flags, **options) as r:
        r.position = len(events)
        made = Stage(r, events)
        await made.manager.start(r.position)
        await r.settle()
        if not events:
            await made.book("100.00")
        yield made
        await r.settle()


def entries(r: Rig, names: Iterable[str]) -> dict[str, int]:
    """Entries that were proposed, by module."""
    rows = r.rows("SELECT module, count(*) AS n FROM trades WHERE side = 'buy' GROUP BY module")
    counts = {row["module"]: row["n"] for row in rows}
    return {name: counts.get(name, 0) for name in names}
