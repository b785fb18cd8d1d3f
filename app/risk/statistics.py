"""What the newest bars say of each instrument: volatility, and how two of them move together. Pure memory.

All figures are of log returns between the closes of consecutive bars, and a function of the last `REMEMBERED` bars
alone: after a restart, fed with those bars again, every figure is the same to the last bit.

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


class _Return(NamedTuple):
    """Log return from the close at `start_ms` to the close at `end_ms`."""

    start_ms: int
    end_ms: int
    value: float


class _Series:
    """One instrument."""

    __slots__ = ("close", "close_ms", "ratio", "returns", "timeframe_ms", "volatility_pct")

    def __init__(self, bar: Bar) -> None:
        self.timeframe_ms = bar.timeframe_ms
        self.close_ms = bar.close_ms
        self.close = float(bar.close)
        self.returns: deque[_Return] = deque(maxlen=REMEMBERED)
        self.volatility_pct: Decimal | None = None
        self.ratio: Decimal | None = None

    def observe(self, bar: Bar) -> None:
        close = float(bar.close)
        self.returns.append(_Return(self.close_ms, bar.close_ms, math.log(close / self.close)))
        self.close, self.close_ms = close, bar.close_ms
        self._measure()

    def _measure(self) -> None:
        values = [each.value for each in self.returns]
        if len(values) < LEAST_VOLATILITY:
            return
        recent = _deviation(values[-VOLATILITY_BARS:])
        annual = recent * math.sqrt(_YEAR_MS / self.timeframe_ms)
        self.volatility_pct = _rounded(annual * 100.0)
        if len(values) >= LEAST_AVERAGE:
            average = _deviation(values)
            self.ratio = _rounded(recent / average) if average > 0.0 else None


class BarStatistics:
    """Of every instrument that had bars."""

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}
        self._correlations: dict[tuple[str, str], tuple[int, int, Decimal | None]] = {}
        """By pair: the two instants the figure was computed at, and the figure."""

    def observe(self, bar: Bar) -> None:
        """Take a finished bar. One that is not newer than the last is left out; another timeframe begins anew."""
        if bar.close <= 0:
            self._series.pop(bar.symbol, None)
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
        """How many returns are known, for the words about a figure that is not."""
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
    mine = {(each.start_ms, each.end_ms): each.value for each in _newest(first)}
    pairs = [
        (mine[each.start_ms, each.end_ms], each.value)
        for each in _newest(second)
        if (each.start_ms, each.end_ms) in mine
    ]
    count = len(pairs)
    if count < LEAST_CORRELATION:
        return None
    mean_x = math.fsum(x for x, _ in pairs) / count
    mean_y = math.fsum(y for _, y in pairs) / count
    spread_x = math.fsum((x - mean_x) ** 2 for x, _ in pairs)
    spread_y = math.fsum((y - mean_y) ** 2 for _, y in pairs)
    scale = math.sqrt(spread_x) * math.sqrt(spread_y)
    if scale <= 0.0:
        return None
    together = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs)
    return _rounded(max(-1.0, min(1.0, together / scale)))


def _newest(series: _Series) -> list[_Return]:
    return list(series.returns)[-CORRELATION_BARS:]


def _deviation(values: list[float]) -> float:
    """Sample standard deviation."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum([(away := value - mean) * away for value in values]) / (len(values) - 1))


def _rounded(figure: float) -> Decimal | None:
    """Up, so that a figure never looks smaller than it is; None where there is no number to show."""
    return quantise(from_float(figure), _PLACES, CEILING) if math.isfinite(figure) else None
