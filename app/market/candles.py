"""Readers of candles and of quote bars. The rules for bad rows are in `app.market.files`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from app.market.events import BarOpened, MarketEvent
from app.market.files import Recording
from app.market.rows import BadRow, Findings, Overlaps, time_ms
from app.market.tables import parsed, without_outliers
from app.money import DOWN, ZERO, add, div, mul
from strategies.model import Bar, Book, Quote

_HALF: Final = Decimal("0.5")
_QUOTE_VOLUME_VENUES: Final = frozenset({"ftx"})
"""FTX's candle volume is in the quote currency (its API documentation, "volume: volume traded in the window", USD)."""


class _Order:
    """Decides whether the next row of a series may be released, and counts gaps."""

    def __init__(self, timeframe_ms: int, findings: Findings) -> None:
        self._frame = timeframe_ms
        self._warnings = findings.warnings
        self._last_ms: int | None = None
        self._last: object = None
        self._kept = 0
        self._adjacent = False
        self.dropped_backward = 0
        self.backward_run = 0
        self.overlaps = Overlaps(0, timeframe_ms)

    @property
    def reached_ms(self) -> int:
        return 0 if self._last_ms is None else self._last_ms + self._frame

    @property
    def timeframe_doubtful(self) -> bool:
        return self._kept >= 100 and not self._adjacent

    def accepts(self, file: str, row: int, ts_ms: int, content: object) -> bool:
        last = self._last_ms
        if last is not None:
            step = ts_ms - last
            if step == self._frame:
                self._adjacent = True
            elif step < self._frame:
                self._refuse(file, row, step, content)
                return False
            elif missing := step // self._frame - 1:
                self._warnings.add(file, "gaps", f"row {row}: {missing} bars absent before {ts_ms}")
                self._warnings.add(file, "missing_bars", f"row {row}: {missing}", missing)
        self._last_ms, self._last, self.backward_run = ts_ms, content, 0
        self._kept += 1
        return True

    def _refuse(self, file: str, row: int, step: int, content: object) -> None:
        self.backward_run = self.backward_run + 1 if step < 0 else 0
        if step == 0:
            rule = "duplicate" if content == self._last else "conflicting_duplicate"
        elif step < 0:
            rule = "backward"
            self.dropped_backward += 1
        else:
            rule = "overlap"
            self.overlaps = Overlaps(self.overlaps.rows + 1, min(self.overlaps.step_ms, step))
        self._warnings.add(file, rule, f"row {row}: {step} ms after the row before it")


Candle = tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]


class _BarReader:
    """What readers of bars share: the instrument, and the order its rows must keep."""

    def __init__(self, symbol: str, timeframe_ms: int, findings: Findings) -> None:
        self._symbol = symbol
        self._frame = timeframe_ms
        self._findings = findings
        self._order = _Order(timeframe_ms, findings)

    @property
    def reached_ms(self) -> int:
        """Close of the newest bar released; 0 before the first."""
        return self._order.reached_ms

    @property
    def backward(self) -> int:
        """Rows dropped because they ran backwards."""
        return self._order.dropped_backward

    @property
    def backward_run(self) -> int:
        """How many of them since a row that did not."""
        return self._order.backward_run

    @property
    def overlaps(self) -> Overlaps:
        """Rows dropped because they open within the bar before them."""
        return self._order.overlaps

    @property
    def timeframe_doubtful(self) -> bool:
        """Whether the rows are further apart than the timeframe throughout."""
        return self._order.timeframe_doubtful


class CandleReader(_BarReader):
    """Candles of one instrument, file after file: `BarOpened` at the open, `Bar` at the close."""

    def read(self, recording: Recording) -> Iterator[MarketEvent]:
        """The events of one file.

        Raises:
            DataError: the file is not what it claims to be.
        """
        label, warnings = recording.label, self._findings.warnings
        symbol, frame, accepts = self._symbol, self._frame, self._order.accepts
        in_quote = recording.parts.venue in _QUOTE_VOLUME_VENUES
        if in_quote:
            warnings.add(label, "quote_volume", "volume divided by the close, 8 decimals, rounded down")
        rows = parsed(recording, self._findings, self._parse)
        for row, candle in without_outliers(rows, label, self._findings):
            ts_ms, first, high, low, close, volume = candle
            if not accepts(label, row, ts_ms, candle):
                continue
            if not volume:
                warnings.add(label, "zero_volume", f"row {row}")
            if in_quote:
                volume = div(volume, close, 8, DOWN)
                self._findings.amount_places = 8
            yield BarOpened(symbol, ts_ms, frame, first, volume)
            yield Bar(symbol, ts_ms, frame, first, high, low, close, volume)

    def _parse(self, fields: Sequence[str]) -> Candle:
        time, *prices, volume_text = fields
        ts_ms = time_ms(time)
        first, high, low, close = _ohlc(self._findings, prices)
        volume = self._findings.amount(volume_text)
        if volume is None:
            raise BadRow("not_a_number", f"volume {volume_text!r}")
        if volume < ZERO:
            raise BadRow("not_positive", f"volume {volume_text}")
        return ts_ms, first, high, low, close, volume


def _ohlc(findings: Findings, texts: Sequence[str]) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    first, high, low, close = map(findings.price, texts)
    if first is None or high is None or low is None or close is None:
        raise BadRow("not_a_number", f"prices {','.join(texts)}")
    if first <= ZERO or high <= ZERO or low <= ZERO or close <= ZERO:
        raise BadRow("not_positive", f"prices {','.join(texts)}")
    if not (low <= first <= high and low <= close <= high):
        raise BadRow("inconsistent", f"open,high,low,close {','.join(texts)}")
    return first, high, low, close


QuoteBar = tuple[int, tuple[Decimal, Decimal, Decimal, Decimal], Decimal, Decimal, Decimal, Decimal, Decimal]


class QuoteBarReader(_BarReader):
    """Bars of the best bid and ask, file after file.

    Of each bar: the closing `Quote` one millisecond before the close (a bar covers [open, close), so its last quote
    was in force then; a decision at the close must not find only the quote of a bar ago), and a `Bar` of mid prices
    with volume 0 at the close, as LEAN's ``QuoteBar.Collapse`` makes it. The opening quote's size was not recorded,
    so it is not released.

    A bid below the closing one comes before it as a `Book` without asks, with the closing size: a stop it passed is
    sold there, as low as the bar went, and nobody can buy at it. A book with one side is no touch, so the trader's
    quote, mark and preview stay those of the bar before until the closing quote.
    """

    def read(self, recording: Recording) -> Iterator[MarketEvent]:
        """The events of one file.

        Raises:
            DataError: the file is not what it claims to be.
        """
        rows = parsed(recording, self._findings, self._parse)
        for row, bar in without_outliers(rows, recording.label, self._findings):
            ts_ms, mids, lowest, bid, ask, bid_size, ask_size = bar
            if not self._order.accepts(recording.label, row, ts_ms, bar):
                continue
            last_ms = ts_ms + self._frame - 1
            if lowest < bid:
                yield Book(self._symbol, last_ms, ((lowest, bid_size),), ())
            yield Quote(self._symbol, last_ms, bid, ask, bid_size, ask_size)
            yield Bar(self._symbol, ts_ms, self._frame, *mids, ZERO)

    def _parse(self, fields: Sequence[str]) -> QuoteBar:
        ts_ms = time_ms(fields[0])
        bids, asks = _ohlc(self._findings, fields[1:5]), _ohlc(self._findings, fields[6:10])
        sizes = self._findings.amount(fields[5]), self._findings.amount(fields[10])
        bid_size, ask_size = sizes
        if bid_size is None or ask_size is None:
            raise BadRow("not_a_number", f"sizes {fields[5]!r}, {fields[10]!r}")
        if bid_size <= ZERO or ask_size <= ZERO:
            raise BadRow("not_positive", f"sizes {fields[5]}, {fields[10]}")
        bid, ask = bids[3], asks[3]
        if bid >= ask:
            raise BadRow("crossed", f"bid {bid}, ask {ask}")
        first, high, low, close = (mul(add(b, a), _HALF) for b, a in zip(bids, asks, strict=True))
        return ts_ms, (first, high, low, close), bids[2], bid, ask, bid_size, ask_size
