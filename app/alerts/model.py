"""What an alert is, which ones leave this computer, and how a delivery ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.errors import Severity

CHANNEL: Final = r"^[a-z][a-z0-9_-]{0,31}$"
"""What a channel may be called."""
SECRET: Final = "alert."  # noqa: S105 -- a name, no secret
"""The keyring's name of a channel's URL begins with it."""

_RANK: Final = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2, Severity.CRITICAL: 3}
_REMEMBERED: Final = 10_000
"""Kinds and subjects whose last time is kept."""


def rank(severity: Severity) -> int:
    """Larger is worse."""
    return _RANK[severity]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, as stored under its number `id`. `ts_ms` is market time; `kind` a stable word."""

    id: int
    ts_ms: int
    severity: Severity
    kind: str
    text: str
    subject: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Which alerts are sent, and where to. `cool_down_ms` is wall time."""

    channels: tuple[str, ...] = ()
    least: Severity = Severity.HIGH
    cool_down_ms: int = 3_600_000


class Quiet:
    """Holds back what was told a short while ago; never anything critical.

    Args:
        last_ms: wall time of the last alert sent, by kind and subject.
    """

    def __init__(self, policy: Policy, last_ms: dict[tuple[str, str], int] | None = None) -> None:
        self._policy = policy
        self._last_ms = dict(last_ms or {})
        self._held: dict[tuple[str, str], int] = {}

    def passes(self, alert: Alert, now_ms: int) -> int | None:
        """How many like it were held back since the last one that was sent; None: this one is held back, or is not
        severe enough to be sent at all."""
        if rank(alert.severity) < rank(self._policy.least):
            return None
        key = (alert.kind, alert.subject)
        last = self._last_ms.get(key)
        # A clock that was set back must not hold anything back for longer than the cool-down.
        rests = last is not None and 0 <= now_ms - last < self._policy.cool_down_ms
        if rests and alert.severity is not Severity.CRITICAL:
            self._held[key] = self._held.get(key, 0) + 1
            return None
        if len(self._last_ms) >= _REMEMBERED:
            self._forget(now_ms)
        self._last_ms[key] = now_ms
        return self._held.pop(key, 0)

    def forget(self, alert: Alert) -> None:
        """It reached nobody: the next one like it is sent."""
        self._last_ms.pop((alert.kind, alert.subject), None)

    def _forget(self, now_ms: int) -> None:
        """What rests no more; where all do, everything: too much said is better than too much kept."""
        rest = self._policy.cool_down_ms
        self._last_ms = {key: last for key, last in self._last_ms.items() if 0 <= now_ms - last < rest}
        if len(self._last_ms) >= _REMEMBERED:
            self._last_ms.clear()
        self._held = {key: count for key, count in self._held.items() if key in self._last_ms}


class Outcome(StrEnum):
    """How a delivery ended. A closed list: no word of a server or a library gets out, since it may hold the URL."""

    DELIVERED = "DELIVERED"
    USABLE = "USABLE"
    ABSENT = "ABSENT"
    KEYRING = "KEYRING"
    NOT_UNDERSTOOD = "NOT_UNDERSTOOD"
    IN_CLEAR = "IN_CLEAR"
    NO_CHAT = "NO_CHAT"
    REFUSED = "REFUSED"
    UNREACHABLE = "UNREACHABLE"
    TLS = "TLS"
    TIMEOUT = "TIMEOUT"
    HTTP = "HTTP"
    SMTP = "SMTP"
    OTHER = "OTHER"
    BROKEN = "BROKEN"


_WORDS: Final = {
    Outcome.DELIVERED: "delivered",
    Outcome.USABLE: "its URL is stored and understood",
    Outcome.ABSENT: "the keyring holds no URL for it",
    Outcome.KEYRING: "the keyring is locked or can not be used",
    Outcome.NOT_UNDERSTOOD: "its secret is no URL of a service that can be sent to",
    Outcome.IN_CLEAR: "its URL would send the secret in it unencrypted, or to whoever answers",
    Outcome.NO_CHAT: "its URL names no chat, and the first stranger who wrote to the bot would be sent everything",
    Outcome.REFUSED: "nobody listens there",
    Outcome.UNREACHABLE: "its host is not found or not reached",
    Outcome.TLS: "the encrypted connection failed",
    Outcome.TIMEOUT: "no answer in time; it may have arrived",
    Outcome.HTTP: "the server answered HTTP {number}",
    Outcome.SMTP: "the mail server answered {number}",
    Outcome.OTHER: "it was not taken",
    Outcome.BROKEN: "the process that sends it failed",
}
_LATER: Final = frozenset(
    {Outcome.KEYRING, Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.TIMEOUT, Outcome.OTHER, Outcome.BROKEN}
)
_HTTP_LATER: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """How a delivery ended; `number` is the server's own, 0 where it gave none."""

    outcome: Outcome
    number: int = 0

    @property
    def delivered(self) -> bool:
        """A server took it."""
        return self.outcome is Outcome.DELIVERED

    @property
    def passing(self) -> bool:
        """It may go better later, so that another attempt makes sense."""
        if self.outcome is Outcome.HTTP:
            return self.number >= 500 or self.number in _HTTP_LATER
        if self.outcome is Outcome.SMTP:
            return self.number < 500
        return self.outcome in _LATER

    @property
    def words(self) -> str:
        """For the trader."""
        return _WORDS[self.outcome].format(number=self.number)

    def document(self) -> dict[str, Any]:
        """For the pipe between courier and trader."""
        return {"outcome": self.outcome.value, "number": self.number}
