"""The Health screen: ready or not and why, errors acknowledged by a key, alerts, the log, without an engine too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app import health as app_health
from app import paths
from app.engine.watchdog import WHOLE_PROCESS, Stall
from app.errors import SafetyError, Severity, VenueUnknown
from app.tui.widgets.reader import Reader
from app.tui.widgets.table import Table
from tests.tui.harness import SIZES, WIDE_SCREEN, Seat, terminal


async def _to(seat: Seat, pane: str = "state") -> None:
    await seat.press("7")
    assert seat.app.view is not None
    seat.app.view.show_pane(pane)
    await seat.look()


def _table(seat: Seat, name: str) -> Table:
    return seat.app.screen.query_one(f"#{name}", Table)


@pytest.mark.parametrize("size", SIZES)
async def test_a_healthy_trader_is_ready_and_says_why(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await _to(seat)
        assert "READY  takes new trades" in seat.text()
        assert "NOT READY" not in seat.text()
        for check in ("database writes", "orders all known", "modules run", "market is fresh"):
            assert seat.line(check).strip("│ ").startswith("ok"), check
        await _to(seat, "parts")
        assert f"pid {seat.host.trader.session.setup.process.pid}" in seat.text()  # type: ignore[union-attr]  # it runs
        await _to(seat, "feeds")
        assert "fresh" in seat.line("BTC-USDT")
        await _to(seat, "numbers")
        for number in ("loop lag", "memory", "disk", "database", "journal"):
            assert number in seat.text()
        await _to(seat, "alerts")
        assert "No alerts." in seat.text()


async def test_not_ready_names_its_reasons_first(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await _to(seat)
        seat.desk.halt("the test wants it")
        await seat.look()
        assert "NOT READY" in seat.text()
        assert "FAIL takes new trades   the test wants it" in seat.text()
        await _to(seat, "alerts")
        await seat.shows("New trades stopped: the test")
        await seat.press("enter")
        assert seat.dialog == "TextDialog"
        assert "Exits stay managed" in seat.text()
        await seat.press("escape")
        assert seat.dialog == ""


@pytest.mark.parametrize("size", SIZES)
async def test_an_error_is_read_whole_and_acknowledged_by_a(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await _to(seat, "errors")
        seat.desk.record_error(VenueUnknown("paper.lost", "An answer\x1b[31m was lost on its way."), "abc123")
        await seat.shows("paper.lost" if size == WIDE_SCREEN else "An answer")
        await seat.shows(" new)")
        (number,) = seat.host.trader.session.reader.rows("SELECT id FROM errors WHERE code = 'paper.lost'")  # type: ignore[union-attr]  # it runs
        _table(seat, "errors").mark(str(number["id"]))
        await seat.press("enter")
        for words in ("An answer\\x1b[31m was lost", "maybe sent: do not repeat", "Looking it up", "HIGH", "abc123"):
            assert words in seat.text(), words
        await seat.press("escape")
        await _to(seat, "state")
        assert "FAIL no serious errors" in seat.text()
        await seat.press("a")
        await seat.rig.settle()
        assert "FAIL no serious errors" in seat.text(), "a acts on the errors only"
        await _to(seat, "errors")
        await seat.press("a")
        await seat.rig.settle()
        await _to(seat, "state")
        await seat.shows("ok   no serious errors")


async def test_a_stale_market_is_stale_by_the_gates_own_rule(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await _to(seat)
        desk = seat.desk
        quote = desk.market.quote("BTC-USDT")
        for ahead, fresh in ((desk.limits.quote_age_ms, True), (desk.limits.quote_age_ms + 1, False)):
            seat.host.trader.session.clock._now = quote.ts_ms + ahead  # type: ignore[union-attr]  # it runs
            await seat.look()
            assert seat.line("BTC-USDT   ").count("fresh" if fresh else "STALE") == 1
            feed = next(f for f in app_health.health(seat.host.trader).feeds if f.symbol == "BTC-USDT")  # type: ignore[arg-type]  # it runs
            denied = desk.risk_state("BTC-USDT")
            assert feed.fresh is fresh
            assert (denied.now_ms - denied.quote.ts_ms <= desk.limits.quote_age_ms) is fresh


async def test_the_log_is_shown_newest_first_with_a_level(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        file = paths.log_dir() / "countersign.jsonl"
        records = [
            {"ts_ms": 1, "level": "info", "logger": "app", "event": "quiet.one", "what": "x"},
            {"ts_ms": 2, "level": "warning", "logger": "app", "event": "loud.one", "n": 3},
        ]
        with file.open("a", encoding="utf-8") as out:
            out.write("".join(json.dumps(each) + "\n" for each in records) + '{"half')
        await _to(seat, "log")
        await seat.shows("loud.one")
        assert seat.text().index("loud.one") < seat.text().index("quiet.one")
        table = seat.app.screen.query_one("HealthView #log", Table)
        loud = next(row.key for row in table._rows if any("loud.one" in text for text, *_ in row.cells))
        table.mark(loud)  # on a busy machine the loop's stalls stand above it
        await seat.press("enter")
        assert seat.dialog == "TextDialog", "the list shows it too"
        assert "n=3" in seat.text()
        await seat.press("escape", "l")
        await seat.shows("warning and above")
        await seat.until(lambda: "quiet.one" not in seat.text())
        assert "loud.one" in seat.text()
        await _to(seat, "errors")
        await seat.press("l")
        assert "warning and above" in seat.text(), "l acts on the log only"


async def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN, first_run=True) as seat:
        await seat.until(lambda: hasattr(seat.app, "do"))
        seat.app.do.show("health")  # behind the question what to start
        await seat.look()
        words = " ".join(seat.app.screen_stack[0].query_one("#state", Reader).text_lines())
        assert words.startswith("NOT READY The engine is not started yet.")


async def test_after_the_engine_ended_what_is_stored_can_still_be_read(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        seat.desk.record_error(SafetyError("test.safety", "A rule said no."))
        await seat.host.end("quit")
        await _to(seat, "errors")
        await seat.shows("test.safety")
        assert "NOT READY" in seat.text()
        await seat.press("a")
        assert "The engine does not run." in seat.text()


async def test_ascii(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN, ascii_only=True) as seat:
        await _to(seat)
        assert all(ord(letter) < 128 for letter in seat.text().replace("…", "")), seat.text()


# -- the guard behind it --------------------------------------------------------------------------------------------


async def _errors(seat: Seat) -> list[tuple[str, str, str]]:
    await seat.rig.settle()
    rows = seat.host.trader.session.reader.rows("SELECT class, code, subject FROM errors")  # type: ignore[union-attr]  # it runs
    return [(row["class"], row["code"], row["subject"]) for row in rows]


async def test_a_stall_is_stored_once_a_minute_by_its_name(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        guard = seat.host.trader.guard  # type: ignore[union-attr]  # it runs
        assert guard is not None
        before = await _errors(seat)
        for handler in ("app.a", "app.a", "app.b", WHOLE_PROCESS):
            guard.stalled(Stall(handler, (handler,), 300, latched=False))
        new = [each for each in (await _errors(seat))[len(before) :] if each[2] in {"app.a", "app.b", WHOLE_PROCESS}]
        assert new == [("SYSTEM", "loop.stalled", "app.a"), ("SYSTEM", "loop.stalled", "app.b")]
        assert not seat.desk.stop.raised()


async def test_a_latched_stop_alerts_and_cancels_what_is_open(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        trade = await seat.propose()
        guard = seat.host.trader.guard  # type: ignore[union-attr]  # it runs
        assert guard is not None
        seat.desk.stop.create("as the watchdog's thread does")
        guard.stalled(Stall("app.a", ("app.a",), 6_000, latched=True))
        await seat.became(trade, "EXPIRED", "DECLINED", "CANCELLED", "FAILED")
        await _to(seat, "alerts")
        await seat.shows("The watchdog put the emergency stop in force")
        assert "EMERGENCY STOP" in seat.text()
        assert seat.rig.sent() == []


async def test_the_health_watch_alerts_when_a_part_goes_down_and_not_twice(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        trader = seat.host.trader
        assert trader is not None
        assert trader.guard is not None
        trader.guard.check()
        await trader.session.setup.process.stop()  # type: ignore[attr-defined]  # it is the paper venue
        trader.guard.check()
        trader.guard.check()
        await seat.rig.settle()
        alerts = trader.session.reader.rows("SELECT * FROM alerts WHERE kind = 'health'")
        assert [(each["severity"], each["subject"]) for each in alerts] == [(Severity.HIGH.value, "parts run")]
        assert "paper venue" in alerts[0]["text"]
