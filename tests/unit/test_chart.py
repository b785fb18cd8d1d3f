"""The price axis of the chart: what a price looks like in its few cells."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.tui.glyphs import UNICODE
from app.tui.widgets.chart import Candle, draw


@pytest.mark.parametrize(
    ("low", "high", "tick", "labels"),
    [
        (2400, 2600, "0.000001", ["2,600.0000", "2,400.0000"]),
        (0.000019, 0.00002, "0.000000000001", ["0.00002000", "0.00001900"]),
        (60_000, 61_000, "0.01", ["61,000.00", "60,000.00"]),
        (1_000_000_000, 2_000_000_000, "1", ["…", "…"]),
    ],
)
def test_a_price_has_as_many_decimals_as_the_axis_holds(low: float, high: float, tick: str, labels: list[str]) -> None:
    lines = draw([Candle(low, high, low, high)], [], 20, 10, UNICODE, Decimal(tick))
    texts = ["".join(piece[0] for piece in each.pieces).split()[-1] for each in lines]
    assert (texts[0], texts[-1]) == tuple(labels)
