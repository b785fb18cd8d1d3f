"""`journal verify` as one job: its own read-only connection, one consistent view beside a running trader, progress for
whoever watches, and an end on request. The command line and the terminal both run this."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.engine.clock import Clock
from app.reports_journal import SealRow, newest_seal
from storage.database import Reader, reader
from storage.journal import Finding, Head, head_of, read_mirror

_COST: Final = {"signatures": 16, "orders": 2, "seals": 16}
"""What a row of a part costs where one of the chain costs 1, as measured: a signature is recovered, a text parsed. For
the time left, which a mere count of rows would promise far too early: the dear parts come last."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found. `mirror` is what ``<db>.head`` says, None where it says nothing readable."""

    head: Head
    mirror: Head | None
    findings: tuple[Finding, ...]
    seal: SealRow | None = None
    """The newest seal; one that does not hold is among the findings."""


@dataclass(frozen=True, slots=True)
class Checked:
    """How far it is: rows of all parts, and milliseconds left (None before anything can be said)."""

    part: str
    rows: int
    of: int
    left_ms: int | None


class VerificationCancelled(Exception):
    """Nobody waits for the result any more."""


class Verification:
    """One verification. `run` blocks and belongs on a thread of its own; the rest may be called from another.

    Args:
        db: the database; a running trader does not mind.
        clock: measures the time left.
    """

    def __init__(self, db: Path, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._cancelled = False
        self._rows: dict[str, int] = {}
        self._part = ""
        self._done = self._work_done = self._work = 0
        self._begun_ns = clock.monotonic_ns()

    def cancel(self) -> None:
        """End it at its next row."""
        self._cancelled = True

    def progress(self) -> Checked:
        """How far it is."""
        left = None
        if self._work_done:
            spent = self._clock.monotonic_ns() - self._begun_ns
            left = spent * max(0, self._work - self._work_done) // self._work_done // 1_000_000
        return Checked(self._part, self._done, sum(self._rows.values()), left)

    def run(self) -> Verified:
        """Everything `journal verify` checks.

        Raises:
            StorageFault: the database can not be read.
            VerificationCancelled: `cancel` was called.
        """
        from app.execution.verify import PARTS, verify  # noqa: PLC0415 -- signatures need eth_keys, 0.1 s

        with reader(self._db) as data:
            mirror = read_mirror(self._db)  # before the view begins: a trader may write one more row, never one less
            data.connection.execute("BEGIN")  # one consistent view beside a running trader
            head = head_of(data.connection)
            self._rows = {part: _count(data, table) for part, table in PARTS.items()}
            self._work = sum(rows * _COST.get(part, 1) for part, rows in self._rows.items())
            self._begun_ns = self._clock.monotonic_ns()
            findings = tuple(verify(data, mirror, self._checked))
            unread = any(finding.seq is None and finding.table == "seals" for finding in findings)
            return Verified(head, mirror, findings, None if unread else newest_seal(data))

    def _checked(self, part: str) -> None:
        if self._cancelled:
            raise VerificationCancelled
        self._part = part
        self._done += 1
        self._work_done += _COST.get(part, 1)


def _count(data: Reader, table: str) -> int:
    known = data.value("SELECT count(*) FROM sqlite_master WHERE name = ?", (table,))  # a stranger may have dropped it
    return int(data.value(f"SELECT count(*) FROM {table}")) if known else 0  # noqa: S608 -- our own table names
