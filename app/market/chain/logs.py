"""The logs of one block that modules are told of: which are asked for, and how they are read.

Sources: events of EIP-20 (Transfer), `UniswapV2Pair` (Swap), `UniswapV3Pool` and PancakeSwap V3's (Swap),
`UniswapV2Factory` (PairCreated), `UniswapV3Factory` (PoolCreated).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.venues.evm.pools.reads import read_log, signed, word
from app.venues.evm.pools.state import SWAP, SWAP_PANCAKE, Log, Pool
from app.venues.evm.pools.v2 import V2Pool
from app.venues.evm.rpc import Rpc, RpcDown

TRANSFER: Final = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
SWAP_V2: Final = bytes.fromhex("d78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822")
PAIR_CREATED: Final = bytes.fromhex("0d3648bd0f6ba80134a33ba9275ac585d9d315f0ad8355cddefde31afa28d0e9")
POOL_CREATED: Final = bytes.fromhex("783cca1c0412dd0d695e784568c96da2e9c22ff989357a2e8b1d9b2b4e6b7118")
SWAPS: Final = (SWAP_V2, SWAP, SWAP_PANCAKE)
_MOST_ADDRESSES: Final = 500
"""In one filter. With more, the node tells what every contract said and the rest is passed over here."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One log, its place in the block, and the transaction (its hash) that it is of."""

    index: int
    log: Log
    transaction: bytes


async def logs_of(
    rpc: Rpc, block: bytes, topics: Sequence[Sequence[bytes] | None], addresses: Collection[bytes]
) -> list[Entry]:
    """The logs of a block (by its hash) that fit, in order.

    Args:
        topics: for each place those that it may have; None: any.

    Raises:
        RpcDown, RpcRefused: no node told, or of another block.
    """
    if not addresses:
        return []
    wanted: dict[str, Any] = {
        "blockHash": f"0x{block.hex()}",
        "topics": [None if each is None else [f"0x{topic.hex()}" for topic in each] for each in topics],
    }
    if len(addresses) <= _MOST_ADDRESSES:
        wanted["address"] = sorted(f"0x{address.hex()}" for address in addresses)
    answer = await rpc.call("eth_getLogs", [wanted])
    if not isinstance(answer, list):
        raise RpcDown("chain.garbled", "The node answered eth_getLogs with something that is no list.")
    entries = [_read(entry, block) for entry in answer]
    return [entry for entry in entries if entry.log.address in addresses]


def merged(*several: Sequence[Entry]) -> list[Entry]:
    """Logs of one block in its order, each once."""
    found = {entry.index: entry for entries in several for entry in entries}
    return [found[index] for index in sorted(found)]


def _read(entry: Any, block: bytes) -> Entry:
    log = read_log(entry)
    try:
        index = int(entry["logIndex"], 16)
        transaction, of = bytes.fromhex(entry["transactionHash"][2:]), bytes.fromhex(entry["blockHash"][2:])
    except (KeyError, TypeError, ValueError) as error:
        raise RpcDown("chain.garbled", "The node told an event that can not be read.") from error
    if of != block:
        raise RpcDown("chain.garbled", "The node told events of another block than it was asked for.")
    return Entry(index, log, transaction)


def padded(address: bytes) -> bytes:
    """An address as a topic."""
    return address.rjust(32, b"\0")


def address_in(word_: bytes) -> bytes | None:
    """The inverse; None where it is none."""
    return word_[12:] if len(word_) == 32 and not any(word_[:12]) else None


def flows(pool: Pool, log: Log) -> tuple[int, int] | None:
    """What a swap moved into a pool (below 0: out of it), of token0 and token1; None where the log is no swap of it."""
    data, topic = log.data, log.topics[0] if log.topics else b""
    if isinstance(pool, V2Pool):
        if topic != SWAP_V2 or len(data) < 128:
            return None
        return word(data, 0) - word(data, 2), word(data, 1) - word(data, 3)
    if topic not in {SWAP, SWAP_PANCAKE} or len(data) < 64:
        return None
    return signed(data, 0), signed(data, 1)
