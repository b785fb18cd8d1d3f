"""Binance combined-stream captures: depth deltas, bookTicker, trades, and REST depth snapshots between them.

The snapshot arrives after the first deltas, so deltas wait in a buffer and are replayed from ``lastUpdateId``. Applying
only those after the snapshot leaves the book of 2024-08-08 crossed 2573 times; with the buffer, never.
Source: developers.binance.com, "How to manage a local order book correctly", spot (``U`` follows ``u``) and USD-M
futures (``pu`` is the ``u`` before).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

from app.market.captures import check_venue_symbol, levels, make_book, make_quote, make_trade
from app.market.events import MarketEvent
from app.market.orderbook import Level, LevelBook
from app.market.rows import Findings
from strategies.model import Book, Side

_BUFFERED: Final = 4096
"""Deltas kept while there is no book: 7 minutes of the fastest stream; a snapshot takes seconds. A recording that never
gets one must not fill the memory."""
_NOT_MARKET: Final = frozenset({"INSURANCE_FUND", "ADL"})


class _Delta(NamedTuple):
    first: int
    last: int
    before: int | None
    bids: list[Level]
    asks: list[Level]


class BinanceReader:
    """Messages of one instrument. While there is no book, ``bookTicker`` still gives quotes."""

    def __init__(self, symbol: str, findings: Findings) -> None:
        self._symbol = symbol
        self._venue_symbol = "".join(symbol.removesuffix("-PERP").split("-"))
        self._findings = findings
        self._book: LevelBook | None = None
        self._last = 0
        self._bridged = False
        self._waiting: deque[_Delta] = deque(maxlen=_BUFFERED)
        self._unused = 0

    def message(self, file: str, row: int, ts_ms: int, message: dict[str, Any]) -> Iterator[MarketEvent]:
        """The event of one message, if it makes one."""
        data = message.get("data", message)
        if "lastUpdateId" in data:
            yield from self._snapshot(file, row, ts_ms, data)
            return
        kind = data.get("e", "bookTicker" if "B" in data and "A" in data else "?")
        if kind not in ("depthUpdate", "bookTicker", "trade"):
            self._findings.warnings.add(file, "ignored_message", f"row {row}: {str(kind)[:20]!r}")
            return
        check_venue_symbol(file, row, data["s"], self._venue_symbol)
        if kind == "depthUpdate":
            yield from self._delta(file, row, ts_ms, data)
        elif kind == "bookTicker":
            texts = data["b"], data["a"], data["B"], data["A"]
            yield make_quote(self._findings, self._symbol, ts_ms, texts)
        elif data.get("X") in _NOT_MARKET:
            self._findings.warnings.add(file, "not_market_trade", f"row {row}: {data['X']}")
        else:
            taker = {True: Side.SELL, False: Side.BUY}[data["m"]]  # m: the buyer was the maker
            yield make_trade(self._findings, self._symbol, ts_ms, data["p"], data["q"], taker)

    def _snapshot(self, file: str, row: int, ts_ms: int, data: dict[str, Any]) -> Iterator[MarketEvent]:
        update = int(data["lastUpdateId"])
        if self._book is not None and update <= self._last:
            return  # older than the book we have, which is unbroken
        book = LevelBook(levels(self._findings, data["bids"]), levels(self._findings, data["asks"]))
        self._book, self._last, self._bridged = book, update, False
        waiting, self._waiting = self._waiting, deque(maxlen=_BUFFERED)
        self._unused -= len(waiting)
        broken = False
        for delta in waiting:
            if broken:
                self._keep(delta)
            else:
                broken = self._apply(file, row, delta, book) == "broken"
        if not broken:
            yield make_book(self._symbol, ts_ms, book)

    def _delta(self, file: str, row: int, ts_ms: int, data: dict[str, Any]) -> Iterator[MarketEvent]:
        before = data.get("pu")
        delta = _Delta(
            int(data["U"]),
            int(data["u"]),
            None if before is None else int(before),
            levels(self._findings, data["b"]),
            levels(self._findings, data["a"]),
        )
        if self._book is None:
            self._keep(delta)
            return
        outcome = self._apply(file, row, delta, self._book)
        if outcome == "changed":
            yield make_book(self._symbol, ts_ms, self._book)
        elif outcome == "broken":
            yield Book(self._symbol, ts_ms, (), ())

    def _keep(self, delta: _Delta) -> None:
        self._waiting.append(delta)
        self._unused += 1

    def _apply(self, file: str, row: int, delta: _Delta, book: LevelBook) -> Literal["changed", "old", "broken"]:
        """A delta that does not follow the one before takes the book away."""
        futures = delta.before is not None
        if not self._bridged:
            # The first delta after a snapshot has to span it; older ones are part of it.
            if delta.last < self._last or (delta.last == self._last and not futures):
                return "old"
            follows = delta.first <= self._last + (0 if futures else 1) or delta.before == self._last
        else:
            follows = delta.before == self._last if futures else delta.first == self._last + 1
        if not follows:
            what = f"row {row}: {self._last} then {delta.first} to {delta.last}"
            self._findings.warnings.add(file, "sequence_break", what)
            self._book = None
            self._keep(delta)
            return "broken"
        book.change(delta.bids, delta.asks)
        self._last, self._bridged = delta.last, True
        return "changed"

    def end_of_file(self, file: str) -> None:
        """Count the deltas for which there was no book."""
        if self._unused > 0:
            self._findings.warnings.add(file, "no_snapshot", f"{self._unused} deltas", self._unused)
        self._unused = 0
