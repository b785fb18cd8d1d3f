"""After a restart somebody tells what became of the trades that were under way."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from app.tui.widgets.log import LogPane
from tests.tui.acts import bought
from tests.tui.harness import WIDE_SCREEN, terminal


async def test_what_a_restart_ended_is_in_the_log_and_told(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        trade = await seat.propose()
        intent = trade.intent
        task = seat.host._task
        assert task is not None
        task.cancel()  # no orderly end: nothing expires
        await seat.until(lambda: seat.host.over)
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        lines = "\n".join(told.text for told in seat.host.told)
        assert f"expired    {intent.side.value}" in lines
        assert intent.symbol in lines
        assert "restarted before it was signed" in lines
        seat.app.tick()
        assert "restarted" in "\n".join(seat.app.screen.query_one(LogPane).text_lines())
        assert any("restarted" in each.message for each in seat.app._notifications)


async def test_an_exit_of_an_old_position_is_told_as_what_it_is(tmp_path: Path) -> None:
    """After a restart its trade looks new, and a sale by the stop was told as a purchase."""
    async with terminal(tmp_path) as seat:
        trade = await bought(seat)
    async with terminal(tmp_path) as seat:
        assert seat.desk.state.positions.open_holdings()
        book = seat.desk.market.book("BTC-USDT")
        fallen = Decimal(30_000)
        crash = replace(book, bids=((fallen, Decimal(10)),), asks=((fallen + 1, Decimal(10)),), ts_ms=seat.rig.now)
        await seat.rig.venue.market(crash, seat.rig.session.plan.first_event + 1_000_000)
        await seat.until(lambda: not seat.desk.state.positions.open_holdings())
        await seat.look()
        told = [each.message for each in seat.app._notifications]
        assert f"BTC-USDT: the stop sold {trade.intent.quantity:f}" in told
        assert not [each for each in told if "filled" in each]
