"""Markets made up from a seed, for pure tests and benchmarks: pools about in line with one another, as arbitrage leaves
them. No chain is behind these; that quotes are the chain's own is tests/evm/pools' business.
"""

from __future__ import annotations

import random
from math import isqrt

from app.venues.evm.pools.state import Pool
from app.venues.evm.pools.ticks import sqrt_ratio_at_tick, tick_at_sqrt_ratio
from app.venues.evm.pools.v2 import V2Pool
from app.venues.evm.pools.v3 import V3Pool

SPACINGS = {500: 10, 3000: 60, 10_000: 200}
EXCHANGES = ("uni", "fork", "third")


def token(number: int) -> bytes:
    """An address."""
    return number.to_bytes(20)


def market(chance: random.Random, pools: int, tokens: int, noise_bps: int = 20) -> dict[bytes, Pool]:
    """`pools` of them between `tokens`, half of V3; most with one of the first three tokens, as it is on chains."""
    worth = {token(i): 10 ** chance.randint(0, 4) * chance.randint(1, 9) for i in range(1, tokens + 1)}
    found: dict[bytes, Pool] = {}
    for number in range(pools):
        one = chance.randint(1, min(3, tokens)) if chance.random() < 0.8 else chance.randint(1, tokens)
        other = chance.choice([i for i in range(1, tokens + 1) if i != one])
        address = (10_000 + number).to_bytes(20)
        sides = tuple(sorted((token(one), token(other))))
        depth = 10 ** chance.randint(22, 26)
        skew = 10_000 + chance.randint(-noise_bps, noise_bps)
        make = v3 if chance.random() < 0.5 else v2
        found[address] = make(chance, address, (sides[0], sides[1]), (worth[sides[0]], worth[sides[1]]), depth, skew)
    return found


def v2(
    chance: random.Random, address: bytes, sides: tuple[bytes, bytes], worth: tuple[int, int], depth: int, skew: int
) -> V2Pool:
    """A pair that holds `depth` worth of each side, its price off by `skew` of 10,000."""
    reserves = depth // worth[0] * skew // 10_000, depth // worth[1]
    return V2Pool(address, chance.choice(EXCHANGES), *sides, 30, *reserves)


def v3(
    chance: random.Random, address: bytes, sides: tuple[bytes, bytes], worth: tuple[int, int], depth: int, skew: int
) -> V3Pool:
    """A pool of up to six positions around its price."""
    fee = chance.choice(list(SPACINGS))
    spacing = SPACINGS[fee]
    price = isqrt((worth[0] * 10_000 << 192) // (worth[1] * skew))
    tick = tick_at_sqrt_ratio(price)
    ticks: dict[int, tuple[int, int]] = {}
    active = 0
    for _ in range(chance.randint(1, 6)):
        width = chance.randint(1, 6000 // spacing) * spacing
        lower = tick // spacing * spacing - width
        upper = tick // spacing * spacing + spacing + width
        liquidity = depth * sqrt_ratio_at_tick(tick) // worth[0] // (1 << 96)
        for at, net in ((lower, liquidity), (upper, -liquidity)):
            gross, before = ticks.get(at, (0, 0))
            ticks[at] = (gross + liquidity, before + net)
        active += liquidity
    span = 887_272 // spacing >> 8
    return V3Pool(
        address, "uni3", *sides, fee, spacing, price, tick, active,
        {key: ticks[key] for key in sorted(ticks)}, (-span - 1, span),
    )  # fmt: skip
