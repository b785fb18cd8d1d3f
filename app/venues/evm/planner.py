"""The best way to swap now, as one transaction of ours: pools at the newest block, the route or split that leaves most
after gas, and bounds that no execution can break.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from app.errors import VenueRefused
from app.venues.evm.chain import Chain, DexKind, Token
from app.venues.evm.fees import FeeRules, read_market
from app.venues.evm.pools.quotes import PathQuote, path_of, quote_in, quote_out
from app.venues.evm.pools.reader import PoolReader
from app.venues.evm.pools.reads import Found, found_of
from app.venues.evm.pools.state import At, Pool, Pools
from app.venues.evm.pools.v2 import V2Pool
from app.venues.evm.routing.carry import carriage, kind_of
from app.venues.evm.routing.gas import GasPrice
from app.venues.evm.routing.graph import Graph, Step
from app.venues.evm.routing.routers import paid_in, pools_of, with_routers
from app.venues.evm.rpc import Rpc
from app.venues.evm.shares import Share, gas_in, parts_of, shares_in, shares_out
from app.venues.evm.swap import Exact, Part, RouterKind, Segment, Swap
from app.venues.evm.taxed import Taxes, best_taxed, enough_for

_WHOLE: Final = 10_000
_REACHES: Final = ((7_000, 40), (30_000, 10))
"""Where a quote would need liquidity that was not read: how far from the price it is read (ticks: 7,000 are twice or
half the price, 30,000 twenty times), and of how many pools at most. The second only where there is no way otherwise."""
_RULES: Final = FeeRules()


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
        unread: pools that were left out, as their liquidity was not read far enough for this amount.
        amount_in, amount_out: their sums.
    """

    swap: Swap
    at: At
    quotes: tuple[PathQuote, ...]
    unread: int = 0

    @property
    def amount_in(self) -> int:
        """Base units, quoted."""
        return sum(quote.amount_in for quote in self.quotes)

    @property
    def amount_out(self) -> int:
        """Base units, quoted."""
        return sum(quote.received for quote in self.quotes)


class Planner:
    """Of one chain.

    Args:
        known: the number of the newest block that something of ours is booked of: no plan is made on an older one.
    """

    def __init__(self, chain: Chain, rpc: Rpc, known: Callable[[], int] = lambda: 0) -> None:
        self._chain, self._rpc, self._known = chain, rpc, known
        self._reader = PoolReader(chain, rpc)
        self._pools: Pools | None = None
        self._reading = asyncio.Lock()  # two at once would read the same, and the one of an older block might end last
        self.taxes = Taxes(rpc)
        self._young: tuple[Found, ...] = ()
        """Pools that were made since, and did not answer as pools so far."""

    def know(self, found: Found) -> None:
        """A pool between two of the chain's tokens was made; it is used as soon as it answers as one. Also one that was
        made before, in a block that was undone."""
        there = {} if self._pools is None else self._pools.pools
        if found.address not in there and all(each.address != found.address for each in self._young):
            self._young = (*self._young, found)

    @property
    def chain(self) -> Chain:
        """The chain; once its pools were read, with all routers that swap in them."""
        return self._chain

    async def pools(self) -> Pools:
        """All pools between the chain's tokens, at the newest block.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        async with self._reading:
            at = await self.head()
            if self._pools is None:
                self._chain = await with_routers(self._chain, self._rpc, at)
                tokens = dict.fromkeys(token.address for token in (self._chain.native, *self._chain.tokens))
                self._pools = await self._reader.read(await self._reader.discover(list(tokens), at), at)
            else:
                before, self._pools = self._pools, (await self._reader.advance(self._pools, at)).pools
                lost = (each for key, each in before.pools.items() if key not in self._pools.pools)
                self._young = (*self._young, *map(found_of, lost))  # not made yet, by a node that is a block behind
            if self._young:
                read = (await self._reader.read(self._young, at)).pools
                self._young = tuple(each for each in self._young if each.address not in read)
                self._pools = self._pools.merged(read.values())
            return self._pools

    async def newest(self) -> At:
        """The newest block that whoever is asked has.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        return await self._reader.head()

    async def head(self) -> At:
        """The newest block.

        Raises:
            RpcDown, RpcRefused: no node told, or none that answers has the block that something of ours is booked of.
        """
        return await self._reader.head(self._known())

    async def plan(self, wanted: Wanted, price: GasPrice | None = None) -> Plan:
        """The best way for `wanted` at the newest block.

        Args:
            price: of gas, in the token whose amount is not exact; None asks the chain's fees and its pools.

        Raises:
            VenueRefused: there is no way, or the best is beyond the limit.
            RpcDown, RpcRefused: no node told.
        """
        if self.taxes.of((wanted.pays.address, wanted.gets.address)):
            return await self._taxed(wanted)
        pools, shares = await self._loaded(wanted, price)
        if not shares:
            raise _no_route(wanted, pools, self._chain)
        ends = wanted.pays.address
        quotes = tuple(_quote(pools, steps, ends, amount, wanted.exact) for steps, amount in shares)
        swap = self._swap(pools, wanted, [steps for steps, _ in shares], quotes)
        if swap.kind is RouterKind.UNIVERSAL and swap.exact is Exact.OUT:
            quotes = tuple(_all_of(quote) for quote in quotes)
        return Plan(swap, pools.at, quotes, len(pools.short(_REACHES[0][0])))

    async def _loaded(self, wanted: Wanted, price: GasPrice | None) -> tuple[Pools, list[Share]]:
        """The routes for `wanted`, with the pools read as far as those need it."""
        pools = await self.pools()
        # Quotes that others asked for before may have gone further than any of these does.
        pools = pools.afresh()
        ends = (wanted.pays.address, wanted.gets.address)
        if price is None:
            market = await read_market(self._rpc, self._chain, _RULES)
            other = wanted.gets if wanted.exact is Exact.IN else wanted.pays
            price = gas_in(Graph.of(pools.pools), self._chain.native, other.address, market.now)
        find = shares_in if wanted.exact is Exact.IN else shares_out
        chain = paid_in(self._chain, wanted.pays)
        shares = find(chain, self._usable(chain, pools, ends), ends, wanted.amount, price)
        for reach, most in _REACHES:
            short = pools.short(reach)[:most]
            if short and not (shares and reach > _REACHES[0][0]):
                pools = await self._reader.reach(pools, short, reach)
                if self._pools is not None and self._pools.at == pools.at:
                    self._pools = self._pools.merged(pools.pools.values())
                shares = find(chain, self._usable(chain, pools, ends), ends, wanted.amount, price)
        return pools, shares

    def _usable(self, chain: Chain, pools: Pools, ends: tuple[bytes, bytes]) -> dict[bytes, Pool]:
        return pools_of(chain, self.taxes.without(pools.pools, ends))

    async def learn(self, plan: Plan) -> bool:
        """A simulation contradicts `plan`: measure what the tokens on its way take of their transfers. Whether one
        takes something that was not known to, so that another plan is worth its while.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        pools = await self.pools()
        hops = [hop for quote in plan.quotes for hop in quote.hops]
        tokens = dict.fromkeys(token for hop in hops for token in (hop.token_in, hop.token_out))
        return await self.taxes.learn([each for each in tokens if each != self._chain.native.address], pools)

    async def _taxed(self, wanted: Wanted) -> Plan:
        """With a token that takes a share of each transfer: what is paid is exact, and what is received is at least
        what is wanted. By a Router02 that is allowed to take it itself, whatever the chain's settings say of Permit2.

        Raises:
            VenueRefused: there is no way, or the best is beyond the limit.
            RpcDown, RpcRefused: no node told.
        """
        pools, ends = await self.pools(), (wanted.pays.address, wanted.gets.address)
        await self.taxes.learn(self.taxes.of(ends), pools)
        taxes, usable = self.taxes.of(ends), self.taxes.without(pools.pools, ends)
        if not taxes:
            return await self.plan(wanted)  # its owner takes nothing any more
        amount, least, slip = wanted.amount, wanted.limit, wanted.slippage_bps
        if wanted.exact is Exact.OUT:
            needed = enough_for(self._chain, usable, ends, wanted.amount, wanted.limit, taxes)
            if needed is None:
                limit = wanted.pays.text(wanted.limit)
                what = f"{limit} {wanted.pays.symbol} do not bring it, less what its token takes of each transfer."
                raise VenueRefused("chain.price", what)
            amount, least = min(wanted.limit, needed * (_WHOLE + slip) // _WHOLE), wanted.amount
        found = best_taxed(self._chain, usable, ends, amount, taxes)
        if found is None:
            raise _no_route(wanted, pools, self._chain)
        dex, steps, quote = found
        if quote.received < least:
            raise _beyond(wanted.gets, "brings", quote.received, "at least", least)
        if wanted.exact is Exact.IN:
            least = max(least, -(-quote.received * (_WHOLE - slip) // _WHOLE))
        part = Part(segments_of(pools, steps, ends[0]), amount, least)
        coins = (wanted.pays.native, wanted.gets.native)
        recipient, deadline = wanted.recipient, wanted.deadline
        swap = Swap(dex.router, RouterKind.V2, Exact.IN, (part,), recipient, deadline, *coins, taxed=True)
        return Plan(swap, pools.at, (quote,))

    def _swap(
        self, pools: Pools, wanted: Wanted, routes: Sequence[tuple[Step, ...]], quotes: Sequence[PathQuote]
    ) -> Swap:
        chain = paid_in(self._chain, wanted.pays)
        router = carriage(chain, pools.pools, routes).router
        assert router is not None
        bounds = _bounds(wanted, quotes)
        return Swap(
            router=router,
            kind=kind_of(chain, router),
            exact=wanted.exact,
            parts=tuple(
                Part(segments_of(pools, steps, wanted.pays.address), *bound)
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


def _all_of(quote: PathQuote) -> PathQuote:
    """What a universal router makes of an exact-out quote: it reckons what a V2 route takes, rounded up, and then swaps
    all of that, which brings a little more than was asked for."""
    return quote_in(quote.hops, quote.amount_in) if isinstance(quote.hops[0].pool, V2Pool) else quote


def segments_of(pools: Pools, steps: tuple[Step, ...], pays: bytes) -> tuple[Segment, ...]:
    """Neighbouring pools of one kind together."""
    hops, made = path_of([pools.pools[address] for address, _ in steps], pays), []
    for v2, group in groupby(hops, key=lambda hop: isinstance(hop.pool, V2Pool)):
        same = list(group)
        tokens = (same[0].token_in, *(hop.token_out for hop in same))
        fees = () if v2 else tuple(hop.pool.fee_ppm for hop in same)
        made.append(Segment(DexKind.V2 if v2 else DexKind.V3, tokens, fees))
    return tuple(made)


def _bounds(wanted: Wanted, quotes: Sequence[PathQuote]) -> list[tuple[int, int]]:
    """Paid and received of each route: one exact, the other the bound, of which each route carries its share, so that
    together they keep all of it.

    Raises:
        VenueRefused: the quotes are beyond the limit.
    """
    slip, ins, outs = wanted.slippage_bps, [each.amount_in for each in quotes], [each.received for each in quotes]
    if wanted.exact is Exact.OUT:
        if sum(ins) > wanted.limit:
            raise _beyond(wanted.pays, "costs", sum(ins), "at most", wanted.limit)
        most = min(wanted.limit, sum(ins) * (_WHOLE + slip) // _WHOLE)
        return list(zip(parts_of(most, ins), outs, strict=True))
    if sum(outs) < wanted.limit:
        raise _beyond(wanted.gets, "brings", sum(outs), "at least", wanted.limit)
    least = max(wanted.limit, -(-sum(outs) * (_WHOLE - slip) // _WHOLE))
    return list(zip(ins, parts_of(least, outs), strict=True))


def _no_route(wanted: Wanted, pools: Pools, chain: Chain) -> VenueRefused:
    what = f"No pools lead from {wanted.pays.symbol} to {wanted.gets.symbol} for this amount."
    if paid_in(chain, wanted.pays).dexes != chain.dexes:
        what += " What is paid through Permit2 goes by exchanges with a universal router alone."
    short = len(pools.short(None))
    if short:
        what += f" Of {short} pools the liquidity was not read further than they would have to be traded."
    return VenueRefused("chain.no_route", what, next_step="Try a smaller amount.")


def _beyond(token: Token, does: str, quoted: int, bound: str, limit: int) -> VenueRefused:
    quoted_text, limit_text = token.text(quoted), token.text(limit)
    return VenueRefused(
        "chain.price", f"It {does} {quoted_text} {token.symbol} now; the trade allows {bound} {limit_text}."
    )
