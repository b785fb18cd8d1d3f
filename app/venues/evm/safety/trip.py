"""A token bought and sold again in a simulation, through one of its pools, by an address that nobody owns.

The buyer's address follows from the token and the block, so that no contract can have an exception for it. A contract
can still tell a simulation from a block (by the price of gas, by the miner), or begin to refuse sales tomorrow: that it
could be sold is no promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.venues.evm import abi
from app.venues.evm.acts import encode
from app.venues.evm.chain import Chain, DexKind
from app.venues.evm.pools.reads import Found
from app.venues.evm.pools.state import At
from app.venues.evm.reverts import revert_words
from app.venues.evm.routing.carry import kind_of
from app.venues.evm.rpc import Asked, RpcRefused
from app.venues.evm.run import NotSimulated, Ran, Step, run
from app.venues.evm.swap import Approval, Call, Exact, Part, RouterKind, Segment, Swap
from signers.evm import keccak

_SHARE: Final = 1_000
"""A thousandth of what the pool holds is paid."""
_LEAST: Final = 1_000
"""Base units that are paid at least: with fewer a share can not be told."""
_COINS: Final = 10**30
_GAS: Final = 3_000_000
"""Of each step: the greediest tokens swap their tax within it."""
_READ: Final = 300_000
_FAR: Final = 2**40
_WHOLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Trip:
    """What became of it.

    Attributes:
        pool: which.
        bought, sold: whether it went through and brought something; None: not known.
        buy_bps, sell_bps: what the transfer lost on its way, basis points, rounded up; None: not known.
        why: why not (escaped).
    """

    pool: bytes
    bought: bool | None
    sold: bool | None
    buy_bps: int | None = None
    sell_bps: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A pool of the token, and how much of the other side it holds."""

    found: Found
    quote: bytes
    amount: int


async def travel(rpc: Asked, chain: Chain, token: bytes, pool: Held, lender: bytes | None, at: At) -> Trip:
    """Buy and sell through `pool`.

    Args:
        lender: an address that has enough of the pool's other side, not the pool; None: nobody is known.

    Raises:
        RpcRefused, RpcDown: the node did not answer.
    """
    trip = _Trip(chain, token, pool, keccak(token + at.hash)[12:])
    paid = trip.funds(lender)
    if paid is None:
        return Trip(pool.found.address, None, None, why="nobody is known who has enough to pay with")
    coins = {trip.buyer: _COINS} | ({lender: _COINS} if lender is not None else {})
    try:
        _, ran = await run(rpc, [*paid, *trip.buys()], at, coins)
        if not all(each.ok for each in ran[: len(paid)]):
            return Trip(pool.found.address, None, None, why="what it would be paid with can not be had")
        bought = trip.bought(ran[len(paid) :])
        amount = bought.got
        if bought.trip is not None or amount is None:
            return bought.trip or Trip(pool.found.address, None, None, why="the token does not say what was bought")
        _, ran = await run(rpc, [*paid, *trip.buys(), *trip.sells(amount)], at, coins)
    except NotSimulated as fault:
        return Trip(pool.found.address, None, None, why=fault.what.rstrip("."))
    except RpcRefused as refusal:
        return Trip(pool.found.address, None, None, why=f"the node refused to simulate it ({refusal.rpc_code})")
    return trip.sold(bought.bps, ran[len(paid) + len(trip.buys()) :], amount)


@dataclass(frozen=True, slots=True)
class _Bought:
    got: int | None
    bps: int | None
    trip: Trip | None = None


@dataclass(frozen=True, slots=True)
class _Trip:
    chain: Chain
    token: bytes
    pool: Held
    buyer: bytes

    @property
    def amount(self) -> int:
        """What is paid."""
        return max(self.pool.amount // _SHARE, _LEAST)

    def funds(self, lender: bytes | None) -> list[Step] | None:
        """How the buyer comes by what it pays."""
        if self.pool.amount < _LEAST * 10:
            return None
        if self.pool.quote == self.chain.native.address:
            return [self._does(Call(self.pool.quote, abi.DEPOSIT.encode(), self.amount))]
        if lender is None:
            return None
        return [Step(lender, Call(self.pool.quote, abi.TRANSFER.encode(self.buyer, self.amount)), gas=_GAS)]

    def buys(self) -> list[Step]:
        """Approve and buy, between looks at both sides."""
        return [
            *self._approves(self.pool.quote, self.amount),
            *self._looks(),
            self._swap(self.pool.quote, self.token, self.amount),
            *self._looks(),
        ]

    def bought(self, ran: Sequence[Ran]) -> _Bought:
        """From what became of `buys`."""
        *_, pool_before, mine_before, _, swap, pool_after, mine_after, _ = ran
        if not swap.ok:
            return _Bought(None, None, Trip(self.pool.found.address, False, None, why=revert_words(swap.data)))
        numbers = [each.number for each in (pool_before, mine_before, pool_after, mine_after)]
        if None in numbers:
            return _Bought(None, None)
        left, had, remains, has = (each or 0 for each in numbers)
        got, sent = has - had, left - remains
        if got <= 0:
            why = "nothing of what was paid for arrived"
            return _Bought(got, None, Trip(self.pool.found.address, False, None, why=why))
        return _Bought(got, _lost(sent, got))

    def sells(self, amount: int) -> list[Step]:
        """Approve and sell all of it."""
        return [
            *self._approves(self.token, amount),
            *self._looks(),
            self._swap(self.token, self.pool.quote, amount),
            *self._looks(),
        ]

    def sold(self, buy_bps: int | None, ran: Sequence[Ran], amount: int) -> Trip:
        """From what became of `sells`."""
        approved, *_, pool_before, _, quote_before, swap, pool_after, _, quote_after = ran
        place = self.pool.found.address
        if not (approved.ok and swap.ok):
            failed = swap if approved.ok else approved
            return Trip(place, True, False, buy_bps, why=revert_words(failed.data))
        if (quote_after.number or 0) <= (quote_before.number or 0):
            return Trip(place, True, False, buy_bps, why="the sale went through and paid nothing")
        arrived = None
        if pool_before.number is not None and pool_after.number is not None:
            arrived = pool_after.number - pool_before.number
        return Trip(place, True, True, buy_bps, None if arrived is None else _lost(amount, arrived))

    def _approves(self, token: bytes, amount: int) -> list[Step]:
        return [self._does(encode(Approval(token, self._router, amount)))]

    def _looks(self) -> list[Step]:
        """What the pool has of the token, what the buyer has of it, and what of the other side."""
        asked = ((self.token, self.pool.found.address), (self.token, self.buyer), (self.pool.quote, self.buyer))
        return [Step(self.buyer, Call(of, abi.BALANCE_OF.encode(who)), True, _READ) for of, who in asked]

    def _does(self, call: Call) -> Step:
        return Step(self.buyer, call, gas=_GAS)

    @property
    def _router(self) -> bytes:
        return next(dex.router for dex in self.chain.dexes if dex.name == self.pool.found.dex)

    def _swap(self, pays: bytes, gets: bytes, amount: int) -> Step:
        """By the functions for tokens that take a share; SwapRouter02's for V2 pools are such."""
        found = self.pool.found
        segment = Segment(found.kind, (pays, gets), (found.fee_ppm,) if found.kind is DexKind.V3 else ())
        kind = kind_of(self.chain, self._router)
        part = Part((segment,), amount, 0)
        swap = Swap(self._router, kind, Exact.IN, (part,), self.buyer, _FAR, taxed=kind is RouterKind.V2)
        return self._does(encode(swap))


def _lost(sent: int, arrived: int) -> int | None:
    """Basis points, rounded up; None where nothing was sent, so far as the token says."""
    return None if sent <= 0 else min(max(0, -(-(sent - arrived) * _WHOLE // sent)), _WHOLE)
