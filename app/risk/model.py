"""What the risk gate is told and what it answers. All values are exact; `account` means the account currency
(US dollars), into which a quote asset is valued at `rate`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from strategies.model import Instrument, Quote


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit of the gate. Defaults are DESIGN section 8's. Amounts in account currency. Of an amount and its
    percentage of equity the tighter holds."""

    position: Decimal = Decimal(10)
    """Largest value of one instrument's position, averaging in included."""
    position_pct: Decimal = Decimal(25)
    exposure: Decimal = Decimal(50)
    """Largest value of all positions and pending entries together."""
    exposure_pct: Decimal = Decimal(100)
    asset_exposure: Decimal = Decimal(20)
    """Largest value of one base asset over all its instruments."""
    venue_exposure: Decimal = Decimal(50)
    """Largest value of everything at one venue."""
    correlation: Decimal = Decimal("0.8")
    """Positions whose correlation with the entry's instrument is this or more, or is not known, count with it."""
    correlated_exposure: Decimal = Decimal(30)
    """Largest value of an entry's instrument and the positions that count with it, once there is one."""
    open_positions: int = 5
    daily_loss: Decimal = Decimal(50)
    """Realised and unrealised loss since 00:00 UTC."""
    daily_loss_pct: Decimal = Decimal(10)
    """The same, of what equity was at 00:00 UTC."""
    drawdown_pct: Decimal = Decimal(20)
    """Fall of equity from its peak, percent."""
    trades_per_day: int = 50
    losses_in_row: int = 5
    errors: int = 10
    """Most errors stored within `error_window_ms`."""
    error_window_ms: int = 600_000
    spread_bps: Decimal = Decimal(100)
    volatility_pct: Decimal = Decimal(400)
    """Highest annualised volatility of the instrument; one that is not known yet is not refused."""
    quote_age_ms: int = 10_000
    cool_down_ms: int = 3_600_000
    """No new entry in an instrument for this long after its last entry or exit."""
    slippage_bps: Decimal = Decimal(50)
    """Largest distance of an intent's worst price from the touch."""
    adaptive: bool = True
    """Whether the limits tighten by themselves (`app.risk.adaptive`); no rule reads it."""


class Correlated(NamedTuple):
    """Another instrument with a position or a pending entry: what they are worth, and its correlation with the one
    that is asked about; None when too few bars are common to both."""

    symbol: str
    value: Decimal
    correlation: Decimal | None


class RiskState(NamedTuple):
    """The situation an intent meets, derived from ledger and market by the caller. A tuple, because one is made for
    each intent on the way from a quote to its verdict: a frozen dataclass of this many fields costs 3 us.

    Attributes:
        quote: newest quote of the intent's instrument, or None.
        bar_ms: timeframe of the bars that make `quote` synthetic, 0 for a real quote; a synthetic quote is stale
            after the larger of `Limits.quote_age_ms` and this.
        rate: account currency per unit of the quote asset, or None when nothing fresh values it.
        position_value: this instrument's position and pending entries, all modules.
        exposure: the same over all instruments.
        asset_value: the same over the instruments with this one's base asset.
        venue: where an intent would be sent; `venue_value`: the same over what is held there.
        others: each other instrument with a position or pending entry, by symbol.
        volatility_pct: annualised, of this instrument's newest bars; None when there are too few.
        errors: stored within `Limits.error_window_ms`.
        open_positions: instruments with a position or a pending entry; `holds` says whether this one is among them.
        last_trade_ms: newest entry or exit fill of this instrument, or None.
        stale_marks: symbols of open positions whose mark, or the rate of whose quote asset, is too old or missing.
        unknown_orders: orders whose fate is not known.
        halted: why no new trade is taken at all (emergency stop, database fault), or "".
    """

    now_ms: int
    instrument: Instrument
    quote: Quote | None
    bar_ms: int
    rate: Decimal | None
    position_value: Decimal
    exposure: Decimal
    open_positions: int
    holds: bool
    equity: Decimal
    equity_peak: Decimal
    day_start_equity: Decimal
    trades_today: int
    losses_in_row: int
    last_trade_ms: int | None
    stale_marks: tuple[str, ...]
    unknown_orders: int
    halted: str
    asset_value: Decimal
    venue: str
    venue_value: Decimal
    others: tuple[Correlated, ...]
    volatility_pct: Decimal | None
    errors: int


@dataclass(frozen=True, slots=True)
class Allow:
    """Every rule passed. `checked` names them in order, for the confirmation screen."""

    checked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deny:
    """The first rule that failed: its name, one sentence with the number and the limit, and both apart."""

    rule: str
    reason: str
    number: str
    limit: str


Verdict = Allow | Deny


class SizingMethod(StrEnum):
    """How large an entry is, before the limits cut it."""

    FIXED = "fixed"
    EQUITY_PERCENT = "equity_percent"
    VOLATILITY_TARGET = "volatility_target"
    KELLY = "kelly"


@dataclass(frozen=True, slots=True)
class Sizing:
    """Entry size settings. Amounts in account currency; the position limit always cuts the result."""

    method: SizingMethod = SizingMethod.FIXED
    fixed: Decimal = Decimal(10)
    equity_pct: Decimal = Decimal(1)
    volatility_pct: Decimal = Decimal(20)
    """Target annualised volatility of the position's contribution to equity, percent."""
    kelly_fraction: Decimal = Decimal("0.25")
    kelly_min_trades: int = 30
    """Closed trades of the module's own record below which Kelly falls back to `fixed`."""
