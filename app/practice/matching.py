"""The paper venue's matching: pure, no I/O, no clock of its own. What it answers is what the database will say.

Time is the largest instant of any market event; it never goes back. Two kinds of market per instrument:

*Bars* (fed by `BarOpened` and `Bar`). An order is matchable from the next bar's open on, never within the bar it was
decided on. At an open the synthetic book of that bar (its own volume) is walked by marketable orders in order of
acceptance; depth is shared and consumed; a stop through the open trades there. At the close, orders accepted before
the bar opened are checked against its range: a stop is triggered by touch and fills at the worse of stop and open, less
half the spread; beyond the bar's depth, at the low less half the spread; always in full, because a protective exit must
complete. A resting limit fills only where the range goes strictly through it, up to the depth left. Stop and target
within one bar: the stop wins. All of this errs against the trader.

*Books* (fed by `Book`, `Quote`, `PublicTrade`). A submit matches at once; the rest waits for the next book. A stop is
triggered by the best bid and then sells at market until it is done. Trades without books make a synthetic touch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from app.market.events import BarOpened, MarketEvent, event_time
from app.market.synthetic import synthetic_book
from app.money import BPS, CEILING, FLOOR, ZERO, mul, neg, round_to_step, sub
from app.practice.checks import Refused, check_list
from app.practice.fees import fee_of
from app.practice.orders import Account, VenueOrder
from app.venues.base import OrderKind, OrderReport, OrderRequest, OrderState, VenueFill
from app.venues.paper_wire import PaperSettings
from strategies.model import Bar, Book, Instrument, PublicTrade, Quote, Side

_HALF: Final = Decimal("0.5")


@dataclass(slots=True)
class Market:
    """One instrument's market as the venue sees it; levels are consumed by fills."""

    instrument: Instrument
    by_bars: bool = True
    seen: bool = False
    bids: list[list[Decimal]] = field(default_factory=list)
    asks: list[list[Decimal]] = field(default_factory=list)
    opened: BarOpened | None = None


class Exchange:
    """The venue. Each public method changes the account and lists what changed in `account.changed`."""

    def __init__(self, settings: PaperSettings, account: Account) -> None:
        self.settings = settings
        self.account = account
        self.markets = {i.symbol: Market(i) for i in settings.instruments}

    # -- orders -------------------------------------------------------------------------------------------------

    def submit(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        """Accept a list, all or none, and match it where a book stands.

        Raises:
            Refused: nothing of it was accepted.
        """
        account = self.account
        known = [account.orders.get(request.client_id) for request in requests]
        if requests and all(order is not None and order.request == r for order, r in zip(known, requests, strict=True)):
            return tuple(order.report() for order in known if order is not None)
        check_list(self.settings, account, self.markets, requests)
        for request in requests:
            account.accept(request)
        for symbol in {request.symbol for request in requests}:
            if not self.markets[symbol].by_bars:
                self._match(self.markets[symbol])
        return tuple(account.orders[request.client_id].report() for request in requests)

    def cancel(self, client_id: str) -> OrderReport:
        """Cancel what is unfilled; a finished order's report is returned unchanged.

        Raises:
            Refused: no such order.
        """
        order = self.account.orders.get(client_id)
        if order is None:
            raise Refused("order.unknown", f"There is no order {client_id}.")
        if order.live:
            self.account.end(order, OrderState.CANCELLED, "cancelled")
        return order.report()

    # -- the market ---------------------------------------------------------------------------------------------

    def market(self, event: MarketEvent, position: int) -> None:
        """Take the next market event. One that was processed before (by `position`) only shows the market again: it
        comes after a restart of this process and can trade nothing twice.

        Raises:
            Refused: unknown instrument, or time would go back.
        """
        market = self.markets.get(event.symbol)
        if market is None:
            raise Refused("market.unknown", f"There is no instrument {event.symbol}.")
        fresh = position > self.account.position
        if fresh:
            self._advance(event_time(event))
            self.account.position = position
        market.seen = True
        match event:
            case BarOpened():
                self._opened(market, event, fresh)
            case Bar():
                if market.by_bars and fresh:
                    self._closed(market, event)
            case Book() | Quote() | PublicTrade():
                self._book(market, event)
                if fresh:
                    self._match(market)

    def _advance(self, ts_ms: int) -> None:
        account = self.account
        if ts_ms < account.now_ms:
            raise Refused("market.backwards", f"Time would go back from {account.now_ms} to {ts_ms} ms.")
        account.now_ms = ts_ms
        for order in account.live_orders():
            expires = order.request.expires_ms
            if expires is not None and expires < ts_ms:
                account.end(order, OrderState.EXPIRED, "its time in force ended")

    def _opened(self, market: Market, event: BarOpened, fresh: bool) -> None:
        market.opened = event
        self._set_book(market, self._synthetic(market, event.ts_ms, event.price, event.volume))
        if fresh:
            self._match(market)

    def _book(self, market: Market, event: Book | Quote | PublicTrade) -> None:
        match event:
            case Book():
                self._set_book(market, event)
            case Quote():
                bids, asks = ((event.bid, event.bid_size),), ((event.ask, event.ask_size),)
                self._set_book(market, Book(event.symbol, event.ts_ms, bids, asks))
            case PublicTrade():
                if market.by_bars or market.opened is not None:
                    self._set_book(market, self._synthetic(market, event.ts_ms, event.price, event.quantity))
                    market.opened = BarOpened(event.symbol, event.ts_ms, 0, event.price, event.quantity)
                    market.by_bars = False
                return
        market.by_bars, market.opened = False, None

    def _synthetic(self, market: Market, ts_ms: int, price: Decimal, volume: Decimal) -> Book:
        settings, instrument = self.settings, market.instrument
        return synthetic_book(
            instrument.symbol,
            ts_ms,
            price,
            volume,
            instrument,
            settings.spread_bps,
            settings.depth_share,
            settings.levels,
        )

    @staticmethod
    def _set_book(market: Market, book: Book) -> None:
        market.bids = [list(level) for level in book.bids]
        market.asks = [list(level) for level in book.asks]

    def _match(self, market: Market) -> None:
        """Everything that can trade against the book as it stands, in order of acceptance."""
        for order in self.account.live_orders(market.instrument.symbol):
            if order.sleeping(self.account) or not order.live:
                continue
            if order.request.kind is OrderKind.STOP and not order.triggered:
                stop = order.request.stop_price
                assert stop is not None
                order.triggered = bool(market.bids) and market.bids[0][0] <= stop
                if not order.triggered:
                    continue
            self._walk(market, order)

    def _walk(self, market: Market, order: VenueOrder) -> None:
        levels = market.asks if order.request.side is Side.BUY else market.bids
        limit, buys = order.request.limit_price, order.request.side is Side.BUY
        while levels and order.live and (left := self.account.remaining(order)) > 0:
            price, size = levels[0]
            if limit is not None and (price > limit if buys else price < limit):
                break
            taken = min(size, left)
            self._fill(market.instrument, order, price, taken, self.settings.taker_fee_bps)
            levels[0][1] = sub(size, taken)
            if not levels[0][1]:
                levels.pop(0)

    # -- within a bar -------------------------------------------------------------------------------------------

    def _closed(self, market: Market, bar: Bar) -> None:
        eligible = [
            order
            for order in self.account.live_orders(bar.symbol)
            if order.accepted_ms <= bar.open_ms and not order.sleeping(self.account)
        ]
        depth = round_to_step(mul(bar.volume, self.settings.depth_share), market.instrument.lot, FLOOR)
        for order in [o for o in eligible if o.request.kind is OrderKind.STOP]:
            stop = order.request.stop_price
            assert stop is not None
            if order.live and bar.low <= stop:
                self._stop_out(market, order, bar, depth)
        for order in [o for o in eligible if o.request.kind is OrderKind.LIMIT]:
            if order.live and self._through(order.request, bar):
                depth = sub(depth, self._rest(market, order, depth))

    def _stop_out(self, market: Market, order: VenueOrder, bar: Bar, depth: Decimal) -> None:
        left, stop = self.account.remaining(order), order.request.stop_price
        assert stop is not None
        if left <= 0:
            return
        worst = min(stop, bar.open) if left <= depth else bar.low
        half = mul(worst, mul(mul(self.settings.spread_bps, BPS), _HALF))
        price = max(market.instrument.tick, round_to_step(sub(worst, half), market.instrument.tick, FLOOR))
        self._fill(market.instrument, order, price, left, self.settings.taker_fee_bps)

    @staticmethod
    def _through(request: OrderRequest, bar: Bar) -> bool:
        assert request.limit_price is not None
        if request.side is Side.BUY:
            return bar.low < request.limit_price
        return bar.high > request.limit_price

    def _rest(self, market: Market, order: VenueOrder, depth: Decimal) -> Decimal:
        """Fill a resting limit at its price, up to `depth`; returns what it took."""
        taken = min(depth, self.account.remaining(order))
        if taken <= 0:
            return ZERO
        assert order.request.limit_price is not None
        rounding = FLOOR if order.request.side is Side.SELL else CEILING
        price = round_to_step(order.request.limit_price, market.instrument.tick, rounding)
        self._fill(market.instrument, order, price, taken, self.settings.maker_fee_bps)
        return taken

    # -- money --------------------------------------------------------------------------------------------------

    def _fill(
        self, instrument: Instrument, order: VenueOrder, price: Decimal, quantity: Decimal, fee_bps: Decimal
    ) -> None:
        account, notional = self.account, mul(price, quantity)
        fee = fee_of(notional, fee_bps)
        buys = order.request.side is Side.BUY
        account.move(instrument.base, quantity if buys else neg(quantity))
        account.move(instrument.quote, sub(neg(notional), fee) if buys else sub(notional, fee))
        account.fills += 1
        fill = VenueFill(
            fill_id=f"f{account.fills}",
            client_id=order.request.client_id,
            symbol=instrument.symbol,
            side=order.request.side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=instrument.quote,
            ts_ms=account.now_ms,
        )
        account.book(order, fill)
