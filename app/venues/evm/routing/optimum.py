"""How much to send around a cycle.

Each pool is a constant product until its next tick (V2: always), and constant products in a row are again one fraction,
``out(x) = a x / (b + c x)`` (Angeris et al., "An Analysis of Uniswap Markets", 2019; for cycles: Wang et al., "Cyclic
Arbitrage in Decentralized Exchanges", 2021). Its profit is greatest at ``x = (sqrt(a b) - b) / c``. Where that passes a
tick, the integers are searched: profit is concave, so a step either way tells where it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import Final, TypeAlias

from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.state import Pool

Cycle: TypeAlias = Sequence[tuple[Pool, bool]]
_MILLION: Final = 1_000_000
_NEAR: Final = 1 << 10
"""The search ends within this share of the input: what is left to gain is of its square."""


def gain(cycle: Cycle, amount: int) -> int | None:
    """What comes back of an amount, less the amount; None where there is no quote."""
    now = amount
    try:
        for pool, zero_for_one in cycle:
            now = pool.exact_in(zero_for_one, now)
    except NoQuote:
        return None
    return now - amount


def best_input(cycle: Cycle) -> tuple[int, int] | None:
    """The input of the greatest gain, and that gain, both base units of the cycle's own token; None where there is
    none above 0."""
    found = _closed_form(cycle)
    if found is None:
        return None
    amount, most = found
    first = gain(cycle, amount) if amount else None
    if amount <= most and first is not None:
        # Rounding moves the optimum by a unit or so; nothing that gas would not swallow.
        return (amount, first) if first > 0 else None
    return _search(cycle, max(min(amount, most), 1))


def _closed_form(cycle: Cycle) -> tuple[int, int] | None:
    """The optimum if no tick were passed, and the input up to which none is; None where nothing can be gained."""
    a, b, c = 1, 1, 0
    most: int | None = None
    try:
        for pool, zero_for_one in cycle:
            reserve_in, reserve_out, limit = pool.virtual(zero_for_one)
            kept = _MILLION - pool.fee_ppm
            # The input at which this pool's limit is met: a x / (b + c x) = limit.
            if a > limit * c:
                here = b * limit // (a - limit * c)
                most = here if most is None else min(most, here)
            # y = kept * x * out / (in * million + kept * x), after x = a t / (b + c t).
            a, b, c = a * kept * reserve_out, b * _MILLION * reserve_in, c * _MILLION * reserve_in + a * kept
    except NoQuote:
        return None
    if a <= b:
        return None
    return (isqrt(a * b) - b) // c, (1 << 255) if most is None else most


def _search(cycle: Cycle, start: int) -> tuple[int, int] | None:
    """From an input on: twice as much as long as that is better, then ever smaller steps either way."""
    amount = start
    while (best := gain(cycle, amount)) is None:
        amount //= 2
        if amount == 0:
            return None
    while (more := gain(cycle, 2 * amount)) is not None and more > best:
        amount, best = 2 * amount, more
    step = amount // 2
    while step and step * _NEAR >= amount:
        for other in (amount + step, amount - step):
            if other > 0 and (found := gain(cycle, other)) is not None and found > best:
                amount, best = other, found
                break
        else:
            step //= 2
    return (amount, best) if best > 0 else None
