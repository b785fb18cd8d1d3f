"""What routes are ranked by is what they cost. Truth: receipts of real swaps on anvil with Uniswap's contracts."""

from __future__ import annotations

import random

from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.quotes import path_of
from app.venues.evm.routing.gas import FREE, GasPrice
from app.venues.evm.routing.graph import Graph, route
from tests.evm.pools.test_quotes import calls_of, everything
from tests.evm.pools.world import World


async def test_gas_of_a_route_is_about_what_it_uses(world: World) -> None:
    """Each route within a third, all together within a tenth."""
    reader, pools = await everything(world, words=40)
    chance = random.Random(8)
    ours: list[int] = []
    theirs: list[int] = []
    used: set[bytes] = set()
    while len(ours) < 40:
        graph = Graph.of({key: each for key, each in pools.pools.items() if each.dex != "fork"})
        one, other, third = chance.sample(world.tokens, 3)
        ends = [(one, other)] if chance.random() < 0.5 else [(one, other), (other, third)]
        if not all(graph.ways[start].get(end) for start, end in ends):
            continue
        steps = tuple(chance.choice(graph.ways[start][end]) for start, end in ends)
        amount = 10 ** chance.randint(6, 20)
        try:
            expected = route(graph, steps, amount, FREE)
        except NoQuote:
            continue
        if expected.amount_out == 0:
            continue
        calls = calls_of(path_of([pools.pools[at] for at, _ in steps], one), world, amount, world.trader)
        receipt = world.node.transact(
            world.trader, world.dex("uni3").router, "multicall(uint256,bytes[])(bytes[])", 2**60, calls
        )
        pools = (await reader.advance(pools, await reader.head())).pools
        # A pool's very first swap writes what has never been written, which costs more and happens once.
        if used >= expected.pools:
            ours.append(expected.gas)
            theirs.append(int(receipt["gasUsed"], 16))
        used |= expected.pools
    off = [abs(one - other) / other for one, other in zip(ours, theirs, strict=True)]
    assert max(off) < 1 / 3, sorted(zip(off, ours, theirs, strict=True))[-3:]
    assert abs(sum(ours) / sum(theirs) - 1) < 0.1


def test_cost_of_gas_is_rounded_up() -> None:
    assert GasPrice.of(10**10, 2_500 * 10**6, 10**18).cost(100_000) == 2_500_000
    assert GasPrice(1, 3).cost(1) == 1
    assert FREE.cost(10**6) == 0
