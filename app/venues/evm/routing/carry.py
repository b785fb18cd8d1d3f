"""Which routes one transaction can carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from app.venues.evm.chain import Chain, DexKind
from app.venues.evm.pools.state import Pool
from app.venues.evm.routing.graph import Step


@dataclass(frozen=True, slots=True)
class Carriage:
    """How routes get onto the chain.

    Attributes:
        router: the one that swaps all of it; None where there is no such one.
        transactions: 1 where it is atomic: all of it happens, or nothing.
    """

    router: bytes | None
    transactions: int

    @property
    def atomic(self) -> bool:
        """One transaction."""
        return self.transactions == 1


def carriage(chain: Chain, pools: Mapping[bytes, Pool], routes: Iterable[tuple[Step, ...]]) -> Carriage:
    """How these routes get onto the chain.

    SwapRouter02 (a router that a V3 exchange names) carries any number of routes through the V2 and V3 pools of the
    exchanges that name it, by `multicall`. A Router02 carries one route through its own exchange's pairs.
    """
    routers = {dex.name: dex.router for dex in chain.dexes}
    many = {dex.router for dex in chain.dexes if dex.kind is DexKind.V3}
    legs = [[router for router, _ in groupby(routers[pools[address].dex] for address, _ in steps)] for steps in routes]
    whole = {leg[0] for leg in legs if len(leg) == 1 and leg[0] in many}
    together = sum(len(leg) == 1 and leg[0] in many for leg in legs)
    count = sum(map(len, legs)) - together + len(whole)
    return Carriage(legs[0][0] if count == 1 else None, count)
