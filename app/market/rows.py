"""Lines of a recording, numbers of a line, and what was found on the way.

Every reader works on `Row`s and reports to one `Findings`. Prices are parsed from the text, never through a float.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, Protocol

from app.errors import DataError
from app.market.events import DataWarnings

LINE_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of the longest line taken; a full Binance snapshot has 0.3 MB. Without it a file without newlines would be
read into memory whole."""

MIN_MS: Final = 1_230_768_000_000
"""2009-01-01: no market we read is older, so an older time is a wrong unit (seconds, most often)."""
MAX_MS: Final = 4_102_444_800_000
"""2100-01-01."""

_PLAIN: Final = re.compile(r"-?(?:[0-9]{1,24}(?:\.[0-9]{0,24})?|\.[0-9]{1,24})", re.ASCII)
_SCIENTIFIC: Final = re.compile(r"-?[0-9]{1,24}(?:\.[0-9]{0,24})?[eE][+-]?[0-9]{1,2}", re.ASCII)
_NO_NUMBER: Final = frozenset(
    {"", "nan", "-nan", "+nan", "inf", "+inf", "-inf", "infinity", "-infinity", "null", "none", "na", "n/a"}
)
_CHUNK: Final = 256 * 1024
_REMEMBERED: Final = 16_384
_TIME: Final = re.compile(r"[0-9]{13}", re.ASCII)


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, all of them for -1; empty at the end."""
        ...


class BadValue(ValueError):
    """A text that is not what its column holds: the file is not what it claims to be. The reader adds file and row."""


class BadRow(ValueError):
    """A row that is well formed and can not be true; it is dropped and counted under `rule`."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(what)
        self.rule = rule


class Row(NamedTuple):
    """One line without its line end. `ended`: a line end followed, so the line was written whole."""

    number: int
    text: str
    ended: bool = True


class Overlaps(NamedTuple):
    """Rows dropped because they open within the bar before them, and the smallest step between two rows."""

    rows: int
    step_ms: int


class Findings:
    """What reading a series found: warnings, the most decimals of its numbers and the text that had them, how many rows
    were seen."""

    def __init__(self, warnings: DataWarnings | None = None) -> None:
        self.warnings = DataWarnings() if warnings is None else warnings
        self.price_places = 0
        self.amount_places = 0
        self.longest_price = self.longest_amount = ""
        self.rows = 0
        # Texts repeat, above all in an order book: a look-up costs a tenth of parsing.
        self._prices: dict[str, Decimal | None] = {}
        self._amounts: dict[str, Decimal | None] = {}

    def price(self, text: str) -> Decimal | None:
        """A price; its decimals are noted. None: not a finite number."""
        known = self._prices
        if text in known:
            return known[text]
        if len(known) >= _REMEMBERED:
            known.clear()
        value = known[text] = number(text)
        if value is not None and (places := _places(text, value)) > self.price_places:
            self.price_places, self.longest_price = places, text
        return value

    def amount(self, text: str) -> Decimal | None:
        """A quantity; its decimals are noted. None: not a finite number."""
        known = self._amounts
        if text in known:
            return known[text]
        if len(known) >= _REMEMBERED:
            known.clear()
        value = known[text] = number(text)
        if value is not None and (places := _places(text, value)) > self.amount_places:
            self.amount_places, self.longest_amount = places, text
        return value


def number(text: str) -> Decimal | None:
    """The decimal a text spells; None for NaN, an infinity and an empty field.

    Bounded to 24 digits either side of the point: two such numbers multiply, and thousands of them add, exactly
    in the ledger's 100 digits, and no text can spell a number that takes a gigabyte to print.

    Raises:
        BadValue: anything else.
    """
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    if len(text) <= 20 and text.strip().lower() in _NO_NUMBER:
        return None
    if _SCIENTIFIC.fullmatch(text):
        value = Decimal(text)
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and exponent >= -24 and (not value or value.adjusted() < 24):
            return Decimal(format(value, "f"))
    raise BadValue(f"{text[:60]!r} is not a number")


def _places(text: str, value: Decimal) -> int:
    """Decimals of `value`, which `text` spells, without trailing zeros."""
    if "e" in text or "E" in text:
        text = format(value, "f")
    dot = text.find(".")
    return len(text.rstrip("0")) - dot - 1 if dot >= 0 else 0


def time_ms(text: str) -> int:
    """A timestamp in ms UTC.

    Raises:
        BadValue: not 13 digits, or outside 2009..2100.
    """
    if _TIME.fullmatch(text):
        value = int(text)
        if MIN_MS <= value < MAX_MS:
            return value
    raise BadValue(f"{text[:60]!r} is not a time in ms since 1970 UTC (13 digits, 2009 to 2099)")


def refuse(file: str, row: int, what: str, allowed: str) -> NoReturn:
    """Raise the DataError of one row."""
    raise DataError("data.row", f"{file}, row {row}: {what}.", next_step=f"Expected: {allowed}.")


def unreadable(label: str, error: Exception) -> DataError:
    """The DataError of an operating-system or gzip failure."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return DataError("data.unreadable", f"{label} can not be read: {reason}.", next_step="Check or copy it again.")


@contextmanager
def open_bytes(path: Path, label: str) -> Iterator[Readable]:
    """The file's bytes, unpacked when it starts like gzip, whatever its name.

    Raises:
        DataError: it can not be opened or read to its end, or is not a regular file.
    """
    try:
        # A FIFO or a device would block, or never end.
        if not path.is_file():
            raise DataError("data.file", f"{label} is not a regular file.", next_step="Name a data file or a folder.")
        with path.open("rb") as raw:
            if raw.peek(2)[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
                    yield unpacked
            else:
                yield raw
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(label, error) from error


def read_rows(path: Path, label: str) -> Iterator[Row]:
    """The lines of a UTF-8 text file, numbered from 1, in constant memory. A byte-order mark is dropped.

    Raises:
        DataError: unreadable, damaged gzip, not text, or a line over `LINE_LIMIT`.
    """
    with open_bytes(path, label) as stream:
        count, rest = 0, b""
        while chunk := stream.read(_CHUNK):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                count += 1
                yield Row(count, _decode(line, label, count))
            if len(rest) > LINE_LIMIT:
                refuse(
                    label, count + 1, f"the line is longer than {LINE_LIMIT} bytes", "a text file with one row a line"
                )
        if rest:
            yield Row(count + 1, _decode(rest, label, count + 1), ended=False)


def _decode(line: bytes, label: str, row: int) -> str:
    try:
        text = line.decode("utf-8-sig" if row == 1 else "utf-8")
    except UnicodeDecodeError:
        refuse(label, row, f"the line is not text: {line[:20]!r}", "UTF-8 text")
    return text.removesuffix("\r")
