"""Delivers alerts beside the loop: one task per channel, each attempt in a process of its own. Nothing here waits for
the trader, and the trader waits for nothing here."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.alerts import post
from app.alerts.alarms import Statement
from app.alerts.message import Message, Waiting, compose
from app.alerts.model import Alert, Answer, Outcome, Policy, Quiet
from app.engine.clock import Clock
from app.errors import UNDELIVERED, AlertUndelivered

PAUSES_MS: Final = (2_000, 10_000, 60_000, 300_000)
"""Before each further attempt."""
_MOST_WAITING: Final = 200
"""Of one channel. What comes on top takes the place of the oldest, which failed."""
_GRACE_S: Final = 1.0
"""For a message that is on its way when the session ends; a shutdown takes three seconds in all."""

PENDING: Final = "PENDING"
DELIVERED: Final = "DELIVERED"
FAILED: Final = "FAILED"
SAVE: Final = (
    "INSERT OR REPLACE INTO alert_deliveries "
    "(alert_id, channel, state, reason, attempts, accepted_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_CROWDED: Final = "too many waited"

Post = Callable[[str, Message], Awaitable[Answer]]


@dataclass(slots=True)
class _Item:
    waiting: Waiting
    attempts: int = 0
    due: float = 0.0
    """When it counts as tried again, seconds of the loop's time."""


@dataclass(slots=True)
class _Channel:
    name: str
    items: deque[_Item] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    sending: bool = False
    resting: bool = False
    """Between two attempts."""
    told: bool = False
    answer: Answer | None = None
    lost: int = 0
    delivered_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ChannelView:
    """How a channel stands, for screens.

    Attributes:
        waiting: alerts that are still to be delivered.
        lost: alerts that could not be, since the last one that could.
        reason: why the last attempt failed, or "".
        delivered_ms: wall time of the last delivery in this session, or None.
    """

    name: str
    waiting: int
    lost: int
    reason: str
    delivered_ms: int | None


class Delivery:
    """Of one session. `accept` is called on the loop thread, never blocks, and never raises.

    Args:
        last_ms: wall time of the last alert sent, by kind and subject: what rests, rests over a restart too.
        record: stores rows; nobody waits for it.
        tell: told once when a channel stops working, until it worked again.
        clock: the person's own time, not the market's.
        send: one attempt.
    """

    def __init__(
        self,
        policy: Policy,
        profile: str,
        *,
        last_ms: Mapping[tuple[str, str], int],
        record: Callable[[tuple[Statement, ...]], None],
        tell: Callable[[AlertUndelivered, str], None],
        clock: Clock,
        send: Post = post.send,
        pauses_ms: Sequence[int] = PAUSES_MS,
    ) -> None:
        self._quiet = Quiet(policy, dict(last_ms))
        self._profile = profile
        self._record, self._tell, self._send = record, tell, send
        self._clock, self._pauses_ms = clock, tuple(pauses_ms)
        self._channels = {name: _Channel(name) for name in policy.channels}
        self._missing: dict[int, int] = {}
        """Channels that have not failed yet, by the number of an alert that has reached nobody."""
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    def start(self) -> None:
        """Deliver from now on."""
        loop = asyncio.get_running_loop()
        for channel in self._channels.values():
            task = loop.create_task(self._serve(channel), name=f"alerts {channel.name}")
            task.add_done_callback(lambda done, channel=channel: self._fell(done, channel))  # type: ignore[misc]  # binds now
            self._tasks.append(task)

    def accept(self, alert: Alert) -> list[Statement]:
        """Take an alert over, where it is one that is sent. Returns what is to be written with it."""
        now_ms = self._clock.now_ms()
        alike = self._quiet.passes(alert, now_ms)
        if alike is None:
            return []
        self._missing[alert.id] = len(self._channels)
        return [row for each in self._channels.values() for row in self._queue(each, Waiting(alert, now_ms, alike))]

    def again(self, channel: str, waiting: Waiting) -> None:
        """Take over what a former session did not get to; a channel that is no more is passed over."""
        if (found := self._channels.get(channel)) is not None:
            self._missing[waiting.alert.id] = self._missing.get(waiting.alert.id, 0) + 1
            self._queue(found, waiting)

    def view(self) -> tuple[ChannelView, ...]:
        """How each channel stands, in the order of the settings."""
        return tuple(
            ChannelView(
                name=each.name,
                waiting=len(each.items),
                lost=each.lost,
                reason="" if each.answer is None or each.answer.delivered else each.answer.words,
                delivered_ms=each.delivered_ms,
            )
            for each in self._channels.values()
        )

    async def close(self) -> None:
        """Let what is on its way arrive, for a second; the rest is on record as waiting, for the next session."""
        self._closing = True
        pairs = list(zip(self._channels.values(), self._tasks, strict=False))  # no task where none was started
        soon = {task for each, task in pairs if (each.items or each.sending) and not each.resting}
        if soon:
            await asyncio.wait(soon, timeout=_GRACE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- one channel ------------------------------------------------------------------------------------------------

    def _queue(self, channel: _Channel, waiting: Waiting) -> list[Statement]:
        rows = [self._row(channel, waiting, PENDING, "", 0)]
        if len(channel.items) >= _MOST_WAITING:
            rows.append(self._failed(channel, channel.items.popleft(), _CROWDED))
        channel.items.append(_Item(waiting))
        channel.arrived.set()
        return rows

    async def _serve(self, channel: _Channel) -> None:
        while not (self._closing and not channel.items):
            await channel.arrived.wait()
            channel.arrived.clear()
            while channel.items:
                await self._attempt(channel)
                if self._closing:
                    return
                await self._rest(channel)

    async def _attempt(self, channel: _Channel) -> None:
        """Everything that waits goes out in one message. Tried counts as tried only what was due: what arrives in quick
        succession must not use up the patience with what came before."""
        loop = asyncio.get_running_loop()
        batch, began = list(channel.items), loop.time()
        channel.sending = True
        try:
            message = compose([each.waiting for each in batch], self._profile, channel.lost)
            answer = channel.answer = await self._send(channel.name, message)
        finally:
            channel.sending = False
        for item in batch:
            if item.due <= began:
                item.attempts += 1
                item.due = loop.time() + self._pause_s(item.attempts)
        gone = [each for each in batch if not answer.passing or each.attempts > len(self._pauses_ms)]
        channel.items = deque(each for each in channel.items if each not in gone)
        if answer.delivered:
            self._delivered(channel, gone)
        elif gone:
            self._record(tuple(self._failed(channel, each, answer.words) for each in gone))
            self._complain(channel, answer, max(each.attempts for each in gone))

    def _pause_s(self, attempts: int) -> float:
        return self._pauses_ms[min(attempts, len(self._pauses_ms)) - 1] / 1000 if self._pauses_ms else 0.0

    async def _rest(self, channel: _Channel) -> None:
        """Until something is due again, or something new arrives."""
        if not channel.items:
            return
        left = min(each.due for each in channel.items) - asyncio.get_running_loop().time()
        channel.resting = True
        try:
            async with asyncio.timeout(max(left, 0)):
                await channel.arrived.wait()
        except TimeoutError:
            pass  # the pause is over
        finally:
            channel.resting = False
        channel.arrived.clear()

    def _delivered(self, channel: _Channel, gone: list[_Item]) -> None:
        for each in gone:
            self._missing.pop(each.waiting.alert.id, None)
        self._record(tuple(self._row(channel, each.waiting, DELIVERED, "", each.attempts) for each in gone))
        channel.lost, channel.told, channel.delivered_ms = 0, False, self._clock.now_ms()

    def _failed(self, channel: _Channel, item: _Item, why: str) -> Statement:
        channel.lost += 1
        alert = item.waiting.alert
        left = self._missing.get(alert.id, 0) - 1
        if left > 0:
            self._missing[alert.id] = left
        elif self._missing.pop(alert.id, None) is not None:
            self._quiet.forget(alert)
        return self._row(channel, item.waiting, FAILED, why, item.attempts)

    def _complain(self, channel: _Channel, answer: Answer, attempts: int) -> None:
        if not channel.told:
            channel.told = True
            self._tell(undelivered(channel.name, answer, attempts), channel.name)

    def _fell(self, done: asyncio.Task[None], channel: _Channel) -> None:
        """A fault of ours: nothing more is delivered there in this session, and somebody must know."""
        if not done.cancelled() and done.exception() is not None:
            channel.answer = Answer(Outcome.BROKEN)
            self._complain(channel, channel.answer, 1)

    def _row(self, channel: _Channel, waiting: Waiting, state: str, why: str, attempts: int) -> Statement:
        ids = (waiting.alert.id, channel.name)
        return SAVE, (*ids, state, why, attempts, waiting.accepted_ms, self._clock.now_ms())


def undelivered(channel: str, answer: Answer, attempts: int) -> AlertUndelivered:
    """The error of a channel that does not work."""
    again = f" after {attempts} attempts" if attempts > 1 else ""
    step = f"Correct it, then: countersign alerts test --channel {channel}"
    if answer.outcome is Outcome.ABSENT:
        step = f"Store it: countersign secrets set alert.{channel}"
    return AlertUndelivered(
        UNDELIVERED,
        f"Alerts do not reach channel {channel}{again}: {answer.words}. They are stored here only.",
        next_step=f"{step}. See: countersign alerts deliveries",
    )
