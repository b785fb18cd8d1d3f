"""Alerts of a running trader: who delivers them, what is left of the session before, and what it answers about them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from app import reports_alerts
from app.alerts import post
from app.alerts.alarms import Statement, stored
from app.alerts.delivery import DELIVERED, FAILED, SAVE, Delivery
from app.alerts.message import trial
from app.alerts.model import CHANNEL, Alert, Answer, Policy
from app.errors import AlertUndelivered, Severity, UsageError
from app.execution.control import Handler
from storage.database import Reader

if TYPE_CHECKING:
    from app.session import Session
    from app.trader import Trader

_STALE_MS: Final = 86_400_000
"""What a former session did not get to for so long is not sent any more."""
_STALE: Final = "it waited for more than a day"
_NO_CHANNEL: Final = "the settings have no such channel any more"

TESTED: Final = "alert.tested"
"""Kind of the journal's row of a test."""
_MOST: Final = 10


def deliver(session: Session, say: Callable[[str], None]) -> Delivery | None:
    """Begin to deliver the alerts of a session that is open: those raised while it opened, those that the session
    before did not get to, and all that come. None where the settings name no channel."""
    settings, desk = session.settings, session.desk
    policy = settings.alerts.policy()
    if not policy.channels:
        return None

    def tell(error: AlertUndelivered, channel: str) -> None:
        desk.record_error(error, channel)
        say(f"ALERTS: {error}")

    delivery = Delivery(
        policy,
        settings.profile.upper(),
        last_ms=reports_alerts.last_sent(session.reader),
        record=desk.record,
        tell=tell,
        clock=desk.wall,
    )
    statements = [*_left_over(session.reader, delivery, policy, desk.wall.now_ms())]
    statements += desk.alarms.deliver_to(delivery.accept)
    if statements:
        desk.record(tuple(statements))
    delivery.start()
    return delivery


def _left_over(reader: Reader, delivery: Delivery, policy: Policy, now_ms: int) -> list[Statement]:
    """What waited when the session before ended goes out now; what can not any more has failed."""
    ended: list[Statement] = []
    for channel, waiting in reports_alerts.pending(reader):
        old = not 0 <= now_ms - waiting.accepted_ms <= _STALE_MS
        if channel in policy.channels and not old:
            delivery.again(channel, waiting)
            continue
        why = _STALE if channel in policy.channels else _NO_CHANNEL
        ended.append((SAVE, (waiting.alert.id, channel, FAILED, why, 0, waiting.accepted_ms, now_ms)))
    return ended


# -- a test ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tried:
    """How a test of a channel ended; `wall_ms` when it had."""

    channel: str
    answer: Answer
    wall_ms: int

    def document(self) -> dict[str, Any]:
        """For ``--json`` and the control socket."""
        state = DELIVERED if self.answer.delivered else FAILED
        return {
            "channel": self.channel,
            "state": state,
            "reason": "" if self.answer.delivered else self.answer.words,
            **self.answer.document(),
            "at_ms": self.wall_ms,
        }


async def try_channels(names: Sequence[str], profile: str, now_ms: Callable[[], int]) -> tuple[Tried, ...]:
    """Send a test over each channel, once, all at the same time."""

    async def one(name: str) -> Tried:
        answer = await post.send(name, trial(profile, name))
        return Tried(name, answer, now_ms())

    return tuple(await asyncio.gather(*(one(name) for name in names)))


def change_of(tried: Tried) -> tuple[Any, ...]:
    """The entry in the journal."""
    state = DELIVERED if tried.answer.delivered else FAILED
    return "alert_test", tried.channel, state, tried.answer.outcome.value, tried.wall_ms


def rows_of(tried: Sequence[Tried], alert: Alert) -> list[Statement]:
    """The test as an alert, and what became of it by channel."""
    rows = [stored(alert)]
    for each in tried:
        state, why = (DELIVERED, "") if each.answer.delivered else (FAILED, each.answer.words)
        rows.append((SAVE, (alert.id, each.channel, state, why, 1, each.wall_ms, each.wall_ms)))
    return rows


def tested(number: int, ts_ms: int, tried: Sequence[Tried]) -> Alert:
    """The alert that a test is."""
    names = ", ".join(each.channel for each in tried)
    return Alert(number, ts_ms, Severity.LOW, "test", f"Test alert to: {names}.", "")


# -- what a running trader answers ----------------------------------------------------------------------------------


def alert_handlers(trader: Trader) -> Mapping[str, Handler]:
    """The commands by name."""

    async def channels(_: dict[str, Any]) -> dict[str, Any]:
        """How each channel stands."""
        delivery = trader.alerts
        return {"channels": [asdict(each) for each in (() if delivery is None else delivery.view())]}

    async def test(request: dict[str, Any]) -> dict[str, Any]:
        """``channels``: names to send a test to. Answers once it is on record."""
        names, session = _names(request.get("channels")), trader.session
        desk = session.desk
        tried = await try_channels(names, session.settings.profile.upper(), desk.wall.now_ms)
        made = desk.alarms.made(desk.clock.now_ms(), Severity.LOW, "test", "", "")
        transition = desk.transition()
        for each in tried:
            transition.change(*change_of(each))
        for statement in rows_of(tried, tested(made.id, made.ts_ms, tried)):
            transition.record(*statement)
        await desk.commit(transition, TESTED, "")
        return {"tried": [each.document() for each in tried]}

    return {"alert_channels": channels, "alert_test": test}


def _names(given: object) -> list[str]:
    fine = isinstance(given, list) and 0 < len(given) <= _MOST
    if not isinstance(given, list) or not fine or not all(re.fullmatch(CHANNEL, str(each)) for each in given):
        raise UsageError("alerts.channels", f"channels is a list of 1 to {_MOST} names of channels.")
    return [str(each) for each in given]
