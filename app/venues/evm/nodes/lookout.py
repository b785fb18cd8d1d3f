"""Watches all nodes of a chain: how far each is, and whether they have the same blocks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from app.engine.clock import Clock
from app.venues.evm.nodes.health import quorum_head
from app.venues.evm.nodes.member import Member
from app.venues.evm.nodes.settings import NodesSettings


class Lookout:
    """
    Attributes:
        head: the highest block that a quorum has reached, None before that is known.
        checked_ms: when it last looked, None before the first time.
        fork: that the nodes have different blocks and no majority says which are right, in words; "" where they agree.
    """

    def __init__(self, members: Sequence[Member], settings: NodesSettings, clock: Clock) -> None:
        self.head: int | None = None
        self.checked_ms: int | None = None
        self.fork = ""
        self._members = members
        self._settings = settings
        self._clock = clock
        self._risen_ms = 0

    @property
    def head_age_ms(self) -> int | None:
        """Since the quorum's head last rose."""
        return None if self.head is None else max(self._clock.now_ms() - self._risen_ms, 0)

    async def look(self) -> None:
        """Ask every node for its head, then compare a block below."""
        await asyncio.gather(*(each.look() for each in self._members))
        await self._compare()
        self.count()
        self.checked_ms = self._clock.now_ms()

    def count(self) -> None:
        """The quorum's head, from what is known. It never falls: a node that restarts is behind, the chain is not."""
        heads = {each: each.head.number for each in self._members if each.allowed and each.head is not None}
        found = quorum_head(list(heads.values()), self._settings.needed)
        for each, number in heads.items():
            each.apart = 0 if found is None else number - found
        if found is not None and (self.head is None or found > self.head):
            self.head, self._risen_ms = found, self._clock.now_ms()

    async def _compare(self) -> None:
        """A block `confirmations` below the heads must be the same on every node. Those with another one than the
        majority's are left out; without a majority none is believed."""
        heads = {
            each: each.head.number for each in self._members if each.head is not None and each.chain_id is not None
        }
        if len(heads) < 2:
            self.fork = ""
            return
        # Who is far behind has no say, or the block compared would lie far back.
        near = [each for each, number in heads.items() if max(heads.values()) - number <= self._settings.lag_allowed]
        height = max(min(heads[each] for each in near) - self._settings.confirmations, 0)
        found = await asyncio.gather(*(each.block_at(height) for each in near))
        hashes = {each: block.hash for each, block in zip(near, found, strict=True) if block is not None}
        if len(hashes) < 2:
            if len(hashes) >= self._settings.needed:
                self.fork = ""  # the other side does not answer any more, and one is enough
            return  # nothing to compare with: what was found before stands
        (common, count), *others = Counter(hashes.values()).most_common()
        split = bool(others) and (count < self._settings.needed or 2 * count <= len(hashes))
        for each, its in hashes.items():
            each.forked = not split and its != common
        sides = "; ".join(f"{each.name} says 0x{its.hex()[:16]}" for each, its in hashes.items())
        self.fork = f"The nodes disagree about block {height}: {sides}." if split else ""
