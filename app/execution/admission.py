"""May this trade begin, and may it still go on? Synchronous answers, with the number and the limit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from app.execution.authorisation import says_rests
from app.execution.desk import Desk
from app.execution.needs import Need, needs_of
from app.execution.preview import fee_at
from app.execution.purse import Shortfall
from app.execution.records import Trade
from app.execution.states import TradeState
from app.execution.transition import Transition
from app.money import ZERO, add, sub, to_text
from app.risk.gate import check
from app.risk.model import Allow, Deny
from strategies.model import Intent, Quote, Side

_ANY_BPS: Final = Decimal(1_000_000_000)


def admit(desk: Desk, trade: Trade) -> Deny | None:
    """Risk gate, then check-and-reserve of exactly the intent's bounds. None: admitted, and the purse holds them."""
    verdict = _verdict(desk, trade.intent)
    if isinstance(verdict, Deny):
        return verdict
    for need in _needs(desk, trade.intent):
        spoken_for = _spoken_for(desk, trade.intent, need)
        short = desk.state.purse.reserve(need.hold_id(trade.id), need.asset, need.amount, spoken_for=spoken_for)
        if short is not None:
            desk.state.purse.release(trade.id)
            return _too_little(short)
    return None


def record_verdict(desk: Desk, transition: Transition, trade: Trade, denied: Deny | None) -> None:
    """What `admit` said, for the record: the trade is RESERVED and tracked, or DENIED and counted."""
    if denied is None:
        transition.trade(trade, TradeState.RESERVED)
        for hold_id, hold in desk.state.purse.of(trade.id):
            transition.hold(hold_id, hold, "OPEN")
        desk.state.add(trade)
        return
    desk.counters.denied += 1
    desk.counters.by_rule[denied.rule] = desk.counters.by_rule.get(denied.rule, 0) + 1
    transition.trade(trade, TradeState.DENIED, denied.reason)
    transition.change("denied", trade.id, denied.rule, denied.number, denied.limit)


def judge(desk: Desk, intent: Intent) -> Allow | Deny:
    """What `admit` would answer now. Nothing is admitted, reserved or journaled: a ticket asks while it is typed."""
    verdict = _verdict(desk, intent)
    taken: dict[str, Decimal] = {}
    for need in _needs(desk, intent) if isinstance(verdict, Allow) else ():
        free = sub(desk.state.purse.available(need.asset), _spoken_for(desk, intent, need))
        available = sub(free, taken.get(need.asset, ZERO))
        if need.amount > available:
            return _too_little(Shortfall(need.asset, need.amount, available))
        taken[need.asset] = add(taken.get(need.asset, ZERO), need.amount)
    return verdict


def _needs(desk: Desk, intent: Intent) -> tuple[Need, ...]:
    return needs_of(intent, desk.instruments[intent.symbol], desk.venue_info.gas_asset)


def _verdict(desk: Desk, intent: Intent) -> Allow | Deny:
    """The gate's answer, and whether a sale closes a position."""
    verdict = check(intent, desk.risk_state(intent.symbol), desk.limits)
    if isinstance(verdict, Deny) or intent.act is not None or intent.side is Side.BUY:
        return verdict
    held = desk.state.positions.holding(intent.module, intent.symbol).quantity
    if not intent.reduce_only or intent.quantity > held:
        reason = (
            f"Selling {to_text(intent.quantity)} {desk.instruments[intent.symbol].base}, the module holds "
            f"{to_text(held)}: a sale must close a position."
        )
        return Deny("short", reason, to_text(intent.quantity), to_text(held))
    return verdict


def _spoken_for(desk: Desk, intent: Intent, need: Need) -> Decimal:
    """What of an asset is not for this trade, though nothing has reserved it: what resting exits need, but for a close,
    which sells it; less what the transaction that it replaces has reserved, as one of the two lands at most."""
    closes = intent.act is None and intent.side is Side.SELL and need.part == ""
    spoken_for = ZERO if closes else _covered_by_exits(desk, need.asset)
    found = desk.state.find_order(intent.replaces) if intent.replaces else None
    for _, hold in desk.state.purse.of(found[0].id) if found is not None else ():
        if hold.asset == need.asset:
            spoken_for = sub(spoken_for, hold.remaining)
    return spoken_for


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
    if intent.act is not None:
        again = check(intent, desk.risk_state(intent.symbol, without=trade), desk.limits)
        return again.reason if isinstance(again, Deny) else None
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
    if (why := desk.barred(trade.intent.module)) and not trade.intent.reduce_only:
        return f"New trades stopped: {why}."
    return already_sold(desk, trade)


def already_sold(desk: Desk, trade: Trade) -> str | None:
    """Why a close would sell what its module does not hold any more, or None. A close that shares its quantity with
    resting exits may be larger than what is left, because the venue ends it with them; one that shares with none would
    be filled out of what other modules hold of the same asset."""
    intent = trade.intent
    if not intent.reduce_only or intent.act is not None:
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
    if may_rest(trade) or trade.intent.act is not None:
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
