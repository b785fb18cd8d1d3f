"""Which cycles pay, block by block, and how long each has: for each asset that the session can pay with, the cycles
through pools that changed are looked at again. Pure.

Only what one router carries in one transaction is told: in several it could end halfway. Gas is at the price of the
block. What a rollup charges for its data is left out, and a token that taxes its transfers makes a cycle look better
than it is: both are found when the transaction is simulated before anybody is asked to sign it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from app.market.chain.whales import Rate
from app.venues.evm.chain import Chain, Token
from app.venues.evm.pools.state import Pool, Pools
from app.venues.evm.routing.carry import carrier
from app.venues.evm.routing.cycles import CycleFinder
from app.venues.evm.routing.cycles import Opportunity as Cycle
from app.venues.evm.routing.gas import GasPrice
from app.venues.evm.routing.graph import Graph
from app.venues.evm.shares import gas_in
from strategies.chain_messages import Opportunity, OpportunityEnded
from strategies.model import Instrument

MOST_TOLD: Final = 5
"""Cycles of one asset after one block, the best first."""


@dataclass(frozen=True, slots=True)
class Asset:
    """What cycles begin and end with, and the instrument that they are told under."""

    token: Token
    symbol: str


def assets(chain: Chain, instruments: Sequence[Instrument]) -> tuple[Asset, ...]:
    """Every quote asset, and the coin where an instrument has it as its base: what an account pays with. Each under
    the first of its instruments; of two for the same pools (the coin and its wrapped form) the coin."""
    found: dict[bytes, Asset] = {}
    ordered = sorted(instruments, key=lambda each: each.symbol)
    for side in ("quote", "base"):
        for instrument in ordered:
            token = chain.token(getattr(instrument, side))
            if token is None or (side == "base" and not token.native):
                continue
            there = found.get(token.address)
            if there is None or (token.native and not there.token.native):
                found[token.address] = Asset(token, instrument.symbol)
    return tuple(sorted(found.values(), key=lambda each: each.token.symbol))


class Cycles:
    """Of one chain. Not for several threads.

    Args:
        chain: may be set again: which routers swap in which pools is learned as pools are read.
    """

    def __init__(self, chain: Chain, instruments: Sequence[Instrument]) -> None:
        self.chain = chain
        self._assets = assets(chain, instruments)
        self._finders: dict[str, CycleFinder] = {}
        self._before: Mapping[bytes, Pool] = {}
        self._since: dict[tuple[str, tuple[str, ...]], int] = {}
        """By asset and pools: the first block in a row on which it paid."""
        self._told: dict[tuple[str, tuple[str, ...]], Opportunity] = {}
        self._block = -1
        self._graph: Graph | None = None

    def undo(self, block: int) -> None:
        """`block` and those after it are dropped: what began there never was. What had begun before goes on, if it
        still pays."""
        self._since = {key: since for key, since in self._since.items() if since < block}
        self._told = {key: told for key, told in self._told.items() if key in self._since}
        self._block = min(self._block, block - 1)

    def look(
        self, pools: Pools, wei_per_gas: int, rate: Rate, signing_ms: int | None = None
    ) -> list[Opportunity | OpportunityEnded]:
        """What ended, then what pays, by asset and the best first."""
        if pools.at.number <= self._block:
            return []  # a block that was told, or one behind it
        self._block = pools.at.number
        changed = [key for key, pool in pools.pools.items() if self._before.get(key) is not pool]
        self._before = pools.pools
        graph = self._graph = Graph.of(pools.pools) if self._graph is None else self._graph.at(pools.pools)
        block = pools.at.number
        paying: dict[tuple[str, tuple[str, ...]], int] = {}
        fresh: list[Opportunity] = []
        for asset in self._assets:
            price = gas_price(graph, self.chain, asset.token, wei_per_gas)
            if price is None:
                continue
            ranked = self._ranked(asset, pools, changed, price)
            for cycle in ranked:
                key = (asset.token.symbol, _names(cycle))
                paying[key] = self._since.get(key, block)
            for cycle in islice((each for each in ranked if self._carried(asset, pools, each)), MOST_TOLD):
                since = paying[asset.token.symbol, _names(cycle)]
                fresh.append(self._message(asset, cycle, block, since, rate, signing_ms))
        ended = [self._ended(told, key, block) for key, told in self._told.items() if key not in paying]
        self._since = paying
        self._told = {key: told for key, told in self._told.items() if key in paying}
        self._told |= {(each.asset, each.pools): each for each in fresh}
        return [*ended, *fresh]

    def _ranked(self, asset: Asset, pools: Pools, changed: Sequence[bytes], price: GasPrice) -> tuple[Cycle, ...]:
        finder = self._finders.get(asset.token.symbol)
        if finder is None:
            finder = self._finders[asset.token.symbol] = CycleFinder(pools.pools, asset.token.address, price)
            return finder.ranked()
        return finder.update(pools.pools, changed, price)

    def _carried(self, asset: Asset, pools: Pools, cycle: Cycle) -> bool:
        return carrier(self.chain, asset.token, pools.pools, cycle.steps) is not None

    def _message(
        self, asset: Asset, cycle: Cycle, block: int, since: int, rate: Rate, signing_ms: int | None
    ) -> Opportunity:
        token = asset.token
        return Opportunity(
            symbol=asset.symbol,
            block=block,
            block_ms=self.chain.block_ms,
            asset=token.symbol,
            amount=token.amount(cycle.amount_in),
            gain=token.amount(cycle.gain),
            net=token.amount(cycle.net),
            gas=token.amount(cycle.gain - cycle.net),
            unit=token.unit,
            rate=rate(token.symbol),
            pools=_names(cycle),
            since=since,
            signing_ms=signing_ms,
        )

    def _ended(self, told: Opportunity, key: tuple[str, tuple[str, ...]], block: int) -> OpportunityEnded:
        return OpportunityEnded(
            told.symbol, block, told.block_ms, told.asset, told.pools, block - self._since.get(key, told.since)
        )


def gas_price(graph: Graph, chain: Chain, token: Token, wei_per_gas: int) -> GasPrice | None:
    """What gas costs in a token; None where no pool leads to it, as nothing must seem to win for want of that."""
    price = gas_in(graph, chain.native, token.address, wei_per_gas)
    return price if price.above else None


def _names(cycle: Cycle) -> tuple[str, ...]:
    return tuple(f"0x{address.hex()}" for address, _ in cycle.steps)
