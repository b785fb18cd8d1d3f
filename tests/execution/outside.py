"""Somebody else moves what the account has: the real venue's answers, with that added, as the world would tell them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from app.execution.adjustments import Wanted
from app.execution.reconcile import Difference
from app.money import ZERO, add
from app.venues.base import Reading
from tests.execution.harness import Rig


class Outside:
    """Of one session."""

    def __init__(self, rig: Rig, moved: dict[str, Decimal] | None = None) -> None:
        self.rig = rig
        self.moved: dict[str, Decimal] = {} if moved is None else moved
        self.asked = 0
        self._reading = rig.desk.venue.reading
        rig.desk.venue.reading = self

    async def __call__(self, *, sure: bool = False) -> Reading:
        self.asked += 1
        found: Reading = await self._reading(sure=sure)
        held = {asset: found.balances.get(asset, ZERO) for asset in found.balances.keys() | self.moved.keys()}
        for asset, amount in self.moved.items():
            held[asset] = add(held[asset], amount)
        return replace(found, balances={asset: amount for asset, amount in held.items() if amount})

    def move(self, asset: str, amount: str) -> None:
        """A deposit, or, negative, a withdrawal."""
        self.moved[asset] = add(self.moved.get(asset, ZERO), Decimal(amount))

    async def look(self) -> tuple[Difference, ...]:
        """What the timer does."""
        found = (await self.rig.session.recovery.look_again()).differences
        await self.rig.settle()
        return found


def wanted(difference: Difference, reason: str = "I sent it") -> Wanted:
    """As its trader has read it."""
    assert difference.venue_has is not None
    assert difference.ledger_has is not None
    return Wanted(difference.subject, difference.venue_has, difference.ledger_has, reason)
