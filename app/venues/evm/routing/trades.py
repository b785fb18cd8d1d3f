"""What a search for a split asks of a market: a trade of one exact amount, in or out. More is better in both: of what
is received, and of what is paid, which counts as less than nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.state import Pool
from app.venues.evm.routing.best import MOST_HOPS, all_routes, routes_in, routes_out
from app.venues.evm.routing.gas import FREE, GasPrice
from app.venues.evm.routing.graph import Graph, Route, Step, route, route_out

Hops: TypeAlias = Sequence[tuple[Pool, bool]]


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade.

    Attributes:
        graphs: each route keeps within one of them; their pools are apart.
        price: of gas, in the token whose amount is not exact.
        out: what is received is exact, not what is paid.
    """

    graphs: tuple[Graph, ...]
    token_in: bytes
    token_out: bytes
    price: GasPrice = FREE
    hops: int = MOST_HOPS
    out: bool = False

    def routes(self, amount: int, *, free: bool = False, without: frozenset[bytes] = frozenset()) -> list[Route]:
        """For all of an amount, best first; `free`: as if gas cost nothing."""
        search = routes_out if self.out else routes_in
        price = FREE if free else self.price
        found = [
            each
            for graph in self.graphs
            for each in search(graph, self.token_in, self.token_out, amount, price, hops=self.hops, without=without)
        ]
        return found if len(self.graphs) == 1 else sorted(found, key=lambda each: (-each.net, each.steps))

    def every(self, most: int) -> list[tuple[Step, ...]] | None:
        """Every route; None where there are more than `most`."""
        found: list[tuple[Step, ...]] = []
        for graph in self.graphs:
            more = all_routes(graph, self.token_in, self.token_out, most, hops=self.hops)
            if more is None or len(found) + len(more) > most:
                return None
            found += more
        return found

    def one(self, steps: tuple[Step, ...], amount: int, *, free: bool = False) -> Route | None:
        """A route with a part of the amount; None where there is no quote."""
        try:
            return (route_out if self.out else route)(self._graph(steps), steps, amount, FREE if free else self.price)
        except NoQuote:
            return None

    def exact(self, found: Route) -> int:
        """Of the amount, what goes by a route."""
        return found.amount_out if self.out else found.amount_in

    def pools(self, steps: tuple[Step, ...]) -> Hops:
        """Of a route, for `worth`."""
        pools = self._graph(steps).pools
        found = [(pools[address], zero_for_one) for address, zero_for_one in steps]
        return found[::-1] if self.out else found

    def worth(self, hops: Hops, amount: int) -> int | None:
        """What a route brings for a part of the amount, gas apart; None where there is no quote."""
        if amount == 0:
            return 0
        try:
            if self.out:
                for pool, zero_for_one in hops:
                    amount = pool.exact_out(zero_for_one, amount)
                return -amount
            for pool, zero_for_one in hops:
                amount = pool.exact_in(zero_for_one, amount)
        except NoQuote:
            return None
        return amount

    def _graph(self, steps: tuple[Step, ...]) -> Graph:
        return next(each for each in self.graphs if steps[0][0] in each.pools)
