"""The confirmation: what must be read, which key counts, and that no other does."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from app.execution.states import TradeState
from app.tui.widgets.reader import Reader
from tests.tui.harness import SIZES, Seat, terminal


async def _open(seat: Seat) -> None:
    seat.app.do.read(seat.rig.pipeline.proposals.waiting()[0].id)
    await seat.look()
    assert seat.dialog == "ConfirmDialog"


async def _read_on(seat: Seat) -> None:
    for _ in range(20):
        if seat.app.screen.query_one(Reader).read:
            return
        await seat.press("pagedown")
    raise AssertionError("the text does not end")


@pytest.mark.parametrize("size", SIZES)
async def test_a_trade_is_read_confirmed_approved_on_the_device_and_filled(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with terminal(tmp_path, size) as seat:
        trade = await seat.propose()
        await _open(seat)
        assert trade.payload is not None
        for line in trade.payload.text.splitlines()[:3]:
            assert line in seat.text()
        await _read_on(seat)
        seat.person.waits(0.6)
        await seat.press("S")
        await seat.until(lambda: seat.dialog == "DeviceDialog")
        assert trade.state is TradeState.CONFIRMED
        assert seat.host.trader is not None
        review = seat.host.trader.session.devices.demo.review
        assert review is not None
        for page in review.pages:
            await seat.look()
            assert all(row in seat.text() for row in page)
            await seat.press("right")
        await seat.press("A")
        await seat.became(trade, "FILLED")
        assert seat.dialog == "ConfirmDialog"
        assert "Filled" in seat.text()
        await seat.press("escape")
        assert seat.dialog == ""
        assert seat.rig.held("BTC-USDT", "momentum") == trade.intent.quantity
        seat.rig.assert_sound()


@pytest.mark.parametrize("size", SIZES)
async def test_enter_never_submits(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        trade = await seat.propose()
        await _open(seat)
        await _read_on(seat)
        seat.person.waits(10)
        for keys in (["enter"], ["enter", "enter", "enter"], ["tab", "enter"], ["tab", "tab", "enter"]):
            if seat.dialog != "ConfirmDialog":
                if trade.state is not TradeState.PREPARED:
                    break  # Tab came to refuse, which is no submission
                await _open(seat)
                await _read_on(seat)
                seat.person.waits(10)
            await seat.press(*keys)
            assert trade.state in {TradeState.PREPARED, TradeState.DECLINED}
        assert seat.rig.sent() == []


async def test_s_counts_only_after_every_line_was_visible_for_half_a_second(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        trade = await seat.propose()
        await _open(seat)
        seat.person.waits(10)
        await seat.press("S")
        assert "Read to the end first" in seat.text()
        await _read_on(seat)
        await seat.press("S")
        assert "Too fast" in seat.text()
        assert trade.state is TradeState.PREPARED
        seat.person.waits(0.6)
        await seat.press("S")
        await seat.became(trade, "CONFIRMED")


async def test_two_fast_keys_and_a_key_held_down_never_confirm(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48)) as seat:
        trade = await seat.propose()
        await seat.pilot.press("enter", "S", "S")
        await _open(seat)
        for _ in range(40):
            await seat.press("S")
            seat.person.waits(0.1)  # a key that repeats ten times a second
        assert trade.state is TradeState.PREPARED


async def test_keys_that_came_before_the_dialog_do_not_count(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48)) as seat:
        trade = await seat.propose()
        seat.app.screen.query_one("#proposals").focus()
        await seat.pilot.press("enter", "S")
        await seat.look()
        assert seat.dialog == "ConfirmDialog"
        seat.person.waits(5)
        await seat.look()
        assert trade.state is TradeState.PREPARED


@pytest.mark.parametrize(("key", "state"), [("x", "DECLINED"), ("escape", "PREPARED")])
async def test_refuse_is_one_key_and_escape_changes_nothing(tmp_path: Path, key: str, state: str) -> None:
    async with terminal(tmp_path) as seat:
        trade = await seat.propose()
        await _open(seat)
        await seat.press(key)
        await seat.became(trade, state)
        assert seat.rig.sent() == []


async def test_a_trade_that_expires_while_it_is_read_says_so_and_can_not_be_confirmed(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48)) as seat:
        trade = await seat.propose(expires_in_ms=20_000)
        await _open(seat)
        await seat.market(60)
        await seat.became(trade, "EXPIRED")
        assert "Expired" in seat.text()
        assert "Nothing was sent" in seat.text()
        seat.person.waits(5)
        await seat.press("S")
        assert trade.state is TradeState.EXPIRED
        assert seat.rig.sent() == []


async def test_refused_on_the_device(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48)) as seat:
        trade = await seat.propose()
        await _open(seat)
        seat.person.waits(0.6)
        await seat.look()
        await seat.press("S")
        if trade.state is TradeState.PREPARED:
            seat.person.waits(0.6)
            await seat.press("S")
        await seat.until(lambda: seat.dialog == "DeviceDialog")
        await seat.press("A")
        assert "last page" in seat.text()
        await seat.press("R")
        await seat.became(trade, "REFUSED")
        assert "Refused on the device" in seat.text()
        assert seat.rig.sent() == []


async def test_a_large_trade_needs_its_quantity_typed(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48), settings={"fatigue.large_value": "50"}) as seat:
        trade = await seat.propose()
        await _open(seat)
        await _read_on(seat)
        seat.person.waits(0.6)
        await seat.press("S")
        assert "A large trade" in seat.text()
        await seat.press(*"0.002", "enter", "S")
        assert trade.state is TradeState.PREPARED
        field = seat.app.screen.query_one(Input)
        field.value = ""
        field.focus()
        await seat.press(*"0.001", "enter")
        assert trade.state is TradeState.PREPARED
        seat.app.screen.query_one("#back").focus()
        await seat.press("S")
        await seat.became(trade, "CONFIRMED")


async def test_after_too_many_confirmations_a_pause_is_said_with_its_length(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48), settings={"fatigue.confirmations": "1"}) as seat:
        first = await seat.propose()
        await _open(seat)
        await _read_on(seat)
        seat.person.waits(0.6)
        await seat.press("S")
        await seat.became(first, "CONFIRMED")
        await seat.until(lambda: seat.dialog == "DeviceDialog")
        await seat.press("R")
        await seat.became(first, "REFUSED")
        await seat.press("escape")
        second = await seat.propose("ETH-USDT", quantity="0.01")
        await _open(seat)
        await _read_on(seat)
        seat.person.waits(0.6)
        await seat.press("S")
        assert second.state is TradeState.PREPARED
        assert "rest" in seat.text().lower()
