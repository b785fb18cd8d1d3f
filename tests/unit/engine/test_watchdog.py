"""The watchdog on a clock that is moved by hand: what it measures, whom it names, when it stops trading."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from app.engine import watchdog
from app.engine.watchdog import BEAT_S, KEPT, Stall, Watchdog
from app.execution.stop_flag import StopFlag
from app.text import counted

MS = 1_000_000
BEAT_MS = int(BEAT_S * 1000)


def frame() -> FrameType:
    """A stack whose innermost frame is ours: `app.text.counted`."""
    caught: list[FrameType] = []

    class Noun(str):
        __slots__ = ()

        def __format__(self, _: str) -> str:
            caught.append(sys._getframe(0))
            return "trade"

    counted(1, Noun())
    return caught[0]


class Watched:
    """A watchdog, its clock, and what it did."""

    def __init__(self, stack: Callable[[], FrameType | None] = frame) -> None:
        self.now = 10**12
        self.latched: list[str] = []
        self.stalls: list[Stall] = []
        self.dog = Watchdog(lambda: self.now, self.latch, self.stalls.append, stack)

    def latch(self, reason: str) -> str:
        self.latched.append(reason)
        return ""

    def passes(self, ms: int, *, beat: bool = False) -> None:
        """Time goes on in steps of the watchdog's own."""
        for _ in range(ms // BEAT_MS):
            self.now += BEAT_MS * MS
            if beat:
                self.dog.beat()
            self.dog.look()


def test_a_loop_that_comes_round_is_left_alone() -> None:
    seen = Watched()
    seen.passes(70_000, beat=True)
    assert (seen.stalls, seen.latched, seen.dog.slow()) == ([], [], ())
    lag = seen.dog.lag()
    assert (lag.p50_us, lag.p99_us, lag.max_us) == (0, 0, 0)
    assert 1200 <= lag.samples <= 1201, "the last minute only"


def test_before_the_first_beat_nothing_is_claimed() -> None:
    assert Watched().dog.lag() == watchdog.Lag(None, None, None, 0)


def test_lag_is_what_a_short_sleep_overran() -> None:
    seen = Watched()
    for _ in range(98):
        seen.passes(BEAT_MS, beat=True)
    for late in (20, 40):
        seen.now += (BEAT_MS + late) * MS
        seen.dog.beat()
    lag = seen.dog.lag()
    assert (lag.p50_us, lag.p99_us, lag.max_us, lag.samples) == (0, 40_000, 40_000, 100)


def test_a_handler_over_250_ms_is_named_once_the_loop_runs_again() -> None:
    seen = Watched()
    seen.passes(1_000, beat=True)
    seen.passes(600)
    assert seen.stalls == [], "the loop is busy: nobody can be told on it"
    seen.now += BEAT_MS * MS
    seen.dog.beat()
    (stall,) = seen.stalls
    assert stall.lasted_ms == 600
    assert stall.handler == "app.text.counted"
    assert stall.frames[0].startswith("app.text.counted:")
    assert "test_watchdog" in stall.frames[0], "what it waits in"
    assert not stall.latched
    assert seen.latched == []
    assert "600 ms in app.text.counted" in stall.words
    (slow,) = seen.dog.slow()
    assert (slow.handler, slow.count, slow.worst_ms) == (stall.handler, 1, 600)


def test_just_under_250_ms_is_no_stall() -> None:
    seen = Watched()
    seen.passes(1_000, beat=True)
    seen.passes(200)
    seen.now += BEAT_MS * MS
    seen.dog.beat()
    assert seen.stalls == []


def test_after_5_s_the_stop_is_put_in_force_while_the_loop_still_hangs() -> None:
    seen = Watched()
    seen.passes(1_000, beat=True)
    seen.passes(5_000 - BEAT_MS)  # the last beat's own look is the first of the silence
    assert seen.latched == []
    seen.passes(BEAT_MS)
    assert len(seen.latched) == 1, "at 5 s, not a look later"
    seen.passes(10_000)
    assert len(seen.latched) == 1, "once"
    assert "app.text.counted" in seen.latched[0]
    seen.dog.beat()
    assert seen.stalls[-1].latched


def test_a_loop_that_comes_round_between_latch_and_beat_is_told_of_the_stop_all_the_same() -> None:
    seen = Watched()
    seen.passes(6_000)
    seen.dog._last_ns = seen.now  # as if the beat before had just taken the lateness
    seen.dog.beat()
    assert [stall.latched for stall in seen.stalls] == [True]


def test_a_process_that_stood_still_is_told_and_does_not_latch_the_stop() -> None:
    """SIGSTOP, a suspended machine: the thread did not run either, so it knows nothing about the loop."""
    seen = Watched()
    seen.passes(1_000, beat=True)
    seen.now += 3_600_000 * MS
    seen.dog.look()
    assert seen.latched == []
    seen.dog.beat()
    (stall,) = seen.stalls
    assert stall.lasted_ms >= 3_599_000
    assert stall.handler == watchdog.WHOLE_PROCESS
    assert stall.words.startswith("The whole process stood still for 3599")


def test_only_the_slowest_names_are_kept() -> None:
    seen = Watched()
    for number in range(KEPT + 5):
        seen.dog._remember(Stall(f"handler {number}", (), 300 + number, latched=False))
    assert len(seen.dog.slow()) == KEPT
    assert seen.dog.slow()[0].worst_ms == 300 + KEPT + 4
    assert "handler 0" not in {each.handler for each in seen.dog.slow()}


async def test_frames_outside_the_running_handler_are_not_named() -> None:
    """This test's own loop runs below pytest and asyncio: only what the handler called counts."""
    names: list[str] = []

    def handler() -> None:
        names.extend(watchdog._frames(sys._getframe(0)))

    asyncio.get_running_loop().call_soon(handler)
    await asyncio.sleep(0)
    assert len(names) == 1
    assert names[0].endswith("handler")


async def test_the_thread_stops_a_real_loop_that_hangs_and_names_what_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "BEAT_S", 0.001)
    clock = itertools.count(0, 100 * MS)  # once the loop hangs, each look at it is 100 ms later
    flag, hangs, latched, told = StopFlag(tmp_path / "a.db"), threading.Event(), threading.Event(), asyncio.Event()
    stalls: list[Stall] = []

    def latch(reason: str) -> str:
        why = flag.create(reason)
        latched.set()
        return why

    def heard(stall: Stall) -> None:
        stalls.append(stall)
        told.set()

    class Hangs(str):
        __slots__ = ()

        def __format__(self, _: str) -> str:
            hangs.set()
            assert latched.wait(60)
            return "trade"

    dog = Watchdog(lambda: next(clock) if hangs.is_set() else 0, latch, heard)
    dog.start()
    try:
        counted(1, Hangs())
        assert flag.raised(), "in force while the loop hangs, on disk"
        assert "app.text.counted" in flag.path.read_text(encoding="utf-8")
        await asyncio.wait_for(told.wait(), 60)
    finally:
        dog.close()
    assert stalls[0].latched
    assert stalls[0].handler == "app.text.counted"
