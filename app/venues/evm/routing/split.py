"""One trade over several routes at once.

What a route pays is a concave function of what goes into it (up to rounding), so with routes that share no pool the
best shares are those at which the next unit is worth the same everywhere: the Kuhn-Tucker condition of a separable
concave resource allocation. It is found in integers by the scaled greedy method (Hochbaum, "Lower and Upper Bounds for
the Allocation Problem and Other Nonlinear Optimization Problems", Mathematics of Operations Research 19, 1994): give
step by step to the route that gains most, take back each one's last step, halve the step.

Which routes: gas makes that a choice of a set, which is searched greedily, from several first routes on; so what is
proposed is never worse than the best single route, and how close to the best set it comes is tested, not proven. Routes
that share a pool are not combined: the second would find it changed by the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.routing.best import MOST_HOPS, routes_in
from app.venues.evm.routing.gas import FREE, GasPrice
from app.venues.evm.routing.graph import Graph, Route, Step, try_route

MOST_ROUTES: Final = 4
_CANDIDATES: Final = 10
_FINEST: Final = 1 << 12
"""The last step of the search, as a share of the amount: what is left to gain is of its square."""


@dataclass(frozen=True, slots=True)
class Split:
    """Routes that together take exactly an amount, most of it first.

    Attributes:
        net: `amount_out` less all gas, in the token that is paid out.
    """

    routes: tuple[Route, ...]
    amount_in: int
    amount_out: int
    gas: int
    net: int


def best_split(
    graph: Graph,
    token_in: bytes,
    token_out: bytes,
    amount: int,
    price: GasPrice = FREE,
    *,
    hops: int = MOST_HOPS,
    routes: int = MOST_ROUTES,
) -> Split | None:
    """The shares that leave most after gas; one route where splitting does not pay; None where there is none."""
    ends = (token_in, token_out)
    found = routes_in(graph, *ends, amount, price, hops=hops)
    # A pool too small for the whole may be the best for a part.
    parts = routes_in(graph, *ends, max(amount // 8, 1), price, hops=hops)
    if not found and not parts:
        return None
    candidates = _candidates(graph, ends, amount, price, hops, found, parts)
    best = _together([found[0]]) if found else None
    for start in candidates[:3] if found else candidates:
        grown = _grow(graph, [start], candidates, amount, price, routes)
        if grown is not None and (best is None or grown.net > best.net):
            best = grown
    return best


def _candidates(
    graph: Graph,
    ends: tuple[bytes, bytes],
    amount: int,
    price: GasPrice,
    hops: int,
    found: Sequence[Route],
    parts: Sequence[Route],
) -> list[tuple[Step, ...]]:
    """Steps of routes worth trying, best first: those of the whole, of a part, and of a part beside the best ones."""
    used: frozenset[bytes] = frozenset()
    beside: list[Route] = []
    for _ in range(2):
        first = next((each for each in (*found, *parts) if not each.pools & used), None)
        if first is None:
            break
        used |= first.pools
        beside += routes_in(graph, *ends, max(amount // 8, 1), price, hops=hops, without=used)[:4]
    third = _CANDIDATES // 2
    return list(dict.fromkeys(each.steps for each in (*found[:third], *parts[:third], *beside)))[: 2 * _CANDIDATES]


def _grow(
    graph: Graph,
    chosen: list[tuple[Step, ...]],
    candidates: Sequence[tuple[Step, ...]],
    amount: int,
    price: GasPrice,
    most: int,
) -> Split | None:
    """Add routes as long as that leaves more."""
    best = allocate(graph, chosen, amount, price)
    while len(chosen) < most:
        used = {address for steps in chosen for address, _ in steps}
        free = [steps for steps in candidates if used.isdisjoint(address for address, _ in steps)]
        tried = [
            (split, steps)
            for steps in _promising(graph, free, amount)
            if (split := allocate(graph, [*chosen, steps], amount, price)) is not None
        ]
        if not tried:
            return best
        split, steps = max(tried, key=lambda each: (each[0].net, each[1]))
        if best is not None and split.net <= best.net:
            return best
        best, chosen = split, [*chosen, steps]
    return best


def _promising(graph: Graph, free: Sequence[tuple[Step, ...]], amount: int) -> list[tuple[Step, ...]]:
    """Of routes that could be added, the three that pay most for a quarter and for a small part."""
    kept: dict[tuple[Step, ...], None] = {}
    for part in (max(amount // 4, 1), max(amount // 32, 1)):
        paid = [(found.amount_out, steps) for steps in free if (found := try_route(graph, steps, part, FREE))]
        kept.update(dict.fromkeys(steps for _, steps in sorted(paid, reverse=True)[:2]))
    return list(kept)


def allocate(graph: Graph, routes: Sequence[tuple[Step, ...]], amount: int, price: GasPrice) -> Split | None:
    """The best shares of an amount for given routes, which share no pool; None where they can not take it all."""
    if len(routes) == 1:
        alone = try_route(graph, routes[0], amount, price)
        return None if alone is None else _together([alone])
    shares = _Shares(graph, routes, amount)
    if not shares.settle():
        return None
    found = [
        each
        for steps, share in zip(routes, shares.given, strict=True)
        if share and (each := try_route(graph, steps, share, price)) is not None
    ]
    return _together(found) if sum(each.amount_in for each in found) == amount else None


def _together(routes: Sequence[Route]) -> Split:
    ordered = tuple(sorted(routes, key=lambda each: (-each.amount_in, each.steps)))
    return Split(
        ordered,
        sum(each.amount_in for each in ordered),
        sum(each.amount_out for each in ordered),
        sum(each.gas for each in ordered),
        sum(each.net for each in ordered),
    )


class _Shares:
    """Shares under way. `given` sums to the amount once `settle` says so."""

    def __init__(self, graph: Graph, routes: Sequence[tuple[Step, ...]], amount: int) -> None:
        self._pools = [[(graph.pools[address], zero_for_one) for address, zero_for_one in steps] for steps in routes]
        self._amount = amount
        self.given = [0] * len(routes)
        self._paid = [0] * len(routes)
        self._next: list[int | None] = [None] * len(routes)

    def settle(self) -> bool:
        """Whether the routes can take all of it."""
        count = len(self.given)
        step, finest = max(self._amount // (2 * count), 1), max(self._amount // _FINEST, 1)
        last = [0] * count
        while True:
            last = self._give(step)
            if step <= finest:
                break
            for i in range(count):
                self._set(i, self.given[i] - last[i])
            step = max(step // 2, 1)
        while rest := self._amount - sum(self.given):
            if not any(self._give(min(step, rest))):
                if step == 1:
                    return False
                step = max(step // 8, 1)
        return True

    def _give(self, step: int) -> list[int]:
        """As many steps as there is room for, each to the route that gains most; what each got last."""
        last = [0] * len(self.given)
        gains = [self._gain(i, step) for i in range(len(self.given))]
        room = (self._amount - sum(self.given)) // step
        for _ in range(room):
            i = max(range(len(gains)), key=lambda each: (gains[each], -each))
            if gains[i] < 0:
                break
            self._set(i, self.given[i] + step, self._paid[i] + gains[i])
            last[i] = step
            gains[i] = self._gain(i, step)
        return last

    def _gain(self, i: int, step: int) -> int:
        """What one more step pays there; -1 where it can not take it."""
        paid = self._out(i, self.given[i] + step)
        return -1 if paid is None else max(paid - self._paid[i], 0)

    def _set(self, i: int, given: int, paid: int | None = None) -> None:
        self.given[i] = given
        self._paid[i] = (self._out(i, given) or 0) if paid is None else paid

    def _out(self, i: int, amount: int) -> int | None:
        if amount == 0:
            return 0
        try:
            for pool, zero_for_one in self._pools[i]:
                amount = pool.exact_in(zero_for_one, amount)
        except NoQuote:
            return None
        return amount
