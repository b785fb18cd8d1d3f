"""May this trade begin, and may it still go on? Synchronous answers, with the number and the limit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from app.execution.authorisation import says_rests
from app.execution.desk import Desk
from app.execution.preview import fee_at
from app.execution.purse import Shortfall, gas_hold
from app.execution.records import Trade
from app.money import ZERO, add, sub, to_text
from app.risk.basket import notional
from app.risk.gate import check
from app.risk.model import Allow, Deny
from strategies.model import Intent, Quote, Side

_ANY_BPS: Final = Decimal(1_000_000_000)


def admit(desk: Desk, trade: Trade) -> Deny | None:
    """Risk gate, then check-and-reserve of exactly the intent's bounds. None: admitted, and the purse holds them."""
    need = _needed(desk, trade.intent)
    if isinstance(need, Deny):
        return need
    _, asset, amount, spoken_for = need
    purse, gas = desk.state.purse, trade.intent.max_gas
    short = purse.reserve(trade.id, asset, amount, spoken_for=spoken_for)
    if short is None and gas:
        coin = desk.venue_info.gas_asset
        short = purse.reserve(gas_hold(trade.id), coin, gas, spoken_for=_covered_by_exits(desk, coin))
        if short is not None:
            purse.release(trade.id)
    return None if short is None else _too_little(short)


def judge(desk: Desk, intent: Intent) -> Allow | Deny:
    """What `admit` would answer now. Nothing is admitted, reserved or journaled: a ticket asks while it is typed."""
    need = _needed(desk, intent)
    if isinstance(need, Deny):
        return need
    allow, asset, amount, spoken_for = need
    needs, coin = {asset: amount}, desk.venue_info.gas_asset
    if intent.max_gas:
        needs[coin] = add(needs.get(coin, ZERO), intent.max_gas)
    for each, needed in needs.items():
        available = sub(
            desk.state.purse.available(each), spoken_for if each == asset else _covered_by_exits(desk, each)
        )
        if needed > available:
            return _too_little(Shortfall(each, needed, available))
    return allow


def _needed(desk: Desk, intent: Intent) -> Deny | tuple[Allow, str, Decimal, Decimal]:
    """The gate's no; or its yes and what must be reserved: asset, amount, what resting exits need of that asset."""
    verdict = check(intent, desk.risk_state(intent.symbol), desk.limits)
    if isinstance(verdict, Deny):
        return verdict
    instrument = desk.instruments[intent.symbol]
    if intent.side is Side.BUY:
        bound = add(notional(intent), intent.max_fee)
        return verdict, instrument.quote, bound, _covered_by_exits(desk, instrument.quote)
    held = desk.state.positions.holding(intent.module, intent.symbol).quantity
    if not intent.reduce_only or intent.quantity > held:
        reason = (
            f"Selling {to_text(intent.quantity)} {instrument.base}, the module holds {to_text(held)}: "
            f"a sale must close a position."
        )
        return Deny("short", reason, to_text(intent.quantity), to_text(held))
    return verdict, instrument.base, intent.quantity, ZERO


def _covered_by_exits(desk: Desk, asset: str) -> Decimal:
    """What modules hold of `asset` as positions and closes have not reserved. Resting exits must find it: a position
    in BTC-USDT can not pay for ETH-BTC."""
    state, held = desk.state, ZERO
    for holding in state.positions.open_holdings():
        if desk.instruments[holding.symbol].base == asset:
            held = add(held, holding.quantity)
    for trade in state.in_flight() if held else ():
        hold = state.purse.holds.get(trade.id)
        if hold is not None and hold.asset == asset and trade.intent.side is Side.SELL:
            held = sub(held, hold.remaining)
    return max(held, ZERO)


def _too_little(short: Shortfall) -> Deny:
    reason = f"The trade needs {to_text(short.needed)} {short.asset}; {to_text(short.available)} is free."
    return Deny("balance", reason, to_text(short.needed), to_text(short.available))


def worse_than_confirmed(desk: Desk, trade: Trade) -> str | None:
    """What became worse than what was confirmed while the person and the device took their time, or None.

    The whole gate is asked again, without this trade's own reservation. Only the distance of its worst price from the
    touch is not: the price was confirmed, and a market that came our way is no reason to stop.
    """
    intent = trade.intent
    now = desk.clock.now_ms()
    if (over := _over(desk, trade, now)) is not None:
        return over
    quote = desk.market.quote(intent.symbol)
    age = max(desk.limits.quote_age_ms, desk.market.bar_ms(intent.symbol))
    if quote is None or now - quote.ts_ms > age:
        return "There is no fresh quote to check the confirmed price against."
    worse = worse_price(quote, trade) or _higher_fee(desk, quote, trade)
    if worse is not None:
        return worse
    verdict = check(intent, desk.risk_state(intent.symbol, without=trade), replace(desk.limits, slippage_bps=_ANY_BPS))
    return verdict.reason if isinstance(verdict, Deny) else None


def _over(desk: Desk, trade: Trade, now: int) -> str | None:
    """What no price could make good again."""
    if lapsed(desk, trade):
        return "The authorisation is no longer valid."
    ends = [entry.request.expires_ms for entry in trade.entries]
    if any(expires_ms is not None and now >= expires_ms for expires_ms in ends):
        return "The order's time in force has ended."
    if desk.halted and not trade.intent.reduce_only:
        return f"New trades stopped: {desk.halted}."
    return already_sold(desk, trade)


def already_sold(desk: Desk, trade: Trade) -> str | None:
    """Why a close would sell what its module does not hold any more, or None. A close that shares its quantity with
    resting exits may be larger than what is left, because the venue ends it with them; one that shares with none would
    be filled out of what other modules hold of the same asset."""
    intent = trade.intent
    if not intent.reduce_only:
        return None
    held = desk.state.positions.holding(intent.module, intent.symbol).quantity
    shares = bool(trade.orders) and all(order.request.group is not None for order in trade.entries)
    if held >= intent.quantity or (shares and held):
        return None
    return f"An exit was faster: {intent.module} holds {to_text(held)} of the {to_text(intent.quantity)} to be sold."


def worse_price(quote: Quote, trade: Trade) -> str | None:
    """Whether the touch has left the trade's bound behind, in words with both numbers. What may rest waits for the
    touch to come back."""
    worst = trade.intent.worst_price
    if may_rest(trade):
        return None
    if trade.intent.side is Side.BUY and quote.ask > worst:
        return f"The ask rose to {to_text(quote.ask)}; the trade allows {to_text(worst)} or better."
    if trade.intent.side is Side.SELL and quote.bid < worst:
        return f"The bid fell to {to_text(quote.bid)}; the trade allows {to_text(worst)} or better."
    return None


def may_rest(trade: Trade) -> bool:
    """Whether its orders may wait away from the touch: a basket's may; of a limit the intent says so, and after a
    restart the text."""
    intent, payload = trade.intent, trade.payload
    return bool(intent.legs) or intent.rests or (payload is not None and says_rests(payload.text))


def _higher_fee(desk: Desk, quote: Quote, trade: Trade) -> str | None:
    """A sale's fee grows with its price."""
    intent = trade.intent
    fee = fee_at(intent.quantity, quote.bid, desk.venue_info.highest_fee_bps)
    if intent.side is Side.BUY or fee <= intent.max_fee:
        return None
    return f"The bid rose to {to_text(quote.bid)}: the fee is {to_text(fee)}, {to_text(intent.max_fee)} was confirmed."


def lapsed(desk: Desk, trade: Trade) -> bool:
    """Whether the text's valid-until has passed."""
    assert trade.payload is not None
    return desk.clock.now_ms() > trade.payload.valid_until_ms
