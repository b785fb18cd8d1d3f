"""What became of the proposals, counted on the screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.harness import SIZES, terminal


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_refused_is_counted_and_followed(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        trade = await seat.propose()
        await seat.press("w")
        assert seat.dialog == "", "only the proposals answer to it"
        seat.app.do.show("trade")
        view = seat.app.view
        assert view is not None
        view.show_pane("proposals")
        await seat.look()
        await seat.press("x")
        await seat.became(trade, "DECLINED")
        await seat.press("w")
        await seat.until(lambda: seat.dialog == "TextDialog")
        await seat.look()
        assert seat.line("proposed").split()[-2:] != ["proposed"]
        assert " 1 " in seat.line(" declined  ") + " "
        await seat.press("end")
        assert "HYPOTHETICAL" in seat.text() or "would have made" in seat.text()
        await seat.press("?")
        assert seat.dialog == "HelpDialog"
