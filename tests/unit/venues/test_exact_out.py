"""Purchases over several routes. Truth: every set of up to three routes and a grid of shares, tried one after the other
on small markets; what the routers really pay is tests/evm/test_routes.py's."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.state import Pool
from app.venues.evm.pools.v2 import V2Pool
from app.venues.evm.routing.best import best_out
from app.venues.evm.routing.gas import FREE, GasPrice
from app.venues.evm.routing.graph import Graph, Route, Step, route_out
from app.venues.evm.routing.split import best_split_out
from app.venues.evm.shares import parts_of
from tests.evm.market import market, token
from tests.unit.venues.test_routing import PRICES, SEEDS, best_of, simple_routes


def graphs_of(pools: dict[bytes, Pool]) -> list[Graph]:
    """Pools of each kind by themselves."""
    kinds: tuple[dict[bytes, Pool], dict[bytes, Pool]] = ({}, {})
    for address, pool in pools.items():
        kinds[isinstance(pool, V2Pool)][address] = pool
    return [Graph.of(each) for each in kinds if each]


def tried(graph: Graph, steps: tuple[Step, ...], amount: int, price: GasPrice) -> Route | None:
    try:
        return route_out(graph, steps, amount, price)
    except NoQuote:
        return None


@settings(max_examples=120)
@given(SEEDS, st.integers(10**15, 10**25), PRICES, st.integers(2, 9))
def test_a_purchase_over_several_routes_is_within_a_thousandth_of_the_cheapest(
    seed: int, amount: int, price: GasPrice, count: int
) -> None:
    pools = market(random.Random(seed), count, 3, noise_bps=100)
    whole, graphs = Graph.of(pools), graphs_of(pools)
    found = best_split_out(graphs, token(1), token(2), amount, price)
    routes = [steps for graph in graphs for steps in simple_routes(graph, token(1), token(2))]
    best = best_of(routes, amount, lambda steps, part: tried(whole, steps, part, price))
    if found is None:
        assert best is None
        return
    assert sum(each.amount_out for each in found.routes) == amount == found.amount_out
    assert found.net == -found.amount_in - sum(price.cost(each.gas) for each in found.routes)
    assert all(each == tried(whole, each.steps, each.amount_out, price) for each in found.routes)
    used = [at for each in found.routes for at, _ in each.steps]
    assert len(used) == len(set(used))
    for each in found.routes:
        assert len({isinstance(pools[at], V2Pool) for at, _ in each.steps}) == 1, "one kind of pools in each route"
    singles = [alone.net for graph in graphs if (alone := best_out(graph, token(1), token(2), amount, price))]
    assert found.net >= max(singles, default=found.net)
    if best is not None:
        assert found.net >= best - abs(best) // 1000


def test_dear_gas_takes_the_second_route_away() -> None:
    graphs = graphs_of(market(random.Random(11), 8, 2))
    free = best_split_out(graphs, token(1), token(2), 10**22, FREE)
    assert free is not None
    assert len(free.routes) > 1
    single = best_split_out(graphs, token(1), token(2), 10**22, GasPrice(10**18))
    assert single is not None
    assert len(single.routes) == 1
    assert single.amount_in > free.amount_in


@given(st.lists(st.integers(1, 10**30), min_size=1, max_size=4), st.integers(0, 10**29), st.booleans())
def test_a_bound_shared_out_is_all_of_it_and_wrong_for_none(quoted: list[int], room: int, most: bool) -> None:
    bound = sum(quoted) + room if most else max(sum(quoted) - room, 0)
    parts = parts_of(bound, quoted)
    assert sum(parts) == bound
    if most:
        assert all(part >= each for part, each in zip(parts, quoted, strict=True))
    else:
        assert all(0 <= part <= each for part, each in zip(parts, quoted, strict=True))
