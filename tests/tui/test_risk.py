"""The Risk screen: every limit, its use, and nothing that changes anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.tui.widgets.table import Table
from tests.tui.harness import SIZES, terminal


@pytest.mark.parametrize("size", SIZES)
async def test_every_limit_is_shown_with_its_use(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size, settings={"risk.exposure": "100"}) as seat:
        await seat.press("5")
        await seat.look()
        table = seat.app.screen.query_one("#limits", Table)
        assert any(key.strip() == "exposure" for key in table.keys)
        await seat.propose()
        await seat.look()
        row = next(row for row in table._rows if row.key.strip() == "exposure")
        assert row.cells[4][0] != "0 %"
        assert row.cells[2][0] == "100.00"
        assert "Limits" in seat.text()


async def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await seat.press("5")
        assert seat.host.trader is not None
        seat.host.trader.stop("test")
        await seat.until(lambda: seat.host.over)
        await seat.look()
        assert "THE ENGINE STOPPED" in seat.text()
        assert "does not run" in seat.text()
