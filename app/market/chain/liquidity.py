"""The pools in which liquidity can be provided, after a block: what a strategy needs to know of them, and what we have
in them. Pure; statistics, so floats come out, and nothing of them is an amount."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from app.market.chain.cycles import gas_price
from app.market.chain.logs import Entry, flows
from app.portfolio.stakes import Stake
from app.venues.evm.chain import Chain, Token
from app.venues.evm.liquidity.position import Held
from app.venues.evm.liquidity.ranges import Sides
from app.venues.evm.pools.state import Pools
from app.venues.evm.pools.v3 import V3Pool
from app.venues.evm.routing.gas import GasPrice
from app.venues.evm.routing.graph import Graph
from strategies.chain_messages import HeldRange, LiquidityState
from strategies.model import Instrument

OPENING_GAS: Final = 520_000
ENDING_GAS: Final = 330_000
COLLECTING_GAS: Final = 190_000
"""What each act uses, approvals not counted: estimates. tests/evm/test_sources.py measures the first two and fails
where they are too low. What a transaction may use is decided by its own estimate."""


@dataclass(frozen=True, slots=True)
class Ours:
    """What of it is the account's.

    Attributes:
        held: positions by name.
        stakes: of the ledger.
        free: what may be put in, by our symbol of an asset.
    """

    held: Mapping[str, Held]
    stakes: Iterable[Stake]
    free: Callable[[str], Decimal]


def volumes(pools: Pools, swaps: Iterable[Entry]) -> dict[bytes, tuple[int, int]]:
    """What was traded in each pool, of token0 and token1, whichever way."""
    found: dict[bytes, tuple[int, int]] = {}
    for entry in swaps:
        pool = pools.pools.get(entry.log.address)
        flow = None if pool is None else flows(pool, entry.log)
        if flow is not None:
            zero, one = found.get(entry.log.address, (0, 0))
            found[entry.log.address] = (zero + abs(flow[0]), one + abs(flow[1]))
    return found


def states(
    chain: Chain,
    instruments: Sequence[Instrument],
    pools: Pools,
    traded: Mapping[bytes, tuple[int, int]],
    wei_per_gas: int,
    ours: Ours,
) -> list[LiquidityState]:
    """By instrument, then by the pool's address."""
    managed = {dex.name for dex in chain.dexes if dex.positions is not None}
    graph, owners = Graph.of(pools.pools), {stake.position: stake.module for stake in ours.stakes}
    found = []
    for instrument in sorted(instruments, key=lambda each: each.symbol):
        base, quote = chain.token(instrument.base), chain.token(instrument.quote)
        if base is None or quote is None:
            continue
        price = gas_price(graph, chain, quote, wei_per_gas)
        for address in sorted(pools.pools) if price is not None else ():
            pool = pools.pools[address]
            if not isinstance(pool, V3Pool) or pool.dex not in managed or not pool.price:
                continue
            if {pool.token0, pool.token1} != {base.address, quote.address}:
                continue
            assert price is not None
            found.append(_state(instrument, Sides(base, quote), pools.at.number, pool, price, traded, ours, owners))
    return found


def _state(
    instrument: Instrument,
    sides: Sides,
    block: int,
    pool: V3Pool,
    price: GasPrice,
    traded: Mapping[bytes, tuple[int, int]],
    ours: Ours,
    owners: Mapping[str, str],
) -> LiquidityState:
    quote = sides.quote
    held = ((name, each) for name, each in sorted(ours.held.items()) if each.pool == pool.address)
    return LiquidityState(
        symbol=instrument.symbol,
        block=block,
        pool=f"0x{pool.address.hex()}",
        dex=pool.dex,
        fee_ppm=pool.fee_ppm,
        price=float(sides.price(pool.price)),
        liquidity=_liquidity(pool.liquidity, sides),
        volume=_whole(quote, sides.ordered(*traded.get(pool.address, (0, 0)))[1]),
        opening=_whole(quote, price.cost(OPENING_GAS)),
        ending=_whole(quote, price.cost(ENDING_GAS)),
        collecting=_whole(quote, price.cost(COLLECTING_GAS)),
        base=ours.free(instrument.base),
        quote=ours.free(instrument.quote),
        base_unit=sides.base.unit,
        quote_unit=quote.unit,
        held=tuple(_held(name, each, sides, owners) for name, each in held),
    )


def _held(name: str, held: Held, sides: Sides, owners: Mapping[str, str]) -> HeldRange:
    lower, upper = sides.prices(held.position.lower, held.position.upper)
    return HeldRange(
        position=name,
        module=owners.get(name, ""),
        lower=float(lower),
        upper=float(upper),
        liquidity=_liquidity(held.liquidity, sides),
        in_range=held.in_range,
        fees=float(sides.value(held.fees0, held.fees1, held.root)),
    )


def _liquidity(number: int, sides: Sides) -> float:
    return float(Fraction(number)) / math.pow(10.0, (sides.base.decimals + sides.quote.decimals) / 2.0)


def _whole(token: Token, amount: int) -> float:
    return float(Fraction(amount, 10**token.decimals))
