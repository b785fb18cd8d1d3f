"""What the risk gate is told beyond ledger and market: statistics of bars, errors of late, the adaptive profile. Read
from the record at the start, so that a session that was interrupted judges like one that was not."""

from __future__ import annotations

import json
from collections import deque
from decimal import Decimal
from typing import Final

from app.errors import UNCOUNTED
from app.money import ZERO, add, div, mul, sub
from app.portfolio.equity import EquityCurve
from app.risk.adaptive import Facts, Level, Profile
from app.risk.statistics import BarStatistics
from storage.database import Reader
from storage.journal import canonical
from strategies.model import Bar, Quote

PROFILE_KEY: Final = "risk.profile"
"""Of the adaptive profile in `meta`."""
_UP: Final = "ROUND_UP"
_BPS_PER_HALF: Final = Decimal(20_000)
_MOST_GAP_BARS: Final = 10
"""Bars' lengths without a bar of any instrument after which a calm time begins anew."""
_REMEMBERED_ERRORS: Final = 100_001
"""One more than the largest limit on them."""


class RiskWatch:
    """Memory of one session.

    Attributes:
        profile: the adaptive profile.
    """

    def __init__(self, profile: Profile, errors_ms: deque[int], curve: EquityCurve) -> None:
        self.statistics = BarStatistics()
        self.profile = profile
        self._errors_ms = errors_ms
        self._spreads: dict[str, Decimal] = {}
        self._profit, self._peak = curve.profit, curve.peak

    def count_error(self, ts_ms: int, code: str) -> None:
        """An error was stored. Some are not counted (`UNCOUNTED` says why)."""
        if code not in UNCOUNTED:
            self._errors_ms.append(ts_ms)

    def unwatched(self, bar: Bar) -> bool:
        """Whether no bar was seen for so long before `bar` that nobody knows how calm the market was. To be asked
        before the statistics have it."""
        newest = self.statistics.newest_ms
        return newest is None or bar.close_ms - newest > _MOST_GAP_BARS * bar.timeframe_ms

    def errors_since(self, ts_ms: int) -> int:
        """Errors stored after `ts_ms`."""
        count = 0
        for stored_ms in reversed(self._errors_ms):
            if stored_ms <= ts_ms:
                break
            count += 1
        return count

    def sampled(self, profit: Decimal) -> None:
        """A sample of the equity curve was stored. The profile is judged by stored ones alone: those in between are
        not known to a session that starts again."""
        self._profit, self._peak = profit, max(self._peak, profit)

    def saw_quote(self, quote: Quote | None) -> None:
        """The quote that stands as a bar of its instrument closes. One that is made from bars has the spread of the
        settings and says nothing."""
        if quote is not None and not quote.synthetic and quote.ask >= quote.bid > ZERO:
            self._spreads[quote.symbol] = spread_of(quote)

    def facts(self, capital: Decimal, losses_in_row: int, errors: int) -> Facts:
        """What the profile is judged by now."""
        spreads = sorted(self._spreads.values())
        return Facts(
            volatility_ratio=self.statistics.volatility_ratio(),
            losses_in_row=losses_in_row,
            equity=add(capital, self._profit),
            equity_peak=add(capital, self._peak),
            errors=errors,
            spread_bps=spreads[len(spreads) // 2] if spreads else None,
        )


def spread_of(quote: Quote) -> Decimal:
    """Basis points of the mid, rounded up to two decimals."""
    return div(mul(sub(quote.ask, quote.bid), _BPS_PER_HALF), add(quote.ask, quote.bid), 2, _UP)


def load_watch(reader: Reader, curve: EquityCurve) -> RiskWatch:
    """As the record leaves it. A profile that can not be read is defensive: it may have been."""
    sql = "SELECT ts_ms FROM errors WHERE code NOT IN (?, ?) ORDER BY id DESC LIMIT ?"
    rows = reader.rows(sql, (*UNCOUNTED, _REMEMBERED_ERRORS))
    stored = deque((row["ts_ms"] for row in reversed(rows)), maxlen=_REMEMBERED_ERRORS)
    return RiskWatch(profile_of(reader), stored, curve)


def profile_of(reader: Reader) -> Profile:
    """The adaptive profile on record; normal where there is none."""
    text = reader.value("SELECT value FROM meta WHERE key = ?", (PROFILE_KEY,))
    if text is None:
        return Profile()
    try:
        level, reason, since_ms, calm_ms = json.loads(text)
        return Profile(Level(level), str(reason), int(since_ms), None if calm_ms is None else int(calm_ms))
    except (ValueError, TypeError):
        return Profile(Level.DEFENSIVE, "the profile on record can not be read")


def profile_row(profile: Profile) -> tuple[str, tuple[str, str]]:
    """The statement that stores it."""
    text = canonical([profile.level.value, profile.reason, profile.since_ms, profile.calm_ms])
    return "INSERT OR REPLACE INTO meta VALUES (?, ?)", (PROFILE_KEY, text)
