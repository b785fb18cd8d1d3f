"""What transfers cost is measured as it is. Truth: tokens with known behaviour on anvil, in pairs of Uniswap's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from app.venues.evm.pools.reader import PoolReader
from app.venues.evm.pools.tax import Share, Tax
from app.venues.evm.pools.taxes import measure
from app.venues.evm.rpc import RpcDown, RpcRefused
from tests.evm.chain import LocalChain
from tests.evm.pools.world import DirectRpc

ONE = 10**18
SUPPLY = 10**6 * ONE


async def measured(chain: LocalChain, token: bytes, pool: bytes, rpc: DirectRpc | None = None) -> Tax | None:
    rpc = rpc or DirectRpc(chain.node)
    return await measure(rpc, token, pool, await PoolReader(chain.chain, rpc).head())


def listed(chain: LocalChain, contract: str, *args: object) -> tuple[bytes, bytes]:
    token = chain.deploy_source("Tokens.sol", contract, SUPPLY, *args)
    return token, chain.pair(token, SUPPLY // 2, 100 * ONE)


@pytest.mark.parametrize(
    ("contract", "args", "share"),
    [
        ("Coin", (), Share(0)),
        ("ZeroFirstCoin", (), Share(0)),
        ("QuietCoin", (), Share(0)),
        ("TaxedCoin", (500,), Share(500)),
        ("TaxedCoin", (1,), Share(1)),
        ("TaxedCoin", (9_999,), Share(9_999)),
    ],
)
async def test_a_tax_is_found_on_both_ways(anvil: LocalChain, contract: str, args: Sequence[int], share: Share) -> None:
    token, pool = listed(anvil, contract, *args)
    assert await measured(anvil, token, pool) == Tax(token, share, share)


async def test_a_token_that_can_not_be_sold_is_seen(anvil: LocalChain) -> None:
    token, pool = listed(anvil, "Honeypot")
    assert await measured(anvil, token, pool) == Tax(token, Share(0), Share(0))
    anvil.transact(token, "trap(address)", pool)
    assert await measured(anvil, token, pool) == Tax(token, Share(0), None)


async def test_what_can_not_be_measured_is_not_said_to_be_free(anvil: LocalChain) -> None:
    token, pool = listed(anvil, "Coin")
    assert await measured(anvil, token, anvil.accounts[9]) is None, "nobody there holds any"

    class Older(DirectRpc):
        async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
            if method == "eth_simulateV1":
                raise RpcRefused(method, -32601, "the method eth_simulateV1 does not exist")
            return await super().call(method, params)

    assert await measured(anvil, token, pool, Older(anvil.node)) is None

    class Garbled(DirectRpc):
        async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
            return [{}] if method == "eth_simulateV1" else await super().call(method, params)

    with pytest.raises(RpcDown):
        await measured(anvil, token, pool, Garbled(anvil.node))
