"""From a signal that wants an act to an intent with exact bounds: amounts on the smallest units, within the module's
capital and what the account has free. Statistics become amounts here as they do in `intents`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from app.engine.baskets import Skipped
from app.money import CEILING, DOWN, ZERO, add, div, from_float, mul, round_to_step, sub
from strategies.acts import Act, Collect, Cycle, Provide, Withdraw
from strategies.model import Intent, Side, Signal
from strategies.wishes import ActWish, CycleWish, ProvideWish

if TYPE_CHECKING:
    from app.engine.intents import IntentMaker

_ONE: Final = Decimal(1)
_PLACES: Final = 18


def act_of(maker: IntentMaker, signal: Signal, wish: ActWish, intent_id: str) -> Intent | Skipped:
    """The intent of a wish, or why there is none. One at a time for each instrument of a module, as what one leaves
    decides what the next can be."""
    desk, gas = maker.desk, maker.desk.max_gas()
    mine = (t for t in desk.state.in_flight() if (t.intent.module, t.intent.symbol) == (maker.module, signal.symbol))
    why_not = ""
    if any(trade.intent.act is not None for trade in mine):
        why_not = "its last act is still under way"
    elif not desk.venue_info.capabilities.transactions:
        why_not = "acts are of chains alone"
    elif gas is None:
        why_not = f"no fresh value for {desk.venue_info.gas_asset}"
    if why_not or gas is None:
        return Skipped(why_not)
    if isinstance(wish, CycleWish):
        return _cycle(maker, signal, wish, intent_id, gas)
    if isinstance(wish, ProvideWish):
        return _provide(maker, signal, wish, intent_id, gas)
    if (maker.module, wish.position) not in desk.state.stakes.open:
        return Skipped(f"it has no position {wish.position}")
    return _intent(maker, signal, wish, intent_id, gas, ZERO)


def _cycle(maker: IntentMaker, signal: Signal, wish: CycleWish, intent_id: str, gas: Decimal) -> Intent | Skipped:
    desk, quote = maker.desk, maker.desk.instruments[signal.symbol].quote
    rate, into = desk.rate(wish.asset), desk.rate(quote)
    if rate is None or into is None:
        return Skipped(f"no fresh value for {wish.asset if rate is None else quote}")
    wanted = from_float(wish.amount)
    room = min(div(_left(maker), rate, _PLACES, DOWN), _free(maker, wish.asset, gas))
    amount = round_to_step(min(wanted, room), wish.unit, DOWN)
    least = round_to_step(from_float(wish.least), wish.unit, CEILING)
    if amount <= ZERO or least <= ZERO:
        return Skipped("no capital left for it")
    if mul(from_float(wish.expected), amount) < mul(least, wanted):  # a part of it wins at least that part
        return Skipped("what it may spend is too little to win more than gas")
    act = Cycle(wish.asset, amount, least, wish.pools)
    # At stake in the instrument's quote asset, which for a cycle of its base is that much at the price of now.
    stake = amount if wish.asset == quote else div(mul(amount, rate), into, _PLACES, CEILING)
    return _intent(maker, signal, act, intent_id, gas, stake)


def _provide(maker: IntentMaker, signal: Signal, wish: ProvideWish, intent_id: str, gas: Decimal) -> Intent | Skipped:
    desk, instrument = maker.desk, maker.desk.instruments[signal.symbol]
    quote, rate = desk.market.quote(signal.symbol), desk.rate(instrument.quote)
    if quote is None or rate is None:
        return Skipped("no quote" if quote is None else f"no fresh value for {instrument.quote}")
    sides = (
        (instrument.base, from_float(wish.base), wish.base_unit),
        (instrument.quote, from_float(wish.quote), wish.quote_unit),
    )
    base, other = (
        round_to_step(max(ZERO, min(amount, _free(maker, asset, gas))), unit, DOWN) for asset, amount, unit in sides
    )
    lower, upper = from_float(wish.lower), from_float(wish.upper)
    if not (base or other) or not ZERO < lower < upper:
        return Skipped("nothing of its tokens is free")
    # As `Acts.provide` counts it: what is sold to the pool on the way up is worth the upper price.
    stake = add(other, mul(base, max(quote.ask, upper)))
    if mul(stake, rate) > _left(maker):
        return Skipped("no capital left for it")
    return _intent(maker, signal, Provide(base, other, wish.fee_ppm, lower, upper), intent_id, gas, stake)


def _left(maker: IntentMaker) -> Decimal:
    """Of its capital, account currency."""
    return max(ZERO, sub(maker.allocation, maker.committed()))


def _free(maker: IntentMaker, asset: str, gas: Decimal) -> Decimal:
    """What may be paid with: neither reserved, nor kept for the exits of what modules hold, nor for this act's gas."""
    desk, free = maker.desk, maker.desk.state.purse.available(asset)
    for holding in desk.state.positions.open_holdings():
        if desk.instruments[holding.symbol].base == asset:
            free = sub(free, holding.quantity)
    return sub(free, gas) if asset == desk.venue_info.gas_asset else free


def _intent(maker: IntentMaker, signal: Signal, act: Act, intent_id: str, gas: Decimal, stake: Decimal) -> Intent:
    desk, now = maker.desk, maker.desk.clock.now_ms()
    nothing = isinstance(act, Collect | Withdraw)
    return Intent(
        id=intent_id,
        module=maker.module,
        symbol=signal.symbol,
        side=Side.SELL if nothing else Side.BUY,
        quantity=stake,
        worst_price=_ONE,
        max_fee=ZERO,
        exits=None,
        reason=signal.reason,
        created_ms=now,
        expires_ms=now + desk.terms.proposal_expiry_ms,
        config_version=desk.terms.config_version,
        reduce_only=nothing,
        strength=signal.strength,
        confidence=signal.confidence,
        max_gas=gas,
        act=act,
    )
