"""A situation in which everything is allowed, and ways to spoil it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from app.risk.model import Limits, RiskState
from strategies.model import Exits, Instrument, Intent, Quote, Side

NOW = 1_700_000_000_000
ETH = Instrument("ETH-BTC", "ETH", "BTC", Decimal("0.00001"), Decimal("0.001"))
LIMITS = Limits()


def quote(**changes: Any) -> Quote:
    """Bid 0.06995, ask 0.07000: 7.15 bps."""
    fresh = Quote("ETH-BTC", NOW - 1000, Decimal("0.06995"), Decimal("0.07"), Decimal(5), Decimal(5))
    return replace(fresh, **changes)


def intent(**changes: Any) -> Intent:
    """Buys 0.002 ETH at 0.07010 BTC at worst (14.29 bps off the ask): 7.01 USD at 50000 USD a BTC."""
    whole = Intent(
        id="ab" * 16,
        module="momentum",
        symbol="ETH-BTC",
        side=Side.BUY,
        quantity=Decimal("0.002"),
        worst_price=Decimal("0.0701"),
        max_fee=Decimal("0.0001"),
        exits=Exits(Decimal("0.068"), Decimal("0.075")),
        reason="test",
        created_ms=NOW,
        expires_ms=NOW + 60_000,
        config_version=1,
    )
    return replace(whole, **changes)


def short(**changes: Any) -> Intent:
    """The mirror image: sells at 0.06985 at worst (14.30 bps off the bid), stop above, target below."""
    exits = Exits(Decimal("0.072"), Decimal("0.065"))
    return intent(**{"side": Side.SELL, "worst_price": Decimal("0.06985"), "exits": exits, **changes})


def closing(**changes: Any) -> Intent:
    """A reduce-only sale without exits, far below the bid."""
    return intent(**{"side": Side.SELL, "worst_price": Decimal("0.05"), "exits": None, "reduce_only": True, **changes})


def state(**changes: Any) -> RiskState:
    """Nothing held, nothing lost."""
    calm = RiskState(
        now_ms=NOW,
        instrument=ETH,
        quote=quote(),
        bar_ms=0,
        rate=Decimal(50_000),
        position_value=Decimal(0),
        exposure=Decimal(0),
        open_positions=0,
        holds=False,
        equity=Decimal(1000),
        equity_peak=Decimal(1000),
        day_start_equity=Decimal(1000),
        trades_today=0,
        losses_in_row=0,
        last_trade_ms=None,
        stale_marks=(),
        unknown_orders=0,
        halted="",
        asset_value=Decimal(0),
        venue="paper",
        venue_value=Decimal(0),
        others=(),
        volatility_pct=None,
        errors=0,
    )
    return calm._replace(**changes)
