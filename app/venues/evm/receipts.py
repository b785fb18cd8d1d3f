"""What a mined transaction did, from its receipt: amounts to the last unit, and what it cost in gas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.venues.evm.run import TRANSFER
from app.venues.evm.swap import Swap

DEPOSIT: Final = bytes.fromhex("e1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c")
"""Topic of WETH9's Deposit(dst, wad)."""
WITHDRAWAL: Final = bytes.fromhex("7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65")
"""Topic of WETH9's Withdrawal(src, wad)."""


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction that is in a block.

    Attributes:
        ok: it went through; a reverted one changed nothing and cost its gas.
        gas: wei that it cost, a rollup's fee for its data included.
    """

    hash: str
    block: int
    block_hash: str
    ok: bool
    gas: int
    logs: tuple[tuple[bytes, tuple[bytes, ...], bytes], ...]


def read_receipt(receipt: Mapping[str, Any]) -> Mined:
    """A receipt as a node answers it.

    Raises:
        ValueError: it can not be read.
    """
    try:
        return Mined(
            hash=str(receipt["transactionHash"]),
            block=int(receipt["blockNumber"], 16),
            block_hash=str(receipt["blockHash"]),
            ok=int(receipt["status"], 16) == 1,
            gas=int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
            + int(receipt.get("l1Fee") or "0x0", 16),  # OP stack; its own field, in wei
            logs=tuple(
                (_bytes(log["address"]), tuple(map(_bytes, log["topics"])), _bytes(log["data"]))
                for log in receipt["logs"]
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"a receipt that can not be read ({type(error).__name__})") from error


def swapped(mined: Mined, swap: Swap, sender: bytes) -> tuple[int, int]:
    """Base units that were paid and received. Of the native coin, which moves without a log, what the router wrapped or
    unwrapped: the rest of what was sent along came back."""
    paid = _wrapped(mined, DEPOSIT, swap) if swap.coin_in else -_moved(mined, swap.token_in, sender)
    received = _wrapped(mined, WITHDRAWAL, swap) if swap.coin_out else _moved(mined, swap.token_out, sender)
    return paid, received


def _moved(mined: Mined, token: bytes, owner: bytes) -> int:
    """What an account has more of a token than before."""
    total = 0
    for address, topics, data in mined.logs:
        if address == token and len(topics) == 3 and topics[0] == TRANSFER:
            amount = int.from_bytes(data[:32])
            total += amount * ((topics[2][12:] == owner) - (topics[1][12:] == owner))
    return total


def _wrapped(mined: Mined, topic: bytes, swap: Swap) -> int:
    token = swap.token_in if topic == DEPOSIT else swap.token_out
    return sum(
        int.from_bytes(data[:32])
        for address, topics, data in mined.logs
        if address == token and len(topics) == 2 and topics[0] == topic and topics[1][12:] == swap.router
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
