"""Restarts of a module on slow bars: an hour that holds no bar but one is not an hour in which it went well."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.engine.supervision import MOST_RESTARTS, Supervision
from strategies.model import Bar
from tests.unit.engine.stage import Script, install, on, plugin, stage

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.mark.parametrize("bar_ms", [HOUR, 4 * HOUR, DAY])
def test_who_fails_on_every_bar_stays_failed_however_long_the_bars_are(bar_ms: int) -> None:
    one = Supervision()
    restarted = 0
    for number in range(20):
        now = number * bar_ms
        if number and one.due_ms is not None:
            one.restarted(now)
            restarted += 1
        if number and one.due_ms is None and restarted == MOST_RESTARTS:
            assert not one.failed(now, bar_ms)
            break
        assert one.failed(now, bar_ms)
    assert restarted == MOST_RESTARTS


async def test_on_hourly_bars_it_ends_after_three_restarts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("broken")

    script = Script(opinion=breaks)
    install(monkeypatch, plugin("a", script))
    async with stage(tmp_path, settings=on("a")) as s:
        for _ in range(12):
            open_ms = s.r.now // HOUR * HOUR
            minute = await s.bar()
            await s.feed(
                Bar("ETH-USDT", open_ms, HOUR, minute.open, minute.high, minute.low, minute.close, minute.volume)
            )
        assert (s.state("a"), s.view("a").restarts) == ("failed", MOST_RESTARTS)
        assert s.view("a").restart_ms is None


def test_how_long_the_bars_are_is_not_forgotten_by_a_failure_before_the_first() -> None:
    one = Supervision()
    for number, seen_ms in enumerate((HOUR, 0, 0)):
        assert one.failed(number * HOUR, seen_ms)
        one.restarted(number * HOUR)
    assert not one.failed(3 * HOUR, 0)
    assert one.failed(10 * HOUR, 0), "the first is ten bars old"
