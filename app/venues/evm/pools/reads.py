"""What is asked of pools and tokens, and how the answers are read: calldata and words, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.venues.evm.chain import ZERO_ADDRESS, Dex, DexKind
from app.venues.evm.pools.batch import Call
from app.venues.evm.pools.state import Log, Pool
from app.venues.evm.pools.ticks import MAX_SQRT_RATIO, MAX_TICK, MIN_TICK
from app.venues.evm.pools.v2 import MAX_RESERVE, V2Pool
from app.venues.evm.pools.v3 import V3Pool
from app.venues.evm.rpc import RpcDown

GET_RESERVES: Final = bytes.fromhex("0902f1ac")
SLOT0: Final = bytes.fromhex("3850c7bd")
LIQUIDITY: Final = bytes.fromhex("1a686502")
TICK_SPACING: Final = bytes.fromhex("d0c93a7c")
_TICK_BITMAP: Final = bytes.fromhex("5339c296")
TICKS: Final = bytes.fromhex("f30dba93")
_GET_PAIR: Final = bytes.fromhex("e6a43905")
_GET_POOL: Final = bytes.fromhex("1698ee82")
SYMBOL: Final = bytes.fromhex("95d89b41")
NAME: Final = bytes.fromhex("06fdde03")
_WIDEST: Final = 16384
"""Ticks: no factory lets more lie between two that may be initialised."""
DECIMALS: Final = bytes.fromhex("313ce567")


@dataclass(frozen=True, slots=True)
class Found:
    """A pool that an exchange's factory names.

    Attributes:
        dex: the exchange's name.
        fee_ppm: millionths.
    """

    address: bytes
    dex: str
    kind: DexKind
    token0: bytes
    token1: bytes
    fee_ppm: int


def found_of(pool: Pool) -> Found:
    """Where a pool that was read came from."""
    kind = DexKind.V2 if isinstance(pool, V2Pool) else DexKind.V3
    return Found(pool.address, pool.dex, kind, pool.token0, pool.token1, pool.fee_ppm)


def asked_factory(dex: Dex, token0: bytes, token1: bytes, fee: int) -> Call:
    """The call that names a pool; `fee` is a tier (V3)."""
    tokens = token0.rjust(32, b"\0") + token1.rjust(32, b"\0")
    if dex.kind is DexKind.V2:
        return Call(dex.factory, _GET_PAIR + tokens)
    return Call(dex.factory, _GET_POOL + tokens + fee.to_bytes(32))


def read_address(answer: bytes | None) -> bytes | None:
    """An address other than zero; None where there is none."""
    if answer is None or len(answer) < 32 or any(answer[:12]):
        return None
    return answer[12:32] if answer[12:32] != ZERO_ADDRESS else None


def first_calls(found: Found) -> tuple[bytes, ...]:
    """What a pool is asked first."""
    return (GET_RESERVES,) if found.kind is DexKind.V2 else (SLOT0, LIQUIDITY, TICK_SPACING)


def read_pool(found: Found, answers: Sequence[bytes | None]) -> Pool | None:
    """The pool of `first_calls`' answers, a V3 pool without any ticks yet; None where it did not answer as one."""
    if any(answer is None or len(answer) < 32 for answer in answers):
        return None
    each = [answer or b"" for answer in answers]
    place = (found.address, found.dex, found.token0, found.token1)
    if len(each[0]) < 64:
        return None
    if found.kind is DexKind.V2:
        reserves = word(each[0], 0), word(each[0], 1)
        return V2Pool(*place, found.fee_ppm // 100, *reserves) if max(reserves) <= MAX_RESERVE else None
    price, tick, liquidity, spacing = word(each[0], 0), signed(each[0], 1), word(each[1], 0), signed(each[2], 0)
    if price >= MAX_SQRT_RATIO or not MIN_TICK <= tick <= MAX_TICK or liquidity >> 128 or not 0 < spacing <= _WIDEST:
        return None
    return V3Pool(*place, found.fee_ppm, spacing, price, tick, liquidity, {}, (0, -1))


def around(pool: V3Pool, words: int) -> range:
    """Words of the tick bitmap to read: `words` on either side of the price's own, as far as there are any."""
    own = pool.tick // pool.spacing >> 8
    return range(max(own - words, first_word(pool.spacing)), min(own + words, last_word(pool.spacing)) + 1)


def towards(pool: V3Pool, ticks: int, *, below: bool) -> range:
    """Words of the tick bitmap to read on one side, up to `ticks` from the price, that were not read yet."""
    low, high = pool.words
    if below:
        return range(max((pool.tick - ticks) // pool.spacing >> 8, first_word(pool.spacing)), low)
    return range(high + 1, min((pool.tick + ticks) // pool.spacing >> 8, last_word(pool.spacing)) + 1)


def first_word(spacing: int) -> int:
    """The lowest word that can hold a tick."""
    return MIN_TICK // spacing >> 8


def last_word(spacing: int) -> int:
    """The highest word that can hold a tick."""
    return MAX_TICK // spacing >> 8


def asked_word(pool: V3Pool, number: int) -> Call:
    """The call for one word of the tick bitmap."""
    return Call(pool.address, _TICK_BITMAP + number.to_bytes(32, signed=True))


def ticks_in(bitmap: int, number: int, spacing: int) -> Iterable[int]:
    """The initialised ticks of a word."""
    while bitmap:
        low = bitmap & -bitmap
        yield ((number << 8) + low.bit_length() - 1) * spacing
        bitmap ^= low


def asked_tick(pool: V3Pool, tick: int) -> Call:
    """The call for what changes at a tick."""
    return Call(pool.address, TICKS + tick.to_bytes(32, signed=True))


def with_ticks(pool: V3Pool, words: range, ticks: dict[int, tuple[int, int]]) -> V3Pool:
    """The pool with more words read; `words` must continue those it has, or be the first."""
    low, high = pool.words
    if low > high:
        low, high = words[0], words[-1]
    together = (min(low, words[0]), max(high, words[-1]))
    return replace(pool, ticks={**pool.ticks, **ticks}, words=together, keys=(), _walks={})


def word(answer: bytes, index: int) -> int:
    """An unsigned word; what is missing reads as 0, as callers have checked the length."""
    return int.from_bytes(answer[32 * index : 32 * index + 32])


def signed(answer: bytes, index: int) -> int:
    """A signed word."""
    return int.from_bytes(answer[32 * index : 32 * index + 32], signed=True)


def read_log(entry: Any) -> Log:
    """A log as a node tells it.

    Raises:
        RpcDown: it is not one.
    """
    try:
        topics = tuple(bytes.fromhex(topic[2:]) for topic in entry["topics"])
        return Log(bytes.fromhex(entry["address"][2:]), topics, bytes.fromhex(entry["data"][2:]))
    except (KeyError, TypeError, ValueError) as error:
        raise RpcDown("chain.garbled", "The node told an event that can not be read.") from error
