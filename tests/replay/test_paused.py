"""A replay in which the trader pauses, resumes and reallocates at chosen events decides the same every time, also when
the session is ended and goes on in the middle of a pause."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.config.load import load
from app.engine import registry
from app.engine.clock import MarketClock
from app.engine.manager import ModuleManager
from app.launch import Request, prepare
from app.market.events import MarketEvent, MarketSource, News
from app.market.pace import pace
from app.reports import summary
from app.trader import RunLimits, Trader
from storage.database import reader
from strategies.base import API_VERSION, ModuleSpec
from strategies.model import Bar, Position, Signal
from tests.crash.drill import SPEC, Drill, DrillParams, write_candles

Act = Callable[[ModuleManager], Awaitable[object]]
SETTINGS = {
    "modules.momentum.enabled": "false",
    "modules.mean_reversion.enabled": "false",
    "modules.drill.enabled": "true",
    "modules.drill.allocation": "1000",
    "modules.frail.allocation": "1000",
    "risk.cool_down_min": "0",
    "risk.losses_in_row": "1000",
    "risk.trades_per_day": "1000",
    "sizing.fixed": "9",
}


class Frail(Drill):
    """Raises on every 25th bar it sees."""

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        if self._bars and self._bars % 25 == 0:
            raise RuntimeError("tired")
        return super().on_bar(bar, position)


FRAIL = ModuleSpec("frail", "1", API_VERSION, DrillParams, lambda _: Frail(), lambda _: 1)


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    found = [registry.Available("drill", SPEC), registry.Available("frail", FRAIL)]
    monkeypatch.setattr(registry, "available", lambda: found)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
    ours = [(number, signal.getsignal(number)) for number in numbers]
    yield
    for number, handler in ours:
        signal.signal(number, handler)


async def replay(
    folder: Path, name: str, acts: Mapping[int, Act], *, until: int | None = None, frail: bool = True
) -> dict[str, Any]:
    """Run the drill on `<name>.db`; `acts` are done right after the event of that position."""
    candles = folder / "paper_AAA-USDT_1m_drill.csv"
    if not candles.exists():
        write_candles(candles)
    config = folder / f"{name}.toml"
    config.touch()
    given = SETTINGS | {"modules.frail.enabled": "true" if frail else "false"}
    request = Request(lambda: load(config, {}, given), folder / f"{name}.db", str(candles), auto_confirm=True)
    launch = prepare(request)

    async def acting(
        source: MarketSource,
        clock: MarketClock,
        start: int,
        speed: Callable[[], Decimal | None],
        deliver: Callable[[MarketEvent | News, int], Awaitable[None]],
        settle: Callable[[], Awaitable[None]],
        stopping: Callable[[], bool],
    ) -> int:
        async def both(event: MarketEvent | News, position: int) -> None:
            await deliver(event, position)
            await settle()
            if position in acts:
                await acts[position](trader.manager)
            if position == until:
                trader.stop("enough")

        return await pace(source, clock, start, speed, both, settle, stopping)

    trader = Trader(launch.plan, launch.source, RunLimits(None, None), None, pacer=acting)
    await trader.run()
    with reader(launch.db) as data:
        return summary(data)


PAUSED: Mapping[int, Act] = {
    60: lambda manager: manager.pause("drill"),
    100: lambda manager: manager.resume("drill"),
    120: lambda manager: manager.allocate("drill", Decimal(4)),
    140: lambda manager: manager.pause_all(),
    150: lambda manager: manager.resume_all(),
}


async def test_the_same_pauses_give_the_same_intents(tmp_path: Path) -> None:
    one, two = await replay(tmp_path, "one", PAUSED), await replay(tmp_path, "two", PAUSED)
    assert one["intents_sha256"] == two["intents_sha256"]
    assert one["journal_head"]["seq"] == two["journal_head"]["seq"]
    assert one["trades"]["FILLED"] > 5
    never = await replay(tmp_path, "never", {})
    assert never["intents_sha256"] != one["intents_sha256"], "the pauses mattered"
    later = await replay(tmp_path, "later", {**PAUSED, 100: PAUSED[120], 101: PAUSED[100]})
    assert later["intents_sha256"] != one["intents_sha256"]


async def test_a_session_ended_in_the_middle_of_a_pause_goes_on_like_one_that_was_not(tmp_path: Path) -> None:
    early = {position: act for position, act in PAUSED.items() if position < 130}
    whole = await replay(tmp_path, "whole", early, frail=False)
    await replay(tmp_path, "halves", early, until=80, frail=False)
    halves = await replay(tmp_path, "halves", early, frail=False)
    with reader(tmp_path / "halves.db") as data:
        paused = data.value('SELECT count(*) FROM journal WHERE body LIKE \'%"registered","paused","start"%\'')
    assert paused == 1, "it was paused after the restart"
    assert whole["intents_sha256"] == halves["intents_sha256"]
    assert whole["trades"] == halves["trades"]
    assert halves["trades"]["FILLED"] > 5


async def test_a_module_that_fails_is_restarted_at_the_same_bar_every_time(tmp_path: Path) -> None:
    one, two = await replay(tmp_path, "one", {}), await replay(tmp_path, "two", {})
    assert one["intents_sha256"] == two["intents_sha256"]
    with reader(tmp_path / "one.db") as data:
        kinds = [row["kind"] for row in data.rows("SELECT kind FROM journal WHERE subject = 'frail' ORDER BY seq")]
    assert kinds[:6] == ["module.failed", "module.enabled", "module.running"] * 2
