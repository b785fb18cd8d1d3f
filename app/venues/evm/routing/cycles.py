"""Cross-exchange arbitrage: cycles of two or three pools that end with more than they began with.

Which cycles there are depends on which pools there are, so they are listed once. After a block only those through a
pool that changed are looked at again: first whether the product of their prices after fees exceeds 1, an integer
product, and only then how much to send.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.state import Pool
from app.venues.evm.routing.gas import FREE, TRANSACTION, GasPrice, hop_gas
from app.venues.evm.routing.graph import Graph, Step
from app.venues.evm.routing.optimum import best_input

_BITS: Final = 160
"""Of a price: fixed point, rounded up, so that the first look never turns down what pays."""
_ONE: Final = {2: 1 << 2 * _BITS, 3: 1 << 3 * _BITS}
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Opportunity:
    """One cycle that pays, in base units of its own token.

    Attributes:
        gain: what comes back, less what is sent.
        net: that less gas.
    """

    steps: tuple[Step, ...]
    amount_in: int
    amount_out: int
    gain: int
    gas: int
    net: int


class CycleFinder:
    """The cycles of one token through pools, ranked anew after each block. Not for several threads."""

    def __init__(self, pools: Mapping[bytes, Pool], token: bytes, price: GasPrice = FREE, *, longest: int = 3) -> None:
        """List the cycles and rank them.

        Args:
            token: that a cycle begins and ends with.
            price: of gas in that token.
            longest: 2 or 3 pools.

        Raises:
            ValueError: another length.
        """
        if longest not in {2, 3}:
            raise ValueError("a cycle has 2 or 3 pools")
        self.price = price
        self._token, self._longest = token, longest
        self._pools: Mapping[bytes, Pool] = {}
        self._through: Mapping[bytes, list[int]] = {}
        self._list(pools)

    def update(
        self, pools: Mapping[bytes, Pool], changed: Collection[bytes], price: GasPrice | None = None
    ) -> tuple[Opportunity, ...]:
        """The cycles that pay after gas, best first, now that `changed` pools are as in `pools`.

        Args:
            price: of gas, where it has changed; cycles that were found keep their amounts.
        """
        if price is not None:
            self.price = price
        if pools.keys() != self._pools.keys():
            self._list(pools)
            return self.ranked()
        self._pools = pools
        for address in changed:
            self._note(address)
        for number in {number for address in changed for number in self._through.get(address, ())}:
            self._look(number)
        return self.ranked()

    def ranked(self) -> tuple[Opportunity, ...]:
        """The cycles that pay after gas, best first; equal ones by their pools' addresses."""
        found = [self._opportunity(number, *each) for number, each in self._found.items()]
        return tuple(sorted((each for each in found if each.net > 0), key=lambda each: (-each.net, each.steps)))

    def __len__(self) -> int:
        """How many cycles there are."""
        return len(self._cycles)

    def through(self, address: bytes) -> tuple[int, ...]:
        """Numbers of the cycles through a pool."""
        return tuple(self._through.get(address, ()))

    def _list(self, pools: Mapping[bytes, Pool]) -> None:
        self._pools = pools
        self._rates: dict[Step, int] = {}
        self._cycles = tuple(_cycles(Graph.of(pools), self._token, self._longest))
        self._found: dict[int, tuple[int, int]] = {}
        through: dict[bytes, list[int]] = {}
        for number, steps in enumerate(self._cycles):
            for address, _ in steps:
                through.setdefault(address, []).append(number)
        self._through = through
        for address in pools:
            self._note(address)
        for number in range(len(self._cycles)):
            self._look(number)

    def _note(self, address: bytes) -> None:
        """The pool's prices after its fee, in both directions; 0 where it has none."""
        pool = self._pools[address]
        for zero_for_one in (True, False):
            try:
                above, below = pool.spot(zero_for_one)
                rate = -(-(above * (_MILLION - pool.fee_ppm) << _BITS) // (below * _MILLION))
            except NoQuote:
                rate = 0
            self._rates[address, zero_for_one] = rate

    def _look(self, number: int) -> None:
        """Whether a cycle pays, and with how much."""
        steps, rates = self._cycles[number], self._rates
        product = rates[steps[0]] * rates[steps[1]]
        if len(steps) == 3:
            product *= rates[steps[2]]
        best = None
        if product > _ONE[len(steps)]:
            best = best_input([(self._pools[address], zero_for_one) for address, zero_for_one in steps])
        if best is None:
            self._found.pop(number, None)
        else:
            self._found[number] = best

    def _opportunity(self, number: int, amount: int, gained: int) -> Opportunity:
        steps, gas, now = self._cycles[number], TRANSACTION, amount
        for address, zero_for_one in steps:
            pool = self._pools[address]
            now, crossed = pool.through(zero_for_one, now)
            gas += hop_gas(pool, crossed)
        return Opportunity(steps, amount, amount + gained, gained, gas, gained - self.price.cost(gas))


def _cycles(graph: Graph, token: bytes, longest: int) -> Iterator[tuple[Step, ...]]:
    """Every way from `token` back to it through two different pools, or three between three tokens."""
    for other, out in graph.ways.get(token, {}).items():
        for first in out:
            yield from ((first, back) for back in graph.ways[other].get(token, ()) if back[0] != first[0])
        if longest == 3:
            for third, between in graph.ways[other].items():
                if third != token and token in graph.ways[third]:
                    yield from _products(out, between, graph.ways[third][token])


def _products(one: Iterable[Step], two: Iterable[Step], three: Iterable[Step]) -> Iterator[tuple[Step, ...]]:
    return ((first, second, last) for first in one for second in two for last in three)
