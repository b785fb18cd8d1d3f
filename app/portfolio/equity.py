"""The equity curve as the risk gate needs it: trading capital plus profit, its peak, and its value at 00:00 UTC.

Equity is the *trading capital* (what the modules were allocated) plus trading profit. Idle cash of a venue is not in
it: a paper account holds 10,000 of each quote asset, and a fall of bitcoin is not a loss of a dollar trade.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

DAY_MS = 86_400_000


@dataclass(slots=True)
class EquityCurve:
    """Samples in, the three numbers out. Persisted samples rebuild it after a restart."""

    equity: Decimal
    peak: Decimal
    day_start: Decimal
    day: int = -1

    @classmethod
    def starting(cls, capital: Decimal) -> EquityCurve:
        """A curve without history."""
        return cls(capital, capital, capital)

    def sample(self, ts_ms: int, equity: Decimal) -> None:
        """Take a sample; a new UTC day starts from the last value of the day before."""
        day = ts_ms // DAY_MS
        if day != self.day:
            self.day_start = equity if self.day < 0 else self.equity
            self.day = day
        self.equity = equity
        self.peak = max(self.peak, equity)
