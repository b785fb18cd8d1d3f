"""Mean reversion: buy a dip far below the recent mean in a market that ranges, with the mean as the target.

It decides for one instrument, on finished bars, and keeps nothing but its indicators; what is held arrives with every
bar.

**Entry**, only while flat and warm. The close is at least `entry_z` standard deviations below the mean of the last
`window_bars` closes (this bar's included), and three things agree:

- *oversold*: the RSI is at or below `rsi_ceiling`. A close far below the mean that was reached in one step says less.
- *alive*: the deviation of the closes is at least `min_sigma_bps` of the price; below that, distances are noise.
- *worth it*: the way to the mean is longer than `min_edge_bps`, what a round trip costs in fees and slippage.

A dip in a market that falls for good is no dip. The strategy knows two ways to tell, and either one is a veto: the
older half of its window lies more than `max_slope` deviations above the newer half (a mean that sinks is not returned
to), or a module that follows trends says so: a `Trend` about this very bar with a strength below -`max_downtrend`.
Without such a module nothing is heard, and the window's own slope decides alone.

`strength` grows from 0 at `entry_z` to 1 at twice that; `confidence` is how far the RSI is below its ceiling, from one
half at the ceiling to 1 at nothing.

**Exits** of an entry: target at the mean, stop at close - `stop_atr` * ATR. While holding, FLAT when the close is back
at the mean (the target may have rested above it, for the mean moves) or when the position is older than `max_hold_bars`
bars of time: what has not returned by then does not.

After a gap longer than the whole warm-up all indicators start again. Bollinger's bands are the same distance; the
measure is as in Kaufman, "Trading Systems and Methods" (2013); ATR and RSI are Wilder's; formulas in `indicators`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from strategies.base import API_VERSION, ModuleSpec, Strategy
from strategies.indicators import Atr, Rsi, WindowStats
from strategies.messages import Trend
from strategies.model import Bar, Direction, Position, Signal
from strategies.params import check_bounds

__all__ = ["SPEC", "MeanReversion", "MeanReversionParams"]

_BPS: Final = 10_000.0

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "window_bars": (4, 10_000),
    "entry_z": (0.1, 10.0),
    "rsi_bars": (2, 1000),
    "rsi_ceiling": (1.0, 100.0),
    "atr_bars": (2, 1000),
    "stop_atr": (0.1, 100.0),
    "min_sigma_bps": (0.0, 1000.0),
    "min_edge_bps": (0.0, 1000.0),
    "max_slope": (0.0, 10.0),
    "max_downtrend": (0.0, 1000.0),
    "max_hold_bars": (1, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class MeanReversionParams:
    """Settings; lengths in bars, bps of the price, the rest plain factors. `__post_init__` states what is allowed."""

    window_bars: int = 60
    entry_z: float = 2.0
    rsi_bars: int = 14
    rsi_ceiling: float = 40.0
    atr_bars: int = 14
    stop_atr: float = 8.0
    min_sigma_bps: float = 4.0
    min_edge_bps: float = 30.0
    max_slope: float = 1.0
    max_downtrend: float = 4.0
    max_hold_bars: int = 120

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS)

    @property
    def warmup_bars(self) -> int:
        """Bars before the first opinion: the window full, and 8 times Wilder's averages so that their start is
        forgotten to the last bit after a few times as many."""
        return max(self.window_bars, 8 * self.rsi_bars, 8 * self.atr_bars)


class MeanReversion:
    """The strategy of one instrument; see the module's docstring."""

    __slots__ = ("_atr", "_close_ms", "_newer", "_params", "_rsi", "_seen", "_trend", "_warmup", "_window")

    def __init__(self, params: MeanReversionParams) -> None:
        self._params = params
        self._warmup = params.warmup_bars
        self._close_ms = 0
        self._trend: Trend | None = None
        self._start()

    def _start(self) -> None:
        params = self._params
        self._seen = 0
        self._window = WindowStats(params.window_bars)
        self._newer = WindowStats(params.window_bars // 2)
        self._atr = Atr(params.atr_bars)
        self._rsi = Rsi(params.rsi_bars)

    def on_message(self, message: Trend) -> None:
        """What a module that follows trends makes of the bar that comes next."""
        self._trend = message

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        """Take one finished bar; LONG, FLAT or no opinion."""
        if self._seen and bar.open_ms - self._close_ms > self._warmup * bar.timeframe_ms:
            self._start()
        self._close_ms = bar.open_ms + bar.timeframe_ms
        close = float(bar.close)
        warm = self._seen >= self._warmup
        self._seen += 1
        self._window.update(close)
        self._newer.update(close)
        self._atr.update(float(bar.high), float(bar.low), close)
        self._rsi.update(close)
        if position is not None and position.quantity > 0:
            return self._exit(bar, position, close, warm=warm)
        # The RSI first: it is there already, and the statistics of the window cost ten times as much as all the rest.
        if warm and self._rsi.value <= self._params.rsi_ceiling:
            return self._entry(bar.symbol, close)
        return None

    def _entry(self, symbol: str, close: float) -> Signal | None:
        params = self._params
        mean, sigma = self._window.both()
        way = mean - close
        if sigma <= 0.0 or sigma * _BPS < params.min_sigma_bps * close:
            return None
        z = way / sigma
        if z < params.entry_z or way * _BPS <= params.min_edge_bps * close or self._falls(mean, sigma):
            return None
        stop = close - params.stop_atr * self._atr.value
        if not 0.0 < stop < close:
            return None
        rsi = self._rsi.value
        reason = (
            f"close {close:.8g} is {z:.3g} deviations below the {params.window_bars}-bar mean {mean:.8g}; RSI {rsi:.3g}"
        )
        strength = min(1.0, z / params.entry_z - 1.0)
        confidence = 1.0 - 0.5 * rsi / params.rsi_ceiling
        return Signal(symbol, Direction.LONG, strength, confidence, reason, stop, mean)

    def _falls(self, mean: float, sigma: float) -> bool:
        """Whether this is no dip but a fall, by our own window or by who follows trends."""
        params, heard = self._params, self._trend
        if heard is not None and heard.close_ms == self._close_ms and heard.strength < -params.max_downtrend:
            return True
        newer, _ = self._newer.both()
        # The mean of the older half is as far above the mean of all as that of the newer half is below it.
        return 2.0 * (mean - newer) > params.max_slope * sigma

    def _exit(self, bar: Bar, position: Position, close: float, *, warm: bool) -> Signal | None:
        params = self._params
        if warm and close >= (mean := self._window.both()[0]):
            reason = f"close {close:.8g} is back at the {params.window_bars}-bar mean {mean:.8g}"
        elif bar.close_ms - position.opened_ms > params.max_hold_bars * bar.timeframe_ms:
            reason = f"held longer than {params.max_hold_bars} bars"
        else:
            return None
        return Signal(bar.symbol, Direction.FLAT, 1.0, 1.0, reason)


def _make(params: MeanReversionParams) -> Strategy:
    return MeanReversion(params)


def _warmup_bars(params: MeanReversionParams) -> int:
    return params.warmup_bars


SPEC: Final = ModuleSpec(
    name="mean_reversion",
    version="1.0.0",
    api=API_VERSION,
    params=MeanReversionParams,
    factory=_make,
    warmup_bars=_warmup_bars,
    subscriptions=(Trend,),
    summary="Buys a dip below the mean of a market that ranges; target at the mean, stop in ATRs.",
)
