"""What a path of pools pays: exact-in, exact-out, with price impact, and what arrives of a token with a tax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from app.venues.evm.pools.faults import NoQuote, Why
from app.venues.evm.pools.state import Pool
from app.venues.evm.pools.tax import Tax
from app.venues.evm.pools.v2 import V2Pool

_WHOLE: Final = 10_000
_NO_TAXES: Final[Mapping[bytes, Tax]] = {}


@dataclass(frozen=True, slots=True)
class Hop:
    """One pool in one direction."""

    pool: Pool
    zero_for_one: bool

    @property
    def token_in(self) -> bytes:
        """What is paid."""
        return self.pool.token0 if self.zero_for_one else self.pool.token1

    @property
    def token_out(self) -> bytes:
        """What is received."""
        return self.pool.token1 if self.zero_for_one else self.pool.token0


@dataclass(frozen=True, slots=True)
class PathQuote:
    """What one path comes to, in base units.

    Attributes:
        amount_in: leaves the trader.
        amount_out: leaves the last pool.
        received: arrives at the trader: `amount_out` less a tax of the token.
        amounts: that enter each pool, and last `amount_out`.
        crossed: initialised ticks passed in each V3 pool, 0 for V2: what a hop costs in gas.
        spot_out: for `amount_in` at the prices before the trade, without fees, impact or tax.
        fee_bps: of it, all pools' fees together, rounded up.
        impact_bps: of it after the fees, lost because the trade moves the prices, rounded up.
    """

    hops: tuple[Hop, ...]
    amount_in: int
    amount_out: int
    received: int
    amounts: tuple[int, ...]
    crossed: tuple[int, ...]
    spot_out: int
    fee_bps: int
    impact_bps: int


def path_of(pools: Sequence[Pool], token_in: bytes) -> tuple[Hop, ...]:
    """The pools in the direction in which `token_in` goes through them.

    Raises:
        ValueError: a pool does not have the token that comes to it.
    """
    hops = []
    for pool in pools:
        if token_in not in {pool.token0, pool.token1}:
            raise ValueError(f"pool 0x{pool.address.hex()} does not have token 0x{token_in.hex()}")
        hops.append(Hop(pool, token_in == pool.token0))
        token_in = hops[-1].token_out
    return tuple(hops)


def out_of(hops: Sequence[Hop], amount: int) -> int:
    """What the last pool pays: the shortest way to the number alone, for tokens without tax.

    Raises:
        NoQuote: a pool on the way gives none.
    """
    for hop in hops:
        amount = hop.pool.exact_in(hop.zero_for_one, amount)
    return amount


def quote_in(hops: Sequence[Hop], amount: int, taxes: Mapping[bytes, Tax] = _NO_TAXES) -> PathQuote:
    """What is received for exactly `amount`.

    With a taxed token on the way it is what the router's `...SupportingFeeOnTransferTokens` functions bring, which V2
    alone has: V3 pools refuse to be paid less than they were told.

    Raises:
        NoQuote: a pool gives none; TAXED.
    """
    _check(hops)
    amounts, crossed, now = [], [], amount
    for i, hop in enumerate(hops):
        now = _into(hop, now, taxes, first=i == 0)
        amounts.append(now)
        now, ticks = hop.pool.through(hop.zero_for_one, now)
        crossed.append(ticks)
    received = _received(hops[-1].token_out, now, taxes)
    return _quoted(hops, amount, now, received, (*amounts, now), crossed)


def quote_out(hops: Sequence[Hop], amount: int, taxes: Mapping[bytes, Tax] = _NO_TAXES) -> PathQuote:
    """What must be paid to be paid exactly `amount`.

    Raises:
        NoQuote: a pool gives none; TAXED: routers have no exact-out for a token that taxes transfers.
    """
    _check(hops)
    if any(not taxes[token].free for hop in hops for token in (hop.token_in, hop.token_out) if token in taxes):
        raise NoQuote(Why.TAXED)
    amounts, crossed, now = [amount], [], amount
    for hop in reversed(hops):
        now, ticks = hop.pool.through_out(hop.zero_for_one, now)
        amounts.append(now)
        crossed.append(ticks)
    return _quoted(hops, now, amount, amount, amounts[::-1], crossed[::-1])


def _check(hops: Sequence[Hop]) -> None:
    if not hops:
        raise ValueError("a path has at least one pool")
    if any(one.token_out != other.token_in for one, other in pairwise(hops)):
        raise ValueError("a path's pools follow one another by the tokens they share")
    if len({hop.pool.address for hop in hops}) != len(hops):
        raise ValueError("a path goes through a pool once: the second time it would find it changed")


def _into(hop: Hop, amount: int, taxes: Mapping[bytes, Tax], *, first: bool) -> int:
    """What a pool gets of what is sent to it."""
    tax = taxes.get(hop.token_in)
    if tax is None or tax.free:
        return amount
    # From pool to pool it is one transfer, of which only a tax that does not ask where from and to can be known.
    known = tax.sell if first or tax.buy == tax.sell else None
    if known is None or not known.regular or not isinstance(hop.pool, V2Pool):
        raise NoQuote(Why.TAXED, hop.pool.address)
    return known.arriving(amount)


def _received(token: bytes, amount: int, taxes: Mapping[bytes, Tax]) -> int:
    """What the trader gets of what the last pool pays."""
    tax = taxes.get(token)
    if tax is None:
        return amount
    if tax.buy is None or not tax.buy.regular:
        raise NoQuote(Why.TAXED)
    return tax.buy.arriving(amount)


def _quoted(
    hops: Sequence[Hop], amount_in: int, out: int, received: int, amounts: Sequence[int], crossed: Sequence[int]
) -> PathQuote:
    above, below, kept_above, kept_below = 1, 1, 1, 1
    for hop in hops:
        one, other = hop.pool.spot(hop.zero_for_one)
        above, below = above * one, below * other
        kept_above, kept_below = kept_above * (1_000_000 - hop.pool.fee_ppm), kept_below * 1_000_000
    # The trade's own price, against the spot price of what really entered the first pool.
    spot = above * amounts[0] * kept_above
    moved = spot - out * below * kept_below
    return PathQuote(
        hops=tuple(hops),
        amount_in=amount_in,
        amount_out=out,
        received=received,
        amounts=tuple(amounts),
        crossed=tuple(crossed),
        spot_out=amount_in * above // below,
        fee_bps=-(-(kept_below - kept_above) * _WHOLE // kept_below),
        impact_bps=max(0, -(-moved * _WHOLE // spot)) if spot else 0,
    )
