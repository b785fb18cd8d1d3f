"""The confirmation beside the market of this moment, and once the trade has come to its end: what it says is so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.execution.states import PayloadState, TradeState
from app.tui.screens.confirm_text import outcome
from app.tui.screens.device import DeviceDialog
from strategies.model import Side
from tests.tui.acts import bought
from tests.tui.harness import SIZES, Seat, terminal


async def _through(seat: Seat, *, approve: bool = True) -> None:
    """Confirm what waits in the dialog, and answer on the device."""
    trade = seat.rig.pipeline.proposals.waiting()[0]
    seat.app.do.read(trade.id)
    await seat.look()
    await seat.confirmed(trade)
    demo = seat.rig.session.devices.demo
    demo.turn(100)
    await seat.press("A" if approve else "R")
    await seat.became(trade, "FILLED", "REFUSED")
    assert seat.dialog == "ConfirmDialog"


@pytest.mark.parametrize("size", SIZES)
async def test_after_the_fill_nothing_waits_any_more(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await seat.propose()
        await _through(seat)
        assert "Filled. Its exits rest at the venue." in seat.text()
        for gone in ("keeps waiting", "refuse", "submit to the signer", "expires in"):
            assert gone not in seat.text()
        await seat.press("escape")
        await seat.propose(side=Side.SELL)
        await _through(seat)
        assert "exits rest" not in seat.text()
        assert "What it sold needs no exits any more" in seat.text()


async def test_after_a_refusal_on_the_device_nothing_waits_any_more(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await seat.propose()
        await _through(seat, approve=False)
        assert "Refused on the device. Nothing was sent." in seat.text()
        assert "keeps waiting" not in seat.text()


async def test_a_dialog_that_leaves_takes_no_other_along(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        trade = await seat.propose()
        seat.app.do.read(trade.id)
        await seat.look()
        await seat.confirmed(trade)
        await seat.look()
        device = seat.app.screen
        assert isinstance(device, DeviceDialog)
        for _ in range(3):  # told to draw by a key, by a tick and by a step of the trade, it is done with each time
            device.dismiss(None)
        assert seat.dialog == "ConfirmDialog"
        assert seat.rig.session.devices.demo.refuse()
        await seat.became(trade, "REFUSED")


async def test_a_dialog_that_is_left_before_it_is_there_leaves_as_soon_as_it_is(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        early = DeviceDialog()
        seat.app.push_screen(early)
        early.dismiss(None)
        await seat.until(lambda: seat.dialog == "")
        assert seat.app.crash is None


async def test_a_price_that_has_left_is_said_before_anybody_signs(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        trade = await seat.propose()
        seat.app.do.read(trade.id)
        await seat.look()
        assert "fills at" in seat.line("now ")
        desk = seat.desk
        book = desk.market.book("BTC-USDT")
        up = tuple((price + 1000, size) for price, size in book.asks)
        desk.market.apply(replace(book, asks=up), seat.rig.session.synthetic)
        await seat.look()
        assert "past the worst" in seat.line("now ")
        await seat.press("escape", "p")
        await seat.look()
        assert " gone " in seat.line(" BUY "), "why it stands last"


async def test_a_trade_that_the_venue_ended_was_sent(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        trade = await bought(seat)
        assert trade.payload is not None
        trade.state, trade.reason = TradeState.CANCELLED, "the other exit sold it"
        assert outcome(trade, "confirmed")[0] == "Cancelled: the other exit sold it. It had been sent."
        trade.payload.state = PayloadState.DROPPED
        assert outcome(trade, "confirmed")[0].endswith("Nothing was sent.")


async def test_why_it_came_to_nothing_is_one_sentence_after_the_other(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        trade = await seat.propose()
        trade.state, trade.reason = TradeState.FAILED, "It was unplugged. (The device said: closed.)"
        said = "Failed: It was unplugged. (The device said: closed.) Nothing was sent."
        assert outcome(trade, "confirmed")[0] == said
        trade.state, trade.reason = TradeState.REFUSED, "Given up at the terminal."
        assert outcome(trade, "confirmed")[0].startswith("Given up at the terminal. Nothing was sent. Refuse on the")
        trade.state = TradeState.PREPARED
