"""Pools as they were at one block, and what the logs of the next one change in them.

Sources: events of `UniswapV2Pair` (Sync), `UniswapV3Pool` (Initialize, Mint, Burn, Swap) and PancakeSwap V3's Swap,
which has two more fields; `Tick.update` for what liquidity does to a tick.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from app.venues.evm.pools.faults import NoQuote, Why
from app.venues.evm.pools.v2 import V2Pool
from app.venues.evm.pools.v3 import V3Pool

Pool = V2Pool | V3Pool


@dataclass(frozen=True, slots=True)
class At:
    """One block. The hash is what pins it: a number alone can be another block after a reorganisation."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Log:
    """One event: topics of 32 bytes, data as ABI words."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


SYNC: Final = bytes.fromhex("1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1")
SWAP: Final = bytes.fromhex("c42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67")
SWAP_PANCAKE: Final = bytes.fromhex("19b47279256b2a23a1665c810c8d55a1758940ee09377d4f8d26497a3577dc83")
MINT: Final = bytes.fromhex("7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde")
BURN: Final = bytes.fromhex("0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c")
INITIALIZE: Final = bytes.fromhex("98636036cb66a9c19a37435efc1e90142190214e8abeb821bdba3f2990dd4c95")
TOPICS: Final = (SYNC, SWAP, SWAP_PANCAKE, MINT, BURN, INITIALIZE)


@dataclass(frozen=True, slots=True)
class Pools:
    """Pools by address, all as they were at one block."""

    at: At
    pools: Mapping[bytes, Pool]

    def after(self, at: At, logs: Iterable[Log]) -> tuple[Pools, frozenset[bytes]]:
        """These pools after all logs of the blocks up to `at`, in order, and the addresses of those that changed.

        What was read and what was reckoned are the same: logs tell everything that a quote depends on. Liquidity at
        ticks beyond the words that were read is passed over, as it was when they were read.

        Raises:
            NoQuote: INCONSISTENT: the logs do not belong to this state, or are not of the contract they seem to be of;
                read the pool afresh.
        """
        pools = dict(self.pools)
        changed: dict[bytes, Pool] = {}
        for log in logs:
            pool = pools.get(log.address)
            if pool is not None and log.topics and (new := _after(pool, log)) != pool:
                pools[log.address] = changed[log.address] = new
        return Pools(at, pools), frozenset(changed)

    def afresh(self) -> Pools:
        """The same, of which no quote was asked yet."""
        pools = {key: each.afresh() for key, each in self.pools.items()}
        return Pools(self.at, pools)

    def short(self, reach: int | None) -> list[bytes]:
        """Pools of which a quote needed more liquidity than was read; see `V3Pool.short`."""
        return [key for key, each in self.pools.items() if isinstance(each, V3Pool) and each.short(reach)]

    def merged(self, others: Iterable[Pool]) -> Pools:
        """With `others`, as they were at the same block, added or in the place of those with their address."""
        return Pools(self.at, {**self.pools, **{each.address: each for each in others}})


def _after(pool: Pool, log: Log) -> Pool:
    topic = log.topics[0]
    if isinstance(pool, V2Pool):
        return replace(pool, reserve0=_word(log, 0), reserve1=_word(log, 1)) if topic == SYNC else pool
    if topic in {SWAP, SWAP_PANCAKE}:
        return replace(pool, price=_word(log, 2), liquidity=_word(log, 3), tick=_signed(_word(log, 4)), _walks={})
    if topic == INITIALIZE:
        return replace(pool, price=_word(log, 0), tick=_signed(_word(log, 1)), _walks={})
    if topic in {MINT, BURN}:
        return _with_liquidity(pool, log, _word(log, 1) if topic == MINT else -_word(log, 0))
    return pool


def _with_liquidity(pool: V3Pool, log: Log, amount: int) -> V3Pool:
    """`UniswapV3Pool._updatePosition` and `_modifyPosition`, as far as swaps see them."""
    if amount == 0:
        return pool  # a position asks for its fees
    if len(log.topics) != 4:
        raise NoQuote(Why.INCONSISTENT, pool.address)
    lower, upper = (_signed(int.from_bytes(topic)) for topic in log.topics[2:4])
    ticks = dict(pool.ticks)
    for tick, net in ((lower, amount), (upper, -amount)):
        if pool.words[0] <= tick // pool.spacing >> 8 <= pool.words[1]:
            gross_before, net_before = ticks.pop(tick, (0, 0))
            if gross_before + amount < 0:
                raise NoQuote(Why.INCONSISTENT, pool.address)
            if gross_before + amount:
                ticks[tick] = (gross_before + amount, net_before + net)
    liquidity = pool.liquidity + (amount if lower <= pool.tick < upper else 0)
    if liquidity < 0:
        raise NoQuote(Why.INCONSISTENT, pool.address)
    return replace(pool, ticks=ticks, keys=tuple(sorted(ticks)), liquidity=liquidity, _walks={})


def _word(log: Log, index: int) -> int:
    found = log.data[32 * index : 32 * index + 32]
    if len(found) != 32:
        raise NoQuote(Why.INCONSISTENT, log.address)
    return int.from_bytes(found)


def _signed(word: int) -> int:
    return word - 2**256 if word >> 255 else word
