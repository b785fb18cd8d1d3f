"""Where the last session stood: shown for the second or two that the engine needs. Light on purpose: sqlite and the
generated market, neither settings nor engine. What can not be had that way is not shown."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final

from app.errors import CountersignError
from app.market.practice import PracticeSource
from app.money import div, mul, sub
from app.snapshots.market import WatchRow
from storage.database import reader
from storage.faults import StorageFault

if TYPE_CHECKING:
    from pathlib import Path

    from strategies.model import Bar

_BARS: Final = 60
_HUNDRED: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class Last:
    """The market as it stood: ages are unknown, so none is shown."""

    watch: tuple[WatchRow, ...]
    bars: dict[str, tuple[Bar, ...]]


def last(db: Path) -> Last | None:
    """Of the practice market with bars of a minute, which is the default; None for any other, or before the first
    session."""
    try:
        with reader(db) as data:
            source = data.value("SELECT value FROM meta WHERE key = 'source'")
            position = data.value("SELECT position FROM cursor")
            held = {row["symbol"] for row in data.rows("SELECT symbol FROM module_positions WHERE quantity <> '0'")}
    except StorageFault:
        return None
    market = _market(source)
    if market is None or not isinstance(position, int):
        return None
    bars = {symbol: tuple(found) for symbol, found in market.bars_before(position, _BARS).items()}
    ticks = {each.symbol: each.tick for each in market.instruments}
    rows = tuple(_row(symbol, found, ticks[symbol], symbol in held) for symbol, found in sorted(bars.items()))
    return Last(rows, bars)


def _market(source: object) -> PracticeSource | None:
    """``practice:<version>:<seed>:<digest>:<start>`` as `PracticeSource` names itself."""
    parts = str(source).split(":")
    try:
        made = PracticeSource(int(parts[2]), start_ms=int(parts[4]))
    except (IndexError, ValueError, CountersignError):
        return None
    return made if made.source_id == source else None


def _row(symbol: str, bars: tuple[Bar, ...], tick: Decimal, held: bool) -> WatchRow:
    last_price = bars[-1].close if bars else None
    change: Decimal | None = None
    if last_price is not None and bars[0].open > 0:
        change = div(mul(sub(last_price, bars[0].open), _HUNDRED), bars[0].open, 2, ROUND_HALF_EVEN)
    return WatchRow(symbol, last_price, None, None, None, change, None, False, held, tick)
