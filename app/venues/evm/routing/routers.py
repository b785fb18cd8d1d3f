"""Which routers swap in whose pools, as the chain says it.

SwapRouter02 swaps in the pairs of one V2 exchange as well, of the factory that it was deployed with (`factoryV2`,
swap-router-contracts: ImmutableState.sol); on some networks that is none. It is asked, because no settings say it, and
a V2 and a V3 route can only be one transaction where it is so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from app.venues.evm.chain import Approvals, Chain, Dex, DexKind, Token
from app.venues.evm.pools.batch import Batch, Call
from app.venues.evm.pools.reads import read_address
from app.venues.evm.pools.state import At, Pool
from app.venues.evm.rpc import Rpc

_FACTORY_V2: Final = bytes.fromhex("68e0d4e1")


async def with_routers(chain: Chain, rpc: Rpc, at: At) -> Chain:
    """`chain` with the other routers of its V2 exchanges.

    Raises:
        RpcDown, RpcRefused: no node told.
    """
    routers = list(dict.fromkeys(dex.router for dex in chain.dexes if dex.kind is DexKind.V3))
    answers = await Batch(rpc, chain.multicall).read([Call(each, _FACTORY_V2) for each in routers], at)
    factories = [read_address(answer) for answer in answers]

    def told(dex: Dex) -> Dex:
        if dex.kind is not DexKind.V2:
            return dex
        more = [router for router, factory in zip(routers, factories, strict=True) if factory == dex.factory]
        known = dict.fromkeys((*dex.others, *more))
        return replace(dex, others=tuple(each for each in known if each != dex.router))

    return replace(chain, dexes=tuple(told(dex) for dex in chain.dexes))


def paid_in(chain: Chain, pays: Token) -> Chain:
    """`chain` as a payment of `pays` can be carried: where tokens are allowed to Permit2, by universal routers alone,
    through the pools of the exchanges that name one."""
    if pays.native or chain.approvals is Approvals.ROUTER:
        return chain
    named = (replace(dex, router=dex.universal, others=()) for dex in chain.dexes if dex.universal is not None)
    return replace(chain, dexes=tuple(named))


def pools_of(chain: Chain, pools: Mapping[bytes, Pool]) -> dict[bytes, Pool]:
    """Those of the exchanges that `chain` has."""
    names = {dex.name for dex in chain.dexes}
    return {address: pool for address, pool in pools.items() if pool.dex in names}
