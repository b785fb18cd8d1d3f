"""A basket as it is read before it is confirmed: every leg, and what all of them can win and lose."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from app.snapshots.trades import confirmation
from app.tui.glyphs import ASCII
from app.tui.screens.confirm_text import document
from tests.execution.basket_acts import basket
from tests.execution.harness import rig


async def test_what_is_read_before_confirming_says_what_all_legs_can_win_and_lose(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await basket(r)
        seen = confirmation(r.desk, trade)
        fees = Decimal("0.099") + Decimal("0.098") + Decimal("0.097")
        assert seen.at_stop == -24 - fees - Decimal("0.27")
        assert seen.at_target == 6 - fees - Decimal("0.3")
        assert r.pipeline.proposals._value(trade.intent) == 294
        shown = "\n".join("".join(text for text, _ in each.pieces) for each in document(seen, 100, ASCII))
        assert all(line in shown for line in trade.payload.text.split("\n"))  # type: ignore[union-attr]  # prepared
        assert "Leg 2: 1 at 98 rests 200 bps below the ask; sells at 100." in shown
        assert "nothing would fill now" not in shown
        r.pipeline.proposals.decline(trade.id)
        await r.finished(trade)
        assert r.hold(trade) == ("0", "RELEASED")
