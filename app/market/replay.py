"""Replay of recorded data: a file, or a folder of many instruments merged by time.

Everything is read once when the source is made (hash, number of events, decimals, warnings), so that a damaged file is
refused before the first trade and not in the middle of a session; and once more, lazily and in constant memory, by
each `events`. A folder may hold one recording of each instrument, or several of the same venue, kind and timeframe
that follow one another in time (daily files); two venues, kinds or timeframes of one instrument are refused, because
only one of them can be the market we trade on.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import deque
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Final

from app.errors import DataError
from app.market.events import BarOpened, DataWarnings, MarketEvent
from app.market.files import Format, Recording, discover, identify
from app.market.naming import check_symbol, make_instrument, parse_timeframe, timeframe_text
from app.market.rows import Findings, unreadable
from app.market.series import Series
from app.money import places_of
from strategies.model import Bar, Instrument

_RULES_VERSION: Final = 2
"""Part of `source_id`: raise it when a rule changes which events a recording gives, or a cursor would point astray."""
_DEFAULT_TIMEFRAME_MS: Final = 60_000
_TICK_PLACES: Final = 12
_LOT_PLACES: Final = 8
"""The finest tick and lot taken from data. No venue we read is finer; more decimals are a binary float that was printed
(2.5833652000000003), and a lot made of them is no lot of any market."""
_BARS: Final = frozenset({Format.CANDLES, Format.CANDLE_TABLE, Format.QUOTE_BARS})

Ticks = Mapping[str, tuple[Decimal, Decimal]]


def order_key(event: MarketEvent) -> tuple[int, int, str]:
    """Place of an event in the total order (`app.market.events`); ties keep the order of their source."""
    kind = type(event)
    if kind is Bar:
        return event.open_ms + event.timeframe_ms, 0, event.symbol  # type: ignore[union-attr]  # by `kind`
    return event.ts_ms, 1 if kind is BarOpened else 2, event.symbol  # type: ignore[union-attr]  # by `kind`


class ReplaySource:
    """A recorded market (a `MarketSource`).

    Args:
        path: a data file, or a folder (with its sub-folders).
        instrument: ``BASE-QUOTE[-PERP]`` of the files whose name does not say it.
        timeframe: of the candles whose name does not say it, and of the bars made from trades (else 1m).
        ticks: tick and lot by symbol; without one, the most decimals seen in prices and volumes, up to a bound.

    Raises:
        DataError: see `app.market.files`; also two recordings of one instrument, or a name that contradicts the caller.
    """

    def __init__(
        self,
        path: Path,
        *,
        instrument: str | None = None,
        timeframe: str | None = None,
        ticks: Ticks | None = None,
    ) -> None:
        symbol = None if instrument is None else check_symbol(instrument)
        frame = None if timeframe is None else parse_timeframe(timeframe)
        self._warnings = DataWarnings()
        try:
            files, skipped = discover(path)
            for label in skipped:
                self._warnings.add(label, "skipped_file", "no data suffix")
            recordings = [identify(file, label) for file, label in files]
            self._series = _group(recordings, symbol, frame)
            self._source_id = _digest(self._series)
        except OSError as error:
            raise unreadable(str(path), error) from error
        self._total = 0
        self._instruments = tuple(self._scan(series, ticks or {}) for series in self._series)

    @property
    def source_id(self) -> str:
        """``sha256:`` over the files' names and contents, and what decides how they are read."""
        return self._source_id

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """What it quotes, sorted by symbol."""
        return self._instruments

    @property
    def warnings(self) -> DataWarnings:
        """Every finding; complete from the start, and not counted again by iterating."""
        return self._warnings

    @property
    def total_events(self) -> int:
        """Number of events."""
        return self._total

    def events(self, start: int = 0) -> Iterator[MarketEvent]:
        """Events from position `start` on, in constant memory. Skipping costs reading what is skipped.

        Raises:
            DataError: a file changed since the source was made.
            ValueError: `start` is negative.
        """
        if start < 0:
            raise ValueError(f"a position can not be negative: {start}")
        streams = [series.events(Findings()) for series in self._series]
        merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=order_key)
        return islice(merged, start, None)

    def bars_before(self, position: int, count: int) -> dict[str, list[Bar]]:
        """The last `count` bars of each symbol among the events before `position`, oldest first: what a strategy
        is warmed up with after a restart."""
        kept: dict[str, deque[Bar]] = {each.symbol: deque(maxlen=count) for each in self._instruments}
        for event in islice(self.events(), position):
            if type(event) is Bar:
                kept[event.symbol].append(event)
        return {symbol: list(bars) for symbol, bars in kept.items()}

    def _scan(self, series: Series, ticks: Ticks) -> Instrument:
        findings = Findings(self._warnings)
        released = sum(1 for _ in series.events(findings))
        label = series.recordings[0].label
        if not released:
            counts = ", ".join(f"{rule} {n}" for rule, n in self._warnings.counts.get(label, {}).items())
            raise DataError(
                "data.empty",
                f"{label} has no usable row ({counts or 'none at all'}).",
                next_step="Check that it is the file you meant.",
            )
        self._total += released
        if series.symbol.endswith("-PERP"):
            what = f"{series.symbol}: long only, fully paid, funding not modelled"
            self._warnings.add(label, "perpetual_as_collateralised", what)
        if series.symbol not in ticks:
            return self._from_decimals(series.symbol, label, findings)
        tick, lot = ticks[series.symbol]
        for name, step, places in (("tick", tick, findings.price_places), ("lot", lot, findings.amount_places)):
            if step <= 0:
                raise DataError("data.tick", f"The {name} of {series.symbol} is {step}.", next_step="Set it above 0.")
            if places > places_of(step):
                self._warnings.add(label, "off_tick", f"{name} {step}, but {places} decimals seen")
        return make_instrument(series.symbol, tick, lot)

    def _from_decimals(self, symbol: str, label: str, found: Findings) -> Instrument:
        for name, step, text, places, most in (
            ("price", "tick", found.longest_price, found.price_places, _TICK_PLACES),
            ("amount", "lot", found.longest_amount, found.amount_places, _LOT_PLACES),
        ):
            if places > most:
                what = f"{name} {text} has {places} decimals; the {step} is taken as {most}"
                self._warnings.add(label, "long_decimals", what)
        tick = Decimal(1).scaleb(-min(found.price_places, _TICK_PLACES))
        return make_instrument(symbol, tick, Decimal(1).scaleb(-min(found.amount_places, _LOT_PLACES)))


def _digest(all_series: tuple[Series, ...]) -> str:
    total = hashlib.sha256(f"replay {_RULES_VERSION}\n".encode())
    for series in all_series:
        total.update(f"{series.symbol} {series.timeframe_ms}\n".encode())
        for recording in series.recordings:
            content = hashlib.sha256()
            # The bytes as they lie on the disk: unpacking is the reader's business.
            with recording.path.open("rb") as stream:
                while chunk := stream.read(1 << 20):
                    content.update(chunk)
            total.update(f"{recording.label}\0{content.hexdigest()}\n".encode("utf-8", "surrogateescape"))
    return f"sha256:{total.hexdigest()}"


def _group(recordings: list[Recording], symbol: str | None, frame: int | None) -> tuple[Series, ...]:
    """One series for each instrument, sorted by symbol."""
    by_symbol: dict[str, list[tuple[Recording, int]]] = {}
    for recording in recordings:
        name = _symbol_of(recording, symbol, alone=len(recordings) == 1)
        by_symbol.setdefault(name, []).append((recording, _frame_of(recording, frame)))
    for name, members in by_symbol.items():
        first, first_frame = members[0]
        for other, other_frame in members[1:]:
            if (other.parts.venue, other.format, other_frame) != (first.parts.venue, first.format, first_frame):
                raise DataError(
                    "data.two_sources",
                    f"{first.label} and {other.label} both record {name} "
                    f"({_kind(first, first_frame)}; {_kind(other, other_frame)}).",
                    next_step="Only one can be the market: pick one, or take the other out of the folder.",
                )
    return tuple(
        Series(name, members[0][1], tuple(sorted((r for r, _ in members), key=lambda r: (r.first_ms, r.label))))
        for name, members in sorted(by_symbol.items())
    )


def _kind(recording: Recording, frame: int) -> str:
    return f"{recording.format}, {timeframe_text(frame)}, venue {recording.parts.venue or 'not named'}"


def _symbol_of(recording: Recording, symbol: str | None, *, alone: bool) -> str:
    """The name's instrument; the caller's fills in for a name without one, and contradicts only a single file's."""
    named = recording.parts.symbol
    if alone and named is not None and symbol is not None and named != symbol:
        raise DataError(
            "data.instrument",
            f"The name of {recording.label} says {named}, the caller {symbol}.",
            next_step="Leave --instrument out, or rename the file.",
        )
    result = named or symbol
    if result is None:
        raise DataError(
            "data.instrument",
            f"The name of {recording.label} does not give an instrument.",
            next_step="Pass --instrument BASE-QUOTE (or BASE-QUOTE-PERP), or rename it "
            "<venue>_<BASE>-<QUOTE>_<timeframe>_<date>.",
        )
    return result


def _frame_of(recording: Recording, frame: int | None) -> int:
    if recording.format not in _BARS:
        return frame or _DEFAULT_TIMEFRAME_MS
    named = recording.parts.timeframe_ms
    if named is not None and frame is not None and named != frame:
        raise DataError(
            "data.timeframe",
            f"The name of {recording.label} or its folder says {timeframe_text(named)}, "
            f"the caller {timeframe_text(frame)}.",
            next_step="Leave --timeframe out, or rename the file: bars are replayed as they were recorded.",
        )
    result = named or frame
    if result is None:
        raise DataError(
            "data.timeframe",
            f"The name of {recording.label} does not give a timeframe.",
            next_step="Pass --timeframe, for example 1m, or rename it <venue>_<BASE>-<QUOTE>_<timeframe>_<date>.",
        )
    return result
