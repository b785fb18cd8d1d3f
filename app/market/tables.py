"""Rows of a CSV, Parquet or Feather file as texts in the order of the format's columns; bad ones counted or refused."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, TypeVar

from app.errors import DataError
from app.market.files import COLUMNS, Format, Recording
from app.market.rows import BadRow, BadValue, Findings, Readable, open_bytes, read_rows, refuse

T = TypeVar("T")
Timed = TypeVar("Timed", bound=tuple[Any, ...])
_BATCH: Final = 8192
_JUMP_MS: Final = 86_400_000
"""A row more than a day after the one before it has its time looked at twice. Rows that are hours out of order (two
sources interleaved) are not one wrong time: they run backwards."""


def parsed(recording: Recording, findings: Findings, parse: Callable[[Sequence[str]], T]) -> Iterator[tuple[int, T]]:
    """``(row number, parse(fields))`` of every row `parse` accepts; `BadRow` is counted, see `app.market.files`.

    Raises:
        DataError: a row whose fields are not what the format says (`BadValue`), or a file that can not be read.
    """
    label, warnings = recording.label, findings.warnings
    fields_of = _table_fields if recording.format is Format.CANDLE_TABLE else _csv_fields
    for number, fields, ended in fields_of(recording, findings):
        findings.rows += 1
        try:
            value = parse(_whole(fields))
        except BadValue as error:
            if ended:
                refuse(label, number, str(error), ",".join(COLUMNS[recording.format]))
            warnings.add(label, "truncated_row", f"row {number}: {error}")
            continue
        except BadRow as error:
            warnings.add(label, error.rule, f"row {number}: {error}")
            continue
        if not ended:
            warnings.add(label, "no_final_newline", f"row {number}")
        yield number, value


def without_outliers(rows: Iterable[tuple[int, Timed]], file: str, findings: Findings) -> Iterator[tuple[int, Timed]]:
    """`rows` (each value begins with its time) without single rows whose time is wrong.

    A row far ahead waits for the next one. When that is back near the row before, nothing was left out
    in between: the time is wrong, and released it would make every row after it run backwards.
    """
    last: int | None = None
    held: tuple[int, Timed] | None = None
    for item in rows:
        ts_ms: int = item[1][0]
        if held is not None and last is not None:
            ahead_ms: int = held[1][0]
            if last <= ts_ms < ahead_ms and ts_ms - last < ahead_ms - ts_ms:
                findings.warnings.add(file, "time_outlier", f"row {held[0]}: {ahead_ms}, between {last} and {ts_ms}")
            else:
                yield held
                last = ahead_ms
            held = None
        if last is not None and ts_ms - last > _JUMP_MS:
            held = item
        else:
            yield item
            last = ts_ms if last is None else max(last, ts_ms)
    if held is not None:
        yield held


def _whole(fields: Sequence[str] | None) -> Sequence[str]:
    if fields is None:
        raise BadValue("the number of fields differs from the header")
    return fields


def _csv_fields(recording: Recording, findings: Findings) -> Iterator[tuple[int, Sequence[str] | None, bool]]:
    columns = COLUMNS[recording.format]
    pick = itemgetter(*(recording.header.index(name) for name in columns))
    in_order, width, header_seen = recording.header == columns, len(recording.header), False
    for number, text, ended in read_rows(recording.path, recording.label):
        if not text or text.isspace():
            findings.warnings.add(recording.label, "blank_row", f"row {number}")
            continue
        if not header_seen:
            header_seen = True
            continue
        fields = text.split(",")
        if len(fields) != width:
            yield number, None, ended
        else:
            yield number, fields if in_order else pick(fields), ended


def _table_fields(recording: Recording, findings: Findings) -> Iterator[tuple[int, Sequence[str] | None, bool]]:
    """Rows of a Parquet or Feather file. A binary float column gives the shortest decimal that prints like it.

    `pyarrow` is no dependency (its wheels have 40 MB): it is imported when such a file is met.
    """
    del findings
    with open_bytes(recording.path, recording.label) as stream:
        for first, columns in _batches(recording.label, stream):
            for offset, row in enumerate(zip(*columns, strict=True)):
                yield first + offset, [_text(value) for value in row], True


def _batches(label: str, stream: Readable) -> Iterator[tuple[int, list[list[Any]]]]:
    try:
        arrow, feather, parquet = (importlib.import_module(f"pyarrow{name}") for name in ("", ".feather", ".parquet"))
    except ImportError as error:
        raise DataError(
            "data.pyarrow",
            f"{label} is a Parquet or Feather file, and pyarrow is not installed.",
            next_step="Install it (pip install pyarrow), or convert the file to CSV.",
        ) from error
    wanted = list(COLUMNS[Format.CANDLE_TABLE])
    try:
        # The whole file at once: Feather and Parquet need to seek, and a compressed column is small beside its rows.
        content = arrow.BufferReader(stream.read())
        is_parquet = content.read(4) == b"PAR1"
        content.seek(0)
        table = (parquet if is_parquet else feather).read_table(content)
    except (arrow.ArrowException, OSError, EOFError) as error:
        raise DataError("data.unreadable", f"{label} can not be read: {error}.", next_step="Copy it again.") from error
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        has = ", ".join(table.column_names[:12])
        raise DataError(
            "data.format", f"{label} lacks the column {', '.join(missing)}; it has {has}.", next_step=f"Needs {wanted}."
        )
    first = 1
    for batch in table.select(wanted).to_batches(max_chunksize=_BATCH):
        yield first, [column.to_pylist() for column in batch.columns]
        first += len(batch)


def _text(value: object) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)
