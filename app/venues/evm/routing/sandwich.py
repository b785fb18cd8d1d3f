"""What a sandwich could take from a swap: somebody who sees it before it is mined buys in the same pools right before
it and sells right after it, so that it trades at a worse price, down to its signed bound. Whole numbers, no I/O.

Method: for each run of neighbouring pools of a route, the front-run that brings most. How much can be paid in front is
bounded by the swap's own bound, beyond which it reverts, and found by halving; the gain over that range rises and falls
once (constant product: a concave function but for rounding; over ticks nearly so), and is searched on a grid, then by
thirds. What is reckoned is what the pools' own contracts do, to the unit: tests/evm/pools/test_sandwiches.py does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.quotes import Hop
from app.venues.evm.pools.state import Pool
from app.venues.evm.pools.ticks import sqrt_ratio_at_tick, tick_at_sqrt_ratio
from app.venues.evm.pools.v2 import V2Pool
from app.venues.evm.routing.gas import FREE, TRANSACTION, GasPrice, hop_gas

_WHOLE: Final = 10_000
_GRID: Final = 16
_NARROW: Final = 1 << 15
"""Of the range of front-runs: a part of it so small is near enough to the best, and a loss is told in basis points."""


@dataclass(frozen=True, slots=True)
class Victim:
    """One route of a swap.

    Attributes:
        exact_in: `amount` is paid exactly and `bound` received at least; else `amount` received, `bound` paid at most.
        hands_on: SwapRouter02 or a universal router carries it, whose pairs pay out for all that came in, which an
            exact-out rounds up (`V2SwapRouter._swap`); Router02's pay exactly what was reckoned.
    """

    hops: tuple[Hop, ...]
    exact_in: bool
    amount: int
    bound: int
    hands_on: bool = True


@dataclass(frozen=True, slots=True)
class Attack:
    """The most profitable sandwich of one route.

    Attributes:
        hops: through which it goes, in the route's direction; back through the same.
        front, bought, back: paid before, received for that, and what selling that afterwards brings; `front` and `back`
            in the token that enters the first of `hops`.
        other: what the victim's other amount becomes: received (exact-in), or paid (exact-out).
        lost: of it, against no attack.
        gas: units that both its transactions take.
    """

    hops: tuple[Hop, ...]
    front: int
    bought: int
    back: int
    other: int
    lost: int
    gas: int

    @property
    def token(self) -> bytes:
        """In which it gains."""
        return self.hops[0].token_in

    @property
    def gain(self) -> int:
        """Before gas."""
        return self.back - self.front


@dataclass(frozen=True, slots=True)
class Sandwich:
    """What all routes of a swap could lose together.

    Attributes:
        attacks: those that pay, gas counted where its price is known.
        lost: base units of the amount that is not exact. bps: of that amount as quoted, rounded up.
        most: that the signed bound lets go of, whatever anybody does.
    """

    attacks: tuple[Attack, ...]
    lost: int
    bps: int
    most: int


def sandwich(victims: Sequence[Victim], gas: Mapping[bytes, GasPrice]) -> Sandwich:
    """The most profitable sandwich of each route.

    Args:
        gas: what gas costs in each token; of a token that is not there it is taken to cost nothing, so that an attack
            is rather told than not.

    Raises:
        NoQuote: a route gives none even without an attack.
    """
    quoted = [_other(victim, victim.hops) for victim in victims]
    found = [_best(victim, quote, gas) for victim, quote in zip(victims, quoted, strict=True)]
    attacks = tuple(attack for attack in found if attack is not None)
    lost = sum(attack.lost for attack in attacks)
    most = sum(abs(quote - victim.bound) for victim, quote in zip(victims, quoted, strict=True))
    return Sandwich(attacks, lost, -(-lost * _WHOLE // sum(quoted)), most)


def swapped(pool: Pool, zero_for_one: bool, amount: int, *, exact_in: bool = True) -> tuple[int, Pool]:
    """What a swap comes to (received, or for exact-out paid), and the pool after it.

    Raises:
        NoQuote: where it reverts.
    """
    if isinstance(pool, V2Pool):
        other = pool.exact_in(zero_for_one, amount) if exact_in else pool.exact_out(zero_for_one, amount)
        taken, paid = (amount, other) if exact_in else (other, amount)
        deltas = (taken, -paid) if zero_for_one else (-paid, taken)
        after = replace(pool, reserve0=pool.reserve0 + deltas[0], reserve1=pool.reserve1 + deltas[1])
        return other, after
    # `through` refuses what the pool could take or pay only in part, as routers do.
    other = pool.exact_in(zero_for_one, amount) if exact_in else pool.exact_out(zero_for_one, amount)
    done = pool.swap(zero_for_one, amount, exact_in=exact_in)
    tick = tick_at_sqrt_ratio(done.price)
    if zero_for_one and done.price != pool.price and sqrt_ratio_at_tick(tick) == done.price:
        tick -= 1  # as slot0 has it where the price came down onto a tick
    return other, replace(pool, price=done.price, liquidity=done.liquidity, tick=tick, _walks={})


def _through(hops: Sequence[Hop], amount: int, *, exact_in: bool = True) -> tuple[int, tuple[Hop, ...]]:
    """A swap through a whole path, and the path after it."""
    after: list[Hop] = []
    for hop in hops if exact_in else reversed(hops):
        amount, pool = swapped(hop.pool, hop.zero_for_one, amount, exact_in=exact_in)
        after.append(replace(hop, pool=pool))
    return amount, tuple(after if exact_in else reversed(after))


def _other(victim: Victim, hops: Sequence[Hop]) -> int:
    amount = victim.amount
    for hop in hops if victim.exact_in else reversed(hops):
        ask = hop.pool.exact_in if victim.exact_in else hop.pool.exact_out
        amount = ask(hop.zero_for_one, amount)
    return amount


def _best(victim: Victim, quoted: int, gas: Mapping[bytes, GasPrice]) -> Attack | None:
    """Of all runs of neighbouring pools the one that leaves most after gas; None where none pays. They gain in
    different tokens: each is weighed in the token that the route pays, at the prices before."""
    best: tuple[int, Attack] | None = None
    count = len(victim.hops)
    for first in range(count):
        for last in range(first + 1, count + 1):
            attack = _attack(victim, quoted, first, last)
            if attack is None:
                continue
            net = attack.gain - gas.get(attack.token, FREE).cost(attack.gas)
            if net > 0 and (best is None or _in_first(victim.hops[:first], net) > best[0]):
                best = (_in_first(victim.hops[:first], net), attack)
    return None if best is None else best[1]


def _in_first(before: Sequence[Hop], amount: int) -> int:
    """An amount of the token after `before`, in the token before it."""
    for hop in reversed(before):
        out, paid = hop.pool.spot(hop.zero_for_one)
        amount = amount * paid // out
    return amount


def _attack(victim: Victim, quoted: int, first: int, last: int) -> Attack | None:
    """The front-run of the pools from `first` to before `last` that brings most; None where none brings anything."""
    run = victim.hops[first:last]

    def tried(front: int) -> Attack | None:
        """What one comes to; None where the victim, or it, would revert."""
        try:
            bought, moved = _through(run, front)
            hops = (*victim.hops[:first], *moved, *victim.hops[last:])
            other, after = _through(hops, victim.amount, exact_in=victim.exact_in)
            if not victim.exact_in and victim.hands_on and isinstance(hops[0].pool, V2Pool):
                after = _through(hops, other)[1]
            if other < victim.bound if victim.exact_in else other > victim.bound:
                return None
            way_back = tuple(Hop(hop.pool, not hop.zero_for_one) for hop in reversed(after[first:last]))
            back = _through(way_back, bought)[0]
        except NoQuote:
            return None
        units = 2 * TRANSACTION + 2 * sum(hop_gas(hop.pool, 0) for hop in run)
        return Attack(run, front, bought, back, other, abs(quoted - other), units)

    front = _peak(
        lambda x: None if (attack := tried(x)) is None else attack.gain, _most(lambda x: tried(x) is not None)
    )
    found = tried(front) if front else None
    return found if found is not None and found.gain > 0 else None


def _most(passes: Callable[[int], bool]) -> int:
    """The largest front-run that passes, nearly; 0 where none does. Very small ones may be refused for
    themselves (an output of nothing), so it is looked for upwards first."""
    high, low = 1, 0
    while high < 1 << 128:
        if passes(high):
            low = high
        elif low:
            break
        high <<= 2
    while high - low > 1 + low // _NARROW:
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low


def _peak(gain: Callable[[int], int | None], most: int) -> int:
    """Where from 1 to `most` the gain is greatest."""
    if not most:
        return 0
    known: dict[int, int] = {}

    def at(x: int) -> int:
        if x not in known:
            found = gain(x)
            known[x] = -(1 << 256) if found is None else found
        return known[x]

    places = sorted({max(1, most * i // _GRID) for i in range(_GRID + 1)} | {max(1, most >> i) for i in range(_GRID)})
    best = max(range(len(places)), key=lambda i: at(places[i]))
    low, high = places[max(best - 1, 0)], places[min(best + 1, len(places) - 1)]
    while high - low > 2 + most // _NARROW:
        one, other = low + (high - low) // 3, high - (high - low) // 3
        low, high = (low, other) if at(one) >= at(other) else (one, high)
    for x in (low, (low + high) // 2, high):
        at(x)
    return max(known, key=lambda x: (known[x], -x))
