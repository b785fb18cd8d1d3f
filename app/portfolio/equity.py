"""The equity curve as the risk gate needs it: trading capital plus profit, its peak, and its value at 00:00 UTC.

Equity is the *trading capital* (what the modules were allocated) plus trading profit. Idle cash of a venue is not in
it: a paper account holds 10,000 of each quote asset, and a fall of bitcoin is not a loss of a dollar trade.

The curve is kept in profit alone, and put on the present capital when the gate asks. Another allocation is no loss and
no gain; samples that had their day's capital in them would make it one at the next start.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.money import ZERO, add

DAY_MS = 86_400_000


@dataclass(slots=True)
class EquityCurve:
    """Samples in, the three numbers out. Persisted samples rebuild it after a restart.

    Attributes:
        begun: False while what was earned before the first sample is not known; that sample is then where it starts.
            An account that never traded has earned nothing, which is known.
    """

    profit: Decimal = ZERO
    peak: Decimal = ZERO
    day_start: Decimal = ZERO
    day: int = -1
    begun: bool = True

    def sample(self, ts_ms: int, profit: Decimal) -> None:
        """Take a sample; a new UTC day starts from the last value of the day before."""
        if not self.begun:
            self.profit, self.begun = profit, True
        day = ts_ms // DAY_MS
        if day > self.day:  # a clock that was set back over midnight makes no new day, and forgives no loss
            self.day_start = self.profit
            self.day = day
        self.profit = profit
        self.peak = max(self.peak, profit)

    def on(self, capital: Decimal) -> tuple[Decimal, Decimal, Decimal]:
        """Equity, its peak and its value at the start of the day, all on `capital`."""
        return add(capital, self.profit), add(capital, self.peak), add(capital, self.day_start)
