"""Measures what a token takes of its transfers, by having the chain simulate some out of a pool and back.

Nothing is sent and nobody's keys are needed: in a simulation the pool itself can be the sender.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.venues.evm.pools.batch import Batch, Call, block_parameter
from app.venues.evm.pools.reads import word
from app.venues.evm.pools.state import At
from app.venues.evm.pools.tax import Share, Tax, fit
from app.venues.evm.rpc import Rpc, RpcDown, RpcRefused

PROBE: Final = bytes.fromhex("c0de51612a7e0000000000000000000000000001")
"""An address that nobody owns, so that no contract has an exception for it."""
_BALANCE_OF: Final = bytes.fromhex("70a08231")
_TRANSFER: Final = bytes.fromhex("a9059cbb")
_GAS: Final = 1_000_000
"""Of one transfer: the greediest tokens swap their tax within it."""


async def measure(rpc: Rpc, token: bytes, pool: bytes, at: At) -> Tax | None:
    """The tax of `token` at one of its pools; None where the pool holds too little of it, or the node can not simulate.

    Raises:
        RpcDown: no answer, or nonsense.
        RpcRefused: the node does not know that block.
    """
    held = (await Batch(rpc, None).read([Call(token, _BALANCE_OF + pool.rjust(32, b"\0"), _GAS)], at))[0]
    if held is None or (balance := word(held, 0)) < 10_000_000:
        return None
    # Three amounts far enough apart that no rounding fits them by chance.
    amounts = (balance // 1000, balance // 1000 + 1, balance // 1777 + 3)
    out = [(pool, PROBE, each) for each in amounts]
    bought = await _moves(rpc, token, out, at)
    if bought is None:
        return None
    buy = _share(amounts, bought)
    if buy is None or not any(bought):
        return Tax(token, buy, None)
    back = [(PROBE, pool, each or 0) for each in bought]
    returned = await _moves(rpc, token, [*out, *back], at)
    return None if returned is None else Tax(token, buy, _share(bought, returned[len(out) :]))


def _share(sent: Sequence[int | None], arrived: Sequence[int | None]) -> Share | None:
    """None where a transfer failed."""
    pairs = [(one, other) for one, other in zip(sent, arrived, strict=True) if one is not None and other is not None]
    return fit(pairs) if len(pairs) == len(arrived) else None


async def _moves(rpc: Rpc, token: bytes, moves: list[tuple[bytes, bytes, int]], at: At) -> list[int | None] | None:
    """What arrives of each (sender, recipient, amount), one after the other; None for one that fails, and for all where
    the node has no `eth_simulateV1`."""
    calls = []
    for sender, recipient, amount in moves:
        balance = _request(sender, token, _BALANCE_OF + recipient.rjust(32, b"\0"))
        moved = _request(sender, token, _TRANSFER + recipient.rjust(32, b"\0") + amount.to_bytes(32))
        calls += [balance, moved, balance]
    wanted = {"blockStateCalls": [{"calls": calls}], "validation": False}
    try:
        answer = await rpc.call("eth_simulateV1", [wanted, block_parameter(at)])
    except RpcRefused as refusal:
        if refusal.rpc_code in {-32601, -32600}:
            return None
        raise
    return _arrived(answer, len(moves))


def _request(sender: bytes, to: bytes, data: bytes) -> dict[str, str]:
    return {"from": f"0x{sender.hex()}", "to": f"0x{to.hex()}", "data": f"0x{data.hex()}", "gas": hex(_GAS)}


def _arrived(answer: Any, count: int) -> list[int | None]:
    try:
        calls = answer[0]["calls"]
        found: list[int | None] = []
        for i in range(count):
            before, moved, after = calls[3 * i : 3 * i + 3]
            done = bytes.fromhex(moved["returnData"][2:])
            # A token of before the standard returns nothing; one that returns false has not moved anything.
            fine = moved["status"] == "0x1" and (not done or int.from_bytes(done[:32]) == 1)
            more = int(after["returnData"][:66], 16) - int(before["returnData"][:66], 16) if fine else 0
            found.append(more if fine else None)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise RpcDown("chain.garbled", "The node's simulation can not be read.") from error
    return found
