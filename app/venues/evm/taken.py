"""Which transaction has a nonce. That a node does not know ours proves nothing (it may be behind); that another one has
its place in a block does.
"""

from __future__ import annotations

from typing import Final

from app.venues.evm import abi
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.rpc import RpcRefused

_FAR: Final = 64
"""Blocks that are searched, the last first: nodes that are no archive keep the states of 128 or fewer."""


async def taker(nodes: Nodes, account: bytes, nonce: int, deep: int) -> str | None:
    """The hash of the account's transaction of `nonce` that is in block `deep` or in one of the last before it; None
    where it can not be found: it is older, or the nodes do not keep what the account had sent by then.

    Args:
        deep: a block by which the account has sent that one.

    Raises:
        VenueError: no node answered, or they disagree.
    """
    back, low, high = 1, max(deep - 1, 0), deep
    try:
        while await _sent(nodes, account, low) > nonce:
            if not low or back >= _FAR:
                return None
            back *= 2
            low, high = max(deep - back, 0), low
        while high - low > 1:
            middle = (low + high) // 2
            if await _sent(nodes, account, middle) > nonce:
                high = middle
            else:
                low = middle
        block = await nodes.agreed("eth_getBlockByNumber", [abi.quantity(high), True])
    except RpcRefused:
        return None
    mine = abi.hexed(account)
    there = [] if block is None else [each for each in block.get("transactions", ()) if isinstance(each, dict)]
    ours = (
        each for each in there if str(each.get("from")).lower() == mine and each.get("nonce") == abi.quantity(nonce)
    )
    return next((str(each.get("hash")).lower() for each in ours), None)


async def _sent(nodes: Nodes, account: bytes, block: int) -> int:
    """Transactions of the account up to a block."""
    return int(await nodes.call("eth_getTransactionCount", [abi.hexed(account), abi.quantity(block)]), 16)
