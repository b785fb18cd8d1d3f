"""Every error a trader can meet.

    CountersignError
      UsageError          2   wrong use of a command
      ConfigError         2   a setting: source, key, value, what is allowed
      DataError           2   a data file: file, row, value, what is allowed
      StorageError        1   the database or its disk
        DatabaseInUse     3   a second trader on one database
      JournalError        1   the hash chain or a projection does not verify
      ClockError          3   time went backwards, or further than a rule allows
      LoopStalled         1   a handler held the loop
      AlertUndelivered    1   an alert did not leave this computer
      VenueError          1   a venue
        VenueRefused      3   the venue said no: definite, nothing happened
        VenueUnknown      1   no answer: maybe sent
        RateLimited       1   the venue or our budget says wait
      SignerError         3   a device or a signature
      SafetyError         3   a safety rule said no
      IllegalTransition   1   a state machine was asked for an edge it does not have

The number is the exit code. `sent` says whether anything left this machine; "no" is claimed only when it is certain.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final, Literal

Sent = Literal["no", "yes", "unknown"]

STALLED: Final = "loop.stalled"
UNDELIVERED: Final = "alerts.undelivered"
UNCOUNTED: Final = (STALLED, UNDELIVERED)
"""Codes of the errors that the limit on errors of late does not count: neither how fast this machine draws nor whether
somebody's mail server answers must decide what is traded. A loop that stands still for long is the watchdog's to
stop."""


class ErrorClass(StrEnum):
    """Where an error comes from, as stored in table `errors`."""

    NETWORK = "NETWORK"
    DATABASE = "DATABASE"
    VENUE = "VENUE"
    RATE_LIMIT = "RATE_LIMIT"
    VALIDATION = "VALIDATION"
    PROCESSING = "PROCESSING"
    DEVICE = "DEVICE"
    CHAIN = "CHAIN"
    SYSTEM = "SYSTEM"
    UNKNOWN = "UNKNOWN"


class Severity(StrEnum):
    """How soon a trader must look."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class CountersignError(Exception):
    """What happened, whether anything was sent, and what to do next.

    Attributes:
        code: stable word for scripts, for example ``config.value``.
        what: one sentence for the trader.
        next_step: what the trader can do now; may be empty.
    """

    exit_code: ClassVar[int] = 1
    error_class: ClassVar[ErrorClass] = ErrorClass.UNKNOWN
    severity: ClassVar[Severity] = Severity.MEDIUM

    def __init__(self, code: str, what: str, *, sent: Sent = "no", next_step: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.sent: Sent = sent
        self.next_step = next_step

    def __str__(self) -> str:
        sent = {"no": "", "yes": " It was sent.", "unknown": " Maybe sent. Do not repeat."}[self.sent]
        step = f" {self.next_step}" if self.next_step else ""
        return f"{self.what}{sent}{step}"


class UsageError(CountersignError):
    """A command used wrongly."""

    exit_code = 2
    error_class = ErrorClass.VALIDATION
    severity = Severity.LOW


class ConfigError(CountersignError):
    """A setting that can not be accepted."""

    exit_code = 2
    error_class = ErrorClass.VALIDATION


class DataError(CountersignError):
    """A data file that can not be read as what it claims to be."""

    exit_code = 2
    error_class = ErrorClass.VALIDATION


class StorageError(CountersignError):
    """The database, its file or its disk."""

    error_class = ErrorClass.DATABASE
    severity = Severity.CRITICAL


class DatabaseInUse(StorageError):
    """Another trader holds the lock of this database."""

    exit_code = 3
    severity = Severity.LOW


class JournalError(StorageError):
    """The journal does not verify."""


class ClockError(CountersignError):
    """Time went where it must not."""

    exit_code = 3
    error_class = ErrorClass.SYSTEM
    severity = Severity.HIGH


class LoopStalled(CountersignError):
    """A handler held the loop that everything runs on."""

    error_class = ErrorClass.SYSTEM


class AlertUndelivered(CountersignError):
    """An alert could not be delivered."""

    error_class = ErrorClass.NETWORK
    severity = Severity.HIGH


class VenueError(CountersignError):
    """A venue call failed."""

    error_class = ErrorClass.VENUE


class VenueRefused(VenueError):
    """The venue answered no. Definite."""

    exit_code = 3


class VenueUnknown(VenueError):
    """The request may or may not have arrived. Closed by evidence only."""

    severity = Severity.HIGH

    def __init__(self, code: str, what: str, *, next_step: str = "Looking it up by our own id.") -> None:
        super().__init__(code, what, sent="unknown", next_step=next_step)


class RateLimited(VenueError):
    """Wait before the next call."""

    error_class = ErrorClass.RATE_LIMIT
    severity = Severity.LOW


class SignerError(CountersignError):
    """A device or a signature."""

    exit_code = 3
    error_class = ErrorClass.DEVICE
    severity = Severity.HIGH


class SafetyError(CountersignError):
    """A safety rule refused. Not a fault: the rule worked."""

    exit_code = 3
    error_class = ErrorClass.PROCESSING


class IllegalTransition(CountersignError):
    """A state machine has no such edge."""

    error_class = ErrorClass.PROCESSING
    severity = Severity.CRITICAL
