"""The best single route: exact-in or exact-out, over up to three pools, net of gas.

Method: labels by number of pools. More paid into a pool never pays less out, so of all ways to a token with as many
pools only those can be part of the best route that no other betters in both amount and gas. A route of at most three
pools can come through a token twice only at its ends, which are left out, so that no such label stands in another's way
and the result is exact, but for amounts that a later pool can not take whole, where a way that pays less into it could
pass: such a trade is far too large for its pools. With more than three pools it would be a heuristic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.state import Pool
from app.venues.evm.routing.gas import FREE, TRANSACTION, GasPrice, hop_gas
from app.venues.evm.routing.graph import Graph, Route, Step

MOST_HOPS: Final = 3

_Label: TypeAlias = tuple[int, int, tuple[Step, ...]]
"""Amount so far, gas so far, steps so far. Exact-out: the amount is negative, so that more is better there too."""

_Pass: TypeAlias = Callable[[Pool, bool, int], tuple[int, int]]


def best_in(
    graph: Graph, token_in: bytes, token_out: bytes, amount: int, price: GasPrice = FREE, *, hops: int = MOST_HOPS
) -> Route | None:
    """The route that leaves most after gas for exactly `amount`; None where there is none."""
    return max(routes_in(graph, token_in, token_out, amount, price, hops=hops), key=_rank, default=None)


def routes_in(
    graph: Graph,
    token_in: bytes,
    token_out: bytes,
    amount: int,
    price: GasPrice = FREE,
    *,
    hops: int = MOST_HOPS,
    without: frozenset[bytes] = frozenset(),
) -> list[Route]:
    """The best route through each last pool and number of pools, best first; `without` names pools to leave out."""
    found = [
        Route(steps, amount, out, gas, out - price.cost(gas))
        for out, gas, steps in _search(graph, (token_in, token_out), amount, _forward, hops, price, without)
    ]
    return sorted(found, key=_rank, reverse=True)


def best_out(
    graph: Graph, token_in: bytes, token_out: bytes, amount: int, price: GasPrice = FREE, *, hops: int = MOST_HOPS
) -> Route | None:
    """The route that takes least for exactly `amount` out; None where there is none.

    `price` is of gas in the token that is paid in here, and `net` is negative: what it costs in all.
    """
    return max(routes_out(graph, token_in, token_out, amount, price, hops=hops), key=_rank, default=None)


def routes_out(
    graph: Graph,
    token_in: bytes,
    token_out: bytes,
    amount: int,
    price: GasPrice = FREE,
    *,
    hops: int = MOST_HOPS,
    without: frozenset[bytes] = frozenset(),
) -> list[Route]:
    """As `routes_in` for exactly `amount` out: the cheapest route through each first pool and number of pools."""
    found = [
        Route(steps[::-1], -need, amount, gas, need - price.cost(gas))
        for need, gas, steps in _search(graph, (token_out, token_in), -amount, _backward, hops, price, without)
    ]
    return sorted(found, key=_rank, reverse=True)


def _rank(route: Route) -> tuple[int, int, tuple[Step, ...]]:
    """Most net, then fewest pools, then addresses."""
    return (route.net, -len(route.steps), route.steps)


def _forward(pool: Pool, zero_for_one: bool, amount: int) -> tuple[int, int]:
    return pool.through(zero_for_one, amount)


def _backward(pool: Pool, zero_for_one: bool, amount: int) -> tuple[int, int]:
    """Walked from the end: the pool's other token is the one that is paid in, hence `not`."""
    needed, crossed = pool.through_out(not zero_for_one, -amount)
    return -needed, crossed


def _search(
    graph: Graph,
    ends: tuple[bytes, bytes],
    amount: int,
    pass_through: _Pass,
    hops: int,
    price: GasPrice,
    without: frozenset[bytes],
) -> Iterable[_Label]:
    """Every label that reaches the second end, from the first."""
    start, goal = ends
    before_goal = graph.ways.get(goal, {})
    level: dict[bytes, list[_Label]] = {start: [(amount, TRANSACTION, ())]}
    for left in range(hops - 1, -1, -1):
        reached: dict[bytes, list[_Label]] = {}
        for token, labels in level.items():
            for other, steps in graph.ways.get(token, {}).items():
                if other == goal:
                    yield from _passed(graph, labels, steps, pass_through, without)
                elif left > 1 or (left == 1 and other in before_goal):
                    there = reached.setdefault(other, [])
                    for label in _passed(graph, _strangers(graph, labels, start, other), steps, pass_through, without):
                        _keep(there, label, weigh=price.above > 0)
        level = reached


def _passed(
    graph: Graph, labels: Iterable[_Label], steps: Iterable[Step], pass_through: _Pass, without: frozenset[bytes]
) -> Iterable[_Label]:
    """Each label after each of the steps between two tokens, where there is a quote."""
    pools, forward = graph.pools, pass_through is _forward
    for amount, gas, path in labels:
        for address, zero_for_one in steps:
            if address in without:
                continue
            pool = pools[address]
            try:
                after, crossed = pass_through(pool, zero_for_one, amount)
            except NoQuote:
                continue
            yield after, gas + hop_gas(pool, crossed), (*path, (address, zero_for_one is forward))


def _strangers(graph: Graph, labels: list[_Label], start: bytes, token: bytes) -> list[_Label]:
    """Those of `labels` that have not come through `token`."""
    if token == start:
        return []
    pools = graph.pools
    return [
        label
        for label in labels
        if len(label[2]) < 2 or all(token not in {pools[at].token0, pools[at].token1} for at, _ in label[2][:-1])
    ]


def _keep(labels: list[_Label], new: _Label, *, weigh: bool) -> None:
    """Add `new` unless one betters it, and drop what it betters; `weigh` says that gas matters."""
    for one in labels:
        if one[0] >= new[0] and (one[1] <= new[1] or not weigh):
            return
    labels[:] = [one for one in labels if one[0] > new[0] or (weigh and one[1] < new[1])]
    labels.append(new)


def all_routes(
    graph: Graph, token_in: bytes, token_out: bytes, most: int, *, hops: int = MOST_HOPS
) -> list[tuple[Step, ...]] | None:
    """Every route that comes through no token twice; None where there are more than `most`."""
    found: list[tuple[Step, ...]] = []
    waiting: list[tuple[bytes, tuple[Step, ...], frozenset[bytes]]] = [(token_in, (), frozenset({token_in}))]
    while waiting:
        token, path, seen = waiting.pop()
        for other, steps in graph.ways.get(token, {}).items():
            if other == token_out:
                found += [(*path, step) for step in steps]
            elif other not in seen and len(path) + 1 < hops:
                waiting += [(other, (*path, step), seen | {other}) for step in steps]
        if len(found) > most or len(waiting) > most:
            return None
    return found
