"""The practice market: generated, endless, seeded; no network and no file. It is for learning the tool and for testing
it, and proves nothing about a strategy.

Two layers keep a restart cheap. The *path* draws, for every bar of every instrument, where the price goes and how many
trades there are: a few microseconds a bar. The *detail* of a bar (books, trades, the bar itself) is drawn from its own
generator, seeded by the bar's number, and only for bars that are asked for. So a cursor after a month is found in about
a second, without generating the month.

Only ``random()``, which Python promises to keep, and the four operations of IEEE arithmetic are used (no logarithm, no
gauss): the same seed gives the same market on every machine. Floats end at whole ticks and lots.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final, NamedTuple

from app.errors import UsageError
from app.market.events import DataWarnings, MarketEvent
from app.market.naming import make_instrument
from app.market.trades import BarBuilder
from storage.decimals import CONTEXT
from strategies.model import Bar, Book, Instrument, PublicTrade, Side

_VERSION: Final = "v1"
"""Part of `source_id`: raise it when the same seed gives other events."""
_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
_PULL: Final = 0.0001
"""Of the distance from the first price, taken back each minute: a price stays within some tens of percent for ever."""
_LEVELS: Final = 10
_SIZES: Final = 64
_REMEMBERED: Final = 4_096
_Draw = Callable[[], float]


@dataclass(frozen=True, slots=True)
class PracticeMarket:
    """One generated instrument.

    Attributes:
        price: first price; of a cross (`over` not empty) the quotient of `over` is used instead.
        price_places: decimals of the tick. lot_places: decimals of the lot.
        volatility_bps: standard deviation of a minute's return in an average regime.
        spread_bps: in an average regime.
        level_lots: typical quantity of the best level, lots.
        trade_lots: typical quantity of a trade, lots.
        follows: share of the first instrument's return this one takes over.
        over: numbers (in the tuple of markets) of numerator and denominator, for a cross such as ETH-BTC.
    """

    symbol: str
    price: float
    price_places: int
    lot_places: int
    volatility_bps: float
    spread_bps: float
    level_lots: int
    trade_lots: int
    follows: float = 0.0
    over: tuple[int, int] | None = None


MARKETS: Final = (
    PracticeMarket("BTC-USDT", 60_000.0, 2, 5, 6.0, 1.5, 5_000, 900),
    PracticeMarket("ETH-USDT", 3_000.0, 2, 4, 7.0, 2.0, 10_000, 2_500, follows=0.6),
    PracticeMarket("SOL-USDT", 150.0, 2, 3, 9.0, 3.0, 20_000, 6_000, follows=0.7),
    PracticeMarket("ETH-BTC", 0.05, 6, 4, 1.0, 3.0, 8_000, 1_500, over=(1, 0)),
)
"""What there is to trade by default. ETH-BTC is ETH-USDT over BTC-USDT with a little noise of its own."""


class _Regime(NamedTuple):
    """`drift` in standard deviations a minute; `pull` to the price the regime began at; `minutes` it lasts, mean."""

    drift: float
    volatility: float
    pull: float
    spread: float
    activity: float
    minutes: float


_REGIMES: Final = (
    _Regime(0.40, 1.0, 0.0, 1.0, 1.3, 45.0),  # trend up
    _Regime(-0.40, 1.0, 0.0, 1.0, 1.3, 45.0),  # trend down
    _Regime(0.0, 0.7, 0.15, 1.0, 0.8, 35.0),  # range
    _Regime(0.0, 2.2, 0.0, 2.0, 2.0, 15.0),  # volatile
    _Regime(0.0, 0.35, 0.05, 0.8, 0.5, 25.0),  # quiet
)


class _Plan(NamedTuple):
    """One bar of one instrument before its detail: mid prices at its ends, noise between them, spread, trades."""

    start: float
    end: float
    noise: float
    spread_bps: float
    trades: int


class _Path:
    """Walks all instruments bar by bar."""

    def __init__(self, seed: int, markets: tuple[PracticeMarket, ...], timeframe_ms: int) -> None:
        self._random = random.Random(f"countersign {_VERSION} path {seed}").random
        self._markets = markets
        self._minutes = timeframe_ms / _MINUTE_MS
        self._price = [market.price for market in markets]
        self._anchor = list(self._price)
        self._regime = [_REGIMES[int(self._random() * len(_REGIMES))] for _ in markets]
        self._basis = [0.0 for _ in markets]
        for number, market in enumerate(markets):
            if market.over is not None:
                self._price[number] = self._price[market.over[0]] / self._price[market.over[1]]

    def step(self) -> tuple[_Plan, ...]:
        """The plans of the next bar."""
        plans: list[_Plan] = []
        leader = 0.0
        for number, market in enumerate(self._markets):
            start = self._price[number]
            regime = self._switch(number)
            deviation = market.volatility_bps * 1e-4 * regime.volatility * self._minutes**0.5
            if market.over is None:
                change = self._change(number, market, regime, deviation) + market.follows * leader
                # A bar may be a day long: no step takes more than half of a price.
                end = start * (1.0 + max(-0.5, min(0.5, change)))
                if number == 0:
                    leader = change
            else:
                self._basis[number] = self._basis[number] * 0.8 + deviation * self._shock()
                end = self._price[market.over[0]] / self._price[market.over[1]] * (1.0 + self._basis[number])
            self._price[number] = end
            luck = self._random()
            trades = 1 + int(12.0 * regime.activity * luck * luck * min(self._minutes, 60.0))
            plans.append(_Plan(start, end, deviation * start, market.spread_bps * regime.spread, trades))
        return tuple(plans)

    def _switch(self, number: int) -> _Regime:
        regime = self._regime[number]
        if self._random() * regime.minutes < self._minutes:
            regime = self._regime[number] = _REGIMES[int(self._random() * len(_REGIMES))]
            self._anchor[number] = self._price[number]
        return regime

    def _change(self, number: int, market: PracticeMarket, regime: _Regime, deviation: float) -> float:
        price, minutes = self._price[number], self._minutes
        drift = regime.drift * market.volatility_bps * 1e-4 * minutes
        to_anchor = min(1.0, regime.pull * minutes) * (self._anchor[number] / price - 1.0)
        home = min(1.0, _PULL * minutes) * (market.price / price - 1.0)
        return drift + to_anchor + home + deviation * self._shock()

    def _shock(self) -> float:
        """Mean 0, variance 1, at most 3.5: the sum of four uniform draws."""
        draw = self._random
        return (draw() + draw() + draw() + draw() - 2.0) * 1.7320508075688772


class _Maker:
    """Turns plans of one instrument into events."""

    def __init__(self, market: PracticeMarket) -> None:
        self._symbol = market.symbol
        self._market = market
        self._tick = 10.0**-market.price_places
        self._prices: dict[int, Decimal] = {}
        # The quantities of a level: 64 sizes from 0.3 to 1.7 of the typical one, growing with the distance.
        self._sizes = tuple(
            tuple(
                _decimal(
                    1 + int(market.level_lots * (1.0 + 0.4 * level) * (0.3 + 1.4 * size / _SIZES)), market.lot_places
                )
                for size in range(_SIZES)
            )
            for level in range(_LEVELS)
        )

    def _price(self, ticks: int) -> Decimal:
        known = self._prices.get(ticks)
        if known is None:
            if len(self._prices) >= _REMEMBERED:
                self._prices.clear()
            known = self._prices[ticks] = _decimal(ticks, self._market.price_places)
        return known

    def events(
        self, plan: _Plan, open_ms: int, timeframe_ms: int, every_ms: int, seed: str, *, books: bool
    ) -> list[MarketEvent]:
        """Books, trades and last the bar, by time; without `books` they are drawn, so that all else is the same, and
        not made, which is three quarters of the time."""
        draw = random.Random(f"{seed} {self._symbol}").random
        count = timeframe_ms // every_ms
        mids = self._mids(plan, count, draw)
        spread = max(2, int(plan.spread_bps * 1e-4 * plan.start / self._tick + 0.5))
        touches = [(max(_LEVELS * spread, int(mid / self._tick)) - spread // 2, spread) for mid in mids[:-1]]
        when = sorted(int(draw() * timeframe_ms) for _ in range(plan.trades))
        result: list[MarketEvent] = []
        builder, done = BarBuilder(self._symbol, timeframe_ms), 0
        for number, (bid, width) in enumerate(touches):
            start = number * every_ms
            if books:
                result.append(self._book(open_ms + start, bid, width, draw))
            else:
                for _ in range(2 * _LEVELS):
                    draw()
            buys = 0.65 if mids[number + 1] > mids[number] else 0.35
            while done < len(when) and when[done] < start + every_ms:
                trade = self._trade(open_ms + when[done], bid, width, buys, draw)
                builder.add(trade)
                result.append(trade)
                done += 1
        result.append(builder.finish())
        return result

    def _mids(self, plan: _Plan, count: int, draw: _Draw) -> list[float]:
        """`count` + 1 mid prices from start to end: a random walk bent so that it ends there (a Brownian bridge)."""
        scale = plan.noise * 3.4641016151377544 / count**0.5
        walk = [0.0]
        for _ in range(count):
            walk.append(walk[-1] + (draw() - 0.5) * scale)
        bend = (plan.end - plan.start - walk[-1]) / count
        return [plan.start + step + bend * number for number, step in enumerate(walk)]

    def _book(self, ts_ms: int, bid: int, width: int, draw: _Draw) -> Book:
        price, sizes, gap = self._price, self._sizes, max(1, width // 2)
        ask = bid + width
        bids = tuple([(price(bid - gap * level), sizes[level][int(draw() * _SIZES)]) for level in range(_LEVELS)])
        asks = tuple([(price(ask + gap * level), sizes[level][int(draw() * _SIZES)]) for level in range(_LEVELS)])
        return Book(self._symbol, ts_ms, bids, asks)

    def _trade(self, ts_ms: int, bid: int, width: int, buys: float, draw: _Draw) -> PublicTrade:
        buy = draw() < buys
        luck = draw()
        lots = 1 + int(self._market.trade_lots * (0.1 + 3.0 * luck * luck * luck))
        price, side = (bid + width, Side.BUY) if buy else (bid, Side.SELL)
        return PublicTrade(self._symbol, ts_ms, self._price(price), _decimal(lots, self._market.lot_places), side)


def _decimal(units: int, places: int) -> Decimal:
    return CONTEXT.scaleb(Decimal(units), -places)


def _order(event: MarketEvent) -> tuple[int, int, str]:
    """The total order of `app.market.events`; equal keys keep the order they were made in."""
    if type(event) is Bar:
        return event.close_ms, 0, event.symbol
    return event.ts_ms, 1, event.symbol  # type: ignore[union-attr]  # no Bar


class PracticeSource:
    """The generated market (a `MarketSource`), endless.

    Args:
        seed: same seed, same events.
        start_ms: market time of the first bar's open, rounded down to the timeframe.
        timeframe_ms: of the bars; a multiple of `book_every_ms`, at most a day.
        book_every_ms: market time between two books of an instrument.

    Raises:
        UsageError: a timeframe that is not possible.
    """

    def __init__(
        self,
        seed: int,
        *,
        start_ms: int,
        timeframe_ms: int = _MINUTE_MS,
        book_every_ms: int = 5_000,
        markets: tuple[PracticeMarket, ...] = MARKETS,
    ) -> None:
        if not (0 < book_every_ms <= timeframe_ms <= _DAY_MS) or timeframe_ms % book_every_ms:
            raise UsageError(
                "run.timeframe",
                f"The practice market can not make bars of {timeframe_ms} ms with a book every {book_every_ms} ms.",
                next_step=f"Give a timeframe that is a multiple of {max(1, book_every_ms)} ms, at most a day.",
            )
        self._seed = seed
        self._start_ms = start_ms - start_ms % timeframe_ms
        self._frame = timeframe_ms
        self._every = book_every_ms
        self._markets = markets
        self._makers = [_Maker(market) for market in markets]
        digest = hashlib.sha256(repr((markets, _REGIMES, timeframe_ms, book_every_ms)).encode()).hexdigest()[:16]
        self._source_id = f"practice:{_VERSION}:{seed}:{digest}:{self._start_ms}"
        made = (
            make_instrument(each.symbol, _decimal(1, each.price_places), _decimal(1, each.lot_places))
            for each in markets
        )
        self._instruments = tuple(sorted(made, key=lambda each: each.symbol))
        self._warnings = DataWarnings()

    @property
    def source_id(self) -> str:
        """``practice:v1:<seed>:<digest of the settings>:<start_ms>``."""
        return self._source_id

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """What it quotes, sorted by symbol."""
        return self._instruments

    @property
    def warnings(self) -> DataWarnings:
        """Always empty: generated data has no defects."""
        return self._warnings

    @property
    def total_events(self) -> None:
        """Endless."""
        return

    def events(self, start: int = 0) -> Iterator[MarketEvent]:
        """Events from position `start` on, for ever.

        Raises:
            ValueError: `start` is negative.
        """
        if start < 0:
            raise ValueError(f"a position can not be negative: {start}")
        for number, first, plans in self._plans():
            skip = start - first
            if skip < self._count(plans):
                yield from islice(self._detail(number, plans), max(0, skip), None)

    def position_of(self, bar: int) -> int:
        """Position of the first event of bar number `bar`; the first bar is 0."""
        return next(first for number, first, _ in self._plans() if number == bar)

    def bars_before(self, position: int, count: int) -> dict[str, list[Bar]]:
        """The last `count` bars of each symbol among the events before `position`, oldest first."""
        kept: deque[tuple[int, int, tuple[_Plan, ...]]] = deque(maxlen=count + 1)
        for entry in self._plans():
            if entry[1] >= position:
                break
            kept.append(entry)
        bars: dict[str, list[Bar]] = {each.symbol: [] for each in self._instruments}
        for number, first, plans in kept:
            whole = first + self._count(plans) <= position
            for event in islice(self._detail(number, plans, books=not whole), position - first):
                if type(event) is Bar:
                    bars[event.symbol].append(event)
        return {symbol: found[-count:] if count else [] for symbol, found in bars.items()}

    def _plans(self) -> Iterator[tuple[int, int, tuple[_Plan, ...]]]:
        """Bar number, position of its first event, plans."""
        path = _Path(self._seed, self._markets, self._frame)
        number = position = 0
        while True:
            plans = path.step()
            yield number, position, plans
            position += self._count(plans)
            number += 1

    def _count(self, plans: tuple[_Plan, ...]) -> int:
        """Events of one bar: its books, its trades, and one bar for each instrument."""
        return len(plans) * (self._frame // self._every + 1) + sum(plan.trades for plan in plans)

    def _detail(self, number: int, plans: tuple[_Plan, ...], *, books: bool = True) -> list[MarketEvent]:
        open_ms, seed = self._start_ms + number * self._frame, f"countersign {_VERSION} {self._seed} {number}"
        found: list[MarketEvent] = []
        for maker, plan in zip(self._makers, plans, strict=True):
            found += maker.events(plan, open_ms, self._frame, self._every, seed, books=books)
        found.sort(key=_order)
        return found
