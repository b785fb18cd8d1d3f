"""Which routes one transaction takes for a trade, and how much of it goes by each: the best that a router carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from app.venues.evm.chain import Chain, DexKind, Token
from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.state import Pool
from app.venues.evm.pools.v2 import V2Pool
from app.venues.evm.routing.best import best_in, best_out, routes_in
from app.venues.evm.routing.carry import carriage
from app.venues.evm.routing.gas import FREE, GasPrice
from app.venues.evm.routing.graph import Graph, Step
from app.venues.evm.routing.split import Split, best_split, best_split_out
from app.venues.evm.routing.trades import Hops

Share: TypeAlias = tuple[tuple[Step, ...], int]
"""A route, and what of the exact amount goes by it."""
_TRIES: Final = 8
_SWAP_GAS: Final = 250_000
"""Units whose worth is looked up: about what a swap takes, so that the price is one at which that much is had."""


def gas_in(graph: Graph, coin: Token, token: bytes, wei_per_gas: int) -> GasPrice:
    """What gas costs in a token, by the pools' own price of the coin; nothing where no pool leads to the token."""
    if token == coin.address:
        return GasPrice(wei_per_gas)
    # Far less would be rounded away in a token of few decimals.
    amount = max(wei_per_gas * _SWAP_GAS, coin.base_units(coin.unit.scaleb(coin.decimals - 4)))
    found = best_in(graph, coin.address, token, amount)
    return FREE if found is None else GasPrice.of(wei_per_gas, found.amount_out, amount)


def shares_in(
    chain: Chain, pools: Mapping[bytes, Pool], ends: tuple[bytes, bytes], amount: int, price: GasPrice
) -> list[Share]:
    """For exactly `amount` in; `price` is of gas in what is received. Empty where there is no way."""
    graph = Graph.of(pools)
    split = best_split(graph, *ends, amount, price)
    if split is not None and _carried(chain, pools, split):
        return _in(split)
    # The best of all takes more than one transaction: the best that takes one.
    splits = [best_split(Graph.of(each), *ends, amount, price) for _, each in _many(chain, pools)]
    found = [each for each in splits if each is not None and _carried(chain, pools, each)]
    best = max(found, key=lambda each: each.net, default=None)
    singles = (each for each in routes_in(graph, *ends, amount, price) if carriage(chain, pools, [each.steps]).atomic)
    single = next(singles, None)
    if single is not None and (best is None or single.net >= best.net):
        return [(single.steps, amount)]
    return [] if best is None else _in(best)


def shares_out(
    chain: Chain, pools: Mapping[bytes, Pool], ends: tuple[bytes, bytes], amount: int, price: GasPrice
) -> list[Share]:
    """For exactly `amount` out; `price` is of gas in what is paid. Empty where there is no way.

    Between V2 and V3 a router hands on what it has, which is exact in what goes in and never in what comes out: each
    route keeps to pools of one kind. Several are SwapRouter02's; a Router02 takes one.
    """
    found: list[tuple[int, list[Share]]] = []
    for dex in chain.dexes:
        if dex.kind is DexKind.V2:
            own = {address: pool for address, pool in pools.items() if pool.dex == dex.name}
            route = best_out(Graph.of(own), *ends, amount, price)
            if route is not None:
                found.append((route.net, [(route.steps, amount)]))
    for _, served in _many(chain, pools):
        kinds: tuple[dict[bytes, Pool], dict[bytes, Pool]] = ({}, {})
        for address, pool in served.items():
            kinds[isinstance(pool, V2Pool)][address] = pool
        for graphs in (kinds, kinds[:1]):  # V3 alone where with V2 it can not be exact
            split = best_split_out([Graph.of(each) for each in graphs if each], *ends, amount, price)
            shares = [] if split is None else _whole(pools, split)
            if split is not None and shares:
                found.append((split.net, shares))
                break
    return max(found, key=lambda each: each[0], default=(0, []))[1]


def _whole(pools: Mapping[bytes, Pool], split: Split) -> list[Share]:
    """Shares of which exactly the whole arrives; empty where that can not be.

    SwapRouter02 reckons what a V2 route takes, rounded up, and then swaps all of that (V2SwapRouter._swap), which
    brings a little more than was asked for where a unit of what is paid is worth many of what is received. So V2 routes
    are asked for what their last unit brings, and the largest V3 route, which is exact, for what is left.
    """
    shares = {route.steps: route.amount_out for route in split.routes}
    exact = [steps for steps in shares if not isinstance(pools[steps[0][0]], V2Pool)]
    if len(shares) > 1 and not exact:
        return []
    if exact:
        for steps in [each for each in shares if each not in exact]:
            snapped = _snapped([(pools[address], zero_for_one) for address, zero_for_one in steps], shares[steps])
            if snapped is None:
                return []
            shares[steps] = snapped
        shares[exact[0]] += split.amount_out - sum(shares.values())
    return list(shares.items()) if min(shares.values()) > 0 else []


def _snapped(hops: Hops, amount: int) -> int | None:
    """The least from `amount` on that is just what its price brings; None where none is found soon."""
    try:
        for _ in range(_TRIES):
            now = amount
            for pool, zero_for_one in reversed(hops):
                now = pool.exact_out(zero_for_one, now)
            for pool, zero_for_one in hops:
                now = pool.exact_in(zero_for_one, now)
            if now == amount:
                return amount
            amount = now
    except NoQuote:
        pass
    return None


def _in(split: Split) -> list[Share]:
    return [(route.steps, route.amount_in) for route in split.routes]


def _carried(chain: Chain, pools: Mapping[bytes, Pool], split: Split) -> bool:
    return carriage(chain, pools, [route.steps for route in split.routes]).atomic


def _many(chain: Chain, pools: Mapping[bytes, Pool]) -> Iterator[tuple[bytes, dict[bytes, Pool]]]:
    """Each router that takes several routes at once, and the pools that it swaps in."""
    for router in dict.fromkeys(dex.router for dex in chain.dexes if dex.kind is DexKind.V3):
        names = {dex.name for dex in chain.dexes if router in dex.routers}
        yield router, {address: pool for address, pool in pools.items() if pool.dex in names}


def parts_of(bound: int, quoted: Sequence[int]) -> list[int]:
    """A bound on the sum of `quoted`, shared out in proportion: none of its parts is on the wrong side of its own."""
    total = sum(quoted)
    shares = [bound * each // total for each in quoted]
    for i, each in enumerate(quoted):
        # What rounding left over goes where there is room for it.
        rest = bound - sum(shares)
        shares[i] += rest if bound > total else min(rest, each - shares[i])
    return shares
