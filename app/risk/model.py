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
    """Every limit of the gate. Defaults are DESIGN section 8's. Amounts in account currency."""

    position: Decimal = Decimal(10)
    """Largest value of one instrument's position, averaging in included."""
    exposure: Decimal = Decimal(50)
    """Largest value of all positions and pending entries together."""
    open_positions: int = 5
    daily_loss: Decimal = Decimal(50)
    """Realised and unrealised loss since 00:00 UTC."""
    drawdown_pct: Decimal = Decimal(20)
    """Fall of equity from its peak, percent."""
    trades_per_day: int = 50
    losses_in_row: int = 5
    spread_bps: Decimal = Decimal(100)
    quote_age_ms: int = 10_000
    cool_down_ms: int = 3_600_000
    """No new entry in an instrument for this long after its last entry or exit."""
    slippage_bps: Decimal = Decimal(50)
    """Largest distance of an intent's worst price from the touch."""


class RiskState(NamedTuple):
    """The situation an intent meets, derived from ledger and market by the caller. A tuple, because one is made for
    each intent on the way from a quote to its verdict: a frozen dataclass of 18 fields costs 2 us.

    Attributes:
        quote: newest quote of the intent's instrument, or None.
        bar_ms: timeframe of the bars that make `quote` synthetic, 0 for a real quote; a synthetic quote is stale
            after the larger of `Limits.quote_age_ms` and this.
        rate: account currency per unit of the quote asset, or None when nothing fresh values it.
        position_value: this instrument's position and pending entries, all modules.
        exposure: the same over all instruments.
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
