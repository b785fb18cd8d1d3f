"""What the venue refuses. Definite: nothing of a refused list is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from app.money import DOWN, ZERO, add, mul, round_to_step, sub, to_text
from app.practice.books import Market
from app.practice.fees import fee_bound
from app.practice.orders import Account
from app.venues.base import OrderKind, OrderRequest
from app.venues.paper_wire import PaperSettings
from strategies.model import Instrument, Side


class Refused(Exception):
    """The venue's no: `code` for machines, `what` for people."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what


def check_list(
    settings: PaperSettings, account: Account, markets: Mapping[str, Market], requests: tuple[OrderRequest, ...]
) -> None:
    """Check a whole list before any of it is accepted.

    Raises:
        Refused: for the first order that can not be accepted.
    """
    if not requests:
        raise Refused("list.empty", "The list is empty.")
    ids = [request.client_id for request in requests]
    if len(set(ids)) != len(ids):
        raise Refused("list.repeats", "A client id stands twice in the list.")
    for request in requests:
        if request.client_id in account.orders:
            raise Refused("id.reused", f"Client id {request.client_id} was used for another order or list.")
        market = markets.get(request.symbol)
        if market is None:
            raise Refused("symbol.unknown", f"There is no instrument {request.symbol}.")
        if not market.seen:
            raise Refused("market.closed", f"No market of {request.symbol} was seen yet.")
        if account.now_ms > request.valid_until_ms:
            raise Refused("order.stale", f"Order {request.client_id} was valid until {request.valid_until_ms} ms.")
        _check_terms(request, market.instrument)
        _check_ties(account, request, requests)
        _check_basket(account, request, requests)
    _check_held(account, markets, requests)
    _check_money(settings, account, requests)


def _check_terms(request: OrderRequest, instrument: Instrument) -> None:
    _multiple("quantity", request.quantity, instrument.lot)
    match request.kind:
        case OrderKind.LIMIT:
            if request.limit_price is None or request.stop_price is not None:
                raise Refused("order.prices", "A limit order has a limit price and no stop price.")
            _multiple("limit price", request.limit_price, instrument.tick)
        case OrderKind.STOP:
            if request.stop_price is None or request.limit_price is not None:
                raise Refused("order.prices", "A stop order has a stop price and no limit price.")
            _multiple("stop price", request.stop_price, instrument.tick)
            if request.side is not Side.SELL or not request.reduce_only:
                raise Refused("order.stop", "A stop must be a reduce-only sale.")
        case OrderKind.MARKET:
            if request.limit_price is not None or request.stop_price is not None:
                raise Refused("order.prices", "A market order has no price.")
            if not request.reduce_only:
                raise Refused("order.market", "A market order must be reduce-only.")
    if request.reduce_only and request.side is not Side.SELL:
        raise Refused("order.reduce", "A reduce-only order must sell: short positions do not exist here.")


def _multiple(name: str, value: Decimal, step: Decimal) -> None:
    if value <= 0 or round_to_step(value, step, DOWN) != value:
        raise Refused("order.precision", f"The {name} {to_text(value)} is not a positive multiple of {to_text(step)}.")


def _check_ties(account: Account, request: OrderRequest, requests: tuple[OrderRequest, ...]) -> None:
    if request.parent is not None:
        parent = next((r for r in requests if r.client_id == request.parent), None)
        if parent is None or parent.side is not Side.BUY or parent.symbol != request.symbol:
            raise Refused("order.parent", "The parent must be a buy of the same instrument in the same list.")
        if not request.reduce_only:
            raise Refused("order.parent", "An exit must be reduce-only.")
        if any(r.parent == request.parent and r.group != request.group for r in requests):
            raise Refused("order.group", "All exits of one entry are in one group, or none of them is.")
    if request.group is not None:
        others = [order.request for order in account.group(request.group)]
        others += [r for r in requests if r.group == request.group]
        if any(other.symbol != request.symbol or not other.reduce_only for other in others):
            raise Refused("order.group", "A group holds reduce-only orders of one instrument.")
        if request.parent is not None and any(other.parent != request.parent for other in others):
            raise Refused("order.group", "A group with exits of an entry is made with them, and has one entry.")


def _check_basket(account: Account, request: OrderRequest, requests: tuple[OrderRequest, ...]) -> None:
    if request.parent is not None:
        parent = next(r for r in requests if r.client_id == request.parent)
        if parent.basket != request.basket:
            raise Refused("order.basket", "An exit is in the basket of its entry.")
    if request.basket is None:
        return
    if request.parent is None and (request.side is not Side.BUY or request.kind is not OrderKind.LIMIT):
        raise Refused("order.basket", "A basket holds limit buys and their exits.")
    if any(r.basket == request.basket and r.symbol != request.symbol for r in requests):
        raise Refused("order.basket", "A basket trades one instrument.")
    if any(order.request.basket == request.basket for order in account.live_orders()):
        raise Refused("order.basket", "A basket is made whole, in one list.")


def _check_held(account: Account, markets: Mapping[str, Market], requests: tuple[OrderRequest, ...]) -> None:
    """A reduce-only order that could never reduce anything would rest until it sold somebody else's position."""
    for request in requests:
        base = markets[request.symbol].instrument.base
        if request.reduce_only and request.parent is None and request.group is None and not account.balance(base):
            raise Refused("order.reduce", f"There is no {base} to sell.")


def _check_money(settings: PaperSettings, account: Account, requests: tuple[OrderRequest, ...]) -> None:
    claims: dict[str, Decimal] = {}
    live = [(order.request, sub(order.request.quantity, order.filled)) for order in account.live_orders()]
    for request, left in live + [(request, request.quantity) for request in requests]:
        instrument = account.instruments[request.symbol]
        if request.side is Side.BUY and request.limit_price is not None:
            notional = mul(left, request.limit_price)
            fee = fee_bound(notional, max(settings.taker_fee_bps, settings.maker_fee_bps))
            claims[instrument.quote] = add(claims.get(instrument.quote, ZERO), add(notional, fee))
        elif not request.reduce_only:
            claims[instrument.base] = add(claims.get(instrument.base, ZERO), left)
    for asset, claim in claims.items():
        if claim > account.balance(asset):
            have = to_text(account.balance(asset))
            raise Refused("balance", f"The orders need {to_text(claim)} {asset}; the account holds {have}.")
