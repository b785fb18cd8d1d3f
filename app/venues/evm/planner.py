"""The best way to swap now, as one transaction of ours: pools at the newest block, the route or split that leaves most
after gas, and bounds that no execution can break.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from app.errors import VenueRefused
from app.venues.evm.chain import Chain, DexKind, Token
from app.venues.evm.pools.quotes import PathQuote, path_of, quote_in, quote_out
from app.venues.evm.pools.reader import PoolReader
from app.venues.evm.pools.reads import Found
from app.venues.evm.pools.state import At, Pool, Pools
from app.venues.evm.pools.v2 import V2Pool
from app.venues.evm.routing.best import best_out, routes_in
from app.venues.evm.routing.carry import carriage
from app.venues.evm.routing.gas import FREE, GasPrice
from app.venues.evm.routing.graph import Graph, Step
from app.venues.evm.routing.split import best_split
from app.venues.evm.rpc import Rpc
from app.venues.evm.swap import Exact, Part, RouterKind, Segment, Swap

_WHOLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A swap that is wanted.

    Attributes:
        amount: base units: exactly what is paid (`Exact.IN`), or received (`Exact.OUT`).
        limit: the least that may be received, or the most that may be paid, whatever the quote says.
        slippage_bps: of the quote; the bound is the tighter of both.
        deadline: seconds since 1970 UTC.
    """

    pays: Token
    gets: Token
    exact: Exact
    amount: int
    limit: int
    slippage_bps: int
    recipient: bytes
    deadline: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How to swap.

    Attributes:
        quotes: of each route, at `at`; what the swap would come to if nothing else happened first.
        amount_in, amount_out: their sums.
    """

    swap: Swap
    at: At
    quotes: tuple[PathQuote, ...]

    @property
    def amount_in(self) -> int:
        """Base units, quoted."""
        return sum(quote.amount_in for quote in self.quotes)

    @property
    def amount_out(self) -> int:
        """Base units, quoted."""
        return sum(quote.received for quote in self.quotes)


class Planner:
    """Of one chain."""

    def __init__(self, chain: Chain, rpc: Rpc) -> None:
        self._chain = chain
        self._reader = PoolReader(chain, rpc)
        self._found: tuple[Found, ...] | None = None
        self._pools: Pools | None = None

    async def pools(self) -> Pools:
        """All pools between the chain's tokens, at the newest block.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        at = await self._reader.head()
        if self._found is None:
            tokens = dict.fromkeys(token.address for token in (self._chain.native, *self._chain.tokens))
            self._found = await self._reader.discover(list(tokens), at)
        if self._pools is None:
            self._pools = await self._reader.read(self._found, at)
        else:
            self._pools = (await self._reader.advance(self._pools, at)).pools
        return self._pools

    async def head(self) -> At:
        """The newest block.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        return await self._reader.head()

    async def plan(self, wanted: Wanted, price: GasPrice = FREE) -> Plan:
        """The best way for `wanted` at the newest block.

        Raises:
            VenueRefused: there is no way, or the best is beyond the limit.
            RpcDown, RpcRefused: no node told.
        """
        pools = await self.pools()
        ends = (wanted.pays.address, wanted.gets.address)
        graph = Graph.of(pools.pools)
        if wanted.exact is Exact.OUT:
            shares = self._exact_out(pools, ends, wanted.amount, price)
        else:
            shares = self._shares(pools, graph, ends, wanted.amount, price)
        if not shares:
            what = f"No pools lead from {wanted.pays.symbol} to {wanted.gets.symbol} for this amount."
            raise VenueRefused("chain.no_route", what, next_step="Try a smaller amount.")
        quotes = tuple(_quote(pools, steps, ends[0], amount, wanted.exact) for steps, amount in shares)
        return Plan(self._swap(pools, wanted, [steps for steps, _ in shares], quotes), pools.at, quotes)

    def _shares(
        self, pools: Pools, graph: Graph, ends: tuple[bytes, bytes], amount: int, price: GasPrice
    ) -> list[tuple[tuple[Step, ...], int]]:
        """Routes that one transaction carries, and what goes into each."""
        split = best_split(graph, *ends, amount, price)
        if split is not None and self._carried(pools, [route.steps for route in split.routes]):
            return [(route.steps, route.amount_in) for route in split.routes]
        single = (route.steps for route in routes_in(graph, *ends, amount, price))
        return [(steps, amount) for steps in single if self._carried(pools, [steps])][:1]

    def _exact_out(
        self, pools: Pools, ends: tuple[bytes, bytes], amount: int, price: GasPrice
    ) -> list[tuple[tuple[Step, ...], int]]:
        """The cheapest route for exactly `amount` out. Between V2 and V3 a router hands on what it has, which is exact
        in what goes in and never in what comes out; so each router's pools of one kind are searched by themselves."""
        routers = {dex.name: (dex.router, dex.kind) for dex in self._chain.dexes}
        groups: dict[tuple[bytes, DexKind], dict[bytes, Pool]] = {}
        for address, pool in pools.pools.items():
            groups.setdefault(routers[pool.dex], {})[address] = pool
        found = [best_out(Graph.of(group), *ends, amount, price) for _, group in sorted(groups.items())]
        best = max((route for route in found if route is not None), key=lambda route: route.net, default=None)
        return [] if best is None else [(best.steps, amount)]

    def _carried(self, pools: Pools, routes: Sequence[tuple[Step, ...]]) -> bool:
        return carriage(self._chain, pools.pools, routes).atomic

    def _swap(
        self, pools: Pools, wanted: Wanted, routes: Sequence[tuple[Step, ...]], quotes: Sequence[PathQuote]
    ) -> Swap:
        router = carriage(self._chain, pools.pools, routes).router
        assert router is not None
        many = any(dex.router == router for dex in self._chain.dexes if dex.kind is DexKind.V3)
        bounds = _bounds(wanted, quotes)
        return Swap(
            router=router,
            kind=RouterKind.MANY if many else RouterKind.V2,
            exact=wanted.exact,
            parts=tuple(
                Part(_segments(pools, steps, wanted.pays.address), *bound)
                for steps, bound in zip(routes, bounds, strict=True)
            ),
            recipient=wanted.recipient,
            deadline=wanted.deadline,
            coin_in=wanted.pays.native,
            coin_out=wanted.gets.native,
        )


def _quote(pools: Pools, steps: tuple[Step, ...], pays: bytes, amount: int, exact: Exact) -> PathQuote:
    hops = path_of([pools.pools[address] for address, _ in steps], pays)
    return quote_in(hops, amount) if exact is Exact.IN else quote_out(hops, amount)


def _segments(pools: Pools, steps: tuple[Step, ...], pays: bytes) -> tuple[Segment, ...]:
    """Neighbouring pools of one kind together."""
    hops, made = path_of([pools.pools[address] for address, _ in steps], pays), []
    for v2, group in groupby(hops, key=lambda hop: isinstance(hop.pool, V2Pool)):
        same = list(group)
        tokens = (same[0].token_in, *(hop.token_out for hop in same))
        fees = () if v2 else tuple(hop.pool.fee_ppm for hop in same)
        made.append(Segment(DexKind.V2 if v2 else DexKind.V3, tokens, fees))
    return tuple(made)


def _bounds(wanted: Wanted, quotes: Sequence[PathQuote]) -> list[tuple[int, int]]:
    """Paid and received of each route: one exact, the other the bound.

    Raises:
        VenueRefused: the quotes are beyond the limit.
    """
    slip = wanted.slippage_bps
    if wanted.exact is Exact.OUT:
        (quote,) = quotes
        most = min(wanted.limit, quote.amount_in * (_WHOLE + slip) // _WHOLE)
        if quote.amount_in > wanted.limit:
            raise _beyond(wanted.pays, "costs", quote.amount_in, "at most", wanted.limit)
        return [(most, wanted.amount)]
    total = sum(quote.received for quote in quotes)
    if total < wanted.limit:
        raise _beyond(wanted.gets, "brings", total, "at least", wanted.limit)
    least = max(wanted.limit, -(-total * (_WHOLE - slip) // _WHOLE))
    # Each route carries its share of the bound, so that together they keep all of it.
    shares = [least * quote.received // total for quote in quotes]
    shares[0] += least - sum(shares)
    return [(quote.amount_in, share) for quote, share in zip(quotes, shares, strict=True)]


def _beyond(token: Token, does: str, quoted: int, bound: str, limit: int) -> VenueRefused:
    quoted_text, limit_text = token.text(quoted), token.text(limit)
    return VenueRefused(
        "chain.price", f"It {does} {quoted_text} {token.symbol} now; the trade allows {bound} {limit_text}."
    )
