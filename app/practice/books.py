"""One instrument's market as the venue sees it: how it is fed, the levels that stand, what our fills took of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from app.market.events import BarOpened
from app.market.synthetic import synthetic_book
from app.money import BPS, DOWN, ZERO, add, mul, round_to_step, sub
from app.venues.base import OrderRequest
from app.venues.paper_wire import PaperSettings
from strategies.model import Bar, Book, Instrument, PublicTrade, Quote, Side

Levels = list[list[Decimal]]
"""``[price, quantity]``, best first; fills take from them until the next event replaces them."""


class Feed(StrEnum):
    """What an instrument was last fed by. Trades count only where nothing better is there."""

    NONE = "none"
    BARS = "bars"
    BOOKS = "books"
    TRADES = "trades"


@dataclass(slots=True)
class Market:
    """The market of `instrument`.

    Attributes:
        seen: shown since this process started; before that nothing can be accepted.
        opened_ms: open of the newest bar.
        used: what our fills took of the newest bar's depth.
        last_price: of the newest trade, where trades are all there is.
        bar_volume: of the newest finished bar.
    """

    instrument: Instrument
    feed: Feed = Feed.NONE
    seen: bool = False
    opened_ms: int = -1
    used: Decimal = ZERO
    last_price: Decimal | None = None
    bar_volume: Decimal | None = None
    _bids: Levels = field(default_factory=list)
    _asks: Levels = field(default_factory=list)
    _unmade: tuple[int, Decimal, Decimal, PaperSettings] | None = None
    """Instant, price, volume and settings of a synthetic book that nobody has asked for yet: making one costs 60 us,
    and most opens pass with every order far away."""

    @property
    def stands(self) -> bool:
        """There are levels that others offer now. Else orders wait: for the next bar's open, or for the next trade,
        since a book made around the last price would fill at a price that has gone."""
        return self.feed is Feed.BOOKS

    def levels(self, side: Side) -> Levels:
        """What an order of `side` meets."""
        self._make()
        return self._asks if side is Side.BUY else self._bids

    def reaches(self, request: OrderRequest) -> bool:
        """False when `request` can certainly not trade against what stands. Of a synthetic book it is known without
        making it that bid < price <= ask, and that its bid is less than the spread and two ticks below the price."""
        if self._unmade is None:
            return True
        _, price, _, settings = self._unmade
        if request.limit_price is not None:
            return price <= request.limit_price if request.side is Side.BUY else price > request.limit_price
        if request.stop_price is None:
            return True
        tick = self.instrument.tick
        lowest = sub(sub(price, mul(price, mul(settings.spread_bps, BPS))), add(tick, tick))
        return request.stop_price >= lowest

    def touches(self, stop: Decimal) -> bool:
        """Whether a protective sale at `stop` is due: best bid, or the last trade where trades are all there is."""
        if self.last_price is not None and self.last_price <= stop:
            return True
        bids = self.levels(Side.SELL)
        return bool(bids) and bids[0][0] <= stop

    def opens(self, event: BarOpened, settings: PaperSettings) -> None:
        """A bar opens: the synthetic book of its own volume."""
        self.feed, self.last_price = Feed.BARS, None
        self.opened_ms, self.used = event.ts_ms, ZERO
        self._unmade = event.ts_ms, event.price, event.volume, settings

    def closes(self, bar: Bar) -> None:
        """A bar is known. It starts a new depth where trades are all there is."""
        self.bar_volume = bar.volume
        if self.feed is not Feed.BARS:
            self.used = ZERO
        elif bar.open_ms > self.opened_ms:
            self.opened_ms, self.used = bar.open_ms, ZERO

    def depth(self, bar: Bar, settings: PaperSettings) -> Decimal:
        """What our orders may still trade in `bar`."""
        share = round_to_step(mul(bar.volume, settings.depth_share), self.instrument.lot, DOWN)
        return max(sub(share, self.used), ZERO)

    def shows(self, event: Book | Quote | PublicTrade, settings: PaperSettings) -> bool:
        """A book, a quote (one level) or a trade; False when it says nothing about this market."""
        match event:
            case Book():
                self._stand(event.bids, event.asks)
            case Quote():
                self._stand(((event.bid, event.bid_size),), ((event.ask, event.ask_size),))
            case PublicTrade():
                if self.feed not in {Feed.NONE, Feed.TRADES}:
                    return False
                # The volume of the last finished bar, as in the trader's preview; what we took since is gone.
                volume = event.quantity if self.bar_volume is None else max(event.quantity, self.bar_volume)
                self._unmade = event.ts_ms, event.price, volume, settings
                self.feed, self.last_price = Feed.TRADES, event.price
                return True
        self.feed, self.last_price = Feed.BOOKS, None
        return True

    def took(self, quantity: Decimal) -> None:
        """One of our orders traded."""
        self.used = add(self.used, quantity)

    def _make(self) -> None:
        if self._unmade is None:
            return
        (ts_ms, price, volume, s), instrument = self._unmade, self.instrument
        book = synthetic_book(
            instrument.symbol, ts_ms, price, volume, instrument, s.spread_bps, s.depth_share, s.levels
        )
        self._stand(book.bids, book.asks)
        _take(self._bids, self.used)
        _take(self._asks, self.used)

    def _stand(self, bids: Iterable[tuple[Decimal, Decimal]], asks: Iterable[tuple[Decimal, Decimal]]) -> None:
        self._unmade = None
        self._bids, self._asks = self._whole_lots(bids), self._whole_lots(asks)

    def _whole_lots(self, levels: Iterable[tuple[Decimal, Decimal]]) -> Levels:
        lot = self.instrument.lot
        rounded = ([price, round_to_step(size, lot, DOWN)] for price, size in levels)
        return [level for level in rounded if level[1] > ZERO and level[0] > ZERO]


def _take(levels: Levels, quantity: Decimal) -> None:
    left = quantity
    while levels and left > ZERO:
        taken = min(levels[0][1], left)
        levels[0][1], left = sub(levels[0][1], taken), sub(left, taken)
        if not levels[0][1]:
            levels.pop(0)
