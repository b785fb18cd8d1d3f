"""The risk gate: one intent, one situation, one verdict. Pure, synchronous, exact; nothing else may admit a trade.

Every rule is a small function in `RULES`, tried in order; the first that fails answers. Bounds are compared multiplied
out (``spread * 20000 > limit * (bid + ask)``), so nothing is rounded before it is judged; only the number shown in a
reason is rounded, upwards, so that it never looks smaller than the limit it broke.

What happens exactly at a limit:

- sizes, counts and distances (position, the exposures, open positions, trades a day, errors, spread, volatility,
  slippage, quote age): at the limit is allowed, beyond it is denied. Counts include this trade.
- correlation: at the threshold counts as correlated, and so does what is not known.
- losses (daily loss, drawdown, losses in a row): at the limit is denied. A loss limit of 0 therefore stops at once.
- cool-down: over at exactly its end.

A `reduce_only` intent only lowers risk, and an exit must stay possible when everything else says stop: it skips all
rules but those marked `exits`, which ask whether the order makes sense and whether the market is known at all. In
particular it passes while trading is halted (the pipeline holds the emergency stop and decides what may still be
sent), without a valuation, and at any distance from the touch (its worst price is what the trader confirmed).

On a second check of the same trade (after a slow confirmation) the caller leaves that trade's own reservation out of
`RiskState`, else it would be counted twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.money import UP, ZERO, add, div, mul, sub, to_text
from app.risk import account_rules as account
from app.risk.basket import legs_precision
from app.risk.model import Allow, Deny, Limits, RiskState, Verdict
from app.risk.room import fits
from app.risk.words import seconds, shown
from app.text import counted
from storage.decimals import CONTEXT
from strategies.model import InstrumentKind, Intent, Quote, Side

__all__ = ["RULES", "Rule", "check", "oldest_quote_ms"]

_remainder: Final = CONTEXT.remainder  # exact: traps instead of rounding
_BUY: Final = Side.BUY  # a global is cheaper than an attribute of the enum; the same goes for ZERO against 0
_BPS_PER_UNIT: Final = Decimal(10_000)
_BPS_PER_HALF: Final = Decimal(20_000)

Breach = tuple[str, str, str]
"""The sentence, its number and its limit."""


def check(intent: Intent, state: RiskState, limits: Limits) -> Verdict:
    """Allow, or Deny by the first rule of `RULES` that fails.

    Raises:
        decimal.DecimalException: an amount of `state` or `limits` is NaN, or needs more than 100 digits. The caller
            takes no trade then.
    """
    if intent.act is not None:
        # What an act may cost is in its own bounds; it has no price that could be far from the touch, and no stop.
        return (None if intent.reduce_only else _first(_ACT_TABLE, intent, state, limits)) or _ALLOW_ACT
    if intent.reduce_only:
        return _first(_EXIT_TABLE, intent, state, limits) or _ALLOW_EXIT
    denied = _first(_BEFORE_SIZES, intent, state, limits)
    if denied is None and not fits(intent, state, limits):
        denied = _first(_SIZES, intent, state, limits)
    return denied or _first(_AFTER_SIZES, intent, state, limits) or _ALLOW_ENTRY


def _first(table: _Table, intent: Intent, state: RiskState, limits: Limits) -> Deny | None:
    for name, rule in table:
        breach = rule(intent, state, limits)
        if breach is not None:
            return Deny(name, *breach)
    return None


# --- is trading possible at all -------------------------------------------------------------------------------------


def _halted(_intent: Intent, state: RiskState, _limits: Limits) -> Breach | None:
    if not state.halted:
        return None
    return f"Trading is halted ({state.halted}); a new entry needs it running.", "halted", "running"


def _unknown_orders(_intent: Intent, state: RiskState, _limits: Limits) -> Breach | None:
    count = state.unknown_orders
    if count <= 0:
        return None
    return f"The fate of {counted(count, 'order')} is unknown; the limit for a new entry is 0.", str(count), "0"


def _precision(intent: Intent, state: RiskState, _limits: Limits) -> Breach | None:
    instrument, quantity, price = state.instrument, intent.quantity, intent.worst_price
    if intent.symbol != instrument.symbol:
        return (
            f"The intent trades {intent.symbol}; the situation described is that of {instrument.symbol}.",
            intent.symbol,
            instrument.symbol,
        )
    if not (quantity.is_finite() and price.is_finite()):
        return f"Quantity {quantity} at {price} is no order; both must be finite.", f"{quantity} at {price}", "finite"
    if _remainder(quantity, instrument.lot):
        number, lot = to_text(quantity), to_text(instrument.lot)
        return (
            f"Quantity {number} {instrument.base} is not a multiple of the lot, {lot} {instrument.base}.",
            number,
            lot,
        )
    if _remainder(price, instrument.tick):
        number, tick = to_text(price), to_text(instrument.tick)
        return (
            f"Price {number} {instrument.quote} is not a multiple of the tick, {tick} {instrument.quote}.",
            number,
            tick,
        )
    return legs_precision(intent, instrument) if intent.legs else None


# --- is the market known --------------------------------------------------------------------------------------------


def _quote(intent: Intent, state: RiskState, _limits: Limits) -> Breach | None:
    quote = state.quote
    if quote is None:
        return f"There are 0 quotes of {intent.symbol}; 1 is needed.", "0", "1"
    if quote.symbol != intent.symbol:
        return f"The quote is of {quote.symbol}; one of {intent.symbol} is needed.", quote.symbol, intent.symbol
    return None


def _clock(intent: Intent, state: RiskState, _limits: Limits) -> Breach | None:
    # A stamp ahead of now means the clock went back or is wrong, and then no age can be trusted.
    quote, now_ms = state.quote, state.now_ms
    assert quote is not None
    if quote.ts_ms <= now_ms and intent.created_ms <= now_ms:
        return None
    ahead = max(quote.ts_ms, intent.created_ms) - now_ms
    what = "quote" if quote.ts_ms > now_ms else "intent"
    number = seconds(ahead)
    return f"The {what} of {intent.symbol} is {number} s ahead of the clock; the limit is 0 s.", number, "0"


def oldest_quote_ms(quote: Quote, bar_ms: int, limits: Limits) -> int:
    """The age up to which `quote` is traded on: one made from bars (of `bar_ms`) counts until the next bar is due."""
    return max(limits.quote_age_ms, bar_ms) if quote.synthetic else limits.quote_age_ms


def _quote_age(intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    quote = state.quote
    assert quote is not None
    age_ms, limit_ms = state.now_ms - quote.ts_ms, oldest_quote_ms(quote, state.bar_ms, limits)
    if age_ms <= limit_ms:
        return None
    number, limit = seconds(age_ms), seconds(limit_ms)
    return f"The quote of {intent.symbol} is {number} s old; the limit is {limit} s.", number, limit


def _stale_marks(_intent: Intent, state: RiskState, _limits: Limits) -> Breach | None:
    stale = state.stale_marks
    if not stale:
        return None
    number = str(len(stale))
    return f"Open positions without a fresh value: {number} ({', '.join(stale)}); the limit is 0.", number, "0"


def _valuation(_intent: Intent, state: RiskState, _limits: Limits) -> Breach | None:
    rate, asset = state.rate, state.instrument.quote
    if rate is None:
        return f"There are 0 fresh prices of {asset} in USD; 1 is needed to value the trade.", "0", "1"
    if not (rate.is_finite() and rate > ZERO):  # a rate of 0 would make every position look free
        return f"The price of {asset} is {rate} USD; it must be above 0 USD.", str(rate), "0"
    return None


def _spread(intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    """Spread in bps of the mid: (ask - bid) / ((ask + bid) / 2) * 10000."""
    quote = state.quote
    assert quote is not None
    bid, ask = quote.bid, quote.ask
    if not (bid.is_finite() and ask.is_finite() and ZERO < bid <= ask):
        return f"The quote of {intent.symbol} is crossed or empty: bid {bid}, ask {ask}.", str(bid), str(ask)
    wide, both = mul(sub(ask, bid), _BPS_PER_HALF), add(ask, bid)
    if wide <= mul(limits.spread_bps, both):
        return None
    number, limit = shown(div(wide, both, 2, UP)), to_text(limits.spread_bps)
    return f"The spread of {intent.symbol} is {number} bps; the limit is {limit} bps.", number, limit


def _volatility(intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    # Unknown passes: at a start nothing is known of an instrument for some bars, and its position limit holds.
    volatility = state.volatility_pct
    if volatility is None or volatility <= limits.volatility_pct:
        return None
    number, limit = shown(volatility), to_text(limits.volatility_pct)
    return f"The volatility of {intent.symbol} is {number} % a year; the limit is {limit} %.", number, limit


def _slippage(intent: Intent, state: RiskState, limits: Limits) -> Breach | None:
    quote = state.quote
    assert quote is not None
    if intent.side is _BUY:
        name, touch = "ask", quote.ask
        away = sub(intent.worst_price, touch)
    else:
        name, touch = "bid", quote.bid
        away = sub(touch, intent.worst_price)
    scaled = mul(away, _BPS_PER_UNIT)
    if scaled <= mul(limits.slippage_bps, touch):
        return None
    number, limit = shown(div(scaled, touch, 2, UP)), to_text(limits.slippage_bps)
    return (
        f"The worst price of {intent.symbol} is {number} bps from the {name}; the limit is {limit} bps.",
        number,
        limit,
    )


# --- is the trade whole ---------------------------------------------------------------------------------------------


def _long_only(intent: Intent, state: RiskState, _limits: Limits) -> Breach | None:
    # A spot sale can only sell what is owned (the purse sees to that); a perpetual's would open a short.
    if intent.side is _BUY or state.instrument.kind is not InstrumentKind.PERPETUAL:
        return None
    return (
        f"A sell of {intent.symbol} would open a short; a perpetual takes buy or reduce-only orders.",
        "sell",
        "buy or reduce-only",
    )


def _exits(intent: Intent, state: RiskState, _limits: Limits) -> Breach | None:
    exits, worst, unit, quote = intent.exits, intent.worst_price, state.instrument.quote, state.quote
    assert quote is not None
    if exits is None:
        return f"The entry in {intent.symbol} has 0 stops; 1 is needed.", "0", "1"
    buy = intent.side is _BUY
    # The touch counts too: a stop between bid and worst price would sell the moment the entry has filled.
    edge = min(worst, quote.bid) if buy else max(worst, quote.ask)
    stop, target = exits.stop, exits.target
    if not (stop.is_finite() and (ZERO < stop < edge if buy else stop > edge)):
        side = "above 0 and below" if buy else "above"
        return (
            f"The stop of {intent.symbol} is {stop} {unit}; it must be {side} {to_text(edge)} {unit}.",
            str(stop),
            to_text(edge),
        )
    if target is not None and not (target.is_finite() and (target > worst if buy else ZERO < target < worst)):
        side = "above" if buy else "above 0 and below"
        return (
            f"The target of {intent.symbol} is {target} {unit}; it must be {side} {to_text(worst)} {unit}.",
            str(target),
            to_text(worst),
        )
    return None


# --- the table ------------------------------------------------------------------------------------------------------

RuleFunction = Callable[[Intent, RiskState, Limits], Breach | None]
_Table = tuple[tuple[str, RuleFunction], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `exits`: a reduce-only intent must pass it too."""

    name: str
    test: RuleFunction
    exits: bool = False


RULES: Final = (
    Rule("halted", _halted),
    Rule("unknown_orders", _unknown_orders),
    Rule("precision", _precision, exits=True),
    Rule("quote", _quote, exits=True),
    Rule("clock", _clock, exits=True),
    Rule("quote_age", _quote_age, exits=True),
    Rule("stale_marks", _stale_marks),
    Rule("valuation", _valuation),
    Rule("spread", _spread),
    Rule("volatility", _volatility),
    Rule("slippage", _slippage),
    Rule("long_only", _long_only),
    Rule("exits", _exits),
    Rule("position", account.position),
    Rule("exposure", account.exposure),
    Rule("asset_exposure", account.asset_exposure),
    Rule("venue_exposure", account.venue_exposure),
    Rule("correlated_exposure", account.correlated_exposure),
    Rule("open_positions", account.open_positions),
    Rule("daily_loss", account.daily_loss),
    Rule("drawdown", account.drawdown),
    Rule("trades_per_day", account.trades_per_day),
    Rule("losses_in_row", account.losses_in_row),
    Rule("errors", account.errors),
    Rule("cool_down", account.cool_down),
)
"""In the order in which they are tried. Later rules assert what earlier ones made sure of: a quote, a rate."""

_FIRST_SIZE: Final = next(n for n, rule in enumerate(RULES) if rule.test is account.position)
_LAST_SIZE: Final = next(n for n, rule in enumerate(RULES) if rule.test is account.correlated_exposure)
_ENTRY_TABLE: Final[_Table] = tuple((rule.name, rule.test) for rule in RULES)
_BEFORE_SIZES: Final = _ENTRY_TABLE[:_FIRST_SIZE]
_SIZES: Final = _ENTRY_TABLE[_FIRST_SIZE : _LAST_SIZE + 1]
_AFTER_SIZES: Final = _ENTRY_TABLE[_LAST_SIZE + 1 :]
_NOT_OF_ACTS: Final = frozenset({"precision", "spread", "slippage", "long_only", "exits", "cool_down"})
_ACT_TABLE: Final[_Table] = tuple((rule.name, rule.test) for rule in RULES if rule.name not in _NOT_OF_ACTS)
_EXIT_TABLE: Final[_Table] = tuple((rule.name, rule.test) for rule in RULES if rule.exits)
_ALLOW_ENTRY: Final = Allow(tuple(name for name, _ in _ENTRY_TABLE))
_ALLOW_ACT: Final = Allow(tuple(name for name, _ in _ACT_TABLE))
_ALLOW_EXIT: Final = Allow(tuple(name for name, _ in _EXIT_TABLE))
