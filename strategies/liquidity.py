"""Decisions of a provider of liquidity in one V3 pool: when to open a position, to collect its fees, to end it.

A position earns its share of the pool's fees while the price is in its range, and loses against keeping its tokens
whenever the price moves, in range or through it ("loss-versus-rebalancing", Milionis, Moallemi, Roughgarden and Zhang,
2022). For liquidity L at price P and a volatility s of one bar that loss is L * s^2 * sqrt(P) / 4 a bar. Both sides are
estimates from the past: that what follows is like it, nobody can know, and nothing here claims a profit.

**Range**: `range_sigmas` deviations of the price over `horizon_bars` on either side, at least `least_width_bps`.

**Open** when the fees expected over the horizon, less the loss expected over it, less what opening and ending cost in
gas, and less `trade_bps` of what must be traded before, are at least `least_edge_bps` of what is put in. Fees and loss
count for as long as the price is expected in range. If one token is short by more than `tolerance_bps` of the whole, a
trade is wanted first, so that both are there.

**End** a position when the price was out of its range for `out_bars` bars in a row and a new one around the price would
pay (a rebalance: what opens again is the next bar's decision), or after `give_up_bars` bars out whatever is expected;
and when for `give_up_bars` bars in a row the loss expected in range was more than the fees.

**Collect** when fees are worth `collect_costs` times the gas of collecting them.

Nothing is opened before `window_bars` returns are known. What happened in a gap is left out; one that is longer than
the whole window starts it again.

Inputs, wired by whoever has a chain: see `View`. Pure: the same views in the same order give the same decisions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from strategies.acts import Collect, Provide, Withdraw
from strategies.indicators import WindowStats
from strategies.model import Bar
from strategies.params import check_bounds

__all__ = ["Costs", "Decision", "Holding", "LiquidityParams", "LiquidityProvider", "PoolState", "View"]

_BPS: Final = 10_000.0
_WIDEST: Final = 20.0
"""Half of a range, as a logarithm of the price."""
_DIGITS: Final = 8
"""Of a price that is wanted: ticks are wider apart than that."""

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "window_bars": (10, 10_000),
    "horizon_bars": (1, 1_000_000),
    "range_sigmas": (0.1, 20.0),
    "least_width_bps": (1.0, 100_000.0),
    "least_edge_bps": (0.0, 10_000.0),
    "tolerance_bps": (1.0, 10_000.0),
    "trade_bps": (0.0, 1000.0),
    "out_bars": (1, 100_000),
    "give_up_bars": (1, 1_000_000),
    "collect_costs": (1.0, 10_000.0),
}


@dataclass(frozen=True, slots=True)
class LiquidityParams:
    """Settings; lengths in bars, the rest as the module's docstring says. `__post_init__` states what is allowed."""

    window_bars: int = 240
    horizon_bars: int = 720
    range_sigmas: float = 2.0
    least_width_bps: float = 100.0
    least_edge_bps: float = 5.0
    tolerance_bps: float = 500.0
    trade_bps: float = 30.0
    out_bars: int = 30
    give_up_bars: int = 360
    collect_costs: float = 10.0

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS)
        if self.give_up_bars < self.out_bars:
            raise ValueError(
                f"give_up_bars is {self.give_up_bars}; allowed: no less than out_bars, which is {self.out_bars}"
            )


@dataclass(frozen=True, slots=True)
class PoolState:
    """The pool after the bar.

    Attributes:
        price: quote for one of base, whole units; above 0.
        fee_ppm: hundredths of a basis point.
        liquidity: in range, in whole units: the pool's own number over 10 to half the sum of both tokens' decimals.
        volume: quote that was traded in this pool during the bar; 0 where nothing was.
    """

    price: float
    fee_ppm: int
    liquidity: float
    volume: float


@dataclass(frozen=True, slots=True)
class Costs:
    """What each act costs in gas now, in quote."""

    opening: float
    ending: float
    collecting: float


@dataclass(frozen=True, slots=True)
class Holding:
    """The position that is open.

    Attributes:
        name: ``EXCHANGE:NUMBER``.
        lower, upper: prices of its range.
        liquidity: in whole units, as `PoolState.liquidity`.
        fees: what collecting would pay, worth in quote.
    """

    name: str
    lower: float
    upper: float
    liquidity: float
    fees: float


@dataclass(frozen=True, slots=True)
class View:
    """All that a decision is made of.

    Attributes:
        bar: finished; its close is the market's price, of which volatility is measured.
        base, quote: what may be put in: free balances, within the module's capital.
        holding: None where nothing is open. Nothing is decided while an act of ours is under way: no view is given.
    """

    bar: Bar
    pool: PoolState
    costs: Costs
    base: Decimal
    quote: Decimal
    holding: Holding | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What is wanted: an act, or a trade before it.

    Attributes:
        trade: base to be bought (below 0: sold) first; a hint of size, from which the quantity is made. 0 with an act.
    """

    act: Provide | Collect | Withdraw | None
    reason: str
    trade: float = 0.0


class LiquidityProvider:
    """The decisions of one pool; see the module's docstring."""

    __slots__ = ("_close", "_close_ms", "_dull", "_out", "_params", "_returns", "_seen", "_volumes")

    def __init__(self, params: LiquidityParams) -> None:
        self._params = params
        self._close_ms = 0
        self._start()
        self._out = self._dull = 0

    def _start(self) -> None:
        self._close = 0.0
        self._seen = 0
        self._returns = WindowStats(self._params.window_bars)
        self._volumes = WindowStats(self._params.window_bars)

    def on_bar(self, view: View) -> Decision | None:
        """Take one finished bar; an act, a trade before it, or nothing."""
        self._update(view)
        if view.holding is None:
            self._out = self._dull = 0
            return self._opening(view) if self._seen >= self._params.window_bars else None
        return self._holding(view, view.holding)

    def _update(self, view: View) -> None:
        bar, close = view.bar, float(view.bar.close)
        missing = bar.open_ms - self._close_ms
        if self._close and missing > self._params.window_bars * bar.timeframe_ms:
            self._start()
        if self._close and missing < bar.timeframe_ms:
            self._returns.update(math.log(close / self._close))
            self._volumes.update(view.pool.volume)
            self._seen += 1
        self._close, self._close_ms = close, bar.close_ms

    def _sigma(self) -> float:
        """Deviation of one bar's logarithmic return."""
        return self._returns.both()[1]

    def _range(self, price: float) -> tuple[float, float]:
        params = self._params
        half = params.range_sigmas * self._sigma() * math.sqrt(params.horizon_bars)
        grown = math.exp(min(max(half, math.log1p(params.least_width_bps / _BPS)), _WIDEST))
        return price / grown, price * grown

    def _opening(self, view: View) -> Decision | None:
        price, value = view.pool.price, float(view.base) * view.pool.price + float(view.quote)
        lower, upper = self._range(price)
        if value <= 0.0:
            return None
        wanted = _base_share(price, lower, upper) * value
        short = wanted - float(view.base) * price
        expected = self._expected(view, value, lower, upper) - abs(short) * self._params.trade_bps / _BPS
        if expected - view.costs.opening - view.costs.ending < self._params.least_edge_bps * value / _BPS:
            return None
        told = f"{self._params.range_sigmas:g} deviations around {price:.8g}: {expected:.4g} expected, gas left out"
        if abs(short) * _BPS > self._params.tolerance_bps * value:
            return Decision(None, f"{told}; base for {wanted:.6g} of {value:.6g} is needed first", short / price)
        reason = f"{told}, gas {view.costs.opening + view.costs.ending:.4g}"
        return Decision(Provide(view.base, view.quote, view.pool.fee_ppm, _price(lower), _price(upper)), reason)

    def _expected(self, view: View, value: float, lower: float, upper: float) -> float:
        """Fees less loss over the horizon of so much put into a range, in quote."""
        params = self._params
        mine = value / _value_of_one(view.pool.price, lower, upper)
        away = math.log(upper / view.pool.price)
        sigma = self._sigma() * math.sqrt(params.horizon_bars)
        # The chance to be in range at the end: less than the time that is spent in range until then.
        inside = math.erf(away / (sigma * math.sqrt(2.0))) if sigma > 0.0 else 1.0
        return inside * params.horizon_bars * self._a_bar(view.pool, mine, view.pool.liquidity + mine)

    def _a_bar(self, pool: PoolState, mine: float, together: float) -> float:
        """Fees less loss of liquidity that is in range for one bar, in quote."""
        fees = self._volumes.both()[0] * pool.fee_ppm / 1e6 * mine / together
        return fees - mine * self._sigma() ** 2 * math.sqrt(pool.price) / 4.0

    def _holding(self, view: View, holding: Holding) -> Decision | None:
        price, params, warm = view.pool.price, self._params, self._seen >= self._params.window_bars
        inside = holding.lower <= price < holding.upper
        self._out = 0 if inside else self._out + 1
        dull = warm and inside and self._a_bar(view.pool, holding.liquidity, view.pool.liquidity) < 0.0
        self._dull = self._dull + 1 if dull else 0
        range_text = f"{holding.lower:.8g} to {holding.upper:.8g}"
        if self._out >= params.give_up_bars:
            return self._ended(holding, f"out of {range_text} for {self._out} bars")
        if self._out >= params.out_bars and warm and self._again(view, holding):
            return self._ended(
                holding, f"out of {range_text} for {self._out} bars; around {price:.8g} another would pay"
            )
        if self._dull >= params.give_up_bars:
            return self._ended(holding, f"expected to lose more than it earns for {self._dull} bars")
        if holding.fees >= params.collect_costs * view.costs.collecting:
            reason = f"fees of {holding.fees:.6g}, collecting costs {view.costs.collecting:.4g}"
            return Decision(Collect(holding.name), reason)
        return None

    def _again(self, view: View, holding: Holding) -> bool:
        """Whether a new position of what comes out of this one would earn its costs, those of ending this one too."""
        price = view.pool.price
        at = min(max(price, holding.lower), holding.upper)
        base = holding.liquidity * (1.0 / math.sqrt(at) - 1.0 / math.sqrt(holding.upper))
        quote = holding.liquidity * (math.sqrt(at) - math.sqrt(holding.lower))
        value, fresh = base * price + quote, self._range(price)
        traded = abs(_base_share(price, *fresh) * value - base * price) * self._params.trade_bps / _BPS
        gained = self._expected(view, value, *fresh) - traded - view.costs.opening - 2.0 * view.costs.ending
        return gained >= self._params.least_edge_bps * value / _BPS

    def _ended(self, holding: Holding, reason: str) -> Decision:
        return Decision(Withdraw(holding.name), reason)


def _value_of_one(price: float, lower: float, upper: float) -> float:
    """What liquidity of 1 holds at a price within its range, in quote."""
    return 2.0 * math.sqrt(price) - math.sqrt(lower) - price / math.sqrt(upper)


def _base_share(price: float, lower: float, upper: float) -> float:
    """How much of a position's value is base at a price within its range; 0 to 1."""
    base = math.sqrt(price) - price / math.sqrt(upper)
    return base / _value_of_one(price, lower, upper)


def _price(value: float) -> Decimal:
    """The one place where a statistic becomes a price that is wanted: 8 digits."""
    return Decimal(f"{value:.{_DIGITS}g}")
