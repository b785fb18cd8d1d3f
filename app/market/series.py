"""One instrument's recording: one file, or several of the same kind that follow one another in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from app.errors import DataError
from app.market.binance_capture import BinanceReader
from app.market.candles import CandleReader, QuoteBarReader
from app.market.captures import BybitReader, Capture, HyperliquidReader
from app.market.events import MarketEvent
from app.market.files import Format, Recording, stamp_of
from app.market.naming import timeframe_text
from app.market.rows import Findings, Overlaps
from app.market.trades import TradeReader, with_bars

_BARS = frozenset({Format.CANDLES, Format.CANDLE_TABLE, Format.QUOTE_BARS})


_MOST_LOST: Final = 10
"""Rows at the end of a recording that may be dropped because they are older than one before them."""


class _Reader(Protocol):
    @property
    def reached_ms(self) -> int: ...

    @property
    def backward(self) -> int: ...

    @property
    def backward_run(self) -> int: ...

    @property
    def overlaps(self) -> Overlaps: ...

    @property
    def timeframe_doubtful(self) -> bool: ...

    def read(self, recording: Recording) -> Iterator[MarketEvent]: ...


@dataclass(frozen=True, slots=True)
class Series:
    """Recordings of one instrument in time order, and the timeframe of its bars."""

    symbol: str
    timeframe_ms: int
    recordings: tuple[Recording, ...]

    def events(self, findings: Findings) -> Iterator[MarketEvent]:
        """All events in order; what is found goes to `findings`.

        Raises:
            DataError: a file is not what it claims to be, changed since it was recognised, or overlaps the one before.
        """
        if self.recordings[0].format in _BARS:
            return self._raw(findings)
        last_file = self.recordings[-1].label
        return with_bars(self._raw(findings), self.symbol, self.timeframe_ms, findings, last_file)

    def _raw(self, findings: Findings) -> Iterator[MarketEvent]:
        reader = self._reader(findings)
        before: Recording | None = None
        for recording in self.recordings:
            if before is not None and recording.first_ms < reader.reached_ms:
                raise DataError(
                    "data.overlap",
                    f"{before.label} and {recording.label} both record {self.symbol} at {recording.first_ms}.",
                    next_step="Pick one: name it, or take the other out of the folder.",
                )
            if stamp_of(recording.path, recording.label) != recording.stamp:
                raise DataError(
                    "data.changed",
                    f"{recording.label} changed while it was in use.",
                    next_step="Start again; a recording must stand still.",
                )
            yield from reader.read(recording)
            before = recording
        self._judge(reader, findings)

    def _judge(self, reader: _Reader, findings: Findings) -> None:
        label = self.recordings[-1].label
        if reader.backward * 2 > findings.rows:
            raise DataError(
                "data.order",
                f"{label}: {reader.backward} of {findings.rows} rows run backwards in time.",
                next_step="Sort the rows by timestamp_ms, oldest first.",
            )
        if reader.backward_run > _MOST_LOST:
            raise DataError(
                "data.order",
                f"{label}: the last {reader.backward_run} rows are older than what stands before them; that reaches "
                f"to {reader.reached_ms}.",
                next_step="Take out the row with the wrong time, or sort the rows by timestamp_ms, oldest first.",
            )
        overlaps = reader.overlaps
        # Read at twice their timeframe, every second row goes; in an honest recording hardly any does.
        if overlaps.rows * 3 > findings.rows:
            claimed, seen = timeframe_text(self.timeframe_ms), timeframe_text(overlaps.step_ms)
            raise DataError(
                "data.timeframe",
                f"{label}: {overlaps.rows} of {findings.rows} rows open within the bar before them: "
                f"read as {claimed}, they are {seen} apart.",
                next_step=f"Pass --timeframe {seen}; if the name of the file or its folder says {claimed}, rename it.",
            )
        if reader.timeframe_doubtful:
            what = f"no two bars are {timeframe_text(self.timeframe_ms)} apart"
            findings.warnings.add(label, "timeframe_doubtful", what)

    def _reader(self, findings: Findings) -> _Reader:
        first = self.recordings[0]
        match first.format:
            case Format.CANDLES | Format.CANDLE_TABLE:
                return CandleReader(self.symbol, self.timeframe_ms, findings)
            case Format.QUOTE_BARS:
                return QuoteBarReader(self.symbol, self.timeframe_ms, findings)
            case Format.TRADES:
                return TradeReader(self.symbol, findings)
            case Format.BINANCE:
                return Capture(BinanceReader(self.symbol, findings), findings)
            case Format.BYBIT:
                return Capture(BybitReader(self.symbol, findings), findings)
            case Format.HYPERLIQUID:
                return Capture(HyperliquidReader(self.symbol, findings, first.first_ms), findings)
