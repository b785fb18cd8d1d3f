"""Pools as a graph: tokens are its nodes, each pool an edge in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.quotes import Hop
from app.venues.evm.pools.state import Pool
from app.venues.evm.routing.gas import TRANSACTION, GasPrice, hop_gas

Step: TypeAlias = tuple[bytes, bool]
"""Address of a pool, and whether its token0 is paid in."""
Ways: TypeAlias = Mapping[bytes, Mapping[bytes, tuple[Step, ...]]]
"""Steps from a token to another."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Pools of one block and the ways between their tokens.

    The ways depend on which pools there are, not on what is in them: `at` keeps them for the next block.
    """

    pools: Mapping[bytes, Pool]
    ways: Ways

    @classmethod
    def of(cls, pools: Mapping[bytes, Pool]) -> Graph:
        """From pools by address."""
        ways: dict[bytes, dict[bytes, tuple[Step, ...]]] = {}
        for address in sorted(pools):
            pool = pools[address]
            for one, other, step in (
                (pool.token0, pool.token1, (address, True)),
                (pool.token1, pool.token0, (address, False)),
            ):
                there = ways.setdefault(one, {})
                there[other] = (*there.get(other, ()), step)
        return cls(pools, ways)

    def at(self, pools: Mapping[bytes, Pool]) -> Graph:
        """The same pools with other contents."""
        return Graph(pools, self.ways) if pools.keys() == self.pools.keys() else Graph.of(pools)

    def hops(self, steps: Iterable[Step]) -> tuple[Hop, ...]:
        """Steps with the pools they are of."""
        return tuple(Hop(self.pools[address], zero_for_one) for address, zero_for_one in steps)


@dataclass(frozen=True, slots=True)
class Route:
    """One way for one amount.

    Attributes:
        gas: units, the transaction's own included.
        net: where `amount_in` is exact, `amount_out` less that gas, in the token that is paid out; may be negative.
            Where `amount_out` is exact, less than 0: `amount_in` and that gas, in the token that is paid in.
    """

    steps: tuple[Step, ...]
    amount_in: int
    amount_out: int
    gas: int
    net: int

    @property
    def pools(self) -> frozenset[bytes]:
        """Addresses."""
        return frozenset(address for address, _ in self.steps)


def route(graph: Graph, steps: tuple[Step, ...], amount: int, price: GasPrice) -> Route:
    """What steps come to for an amount.

    Raises:
        NoQuote: a pool gives none.
    """
    gas, now = TRANSACTION, amount
    for address, zero_for_one in steps:
        pool = graph.pools[address]
        now, crossed = pool.through(zero_for_one, now)
        gas += hop_gas(pool, crossed)
    return Route(steps, amount, now, gas, now - price.cost(gas))


def try_route(graph: Graph, steps: tuple[Step, ...], amount: int, price: GasPrice) -> Route | None:
    """As `route`; None where there is no quote."""
    try:
        return route(graph, steps, amount, price)
    except NoQuote:
        return None


def route_out(graph: Graph, steps: tuple[Step, ...], amount: int, price: GasPrice) -> Route:
    """What steps come to for exactly `amount` out; `price` is of gas in the token that is paid in.

    Raises:
        NoQuote: a pool gives none.
    """
    gas, now = TRANSACTION, amount
    for address, zero_for_one in reversed(steps):
        pool = graph.pools[address]
        now, crossed = pool.through_out(zero_for_one, now)
        gas += hop_gas(pool, crossed)
    return Route(steps, now, amount, gas, -now - price.cost(gas))
