"""The Orders screen: what lives first, filters, one order in full, orders in doubt, and thousands of them."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from app.tui.screens.paged import SIZE, Paged
from app.tui.widgets.reader import Reader
from tests.execution.basket_acts import basket_intent
from tests.tui.acts import bought, send, sold
from tests.tui.harness import SIZES, WIDE_SCREEN, Seat, terminal
from tests.tui.many import past


def _view(seat: Seat) -> Paged:
    return seat.app.screen_stack[0].query_one("#view-orders", Paged)


async def _read(seat: Seat) -> None:
    """Until what is wanted has been read."""
    view = _view(seat)
    await seat.until(lambda: view.pages.wanted == view.wanted())
    await seat.look()


async def _open(seat: Seat) -> None:
    await seat.press("3")
    await _read(seat)


async def _whole_detail(seat: Seat) -> str:
    reader = _view(seat).query_one("#detail", Reader)
    await seat.until(lambda: len(reader._document(70)) > 1)
    return "\n".join("".join(text for text, _ in each.pieces) for each in reader._document(70))


@pytest.mark.parametrize("size", SIZES)
async def test_live_first_and_one_order_in_full(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        trade = await bought(seat)
        await _open(seat)
        assert "Orders (3)" in seat.text()
        drawn = [text for text in _view(seat).table.text_lines()[1:] if text]
        assert [text.split()[2] for text in drawn] == ["open", "open", "filled"]
        await seat.press("end", "enter")
        text = await _whole_detail(seat)
        assert trade.payload is not None
        for line in trade.payload.text.split("\n"):
            assert f"  {line}" in text.splitlines()
        assert seat.desk.terms.signer_address in text
        for part in (
            "Events",
            "pending",
            "filled 0.001",
            "entry buy 0.001",
            "decide ",
            "sign ",
            "0 bps beyond the touch",
        ):
            assert part in text
        await seat.press("escape")
        assert seat.app.screen.query_one("#orders").has_focus


@pytest.mark.parametrize("size", SIZES)
async def test_filters_by_state(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await bought(seat)
        await _open(seat)
        for name, shown in (("live", "Orders (2)"), ("unknown", "Nothing here is unknown"), ("ended", "Orders (1)")):
            await seat.press("f")
            await _read(seat)
            assert shown in seat.text()
            assert name in seat.text()
        await seat.press("f")
        await _read(seat)
        assert "Orders (3)" in seat.text()


async def test_text_is_found_kept_and_cleared_and_keys_typed_into_it_are_text(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await bought(seat)
        await bought(seat, "0.05", "ETH-USDT")
        await _open(seat)
        await seat.press("slash", *"eth")
        await _read(seat)
        assert "Orders (3)  'eth'" in seat.text()
        assert "BTC-USDT" not in seat.text()
        await seat.press("enter")
        assert seat.app.screen.query_one("#orders").has_focus
        assert "'eth'" in seat.text()
        await seat.press("escape")
        await _read(seat)
        assert "Orders (6)" in seat.text()
        await seat.press("slash", *"f3")
        await _read(seat)
        assert (_view(seat).choice, _view(seat).text, seat.app.current) == ("all", "f3", "orders")
        await seat.press("escape")
        assert seat.app.screen.query_one("#orders").has_focus


async def test_what_is_typed_can_be_no_markup(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await _open(seat)
        await seat.press("slash", "left_square_bracket", "b", "right_square_bracket")
        await _read(seat)
        assert "'[b]'" in seat.text()


@pytest.mark.parametrize("size", SIZES)
async def test_an_order_in_doubt_stands_out_with_what_to_do(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        trade = await bought(seat)
        stop = trade.orders["stop"].request.client_id
        with sqlite3.connect(tmp_path / "a.db") as connection:
            connection.execute("UPDATE orders SET state = 'UNKNOWN' WHERE client_id = ?", (stop,))
        await _open(seat)
        assert "1 order UNKNOWN: maybe sent; being looked up; do not repeat" in seat.text()
        await seat.press("f", "f", "f")
        await _read(seat)
        assert "1 order UNKNOWN" in seat.text(), "whatever is filtered"
        await seat.press("f", "f", "f")
        await _read(seat)
        await seat.press("home", "enter")
        assert "UNKNOWN: maybe sent; being looked up; do not repeat" in await _whole_detail(seat)


async def test_no_orders_say_how_one_comes_about(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await _open(seat)
        assert "No orders yet. Confirm a proposal to send one" in seat.text()
        await seat.press("enter")
        assert seat.app.screen.query_one("#orders").has_focus


async def test_new_orders_appear_by_themselves(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await bought(seat)
        await _open(seat)
        await sold(seat)
        await seat.until(lambda: "Orders (4)" in seat.text())


async def test_thousands_are_read_a_page_at_a_time_and_never_on_the_loop(tmp_path: Path) -> None:
    past(tmp_path / "a.db", 5_000)
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        asked: list[str] = []
        seat.rig.session.reader.connection.set_trace_callback(asked.append)
        await _open(seat)
        table = _view(seat).table
        assert "Orders (5,000)  page 1 of 25" in seat.text()
        assert len(table.keys) == SIZE
        newest = list(table.keys)
        await seat.press("end")
        assert table.keys == newest, "the end of the page first"
        await seat.press("down")
        await _read(seat)
        assert "page 2 of 25" in seat.text()
        assert table.cursor == f"{4_800:031x}f"
        assert len(table.keys) == SIZE
        await bought(seat)
        await seat.look()
        await _read(seat)
        assert table.cursor == f"{4_800:031x}f", "what is new does not move the past"
        assert not set(table.keys) & set(newest)
        await seat.press("up")
        await _read(seat)
        assert "page 1 of 26" in seat.text()
        assert table.keys[:3] != newest[:3], "and here it is"
        assert table.cursor == table.keys[-1]
        await seat.press("end", "down", "home")
        await _read(seat)
        assert "page 1 of 26" in seat.text()
        assert [sql for sql in asked if " orders " in sql and "OFFSET" in sql] == []


async def test_orders_are_there_after_the_engine_stopped(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await bought(seat)
        await seat.host.end("test")
        await seat.look()
        await _open(seat)
        assert "Orders (3)" in seat.text()


async def test_a_row_that_can_not_be_read_is_said(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await bought(seat)
        with sqlite3.connect(tmp_path / "a.db") as connection:
            connection.execute("UPDATE orders SET terms = 'none' WHERE role = 'stop'")
        await seat.press("3")
        await seat.until(lambda: "A row can not be read" in seat.text())


async def test_all_legs_of_a_basket_are_taken_back_with_one_key(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        ask = seat.desk.market.quote("BTC-USDT").ask
        prices = [int(ask) - step for step in (100, 200, 300)]
        shape = [(str(price), "0.00005", str(price + 500)) for price in prices]
        made = replace(basket_intent(seat.rig, shape, stop=str(prices[-1] - 500), module="momentum"), symbol="BTC-USDT")
        trade = seat.rig.pipeline.propose(made)
        assert trade is not None, seat.desk.counters.by_rule
        await seat.rig.settle()
        await send(seat, trade)
        await _open(seat)
        table = _view(seat).table
        table.focus()
        table.mark(trade.orders["stop:2"].request.client_id)
        await seat.press("X")
        await seat.until(lambda: trade.state.value == "CANCELLED")
        said = "3 legs taken back: 0 of 0.00015 was bought."
        await seat.until(lambda: any(said in each.message for each in seat.app._notifications))
        assert [entry.state.value for entry in trade.entries] == ["CANCELLED"] * 3
