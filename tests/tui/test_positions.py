"""The Positions screen: what is held, what protects it, what was closed, what it comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.tui.widgets.reader import Reader
from app.tui.widgets.table import Table
from tests.tui.acts import bought, held, sold
from tests.tui.harness import SIZES, WIDE_SCREEN, Seat, terminal


async def _whole_detail(seat: Seat) -> str:
    """The detail, all of it, whatever part of it is seen."""
    reader = seat.app.screen.query_one("#view-positions #detail", Reader)
    await seat.until(lambda: any("Fills" in "".join(p[0] for p in each.pieces) for each in reader._document(70)))
    return "\n".join("".join(text for text, _ in each.pieces) for each in reader._document(70))


def _rows(seat: Seat) -> list[str]:
    """The open positions, as they are drawn."""
    return [text for text in seat.app.screen.query_one("#held", Table).text_lines()[1:] if text]


@pytest.mark.parametrize("size", SIZES)
async def test_a_position_and_its_detail(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        trade = await bought(seat, "0.002")
        await seat.press("2")
        assert "Positions (1)" in seat.text()
        (row,) = _rows(seat)
        assert "covered" in row if size == WIDE_SCREEN else "+3" in row, "narrow: the target; UNCOVERED stays"
        assert "0.002" in row
        assert "bp" in row, "how far the stop is"
        assert ("Lots" in seat.text()) == (size == WIDE_SCREEN)
        await seat.press("enter")
        assert "Lots" in seat.text()
        assert ("Positions (1)" in seat.text()) == (size == WIDE_SCREEN), "one thing at a time where there is no room"
        text = await _whole_detail(seat)
        for part in ("unrealised", "realised", "fees", "bps from the mark, covers 0.002, open", "0.002 at "):
            assert part in text
        assert f"{trade.id[:8]} filled: 0 bps beyond the touch" in text
        assert "entry buy 0.002" in text
        assert [role in text for role in ("entry", "stop", "target")] == [True] * 3
        await seat.press("escape")
        assert "Positions (1)" in seat.text()
        assert seat.app.screen.query_one("#held").has_focus


@pytest.mark.parametrize("size", SIZES)
async def test_nothing_held_and_nothing_closed_say_why_and_what_to_press(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await seat.press("2")
        assert "No open positions. Confirm a proposal" in seat.text()
        assert "Nothing was traded yet" in seat.text()
        await seat.press("tab")
        assert "Nothing was closed since 00:00 UTC" in seat.text()
        await seat.press("enter")
        assert seat.app.screen.query_one("#trips").has_focus, "there is nothing to open"


async def test_uncovered_is_loud_in_the_title_the_row_and_the_detail(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        trade = await bought(seat, "0.002")
        session = seat.rig.session
        for role in ("stop", "target"):
            await session.venue.cancel(trade.orders[role].request.client_id)
        await session.recovery.resume(session.pipeline)
        await seat.rig.settle()
        await seat.press("2")
        assert "1 UNCOVERED" in seat.line("Positions (1)")
        (row,) = _rows(seat)
        assert "UNCOVERED" in row
        assert "UNCOVERED: no stop rests for 0.002 of" in seat.text()


@pytest.mark.parametrize("size", SIZES)
async def test_a_closed_round_trip_and_the_totals(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await bought(seat, "0.002")
        await sold(seat, "0.002")
        assert held(seat) == 0
        await seat.press("2", "tab")
        assert "Closed today (1)" in seat.text()
        assert "-0." in seat.line("│ USDT "), "both sides paid a fee"
        assert "-0." in seat.line("│ all ")
        await seat.press("enter")
        assert "closed by momentum" in seat.text()
        assert "net of fees" in seat.text()
        await seat.press("escape", "shift+tab")
        assert seat.app.screen.query_one("#held").has_focus


async def test_without_an_engine_it_says_that_nothing_is_known(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await bought(seat)
        await seat.press("2")
        await seat.host.end("test")
        await seat.look()
        assert "so nothing here is known" in seat.text()
        assert "Positions (1)" not in seat.text()


async def test_keys_of_other_panes_do_nothing_here(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await bought(seat)
        waiting = await seat.propose(symbol="ETH-USDT", quantity="0.05")
        await seat.press("2")
        before = seat.rig.session.writer.head
        await seat.press("x", "f", "v", "S", "c", "e", "slash", "enter", "enter", "S")
        await seat.rig.settle()
        assert seat.rig.session.writer.head == before
        assert waiting.state.value == "PREPARED"
        assert seat.dialog == ""


async def test_c_proposes_to_close_the_position_under_the_cursor_and_not_from_the_closed_ones(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await bought(seat)
        await seat.press("2")
        seat.app.screen.query_one("#trips").focus()
        await seat.press("C")
        assert seat.rig.pipeline.proposals.waiting() == []
        seat.app.screen.query_one("#held").focus()
        await seat.press("C")
        await seat.until(lambda: seat.dialog == "ConfirmDialog")
        (close,) = seat.rig.pipeline.proposals.waiting()
        assert close.intent.reduce_only


async def test_an_exit_that_protects_a_position_is_not_taken_back(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        trade = await bought(seat)
        await seat.press("3")
        table = seat.app.screen.query_one("#orders", Table)
        await seat.until(lambda: bool(table.keys))
        table.focus()
        table.mark(trade.orders["stop"].request.client_id)
        await seat.press("c")
        await seat.rig.settle()
        await seat.look()
        assert any("protects an open position" in each.message for each in seat.app._notifications)
        assert trade.orders["stop"].live


async def test_in_ascii_nothing_else_is_drawn(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN, ascii_only=True) as seat:
        await bought(seat)
        for key in ("2", "3", "6"):
            await seat.press(key)
            await seat.until(lambda: "reading" not in seat.text())
            assert [line for line in seat.text().splitlines() if not line.replace("…", "~").isascii()] == []
