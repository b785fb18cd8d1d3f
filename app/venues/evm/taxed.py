"""Swaps of tokens that take a share of each transfer: by Router02's functions for such tokens, exact in what is paid.

Nobody asks a token for its tax until a simulation contradicts a plan: then it is measured
(`app.venues.evm.pools.taxes`), remembered, and measured anew for each further plan, as its owner may change it. A route
goes through no taxed token but those that are traded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.venues.evm.chain import Chain, Dex, DexKind
from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.quotes import PathQuote, path_of, quote_in
from app.venues.evm.pools.state import Pool, Pools
from app.venues.evm.pools.tax import Tax
from app.venues.evm.pools.taxes import measure
from app.venues.evm.routing.best import best_out, routes_in
from app.venues.evm.routing.gas import GasPrice
from app.venues.evm.routing.graph import Graph, Step
from app.venues.evm.rpc import Rpc

_WHOLE: Final = 10_000
_DEAREST: Final = 4
"""Times what a purchase costs without tax: one that takes more than three quarters has no price."""
_TRIES: Final = 8
"""Routes of each exchange that are quoted with the tax; they were ranked without it."""


class Taxes:
    """Of one chain's tokens."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self.known: dict[bytes, Tax] = {}
        """Those that take something."""

    async def learn(self, tokens: Iterable[bytes], pools: Pools) -> bool:
        """Measure tokens; whether one takes something that was not known to.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        found = False
        for token in tokens:
            there = [pool.address for pool in pools.pools.values() if token in {pool.token0, pool.token1}]
            tax = None
            for pool in there:
                if (tax := await measure(self._rpc, token, pool, pools.at)) is not None:
                    break
            if tax is not None and not tax.free:
                found = found or token not in self.known
                self.known[token] = tax
            elif tax is not None:
                self.known.pop(token, None)
        return found

    def of(self, ends: tuple[bytes, bytes]) -> Mapping[bytes, Tax]:
        """What is known of what is traded."""
        return {token: self.known[token] for token in ends if token in self.known}

    def market(self, chain: Chain, pools: Pools, base: bytes, quote: bytes) -> TaxedMarket | None:
        """How two tokens trade against one another where one of them takes something; None where none does."""
        ends = (base, quote)
        taxes = self.of(ends)
        return TaxedMarket(chain, self.without(pools.pools, ends), base, quote, taxes) if taxes else None

    def without(self, pools: Mapping[bytes, Pool], ends: tuple[bytes, bytes]) -> dict[bytes, Pool]:
        """Pools that lead through no taxed token but `ends`."""
        shunned = self.known.keys() - set(ends)
        return {name: pool for name, pool in pools.items() if not {pool.token0, pool.token1} & shunned}


def best_taxed(
    chain: Chain, pools: Mapping[bytes, Pool], ends: tuple[bytes, bytes], amount: int, taxes: Mapping[bytes, Tax]
) -> tuple[Dex, tuple[Step, ...], PathQuote] | None:
    """The route through one V2 exchange's own pairs that brings most for exactly `amount`; None where none does."""
    found = max(_quoted(chain, pools, ends, amount, taxes), key=lambda each: each[2].received, default=None)
    return found if found is not None and found[2].received > 0 else None


def _quoted(
    chain: Chain, pools: Mapping[bytes, Pool], ends: tuple[bytes, bytes], amount: int, taxes: Mapping[bytes, Tax]
) -> Iterator[tuple[Dex, tuple[Step, ...], PathQuote]]:
    for dex in (each for each in chain.dexes if each.kind is DexKind.V2):
        graph = Graph.of({name: pool for name, pool in pools.items() if pool.dex == dex.name})
        for route in routes_in(graph, *ends, amount, GasPrice(0))[:_TRIES]:
            try:
                quote = quote_in(path_of([pools[name] for name, _ in route.steps], ends[0]), amount, taxes)
            except NoQuote:
                continue
            yield dex, route.steps, quote


def enough_for(
    chain: Chain,
    pools: Mapping[bytes, Pool],
    ends: tuple[bytes, bytes],
    amount: int,
    most: int,
    taxes: Mapping[bytes, Tax],
) -> int | None:
    """The least that is paid to receive `amount` by the route that brings most for `most`; None where that does not
    bring it."""
    found = best_taxed(chain, pools, ends, most, taxes)
    if found is None or found[2].received < amount:
        return None
    hops = path_of([pools[name] for name, _ in found[1]], ends[0])
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        try:
            enough = quote_in(hops, middle, taxes).received >= amount
        except NoQuote:
            enough = False
        low, high = (low, middle) if enough else (middle, high)
    return high


@dataclass(frozen=True, slots=True)
class TaxedMarket:
    """A market between two tokens, one of which takes a share of each transfer.

    Attributes:
        pools: that may be gone through.
    """

    chain: Chain
    pools: Mapping[bytes, Pool]
    base: bytes
    quote: bytes
    taxes: Mapping[bytes, Tax]

    def sold(self, amount: int) -> int | None:
        """Quote units for exactly `amount` of base."""
        found = best_taxed(self.chain, self.pools, (self.base, self.quote), amount, self.taxes)
        return None if found is None else found[2].received

    def bought(self, amount: int) -> int | None:
        """Quote units for `amount` of base at least."""
        free = best_out(Graph.of(self.pools), self.quote, self.base, amount)
        if free is None:
            return None
        ends, most = (self.quote, self.base), free.amount_in * _DEAREST
        return enough_for(self.chain, self.pools, ends, amount, most, self.taxes)
