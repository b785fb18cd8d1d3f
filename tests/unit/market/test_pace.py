"""The lockstep driver: who runs when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.clock import MarketClock
from app.errors import ClockError, UsageError
from app.market.events import DataWarnings, MarketEvent, News
from app.market.pace import pace
from strategies.model import Bar, Instrument, PublicTrade
from tests.unit.market.recordings import T0


class Listed:
    """A source of trades at given times."""

    source_id = "listed"
    instruments: tuple[Instrument, ...] = ()

    def __init__(self, times: list[int]) -> None:
        self.warnings = DataWarnings()
        self.total_events = len(times)
        self._times = times

    def events(self, start: int = 0) -> Iterator[MarketEvent]:
        return (PublicTrade("X-Y", T0 + ms, Decimal(1), Decimal(1)) for ms in self._times[start:])

    def bars_before(self, position: int, count: int) -> dict[str, list[Bar]]:
        raise AssertionError(f"pacing needs no warm-up: {position} {count}")


class Session:
    """Records what happened at which market time; sleepers are re-armed by hand, without tasks."""

    def __init__(self, times: list[int], start_ms: int = 0) -> None:
        self.source = Listed(times)
        self.clock = MarketClock(T0 + start_ms)
        self.seen: list[tuple[str, int]] = []
        self.stop_after: int | None = None
        self.delivered = 0

    def sleep(self, ms: int, name: str, again: int = 0) -> None:
        """Note `name` once market time reaches `ms`, then every `again` ms."""

        async def run() -> None:
            due = ms
            while True:
                await self.clock.sleep_until(T0 + due)
                self.seen.append((name, self.clock.now_ms() - T0))
                if not again:
                    return
                due += again

        self.tasks.append(asyncio.get_running_loop().create_task(run()))

    tasks: list[asyncio.Task[None]]

    async def deliver(self, event: MarketEvent | News, position: int) -> None:
        assert isinstance(event, PublicTrade)
        assert self.clock.now_ms() == event.ts_ms
        self.delivered += 1
        self.seen.append((f"event {position}", event.ts_ms - T0))

    async def settle(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    def stopping(self) -> bool:
        return self.stop_after is not None and self.delivered >= self.stop_after

    async def run(self, start: int = 0, speed: Decimal | None = None) -> int:
        try:
            return await pace(self.source, self.clock, start, lambda: speed, self.deliver, self.settle, self.stopping)
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)


def session(times: list[int], start_ms: int = 0) -> Session:
    made = Session(times, start_ms)
    made.tasks = []
    return made


async def test_sleepers_wake_at_their_own_instant_before_the_event_and_after_it_at_the_same() -> None:
    made = session([100, 250])
    made.sleep(250, "same")
    made.sleep(40, "tick", again=40)
    await asyncio.sleep(0)
    assert await made.run() == 2
    assert made.seen == [
        ("tick", 40),
        ("tick", 80),
        ("event 1", 100),
        ("tick", 120),
        ("tick", 160),
        ("tick", 200),
        ("tick", 240),
        ("event 2", 250),
        ("same", 250),
    ]


async def test_a_resumed_run_counts_on() -> None:
    made = session([10, 20, 30])
    assert await made.run(start=1) == 3
    assert made.seen == [("event 2", 20), ("event 3", 30)]


async def test_a_stop_is_noticed_before_the_next_event() -> None:
    made = session([10, 20, 30])
    made.stop_after = 2
    assert await made.run() == 2


async def test_full_speed_still_serves_the_loop() -> None:
    made = session(list(range(100)))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def at_once() -> None:
        return

    task = asyncio.get_running_loop().create_task(other())
    position = await pace(made.source, made.clock, 0, lambda: None, made.deliver, at_once, made.stopping)
    task.cancel()
    assert position == 100
    assert turns >= 100 // 8


async def test_an_event_before_the_clocks_time_is_an_error() -> None:
    with pytest.raises(ClockError):
        await session([10], start_ms=11).run()


@pytest.mark.parametrize("speed", ["0", "-1", "NaN", "Infinity"])
async def test_a_speed_that_is_none_is_refused(speed: str) -> None:
    with pytest.raises(UsageError, match="speed"):
        await session([10]).run(speed=Decimal(speed))


class LoopTime:
    """The loop's clock, moved by the waits asked of it instead of by waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: self.now)
        real = asyncio.sleep

        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)
            self.now += seconds
            await real(0)

        monkeypatch.setattr("app.market.pace.asyncio.sleep", sleep)


async def test_market_time_runs_at_the_speed_asked_in_short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    made = session([0, 5000, 20_000])
    made.sleep(1000, "tick", again=1000)
    await asyncio.sleep(0)
    time = LoopTime(monkeypatch)
    await made.run(speed=Decimal(10))
    assert time.now - 100.0 == pytest.approx(2.0, abs=0.01)
    assert max(time.waits) <= 0.1
    assert made.seen == [
        ("event 1", 0),
        *[("tick", ms) for ms in range(1000, 5000, 1000)],
        ("event 2", 5000),
        *[("tick", ms) for ms in range(5000, 20_000, 1000)],
        ("event 3", 20_000),
        ("tick", 20_000),
    ]


async def test_timers_fire_while_real_time_passes_and_not_at_the_next_event(monkeypatch: pytest.MonkeyPatch) -> None:
    made = session([0, 60_000])
    made.sleep(10_000, "timer")
    await asyncio.sleep(0)
    time = LoopTime(monkeypatch)
    fired: list[float] = []
    settle = made.settle

    async def settle_and_note() -> None:
        await settle()
        if made.seen[-1][0] == "timer" and not fired:
            fired.append(time.now - 100.0)
            made.stop_after = 1  # a stop in the middle of a quiet minute

    monkeypatch.setattr(made, "settle", settle_and_note)
    assert await made.run(speed=Decimal(1)) == 1
    assert fired[0] == pytest.approx(10.0, abs=0.11)
    assert time.now - 100.0 < 10.5


async def test_after_a_long_pause_it_goes_on_at_the_same_pace_instead_of_rushing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = session([0, 1000, 2000, 3000])
    time = LoopTime(monkeypatch)
    at: list[float] = []
    deliver = made.deliver

    async def slow(event: MarketEvent | News, position: int) -> None:
        await deliver(event, position)
        at.append(time.now)
        if position == 2:
            time.now += 3600

    monkeypatch.setattr(made, "deliver", slow)
    await made.run(speed=Decimal(1))
    assert at[3] - at[2] == pytest.approx(1.0, abs=0.01)


@given(st.lists(st.integers(0, 500), max_size=20).map(sorted), st.lists(st.integers(1, 500), max_size=10))
def test_everything_happens_in_order_of_time(times: list[int], sleeps: list[int]) -> None:
    async def main() -> list[tuple[str, int]]:
        made = session(times)
        for ms in sleeps:
            made.sleep(ms, "sleeper")
        await asyncio.sleep(0)
        await made.run()
        return made.seen

    seen = asyncio.run(main())
    assert [ms for _, ms in seen] == sorted(ms for _, ms in seen)
    last = max(times, default=0)
    assert sorted(ms for name, ms in seen if name == "sleeper") == sorted(ms for ms in sleeps if ms <= last and times)
