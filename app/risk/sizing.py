"""How much to buy: a method's wish, cut by every room there is, rounded down to the lot. Never up.

Methods (`SizingMethod`), each a value in account currency:

- fixed: `Sizing.fixed`.
- equity percent: equity * `equity_pct` / 100.
- volatility target: equity * target / realised, both annualised, at most equity (nothing is borrowed). Constant
  volatility scaling as in Moskowitz, Ooi and Pedersen, "Time series momentum", Journal of Financial Economics 104
  (2012). Unknown or zero volatility gives nothing.
- Kelly: equity * `kelly_fraction` * f*, with f* = W - (1 - W) / R, where W is the share of winning trades and R the
  average win over the average loss. Kelly, "A New Interpretation of Information Rate", Bell System Technical Journal
  35 (1956), for a bet that pays R to 1. A record of fewer than `kelly_min_trades` closed trades falls back to fixed;
  an edge that is negative or unknown (no win, or no loss to measure R by) gives nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final

from app.money import DOWN, ZERO, div, from_float, mul, sub
from app.risk.model import Sizing, SizingMethod
from storage.decimals import CONTEXT
from strategies.model import Instrument

__all__ = ["ModuleRecord", "annualised_volatility", "kelly_edge", "quantity"]

_whole: Final = CONTEXT.divide_int
_PERCENT: Final = Decimal("0.01")
_YEAR_MS: Final = 365 * 24 * 3_600_000
"""Crypto markets never close: a year has 365 days of 24 hours."""
_EDGE_PLACES: Final = 12


@dataclass(frozen=True, slots=True)
class ModuleRecord:
    """A module's closed trades. `gross_win` and `gross_loss` are sums in account currency, after fees, both positive;
    a trade that broke even is in neither count."""

    wins: int = 0
    losses: int = 0
    gross_win: Decimal = ZERO
    gross_loss: Decimal = ZERO


def quantity(
    sizing: Sizing,
    *,
    price: Decimal,
    rate: Decimal,
    instrument: Instrument,
    equity: Decimal,
    allocation_left: Decimal,
    position_room: Decimal,
    exposure_room: Decimal,
    volatility: float | None,
    record: ModuleRecord,
) -> Decimal:
    """Base units to buy: a multiple of the lot whose value at `price` is within every room; 0 means no trade.

    Args:
        sizing: the method and its settings.
        price: the worst price of the intent, quote units.
        rate: account currency per quote unit.
        instrument: for its lot.
        equity: account currency.
        allocation_left: what the module may still commit, account currency, as are both rooms.
        position_room: position limit less what is held and pending in this instrument.
        exposure_room: exposure limit less what is held and pending in all.
        volatility: annualised, as a fraction (0.8 is 80 % a year); None when unknown.
        record: the module's own closed trades.

    Raises:
        ValueError: `price` or `rate` is not above 0.
    """
    if price <= 0 or rate <= 0:
        raise ValueError(f"price and rate must be above 0, not {price} and {rate}")
    wish = _wish(sizing, equity, volatility, record)
    value = min(wish, allocation_left, position_room, exposure_room)
    if value <= 0:
        return ZERO
    # Whole lots only: truncating integer division is exact, so the result can not exceed `value` by a single digit.
    lots = _whole(value, mul(mul(price, rate), instrument.lot))
    return mul(lots, instrument.lot)


def _wish(sizing: Sizing, equity: Decimal, volatility: float | None, record: ModuleRecord) -> Decimal:
    match sizing.method:
        case SizingMethod.FIXED:
            return sizing.fixed
        case SizingMethod.EQUITY_PERCENT:
            return mul(equity, mul(sizing.equity_pct, _PERCENT))
        case SizingMethod.VOLATILITY_TARGET:
            return mul(equity, _volatility_scale(sizing, volatility))
        case SizingMethod.KELLY:
            if record.wins + record.losses < sizing.kelly_min_trades:
                return sizing.fixed
            return mul(mul(equity, sizing.kelly_fraction), kelly_edge(record))


def _volatility_scale(sizing: Sizing, volatility: float | None) -> Decimal:
    if volatility is None or not 0 < volatility < math.inf:
        return ZERO
    return from_float(min(1.0, float(mul(sizing.volatility_pct, _PERCENT)) / volatility))


def kelly_edge(record: ModuleRecord) -> Decimal:
    """f* in 0..1, rounded down to 12 decimals; 0 when the edge is negative or can not be known.

    W - (1 - W) / R with W = wins / n and R = (gross_win / wins) / (gross_loss / losses) is
    wins * (gross_win - gross_loss) / (n * gross_win), which needs one division instead of four.
    """
    if record.wins <= 0 or record.losses <= 0 or record.gross_loss <= 0 or record.gross_win <= record.gross_loss:
        return ZERO
    gain = mul(Decimal(record.wins), sub(record.gross_win, record.gross_loss))
    return div(gain, mul(Decimal(record.wins + record.losses), record.gross_win), _EDGE_PLACES, DOWN)


def annualised_volatility(closes: Iterable[Decimal], timeframe_ms: int, *, min_returns: int = 20) -> float | None:
    """Realised volatility a year, as a fraction: standard deviation of log returns times sqrt(bars in a year).

    Hull, "Options, Futures, and Other Derivatives", estimating volatility from historical data; the year has 365 days.
    The relative error of the estimate is about 1 / sqrt(2 n), 16 % at the least n of 20. A gap between bars counts as
    one bar, which overstates the volatility: the position becomes smaller, not larger.

    Returns:
        None with fewer than `min_returns` returns, or with a close that is not above 0.
    """
    prices = [float(close) for close in closes]
    count = len(prices) - 1
    if count < max(2, min_returns) or min(prices) <= 0:
        return None
    returns = [math.log(after / before) for before, after in pairwise(prices)]
    mean = math.fsum(returns) / count
    variance = math.fsum((value - mean) ** 2 for value in returns) / (count - 1)
    return math.sqrt(variance * _YEAR_MS / timeframe_ms)
