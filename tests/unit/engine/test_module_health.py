"""Health, metrics, log levels: what is said of a module, and when."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from app import logs
from app.engine.lifecycle import ModuleState
from app.engine.module_health import Health, Pulse, judge
from app.engine.modules import log_name
from strategies.model import Bar
from tests.unit.engine.stage import Script, install, long, on, plugin, stage

MINUTE = 60_000
R = ModuleState.RUNNING


def pulse(*, last: int | None = 0, cold: int = 0, took_ms: int = 1) -> Pulse:
    made = Pulse(last_bar_ms=last, timeframe_ms=MINUTE, cold=cold)
    for _ in range(100):
        made.decided(took_ms * 1_000_000)
    return made


@pytest.mark.parametrize(
    ("state", "given", "now", "health", "words"),
    [
        (R, pulse(), 3 * MINUTE, Health.OK, ""),
        (R, pulse(), 3 * MINUTE + 1, Health.STARVED, "the last bar is 180 s old, bars are 60 s long"),
        (R, pulse(took_ms=31), 0, Health.SLOW, "a decision takes 31 ms (p99), 30 ms is the limit"),
        (R, pulse(took_ms=31), 4 * MINUTE, Health.STARVED, "the last bar is 240 s old, bars are 60 s long"),
        (R, pulse(cold=1), 0, Health.WARMING, "1 instrument not warm yet"),
        (R, pulse(cold=2), 0, Health.WARMING, "2 instruments not warm yet"),
        (R, pulse(last=None), 0, Health.WARMING, "no bar yet"),
        (ModuleState.PAUSED, pulse(), 0, Health.OK, ""),
        (ModuleState.ENABLED, pulse(), 0, Health.WARMING, "no bar yet"),
        (ModuleState.FAILED, pulse(), 0, Health.FAILED, "why"),
        (ModuleState.STOPPED, pulse(), 10**9, Health.NONE, ""),
        (ModuleState.REGISTERED, Pulse(), 0, Health.NONE, ""),
    ],
)
def test_the_judgement(state: ModuleState, given: Pulse, now: int, health: Health, words: str) -> None:
    assert judge(state, "why", given, now) == (health, words)


def test_the_99th_percentile_of_the_newest_decisions() -> None:
    made = Pulse()
    for micros in range(1, 101):
        made.decided(micros * 1000)
    assert made.p99_us == 99
    for _ in range(256):
        made.decided(5_000)
    assert made.p99_us == 5
    assert Pulse().p99_us is None


async def test_health_is_judged_every_interval_of_market_time_and_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", Script(), warmup=2))
    async with stage(tmp_path, settings=on("a") | {"metrics.health_s": "60"}) as s:
        found = []
        for _ in range(4):
            await s.bar()
            found.append((s.view("a").health.value, s.stored("a")["health"]))
        assert found == [("warming", "warming"), ("ok", "ok"), ("ok", "ok"), ("ok", "ok")]
        await s.book("100", ts_ms=s.r.now + 200_000)
        assert s.view("a").health is Health.STARVED
        assert s.stored("a")["health_words"] == "the last bar is 200 s old, bars are 60 s long"


async def test_metrics_say_what_each_module_did_and_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(
        monkeypatch,
        plugin("a", Script(opinion=lambda _, position: long() if position is None else None)),
        plugin("b", Script(opinion=lambda *_: long(target=99.0))),
    )
    async with stage(tmp_path, settings=on("a", "b")) as s:
        await s.bars(2)
        await s.bar("121")
        await s.bar("121")
        rows = s.r.rows("SELECT * FROM module_metrics ORDER BY id DESC LIMIT 2")
        b, a = sorted(rows, key=lambda row: row["module"], reverse=True)
        assert (a["bars"], a["submitted"], a["fills"], a["state"], a["restarts"]) == (4, 1, 2, "running", 0)
        assert a["skipped"] == 2, "at 121 its target is too near"
        assert (a["committed"], b["committed"]) == ("0", "0")
        assert Decimal(a["realised"]) > 0
        assert (b["signals"], b["intents"], b["skipped"], b["fills"], b["realised"]) == (4, 0, 4, 0, "0")
        assert len(s.r.rows("SELECT * FROM module_metrics")) == 10, "at the start, and each minute"


async def test_each_module_has_its_own_log_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(opinion=lambda bar, _: long(bar.symbol, target=99.0))
    install(monkeypatch, plugin("loud", script), plugin("quiet", script), plugin("usual", script))
    path = logs.configure(tmp_path / "logs", "info")
    try:
        given = on("loud", "quiet", "usual")
        given |= {"modules.loud.log_level": "debug", "modules.quiet.log_level": "error"}
        async with stage(tmp_path, settings=given) as s:
            await s.bar()
        records = [json.loads(line) for line in path.read_text().splitlines()]
    finally:
        logs.close()
    said = {name: [r["event"] for r in records if r["logger"] == log_name(name)] for name in ("loud", "quiet", "usual")}
    assert said == {
        "loud": ["module.state", "module.signal", "module.skipped"],
        "quiet": [],
        "usual": ["module.state"],
    }


async def test_the_instruments_of_a_module_are_all_it_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    install(monkeypatch, plugin("a", script))
    off = "[modules.momentum]\nenabled = false\n"
    mine = '[modules.a]\nenabled = true\nallocation = "5"\ninstruments = ["BTC-USDT"]\n'
    (tmp_path / "config.toml").write_text(off + mine)
    async with stage(tmp_path) as s:
        await s.bar()
        price = Decimal(5)
        s.manager.modules[0].on_bar(Bar("BTC-USDT", 0, MINUTE, price, price, price, price, price))
        assert [[bar.symbol for bar in actor.seen] for actor in script.made] == [["BTC-USDT"]]
        assert s.view("a").instruments == ("BTC-USDT",)
