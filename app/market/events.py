"""What a market source yields, in one total order.

Order at one instant: closes before opens (`Bar` of n, then `BarOpened` of n+1), then books, quotes and trades; ties by
symbol, then by position in the source. A `Bar` is known at its close; `BarOpened` carries what a market shows at the
open, plus the bar's whole `volume`, which only the paper venue may read (it needs it to size its synthetic book).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from strategies.model import Bar, Book, Instrument, PublicTrade, Quote


@dataclass(frozen=True, slots=True)
class BarOpened:
    """The first price of a bar, at `ts_ms` = its open. `volume` is hindsight: for the paper venue's depth only."""

    symbol: str
    ts_ms: int
    timeframe_ms: int
    price: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class News:
    """What the chain tells modules (`strategies.chain_messages`), in the order of the market's other events. Nobody
    values anything by it.

    Attributes:
        symbol: the message's.
        ts_ms: when it was told.
    """

    symbol: str
    ts_ms: int
    message: object


MarketEvent = Bar | BarOpened | Book | Quote | PublicTrade


def event_time(event: MarketEvent | News) -> int:
    """The instant at which `event` is known, ms UTC."""
    return event.close_ms if isinstance(event, Bar) else event.ts_ms


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a source stands: `source` identifies its exact content (sha256 of the files, or the practice seed and
    settings), `position` counts the events released so far."""

    source: str
    position: int


@dataclass(slots=True)
class DataWarnings:
    """What was wrong with the data and what was done, per file and rule: counts and the first few rows."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, file: str, rule: str, example: str, count: int = 1) -> None:
        """Count one finding of `rule` in `file`; the first five keep their example text."""
        per_file = self.counts.setdefault(file, {})
        per_file[rule] = per_file.get(rule, 0) + count
        kept = self.examples.setdefault(f"{file}:{rule}", [])
        if len(kept) < 5:
            kept.append(example)


class MarketSource(Protocol):
    """A recorded or generated market. Iterating it from `start` yields the same events every time."""

    @property
    def source_id(self) -> str:
        """Identifies the exact content; a database remembers it and refuses another."""
        ...

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """What it quotes, sorted by symbol."""
        ...

    @property
    def warnings(self) -> DataWarnings:
        """Findings so far; complete once iteration has ended."""
        ...

    @property
    def total_events(self) -> int | None:
        """Number of events, or None when endless or not yet known."""
        ...

    def events(self, start: int = 0) -> Iterator[MarketEvent]:
        """Events from position `start` on.

        Raises:
            DataError: a file can not be read as what it claims to be.
        """
        ...

    def bars_before(self, position: int, count: int) -> dict[str, list[Bar]]:
        """The last `count` bars of each symbol among the events before `position`, oldest first."""
        ...
