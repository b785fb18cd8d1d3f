"""A market that is happening now: events come when they come, and market time is the wall clock's."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from app.engine.clock import Clock, MarketClock, WallClock
from app.market.events import DataWarnings, MarketEvent, MarketSource, News, event_time
from app.market.pace import SLICE_S, Deliver, Settle, Speed, step_to
from app.money import ZERO, add, mul
from strategies.chain_messages import ChainMessage
from strategies.model import Bar, Book, Instrument

_HALF: Final = Decimal("0.5")


class LiveSource:
    """`MarketSource` that is fed while it runs. What was not there when it happened can not be had again: it has no
    past and no positions to go back to.

    Args:
        source_id: names the market; a database remembers it and refuses another.
    """

    def __init__(self, source_id: str, instruments: tuple[Instrument, ...], timeframe_ms: int) -> None:
        self._source_id = source_id
        self._instruments = tuple(sorted(instruments, key=lambda each: each.symbol))
        self._warnings = DataWarnings()
        self._bars = {each.symbol: _Forming(each.symbol, timeframe_ms) for each in instruments}
        self._queue: deque[MarketEvent | News] = deque()
        self.arrived = asyncio.Event()

    @property
    def source_id(self) -> str:
        """Which market."""
        return self._source_id

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """What it quotes."""
        return self._instruments

    @property
    def warnings(self) -> DataWarnings:
        """None: whoever feeds it tells of its own troubles."""
        return self._warnings

    @property
    def total_events(self) -> int | None:
        """It does not end."""
        return None

    def events(self, start: int = 0) -> Iterator[MarketEvent]:  # noqa: ARG002 -- it has no past
        """Nothing: `follow` takes them as they come."""
        return iter(())

    def bars_before(self, position: int, count: int) -> dict[str, list[Bar]]:  # noqa: ARG002 -- as above
        """Nothing: it has no past."""
        return {}

    def tell(self, book: Book) -> None:
        """A market as it is now. The bar that ends before it comes first."""
        quote = book.quote()
        if quote is not None:
            mid = mul(add(quote.bid, quote.ask), _HALF)
            finished = self._bars[book.symbol].saw(mid, book.ts_ms)
            if finished is not None:
                self._queue.append(finished)
        self._queue.append(book)
        self.arrived.set()

    def say(self, message: ChainMessage, ts_ms: int) -> None:
        """Something that modules are told, after the markets as they were told before it."""
        self._queue.append(News(message.symbol, ts_ms, message))
        self.arrived.set()

    def take(self) -> MarketEvent | News | None:
        """The next event that has come, or None."""
        if not self._queue:
            self.arrived.clear()
            return None
        return self._queue.popleft()


class _Forming:
    """A bar in the making, of middle prices. It has no volume: what others traded is not counted here."""

    def __init__(self, symbol: str, timeframe_ms: int) -> None:
        self._symbol, self._frame = symbol, timeframe_ms
        self._open_ms = -1
        self._prices: tuple[Decimal, Decimal, Decimal, Decimal] = (ZERO, ZERO, ZERO, ZERO)

    def saw(self, price: Decimal, ts_ms: int) -> Bar | None:
        """Take a price; the finished bar once its time is over."""
        begins = ts_ms - ts_ms % self._frame
        finished = None
        if begins != self._open_ms:
            if self._open_ms >= 0:
                finished = Bar(self._symbol, self._open_ms, self._frame, *self._prices, ZERO)
            self._open_ms, self._prices = begins, (price, price, price, price)
        else:
            first, high, low, _ = self._prices
            self._prices = (first, max(high, price), min(low, price), price)
        return finished


async def follow(
    source: MarketSource,
    clock: MarketClock,
    start: int,
    speed: Speed,  # noqa: ARG001 -- a live market has its own
    deliver: Deliver,
    settle: Settle,
    stopping: Callable[[], bool],
    wall: Clock | None = None,
) -> int:
    """`Pacer` of a `LiveSource`: market time is the wall clock's, and events are delivered as they come.

    Returns:
        The position reached.
    """
    assert isinstance(source, LiveSource)
    real, position = wall or WallClock(), start
    while not stopping():
        now = real.now_ms()
        if now > clock.now_ms():
            await step_to(clock, now, settle)
            clock.advance(max(now, clock.now_ms()))
        while not stopping() and (event := source.take()) is not None:
            # An event is known when it is told, not when its bar ended.
            due = max(event_time(event), clock.now_ms())
            await step_to(clock, due, settle)
            clock.advance(max(due, clock.now_ms()))
            position += 1
            await deliver(event, position)
            await settle()
        try:
            async with asyncio.timeout(SLICE_S):
                await source.arrived.wait()
        except TimeoutError:
            pass
    return position
