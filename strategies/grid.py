"""Grid: while a market ranges, rest several buys below it and sell each one spacing higher; one stop ends them all.

It is decided once and rests as a basket under one confirmation, because a grid that had to be confirmed order by order
would always be late. The trader signs all levels, all targets and the stop together; nothing is added afterwards.

**When**, only while flat and while no basket of the module is under way (the engine sees to that): the market goes
nowhere (ADX below `max_adx`), and the close stands in the middle part of the range of the last `band_bars` bars, at
least `band_edge` of its height away from either end: a break out of the range is what costs a grid its stop.

**Levels**: `levels` prices, the first one spacing below the close, one spacing apart; the spacing is `spacing_atr`
ATRs. Each sells one spacing above its price. The spacing must be more than `min_edge_bps` of the price, what a round
trip costs in fees and slippage, or every sale at a target loses. The stop is `stop_spacings` below the lowest level.
The worst case is known before it is signed: all levels bought, all sold at the stop.

**How long**: the levels rest for `rest_bars` bars from their submission; what was bought keeps its target and its stop
for as long as it takes. There is no other exit: exits are decided before entries.

After a gap longer than the warm-up all indicators start again. The range is Donchian's, ATR and ADX are Wilder's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from strategies.base import API_VERSION, ModuleSpec, Strategy
from strategies.indicators import Adx, Atr, RollingMax, RollingMin
from strategies.model import MOST_LEGS, Bar, Direction, Level, Position, Signal
from strategies.params import check_bounds

__all__ = ["SPEC", "Grid", "GridParams"]

_BPS: Final = 10_000.0

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "adx_bars": (2, 1000),
    "max_adx": (1.0, 100.0),
    "band_bars": (2, 10_000),
    "band_edge": (0.0, 0.49),
    "atr_bars": (2, 1000),
    "levels": (1, MOST_LEGS),
    "spacing_atr": (0.1, 100.0),
    "stop_spacings": (0.5, 100.0),
    "min_edge_bps": (0.0, 1000.0),
    "rest_bars": (1, 10_000),
}


@dataclass(frozen=True, slots=True)
class GridParams:
    """Settings; lengths in bars, bps of the price, the rest plain factors. `__post_init__` states what is allowed."""

    adx_bars: int = 28
    max_adx: float = 20.0
    band_bars: int = 240
    band_edge: float = 0.25
    atr_bars: int = 60
    levels: int = 5
    spacing_atr: float = 3.0
    stop_spacings: float = 2.0
    min_edge_bps: float = 30.0
    rest_bars: int = 240

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS)

    @property
    def warmup_bars(self) -> int:
        """Bars before the first opinion: every window full, and Wilder's averages long enough to forget their start."""
        return max(self.band_bars, 5 * self.adx_bars, 3 * self.atr_bars)


class Grid:
    """The strategy of one instrument; see the module's docstring."""

    __slots__ = ("_adx", "_atr", "_ceiling", "_close_ms", "_floor", "_params", "_seen", "_warmup")

    def __init__(self, params: GridParams) -> None:
        self._params = params
        self._warmup = params.warmup_bars
        self._close_ms = 0
        self._start()

    def _start(self) -> None:
        params = self._params
        self._seen = 0
        self._adx = Adx(params.adx_bars)
        self._atr = Atr(params.atr_bars)
        self._ceiling = RollingMax(params.band_bars)
        self._floor = RollingMin(params.band_bars)

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        """Take one finished bar; a basket of resting buys, or no opinion."""
        if self._seen and bar.open_ms - self._close_ms > self._warmup * bar.timeframe_ms:
            self._start()
        self._close_ms = bar.open_ms + bar.timeframe_ms
        high, low, close = float(bar.high), float(bar.low), float(bar.close)
        self._seen += 1
        adx, atr = self._adx.update(high, low), self._atr.update(high, low, close)
        ceiling, floor = self._ceiling.update(high), self._floor.update(low)
        flat = position is None or position.quantity <= 0
        if not flat or self._seen < self._warmup or adx >= self._params.max_adx or ceiling <= floor:
            return None
        place = (close - floor) / (ceiling - floor)
        edge = self._params.band_edge
        if not edge <= place <= 1.0 - edge:
            return None
        return self._basket(bar, close, self._params.spacing_atr * atr, adx, place)

    def _basket(self, bar: Bar, close: float, spacing: float, adx: float, place: float) -> Signal | None:
        params = self._params
        stop = close - (params.levels + params.stop_spacings) * spacing
        if spacing * _BPS <= params.min_edge_bps * close or stop <= 0.0:
            return None
        prices = [close - number * spacing for number in range(1, params.levels + 1)]
        quiet = 1.0 - adx / params.max_adx
        return Signal(
            symbol=bar.symbol,
            direction=Direction.LONG,
            strength=1.0 - 2.0 * abs(place - 0.5),
            confidence=quiet,
            reason=(
                f"ADX {adx:.4g} below {params.max_adx:.4g}, close {close:.8g} at {100.0 * place:.0f} % of the "
                f"{params.band_bars}-bar range; {params.levels} levels {spacing * _BPS / close:.4g} bps apart"
            ),
            stop=stop,
            levels=tuple(Level(price, price + spacing) for price in prices),
            rest_ms=params.rest_bars * bar.timeframe_ms,
        )


def _make(params: GridParams) -> Strategy:
    return Grid(params)


def _warmup_bars(params: GridParams) -> int:
    return params.warmup_bars


SPEC: Final = ModuleSpec(
    name="grid",
    version="1.0.0",
    api=API_VERSION,
    params=GridParams,
    factory=_make,
    warmup_bars=_warmup_bars,
    summary="Rests a basket of buys below a market that ranges; each sells one spacing higher, one stop ends them all.",
)
