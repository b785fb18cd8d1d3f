"""Arbitrage across the pools of one chain: a cycle that ends with more than it began with, in one transaction or not at
all.

It proposes what pays after gas within its own bounds, and no more than that: others see the same pools, many of them
sign by machine within the block, and what a person reads and signs is late by seconds. So it first looks on. Of every
opportunity it learns how many blocks it lived, and it proposes only while at least `survival` of the last
`window_lives` lived as long as reading and signing takes: the trader's own measured time (90th percentile), or
`signing_s` while none is measured. Before `least_lives` have ended it does not know, and proposes nothing. `note` says
the numbers. Nothing here claims a profit: on a busy chain the honest outcome is that it refuses for ever.

**Bounds.** No more than `most_amount` goes in (account currency). A part of an amount wins at least that part of the
gain, as what pools pay for more grows ever more slowly; gas stays the same. What is expected after gas is at least
`least_gain`, and the transaction itself demands gas and `least_gain` on top of what went in, else it is undone by the
chain and costs its gas. After a proposal it waits for `cool_down_blocks`.

What is unsaid (`Undone`) is forgotten: lives that ended in dropped blocks count no more.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Final

from strategies.base import API_VERSION, ModuleSpec, Strategy
from strategies.chain_messages import Opportunity, OpportunityEnded, Undone
from strategies.model import Bar, Direction, Position, Signal
from strategies.params import check_bounds
from strategies.wishes import CycleWish

__all__ = ["SPEC", "Arbitrage", "ArbitrageParams"]

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "least_gain": (0.01, 1_000_000.0),
    "most_amount": (1.0, 1_000_000_000.0),
    "cool_down_blocks": (0, 1_000_000),
    "window_lives": (1, 10_000),
    "least_lives": (0, 10_000),
    "survival": (0.0, 1.0),
    "signing_s": (0.1, 3600.0),
}


@dataclass(frozen=True, slots=True)
class ArbitrageParams:
    """Settings; amounts in account currency. `__post_init__` states what is allowed."""

    least_gain: float = 1.0
    most_amount: float = 500.0
    cool_down_blocks: int = 30
    window_lives: int = 100
    least_lives: int = 20
    survival: float = 0.5
    signing_s: float = 30.0

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS)
        if self.least_lives > self.window_lives:
            raise ValueError(
                f"least_lives is {self.least_lives}; allowed: no more than window_lives, which is {self.window_lives}"
            )


class Arbitrage:
    """The strategy of the cycles that are told under one instrument; see the module's docstring."""

    __slots__ = ("_asked", "_block_ms", "_lives", "_params", "_signing_ms")

    def __init__(self, params: ArbitrageParams) -> None:
        self._params = params
        self._lives: deque[tuple[int, int]] = deque(maxlen=params.window_lives)
        """Block in which each ended, and how many it had lived."""
        self._asked: int | None = None
        """Block of the last proposal."""
        self._block_ms = 0
        self._signing_ms: int | None = None

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:  # noqa: ARG002 -- the contract's
        """Bars say nothing about it."""
        return None

    def on_message(self, message: Opportunity | OpportunityEnded | Undone) -> Signal | None:
        """Learn, and propose."""
        if isinstance(message, Undone):
            kept = [each for each in self._lives if each[0] < message.block]
            self._lives = deque(kept, maxlen=self._params.window_lives)
            if self._asked is not None and self._asked >= message.block:
                self._asked = message.block - 1  # the chain goes on from there; the proposal was made all the same
            return None
        self._block_ms = message.block_ms
        if isinstance(message, OpportunityEnded):
            self._lives.append((message.block, message.blocks))
            return None
        self._signing_ms = message.signing_ms
        return self._judged(message)

    def note(self) -> str:
        """How long opportunities live, against how long signing takes, and what follows."""
        seen, least = len(self._lives), self._params.least_lives
        needs = f"signing takes {self._needed_ms() / 1000:g} s, {self._needed_blocks()} blocks"
        if not self._block_ms:
            return "no opportunity seen yet"
        if not seen:
            words = f"no opportunity has ended yet; {needs}"
        else:
            middle = median(blocks for _, blocks in self._lives)
            share = f"{self._survivors():.0%} of {seen} lived that long"
            words = f"opportunities live {middle:g} blocks of {self._block_ms / 1000:g} s (median); {needs}; {share}"
        if seen < least:
            return f"{words}: looks on until {least} have ended"
        return f"{words}: {'proposes' if self._survive() else 'refuses'}"

    def _needed_ms(self) -> float:
        return self._params.signing_s * 1000.0 if self._signing_ms is None else float(self._signing_ms)

    def _needed_blocks(self) -> int:
        """Blocks that pass while it is signed; the block that takes the transaction is one more."""
        return math.ceil(self._needed_ms() / max(self._block_ms, 1)) + 1

    def _survivors(self) -> float:
        """Share of the lives that were long enough; 1 where none is known."""
        if not self._lives:
            return 1.0
        return sum(blocks >= self._needed_blocks() for _, blocks in self._lives) / len(self._lives)

    def _survive(self) -> bool:
        return len(self._lives) >= self._params.least_lives and self._survivors() >= self._params.survival

    def _judged(self, found: Opportunity) -> Signal | None:
        params = self._params
        if self._asked is not None and found.block - self._asked <= params.cool_down_blocks:
            return None
        if found.rate is None or found.rate <= 0 or not self._survive():
            return None
        rate, amount, gas = float(found.rate), float(found.amount), float(found.gas)
        part = min(1.0, params.most_amount / (amount * rate))
        expected = float(found.gain) * part
        net = (expected - gas) * rate
        if net < params.least_gain:
            return None
        self._asked = found.block
        least = gas + params.least_gain / rate
        lived = found.block - found.since + 1
        reason = (
            f"block {found.block}: {amount * part:.8g} {found.asset} through {len(found.pools)} pools wins "
            f"{expected:.6g}, {net:.4g} in account currency after gas; seen for {lived} blocks, {self.note()}"
        )
        wish = CycleWish(found.asset, amount * part, expected, least, found.pools, found.unit)
        strength = min(1.0, net / (10.0 * params.least_gain))
        return Signal(found.symbol, Direction.LONG, strength, self._survivors(), reason, act=wish)


def _make(params: ArbitrageParams) -> Strategy:
    return Arbitrage(params)


def _warmup_bars(params: ArbitrageParams) -> int:  # noqa: ARG001 -- the contract's
    return 0


SPEC: Final = ModuleSpec(
    name="arbitrage",
    version="1.0.0",
    api=API_VERSION,
    params=ArbitrageParams,
    factory=_make,
    warmup_bars=_warmup_bars,
    subscriptions=(Opportunity, OpportunityEnded, Undone),
    summary="On a chain: cycles through pools that win after gas, while they live longer than signing takes; mostly "
    "they do not, and it says so.",
)
