"""The watch over the loop, when what it tells fails itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.engine import watchdog
from app.engine.watchdog import Stall, Watchdog
from app.loop_guard import LoopGuard
from tests.execution.basket_acts import basket
from tests.unit.engine.stage import Script, install, on, plugin, stage


async def test_a_stall_that_can_not_be_told_does_not_end_the_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the thread would hear no beat any more, and stop trading five seconds later for nothing."""
    monkeypatch.setattr(watchdog, "BEAT_S", 0)
    now = 0
    loop = asyncio.get_running_loop()
    errors: list[object] = []
    loop.set_exception_handler(lambda _, context: errors.append(context.get("exception")))

    def clock() -> int:
        nonlocal now
        now += 10**9  # each look at the clock is a second later: every beat is late
        return now

    def untold(_: Stall) -> None:
        raise OSError("the pipe is closed")

    dog = Watchdog(clock, lambda _: "", untold, lambda: None)
    dog._beating = loop.create_task(dog._beat_on())
    for _ in range(50):
        await asyncio.sleep(0)
    assert not dog._beating.done()
    assert len(errors) > 2
    dog.close()


async def test_the_stop_cancels_what_rests_even_where_it_can_not_be_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", Script()))

    def unsaid(_: str) -> None:
        raise BrokenPipeError

    async with stage(tmp_path, settings=on("a")) as s:
        trade = await basket(s.r, module="a")
        assert len(trade.resting_entries()) == 3
        guard = LoopGuard(s.trader, unsaid)
        s.r.desk.stop.create("as the watchdog's thread does")
        with pytest.raises(BrokenPipeError):
            guard.stalled(Stall("app.a", ("app.a",), 6_000, latched=True))
        await asyncio.gather(*guard._tasks)
        await s.r.settle()
        assert trade.resting_entries() == []


async def test_a_stall_that_stopped_trading_is_stored_although_its_handler_was_told_a_moment_ago(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", Script()))
    async with stage(tmp_path, settings=on("a")) as s:
        guard = LoopGuard(s.trader, lambda _: None)
        for lasted_ms, latched in ((300, False), (400, False), (6_000, True)):
            guard.stalled(Stall("app.a", ("app.a",), lasted_ms, latched))
        await s.r.settle()
        told = [row["what"] for row in s.r.rows("SELECT what FROM errors ORDER BY id")]
        assert [words.split(" in ")[0] for words in told] == [
            "The loop stood still for 300 ms",
            "The loop stood still for 6000 ms",
        ]
        await guard.close()


async def test_a_stop_that_was_lifted_meanwhile_cancels_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", Script()))
    async with stage(tmp_path, settings=on("a")) as s:
        trade = await basket(s.r, module="a")
        guard = LoopGuard(s.trader, lambda _: None)
        guard.stalled(Stall("app.a", ("app.a",), 6_000, latched=True))  # no stop is in force any more
        await asyncio.gather(*guard._tasks)
        await s.r.settle()
        assert len(trade.resting_entries()) == 3
