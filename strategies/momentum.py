"""Momentum: buy a breakout that several independent signals agree on, with both exits decided before the entry.

This is the module to copy. A strategy is one file: a frozen params dataclass that refuses bad values by name, a class
with `on_bar`, and a `ModuleSpec` that says how to make it. It decides for one instrument, on finished bars, and keeps
nothing but its indicators: what is held arrives with every bar.

**Entry**, only while flat. The bar closes above the highest high of the `breakout_bars` before it. That alone is weak
evidence, so it is put to a vote, and `confidence` is the share of the votes cast that agree:

- *breakout*: the close above the channel itself (always yes here, else there is no question to vote on).
- *trend*: the fast EMA is above the slow one. Must agree: an entry against it would be closed on the next bar.
- *volume*: above its average by `volume_sigmas` standard deviations. Breakouts on thin volume tend to come back. Where
  a bar has no volume, or its market never has, nobody knows, and the vote is not cast.
- *range*: the true range of this bar is at least `expansion` times the ATR before it: something happened.
- *room*: the RSI is not above `rsi_ceiling`; a move that is exhausted is not bought.

LONG needs a share of at least `min_confidence`; `strength` is the distance of the close beyond the channel, in ATRs
(1 and more is 1). Two vetoes stand above the vote: the market must be awake (ATR at least `min_atr_bps` of the price),
and the way to the target must be longer than `min_edge_bps`, what a round trip costs in fees and slippage.

**Exits** of an entry: stop at close - `stop_atr` * ATR, target at close + `target_atr` * ATR, with the target farther
than the stop so that what can be won exceeds what can be lost. While holding, FLAT when the trend breaks (fast EMA
below slow), when the close falls below the lowest low of the `exit_bars` before it, or when the position is older than
`max_hold_bars` bars of time. FLAT is repeated on each bar on which its reason holds.

Bars count, not minutes: where a market prints no bar for a quiet minute, the next bar is the next bar. After a gap
longer than the whole warm-up the past says nothing about the present: all indicators start again, and until they are
warm only the age of a position can speak. Bars come in time order, each once (the feed's promise).

On each bar it tells other modules how strong the trend is (`Trend`), whatever it decides itself.

The channel is Donchian's, as in Faith, "Way of the Turtle" (2007); ATR and RSI are Wilder's; formulas in `indicators`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from strategies.base import API_VERSION, ModuleSpec, Strategy
from strategies.indicators import Atr, Ema, RollingMax, RollingMin, RollingStats, Rsi
from strategies.messages import Trend
from strategies.model import Bar, Direction, Position, Signal
from strategies.params import check_bounds

__all__ = ["SPEC", "Momentum", "MomentumParams"]

_BPS: Final = 10_000.0

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "breakout_bars": (2, 10_000),
    "exit_bars": (2, 10_000),
    "fast_bars": (1, 10_000),
    "slow_bars": (2, 10_000),
    "volume_bars": (2, 10_000),
    "volume_sigmas": (0.0, 10.0),
    "atr_bars": (2, 1000),
    "min_atr_bps": (0.1, 1000.0),
    "expansion": (0.0, 10.0),
    "rsi_bars": (2, 1000),
    "rsi_ceiling": (50.0, 100.0),
    "min_confidence": (0.5, 1.0),
    "stop_atr": (0.1, 100.0),
    "target_atr": (0.1, 200.0),
    "min_edge_bps": (0.0, 1000.0),
    "max_hold_bars": (1, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class MomentumParams:
    """Settings; lengths in bars, bps of the price, the rest plain factors. `__post_init__` states what is allowed."""

    breakout_bars: int = 240
    exit_bars: int = 60
    fast_bars: int = 30
    slow_bars: int = 120
    volume_bars: int = 120
    volume_sigmas: float = 0.5
    atr_bars: int = 30
    min_atr_bps: float = 2.0
    expansion: float = 1.2
    rsi_bars: int = 14
    rsi_ceiling: float = 80.0
    min_confidence: float = 0.75
    stop_atr: float = 4.0
    target_atr: float = 8.0
    min_edge_bps: float = 40.0
    max_hold_bars: int = 480

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS)
        for lower, upper in (("fast_bars", "slow_bars"), ("stop_atr", "target_atr")):
            low, high = getattr(self, lower), getattr(self, upper)
            if low >= high:
                raise ValueError(f"{lower} is {low!r}; allowed: below {upper}, which is {high!r}")

    @property
    def warmup_bars(self) -> int:
        """Bars before the first opinion: every window full, and 3 times the slow EMA so that its start is forgotten."""
        return max(
            self.breakout_bars,
            self.exit_bars,
            3 * self.slow_bars,
            self.volume_bars,
            3 * self.atr_bars,
            3 * self.rsi_bars,
        )


class Momentum:
    """The strategy of one instrument; see the module's docstring."""

    __slots__ = (
        "_atr",
        "_ceiling",
        "_close_ms",
        "_fast",
        "_floor",
        "_params",
        "_rsi",
        "_seen",
        "_slow",
        "_symbol",
        "_volume",
        "_warmup",
    )

    def __init__(self, params: MomentumParams) -> None:
        self._params = params
        self._warmup = params.warmup_bars
        self._close_ms = 0
        self._symbol = ""
        self._start()

    def _start(self) -> None:
        params = self._params
        self._seen = 0
        self._fast = Ema(params.fast_bars)
        self._slow = Ema(params.slow_bars)
        self._atr = Atr(params.atr_bars)
        self._rsi = Rsi(params.rsi_bars)
        self._volume = RollingStats(params.volume_bars)
        self._ceiling = RollingMax(params.breakout_bars)
        self._floor = RollingMin(params.exit_bars)

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        """Take one finished bar; LONG, FLAT or no opinion."""
        if self._seen and bar.open_ms - self._close_ms > self._warmup * bar.timeframe_ms:
            self._start()
        self._close_ms, self._symbol = bar.open_ms + bar.timeframe_ms, bar.symbol
        high, low, close, volume = float(bar.high), float(bar.low), float(bar.close), float(bar.volume)

        # What this bar is compared with, before it becomes part of it.
        warm = self._seen >= self._warmup
        ceiling, floor, atr_before = self._ceiling.value, self._floor.value, self._atr.value
        held = position if position is not None and position.quantity > 0 else None
        candidate = warm and close > ceiling
        loud = self._is_loud(volume) if candidate else None

        self._seen += 1
        fast, slow = self._fast.update(close), self._slow.update(close)
        self._atr.update(high, low, close)
        self._rsi.update(close)
        self._volume.update(volume)
        self._ceiling.update(high)
        self._floor.update(low)

        if held is not None:
            return self._exit(bar, held, close, floor, warm=warm, broken=warm and fast < slow)
        if candidate and fast > slow:
            return self._entry(bar.symbol, close, ceiling, atr_before, loud)
        return None

    def messages(self) -> tuple[Trend, ...]:
        """How strong the trend is on the bar just seen; nothing until the averages have forgotten their start."""
        atr = self._atr.value
        if self._seen <= self._warmup or atr <= 0.0:
            return ()
        return (Trend(self._symbol, self._close_ms, (self._fast.value - self._slow.value) / atr),)

    def _is_loud(self, volume: float) -> bool | None:
        """The volume vote on the bars before; None where volume is not known."""
        usual = self._volume.mean
        if volume <= 0.0 or usual <= 0.0:
            return None
        return volume > usual + self._params.volume_sigmas * self._volume.deviation

    def _entry(self, symbol: str, close: float, ceiling: float, atr_before: float, loud: bool | None) -> Signal | None:
        params, atr = self._params, self._atr.value
        way = params.target_atr * atr
        if atr * _BPS < params.min_atr_bps * close or way * _BPS <= params.min_edge_bps * close:
            return None
        stop = close - params.stop_atr * atr
        if stop <= 0.0:
            return None
        votes = {
            "breakout": True,
            "trend": True,
            "range": self._atr.true_range >= params.expansion * atr_before,
            "room": self._rsi.value <= params.rsi_ceiling,
        }
        if loud is not None:
            votes["volume"] = loud
        agree = [name for name, yes in votes.items() if yes]
        confidence = len(agree) / len(votes)
        if confidence < params.min_confidence:
            return None
        reason = (
            f"close {close:.8g} above the {params.breakout_bars}-bar high {ceiling:.8g}; "
            f"{len(agree)} of {len(votes)} votes: {', '.join(agree)}"
        )
        strength = min(1.0, (close - ceiling) / atr)
        return Signal(symbol, Direction.LONG, strength, confidence, reason, stop, close + way)

    def _exit(
        self, bar: Bar, position: Position, close: float, floor: float, *, warm: bool, broken: bool
    ) -> Signal | None:
        params = self._params
        if broken:
            reason = f"trend broken: the {params.fast_bars}-bar EMA is below the {params.slow_bars}-bar EMA"
        elif warm and close < floor:
            reason = f"close {close:.8g} below the {params.exit_bars}-bar low {floor:.8g}"
        elif bar.close_ms - position.opened_ms > params.max_hold_bars * bar.timeframe_ms:
            reason = f"held longer than {params.max_hold_bars} bars"
        else:
            return None
        return Signal(bar.symbol, Direction.FLAT, 1.0, 1.0, reason)


def _make(params: MomentumParams) -> Strategy:
    return Momentum(params)


def _warmup_bars(params: MomentumParams) -> int:
    return params.warmup_bars


SPEC: Final = ModuleSpec(
    name="momentum",
    version="1.1.0",
    api=API_VERSION,
    params=MomentumParams,
    factory=_make,
    warmup_bars=_warmup_bars,
    publishes=(Trend,),
    summary="Buys a breakout that trend, volume, range and RSI agree on; stop and target in ATRs.",
)
