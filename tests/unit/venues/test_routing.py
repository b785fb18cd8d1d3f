"""Routes, splits and cycles. Truth: every route and a grid of shares, tried one after the other on small markets; the
quotes themselves are held against the contracts in tests/evm/pools."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import combinations, product
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.venues.evm.chain import Chain, Dex, DexKind, Token
from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.state import Pool
from app.venues.evm.pools.ticks import tick_at_sqrt_ratio
from app.venues.evm.pools.v2 import V2Pool
from app.venues.evm.routing.best import best_in, best_out
from app.venues.evm.routing.carry import carriage
from app.venues.evm.routing.cycles import CycleFinder
from app.venues.evm.routing.gas import FREE, TRANSACTION, GasPrice
from app.venues.evm.routing.graph import Graph, Route, Step, try_route
from app.venues.evm.routing.optimum import gain
from app.venues.evm.routing.split import allocate, best_split
from tests.evm.market import market, token

SEEDS = st.integers(0, 10**9)
AMOUNTS = st.integers(10**15, 10**25)
PRICES = st.sampled_from([FREE, GasPrice(10**8), GasPrice(10**12), GasPrice(10**15, 7)])


def simple_routes(graph: Graph, start: bytes, goal: bytes, hops: int = 3) -> Iterator[tuple[Step, ...]]:
    """Every way that comes through no token twice."""

    def on(at: bytes, path: tuple[Step, ...], seen: frozenset[bytes]) -> Iterator[tuple[Step, ...]]:
        for other, steps in graph.ways.get(at, {}).items():
            if other not in seen:
                for step in steps:
                    if other == goal:
                        yield (*path, step)
                    elif len(path) + 1 < hops:
                        yield from on(other, (*path, step), seen | {other})

    return on(start, (), frozenset({start}))


@settings(max_examples=150)
@given(SEEDS, AMOUNTS, PRICES, st.integers(2, 14))
def test_the_best_route_is_the_best_of_all(seed: int, amount: int, price: GasPrice, count: int) -> None:
    graph = Graph.of(market(random.Random(seed), count, 5, noise_bps=300))
    every = [try_route(graph, steps, amount, price) for steps in simple_routes(graph, token(1), token(2))]
    nets = [each.net for each in every if each is not None]
    found = best_in(graph, token(1), token(2), amount, price)
    assert (found and found.net) == max(nets, default=None)
    if found is not None:
        assert found == try_route(graph, found.steps, amount, price)


@settings(max_examples=100)
@given(SEEDS, AMOUNTS, PRICES)
def test_the_cheapest_route_to_an_amount_is_the_cheapest_of_all(seed: int, amount: int, price: GasPrice) -> None:
    graph = Graph.of(market(random.Random(seed), 12, 5, noise_bps=300))
    costs = []
    for steps in simple_routes(graph, token(1), token(2)):
        need = amount
        try:
            for address, zero_for_one in reversed(steps):
                need = graph.pools[address].exact_out(zero_for_one, need)
        except NoQuote:
            continue
        again = try_route(graph, steps, need, FREE)
        assert again is not None
        assert again.amount_out >= amount, "what it takes does pay it"
        costs.append(need)
    found = best_out(graph, token(1), token(2), amount)
    assert (found and found.amount_in) == min(costs, default=None)
    dear = best_out(graph, token(1), token(2), amount, price)
    assert dear is None or dear.net == -dear.amount_in - price.cost(dear.gas)


PARTS = 48


def best_on_a_grid(graph: Graph, start: bytes, goal: bytes, amount: int, price: GasPrice) -> int | None:
    """The most that up to three routes which share no pool leave, with shares of whole parts."""
    return best_of(simple_routes(graph, start, goal), amount, lambda steps, part: try_route(graph, steps, part, price))


def best_of(
    routes: Iterable[tuple[Step, ...]], amount: int, tried: Callable[[tuple[Step, ...], int], Route | None]
) -> int | None:
    """The same of given routes; `tried` says what one comes to for a part of the amount."""
    nothing = -(10**60)
    ends = [amount * part // PARTS for part in range(1, PARTS + 1)]
    nets = {
        steps: [0, *(each.net if end and (each := tried(steps, end)) else nothing for end in ends)] for steps in routes
    }
    used = {steps: {address for address, _ in steps} for steps in nets}
    best = max((net[PARTS] for net in nets.values()), default=nothing)
    for one, other in combinations(nets, 2):
        if used[one].isdisjoint(used[other]):
            both = [max(map(add, nets[one][: i + 1], nets[other][i::-1])) for i in range(PARTS + 1)]
            thirds = [net for steps, net in nets.items() if used[steps].isdisjoint(used[one] | used[other])]
            best = max(best, both[PARTS], *(max(map(add, both, net[::-1])) for net in thirds))
    return best if best > nothing // 2 else None


@settings(max_examples=60)
@given(SEEDS, AMOUNTS, PRICES, st.integers(2, 7))
def test_a_split_is_within_a_thousandth_of_the_best_and_never_worse_than_one_route(
    seed: int, amount: int, price: GasPrice, count: int
) -> None:
    graph = Graph.of(market(random.Random(seed), count, 3, noise_bps=100))
    found = best_split(graph, token(1), token(2), amount, price)
    single = best_in(graph, token(1), token(2), amount, price)
    best = best_on_a_grid(graph, token(1), token(2), amount, price)
    if found is None:
        assert best is None
        return
    assert single is None or found.net >= single.net
    assert sum(each.amount_in for each in found.routes) == amount == found.amount_in
    assert all(each == try_route(graph, each.steps, each.amount_in, price) for each in found.routes)
    used = [at for each in found.routes for at, _ in each.steps]
    assert len(used) == len(set(used))
    if best is not None:
        assert found.net >= best - abs(best) // 1000


@settings(max_examples=60)
@given(SEEDS, st.integers(10**19, 10**25))
def test_shares_make_the_next_unit_worth_the_same(seed: int, amount: int) -> None:
    """Moving a thousandth of the amount from any route to any other brings nothing."""
    chance = random.Random(seed)
    pools = [each for each in market(chance, 30, 2).values() if isinstance(each, V2Pool)][:3]
    graph = Graph.of({each.address: each for each in pools})
    routes = [((each.address, each.token0 == token(1)),) for each in pools]
    found = allocate(graph, routes, amount, FREE)
    assert found is not None
    shares = {each.steps: each.amount_in for each in found.routes}
    moved = amount // 1000
    for source, target in product(routes, repeat=2):
        if source != target and shares.get(source, 0) > moved:
            after = {**shares, source: shares[source] - moved, target: shares.get(target, 0) + moved}
            tried = [try_route(graph, steps, share, FREE) for steps, share in after.items()]
            assert sum(each.amount_out for each in tried if each) <= found.amount_out + found.amount_out // 10**6


def test_splitting_does_not_pay_for_dust_when_gas_costs() -> None:
    graph = Graph.of(market(random.Random(1), 20, 3))
    found = best_split(graph, token(1), token(2), 10**12, GasPrice(10**9))
    assert found is not None
    assert len(found.routes) == 1


def test_no_way_is_none() -> None:
    graph = Graph.of(market(random.Random(1), 5, 3))
    assert best_in(graph, token(1), token(77), 10**18) is None
    assert best_split(graph, token(77), token(1), 10**18) is None
    assert best_out(graph, token(1), token(2), 10**60) is None
    assert best_in(graph, token(1), token(2), 2**256 - 1) is None
    assert best_in(graph, token(1), token(2), 0) is None


def test_the_same_whatever_the_order_of_the_pools() -> None:
    pools = market(random.Random(5), 60, 6)
    turned = dict(reversed(pools.items()))
    for price in (FREE, GasPrice(10**10)):
        results = [best_split(Graph.of(each), token(1), token(2), 10**24, price) for each in (pools, turned)]
        assert results[0] == results[1]


DEX = {"factory": bytes(20), "init_code_hash": bytes(32)}
ROUTERS = {"uni": b"S" * 20, "uni3": b"S" * 20, "fork": b"F" * 20, "third": b"T" * 20, "both": b"B" * 20}
"""`both` has a Router02 of its own, and SwapRouter02 swaps in its pairs as well."""
CHAIN = Chain(
    "x", 1, Token("ETH", bytes(20), 18, native=True), (), 1, 1, 1, Decimal(1),
    dexes=tuple(
        Dex(
            name, DexKind.V3 if name == "uni3" else DexKind.V2, bytes(20), router, bytes(32),
            others=(b"S" * 20,) if name == "both" else (),
        )
        for name, router in ROUTERS.items()
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("routes", "atomic", "transactions", "router"),
    [
        ([["uni"]], True, 1, b"S"),
        ([["uni", "uni3"], ["uni3"], ["uni"]], True, 1, b"S"),
        ([["fork", "fork"]], True, 1, b"F"),
        ([["fork"], ["fork"]], False, 2, None),
        ([["uni"], ["fork"]], False, 2, None),
        ([["uni", "fork"]], False, 2, None),
        ([["uni", "fork", "uni3"]], False, 3, None),
        ([["uni"], ["uni3"], ["fork", "third"]], False, 3, None),
        ([["both", "both"]], True, 1, b"B"),
        ([["both"], ["both"]], True, 1, b"S"),
        ([["both"], ["uni3"]], True, 1, b"S"),
        ([["both", "uni3"]], True, 1, b"S"),
        ([["uni3", "both"], ["both"], ["uni3"]], True, 1, b"S"),
        ([["both"], ["uni3"], ["fork"]], False, 2, None),
        ([["both", "fork"], ["uni3"]], False, 3, None),
    ],
)
def test_what_one_transaction_can_carry(
    routes: list[list[str]], atomic: bool, transactions: int, router: bytes | None
) -> None:
    pools: dict[bytes, Pool] = {}
    named = []
    for dexes in routes:
        steps = []
        for dex in dexes:
            address = len(pools).to_bytes(20)
            pools[address] = V2Pool(address, dex, token(1), token(2), 30, 1, 1)
            steps.append((address, True))
        named.append(tuple(steps))
    found = carriage(CHAIN, pools, named)
    assert (found.atomic, found.transactions, found.router) == (atomic, transactions, router and router * 20)


def moved(chance: random.Random, pools: dict[bytes, Pool]) -> tuple[dict[bytes, Pool], list[bytes]]:
    """Some pools with another price."""
    changed = chance.sample(sorted(pools), len(pools) // 3)
    after = dict(pools)
    for address in changed:
        pool = after[address]
        if isinstance(pool, V2Pool):
            after[address] = replace(pool, reserve0=pool.reserve0 * chance.randint(970, 1030) // 1000)
        else:
            price = pool.price * chance.randint(990, 1010) // 1000
            after[address] = replace(pool, price=price, tick=tick_at_sqrt_ratio(price), _walks={})
    return after, changed


@settings(max_examples=40)
@given(SEEDS, PRICES)
def test_cycles_found_after_changes_are_those_found_afresh(seed: int, price: GasPrice) -> None:
    chance = random.Random(seed)
    pools = market(chance, 40, 6, noise_bps=100)
    finder = CycleFinder(pools, token(1), price)
    for _ in range(3):
        pools, changed = moved(chance, pools)
        assert finder.update(pools, changed) == CycleFinder(pools, token(1), price).ranked()


@settings(max_examples=40)
@given(SEEDS)
def test_every_cycle_that_pays_is_found_with_nearly_the_best_amount(seed: int) -> None:
    pools = market(random.Random(seed), 14, 4, noise_bps=200)
    graph = Graph.of(pools)
    found = {each.steps: each for each in CycleFinder(pools, token(1)).ranked()}
    for other in graph.ways.get(token(1), {}):
        for out in simple_routes(graph, token(1), other, 2):
            for back in graph.ways[other].get(token(1), ()):
                steps = (*out, back)
                if back[0] in {at for at, _ in out}:
                    continue
                cycle = [(pools[at], zero_for_one) for at, zero_for_one in steps]
                tried = [gain(cycle, 10**exponent * part) for exponent in range(8, 27) for part in (1, 2, 3, 5, 7)]
                best = max((each for each in tried if each is not None), default=0)
                if best > 10**6:
                    assert steps in found
                    assert found[steps].gain >= best - best // 1000
                if steps in found:
                    assert gain(cycle, found[steps].amount_in) == found[steps].gain


def test_gas_takes_small_opportunities_away() -> None:
    pools = market(random.Random(2), 60, 5, noise_bps=100)
    finder = CycleFinder(pools, token(1))
    free = finder.ranked()
    assert free
    assert all(each.gas > TRANSACTION and each.net == each.gain for each in free)
    dear = finder.update(pools, (), GasPrice(free[0].gain, 300_000))
    assert {each.steps for each in dear} < {each.steps for each in free}
    assert [each.net for each in dear] == sorted((each.net for each in dear), reverse=True)
    with pytest.raises(ValueError, match="2 or 3"):
        CycleFinder(pools, token(1), longest=4)
