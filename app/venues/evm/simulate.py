"""What transactions would do if they were the next block's: run on a node, at one block, without being sent.

`eth_simulateV1` (execution-apis, "eth_simulateV1") runs several calls one after the other, each on what the one before
left behind, so that an approval counts for the swap after it. What a token says of itself is asked before and after:
its Transfer events alone could lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.errors import VenueError
from app.venues.evm import abi
from app.venues.evm.rpc import Rpc, RpcRefused
from app.venues.evm.swap import Call

TRANSFER: Final = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
"""Topic of ERC-20's Transfer."""
COIN: Final = b"\xee" * 20
"""Under what address a node lists moves of the native coin (``traceTransfers``)."""
_UNSUPPORTED: Final = -32601
_MOST_WORDS: Final = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call's: whether it went through, units of gas, and why not (untrusted text)."""

    ok: bool
    gas: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What calls of one account would do together.

    Attributes:
        block: number of the block they were run on.
        outcomes: one for each call.
        changes: by how much the account's balance of each watched token, and of `COIN`, changed, gas not counted.
        allowances: what spenders may still take afterwards, by (token, spender).
        others: tokens that moved to or from the account and were not watched.
    """

    block: int
    outcomes: tuple[Outcome, ...]
    changes: dict[bytes, int]
    allowances: dict[tuple[bytes, bytes], int]
    others: frozenset[bytes]

    @property
    def ok(self) -> bool:
        """All went through."""
        return all(outcome.ok for outcome in self.outcomes)

    @property
    def why(self) -> str:
        """Why the first that did not go through did not."""
        return next((outcome.why for outcome in self.outcomes if not outcome.ok), "")


class NotSimulated(VenueError):
    """No node can run it; what the transaction would do is not known."""


async def simulate(
    rpc: Rpc,
    sender: bytes,
    calls: Sequence[Call],
    *,
    tokens: Sequence[bytes],
    spenders: Sequence[tuple[bytes, bytes]] = (),
    block: int,
) -> Simulation:
    """Run `calls` of `sender` on top of `block`.

    Args:
        tokens: whose balance of the sender is asked before and after.
        spenders: (token, spender) whose allowance is asked afterwards.

    Raises:
        NotSimulated: the node does not have the method, or answers something else.
        RpcRefused, RpcDown: as `Rpc.call`.
    """
    balances = [_request(sender, Call(token, abi.BALANCE_OF.encode(sender))) for token in tokens]
    asked = [_request(sender, Call(token, abi.ALLOWANCE.encode(sender, each))) for token, each in spenders]
    acts = [_request(sender, call) for call in calls]
    payload = {
        "blockStateCalls": [{"calls": [*balances, *acts, *balances, *asked]}],
        "traceTransfers": True,
        "validation": False,
    }
    try:
        answer = await rpc.call("eth_simulateV1", [payload, abi.quantity(block)])
    except RpcRefused as error:
        if error.rpc_code == _UNSUPPORTED:
            raise NotSimulated("chain.not_simulated", "The node has no eth_simulateV1.") from error
        raise
    try:
        return _read(answer, sender, tokens, len(calls), spenders, block)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        what = f"The node's simulation can not be read ({type(error).__name__})."
        raise NotSimulated("chain.not_simulated", what) from error


def _request(sender: bytes, call: Call) -> dict[str, str]:
    return {
        "from": abi.hexed(sender),
        "to": abi.hexed(call.to),
        "input": abi.hexed(call.data),
        "value": abi.quantity(call.value),
    }


def _read(
    answer: Any, sender: bytes, tokens: Sequence[bytes], count: int, spenders: Sequence[tuple[bytes, bytes]], block: int
) -> Simulation:
    results = answer[0]["calls"]
    if len(results) != 2 * len(tokens) + count + len(spenders):
        raise ValueError("not one result for each call")
    before, rest = results[: len(tokens)], results[len(tokens) :]
    acts, after, allowed = rest[:count], rest[count : count + len(tokens)], rest[count + len(tokens) :]
    changes = {token: _number(late) - _number(early) for token, early, late in zip(tokens, before, after, strict=True)}
    moved = [move for result in acts for move in _moves(result, sender)]
    changes[COIN] = sum(amount for token, amount in moved if token == COIN)
    return Simulation(
        block=block,
        outcomes=tuple(_outcome(result) for result in acts),
        changes=changes,
        allowances={each: _number(result) for each, result in zip(spenders, allowed, strict=True)},
        others=frozenset(token for token, _ in moved if token not in changes),
    )


def _number(result: Any) -> int:
    data = bytes.fromhex(result["returnData"][2:])
    if int(result["status"], 16) != 1 or len(data) < 32:
        raise ValueError("a token does not say what the account has of it")
    return int.from_bytes(data[:32])


def _outcome(result: Any) -> Outcome:
    ok = int(result["status"], 16) == 1
    why = "" if ok else revert_words(bytes.fromhex(result.get("returnData", "0x")[2:]))
    return Outcome(ok, int(result["gasUsed"], 16), why)


def _moves(result: Any, owner: bytes) -> list[tuple[bytes, int]]:
    """(token, amount) of each transfer from (negative) and to the owner."""
    found: list[tuple[bytes, int]] = []
    for log in result.get("logs", ()):
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        if len(topics) != 3 or topics[0] != TRANSFER:
            continue
        token, amount = bytes.fromhex(log["address"][2:]), int(log["data"], 16)
        found += [(token, -amount)] if topics[1][12:] == owner else []
        found += [(token, amount)] if topics[2][12:] == owner else []
    return found


_ERROR: Final = bytes.fromhex("08c379a0")
_PANIC: Final = bytes.fromhex("4e487b71")


def revert_words(data: bytes) -> str:
    """Why a call was reverted: Error(string) and Panic(uint256) of Solidity, else the first bytes. The words
    are the contract's: untrusted, and cut."""
    if data[:4] == _ERROR:
        length = int.from_bytes(data[36:68])
        words = data[68 : 68 + min(length, _MOST_WORDS)].decode(errors="replace")
        return words or "no reason given"
    if data[:4] == _PANIC and len(data) == 36:
        return f"panic 0x{int.from_bytes(data[4:]):02x}"
    return f"0x{data[:36].hex()}" if data else "no reason given"
