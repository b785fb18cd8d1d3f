"""One trade over several routes at once.

What a route pays is a concave function of what goes into it (up to rounding), so with routes that share no pool the
best shares are those at which the next unit is worth the same everywhere: the Kuhn-Tucker condition of a separable
concave resource allocation. It is found in integers by the scaled greedy method (Hochbaum, "Lower and Upper Bounds for
the Allocation Problem and Other Nonlinear Optimization Problems", Mathematics of Operations Research 19, 1994): give
step by step to the route that gains most, take back each one's last step, halve the step.

Which routes: gas makes that a choice of a set, which is searched greedily, from several first routes on; so what is
proposed is never worse than the best single route, and how close to the best set it comes is measured, not proven. Two
things are not concave and so not settled by equal margins: gas for each tick that is crossed, and the end of what a
pool can take. Where they weigh (amounts that all but drain the pools, gas worth a good part of the trade) it may miss
the best by more than a thousandth: tests/benchmarks/evm.py says how often and by how much.

Routes that share a pool are not combined: the second would find it changed by the first.

What is paid for exactly some output is convex in it: the same search, with what is paid counted as less than nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.venues.evm.routing.best import MOST_HOPS
from app.venues.evm.routing.gas import FREE, GasPrice
from app.venues.evm.routing.graph import Graph, Route, Step
from app.venues.evm.routing.refine import NOTHING, moved, on_a_grid
from app.venues.evm.routing.trades import Trade

MOST_ROUTES: Final = 4
_PARTS: Final = (8, 100)
_FINEST: Final = 1 << 12
"""The last step of the search, as a share of the amount: what is left to gain is of its square."""
_COARSE: Final = 1 << 6
"""The same while sets of routes are compared."""
_STARTS: Final = 4
_FEW: Final = 30


@dataclass(frozen=True, slots=True)
class Split:
    """Routes that together take, or bring, exactly an amount, most of it first.

    Attributes:
        net: as `Route.net`, of all routes together.
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
    return _best(Trade((graph,), token_in, token_out, price, hops), amount, routes)


def best_split_out(
    graphs: Sequence[Graph],
    token_in: bytes,
    token_out: bytes,
    amount: int,
    price: GasPrice = FREE,
    *,
    hops: int = MOST_HOPS,
    routes: int = MOST_ROUTES,
) -> Split | None:
    """The routes that together bring exactly `amount` for least, gas included; None where there is none.

    Args:
        graphs: each route keeps within one of them, and they share no pool: between V2 and V3 a router hands on what it
            has, which is exact in what goes in and never in what comes out.
        price: of gas in the token that is paid in.
    """
    return _best(Trade(tuple(graphs), token_in, token_out, price, hops, out=True), amount, routes)


def _best(trade: Trade, amount: int, most: int) -> Split | None:
    found, every = trade.routes(amount), trade.every(_FEW)
    candidates = _candidates(trade, amount, found[:5], every)
    chosen = _Search(trade, amount, candidates, most).run()
    tried = [_together([found[0]])] if found else []
    tried += _settled(trade, chosen, amount)
    best = max(tried, key=lambda each: each.net, default=None)
    starts = [] if best is None else [{each.steps: trade.exact(each) for each in best.routes}]
    if every is not None and (shares := on_a_grid(trade, candidates, amount)):
        starts.append(shares)
    better = [moved(trade, shares, amount, _FINEST) for shares in starts]
    tried += [_together(routes) for routes in better if routes is not None]
    return max(tried, key=lambda each: each.net, default=None)


def _settled(trade: Trade, chosen: Sequence[tuple[Step, ...]], amount: int) -> list[Split]:
    """Shares of a set, fine and coarse, and fine ones without each of its routes: equal margins know nothing of gas and
    may give a route a sliver that does not pay for its own, or take a share just over a tick."""
    sets = [(chosen, _FINEST), (chosen, _COARSE)]
    sets += [([each for each in chosen if each != steps], _FINEST) for steps in chosen]
    found = [_allocate(trade, routes, amount, finest) for routes, finest in sets if routes]
    return [each for each in found if each is not None]


def _candidates(
    trade: Trade, amount: int, whole: Sequence[Route], every: Sequence[tuple[Step, ...]] | None
) -> list[tuple[Step, ...]]:
    """Steps of routes worth trying, about the best first: `every` there is where those are few; else those that are
    best for the `whole`, for parts (a pool too small for the whole may be the best for one), and for a part beside
    those.
    """
    if every is not None:
        paid = {steps: trade.one(steps, -(-amount // _PARTS[0]), free=True) for steps in every}
        return sorted(every, key=lambda steps: (-(each.net if (each := paid[steps]) else NOTHING), steps))
    parts = [each for part in _PARTS for each in trade.routes(-(-amount // part), free=True)[:6]]
    found = [*whole, *parts]
    used: frozenset[bytes] = frozenset()
    for _ in range(2):
        first = next((each for each in found if not each.pools & used), None)
        if first is None:
            break
        used |= first.pools
        found += trade.routes(-(-amount // _PARTS[0]), free=True, without=used)[:4]
    return list(dict.fromkeys(each.steps for each in found))


class _Search:
    """Looks for the set of routes, with shares only as fine as that needs."""

    def __init__(self, trade: Trade, amount: int, candidates: Sequence[tuple[Step, ...]], most: int) -> None:
        self._trade, self._amount = trade, amount
        self._candidates, self._most = candidates, most
        self._used = {steps: frozenset(address for address, _ in steps) for steps in candidates}
        # What a route brings alone for parts of the amount: a bound of what it can add.
        self._alone = {
            steps: [
                found.net if (found := trade.one(steps, -(-amount // part), free=True)) else NOTHING
                for part in (4, *_PARTS)
            ]
            for steps in candidates
        }

    def run(self) -> list[tuple[Step, ...]]:
        """The best set found; empty where none can take the amount."""
        best: list[tuple[Step, ...]] = []
        for start in self._candidates[:_STARTS]:
            best = self._better(best, self._grown([start]))
        for _ in range(self._most):
            before = best
            for steps in self._candidates:
                if steps not in best:
                    free = self._used[steps]
                    changed = [steps, *(each for each in best if self._used[each].isdisjoint(free))]
                    best = self._better(best, changed[: self._most])
            best = self._better(best, self._grown(best))
            if best == before:
                break
        return best

    def _net(self, chosen: Sequence[tuple[Step, ...]]) -> int | None:
        found = _allocate(self._trade, chosen, self._amount, _COARSE) if chosen else None
        return None if found is None else found.net

    def _better(self, one: list[tuple[Step, ...]], other: list[tuple[Step, ...]]) -> list[tuple[Step, ...]]:
        if one == other:
            return one
        nets = self._net(one), self._net(other)
        return other if nets[1] is not None and (nets[0] is None or nets[1] > nets[0]) else one

    def _grown(self, chosen: list[tuple[Step, ...]]) -> list[tuple[Step, ...]]:
        """With routes added as long as that leaves more."""
        net = self._net(chosen)
        while len(chosen) < self._most:
            tried = [
                (found, steps)
                for steps in self._promising(chosen)
                if (found := self._net([*chosen, steps])) is not None
            ]
            if not tried or (net is not None and max(tried)[0] <= net):
                break
            net, steps = max(tried)
            chosen = [*chosen, steps]
        return chosen

    def _promising(self, chosen: Sequence[tuple[Step, ...]]) -> list[tuple[Step, ...]]:
        """Of routes that could be added, those that pay most for a quarter and for smaller parts."""
        used = frozenset[bytes]().union(*(self._used[steps] for steps in chosen))
        free = [steps for steps in self._candidates if self._used[steps].isdisjoint(used)]
        kept: dict[tuple[Step, ...], None] = {}
        for part in range(1 + len(_PARTS)):
            kept.update(dict.fromkeys(sorted(free, key=lambda each: -self._alone[each][part])[:2]))
        return list(kept)


def allocate(
    graph: Graph, routes: Sequence[tuple[Step, ...]], amount: int, price: GasPrice, *, finest: int = _FINEST
) -> Split | None:
    """The best shares of an amount for given routes, which share no pool; None where they can not take it all."""
    return _allocate(Trade((graph,), b"", b"", price), routes, amount, finest)


def _allocate(trade: Trade, routes: Sequence[tuple[Step, ...]], amount: int, finest: int) -> Split | None:
    if len(routes) == 1:
        alone = trade.one(routes[0], amount)
        return None if alone is None else _together([alone])
    shares = _Shares(trade, routes, amount)
    if not shares.settle(finest):
        return None
    found = [
        each
        for steps, share in zip(routes, shares.given, strict=True)
        if share and (each := trade.one(steps, share)) is not None
    ]
    whole = sum(trade.exact(each) for each in found) == amount
    return _together(found) if whole else None


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

    def __init__(self, trade: Trade, routes: Sequence[tuple[Step, ...]], amount: int) -> None:
        self._trade, self._pools = trade, [trade.pools(steps) for steps in routes]
        self._amount = amount
        self.given = [0] * len(routes)
        self._worth = [0] * len(routes)

    def settle(self, finest_share: int) -> bool:
        """Whether the routes can take all of it."""
        count = len(self.given)
        step, finest = max(self._amount // (2 * count), 1), max(self._amount // finest_share, 1)
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
            if gains[i] == NOTHING:
                break
            self._set(i, self.given[i] + step, self._worth[i] + gains[i])
            last[i] = step
            gains[i] = self._gain(i, step)
        return last

    def _gain(self, i: int, step: int) -> int:
        """What one more step brings there, less than 0 where it is what is paid; NOTHING where it can not take it."""
        worth = self._trade.worth(self._pools[i], self.given[i] + step)
        return NOTHING if worth is None else worth - self._worth[i]

    def _set(self, i: int, given: int, worth: int | None = None) -> None:
        self.given[i] = given
        self._worth[i] = (self._trade.worth(self._pools[i], given) or 0) if worth is None else worth
