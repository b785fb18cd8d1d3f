"""The manual ticket and closing from the keyboard: proposed here, confirmed like everything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from app.execution.states import TradeState
from tests.tui.harness import SIZES, Seat, terminal


def _put(seat: Seat, **fields: str) -> None:
    for name, text in fields.items():
        seat.app.screen.query_one(f"#field-{name}", Input).value = text


ON = {"manual.allocation": "100000"}


@pytest.mark.parametrize("size", SIZES)
async def test_a_ticket_is_judged_while_it_is_typed_and_opens_its_confirmation(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with terminal(tmp_path, size, settings=ON) as seat:
        await seat.press("b")
        assert seat.dialog == "TicketDialog"
        assert "BTC-USDT" in seat.text()
        assert "quantity: is needed" in seat.text()
        await seat.press(*"0.001")
        bid = seat.desk.market.quote("BTC-USDT").bid
        _put(seat, stop=str(round(bid * 98 / 100)))
        await seat.look()
        assert "The gate would allow it" in seat.text()
        await seat.press("enter", "enter", "enter")
        assert seat.rig.pipeline.proposals.waiting() == []
        await seat.press("ctrl+s")
        await seat.until(lambda: seat.dialog == "ConfirmDialog")
        (trade,) = seat.rig.pipeline.proposals.waiting()
        assert trade.intent.module == "manual"
        await seat.look()
        assert "BUY 0.001 BTC-USDT" in seat.text()


async def test_a_ticket_with_a_problem_is_not_proposed_and_escape_leaves_no_trace(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48), settings=ON) as seat:
        await seat.press("b")
        _put(seat, quantity="lots", stop="-1")
        await seat.look()
        await seat.press("ctrl+s")
        assert "Not proposed" in seat.text()
        assert seat.dialog == "TicketDialog"
        await seat.press("escape")
        assert seat.dialog == ""
        assert seat.rig.rows("SELECT * FROM trades") == []


async def test_what_the_gate_denies_is_said_before_and_not_sent(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48), settings={"manual.allocation": "1"}) as seat:
        await seat.press("b")
        bid = seat.desk.market.quote("BTC-USDT").bid
        _put(seat, quantity="0.001", stop=str(round(bid * 98 / 100)))
        await seat.look()
        assert "would deny it" in seat.text()
        await seat.press("ctrl+s")
        await seat.look()
        assert seat.rig.pipeline.proposals.waiting() == []


async def test_a_position_is_closed_from_its_pane_and_from_no_other(tmp_path: Path) -> None:
    async with terminal(tmp_path, (160, 48)) as seat:
        trade = await seat.propose()
        await seat.confirmed(trade)
        await seat.press(*["right"] * 12, "A")
        await seat.became(trade, "FILLED")
        for pane in ("watch", "chart", "book", "proposals", "log"):
            seat.app.screen.query_one(f"#{pane}").focus()
            await seat.press("C")
        assert seat.rig.pipeline.proposals.waiting() == []
        seat.app.screen.query_one("#positions").focus()
        await seat.press("C")
        await seat.until(lambda: seat.dialog == "ConfirmDialog")
        (close,) = seat.rig.pipeline.proposals.waiting()
        assert close.intent.reduce_only
        assert close.state is TradeState.PREPARED
        assert close.intent.quantity == trade.intent.quantity
