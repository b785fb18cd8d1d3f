"""The venue's fees: a share of the notional in the quote asset, each fill rounded up to 8 places; a sale is never
charged more than it brings."""

from __future__ import annotations

from decimal import Decimal

from app.money import BPS, UP, add, mul, quantise
from app.venues.paper_wire import FEE_PLACES


def fee_of(notional: Decimal, fee_bps: Decimal) -> Decimal:
    """Fee of one fill."""
    return quantise(mul(notional, mul(fee_bps, BPS)), FEE_PLACES, UP)


def fee_bound(notional: Decimal, fee_bps: Decimal) -> Decimal:
    """The most that fills of together `notional` are charged: the rounding of a hundred fills is allowed for."""
    return add(fee_of(notional, fee_bps), Decimal(100).scaleb(-FEE_PLACES))
