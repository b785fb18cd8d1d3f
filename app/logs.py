"""Structured logs: JSON lines in a rotating 0600 file, without secrets and without terminal tricks.

Two rules. Nothing the logger does may reach the trader's code: everything that can fail (formatting, redaction, the
disk) runs inside the handler, which on failure says so once on stderr, counts what it drops and writes the count when
the disk is back. And nothing is written before it went through `app.redact`, whichever library logged it.

structlog (0.2 s) loads in `configure`; until then, and in commands that never call it, a log call is a no-op.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import math
import os
import stat
import sys
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from app.redact import redact_value
from app.text import escape_untrusted

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, MutableMapping

    from app.engine.clock import Clock

_OUR_PACKAGES: Final = ("app", "signers", "storage", "strategies")
_MAX_FIELD: Final = 8_192
"""Characters of one value. Cut after redaction, so a cut never shows half a secret."""

LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Log:
    """A named logger: ``log.info("order.sent", order=id)``. The event is a stable word, the rest are fields.

    Never raises, whatever the fields hold.
    """

    name: str
    fields: dict[str, object] = field(default_factory=dict)

    def bind(self, **fields: object) -> Log:
        """A logger that adds `fields` to each record."""
        return Log(self.name, self.fields | fields)

    def debug(self, event: str, /, **fields: object) -> None:
        """For the developer who looks for a fault."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """What happened, in the order it happened."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Odd, and handled."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, *, error: BaseException | None = None, **fields: object) -> None:
        """A fault; `error` adds its traceback, redacted."""
        self._write(logging.ERROR, event, fields | ({"exc_info": error} if error is not None else {}))

    def _write(self, level: int, event: str, fields: dict[str, object]) -> None:
        if _state.logger is not None and level >= _state.levels.get(self.name, _state.level):
            # A field may be called "event"; the logger's own argument must win without a TypeError.
            _state.logger(self.name).log(
                level, event, **{_free(key): value for key, value in (self.fields | fields).items()}
            )


def _free(key: str) -> str:
    return f"{key}_" if key in {"event", "level", "logger", "ts_ms"} else key


@dataclass(slots=True)
class _State:
    logger: Callable[[str], Any] | None = None
    level: int = logging.INFO
    levels: dict[str, int] = field(default_factory=dict)
    """Of loggers that have their own."""
    handler: logging.Handler | None = None


_state = _State()


def get(name: str) -> Log:
    """The logger of a module: ``log = logs.get(__name__)``. Costs nothing at import."""
    return Log(name)


def configure(
    folder: Path,
    level: str = "info",
    *,
    name: str = "countersign",
    max_bytes: int = 5_000_000,
    backups: int = 5,
    clock: Clock | None = None,
) -> Path:
    """Route structlog and the standard library's logging to ``<folder>/<name>.jsonl``; returns that path.

    Two processes must not rotate one file: each long-running process gives its own `name`. Other libraries are heard
    from warnings up only, since their debug lines print requests whole.

    Args:
        level: one of `LEVELS`.
        clock: where ``ts_ms`` comes from; the machine's clock if not given.
    """
    import structlog  # noqa: PLC0415 -- 0.2 s, after the first frame

    from app.engine.clock import WallClock  # noqa: PLC0415 -- loads asyncio

    close()
    path = folder / f"{name}.jsonl"
    handler = _File(path, max_bytes, backups)
    handler.setFormatter(_formatter(clock or WallClock()))
    structlog.configure(
        # No processor here but the hand-over: these run in the caller and could raise into it.
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(max(number, logging.WARNING))
    for package in _OUR_PACKAGES:
        logging.getLogger(package).setLevel(number)
    _state.logger, _state.level, _state.handler = structlog.stdlib.get_logger, number, handler
    return path


def set_level(name: str, level: str) -> None:
    """Give the logger `name` a level of its own, until the file is closed.

    Args:
        level: one of `LEVELS`.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    _state.levels[name] = number
    logging.getLogger(name).setLevel(number)


def _formatter(clock: Clock) -> logging.Formatter:
    import structlog  # noqa: PLC0415 -- loaded by the caller

    def stamp(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["ts_ms"] = clock.now_ms()
        return event

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            stamp,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _render,
        ],
    )


def close() -> None:
    """Close the file; later log calls are no-ops until the next `configure`."""
    handler, _state.handler, _state.logger = _state.handler, None, None
    for name in _state.levels:
        logging.getLogger(name).setLevel(logging.NOTSET)
    _state.levels.clear()
    if handler is not None:
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(handler)
        handler.close()


def _render(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    """One JSON line, redacted, escaped, every value cut to a bound. ASCII only: no terminal trick survives `cat`."""
    clean = redact_value(dict(event))
    assert isinstance(clean, dict)
    order = {key: clean.pop(key) for key in ("ts_ms", "level", "logger", "event") if key in clean}
    return json.dumps(_shown(order | clean), ensure_ascii=True, default=str, allow_nan=False)


def _shown(value: object) -> object:
    if isinstance(value, str):
        # Line breaks stay (JSON writes them as \n): a traceback is for reading.
        lines = value.split("\n")
        return _cut("\n".join(escape_untrusted(line) for line in lines))
    if isinstance(value, dict):
        return {escape_untrusted(key, 100): _shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    # JSON has no NaN and no infinity.
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_FIELD else f"{text[:_MAX_FIELD]}... ({len(text) - _MAX_FIELD} more)"


class _Stream:
    """An unbuffered text stream that writes all or raises.

    The library's text layer keeps what it could not write and writes it later, and ignores a short count.
    """

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        """The descriptor."""
        return self._number

    def write(self, text: str) -> None:
        """Every byte, or OSError."""
        rest = text.encode("utf-8", "backslashreplace")
        while rest:
            rest = rest[os.write(self._number, rest) :]

    def flush(self) -> None:
        """Nothing is ever held back."""

    def close(self) -> None:
        """Once; the handler forgets the stream after it."""
        os.close(self._number)


class _File(RotatingFileHandler):
    """A rotating file, 0600 from its first byte, that never raises and never follows a link.

    Unbuffered: after a failed write nothing waits in memory to be written twice.
    """

    def __init__(self, path: Path, max_bytes: int, backups: int) -> None:
        super().__init__(path, maxBytes=max_bytes, backupCount=backups, encoding="utf-8", delay=True)
        self._dropped = 0
        self._told = False
        self._size = 0

    def _open(self) -> io.TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # NONBLOCK: a pipe of that name would wait for a reader for ever.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        number = os.open(self.baseFilename, flags, 0o600)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise OSError(errno.EINVAL, "not a regular file")
        os.fchmod(number, 0o600)
        return cast("io.TextIOWrapper", _Stream(number))

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: ARG002, N802 -- the library's
        """By size before the record: the library's own check would format (and redact) each record twice."""
        if self.stream is None:
            self.stream = self._open()
        self._size = os.fstat(self.stream.fileno()).st_size
        return self._size >= self.maxBytes

    def doRollover(self) -> None:  # noqa: N802 -- the name is the library's
        """Start a fresh file."""
        super().doRollover()
        self._size = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, or count it as dropped."""
        before = self._dropped
        super().emit(record)
        if before and self._dropped == before:
            self._dropped = 0
            note = logging.LogRecord("app.logs", logging.WARNING, __file__, 0, "log.dropped", None, None)
            note.lost = before
            super().emit(note)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- the name is the library's
        """Count, and say it once: the trader's screen must not scroll away because a disk is full."""
        self._dropped += 1
        error = sys.exc_info()[1]
        if isinstance(error, OSError) and self.stream is not None:
            # Half a line may be on disk, and a reader of JSON lines would trip over it.
            with contextlib.suppress(OSError):
                os.ftruncate(self.stream.fileno(), self._size)
        if self._told:
            return
        self._told = True
        # The text of the exception could hold the record, and with it a secret: only its kind and the system's word.
        reason = f"{type(error).__name__} {getattr(error, 'strerror', None) or ''}".strip()
        line = escape_untrusted(
            f"countersign: log records are being dropped ({record.name}, {self.baseFilename}): {reason}", 500
        )
        with contextlib.suppress(OSError):  # no stderr either: the count is all that is left
            os.write(2, f"{line}\n".encode("utf-8", "backslashreplace"))
