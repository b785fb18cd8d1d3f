"""What is traded on a chain, from the settings."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from app.config.schema import Settings
from app.market.live import LiveSource
from app.market.naming import parse_timeframe
from strategies.model import Instrument

_LOT: Final = Decimal("0.000001")
_TICKS: Final = {"USDC": Decimal("0.000001"), "WETH": Decimal("0.000000000001")}
_PRACTICE: Final = (("ETH", "USDC"), ("WETH", "USDC"), ("WBTC", "USDC"), ("PUP", "WETH"))


def instruments_of(settings: Settings) -> tuple[Instrument, ...]:
    """What is traded on the practice chain; tick and lot from the settings where they say so."""
    made = []
    for base, quote in _PRACTICE:
        symbol = f"{base}-{quote}"
        given = settings.market.instruments.get(symbol)
        tick = given.tick if given is not None and given.tick is not None else _TICKS[quote]
        lot = given.lot if given is not None and given.lot is not None else _LOT
        made.append(Instrument(symbol, base, quote, tick, lot))
    return tuple(made)


def source_of(name: str, instruments: tuple[Instrument, ...], timeframe: str) -> LiveSource:
    """The market that a chain's pools are."""
    return LiveSource(f"chain:{name}", instruments, parse_timeframe(timeframe))
