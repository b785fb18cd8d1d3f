"""Tokens that take a share of each transfer: how much arrives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class Share:
    """What one kind of transfer loses.

    Attributes:
        bps: basis points of what is sent.
        up: whether the tax is rounded up; down otherwise.
        regular: whether `arriving` gave every measured amount to the unit. Where not, nothing can be reckoned and `bps`
            is only the worst that was measured, rounded up.
    """

    bps: int
    up: bool = False
    regular: bool = True

    def arriving(self, sent: int) -> int:
        """What arrives of `sent`."""
        return sent - (-(-sent * self.bps // _WHOLE) if self.up else sent * self.bps // _WHOLE)


@dataclass(frozen=True, slots=True)
class Tax:
    """What a token takes, measured at one of its pools.

    Attributes:
        buy: of a transfer out of the pool; None where it fails.
        sell: of one into it; None where it fails: what was bought could not be sold.
    """

    token: bytes
    buy: Share | None
    sell: Share | None

    @property
    def free(self) -> bool:
        """Nothing is taken, in either direction."""
        return self.buy == self.sell == Share(0)


def fit(measured: Sequence[tuple[int, int]]) -> Share:
    """The share that explains each (sent, arrived), or an irregular one."""
    worst = max((-(-(sent - arrived) * _WHOLE // sent) for sent, arrived in measured if sent), default=0)
    for bps in (worst, worst - 1, worst + 1):
        for up in (False, True):
            share = Share(bps, up and bps > 0)
            if 0 <= bps <= _WHOLE and all(share.arriving(sent) == arrived for sent, arrived in measured):
                return share
    return Share(min(max(worst, 0), _WHOLE), regular=False)
