"""The positions of liquidity of an account, all as they were at one block.

What collecting would pay is reckoned as the contracts do it (`NonfungiblePositionManager.collect`,
`UniswapV3Pool.burn` of nothing, `Position.update`). The manager counts for each position by itself, the pool for all of
one range together and rounds down each time it does; what is paid is the smaller of what both have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.venues.evm import abi
from app.venues.evm.chain import Chain, Dex
from app.venues.evm.liquidity.calls import MOST_128
from app.venues.evm.liquidity.position import Held, Position
from app.venues.evm.pools.addresses import v3_pool
from app.venues.evm.pools.batch import Batch, Call
from app.venues.evm.pools.positions import Growth, fees_owed, growth_inside
from app.venues.evm.pools.reads import SLOT0, TICKS, signed, word
from app.venues.evm.pools.state import At
from app.venues.evm.rpc import Rpc, RpcDown
from signers.evm import keccak

MOST_READ: Final = 500
"""Positions of one account with one manager. Anybody can give an account as many as he likes; the newest are read."""
_OF_KEY: Final = abi.Function("positions", ("bytes32",))


@dataclass(frozen=True, slots=True)
class Positions:
    """Of one account.

    Attributes:
        held: those that are there, empty ones too, the newest of each manager first.
        left_out: how many more there are.
    """

    at: At
    held: tuple[Held, ...]
    left_out: int = 0


class PositionReader:
    """Of one chain's exchanges."""

    def __init__(self, chain: Chain, rpc: Rpc) -> None:
        self._batch = Batch(rpc, chain.multicall)
        self._dexes = {dex.positions: dex for dex in chain.dexes if dex.positions is not None}

    async def of(self, account: bytes, at: At) -> Positions:
        """All positions of an account.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        managers = list(self._dexes)
        counts = await self._batch.read([Call(each, abi.BALANCE_OF.encode(account)) for each in managers], at)
        asked, left_out = [], 0
        for manager, answer in zip(managers, counts, strict=True):
            count = word(_whole(answer, 1), 0)
            first = max(count - MOST_READ, 0)
            left_out += first
            asked += [(manager, index) for index in range(count - 1, first - 1, -1)]
        calls = [Call(manager, abi.OWNED_AT.encode(account, index)) for manager, index in asked]
        numbers = [word(_whole(answer, 1), 0) for answer in await self._batch.read(calls, at)]
        named = [(manager, number) for (manager, _), number in zip(asked, numbers, strict=True)]
        return Positions(at, tuple(each for each in await self.named(named, at) if each is not None), left_out)

    async def named(self, named: Sequence[tuple[bytes, int]], at: At) -> list[Held | None]:
        """Positions by their manager and number, whoever has them; None where there is none.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        wanted = [Call(manager, abi.POSITIONS.encode(number)) for manager, number in named]
        answers = await self._batch.read(wanted, at)
        found: list[tuple[Dex, Position, tuple[Any, ...]] | None] = []
        for (manager, number), answer in zip(named, answers, strict=True):
            dex = self._dexes[manager]
            found.append(None if not answer else (dex, *_read(dex, manager, number, answer)))
        calls = [call for each in found if each is not None for call in _asked(each[0], each[1])]
        rest = iter(await self._batch.read(calls, at))
        held: list[Held | None] = []
        for each in found:
            answers_of = None if each is None else [next(rest) for _ in range(6)]
            held.append(None if each is None or answers_of is None else _held(*each, answers_of, at))
        return held


def _read(dex: Dex, manager: bytes, number: int, answer: bytes) -> tuple[Position, tuple[Any, ...]]:
    """The position, and what its manager counts: liquidity, growth when it was last counted, what is owed since."""
    try:
        _, _, zero, one, fee, lower, upper, *counted = abi.POSITIONS.result(answer)
    except ValueError as error:
        raise RpcDown("chain.garbled", "A manager of positions answered with something else.") from error
    return Position(dex.name, manager, number, zero, one, fee, lower, upper), tuple(counted)


def _asked(dex: Dex, position: Position) -> list[Call]:
    pool = _pool(dex, position)
    ends = (position.lower, position.upper)
    packed = position.manager + b"".join(tick.to_bytes(3, signed=True) for tick in ends)
    data = (
        SLOT0,
        abi.GROWTH_0.encode(),
        abi.GROWTH_1.encode(),
        *(TICKS + tick.to_bytes(32, signed=True) for tick in ends),
        _OF_KEY.encode(keccak(packed)),
    )
    return [Call(pool, each) for each in data]


def _pool(dex: Dex, position: Position) -> bytes:
    return v3_pool(dex, position.token0, position.token1, position.fee)


def _held(dex: Dex, position: Position, counted: tuple[Any, ...], answers: Sequence[bytes | None], at: At) -> Held:
    slot0, growth0, growth1, low, high, pooled = (
        _whole(answer, least) for answer, least in zip(answers, (2, 1, 1, 4, 4, 5), strict=True)
    )
    liquidity, last0, last1, owed0, owed1 = counted
    tick = signed(slot0, 1)
    total = Growth(word(growth0, 0), word(growth1, 0))
    inside = growth_inside(tick, (position.lower, _outside(low)), (position.upper, _outside(high)), total)
    fees, has = [owed0, owed1], [word(pooled, 3), word(pooled, 4)]
    if liquidity:  # else neither counts anew, and a tick without liquidity has forgotten what it knew
        earned = fees_owed(liquidity, inside, Growth(last0, last1))
        shared = fees_owed(word(pooled, 0), inside, Growth(word(pooled, 1), word(pooled, 2)))
        fees = [before + more & MOST_128 for before, more in zip(fees, earned, strict=True)]
        has = [before + more & MOST_128 for before, more in zip(has, shared, strict=True)]
    return Held(
        position=position,
        at=at,
        pool=_pool(dex, position),
        root=word(slot0, 0),
        tick=tick,
        liquidity=liquidity,
        fees0=min(fees[0], has[0]),
        fees1=min(fees[1], has[1]),
    )


def _outside(tick: bytes) -> Growth:
    """What grew outside of a tick, as `UniswapV3Pool.ticks` tells it."""
    return Growth(word(tick, 2), word(tick, 3))


def _whole(answer: bytes | None, words: int) -> bytes:
    """An answer that these contracts can not refuse.

    Raises:
        RpcDown: it is missing, or cut short.
    """
    if answer is None or len(answer) < 32 * words:
        raise RpcDown("chain.garbled", "A manager of positions or its pool gave only a part of an answer.")
    return answer
