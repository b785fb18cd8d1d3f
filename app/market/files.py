"""What a data file is, found from its first lines, not from its name.

Formats: candles, quote bars and trades as CSV; candles as Parquet or Feather; order-book captures of Binance (combined
streams), Bybit (archive ``ob500``) and Hyperliquid. All may be gzipped.

What happens to a bad row, in every format (counted per file in `DataWarnings`, first five kept as examples):

======================== ====================================================================== ==============
rule                     finding                                                                done
======================== ====================================================================== ==============
duplicate                same time (trades: time and id) and content as a row before            dropped
conflicting_duplicate    same time (trades: time and id), other content                         first kept
backward                 older than what was released: that can not be taken back               dropped
time_outlier             a time far ahead of the row before it, and the row after goes back     dropped
overlap                  a bar that opens before the one before it closes                       dropped
not_a_number             NaN, infinite or empty number                                          dropped
not_positive             price <= 0, bar volume < 0, trade amount <= 0, quote size <= 0         dropped
inconsistent             open, high, low and close contradict one another                       dropped
crossed                  bid at or above ask                                                    dropped
blank_row                an empty line                                                          dropped
truncated_row            the last line, without line end, is not whole                          dropped
no_final_newline         the last line, without line end, reads as whole                        kept
gaps / missing_bars      bars absent, as runs / as bars                                         stay gaps
zero_volume              a bar without trades                                                   kept
quote_volume             FTX candles: volume is in dollars; divided by the close                kept
timeframe_doubtful       100 rows or more and never two in adjacent bars                        kept
off_tick                 more decimals than the configured tick or lot                          kept
long_decimals            more decimals than a market has (tick 12, lot 8): a printed float          bounded
unfinished_bar           the recording ended within a bar that was being built from trades      not released
sequence_break           a book delta does not follow the one before; no book until a snapshot  book withdrawn
no_snapshot              deltas for which there was no book                                     not applied
clock_backward           a capture's receive clock stepped back; its order is kept              time held
before_recording         a trade made before the recording began, sent on subscription          dropped
not_market_trade         Binance insurance-fund and ADL fills                                   dropped
ignored_message          a capture's message of a kind not used                                 dropped
skipped_file             a file in a folder without a data suffix                               not read
perpetual_as_collateralised  a perpetual: long only, fully paid, funding not modelled           kept
======================== ====================================================================== ==============

Everything else that is wrong is a `DataError`: a file is then not what it claims to be, and no trade is made on it.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, Final, NoReturn

from app.errors import DataError
from app.market.naming import SUFFIXES, NameParts, folder_timeframe, parse_name
from app.market.rows import BadValue, Row, open_bytes, read_rows, time_ms, unreadable

CANDLE_COLUMNS: Final = ("timestamp_ms", "open", "high", "low", "close", "volume")
TRADE_COLUMNS: Final = ("timestamp_ms", "id", "price", "amount", "side")
QUOTE_COLUMNS: Final = (
    "timestamp_ms",
    *(f"bid_{name}" for name in ("open", "high", "low", "close", "size")),
    *(f"ask_{name}" for name in ("open", "high", "low", "close", "size")),
)
_L3_COLUMNS: Final = frozenset({"id", "timestamp", "price", "volume", "action", "direction"})
_CAPTURE_LINE: Final = re.compile(r"([0-9]{19}) (\{.*)", re.ASCII)
_DECODER: Final = json.JSONDecoder(parse_float=str, parse_constant=str)
_ALLOWED: Final = (
    "CSV with header " + " or ".join(",".join(columns) for columns in (CANDLE_COLUMNS, TRADE_COLUMNS, QUOTE_COLUMNS))
) + "; candles as Parquet or Feather; a Binance, Bybit or Hyperliquid capture"


class Format(StrEnum):
    """What a recording holds and how it is written."""

    CANDLES = "candles"
    CANDLE_TABLE = "candle table"
    QUOTE_BARS = "quote bars"
    TRADES = "trades"
    BINANCE = "Binance capture"
    BYBIT = "Bybit capture"
    HYPERLIQUID = "Hyperliquid capture"


COLUMNS: Final = {
    Format.CANDLES: CANDLE_COLUMNS,
    Format.CANDLE_TABLE: CANDLE_COLUMNS,
    Format.QUOTE_BARS: QUOTE_COLUMNS,
    Format.TRADES: TRADE_COLUMNS,
}
"""The columns of each table format, in the order the readers take them."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One recognised file. `label` is its path below what the caller named; `header` the column names of a CSV;
    `first_ms` the time of its first row; `stamp` changes when the file is written to."""

    path: Path
    label: str
    format: Format
    parts: NameParts
    header: tuple[str, ...]
    first_ms: int
    stamp: tuple[int, int]


def discover(path: Path) -> tuple[list[tuple[Path, str]], list[str]]:
    """The data files at `path` (a file, or a folder with its sub-folders) with their labels, sorted; and what was
    left out of a folder because its name has no data suffix. Hidden files are not looked at.

    Raises:
        DataError: nothing there, or a folder without data files.
    """
    if not path.exists():
        raise DataError("data.missing", f"There is no file or folder {path}.", next_step="Check the path.")
    if not path.is_dir():
        return [(path, path.name)], []
    found: list[tuple[Path, str]] = []
    skipped: list[str] = []
    for folder, folders, names in os.walk(path, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder) / name
            label = file.relative_to(path).as_posix()
            if name.startswith("."):
                continue
            if name.removesuffix(".gz").endswith(SUFFIXES):
                found.append((file, label))
            else:
                skipped.append(label)
    if not found:
        raise DataError(
            "data.empty_folder",
            f"The folder {path} has no data files.",
            next_step=f"Expected files ending in {', '.join(SUFFIXES)}, also with .gz.",
        )
    return sorted(found, key=lambda item: item[1]), skipped


def _raise(error: OSError) -> NoReturn:
    raise unreadable(str(error.filename), error) from error


def stamp_of(path: Path, label: str) -> tuple[int, int]:
    """Size and modification time, ns.

    Raises:
        DataError: the file is gone.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(label, error) from error
    return status.st_size, status.st_mtime_ns


def identify(path: Path, label: str) -> Recording:
    """Recognise one file. A timeframe its name does not give is taken from its folder (``1m`` or ``quotes_1m``).

    Raises:
        DataError: unreadable, empty, or none of the formats.
    """
    stamp = stamp_of(path, label)
    parts = parse_name(path.name)
    if parts.timeframe_ms is None:
        parts = NameParts(parts.venue, parts.symbol, folder_timeframe(path.absolute().parent.name))
    with open_bytes(path, label) as stream:
        magic = stream.read(6)
    if magic[:4] in (b"PAR1", b"FEA1") or magic == b"ARROW1":
        return Recording(path, label, Format.CANDLE_TABLE, parts, CANDLE_COLUMNS, 0, stamp)
    rows = list(islice((row for row in read_rows(path, label) if row.text.strip()), 2))
    if not rows:
        raise DataError("data.empty", f"{label} is empty.", next_step=f"Expected: {_ALLOWED}.")
    first = rows[0].text
    if first.startswith("{"):
        return Recording(path, label, *_json_lines(label, rows[0], parts), stamp)
    if match := _CAPTURE_LINE.fullmatch(first):
        kind = _capture_kind(label, rows[0].number, _json(label, rows[0].number, match[2]))
        return Recording(path, label, kind, parts, (), _first_time(label, rows[0].number, match[1][:13]), stamp)
    kind, header = _table(label, rows[0].number, first)
    if len(rows) < 2:
        raise DataError("data.empty", f"{label} has a header and no rows.", next_step="Expected at least one row.")
    fields = rows[1].text.split(",")
    column = header.index("timestamp_ms")
    time = fields[column] if column < len(fields) else ""
    return Recording(path, label, kind, parts, header, _first_time(label, rows[1].number, time), stamp)


def _first_time(label: str, row: int, text: str) -> int:
    try:
        return time_ms(text)
    except BadValue as error:
        raise DataError("data.row", f"{label}, row {row}: {error}.", next_step=f"Expected: {_ALLOWED}.") from error


def _table(label: str, row: int, line: str) -> tuple[Format, tuple[str, ...]]:
    """The format of a CSV header and its columns, in any order; other columns are allowed and not read."""
    header = tuple(name.strip() for name in line.split(","))
    names = frozenset(header)
    if len(names) == len(header):
        for kind in (Format.CANDLES, Format.TRADES, Format.QUOTE_BARS):
            if names.issuperset(COLUMNS[kind]):
                return kind, header
    if names.issuperset(_L3_COLUMNS):
        raise DataError(
            "data.no_book",
            f"{label} records single orders (L3) without the orders that were resting when it began.",
            next_step="No honest book can be made of it. Use a recording with a book snapshot, candles or trades.",
        )
    best = max((Format.CANDLES, Format.TRADES, Format.QUOTE_BARS), key=lambda kind: len(names & {*COLUMNS[kind]}))
    missing = [name for name in COLUMNS[best] if name not in names]
    if "timestamp_ms" in names and missing:
        what = f"{label}, row {row}: as {best} it lacks the column {', '.join(missing)}; it has {line[:120]!r}"
    elif names & {*COLUMNS[best]}:
        what = f"{label}, row {row}: the header {line[:120]!r} is not one of the known ones"
    else:
        what = f"{label}, row {row}: {line[:80]!r} is no header and no capture"
    raise DataError("data.format", f"{what}.", next_step=f"Expected: {_ALLOWED}.")


def _json(label: str, row: int, text: str) -> dict[str, Any]:
    try:
        return parse_json(text)
    except BadValue as error:
        raise DataError("data.row", f"{label}, row {row}: {error}.", next_step="Expected: one JSON object.") from error


def parse_json(text: str) -> dict[str, Any]:
    """A JSON object; numbers with a point stay text, so that no price passes through a float.

    Raises:
        BadValue: not JSON, too deep, or not an object.
    """
    try:
        value = _DECODER.decode(text)
    # RecursionError: ten thousand brackets in a row are cheap to write into a file.
    except (ValueError, RecursionError) as error:
        raise BadValue(f"not JSON ({type(error).__name__}): {text[:60]!r}") from error
    if not isinstance(value, dict):
        raise BadValue(f"not a JSON object: {text[:60]!r}")
    return value


def _capture_kind(label: str, row: int, message: dict[str, Any]) -> Format:
    if "channel" in message:
        return Format.HYPERLIQUID
    if "stream" in message or "lastUpdateId" in message or "e" in message:
        return Format.BINANCE
    raise DataError(
        "data.format",
        f"{label}, row {row}: a capture with unknown messages; keys {', '.join(map(repr, list(message)[:6]))}.",
        next_step=f"Expected: {_ALLOWED}.",
    )


def _json_lines(label: str, row: Row, parts: NameParts) -> tuple[Format, NameParts, tuple[str, ...], int]:
    message = _json(label, row.number, row.text)
    if not str(message.get("topic", "")).startswith("orderbook."):
        raise DataError(
            "data.format",
            f"{label}, row {row.number}: JSON lines with the keys {', '.join(map(repr, list(message)[:6]))}.",
            next_step=f"Expected: {_ALLOWED}.",
        )
    return Format.BYBIT, parts, (), _first_time(label, row.number, str(message.get("ts")))
