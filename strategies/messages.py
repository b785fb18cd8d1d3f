"""What modules tell one another. A message is a frozen dataclass with the `symbol` it is about; a module's spec names
the types that its strategies publish and those they listen to; the engine carries them on the loop thread, in order.

A message is a fact about one finished bar. Who uses it compares `close_ms` with the bar in hand, so that a word of a
module that was stopped since is not taken for today's, and a restart needs no memory of what was said.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trend:
    """What the trend of a market is on the bar that closed at `close_ms`.

    Attributes:
        strength: fast average above the slow one, in average true ranges; negative in a falling market.
    """

    symbol: str
    close_ms: int
    strength: float
