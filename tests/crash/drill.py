"""The trader of the campaign: the product's own command line with one extra module that trades all the time, and the
grid with such parameters that it does too.

``python -m tests.crash.drill run --headless ...``. The module is registered here and nowhere in the product. Nothing
else is changed but how often the log is moved into the database, so that kill points fall into that too; no switch of
the product knows about crashes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import storage.writer
from app.__main__ import main
from app.engine import registry
from strategies import grid
from strategies.base import API_VERSION, ModuleSpec
from strategies.model import Bar, Direction, Position, Signal

BARS = 90


@dataclass(frozen=True, slots=True)
class DrillParams:
    """Nothing to set."""


class Drill:
    """Buys whenever it is flat; every second position is closed by signal after four bars, others by their exits."""

    def __init__(self) -> None:
        self._bars = 0

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        """One decision a bar."""
        self._bars += 1
        close = float(bar.close)
        if position is None:
            return Signal(bar.symbol, Direction.LONG, 0.5, 0.5, "drill", close * 0.99, close * 1.01)
        held = (bar.close_ms - position.opened_ms) // bar.timeframe_ms
        if held >= 4 and (position.opened_ms // bar.timeframe_ms) % 2:
            return Signal(bar.symbol, Direction.FLAT, 0.5, 0.5, "drill is over")
        return None


SPEC = ModuleSpec("drill", "1", API_VERSION, DrillParams, lambda _: Drill(), lambda _: 1)


def write_candles(path: Path) -> Path:
    """A market that rises and falls by half a percent a minute, so that stops and targets are hit in turn."""
    lines, price = ["timestamp_ms,open,high,low,close,volume"], Decimal("100.00")
    for minute in range(BARS):
        rises = (minute // 7) % 2 == 0
        close = price + (Decimal("0.50") if rises else Decimal("-0.50"))
        high, low = max(price, close) + Decimal("0.10"), min(price, close) - Decimal("0.10")
        lines.append(f"{1_600_000_020_000 + minute * 60_000},{price},{high},{low},{close},{1000 + minute}.0001")
        price = close
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    storage.writer._CHECKPOINT_BUSY = 40  # type: ignore[misc]  # a Final of the product, smaller here
    registry.available = lambda: [registry.Available("drill", SPEC), registry.Available("grid", grid.SPEC)]
    sys.exit(main())
