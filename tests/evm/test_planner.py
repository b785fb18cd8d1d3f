"""What a planner knows of the pools, whatever its callers and the chain do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from app.practice.chain.deploy import NO_DEADLINE
from app.venues.evm.chain import DexKind
from app.venues.evm.planner import Planner
from app.venues.evm.pools.reads import Found
from tests.evm.chain import ADD_LIQUIDITY, LocalChain
from tests.evm.pools.world import DirectRpc


class Waiting(DirectRpc):
    """Whose answers are waited for, so that others go on meanwhile."""

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        await asyncio.sleep(0)
        return await super().call(method, params)


def made(anvil: LocalChain) -> Found:
    """A pool of WBTC and USDC on the V2 exchange, which has none."""
    btc, usdc, giver = anvil.token("WBTC").address, anvil.token("USDC").address, anvil.accounts[0]
    router = anvil.contract("UniswapV2Router02")
    for token in (btc, usdc):
        anvil.transact(token, "approve(address,uint256)", router, 2**255)
    ends = (10 * 10**8, 500_000 * 10**6, 0, 0, giver, NO_DEADLINE)
    anvil.transact(router, ADD_LIQUIDITY, btc, usdc, *ends)
    pool = anvil.call(anvil.contract("UniswapV2Factory"), "getPair(address,address)(address)", btc, usdc)
    dex = next(each for each in anvil.chain.dexes if each.kind is DexKind.V2)
    return Found(bytes(pool), dex.name, dex.kind, min(btc, usdc), max(btc, usdc), dex.fee_bps * 100)


async def test_a_pool_whose_creation_was_undone_is_known_again_when_it_is_made_again(anvil: LocalChain) -> None:
    planner = Planner(anvil.chain, DirectRpc(anvil.node))
    before = await planner.pools()
    snapshot = anvil.snapshot()
    found = made(anvil)
    assert found.address not in before.pools
    planner.know(found)
    assert found.address in (await planner.pools()).pools
    anvil.revert(snapshot)
    anvil.mine(6)
    assert found.address not in (await planner.pools()).pools
    assert made(anvil).address == found.address
    planner.know(found)
    assert found.address in (await planner.pools()).pools


async def test_who_asks_at_once_gets_one_reading(anvil: LocalChain) -> None:
    """Each by itself would read everything, and what one of them reads last is not the newest."""
    planner = Planner(anvil.chain, Waiting(anvil.node))
    one, *others = await asyncio.gather(*(planner.pools() for _ in range(4)))
    assert all(each.pools is one.pools for each in others)
