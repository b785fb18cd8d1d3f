"""The words of a message: what several alerts that go out together say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.alerts.model import Alert, rank
from app.errors import Severity
from app.redact import redact_text
from app.text import counted, escape_untrusted

_MOST_LINES: Final = 20
_MOST_TEXT: Final = 500
"""Characters of one alert: Telegram takes 4,096 in a message."""
_MOST_BODY: Final = 3_500


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alert on its way. `accepted_ms` is wall time; `alike`: those like it that were held back before it."""

    alert: Alert
    accepted_ms: int
    alike: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent. `severity` is the worst in it."""

    title: str
    body: str
    severity: Severity


def compose(waiting: Sequence[Waiting], profile: str, lost: int = 0) -> Message:
    """One message for alerts that go out together, the worst first. Text from outside is escaped, and what looks like a
    secret taken out.

    Args:
        lost: alerts before these that could not be delivered here.
    """
    ranked = sorted(waiting, key=lambda each: (-rank(each.alert.severity), each.alert.id))
    worst = ranked[0].alert
    what = worst.kind if len(ranked) == 1 else counted(len(ranked), "alert")
    lines: list[str] = []
    for each in ranked[:_MOST_LINES]:
        line = _line(each)
        if sum(map(len, lines)) + len(line) > _MOST_BODY:
            break
        lines.append(line)
    if more := len(ranked) - len(lines):
        lines.append(f"And {more} more: countersign alerts")
    if lost:
        lines.append(f"{counted(lost, 'alert')} before could not be delivered here: countersign alerts deliveries")
    return Message(f"countersign {profile}: {worst.severity} {what}", "\n".join(lines), worst.severity)


def trial(profile: str, channel: str) -> Message:
    """What a test sends."""
    return Message(
        f"countersign {profile}: test alert",
        f"This is a test. Alerts of countersign reach you here, over channel {channel}.",
        Severity.LOW,
    )


def _line(waiting: Waiting) -> str:
    alert = waiting.alert
    at = f"{datetime.fromtimestamp(waiting.accepted_ms / 1000, UTC):%H:%M:%S}"
    alike = f" ({waiting.alike} more like it before)" if waiting.alike else ""
    text = escape_untrusted(redact_text(alert.text), _MOST_TEXT)
    return f"{at} UTC {alert.severity} {escape_untrusted(alert.kind, 40)}: {text}{alike}"
