"""How much one pair of eyes may confirm: how fast, and how large without reading back. Pure.

For a person wall time counts, not market time: a replay at 600 times its speed makes nobody read faster.

- *read*: a confirmation is refused until the whole text was shown for `READ_MS`.
- *rate*: `confirmations` entries within `window_ms` of each other, and the next has to wait until `pause_ms` after the
  last of them. A rest of `pause_ms`, imposed or taken, begins the count anew.
- *size*: an entry of `large_value` or more, and one that nothing values, needs its quantity typed.
- *unseen*: what no node could simulate needs the word `UNSEEN` typed.

Closes are asked for the first and the last alone, and are not counted: whoever is tired must still be able to get out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

READ_MS: Final = 500
UNSEEN: Final = "UNSIMULATED"
"""The word to be typed for transactions of which nobody could say what they do."""


@dataclass(frozen=True, slots=True)
class Fatigue:
    """The limits in force. `large_value` in account currency."""

    confirmations: int
    window_ms: int
    pause_ms: int
    large_value: Decimal


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a confirmation needs beside the trader's word.

    Attributes:
        readback: what must be typed, to the letter; None: nothing.
        cool_down_ms: wall time for which nothing can be confirmed yet; 0: now.
        words: the same for reading; "" when nothing is needed.
    """

    readback: str | None = None
    cool_down_ms: int = 0
    words: str = ""


def rests_until(confirmed_ms: Sequence[int], limits: Fatigue) -> int | None:
    """When the next entry may be confirmed, on the clock of `confirmed_ms` (ascending); None: no pause was earned.

    Only what lies within `window_ms` before the last one matters, so whoever keeps the times may forget those that are
    older than window and pause together.
    """
    if not confirmed_ms:
        return None
    last = after = confirmed_ms[-1]
    count = 0
    for at in reversed(confirmed_ms):
        if last - at >= limits.window_ms or after - at >= limits.pause_ms:
            break
        count, after = count + 1, at
    return last + limits.pause_ms if count >= limits.confirmations else None


def unsimulated(preview: str) -> str:
    """Why the transactions of a preview were not simulated; "" where they were, or where there are none."""
    shown = json.loads(preview) if preview else {}
    return str(shown.get("not_simulated") or "no reason is on record") if shown.get("simulated") is False else ""


def with_word(need: Requirement, why: str) -> Requirement:
    """`need`, and the word beside it where the trade was not simulated (`why` says why not; "": it was)."""
    if not why:
        return need
    typed = " ".join([UNSEEN, *([need.readback] if need.readback is not None else [])])
    return replace(need, readback=typed, words=f"{need.words} NOT SIMULATED: {why}. Type {typed}.".lstrip())
