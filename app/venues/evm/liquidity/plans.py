"""From what is wanted of liquidity to the act that does it, with bounds that no execution can break. Pure: everything
is reckoned from the state of one block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.venues.evm.chain import Chain
from app.venues.evm.liquidity.calls import Collect, Open, Payout, Withdraw
from app.venues.evm.liquidity.position import Held
from app.venues.evm.liquidity.ranges import Opening, least_out, opening
from app.venues.evm.pools.v3 import V3Pool

_WHOLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Terms:
    """Bounds of an act.

    Attributes:
        slippage_bps: by how much the price may move before it is reverted.
        deadline: seconds since 1970 UTC.
        coin: the wrapped coin is paid, or received, as the chain's own.
    """

    slippage_bps: int
    recipient: bytes
    deadline: int
    coin: bool = False


def open_act(
    chain: Chain, pool: V3Pool, ticks: tuple[int, int], most: tuple[int, int], terms: Terms
) -> tuple[Open, Opening]:
    """A new position of at most `most` of token0 and token1, and what it takes. Where the coin is paid and both are the
    same number of units, the coin's is one less.

    Raises:
        NoQuote: the pool would take nothing, or reverts.
        ValueError: the exchange has no manager of positions, or the ticks are not the pool's.
    """
    manager = next((dex.positions for dex in chain.dexes if dex.name == pool.dex), None)
    if manager is None:
        raise ValueError(f"exchange {pool.dex} has no manager of positions")
    if any(tick % pool.spacing for tick in ticks):
        raise ValueError(f"ticks of this pool are multiples of {pool.spacing}, not {ticks[0]} and {ticks[1]}")
    wrapped = chain.native.address
    if terms.coin and most[0] == most[1] and wrapped in {pool.token0, pool.token1}:
        most = (most[0] - (pool.token0 == wrapped), most[1] - (pool.token1 == wrapped))  # so the bytes tell of which
    takes = opening(pool.price, pool.tick, ticks, most, terms.slippage_bps)
    act = Open(
        manager=manager,
        token0=pool.token0,
        token1=pool.token1,
        fee=pool.fee_ppm,
        lower=ticks[0],
        upper=ticks[1],
        most0=most[0],
        most1=most[1],
        least0=takes.least0,
        least1=takes.least1,
        recipient=terms.recipient,
        deadline=terms.deadline,
        value={pool.token0: most[0], pool.token1: most[1]}.get(wrapped, 0) if terms.coin else 0,
    )
    return act, takes


def collect_act(chain: Chain, held: Held, terms: Terms) -> Collect:
    """Take what a position has earned. The least is somewhat below what it has by now: positions of one range share
    what is rounded down."""
    earned = _less(held.fees0, terms.slippage_bps), _less(held.fees1, terms.slippage_bps)
    payout = _payout(chain, held, earned) if terms.coin else None
    return Collect(held.position.manager, held.position.number, terms.recipient, payout)


def withdraw_act(chain: Chain, held: Held, terms: Terms, liquidity: int | None = None) -> Withdraw:
    """Take liquidity out of a position, with all that it has earned.

    Args:
        liquidity: None takes all and ends it.

    Raises:
        ValueError: it has not as much.
        NoQuote: the pool reverts.
    """
    position, taken = held.position, held.liquidity if liquidity is None else liquidity
    if not 0 < taken <= held.liquidity:
        raise ValueError(f"position {position.number} has liquidity {held.liquidity}, not {taken} to take out")
    ticks = (position.lower, position.upper)
    zero, one = least_out(held.root, held.tick, ticks, taken, terms.slippage_bps)
    with_fees = zero + _less(held.fees0, terms.slippage_bps), one + _less(held.fees1, terms.slippage_bps)
    return Withdraw(
        manager=position.manager,
        position=position.number,
        liquidity=taken,
        least0=zero,
        least1=one,
        recipient=terms.recipient,
        deadline=terms.deadline,
        ends=liquidity is None,
        payout=_payout(chain, held, with_fees) if terms.coin else None,
    )


def _payout(chain: Chain, held: Held, least: tuple[int, int]) -> Payout | None:
    """None where the position is of two other tokens."""
    zero, one = held.position.token0, held.position.token1
    if chain.native.address == zero:
        return Payout(one, *least)
    return Payout(zero, least[1], least[0]) if chain.native.address == one else None


def _less(amount: int, bps: int) -> int:
    return amount * (_WHOLE - bps) // _WHOLE
