"""Where the market stood: kept in a small file beside the database while a session runs, and shown at the next start
for the second that the engine needs. A picture only: it may be lost without harm, nothing is computed from it, and it
is light to read on purpose (no database, no engine)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app import paths
from app.errors import StorageError
from app.money import from_text, to_text
from app.snapshots.market import WatchRow, change_pct, watchlist

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from app.execution.desk import Desk
    from app.snapshots.market import BarHistory
    from strategies.model import Bar

EVERY_S: Final = 10.0
"""Between two pictures: after a kill -9 the next start shows one that is so old."""
_BARS: Final = 150
"""More than the widest chart shows at a bar a column."""
_MOST_BYTES: Final = 4_194_304
_LATEST_MS: Final = 1 << 43
"""In the year 2248; nothing later can be written as a date by every platform."""
_LONGEST_START_MS: Final = 600_000
_VERSION: Final = 2


class PastBar(NamedTuple):
    """What a chart needs of a bar."""

    open_ms: int
    timeframe_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    @property
    def close_ms(self) -> int:
        """When it ended."""
        return self.open_ms + self.timeframe_ms


@dataclass(frozen=True, slots=True)
class Last:
    """The market as it stood: ages are unknown, so none is shown."""

    watch: tuple[WatchRow, ...]
    bars: dict[str, tuple[PastBar, ...]]
    start_ms: int
    """How long that session took to start."""


def picture(desk: Desk, history: BarHistory, start_ms: int) -> dict[str, Any]:
    """What `keep` writes, taken from a running session that took `start_ms` to start."""
    bars = {symbol: history.bars(symbol) for symbol in sorted(desk.instruments)}
    watch = [_kept(row, bars[row.symbol]) for row in watchlist(desk, history)]
    return {"version": _VERSION, "watch": watch, "bars": bars, "start_ms": start_ms}


def keep(db: Path, taken: dict[str, Any]) -> None:
    """Write a picture beside `db`. What can not be written is not: the next start shows less."""
    bars = {
        symbol: [
            [bar.open_ms, bar.timeframe_ms, *map(to_text, (bar.open, bar.high, bar.low, bar.close))]
            for bar in found[-_BARS:]
        ]
        for symbol, found in taken["bars"].items()
    }
    target = paths.screen_file(db)
    fresh = target.with_name(f"{target.name}.new")
    try:
        document = json.dumps({**taken, "bars": bars, "database": db.stat().st_ino})
        paths.private_file(fresh).write_text(document, "ascii")
        os.replace(fresh, target)
    except (OSError, StorageError):
        return


def last(db: Path) -> Last | None:
    """The picture beside `db`; None where there is none, or one of another database (restored, deleted, made anew)."""
    try:
        target = paths.screen_file(db)
        if target.stat().st_size > _MOST_BYTES:
            return None
        found = json.loads(target.read_text("ascii"))
        if found["version"] != _VERSION or found["database"] != db.stat().st_ino:
            return None
        return Last(
            tuple(_row(*each) for each in found["watch"]),
            {symbol: tuple(_bar(*each) for each in bars) for symbol, bars in found["bars"].items()},
            max(0, min(int(found["start_ms"]), _LONGEST_START_MS)),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None  # somebody else wrote it


def _kept(row: WatchRow, bars: tuple[Bar, ...]) -> list[Any]:
    price = row.last if row.last is not None or not bars else bars[-1].close  # before the first price of a session
    return [row.symbol, _text(price), _text(change_pct(price, bars)), row.held, to_text(row.tick)]


def _row(symbol: str, price: str | None, change: str | None, held: object, tick: str) -> WatchRow:
    numbers = _number(price), _number(change)
    return WatchRow(str(symbol), numbers[0], None, None, None, numbers[1], None, False, held is True, from_text(tick))


def _bar(open_ms: int, timeframe_ms: int, *prices: str) -> PastBar:
    if not (0 <= int(open_ms) < _LATEST_MS and 0 < int(timeframe_ms) < _LATEST_MS):
        raise ValueError("no time")
    opened, high, low, close = map(from_text, prices)
    return PastBar(int(open_ms), int(timeframe_ms), opened, high, low, close)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else to_text(amount)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else from_text(text)
