"""What a ticket would do, in numbers, before anything is proposed: bounds, loss at the stop, gain at the target, its
share of each limit, and what the gate would say now. Statistics for eyes; the text that is signed has the bounds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.execution.desk import Desk
from app.execution.preview import fee_at, walk
from app.money import DOWN, UP, ZERO, add, div, mul, quantise, sub, to_text
from app.risk.model import Allow, Deny
from strategies.model import Intent, Side

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Share:
    """How much of one limit would be used with this trade. `percent` is rounded up, and None of a limit of 0."""

    limit_name: str
    number: Decimal
    limit: Decimal
    percent: Decimal | None

    def as_json(self) -> dict[str, str | None]:
        """Amounts as text."""
        return {
            "name": self.limit_name,
            "number": to_text(self.number),
            "limit": to_text(self.limit),
            "percent": _text(self.percent),
        }


@dataclass(frozen=True, slots=True)
class TicketPreview:
    """All prices and amounts are in the quote asset unless said otherwise.

    Attributes:
        price: worst price, or the limit. No fill is worse.
        bid, ask, quote_ms, synthetic: the touch now.
        fee: most that its fills may cost together.
        bound: pay up to (buy), get at least (sale), fee included.
        value: `quantity` at `price` in account currency; None when nothing fresh values the quote asset.
        rate: account currency per unit of the quote asset, or None.
        loss: at the stop, both fees included, entered at `price`. A gap through the stop costs more. None for a sale.
        gain: at the target, the same way; None without one.
        reward_risk: `gain` over `loss`, two places, rounded down.
        filled, average, impact_bps: the book walked now, as the confirmation shows it; nothing where it would rest.
        left: of what was asked to be sold, what another exit covers: it needs a trade of its own afterwards.
        shares: of each limit, for a buy.
        verdict: Allow, or Deny with rule, number and limit.
    """

    module: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    rests: bool
    time_in_force_ms: int
    bid: Decimal
    ask: Decimal
    quote_ms: int
    synthetic: bool
    fee: Decimal
    bound: Decimal
    value: Decimal | None
    rate: Decimal | None
    stop: Decimal | None
    target: Decimal | None
    loss: Decimal | None
    gain: Decimal | None
    reward_risk: Decimal | None
    filled: Decimal
    average: Decimal | None
    impact_bps: Decimal | None
    left: Decimal
    shares: tuple[Share, ...]
    verdict: Allow | Deny

    def as_json(self) -> dict[str, Any]:
        """For the control socket and ``--json``: amounts as text, times as int."""
        names = ("quantity", "price", "bid", "ask", "fee", "bound", "value", "rate", "stop", "target", "loss", "gain")
        amounts = (*names, "reward_risk", "filled", "average", "impact_bps", "left")
        deny = self.verdict if isinstance(self.verdict, Deny) else None
        return {
            "module": self.module,
            "symbol": self.symbol,
            "side": self.side.value,
            "rests": self.rests,
            "time_in_force_ms": self.time_in_force_ms,
            "quote_ms": self.quote_ms,
            "synthetic": self.synthetic,
            **{name: _text(getattr(self, name)) for name in amounts},
            "shares": [share.as_json() for share in self.shares],
            "denied": None
            if deny is None
            else {"rule": deny.rule, "reason": deny.reason, "number": deny.number, "limit": deny.limit},
        }


def preview_of(
    desk: Desk, intent: Intent, verdict: Allow | Deny, *, left: Decimal, committed: Decimal, allocation: Decimal
) -> TicketPreview:
    """The preview of an intent whose market has a quote."""
    quote, book = desk.market.quote(intent.symbol), desk.market.book(intent.symbol)
    assert quote is not None
    assert book is not None
    walked = walk(book, intent.side, intent.quantity, intent.worst_price, desk.venue_info.taker_fee_bps)
    rate = desk.rate(desk.instruments[intent.symbol].quote)
    notional, buys = mul(intent.quantity, intent.worst_price), intent.side is Side.BUY
    loss, gain = _outcomes(intent, desk.venue_info.highest_fee_bps)
    return TicketPreview(
        module=intent.module,
        symbol=intent.symbol,
        side=intent.side,
        quantity=intent.quantity,
        price=intent.worst_price,
        rests=intent.rests,
        time_in_force_ms=intent.time_in_force_ms or desk.terms.time_in_force_ms,
        bid=quote.bid,
        ask=quote.ask,
        quote_ms=quote.ts_ms,
        synthetic=quote.synthetic,
        fee=intent.max_fee,
        bound=add(notional, intent.max_fee) if buys else sub(notional, intent.max_fee),
        value=None if rate is None else mul(notional, rate),
        rate=rate,
        stop=intent.exits.stop if intent.exits else None,
        target=intent.exits.target if intent.exits else None,
        loss=loss,
        gain=gain,
        reward_risk=div(gain, loss, 2, DOWN) if gain is not None and loss else None,
        filled=walked.filled,
        average=walked.average,
        impact_bps=walked.impact_bps,
        left=left,
        shares=_shares(desk, intent, rate, loss, committed, allocation) if buys and rate is not None else (),
        verdict=verdict,
    )


def _outcomes(intent: Intent, fee_bps: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """Loss at the stop and gain at the target, fees of both ends included."""
    exits, quantity, price = intent.exits, intent.quantity, intent.worst_price
    if exits is None:
        return None, None
    paid = add(mul(quantity, price), fee_at(quantity, price, fee_bps))
    loss = sub(paid, sub(mul(quantity, exits.stop), fee_at(quantity, exits.stop, fee_bps)))
    if exits.target is None:
        return loss, None
    return loss, sub(sub(mul(quantity, exits.target), fee_at(quantity, exits.target, fee_bps)), paid)


def _shares(
    desk: Desk, intent: Intent, rate: Decimal, loss: Decimal | None, committed: Decimal, allocation: Decimal
) -> tuple[Share, ...]:
    risk, limits = desk.risk_state(intent.symbol), desk.limits
    value = mul(mul(intent.quantity, intent.worst_price), rate)
    lost_today = max(ZERO, sub(risk.day_start_equity, risk.equity))
    used = (
        ("position", add(risk.position_value, value), limits.position),
        ("exposure", add(risk.exposure, value), limits.exposure),
        ("allocation", add(committed, value), allocation),
        ("open_positions", Decimal(risk.open_positions + (not risk.holds)), Decimal(limits.open_positions)),
        ("trades_per_day", Decimal(risk.trades_today + 1), Decimal(limits.trades_per_day)),
        ("daily_loss", add(lost_today, mul(loss or ZERO, rate)), limits.daily_loss),
    )
    return tuple(
        Share(name, quantise(number, 2, UP), limit, div(mul(number, _HUNDRED), limit, 2, UP) if limit else None)
        for name, number, limit in used
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else to_text(amount)
