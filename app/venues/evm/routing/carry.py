"""Which routes one transaction can carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.venues.evm.chain import Chain, DexKind, Token
from app.venues.evm.pools.state import Pool
from app.venues.evm.routing.graph import Step
from app.venues.evm.routing.routers import paid_in, pools_of
from app.venues.evm.swap import RouterKind


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

    SwapRouter02 (a router that a V3 exchange names; a universal router likewise) carries any number of routes through
    the V2 and V3 pools of the exchanges that it swaps in, by `multicall`. A Router02 carries one route through its own
    exchange's pairs; where both can, it does, for less gas.
    """
    routers = {dex.name: dex.routers for dex in chain.dexes}
    many = {dex.router for dex in chain.dexes if dex.kind is DexKind.V3}
    legs = [_legs([routers[pools[address].dex] for address, _ in steps]) for steps in routes]
    if len(legs) == 1 and len(legs[0]) == 1:
        return Carriage(legs[0][0][0], 1)
    count = sum(len(leg) for leg in legs if len(leg) > 1)
    whole = [leg[0] for leg in legs if len(leg) == 1]
    used: list[bytes] = []
    while whole:
        # The router that carries most of what is left.
        best = max(
            sorted({router for leg in whole for router in leg}), key=lambda router: _carries(router, whole, many)
        )
        left = [leg for leg in whole if best not in leg]
        whole = left if best in many else whole[1:]
        used.append(best)
    count += len(used)
    return Carriage(used[0] if count == 1 else None, count)


def carrier(chain: Chain, pays: Token, pools: Mapping[bytes, Pool], steps: tuple[Step, ...]) -> bytes | None:
    """The router that carries one route which is paid in `pays`; None where none carries all of it."""
    chain, asked = paid_in(chain, pays), {address: pools[address] for address, _ in steps}
    return carriage(chain, asked, [steps]).router if len(pools_of(chain, asked)) == len(asked) else None


def kind_of(chain: Chain, router: bytes) -> RouterKind:
    """Which contract a router of `chain` is."""
    if any(dex.universal == router for dex in chain.dexes):
        return RouterKind.UNIVERSAL
    many = any(dex.router == router for dex in chain.dexes if dex.kind is DexKind.V3)
    return RouterKind.MANY if many else RouterKind.V2


def _legs(hops: list[tuple[bytes, ...]]) -> list[tuple[bytes, ...]]:
    """Neighbouring pools that one router swaps in, and which routers do."""
    legs: list[tuple[bytes, ...]] = []
    for routers in hops:
        both = tuple(each for each in legs[-1] if each in routers) if legs else ()
        if both:
            legs[-1] = both
        else:
            legs.append(routers)
    return legs


def _carries(router: bytes, legs: list[tuple[bytes, ...]], many: set[bytes]) -> int:
    return sum(router in leg for leg in legs) if router in many else 1
