"""A cycle through given pools as one transaction of ours, quoted at the newest block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.errors import VenueRefused
from app.venues.evm.chain import Token
from app.venues.evm.planner import Plan, Planner, segments_of
from app.venues.evm.pools.quotes import path_of, quote_in
from app.venues.evm.routing.carry import carrier, kind_of
from app.venues.evm.routing.graph import Step
from app.venues.evm.swap import Exact, Part, Swap

_WHOLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class CycleWanted:
    """A cycle that is wanted.

    Attributes:
        amount: base units that are paid.
        least: base units that must come back.
        pools: their addresses in order.
        slippage_bps: of the quote; the bound is the tighter of both.
        deadline: seconds since 1970 UTC.
    """

    token: Token
    amount: int
    least: int
    pools: tuple[bytes, ...]
    slippage_bps: int
    recipient: bytes
    deadline: int


async def plan_cycle(planner: Planner, wanted: CycleWanted) -> Plan:
    """The transaction.

    Raises:
        VenueRefused: a pool is not there, they do not lead back, no router goes through all of them at once, or it
            brings too little now.
        RpcDown, RpcRefused: no node told.
    """
    pools, token = await planner.pools(), wanted.token
    unknown = [address for address in wanted.pools if address not in pools.pools]
    if unknown:
        raise VenueRefused("chain.no_route", f"0x{unknown[0].hex()} is no pool between the chain's tokens.")
    try:
        hops = path_of([pools.pools[address] for address in wanted.pools], token.address)
    except ValueError as error:
        raise VenueRefused("chain.no_route", f"These pools do not follow one another: {error}.") from error
    if hops[-1].token_out != token.address:
        raise VenueRefused("chain.no_route", f"These pools do not lead back to {token.symbol}.")
    steps: Sequence[Step] = [(address, hop.zero_for_one) for address, hop in zip(wanted.pools, hops, strict=True)]
    router = carrier(planner.chain, token, pools.pools, tuple(steps))
    if router is None:
        what = "No router goes through all of these pools in one transaction; in several it could end halfway."
        raise VenueRefused("chain.no_route", what)
    quote = quote_in(hops, wanted.amount)
    if quote.received < wanted.least:
        brings, least = token.text(quote.received), token.text(wanted.least)
        what = f"It brings {brings} {token.symbol} now; the trade needs at least {least}."
        raise VenueRefused("chain.price", what, next_step="Somebody was faster, or the pools moved.")
    bound = max(wanted.least, -(-quote.received * (_WHOLE - wanted.slippage_bps) // _WHOLE))
    swap = Swap(
        router=router,
        kind=kind_of(planner.chain, router),
        exact=Exact.IN,
        parts=(Part(segments_of(pools, tuple(steps), token.address), wanted.amount, bound),),
        recipient=wanted.recipient,
        deadline=wanted.deadline,
        coin_in=token.native,
        coin_out=token.native,
    )
    return Plan(swap, pools.at, (quote,))
