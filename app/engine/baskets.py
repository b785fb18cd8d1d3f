"""From a signal with levels to a basket: one intent whose legs rest below the market until they are bought or end."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from app.execution.preview import fee_bound
from app.money import CEILING, DOWN, FLOOR, div, from_float, mul, round_to_step, total
from strategies.model import MOST_LEGS, Exits, Intent, Leg, Level, Side, Signal

if TYPE_CHECKING:
    from app.engine.intents import IntentMaker

_MOST_REST_MS: Final = 86_400_000
"""Nobody's confirmation counts for longer than a day."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why a signal became no intent."""

    why: str


def basket_of(maker: IntentMaker, signal: Signal, intent_id: str, volatility: float | None) -> Intent | Skipped:
    """The basket of a signal, or why there is none. The sizing gives the quantity of all legs together, as if all were
    bought at the highest price; each leg gets the same share of it, in whole lots."""
    desk, instrument = maker.desk, maker.desk.instruments[signal.symbol]
    rate, shape = desk.rate(instrument.quote), _shape(signal, instrument.tick)
    if any((t.intent.module, t.intent.symbol) == (maker.module, signal.symbol) for t in desk.state.in_flight()):
        return Skipped("its last trade is still under way")
    if rate is None:
        return Skipped(f"no fresh value for {instrument.quote}")
    if isinstance(shape, str):
        return Skipped(shape)
    priced, stop = shape
    amount = maker.size(instrument, priced[0][0], rate, volatility)
    share = round_to_step(div(amount, Decimal(len(priced)), 30, DOWN), instrument.lot, DOWN)
    if not share:
        return Skipped("no room for one lot a level")
    legs = tuple(Leg(price, share, target) for price, target in priced)
    return _intent(maker, signal, intent_id, legs, stop)


def _shape(signal: Signal, tick: Decimal) -> tuple[list[tuple[Decimal, Decimal]], Decimal] | str:
    """Prices with their targets, the highest first, and the stop, on ticks; or why there is no basket in them."""
    if signal.stop is None:
        return "no stop"
    if not 0 < len(signal.levels) <= MOST_LEGS:
        return f"a basket has 1 to {MOST_LEGS} levels"
    stop = round_to_step(from_float(signal.stop), tick, FLOOR)
    priced = sorted((_rounded(level, tick) for level in signal.levels), reverse=True)
    prices = [price for price, _ in priced]
    if len(set(prices)) < len(prices) or any(target <= price for price, target in priced):
        return "the levels are less than a tick apart"
    if not 0 < stop < prices[-1]:
        return "the stop is not below all levels"
    return priced, stop


def _rounded(level: Level, tick: Decimal) -> tuple[Decimal, Decimal]:
    return round_to_step(from_float(level.price), tick, DOWN), round_to_step(from_float(level.target), tick, CEILING)


def _intent(
    maker: IntentMaker,
    signal: Signal,
    intent_id: str,
    legs: tuple[Leg, ...],
    stop: Decimal,
) -> Intent:
    desk, now = maker.desk, maker.desk.clock.now_ms()
    rate = desk.venue_info.highest_fee_bps
    rest_ms = min(max(signal.rest_ms, 1000), _MOST_REST_MS)
    return Intent(
        id=intent_id,
        module=maker.module,
        symbol=signal.symbol,
        side=Side.BUY,
        quantity=mul(legs[0].quantity, Decimal(len(legs))),
        worst_price=legs[0].price,
        max_fee=total([fee_bound(leg.quantity, leg.price, rate) for leg in legs]),
        exits=Exits(stop),
        reason=signal.reason,
        created_ms=now,
        expires_ms=now + desk.terms.proposal_expiry_ms,
        config_version=desk.terms.config_version,
        strength=signal.strength,
        confidence=signal.confidence,
        legs=legs,
        rest_ms=rest_ms - rest_ms % 1000,
    )
