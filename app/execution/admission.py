"""May this trade begin, and may it still go on? Synchronous answers, with the number and the limit."""

from __future__ import annotations

from app.execution.desk import Desk
from app.execution.purse import Shortfall
from app.execution.records import Trade
from app.money import add, mul, to_text
from app.risk.gate import check
from app.risk.model import Deny
from strategies.model import Side


def admit(desk: Desk, trade: Trade) -> Deny | None:
    """Risk gate, then check-and-reserve of exactly the intent's bounds. None: admitted, and the purse holds them."""
    intent = trade.intent
    verdict = check(intent, desk.risk_state(intent.symbol), desk.limits)
    if isinstance(verdict, Deny):
        return verdict
    instrument, purse = desk.instruments[intent.symbol], desk.state.purse
    if intent.side is Side.BUY:
        bound = add(mul(intent.quantity, intent.worst_price), intent.max_fee)
        short = purse.reserve(trade.id, instrument.quote, bound)
    else:
        held = desk.state.positions.holding(intent.module, intent.symbol).quantity
        if not intent.reduce_only or intent.quantity > held:
            reason = (
                f"Selling {to_text(intent.quantity)} {instrument.base}, the module holds {to_text(held)}: "
                f"a sale must close a position."
            )
            return Deny("short", reason, to_text(intent.quantity), to_text(held))
        short = purse.reserve(trade.id, instrument.base, intent.quantity)
    return None if short is None else _too_little(short)


def _too_little(short: Shortfall) -> Deny:
    reason = f"The trade needs {to_text(short.needed)} {short.asset}; {to_text(short.available)} is free."
    return Deny("balance", reason, to_text(short.needed), to_text(short.available))


def worse_than_confirmed(desk: Desk, trade: Trade) -> str | None:
    """What became worse than what was confirmed while the person and the device took their time, or None."""
    intent, payload = trade.intent, trade.payload
    assert payload is not None
    now = desk.clock.now_ms()
    if now > payload.valid_until_ms:
        return "The authorisation is no longer valid."
    if desk.halted and not intent.reduce_only:
        return f"New trades stopped: {desk.halted}."
    quote = desk.market.quote(intent.symbol)
    age = max(desk.limits.quote_age_ms, desk.market.bar_ms(intent.symbol))
    if quote is None or now - quote.ts_ms > age:
        return "There is no fresh quote to check the confirmed price against."
    if intent.side is Side.BUY and quote.ask > intent.worst_price:
        return f"The ask rose to {to_text(quote.ask)}; confirmed was {to_text(intent.worst_price)} or better."
    if intent.side is Side.SELL and quote.bid < intent.worst_price:
        return f"The bid fell to {to_text(quote.bid)}; confirmed was {to_text(intent.worst_price)} or better."
    return None
