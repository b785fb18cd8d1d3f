"""Keys that work everywhere, the ways in and out, and what happens when the screen or the engine fails."""

from __future__ import annotations

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app import paths
from app.execution.states import TradeState
from app.tui.app import VIEWS, Terminal
from app.tui.host import Host, Stage
from app.tui.palette import commands
from app.tui.widgets.table import Table
from tests.tui.acts import bought, held
from tests.tui.harness import SIZES, SMALL, Hand, Seat, request, terminal


@pytest.mark.parametrize("size", [*SIZES, (120, 30), (40, 10), (20, 5), (300, 90)])
async def test_it_opens_at_any_size_and_says_paper(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        assert seat.text().splitlines()[0].startswith(" PAPER  PRACTICE")
        await seat.propose()
        assert len(seat.text().splitlines()) <= size[1]


async def test_resized_down_to_nothing_and_back_it_is_what_it_was(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48)) as seat:
        before = seat.text()
        for size in ((20, 5), (80, 24), (1, 1), (200, 3), (160, 48)):
            await seat.pilot.resize_terminal(*size)
            await seat.look()
        assert seat.text() == before


@pytest.mark.parametrize("where", ["home", "confirm", "device", "help", "word", "palette"])
async def test_one_key_stops_everything_from_anywhere(tmp_path: Path, where: str) -> None:
    async with terminal(tmp_path) as seat:
        trade = await seat.propose()
        await _go(seat, where)
        await seat.press("!")
        assert paths.stop_file(tmp_path / "a.db").exists()
        await seat.until(lambda: trade.state is not TradeState.PREPARED)
        assert "EMERGENCY STOP" in seat.text()
        if where == "device":  # the device still shows it; whatever it answers is not sent
            await seat.press("right", *["right"] * 8, "A")
        await seat.became(trade, "CANCELLED")
        assert seat.rig.sent() == []


async def _go(seat: Seat, where: str) -> None:
    trade = seat.rig.pipeline.proposals.waiting()[0]
    if where in {"confirm", "device"}:
        seat.app.do.read(trade.id)
        await seat.look()
    if where == "device":
        await seat.confirmed(trade)
    if where == "help":
        await seat.press("?")
    if where == "word":
        seat.desk.stop.create("test")
        seat.app.do.lift_stop()
        await seat.look()
        paths.stop_file(seat.rig.session.plan.db).unlink()
    if where == "palette":
        await seat.press("ctrl+p")


async def test_the_stop_is_lifted_by_the_typed_word_only(tmp_path: Path) -> None:
    flag = paths.stop_file(tmp_path / "a.db")
    async with terminal(tmp_path) as seat:
        await seat.press("!")
        seat.app.do.lift_stop()
        await seat.look()
        await seat.press("enter")
        await seat.press(*"trade", "enter")
        assert flag.exists()
        await seat.press(*"TRADE", "enter")
        await seat.until(lambda: not flag.exists())
        assert seat.dialog == ""
        await seat.look()
        assert "EMERGENCY" not in seat.text()
        kinds = [row["kind"] for row in seat.rig.rows("SELECT kind FROM journal")]
        assert "stop.lifted" in kinds


async def test_everything_is_sold_by_the_typed_word_only_and_the_stop_is_in_force(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        trade = await bought(seat)
        await seat.press("F")
        assert "0.001 BTC-USDT" in seat.text()
        await seat.press(*"sell", "enter")
        assert held(seat) == trade.intent.quantity
        assert not seat.desk.stop.raised(), "Escape must leave everything as it is"
        await seat.press(*"SELL", "enter")
        await seat.until(lambda: seat.desk.stop.raised() and not held(seat))
        await seat.until(lambda: any("1 position sold" in each.message for each in seat.app._notifications))
        seat.rig.assert_sound()


@pytest.mark.parametrize("size", SIZES)
async def test_help_is_about_what_is_in_front_and_lists_every_key_that_works_everywhere(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with terminal(tmp_path, size) as seat:
        await seat.press("?")
        assert "Trade" in seat.text()
        await seat.press("end")
        assert "It never submits" in seat.text()
        await seat.press("?")
        assert seat.dialog == ""
        trade = await seat.propose()
        seat.app.do.read(trade.id)
        await seat.look()
        await seat.press("?")
        assert "letter for letter" in seat.text()
        await seat.press("escape")
        assert seat.dialog == "ConfirmDialog"


async def test_x_refuses_on_the_proposals_pane_and_nowhere_else(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48)) as seat:
        trade = await seat.propose()
        for pane in ("watch", "chart", "book", "positions", "log"):
            seat.app.screen.query_one(f"#{pane}").focus()
            await seat.press("x", "enter", "S", "A", "R")
            await seat.press("escape")
            assert trade.state is TradeState.PREPARED, pane
        seat.app.screen.query_one("#proposals").focus()
        await seat.press("x")
        await seat.became(trade, "DECLINED")


async def test_tab_goes_round_the_panes_one_at_a_time_on_a_small_screen(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        seen = []
        for _ in range(7):
            focused = seat.app.focused
            assert focused is not None
            seen.append(focused.id)
            assert [pane.id for pane in seat.app.screen.query(".pane") if pane.display] == [focused.id]
            await seat.press("tab")
        assert seen == ["watch", "chart", "book", "proposals", "positions", "log", "watch"]
        await seat.press("shift+tab", "shift+tab")
        assert seat.app.focused is not None
        assert seat.app.focused.id == "log"


@pytest.mark.parametrize("size", SIZES)
async def test_jump_mode_goes_to_a_pane(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await seat.press("ctrl+o")
        assert seat.dialog == "JumpDialog"
        assert " d Proposals" in seat.text()
        await seat.press("d")
        assert seat.app.focused is not None
        assert seat.app.focused.id == "proposals"


async def test_another_instrument_moves_chart_and_book(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48)) as seat:
        await seat.press("down", "down")
        assert "Book ETH-USDT" in seat.text()
        assert "ETH-USDT  1m" in seat.text()


async def test_quitting_asks_when_something_waits_and_staying_is_the_default(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        trade = await seat.propose()
        await seat.press("q")
        assert seat.dialog == "QuestionDialog"
        await seat.press("enter")
        assert seat.dialog == ""
        assert trade.state is TradeState.PREPARED
        await seat.press("q", "y")
        await seat.until(lambda: seat.app.return_value is not None)
        assert seat.host.over
        assert seat.app.return_value == 0


async def test_quit_and_come_back_and_all_is_where_it_was(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48)) as seat:
        trade = await seat.propose()
        await seat.confirmed(trade)
        await seat.press(*["right"] * 12, "A")
        await seat.became(trade, "FILLED")
        held = [line for line in seat.text().splitlines() if "stop " in line and "BTC-USDT" in line]
        clock = seat.desk.clock.now_ms()
        await seat.press("q")
        await seat.until(lambda: seat.host.over)
    async with terminal(tmp_path, (160, 48), events=0) as seat:
        assert seat.desk.clock.now_ms() == clock
        again = [line for line in seat.text().splitlines() if "stop " in line and "BTC-USDT" in line]
        assert [line.split()[:4] for line in again] == [line.split()[:4] for line in held]
        seat.rig.assert_sound()


@pytest.mark.parametrize(("keys", "quiet"), [(["enter"], False), (["1"], False), (["escape"], False)])
async def test_the_first_start_asks_once_and_every_answer_is_harmless(
    tmp_path: Path, keys: list[str], quiet: bool
) -> None:
    async with terminal(tmp_path, first_run=True) as seat:
        await seat.until(lambda: seat.dialog != "")
        await seat.look()
        assert "Everything here is PAPER" in seat.text()
        assert not seat.host.started
        await seat.press(*keys)
        await seat.running()
        assert seat.host.quiet is quiet


async def test_bad_settings_end_the_screen_with_the_error_that_a_command_would_give(tmp_path: Path) -> None:
    host = Host(request(tmp_path, {"risk.position": "many"}), Hand())
    app = Terminal(host)
    async with app.run_test(size=SMALL) as pilot:
        for _ in range(1000):
            if host.over:
                break
            await pilot.pause(0.005)
        app.tick()
    assert host.never_ran
    assert "risk.position" in str(host.error)


async def test_an_engine_that_fails_says_so_on_every_screen_and_can_be_started_again(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        trade = await seat.propose()
        seat.app.do.read(trade.id)
        await seat.look()
        assert seat.host.trader is not None
        fatal = seat.host.trader.session.fatal
        assert fatal is not None
        fatal.set_result(OSError("the disk is gone"))
        await seat.until(lambda: seat.host.stage is Stage.FAILED)
        await seat.look()
        assert "THE ENGINE STOPPED" in seat.text()
        await seat.press("S")
        await seat.press("escape")
        assert "THE ENGINE STOPPED" in seat.text()
        await seat.press("?")
        assert "THE ENGINE STOPPED" in seat.text()
        await seat.press("escape", "R")
        await seat.running()
        assert "THE ENGINE STOPPED" not in seat.text()


class _Broken(Exception):
    pass


async def test_a_screen_that_crashes_ends_alone_and_another_one_goes_on_with_the_same_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(request(tmp_path), Hand())
    first = Terminal(host)

    def crash(*_: Any) -> Any:
        raise _Broken

    with pytest.raises(_Broken):  # noqa: PT012 -- the pilot raises what crashed the screen as it ends
        async with first.run_test(size=SMALL) as pilot:
            seat = Seat(pilot, first, host, host._pacer, [])  # type: ignore[arg-type]  # our own Hand
            await seat.running()
            await seat.market(50)
            trade = await seat.propose()
            with monkeypatch.context() as broken:
                broken.setattr(Table, "content", crash)
                first.call_later(first.tick)
                await seat.until(lambda: first.crash is not None)
    assert isinstance(first.crash, _Broken)
    assert host.stage is Stage.RUNNING
    assert trade.state is TradeState.PREPARED
    second = Terminal(host, notice="The screen crashed")
    async with second.run_test(size=SMALL) as pilot:
        seat = Seat(pilot, second, host, host._pacer, [])  # type: ignore[arg-type]  # as above
        await seat.look()
        assert "1 waiting" in seat.text()
        seat.app.do.refuse(trade.id)
        await seat.became(trade, "DECLINED")
    await host.end("test ended")


async def test_the_palette_has_every_screen_and_the_stop(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await seat.propose()
        titles = [each.title for each in commands(seat.app)]
        assert any(title.startswith("Emergency stop") for title in titles)
        assert any(title.startswith("Read and confirm") for title in titles)
        assert not any("Lift" in title for title in titles)
        await seat.press("!")
        assert any("Lift" in each.title for each in commands(seat.app))


async def test_a_market_that_runs_waits_for_its_person(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        fast = Decimal(60)
        assert seat.host.slower(fast) == fast
        trade = await seat.propose()
        assert seat.host.slower(fast) == Decimal(5)
        seat.app.do.read(trade.id)
        await seat.look()
        assert seat.host.slower(fast) == Decimal(1)
        await seat.press("x")
        await seat.became(trade, "DECLINED")
        await seat.press("escape")
        assert seat.host.slower(fast) == fast
        await seat.press("b")
        assert seat.host.slower(fast) == Decimal(1), "a stop is chosen against the market as it stands"
        await seat.press("escape")
        assert seat.host.slower(fast) == fast


async def test_the_database_is_sound_after_a_session(tmp_path: Path) -> None:
    async with terminal(tmp_path):
        await asyncio.sleep(0)
    with sqlite3.connect(tmp_path / "a.db") as connection:
        assert connection.execute("SELECT outcome FROM runs").fetchall() == [("test ended",)]


async def test_a_key_that_is_faster_than_the_first_screen_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(request(tmp_path), Hand())
    app = Terminal(host)
    begin = Terminal.on_ready
    monkeypatch.setattr(Terminal, "on_ready", lambda _: None)  # the first frame is there, the first screen is not
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("!")
        assert not paths.stop_file(tmp_path / "a.db").exists()
        begin(app)
        for _ in range(400):
            if paths.stop_file(tmp_path / "a.db").exists():
                break
            await pilot.pause(0.005)
        assert paths.stop_file(tmp_path / "a.db").exists()
    await host.end("test ended")


async def test_what_the_last_session_left_is_shown_before_the_engine_runs(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await seat.market(2000)
        last = {row.key: row.cells[1] for row in seat.app.screen.query_one("#watch", Table)._rows}
        await seat.press("q")
        await seat.until(lambda: seat.host.over)
    host = Host(request(tmp_path), Hand())
    app = Terminal(host)
    async with app.run_test(size=SMALL) as pilot:
        seen: dict[str, object] = {}
        for _ in range(1000):
            for table in app.screen.query("#watch").results(Table):
                seen = {row.key: row.cells[1] for row in table._rows}
            if seen or host.stage is Stage.RUNNING:
                break
            await pilot.pause(0.005)
        assert host.stage is not Stage.RUNNING
        assert seen.keys() == last.keys()
    await host.end("test ended")


async def test_the_key_that_stops_everything_is_named_on_every_small_screen(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        for number in VIEWS.values():
            await seat.press(str(number))
            assert "! STOP" in seat.text().splitlines()[-1], number


@pytest.mark.parametrize("size", SIZES)
async def test_keys_faster_than_the_screens_leave_each_screen_its_own_panes(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    """A focus is heard of when another screen has it already: each thought that pane its own, and crashed with it."""
    async with terminal(tmp_path, size) as seat:
        await bought(seat)
        for keys in ("1p21p2", "121212p212", "p2p3p4p5p6p7p8p", "1p2121p2", "12345678" * 3):
            for key in keys:
                seat.app.simulate_key(key)  # not waiting for what the one before does
            await seat.look()
            assert seat.app.crash is None
        for name in ("trade", "positions", "orders", "journal"):
            seat.app.do.show(name)
            await seat.look()
            view = seat.app.view
            assert view is not None
            assert view.own_focus is not None, name
