"""The newest picture of each market, for marks, previews and risk. Plain memory, no I/O.

`apply` runs for every event of the market, so it only keeps references; a synthetic book is made when it is asked for
and kept until the next event of its instrument.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from app.market.events import BarOpened, MarketEvent
from app.market.synthetic import SyntheticSettings, synthetic_book
from app.money import DOWN, add, mul, round_to_step
from strategies.model import Bar, Book, Instrument, Quote

_HALF: Final = Decimal("0.5")


class _Market:
    """Newest of everything of one instrument."""

    __slots__ = (
        "bar",
        "frame_ms",
        "instrument",
        "made",
        "price",
        "price_ms",
        "real_book",
        "real_quote",
        "touch",
        "whole",
    )

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.bar: Bar | None = None
        self.frame_ms = 0
        self.price: Decimal | None = None
        self.price_ms = 0
        self.real_book: Book | None = None
        self.real_quote: Quote | None = None
        self.touch: Quote | Book | None = None
        """Whichever of the two came last."""
        self.whole: Book | None = None
        """The last book that had both sides."""
        self.made: Book | None = None


class MarketState:
    """What is known of each instrument now.

    A market that has shown a quote or a book of its own is never given a synthetic one: when its book breaks, it has
    none (`Book` with empty sides), and what remains is its last quote with its age.
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._markets = {each.symbol: _Market(each) for each in instruments}
        self._settings = SyntheticSettings()

    def apply(self, event: MarketEvent, settings: SyntheticSettings) -> None:
        """Take the next event. `settings` are those in force now.

        Raises:
            KeyError: an instrument that was not named at the start.
        """
        market = self._markets[event.symbol]
        if settings is not self._settings:
            self._settings = settings
            for each in self._markets.values():
                each.made = None
        kind = type(event)  # compared by identity: isinstance costs 0.3 us a tick, and mypy follows only that
        if kind is Quote:
            market.touch = market.real_quote = event  # type: ignore[assignment]  # by `kind`
        elif kind is Book:
            market.touch = market.real_book = event  # type: ignore[assignment]  # by `kind`
            if event.bids and event.asks:  # type: ignore[union-attr]  # by `kind`
                market.whole = event  # type: ignore[assignment]  # by `kind`
        else:
            market.made = None
            if kind is Bar:
                market.bar = event  # type: ignore[assignment]  # by `kind`
                market.frame_ms = event.timeframe_ms  # type: ignore[union-attr]  # by `kind`
                market.price = event.close  # type: ignore[union-attr]  # by `kind`
                market.price_ms = event.open_ms + event.timeframe_ms  # type: ignore[union-attr]  # by `kind`
                return
            # A bar's open or a trade. BarOpened.volume is hindsight and stays unread.
            if kind is BarOpened:
                market.frame_ms = event.timeframe_ms  # type: ignore[union-attr]  # by `kind`
            market.price = event.price  # type: ignore[union-attr]  # by `kind`
            market.price_ms = event.ts_ms  # type: ignore[union-attr]  # by `kind`

    def quote(self, symbol: str) -> Quote | None:
        """The newest touch: of the market's own quotes and book, else of the synthetic book; None while there is
        none."""
        market = self._markets[symbol]
        touch = market.touch
        if touch is None:
            made = self._synthetic(market)
            return None if made is None else made.quote()
        if type(touch) is Book:
            # An empty book (after a sequence break) says nothing about the touch; the last quote does, with its age.
            return touch.quote() or market.real_quote
        return market.real_quote

    def book(self, symbol: str) -> Book | None:
        """What an order would meet: the market's own book, else its quote as a book of one level in whole lots, as the
        venue gives it, else a synthetic one around the last price with the volume of the last finished bar; None before
        any of them."""
        market = self._markets[symbol]
        book, quote = market.real_book, market.real_quote
        if market.touch is None:
            return self._synthetic(market)
        if quote is None or (book is not None and book.bids and book.asks):
            return book
        lot = market.instrument.lot
        bid_size, ask_size = (round_to_step(size, lot, DOWN) for size in (quote.bid_size, quote.ask_size))
        return Book(symbol, quote.ts_ms, ((quote.bid, bid_size),), ((quote.ask, ask_size),))

    def mark(self, symbol: str) -> tuple[Decimal, int] | None:
        """Price at which a position counts, and its time: the middle of the market's own quote, else the newer of its
        last whole book and its last price (close, open or trade). Once there was one, there is one, with its age: a
        market that broke must not look like one that never spoke."""
        market = self._markets[symbol]
        if market.touch is not None:
            quote, whole = self.quote(symbol), market.whole
            if quote is None and whole is not None and whole.ts_ms >= market.price_ms:
                quote = whole.quote()
            if quote is not None:
                return mul(add(quote.bid, quote.ask), _HALF), quote.ts_ms
        return None if market.price is None else (market.price, market.price_ms)

    def last_bar(self, symbol: str) -> Bar | None:
        """The newest finished bar."""
        return self._markets[symbol].bar

    def bar_ms(self, symbol: str) -> int:
        """Timeframe of the bars behind a synthetic quote; 0 when the market has quotes of its own."""
        market = self._markets[symbol]
        return market.frame_ms if market.touch is None else 0

    def _synthetic(self, market: _Market) -> Book | None:
        if market.made is None and market.price is not None and market.bar is not None:
            settings, instrument = self._settings, market.instrument
            market.made = synthetic_book(
                instrument.symbol,
                market.price_ms,
                market.price,
                market.bar.volume,
                instrument,
                settings.spread_bps,
                settings.depth_share,
                settings.levels,
            )
        return market.made
