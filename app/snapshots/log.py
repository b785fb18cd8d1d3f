"""The newest lines of the log file, for reading on a screen."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LEVELS: Final = ("debug", "info", "warning", "error")
_TAIL_BYTES: Final = 128 * 1024
_NOT_SHOWN: Final = frozenset({"ts_ms", "level", "logger", "event"})


@dataclass(frozen=True, slots=True)
class LogLine:
    """One record: `fields` as ``name=value`` words. `ts_ms` is wall time, None where the line has none; `offset` is the
    place of its line in the file."""

    offset: int
    ts_ms: int | None
    level: str
    event: str
    fields: str


def tail(path: Path, level: str, most: int) -> tuple[LogLine, ...]:
    """The last `most` records of at least `level`, oldest first, of the file's last 128 KiB; none where there is no
    file. Some 3 ms: not for the loop."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            start = max(0, end - _TAIL_BYTES)
            file.seek(start)
            content = file.read(_TAIL_BYTES)
    except OSError:
        return ()
    return tuple(_read(content, start, LEVELS.index(level)))[-most:]


def _read(content: bytes, offset: int, least: int) -> Iterator[LogLine]:
    """Records of at least this rank; what is no record of ours is left out, half a line at either end too."""
    for each in content.split(b"\n"):
        try:
            record = json.loads(each)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict) and _rank(record.get("level")) >= least:
            yield _line(offset, record)
        offset += len(each) + 1


def _rank(level: object) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def _line(offset: int, record: dict[str, Any]) -> LogLine:
    stamp = record.get("ts_ms")
    words = (
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in record.items()
        if name not in _NOT_SHOWN
    )
    return LogLine(
        offset,
        stamp if type(stamp) is int else None,
        str(record.get("level", "?")),
        str(record.get("event", "?")),
        " ".join(" ".join(words).split()),
    )
