"""The market as a screen shows it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final

from app.money import ZERO, add, div, mul, sub

if TYPE_CHECKING:
    from app.execution.desk import Desk
    from strategies.model import Bar, Book

KEPT: Final = 240
"""Bars kept per instrument: more than the widest chart shows."""
CHANGE_BARS: Final = 60
"""How far back a price is compared: an hour of bars of a minute. The same after a restart."""
_HUNDRED: Final = Decimal(100)
_BPS: Final = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class WatchRow:
    """One line of the watchlist. `change_pct` is against the opening of the bar `CHANGE_BARS` back."""

    symbol: str
    last: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    spread_bps: Decimal | None
    change_pct: Decimal | None
    age_ms: int | None
    synthetic: bool
    held: bool
    tick: Decimal


@dataclass(frozen=True, slots=True)
class BookView:
    """A book's best levels with their running totals, best first."""

    symbol: str
    tick: Decimal
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    synthetic: bool
    age_ms: int


class BarHistory:
    """The newest bars of each instrument."""

    def __init__(self) -> None:
        self._bars: dict[str, deque[Bar]] = {}

    def fill(self, bars: Mapping[str, Iterable[Bar]]) -> None:
        """Bars of the past, oldest first; in front of what has come meanwhile."""
        for symbol, past in bars.items():
            known = self._bars.get(symbol, deque())
            first = known[0].open_ms if known else None
            older = [bar for bar in past if first is None or bar.open_ms < first]
            self._bars[symbol] = deque([*older, *known], maxlen=KEPT)

    def add(self, bar: Bar) -> None:
        """A finished bar."""
        self._bars.setdefault(bar.symbol, deque(maxlen=KEPT)).append(bar)

    def bars(self, symbol: str) -> tuple[Bar, ...]:
        """Those of one instrument, oldest first."""
        return tuple(self._bars.get(symbol, ()))


def watchlist(desk: Desk, history: BarHistory) -> tuple[WatchRow, ...]:
    """Every instrument, by symbol."""
    held = {holding.symbol for holding in desk.state.positions.open_holdings()}
    return tuple(_row(desk, history, symbol, symbol in held) for symbol in sorted(desk.instruments))


def _row(desk: Desk, history: BarHistory, symbol: str, held: bool) -> WatchRow:
    quote, mark = desk.market.quote(symbol), desk.market.mark(symbol)
    last = None if mark is None else mark[0]
    spread = None
    if quote is not None and quote.bid > 0:
        middle = add(quote.bid, quote.ask)
        spread = div(mul(mul(sub(quote.ask, quote.bid), _BPS), Decimal(2)), middle, 1, ROUND_HALF_EVEN)
    return WatchRow(
        symbol=symbol,
        last=last,
        bid=None if quote is None else quote.bid,
        ask=None if quote is None else quote.ask,
        spread_bps=spread,
        change_pct=change_pct(last, history.bars(symbol)),
        age_ms=None if mark is None else max(0, desk.clock.now_ms() - mark[1]),
        synthetic=quote is not None and quote.synthetic,
        held=held,
        tick=desk.instruments[symbol].tick,
    )


def change_pct(last: Decimal | None, bars: Sequence[Bar]) -> Decimal | None:
    """Percent from the opening of the bar `CHANGE_BARS` back, rounded to 2 places; None before there are so many."""
    if last is None or len(bars) < CHANGE_BARS or bars[-CHANGE_BARS].open <= ZERO:
        return None
    opened = bars[-CHANGE_BARS].open
    return div(mul(sub(last, opened), _HUNDRED), opened, 2, ROUND_HALF_EVEN)


def change_over(timeframe_ms: int) -> str:
    """What `change_pct` is over, for a title: ``1h`` of bars of a minute."""
    minutes = timeframe_ms * CHANGE_BARS // 60_000
    for each, unit in ((1440, "d"), (60, "h"), (1, "m")):
        if minutes and minutes % each == 0:
            return f"{minutes // each}{unit}"
    return f"{CHANGE_BARS} bars"


def book(desk: Desk, symbol: str, levels: int) -> BookView | None:
    """The book that an order would meet; None before there is one."""
    found: Book | None = desk.market.book(symbol)
    if found is None:
        return None
    return BookView(
        symbol=symbol,
        tick=desk.instruments[symbol].tick,
        bids=found.bids[:levels],
        asks=found.asks[:levels],
        synthetic=found.synthetic,
        age_ms=max(0, desk.clock.now_ms() - found.ts_ms),
    )
