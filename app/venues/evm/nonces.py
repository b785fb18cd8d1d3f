"""Which nonce an account's next transaction has. One allocator per account, on the loop thread.

A nonce that is in no block is taken by what we have signed for it, and free again only once nothing signed can land at
it any more: an order of that nonce that is not known to be dead keeps it. What another wallet of the same account has
sent shows as a count of the chain above ours, and is gone round.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.venues.evm import abi
from app.venues.evm.rpc import Rpc


class Nonces:
    """Of one account on one chain."""

    def __init__(self, rpc: Rpc, account: bytes) -> None:
        self._rpc = rpc
        self._account = abi.hexed(account)

    async def mined(self) -> int:
        """Transactions of the account that are in blocks: the first nonce that is free on the chain."""
        return int(await self._rpc.agreed("eth_getTransactionCount", [self._account, "latest"]), 16)

    async def pending(self) -> int:
        """The same, with what waits to be taken into a block, ours or another wallet's."""
        return int(await self._rpc.agreed("eth_getTransactionCount", [self._account, "pending"]), 16)

    async def free(self, ours: Iterable[int], count: int = 1) -> list[int]:
        """The first `count` nonces that neither the chain nor anything of `ours` (signed, and not known to be dead) has
        taken. Gaps that a dropped transaction left are filled first: what is behind one waits for it."""
        taken, at = set(ours), await self.pending()
        found: list[int] = []
        while len(found) < count:
            if at not in taken:
                found.append(at)
            at += 1
        return found
