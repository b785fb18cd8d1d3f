"""What the newest bars say of each instrument: volatility, and how two of them move together. Pure memory.

All figures are of log returns between the closes of consecutive bars, and a function of the last `REMEMBERED` bars
alone, with exact sums: after a restart, fed with those bars again, every figure is the same to the last bit.

- Volatility: standard deviation of the last `VOLATILITY_BARS` returns, annualised (365 days of 24 hours; Hull,
  "Options, Futures, and Other Derivatives", estimating volatility from historical data). At least `LEAST_VOLATILITY`.
- Volatility ratio: the same without the annualisation, over that of the last `REMEMBERED` returns, at least
  `LEAST_AVERAGE` of them.
- Correlation (Pearson) of two instruments: over those of the last `CORRELATION_BARS` returns of either that begin and
  end at the same two instants, at least `LEAST_CORRELATION` of them. Bars that close at different instants have none in
  common. Unknown then, and where one of the two did not move at all.

A gap between bars counts as one bar, which overstates the volatility. Figures are rounded up to four decimals and are
decimals from there on: what is compared with a limit is what is shown. They are computed when a bar is new, or when
they are first asked for after it; not for each intent.
"""

from __future__ import annotations

import math
from collections import deque
from decimal import Decimal
from typing import Final, NamedTuple

from app.money import CEILING, from_float, quantise
from strategies.model import Bar

VOLATILITY_BARS: Final = 60
LEAST_VOLATILITY: Final = 20
CORRELATION_BARS: Final = 120
LEAST_CORRELATION: Final = 30
REMEMBERED: Final = 480
LEAST_AVERAGE: Final = 240

_YEAR_MS: Final = 365 * 24 * 3_600_000
_PLACES: Final = 4
_UNITS: Final = 10**12


class _Return(NamedTuple):
    """Log return from the close at `start_ms` to the close at `end_ms`, in units of 1e-12."""

    start_ms: int
    end_ms: int
    value: int


class _Window:
    """Sum and sum of squares of the newest `most` returns. Of whole numbers: what leaves is taken off exactly, so a bar
    costs the same whatever the window, and nothing drifts (a float window would have to be summed anew, 140 us a bar).
    """

    __slots__ = ("_most", "_squares", "_sum", "_values")

    def __init__(self, most: int) -> None:
        self._values: deque[int] = deque()
        self._most = most
        self._sum = self._squares = 0

    def add(self, value: int) -> None:
        self._values.append(value)
        self._sum += value
        self._squares += value * value
        if len(self._values) > self._most:
            old = self._values.popleft()
            self._sum -= old
            self._squares -= old * old

    def deviation(self, least: int) -> float | None:
        """Sample standard deviation; None of fewer than `least`."""
        count = len(self._values)
        if count < least:
            return None
        return math.sqrt((count * self._squares - self._sum * self._sum) / (count * (count - 1))) / _UNITS


class _Series:
    """One instrument."""

    __slots__ = ("_average", "_close", "_recent", "close_ms", "ratio", "returns", "timeframe_ms", "volatility_pct")

    def __init__(self, bar: Bar) -> None:
        self.timeframe_ms = bar.timeframe_ms
        self.close_ms = bar.close_ms
        self.returns: deque[_Return] = deque(maxlen=CORRELATION_BARS)
        self.volatility_pct: Decimal | None = None
        self.ratio: Decimal | None = None
        self._close = float(bar.close)
        self._recent, self._average = _Window(VOLATILITY_BARS), _Window(REMEMBERED)

    def observe(self, bar: Bar) -> None:
        close = float(bar.close)
        value = round(math.log(close / self._close) * _UNITS)
        self.returns.append(_Return(self.close_ms, bar.close_ms, value))
        self._recent.add(value)
        self._average.add(value)
        self._close, self.close_ms = close, bar.close_ms
        recent, average = self._recent.deviation(LEAST_VOLATILITY), self._average.deviation(LEAST_AVERAGE)
        if recent is not None:
            self.volatility_pct = _rounded(recent * math.sqrt(_YEAR_MS / self.timeframe_ms) * 100.0)
        self.ratio = None if recent is None or not average else _rounded(recent / average)


class BarStatistics:
    """Of every instrument that had bars."""

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}
        self.newest_ms: int | None = None
        """When the newest bar of all closed."""
        self._correlations: dict[tuple[str, str], tuple[int, int, Decimal | None]] = {}
        """By pair: the two instants the figure was computed at, and the figure."""

    def observe(self, bar: Bar) -> None:
        """Take a finished bar. One that is not newer than the last is left out; another timeframe begins anew."""
        self.newest_ms = bar.close_ms if self.newest_ms is None else max(self.newest_ms, bar.close_ms)
        if not 0.0 < float(bar.close) < math.inf:
            self._series.pop(bar.symbol, None)  # no logarithm: what is known of it ends here
            return
        series = self._series.get(bar.symbol)
        if series is None or series.timeframe_ms != bar.timeframe_ms:
            self._series[bar.symbol] = _Series(bar)
        elif bar.close_ms > series.close_ms:
            series.observe(bar)

    def volatility_pct(self, symbol: str) -> Decimal | None:
        """Annualised, percent; None while there are too few bars."""
        series = self._series.get(symbol)
        return None if series is None else series.volatility_pct

    def volatility_ratio(self) -> Decimal | None:
        """Recent volatility over its own longer average, in the middle of all instruments: of an even number the
        larger of the middle two. None while no instrument has enough bars."""
        ratios = sorted(series.ratio for series in self._series.values() if series.ratio is not None)
        return ratios[len(ratios) // 2] if ratios else None

    def returns(self, symbol: str) -> int:
        """How many returns are known, up to `CORRELATION_BARS`: for the words about a figure that is not."""
        series = self._series.get(symbol)
        return 0 if series is None else len(series.returns)

    def correlation(self, one: str, other: str) -> Decimal | None:
        """From -1 to 1; None when it is not known. An instrument with itself: 1."""
        if one == other:
            return Decimal(1)
        pair = (one, other) if one < other else (other, one)
        first, second = self._series.get(pair[0]), self._series.get(pair[1])
        if first is None or second is None:
            return None
        known = self._correlations.get(pair)
        if known is not None and known[:2] == (first.close_ms, second.close_ms):
            return known[2]
        figure = _correlation(first, second)
        self._correlations[pair] = (first.close_ms, second.close_ms, figure)
        return figure


def _correlation(first: _Series, second: _Series) -> Decimal | None:
    """n * sum(xy) - sum(x) * sum(y) over the root of the same for xx and yy; exact up to the root."""
    mine = {(start_ms, end_ms): value for start_ms, end_ms, value in first.returns}
    pairs = [(mine[each[:2]], each[2]) for each in second.returns if each[:2] in mine]
    count = len(pairs)
    if count < LEAST_CORRELATION:
        return None
    sum_x, sum_y = sum(x for x, _ in pairs), sum(y for _, y in pairs)
    spread_x = count * sum(x * x for x, _ in pairs) - sum_x * sum_x
    spread_y = count * sum(y * y for _, y in pairs) - sum_y * sum_y
    if not spread_x or not spread_y:
        return None
    together = count * sum(x * y for x, y in pairs) - sum_x * sum_y
    return _rounded(max(-1.0, min(1.0, together / (math.sqrt(spread_x) * math.sqrt(spread_y)))))


def _rounded(figure: float) -> Decimal | None:
    """Up, so that a figure never looks smaller than it is; None where there is no number to show."""
    return quantise(from_float(figure), _PLACES, CEILING) if math.isfinite(figure) else None
