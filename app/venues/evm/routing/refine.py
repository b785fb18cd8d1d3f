"""Shares where equal margins are not enough: gas is paid in lumps, for a route and for each tick crossed, and a pool
can take so much and no more.

Two remedies. A grid: for few routes, what each leaves for every fortieth of the amount, combined over all sets of up to
three routes that share no pool (max-plus convolution); no shape of what a route leaves can mislead that, only its
coarseness can. And moves: from given shares on, parts of ever smaller size go from one route to another as long as that
leaves more, all gas counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations
from operator import add
from typing import Final

from app.venues.evm.routing.graph import Route, Step
from app.venues.evm.routing.trades import Trade

NOTHING: Final = -(1 << 256)
"""Less than any route can bring, for one that brings nothing."""
_PARTS: Final = 40
_MOST: Final = 20
"""Routes on the grid: more than that are no small market."""
_COARSEST: Final = 8
_AGAIN: Final = 6
"""Rounds of moves of one size."""

Shares = dict[tuple[Step, ...], int]


def on_a_grid(trade: Trade, candidates: Sequence[tuple[Step, ...]], amount: int) -> Shares | None:
    """The best shares in whole parts of the amount over up to three of the first `candidates`; None where there are
    none."""
    routes = candidates[:_MOST]
    ends = [amount * part // _PARTS for part in range(_PARTS + 1)]
    nets = {steps: [0, *(_net(trade.one(steps, end)) for end in ends[1:])] for steps in routes}
    used = {steps: {address for address, _ in steps} for steps in routes}
    best: tuple[int, tuple[tuple[Step, ...], ...]] = max(
        ((nets[each][-1], (each,)) for each in routes), default=(NOTHING, ())
    )
    for one, other in combinations(routes, 2):
        if not used[one].isdisjoint(used[other]):
            continue
        both = _together(nets[one], nets[other])
        best = max(best, (both[-1], (one, other)))
        for third in routes[routes.index(other) + 1 :]:
            if used[third].isdisjoint(used[one] | used[other]):
                best = max(best, (max(map(add, both, nets[third][::-1])), (one, other, third)))
    if best[0] <= NOTHING // 2:
        return None
    return _shares([nets[steps] for steps in best[1]], best[1], ends, amount)


def _together(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """The most that two routes leave, for each number of parts."""
    return [max(map(add, one[: i + 1], other[i::-1])) for i in range(len(one))]


def _shares(
    nets: Sequence[Sequence[int]], routes: Sequence[tuple[Step, ...]], ends: Sequence[int], amount: int
) -> Shares:
    """Whose sum is best, taken apart again from the last route on."""
    before = [list(nets[0])]
    for each in nets[1:]:
        before.append(_together(before[-1], each))
    left, parts = _PARTS, [0] * len(nets)
    for at in range(len(nets) - 1, 0, -1):
        parts[at] = max(range(left + 1), key=lambda part: before[at - 1][left - part] + nets[at][part])
        left -= parts[at]
    parts[0] = left
    given = {steps: ends[part] for steps, part in zip(routes, parts, strict=True) if part}
    # Parts are rounded down; what that leaves over goes with the most.
    given[max(given, key=lambda steps: (given[steps], steps))] += amount - sum(given.values())
    return given


def moved(trade: Trade, shares: Shares, amount: int, finest: int) -> list[Route] | None:
    """The routes of `shares` after all moves that leave more, down to that share of the amount; None where a route can
    not take its share."""
    routes, given = list(shares), list(shares.values())
    found = [trade.one(steps, share) for steps, share in zip(routes, given, strict=True)]
    if any(each is None for each in found):
        return None
    step, rounds = max(amount // _COARSEST, 1), 0
    while True:
        better = False
        for source, target in permutations(range(len(routes)), 2):
            part = min(step, given[source])
            if part == 0:
                continue
            after = given[source] - part, given[target] + part
            less = trade.one(routes[source], after[0]) if after[0] else None
            more = trade.one(routes[target], after[1])
            if more is None or (after[0] and less is None):
                continue
            if _or_0(less) + _or_0(more) > _or_0(found[source]) + _or_0(found[target]):
                (given[source], given[target]), (found[source], found[target]) = after, (less, more)
                better = True
        rounds += 1
        if not better or rounds == _AGAIN:
            if step <= max(amount // finest, 1):
                return [each for each in found if each is not None]
            step, rounds = max(step // 2, 1), 0


def _net(route: Route | None) -> int:
    return NOTHING if route is None else route.net


def _or_0(route: Route | None) -> int:
    """A route that gets nothing costs nothing."""
    return 0 if route is None else route.net
