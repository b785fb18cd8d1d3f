"""The paper venue's matching: pure, no I/O, no clock of its own. What it answers is what the database will say.

Time is the largest instant of any market event; it never goes back. An order ends as EXPIRED once time has reached its
`expires_ms`, before the event that moved the time is matched. Two kinds of market per instrument:

*Bars* (fed by `BarOpened` and `Bar`). An order is matchable from the next bar's open on, never within the bar it was
decided on. At an open the synthetic book of that bar (its own volume) is walked by marketable orders in order of
acceptance; depth is shared and consumed; a stop through the open trades there. At the close, orders accepted before
the bar opened are checked against its range: a stop is triggered by touch and fills at the worse of stop and open, less
half the spread; beyond the bar's remaining depth, at the low less half the spread; always in full, because a protective
exit must complete. A resting limit fills only where the range goes strictly through it, up to the depth left. Stop and
target within one bar: the stop wins. An exit whose entry filled at the open is live for the whole bar; one whose entry
filled within the bar only for its stop: a price that fell through the entry and further was at the stop later, but a
target may have been passed before the entry. A basket whose stop fills within a bar has bought whatever the bar
went through on the way down; the rest ends. All of this errs against the trader.

*Books* (fed by `Book`, `Quote`, `PublicTrade`). A submit matches at once; the rest waits for the next book. A stop is
triggered by the best bid and then sells at market until it is done. (The lowest bid of a recorded quote bar comes as a
book without asks: what sells meets it, what buys does not.) Trades without books make a synthetic book around
each; there an order waits for the next trade, because the last one was made before the decision, and a trade at the
stop triggers it too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from app.market.events import BarOpened, MarketEvent, event_time
from app.money import BPS, CEILING, FLOOR, ZERO, add, mul, neg, round_to_step, sub
from app.practice.books import Feed, Market
from app.practice.checks import Refused, check_list
from app.practice.fees import fee_of
from app.practice.orders import Account, VenueOrder
from app.venues.base import OrderKind, OrderReport, OrderRequest, OrderState, VenueFill
from app.venues.paper_wire import PaperSettings
from strategies.model import Bar, Side

_HALF: Final = Decimal("0.5")


class Exchange:
    """The venue. Each public method changes the account and lists what changed in `account.changed`.

    Args:
        markets: by symbol; every instrument the account knows.
    """

    def __init__(self, settings: PaperSettings, account: Account, markets: dict[str, Market]) -> None:
        self.settings = settings
        self.account = account
        self.markets = markets

    # -- orders -------------------------------------------------------------------------------------------------

    def repeats(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...] | None:
        """The reports of a list that was accepted before, or None when it is not exactly that."""
        known = [self.account.orders.get(request.client_id) for request in requests]
        if not requests or any(o is None or o.request != r for o, r in zip(known, requests, strict=True)):
            return None
        return tuple(order.report() for order in known if order is not None)

    def submit(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        """Accept a new list, all or none, and match it where a book stands.

        Raises:
            Refused: nothing of it was accepted.
        """
        account = self.account
        check_list(self.settings, account, self.markets, requests)
        entries_first = sorted(requests, key=lambda request: request.parent is not None)
        accepted = [account.accept(r, self.markets[r.symbol].opened_ms) for r in entries_first]
        for order in accepted:
            if order.live:
                account.settle(order)
        self._expire()
        for symbol in dict.fromkeys(request.symbol for request in requests):
            if self.markets[symbol].stands:
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
        """Take the next market event.

        One that was processed before (by `position`) comes again after a lost answer or a restart: it shows that there
        is a market, but its levels are not given out a second time. What stood there may be taken already, so after a
        restart of this process orders wait for the next event.

        Raises:
            Refused: unknown instrument, or time would go back.
        """
        market = self.markets.get(event.symbol)
        if market is None:
            raise Refused("market.unknown", f"There is no instrument {event.symbol}.")
        market.seen = True
        if position <= self.account.position:
            return
        self._advance(event_time(event))
        self.account.position = position
        if self._show(market, event):
            self._match(market)
        elif type(event) is Bar and market.feed is Feed.BARS:
            self._closed(market, event)

    def _advance(self, ts_ms: int) -> None:
        account = self.account
        if ts_ms < account.now_ms:
            raise Refused("market.backwards", f"Time would go back from {account.now_ms} to {ts_ms} ms.")
        account.now_ms = ts_ms
        self._expire()

    def _expire(self) -> None:
        account = self.account
        for order in account.live_orders():
            expires = order.request.expires_ms
            if order.live and expires is not None and expires <= account.now_ms:
                account.end(order, OrderState.EXPIRED, "its time in force ended")

    def _show(self, market: Market, event: MarketEvent) -> bool:
        """Put the event into the market; True when orders can trade against what stands now."""
        match event:
            case BarOpened():
                market.opens(event, self.settings)
                return True
            case Bar():
                market.closes(event)
                return False
            case _:
                return market.shows(event, self.settings)

    def _match(self, market: Market) -> None:
        """Everything that can trade against the levels as they stand, in order of acceptance."""
        for order in self.account.live_orders(market.instrument.symbol):
            if not order.live or self.account.sleeping(order):
                continue
            stop = order.request.stop_price
            if not order.triggered and not market.reaches(order.request):
                continue
            if stop is not None and not order.triggered:
                if not market.touches(stop):
                    continue
                order.triggered = True
                self.account.touch(order)
                self.account.stopped(order)  # before it sells: what follows in this loop finds its basket ended
            self._walk(market, order)

    def _walk(self, market: Market, order: VenueOrder) -> None:
        levels, tick = market.levels(order.request.side), market.instrument.tick
        limit, buys = order.request.limit_price, order.request.side is Side.BUY
        while levels and order.live and (left := self.account.remaining(order)) > ZERO:
            price, size = levels[0]
            if limit is not None and (price > limit if buys else price < limit):
                break
            # A recorded level may lie between our ticks: rounded against us, but never past our own limit.
            on_tick = max(tick, round_to_step(price, tick, CEILING if buys else FLOOR))
            if limit is not None:
                on_tick = min(on_tick, limit) if buys else max(on_tick, limit)
            taken = self._fill(market, order, on_tick, min(size, left), self.settings.taker_fee_bps)
            levels[0][1] = sub(size, taken)
            if not levels[0][1]:
                levels.pop(0)

    # -- within a bar -------------------------------------------------------------------------------------------

    def _closed(self, market: Market, bar: Bar) -> None:
        eligible = [o for o in self.account.live_orders(bar.symbol) if o.after_bar_ms < bar.open_ms]
        awake = [order for order in eligible if not self.account.sleeping(order)]
        asleep = [order for order in eligible if self.account.sleeping(order)]
        self._stops(market, awake, bar)
        for order in awake:
            if order.request.kind is OrderKind.LIMIT and order.live and self._through(order.request, bar):
                self._rest(market, order, bar)
        self._stops(market, asleep, bar)
        # Only now: a range that holds entries of a basket and their stop went through the entries first.
        for order in eligible:
            if order.request.kind is OrderKind.STOP and order.filled:
                self.account.stopped(order)

    def _stops(self, market: Market, orders: list[VenueOrder], bar: Bar) -> None:
        for order in orders:
            stop = order.request.stop_price
            if stop is None or not order.live or self.account.sleeping(order):
                continue
            if order.triggered or bar.low <= stop:
                self._stop_out(market, order, bar, stop)

    def _stop_out(self, market: Market, order: VenueOrder, bar: Bar, stop: Decimal) -> None:
        left, tick = self.account.remaining(order), market.instrument.tick
        if left <= ZERO:
            return
        worst = min(stop, bar.open) if left <= market.depth(bar, self.settings) else min(stop, bar.low)
        half = mul(worst, mul(mul(self.settings.spread_bps, BPS), _HALF))
        price = max(tick, round_to_step(sub(worst, half), tick, FLOOR))
        self._fill(market, order, price, left, self.settings.taker_fee_bps)

    @staticmethod
    def _through(request: OrderRequest, bar: Bar) -> bool:
        assert request.limit_price is not None
        if request.side is Side.BUY:
            return bar.low < request.limit_price
        return bar.high > request.limit_price

    def _rest(self, market: Market, order: VenueOrder, bar: Bar) -> None:
        """Fill a resting limit at its price, up to the depth left."""
        taken = min(market.depth(bar, self.settings), self.account.remaining(order))
        if taken > ZERO:
            assert order.request.limit_price is not None
            self._fill(market, order, order.request.limit_price, taken, self.settings.maker_fee_bps)

    # -- money --------------------------------------------------------------------------------------------------

    def _fill(self, market: Market, order: VenueOrder, price: Decimal, quantity: Decimal, fee_bps: Decimal) -> Decimal:
        """Book one execution and return its quantity: 0 when the fees of very many fills have used up the cash."""
        account, instrument, notional = self.account, market.instrument, mul(price, quantity)
        buys = order.request.side is Side.BUY
        fee = fee_of(notional, fee_bps) if buys else min(fee_of(notional, fee_bps), notional)
        if buys and add(notional, fee) > account.balance(instrument.quote):
            account.end(order, OrderState.CANCELLED, "the cash does not cover the next fill and its fee")
            return ZERO
        account.move(instrument.base, quantity if buys else neg(quantity))
        account.move(instrument.quote, sub(neg(notional), fee) if buys else sub(notional, fee))
        market.took(quantity)
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
        return quantity
