"""The gate's rules about the account: is there room for the trade, and has it gone badly or too fast? Each answers
None, or a sentence, its number and its limit. `app.risk.gate` lists them and says what happens exactly at a limit."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from app.money import DOWN, UP, ZERO, add, div, mul, quantise, sub, to_text
from app.risk.basket import entries, notional
from app.risk.model import Limits, RiskState
from app.risk.room import daily_loss_limit, exposure_limit, moving_together, position_limit
from app.risk.words import seconds, shown, usd
from strategies.model import Intent

_HUNDRED: Final = Decimal(100)

Breach = tuple[str, str, str]


# --- is there room --------------------------------------------------------------------------------------------------


def _with(intent: Intent, state: RiskState, held: Decimal) -> Decimal:
    assert state.rate is not None
    return add(held, mul(notional(intent), state.rate))


def position(intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """The instrument's own position."""
    after, most = _with(intent, state, state.position_value), position_limit(state.equity, limits)
    if after <= most:
        return None
    number, (limit, words) = usd(after), _percent(most, limits.position, limits.position_pct, "equity")
    return (
        f"Position in {intent.symbol}, held and proposed, would be {number} USD; the limit is {limit} USD{words}.",
        number,
        limit,
    )


def exposure(intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """Everything together."""
    after, most = _with(intent, state, state.exposure), exposure_limit(state.equity, limits)
    if after <= most:
        return None
    number, (limit, words) = usd(after), _percent(most, limits.exposure, limits.exposure_pct, "equity")
    return (
        f"Exposure over all positions, held and proposed, would be {number} USD; the limit is {limit} USD{words}.",
        number,
        limit,
    )


def _percent(most: Decimal, amount: Decimal, percent: Decimal, of: str) -> tuple[str, str]:
    """The limit as text, and where it comes from when the percentage is the tighter. Rounded down to the cent, as the
    number is rounded up: a reason never shows a limit that its number keeps."""
    if most == amount:
        return to_text(amount), ""
    return shown(quantise(most, 2, DOWN)), f", {to_text(percent)} % of {of}"


def asset_exposure(intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """The base asset over all its instruments."""
    after = _with(intent, state, state.asset_value)
    if after <= limits.asset_exposure:
        return None
    number, limit = usd(after), to_text(limits.asset_exposure)
    asset = state.instrument.base
    return (
        f"Exposure to {asset} over all its instruments would be {number} USD; the limit is {limit} USD.",
        number,
        limit,
    )


def venue_exposure(intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """Everything at the venue the order would go to."""
    after = _with(intent, state, state.venue_value)
    if after <= limits.venue_exposure:
        return None
    number, limit = usd(after), to_text(limits.venue_exposure)
    return f"Exposure at venue {state.venue} would be {number} USD; the limit is {limit} USD.", number, limit


def correlated_exposure(intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """What is held and moves with the instrument, together with it. One position alone is the position limit's."""
    if not state.others:
        return None
    together = moving_together(state.others, limits)
    if not together:
        return None
    after = _with(intent, state, state.position_value)
    for other in together:
        after = add(after, other.value)
    if after <= limits.correlated_exposure:
        return None
    number, limit = usd(after), to_text(limits.correlated_exposure)
    names = ", ".join(f"{o.symbol} {'unknown' if o.correlation is None else shown(o.correlation)}" for o in together)
    group = f"{intent.symbol} and the positions correlated with it by {to_text(limits.correlation)} or more ({names})"
    return f"{group} would be {number} USD; the limit is {limit} USD.", number, limit


def open_positions(intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """Instruments held at once."""
    if state.holds or state.open_positions < limits.open_positions:
        return None
    number, limit = str(state.open_positions + 1), str(limits.open_positions)
    return (
        f"With {intent.symbol} there would be {number} positions, open and proposed; the limit is {limit}.",
        number,
        limit,
    )


# --- has it gone badly, or too fast ---------------------------------------------------------------------------------


def daily_loss(_intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """The day."""
    start = state.day_start_equity
    loss = sub(start, state.equity)
    if loss < limits.daily_loss and mul(loss, _HUNDRED) < mul(limits.daily_loss_pct, start):
        return None
    most = daily_loss_limit(start, limits)
    of = "equity at that time"
    number, (limit, words) = usd(loss), _percent(most, limits.daily_loss, limits.daily_loss_pct, of)
    return f"The loss since 00:00 UTC is {number} USD; trading stops at {limit} USD{words}.", number, limit


def drawdown(_intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """The fall from the peak of equity."""
    peak = state.equity_peak
    if peak <= ZERO:
        return f"The peak of equity is {to_text(peak)} USD; it must be above 0 USD.", to_text(peak), "0"
    fall = mul(sub(peak, state.equity), _HUNDRED)
    if fall < mul(limits.drawdown_pct, peak):
        return None
    number, limit = shown(div(fall, peak, 2, UP)), to_text(limits.drawdown_pct)
    return f"Equity is {number} % below its peak; trading stops at {limit} %.", number, limit


def trades_per_day(intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """How many today, each leg of a basket counted."""
    last = state.trades_today + entries(intent)
    if last <= limits.trades_per_day:
        return None
    number, limit = str(last), str(limits.trades_per_day)
    return f"This would be trade {number} of the day; the limit is {limit} trades.", number, limit


def losses_in_row(_intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """Closed trades that lost, one after another."""
    if state.losses_in_row < limits.losses_in_row:
        return None
    number, limit = str(state.losses_in_row), str(limits.losses_in_row)
    return f"The last {number} closed trades lost; trading stops at {limit} losses in a row.", number, limit


def errors(_intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """Errors of the last minutes; it passes again by itself as they grow old."""
    if state.errors <= limits.errors:
        return None
    number, limit = str(state.errors), str(limits.errors)
    within = seconds(limits.error_window_ms)
    return f"{number} errors were stored within {within} s; the limit is {limit}.", number, limit


def cool_down(intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """The pause after the last trade in the instrument."""
    if state.last_trade_ms is None:
        return None
    rested_ms = state.now_ms - state.last_trade_ms
    if rested_ms >= limits.cool_down_ms:
        return None
    number, limit = seconds(rested_ms), seconds(limits.cool_down_ms)
    return f"The last trade in {intent.symbol} was {number} s ago; the cool-down is {limit} s.", number, limit
