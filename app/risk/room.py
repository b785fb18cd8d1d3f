"""Limits that are an amount and a percentage of equity at once, and the room they leave. The gate denies by these
functions and the sizer cuts by them, so what is sized within a room is not denied for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from app.money import ZERO, add, mul, sub
from app.risk.basket import notional
from app.risk.model import Correlated, Limits, RiskState
from strategies.model import Intent

_PERCENT: Final = Decimal("0.01")
_HUNDRED: Final = Decimal(100)


def position_limit(equity: Decimal, limits: Limits) -> Decimal:
    """Largest value of one instrument's position: the tighter of amount and percentage."""
    share = mul(mul(limits.position_pct, equity), _PERCENT)
    return min(share, limits.position)


def exposure_limit(equity: Decimal, limits: Limits) -> Decimal:
    """Largest value of everything: the tighter of amount and percentage."""
    share = mul(mul(limits.exposure_pct, equity), _PERCENT)
    return min(share, limits.exposure)


def daily_loss_limit(day_start_equity: Decimal, limits: Limits) -> Decimal:
    """Loss since 00:00 UTC at which trading stops: the tighter of amount and percentage of what the day began with."""
    share = mul(mul(limits.daily_loss_pct, day_start_equity), _PERCENT)
    return min(share, limits.daily_loss)


def moving_together(others: tuple[Correlated, ...], limits: Limits) -> list[Correlated]:
    """Those of `others` that count as correlated. Unknown counts: nothing says that they would not fall together."""
    least = limits.correlation
    return [other for other in others if other.correlation is None or other.correlation >= least]


def fits(intent: Intent, state: RiskState, limits: Limits) -> bool:
    """Whether all limits on sizes leave room for an entry: what the five rules of `app.risk.account_rules` say one by
    one and with a reason, in a third of their time. Most entries pass all of them.

    A perfectly plain function, because it runs for every intent: `after <= percentage of equity` multiplied out.
    """
    rate, equity, held = state.rate, state.equity, state.position_value
    assert rate is not None
    value = mul(notional(intent), rate)
    position, exposure = add(held, value), add(state.exposure, value)
    if (
        position > limits.position
        or exposure > limits.exposure
        or add(state.asset_value, value) > limits.asset_exposure
        or add(state.venue_value, value) > limits.venue_exposure
        or mul(position, _HUNDRED) > mul(limits.position_pct, equity)
        or mul(exposure, _HUNDRED) > mul(limits.exposure_pct, equity)
    ):
        return False
    together, least = position, limits.correlation
    for _, theirs, correlation in state.others:
        if correlation is None or correlation >= least:
            together = add(together, theirs)
    return together is position or together <= limits.correlated_exposure


class Rooms(NamedTuple):
    """What may still be added in one instrument, account currency, never below 0: `position` by the limit on its own
    position, `exposure` by the narrowest of all limits on several."""

    position: Decimal
    exposure: Decimal


def rooms(state: RiskState, limits: Limits) -> Rooms:
    """The rooms for an entry in the instrument of `state`."""
    left = [
        sub(exposure_limit(state.equity, limits), state.exposure),
        sub(limits.asset_exposure, state.asset_value),
        sub(limits.venue_exposure, state.venue_value),
    ]
    together = moving_together(state.others, limits) if state.others else ()
    if together:
        value = state.position_value
        for other in together:
            value = add(value, other.value)
        left.append(sub(limits.correlated_exposure, value))
    position = sub(position_limit(state.equity, limits), state.position_value)
    return Rooms(max(ZERO, position), max(ZERO, min(left)))
