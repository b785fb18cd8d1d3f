"""The Modules screen: pause and resume, on and off, capital, and that its keys act on its list only."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from textual.widgets import Input

from app.engine.lifecycle import ModuleState
from app.execution.states import TradeState
from app.tui.widgets.table import Table
from tests.tui.acts import bought
from tests.tui.harness import SIZES, Seat, terminal


def _state(seat: Seat, name: str = "momentum") -> ModuleState:
    assert seat.host.trader is not None
    return seat.host.trader.manager.slot(name).state


async def _at(seat: Seat, name: str = "momentum") -> None:
    await seat.press("4")
    table = seat.app.screen.query_one("#modules", Table)
    table.focus()
    while table.cursor != name:
        await seat.press("down")


@pytest.mark.parametrize("size", SIZES)
async def test_space_pauses_and_resumes_the_module_under_the_cursor(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await _at(seat)
        assert "running" in seat.line("momentum")
        await seat.press("space")
        await seat.until(lambda: _state(seat) is ModuleState.PAUSED)
        await seat.look()
        assert "paused" in seat.line("momentum")
        await seat.press("space")
        await seat.until(lambda: _state(seat) is ModuleState.RUNNING)


async def test_a_pause_withdraws_what_waits_and_outlives_a_restart(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        trade = await seat.propose(module="momentum")
        await _at(seat)
        await seat.press("space")
        await seat.became(trade, "CANCELLED")
        await seat.press("q")
        await seat.until(lambda: seat.host.over)
    async with terminal(tmp_path, events=0) as seat:
        await seat.until(lambda: _state(seat) is ModuleState.PAUSED)


async def test_pause_all_from_another_screen_and_resume_all(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await seat.press("P")
        await seat.until(lambda: _state(seat) is ModuleState.PAUSED)
        await _at(seat)
        await seat.press("u")
        await seat.until(lambda: _state(seat) is ModuleState.RUNNING)


async def test_its_keys_do_nothing_on_other_screens(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        trade = await seat.propose(module="momentum")
        await seat.press("space", "e", "d", "a", "u")
        assert seat.dialog == ""
        assert _state(seat) is ModuleState.RUNNING
        assert trade.state is TradeState.PREPARED


async def test_more_capital_needs_the_typed_word_and_less_does_not(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        assert seat.host.trader is not None
        slot = seat.host.trader.manager.slot("momentum")

        async def give(amount: str) -> None:
            await _at(seat)
            await seat.press("a")
            seat.app.screen.query_one(Input).value = amount
            await seat.press("enter")

        await give("900")
        await seat.until(lambda: slot.settings.allocation == Decimal(900))
        await give("1500")
        assert seat.dialog == "WordDialog"
        await seat.press("escape")
        assert slot.settings.allocation == Decimal(900)
        await give("1500")
        await seat.press(*"LOOSEN", "enter")
        await seat.until(lambda: slot.settings.allocation == Decimal(1500))
        await give("many")
        assert slot.settings.allocation == Decimal(1500)
        await give("100000")
        await seat.press(*"LOOSEN", "enter")
        await seat.look()
        assert slot.settings.allocation == Decimal(1500)


async def test_off_and_on_again(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await _at(seat)
        await seat.press("d")
        assert "so it falls by 1000" in seat.text()
        await seat.press("enter")
        assert seat.dialog == ""
        assert _state(seat) is ModuleState.RUNNING, "leaving it on is what Enter does"
        await seat.press("d", "y")
        await seat.until(lambda: _state(seat) is ModuleState.STOPPED)
        await seat.look()
        assert "stopped" in seat.line("momentum")
        await seat.press("e")
        await seat.until(lambda: _state(seat) is not ModuleState.STOPPED)


async def test_trades_by_hand_have_a_row_so_that_profits_add_up(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48)) as seat:
        await _at(seat)
        assert "by hand" not in seat.text()
        await bought(seat, module="manual")
        assert "by hand" in seat.text()
        await seat.press("end", "space", "d", "a")  # no module, so no key does anything
        assert seat.dialog == ""


async def test_looking_around_first_starts_with_every_module_paused(tmp_path: Path) -> None:
    async with terminal(tmp_path, first_run=True) as seat:
        await seat.until(lambda: seat.dialog != "")
        await seat.look()
        await seat.press("2")
        await seat.running()
        await seat.until(lambda: _state(seat) is ModuleState.PAUSED)
