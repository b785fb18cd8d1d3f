"""How well the nodes are, and what may be done with them as they are. Values and arithmetic; no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.venues.resilience.breaker import BreakerState, BreakerView
from app.venues.resilience.budget import BudgetView

_REMEMBERED: Final = 50
"""Calls that the error share is of."""
_SMOOTHING: Final = 8
"""One call moves the latency by an eighth."""


class Mode(StrEnum):
    """What may be done, best first."""

    NORMAL = "normal"
    EXITS_ONLY = "exits only"
    """No new block comes, so that prices stand still, or nodes contradicted one another of late. What closes a position
    may be sent, where all that it needs is agreed on."""
    DATA_ONLY = "data only"
    """Something can be read; what a transaction needs to know can not be agreed on. Nothing new is sent."""
    STOPPED = "stopped"
    """No node can be used."""

    @property
    def sends(self) -> bool:
        """Whether anything new may be sent."""
        return self in {Mode.NORMAL, Mode.EXITS_ONLY}


@dataclass(frozen=True, slots=True)
class Block:
    """A block as a node tells it. Times are seconds since 1970, the chain's own; fees wei per unit of gas.

    Attributes:
        base_fee: None on a chain without EIP-1559.
    """

    number: int
    hash: bytes
    parent: bytes
    timestamp: int
    base_fee: int | None = None


@dataclass(frozen=True, slots=True)
class NodeView:
    """One endpoint for a Health screen. Nothing in it is secret.

    Attributes:
        name: scheme, host and port.
        usable: it may be asked. False: `trouble` says why.
        head, head_age_ms: the last block it told of and when we heard it, None before the first.
        lag: blocks behind the head of the quorum.
        latency_us: smoothed, 0 before the first answer.
        errors_percent: of the last calls.
        trouble: what is wrong, or was last, in words; "" where nothing is.
    """

    name: str
    has_stream: bool
    chain_id: int | None
    usable: bool
    head: int | None
    head_age_ms: int | None
    lag: int
    latency_us: int
    errors_percent: int
    calls: int
    reading: BreakerView
    sending: BreakerView
    budget: BudgetView
    trouble: str


@dataclass(frozen=True, slots=True)
class NodesView:
    """All endpoints of a chain for a Health screen.

    Attributes:
        reason: why `mode` is not NORMAL, in words; "" where it is.
        needed: nodes that must agree; `quorum` says so in words.
        head: the highest block that a quorum has reached.
        head_age_ms: since it last rose.
        checked_ms: when the nodes were last looked at, None before the first time.
        last_send: each node's answer to the last transaction, by name.
    """

    chain_id: int
    mode: Mode
    reason: str
    needed: int
    quorum: str
    head: int | None
    head_age_ms: int | None
    checked_ms: int | None
    nodes: tuple[NodeView, ...]
    last_send: tuple[tuple[str, str], ...] = ()


class NodeHealth:
    """What is remembered of one endpoint."""

    def __init__(self) -> None:
        self._outcomes: deque[bool] = deque(maxlen=_REMEMBERED)
        self.calls = 0
        self.latency_us = 0
        self.trouble = ""

    def went_well(self) -> None:
        """An answer came; the node's refusal of a call is one."""
        self.calls += 1
        self._outcomes.append(True)
        self.trouble = ""

    def went_wrong(self, reason: str) -> None:
        """None came, or none that can be used."""
        self.calls += 1
        self._outcomes.append(False)
        self.trouble = reason

    def took(self, elapsed_ns: int) -> None:
        """How long an answer took."""
        elapsed = elapsed_ns // 1000
        step = (elapsed - self.latency_us) // _SMOOTHING if self.latency_us else elapsed
        self.latency_us = max(self.latency_us + step, 1)

    @property
    def errors_percent(self) -> int:
        """Of the last calls, 0 before the first."""
        failed = self._outcomes.count(False)
        return 100 * failed // len(self._outcomes) if self._outcomes else 0


def quorum_head(heads: Sequence[int], needed: int) -> int | None:
    """The highest block that `needed` nodes have reached, or None: not that many told theirs."""
    return sorted(heads, reverse=True)[needed - 1] if len(heads) >= needed else None


def quorum_words(needed: int, nodes: int) -> str:
    """``1 of 1: no other node confirms what this one says``."""
    lone = {1: ": no other node confirms what one says"}.get(needed, "")
    return f"{needed} of {nodes}{lone}"


@dataclass(frozen=True, slots=True)
class Standing:
    """What `mode_of` goes by.

    Attributes:
        usable: nodes that may be asked and are well.
        sending: of these, those that may be sent to.
        fork: that they have other blocks far enough below their heads, in words, or "".
        disagreement: that they said different things of late, which nodes do for a moment wherever two blocks are made
            at one height; words, or "".
        head_age_ms: since the quorum's head last rose, None before the first.
        stale_after_ms: from when on that is too long.
    """

    configured: int
    usable: int
    sending: int
    needed: int
    fork: str
    disagreement: str
    head_age_ms: int | None
    stale_after_ms: int
    troubles: str


def mode_of(now: Standing) -> tuple[Mode, str]:
    """What may be done, and why not more."""
    if now.usable == 0:
        return Mode.STOPPED, f"No node can be used. {now.troubles}".rstrip()
    count = f"{now.usable} of {now.configured} nodes can be used, {now.needed} must agree. {now.troubles}".rstrip()
    few = count if now.usable < now.needed else ""
    unsent = "" if now.sending else f"No node takes transactions. {now.troubles}".rstrip()
    if why := now.fork or few or unsent:
        return Mode.DATA_ONLY, why
    if now.head_age_ms is None or now.head_age_ms >= now.stale_after_ms:
        since = "yet" if now.head_age_ms is None else f"for {now.head_age_ms // 1000} s"
        return Mode.EXITS_ONLY, f"No new block {since}."
    if now.disagreement:
        return Mode.EXITS_ONLY, now.disagreement
    return Mode.NORMAL, ""


def rank(node: NodeView, most_lag: int) -> tuple[bool, bool, int, int]:
    """Sorting key, best first: well before troubled, at the head before behind it, few errors, fast. Latencies within
    a factor of two are equal, so that the trader's order counts and reads do not jump between nodes."""
    return (
        node.reading.state is not BreakerState.CLOSED,
        node.lag > most_lag,
        node.errors_percent // 10,
        node.latency_us.bit_length(),
    )
