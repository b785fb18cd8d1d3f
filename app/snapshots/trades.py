"""Trades that wait, and everything a person reads before confirming one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.execution.admission import worse_price
from app.execution.desk import Desk
from app.execution.device_view import DeviceView, device_view
from app.execution.preview import Preview, fee_at, walk
from app.execution.records import Trade
from app.execution.risk_view import risk_view
from app.execution.standing_view import displaced_by
from app.execution.states import TradeState
from app.money import ZERO, add, mul, sub
from app.risk.usage import LimitUse
from signers.base import SignerKind
from signers.pages import Page, pages
from strategies.model import Intent, Quote, Side


@dataclass(frozen=True, slots=True)
class ConfirmView:
    """One trade in full.

    Attributes:
        text: exactly what is signed, line by line.
        device: the signer, and what it will show.
        device_pages: the demo device's pages, of each thing that is signed; of any other device none.
        at_stop, at_target: profit if the entry fills at its worst price and the exit at its own, fees included, quote
            asset; None without that exit, and of an act. Of a basket: all legs bought, and each sold at the stop or at
            its target.
    """

    id: str
    state: TradeState
    reason: str
    module: str
    why: str
    text: tuple[str, ...]
    preview: dict[str, Any]
    quote: str
    at_stop: Decimal | None
    at_target: Decimal | None
    risk: tuple[LimitUse, ...]
    device: DeviceView
    device_pages: tuple[tuple[Page, ...], ...]
    left_ms: int
    resumed: bool
    now: tuple[Decimal, Decimal] | None
    """Bid and ask at this moment."""
    worse: str | None
    """Why it could not be filled at this moment, or None."""
    fills_now: Preview | None
    """What it would do to the book of this moment; None for what rests, and without a book."""
    tick: Decimal
    rate: Decimal | None
    """Account currency per unit of the quote asset, or None."""
    open_ms: int
    """How long the order stays open once it is sent."""
    intent: Intent
    displaces: tuple[str, ...] = ()
    """Instruments whose signed standing exit is void once this is sent."""


def confirmation(desk: Desk, trade: Trade) -> ConfirmView:
    """Everything there is to read about a prepared trade."""
    intent, payload = trade.intent, trade.payload
    assert payload is not None
    instrument, quote = desk.instruments[intent.symbol], desk.market.quote(intent.symbol)
    device = device_view(desk, trade)
    return ConfirmView(
        id=trade.id,
        state=trade.state,
        reason=trade.reason,
        module=intent.module,
        why=intent.reason,
        text=tuple(trade.text.split("\n")),
        preview=json.loads(payload.preview),
        quote=instrument.quote,
        at_stop=_outcome(desk, intent, [intent.exits.stop if intent.exits else None]),
        at_target=_outcome(desk, intent, _targets(intent)),
        risk=_risk(desk, trade),
        device=device,
        device_pages=_pages(device),
        left_ms=max(0, intent.expires_ms - desk.clock.now_ms()),
        resumed=trade.resumed,
        now=None if quote is None else (quote.bid, quote.ask),
        worse=_worse(quote, trade),
        fills_now=_walked(desk, intent),
        tick=instrument.tick,
        rate=desk.rate(instrument.quote),
        displaces=tuple(each.intent.symbol for each in displaced_by(desk, trade)),
        open_ms=intent.rest_ms or intent.time_in_force_ms or desk.terms.time_in_force_ms,
        intent=intent,
    )


def _worse(quote: Quote | None, trade: Trade) -> str | None:
    """An act has no price that the market could leave behind."""
    if trade.intent.act is not None:
        return None
    return "There is no quote." if quote is None else worse_price(quote, trade)


def _pages(device: DeviceView) -> tuple[tuple[Page, ...], ...]:
    """Of the demo device, which has a screen of its own here."""
    if device.kind is not SignerKind.DEMO:
        return ()
    return tuple(pages("\n".join(line.value for line in shown.lines)) for shown in device.each)


def _walked(desk: Desk, intent: Intent) -> Preview | None:
    book = desk.market.book(intent.symbol)
    if book is None or intent.legs or intent.rests or intent.act is not None:
        return None
    return walk(book, intent.side, intent.quantity, intent.worst_price, desk.venue_info.taker_fee_bps)


def _targets(intent: Intent) -> list[Decimal | None]:
    """Where each entry of the intent is sold when all goes well."""
    return [leg.target for leg in intent.legs] or [intent.exits.target if intent.exits else None]


def _outcome(desk: Desk, intent: Intent, exits: list[Decimal | None]) -> Decimal | None:
    """Profit of each entry at its worst and its exit at its own price (the last of `exits` for all further entries),
    both fees paid: the careful reading of what the trade is."""
    if intent.side is not Side.BUY or intent.act is not None:
        return None
    entries = [(leg.quantity, leg.price) for leg in intent.legs] or [(intent.quantity, intent.worst_price)]
    profit = ZERO
    for number, (quantity, price) in enumerate(entries):
        exit_price = exits[min(number, len(exits) - 1)]
        if exit_price is None:
            return None
        fees = add(
            fee_at(quantity, price, desk.venue_info.taker_fee_bps),
            fee_at(quantity, exit_price, desk.venue_info.highest_fee_bps),
        )
        profit = add(profit, sub(mul(quantity, sub(exit_price, price)), fees))
    return profit


def _risk(desk: Desk, trade: Trade) -> tuple[LimitUse, ...]:
    """The account's and the instrument's limits, the most used first; the trade's own reservation is counted in."""
    view = risk_view(desk)
    own = next((each.uses for each in view.per_instrument if each.symbol == trade.intent.symbol), ())
    return tuple(sorted((*view.uses, *own), key=lambda use: -use.share))
