"""After a restart somebody tells what became of the trades that were under way."""

from __future__ import annotations

from pathlib import Path

from app.tui.widgets.log import LogPane
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
