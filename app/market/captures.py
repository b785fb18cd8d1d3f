"""What the capture readers share: lines, receive times, levels, and the Bybit and Hyperliquid readers.

The receive time is the event time, and the order of the file is the order of events: two streams of one venue have no
other common clock. (In the Binance captures of 2024-08-08 the receive clock is 1.27 s behind the exchange's; a latency
made of both would be negative.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from app.errors import DataError
from app.market.events import MarketEvent
from app.market.files import Recording, parse_json
from app.market.orderbook import Level, LevelBook
from app.market.rows import BadRow, BadValue, Findings, Overlaps, read_rows, refuse, time_ms
from app.money import ZERO
from strategies.model import Book, PublicTrade, Quote, Side

BOOK_LEVELS: Final = 20
"""Levels a side of a released `Book`; all levels are kept to know which come up when the best are gone."""

_LINE: Final = re.compile(r"([0-9]{13})[0-9]{6} (\{.*)", re.ASCII)
_ALLOWED: Final = "a complete message of the same capture"


class CaptureReader(Protocol):
    """Turns messages into events, keeping its book from file to file."""

    def message(self, file: str, row: int, ts_ms: int, message: dict[str, Any]) -> Iterator[MarketEvent]:
        """The events of one message; BadValue or a missing key: it is not what it claims to be."""
        ...

    def end_of_file(self, file: str) -> None:
        """Report what can only be known now."""
        ...


class Capture:
    """Reads the lines of capture files, one after the other, through one `CaptureReader`."""

    timeframe_doubtful: Final = False
    backward: Final = 0
    backward_run: Final = 0
    overlaps: Final = Overlaps(0, 0)

    def __init__(self, reader: CaptureReader, findings: Findings) -> None:
        self._reader = reader
        self._findings = findings
        self.reached_ms = 0

    def read(self, recording: Recording) -> Iterator[MarketEvent]:
        """The events of one file.

        Raises:
            DataError: the file is not what it claims to be.
        """
        label, warnings, reader = recording.label, self._findings.warnings, self._reader
        for number, text, ended in read_rows(recording.path, label):
            if not text or text.isspace():
                warnings.add(label, "blank_row", f"row {number}")
                continue
            self._findings.rows += 1
            try:
                ts_ms, message = _split(text)
            except BadValue as error:
                if ended:
                    refuse(label, number, str(error), _ALLOWED)
                warnings.add(label, "truncated_row", f"row {number}: {error}")
                continue
            if not ended:
                warnings.add(label, "no_final_newline", f"row {number}")
            if ts_ms < self.reached_ms:
                warnings.add(label, "clock_backward", f"row {number}: {self.reached_ms - ts_ms} ms")
            else:
                self.reached_ms = ts_ms
            try:
                yield from reader.message(label, number, self.reached_ms, message)
            except BadRow as error:
                warnings.add(label, error.rule, f"row {number}: {error}")
            except (BadValue, KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
                # A message of an unexpected shape: which of these it is depends on where the shape differs.
                refuse(label, number, f"not a message of this capture ({type(error).__name__}: {error})", _ALLOWED)
        reader.end_of_file(label)


def _split(text: str) -> tuple[int, dict[str, Any]]:
    """Receive time and message of a line; Bybit archives have the exchange's time in the message instead."""
    if match := _LINE.fullmatch(text):
        return time_ms(match[1]), parse_json(match[2])
    message = parse_json(text)
    return time_ms(str(message.get("ts"))), message


def levels(findings: Findings, pairs: Sequence[Sequence[str]]) -> list[Level]:
    """``[price, quantity]`` texts as decimals.

    Raises:
        BadValue: a price that is not positive, a quantity below 0, or no number.
    """
    result: list[Level] = []
    for price_text, quantity_text in pairs:
        price, quantity = findings.price(price_text), findings.amount(quantity_text)
        if price is None or quantity is None or price <= ZERO or quantity < ZERO:
            raise BadValue(f"level {price_text!r}, {quantity_text!r}")
        result.append((price, quantity))
    return result


def make_quote(findings: Findings, symbol: str, ts_ms: int, texts: tuple[str, str, str, str]) -> Quote:
    """A quote of the texts bid, ask, bid size, ask size; `BadRow` if it can not be true."""
    bid, ask = findings.price(texts[0]), findings.price(texts[1])
    bid_size, ask_size = findings.amount(texts[2]), findings.amount(texts[3])
    if bid is None or ask is None or bid_size is None or ask_size is None:
        raise BadRow("not_a_number", f"quote {texts}")
    if bid <= ZERO or ask <= ZERO or bid_size <= ZERO or ask_size <= ZERO:
        raise BadRow("not_positive", f"quote {texts}")
    if bid >= ask:
        raise BadRow("crossed", f"bid {bid}, ask {ask}")
    return Quote(symbol, ts_ms, bid, ask, bid_size, ask_size)


def make_trade(
    findings: Findings, symbol: str, ts_ms: int, price_text: str, amount_text: str, taker: Side
) -> PublicTrade:
    """A trade of texts; `BadRow` if it can not be true."""
    price, amount = findings.price(price_text), findings.amount(amount_text)
    if price is None or amount is None:
        raise BadRow("not_a_number", f"trade {price_text!r}, {amount_text!r}")
    if price <= ZERO or amount <= ZERO:
        raise BadRow("not_positive", f"trade {price_text}, {amount_text}")
    return PublicTrade(symbol, ts_ms, price, amount, taker)


def make_book(symbol: str, ts_ms: int, book: LevelBook) -> Book:
    """The best levels of `book`; `BadRow` while it is crossed."""
    bids, asks = book.top(BOOK_LEVELS)
    if book.crossed:
        raise BadRow("crossed", f"bid {bids[0][0]}, ask {asks[0][0]}")
    return Book(symbol, ts_ms, bids, asks)


def check_venue_symbol(file: str, row: int, seen: object, expected: str) -> None:
    """A capture holds one instrument.

    Raises:
        DataError: a message of another one.
    """
    if seen != expected:
        raise DataError(
            "data.instrument",
            f"{file}, row {row}: a message for {str(seen)[:40]!r} in a recording read as {expected}.",
            next_step=f"Pass the --instrument it records (its dash removed must give {str(seen)[:40]!r}), or split it.",
        )


class BybitReader:
    """Bybit's public archive: ``orderbook.<depth>.<symbol>``, a snapshot, then deltas whose ``u`` grows by one.
    Source: bybit-exchange.github.io/docs/v5/websocket/public/orderbook."""

    def __init__(self, symbol: str, findings: Findings) -> None:
        self._symbol = symbol
        self._venue_symbol = "".join(symbol.removesuffix("-PERP").split("-"))
        self._findings = findings
        self._book: LevelBook | None = None
        self._update = 0
        self._unused = 0

    def message(self, file: str, row: int, ts_ms: int, message: dict[str, Any]) -> Iterator[MarketEvent]:
        """A `Book` for each snapshot and delta."""
        data = message["data"]
        check_venue_symbol(file, row, data["s"], self._venue_symbol)
        update, bids, asks = int(data["u"]), levels(self._findings, data["b"]), levels(self._findings, data["a"])
        if message["type"] == "snapshot":
            self._book = LevelBook(bids, asks)
        elif message["type"] != "delta":
            raise BadValue(f"type {str(message['type'])[:20]!r} is neither snapshot nor delta")
        elif self._book is None:
            self._unused += 1
            return
        elif update != self._update + 1:
            self._book = None
            self._findings.warnings.add(file, "sequence_break", f"row {row}: u {self._update} then {update}")
            yield Book(self._symbol, ts_ms, (), ())
            return
        else:
            self._book.change(bids, asks)
        self._update = update
        yield make_book(self._symbol, ts_ms, self._book)

    def end_of_file(self, file: str) -> None:
        """Count the deltas that met no book."""
        if self._unused:
            self._findings.warnings.add(file, "no_snapshot", f"{self._unused} deltas", self._unused)
        self._unused = 0


class HyperliquidReader:
    """Hyperliquid channels ``l2Book`` (whole snapshots) and ``trades``.
    Source: hyperliquid.gitbook.io, "API / Websocket / Subscriptions"; side B is a taker buy, A a taker sale."""

    def __init__(self, symbol: str, findings: Findings, first_ms: int) -> None:
        self._symbol = symbol
        self._coin = symbol.partition("-")[0]
        self._findings = findings
        self._first_ms = first_ms

    def message(self, file: str, row: int, ts_ms: int, message: dict[str, Any]) -> Iterator[MarketEvent]:
        """A `Book` for each l2Book; the trades that were made since the recording began."""
        channel, data = message["channel"], message["data"]
        if channel == "l2Book":
            check_venue_symbol(file, row, data["coin"], self._coin)
            bids, asks = ([(level["px"], level["sz"]) for level in side] for side in data["levels"])
            book = LevelBook(levels(self._findings, bids), levels(self._findings, asks))
            yield make_book(self._symbol, ts_ms, book)
        elif channel == "trades":
            yield from self._trades(file, row, ts_ms, data)
        else:
            self._findings.warnings.add(file, "ignored_message", f"row {row}: channel {str(channel)[:20]!r}")

    def _trades(self, file: str, row: int, ts_ms: int, trades: Any) -> Iterator[MarketEvent]:
        for trade in trades:
            check_venue_symbol(file, row, trade["coin"], self._coin)
            # On subscription the venue sends the last 30 trades, up to 50 s old: they were not made now.
            if (made_ms := int(trade["time"])) < self._first_ms:
                self._findings.warnings.add(file, "before_recording", f"row {row}: made at {made_ms}")
                continue
            taker = {"B": Side.BUY, "A": Side.SELL}[trade["side"]]
            try:
                yield make_trade(self._findings, self._symbol, ts_ms, trade["px"], trade["sz"], taker)
            except BadRow as error:
                self._findings.warnings.add(file, error.rule, f"row {row}: {error}")

    def end_of_file(self, file: str) -> None:
        """Nothing is left over: every book is whole."""
        del file
