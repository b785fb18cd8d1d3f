"""How much of a token few hold, from its own Transfer events, where its whole life lies within few enough blocks.

The events are believed only when what they add up to is the supply that the token states, and each of the largest has
what they say: a token may keep silent about a transfer, or tell of one that was none.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from app.venues.evm import abi
from app.venues.evm.pools.batch import Batch, Call
from app.venues.evm.pools.reads import read_log, word
from app.venues.evm.pools.state import At
from app.venues.evm.rpc import Rpc, RpcRefused
from app.venues.evm.run import TRANSFER

_MOST_BLOCKS: Final = 5_000
"""That are asked for at once; most nodes allow 10,000."""
_MOST_LOGS: Final = 20_000
_LARGEST: Final = 10
_WHOLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Holders:
    """Shares of the supply, basis points, pools and burnt tokens left out."""

    count: int
    largest: bytes
    largest_bps: int
    ten_bps: int


async def read_holders(
    rpc: Rpc, batch: Batch, token: bytes, at: At, supply: int, besides: Collection[bytes]
) -> Holders | None:
    """Who holds it; None where that can not be known.

    Args:
        besides: addresses that are no holders: pools, lockers, the burnt.

    Raises:
        RpcDown: no answer, or nonsense.
    """
    first = max(0, at.number - _MOST_BLOCKS + 1)
    wanted: dict[str, Any] = {
        "address": abi.hexed(token),
        "topics": [abi.hexed(TRANSFER)],
        "fromBlock": abi.quantity(first),
        "toBlock": abi.quantity(at.number),
    }
    try:
        logs = await rpc.call("eth_getLogs", [wanted])
    except RpcRefused:
        return None  # too many for this node
    if not isinstance(logs, list) or len(logs) > _MOST_LOGS:
        return None
    held = _held(logs)
    if supply <= 0 or sum(held.values()) != supply:
        return None
    ranked = sorted(((amount, who) for who, amount in held.items() if who not in besides and amount > 0), reverse=True)
    largest = ranked[:_LARGEST]
    calls = [Call(token, abi.BALANCE_OF.encode(who), hostile=True) for _, who in largest]
    answers = await batch.read(calls, at)
    if any(answer is None or word(answer, 0) != amount for answer, (amount, _) in zip(answers, largest, strict=True)):
        return None
    if not largest:
        return Holders(0, b"", 0, 0)
    ten = sum(amount for amount, _ in largest)
    return Holders(len(ranked), largest[0][1], largest[0][0] * _WHOLE // supply, ten * _WHOLE // supply)


def _held(logs: list[Any]) -> dict[bytes, int]:
    """What everybody has after all transfers; the zero address, which makes and burns, left out."""
    held: dict[bytes, int] = {}
    for entry in logs:
        log = read_log(entry)
        if len(log.topics) != 3 or len(log.data) < 32:
            continue
        giver, taker, amount = log.topics[1][12:], log.topics[2][12:], word(log.data, 0)
        held[giver] = held.get(giver, 0) - amount
        held[taker] = held.get(taker, 0) + amount
    held.pop(bytes(20), None)
    return held
