"""Calls run on top of one block without being sent, each on what the one before left behind, by whatever a node has.

`eth_simulateV1` (execution-apis) runs them in one request. Where a node lacks it, each call is traced twice
(`debug_traceCall`, geth's "callTracer" and "prestateTracer" in diff mode): what a call changed in the chain's state is
laid under the next one (state overrides), so that an approval counts for the swap after it, whichever slot of storage
it is kept in. What both tell is put into one form here.

Sources: execution-apis, "eth_simulateV1"; go-ethereum's documentation, "Built-in tracers" and "eth_call, state override
set". In diff mode a slot that became zero is in `pre` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from app.errors import VenueError
from app.venues.evm import abi
from app.venues.evm.pools.batch import block_parameter
from app.venues.evm.pools.state import At
from app.venues.evm.rpc import Asked, RpcRefused
from app.venues.evm.swap import Call

TRANSFER: Final = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
"""Topic of ERC-20's Transfer."""
COIN: Final = b"\xee" * 20
"""Under what address moves of the native coin are listed (``traceTransfers``)."""
_UNSUPPORTED: Final = (-32601, -32604)
_UNSUPPORTED_WORDS: Final = (
    "method not found", "does not exist", "not supported", "not available", "not enabled", "unsupported method",
)  # fmt: skip


class Method(StrEnum):
    """How calls were run."""

    SIMULATE = "eth_simulateV1"
    TRACE = "debug_traceCall"
    CALL = "eth_call"
    """Each by itself; says only whether it goes through."""


class NotSimulated(VenueError):
    """No node can run it; what the transaction would do is not known."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call.

    Attributes:
        reads: it is only asked; what it would change is forgotten where that saves work.
        gas: most that it may use; 0 leaves it to the node.
    """

    sender: bytes
    call: Call
    reads: bool = False
    gas: int = 0


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one call.

    Attributes:
        data: what it returned, or was reverted with.
        moves: (token, from, to, amount) of each transfer that it announced; of the coin, that it made.
    """

    ok: bool
    gas: int
    data: bytes
    moves: tuple[tuple[bytes, bytes, bytes, int], ...] = ()

    @property
    def number(self) -> int | None:
        """The first word that it answered; None where there is none."""
        return int.from_bytes(self.data[:32]) if self.ok and len(self.data) >= 32 else None


async def run(
    rpc: Asked, steps: Sequence[Step], at: At, coins: Mapping[bytes, int] | None = None
) -> tuple[Method, tuple[Ran, ...]]:
    """Run `steps` on top of the block `at`.

    Args:
        coins: wei that addresses are taken to have.

    Raises:
        NotSimulated: the node has neither method, or answers something that can not be read.
        RpcRefused, RpcDown: as `Rpc.call`.
    """
    given = {who: Account(balance=wei) for who, wei in (coins or {}).items()}
    later = await _later(rpc, at)
    try:
        return Method.SIMULATE, await _simulated(rpc, steps, at, given, later)
    except RpcRefused as refusal:
        if not lacks(refusal):
            raise
    try:
        return Method.TRACE, await _Traced(rpc, at, given, later).run(steps)
    except RpcRefused as refusal:
        if not lacks(refusal):
            raise
        what = "The node has neither eth_simulateV1 nor debug_traceCall."
        raise NotSimulated("chain.not_simulated", what) from refusal


_LATER_S: Final = 12
SAME_TIME_GAS: Final = 50_000
"""Units of gas that a swap may take more where nobody could set the time: two slots written for the first time (V2), or
one and its index (V3)."""


async def _later(rpc: Asked, at: At) -> int:
    """A time after the block's, in seconds. In its own second a pool that was traded in it has no time to account for;
    in the next block it has, which costs gas.

    Raises:
        NotSimulated: the node does not tell its time.
    """
    block = await rpc.call("eth_getBlockByHash", [abi.hexed(at.hash), False])
    if block is None:
        raise RpcRefused("eth_getBlockByHash", -32000, "block not found")
    try:
        return int(block["timestamp"], 16) + _LATER_S
    except (ValueError, TypeError, KeyError) as error:
        raise _unreadable(error) from error


def lacks(refusal: RpcRefused) -> bool:
    """Whether a node says that it does not have a method, or not for us."""
    words = refusal.message.lower()
    return refusal.rpc_code in _UNSUPPORTED or (
        not refusal.data and "revert" not in words and any(each in words for each in _UNSUPPORTED_WORDS)
    )


@dataclass(slots=True)
class Account:
    """What is laid over an account's state."""

    balance: int | None = None
    code: str | None = None
    storage: dict[str, str] = field(default_factory=dict)

    def override(self) -> dict[str, Any]:
        """In the form of the state override set."""
        found: dict[str, Any] = {}
        if self.balance is not None:
            found["balance"] = abi.quantity(self.balance)
        if self.code is not None:
            found["code"] = self.code
        if self.storage:
            found["stateDiff"] = dict(self.storage)
        return found


def _overrides(accounts: Mapping[bytes, Account]) -> dict[str, Any]:
    return {abi.hexed(address): given for address, each in accounts.items() if (given := each.override())}


def request(step: Step) -> dict[str, str]:
    """A call as JSON-RPC has it."""
    found = {
        "from": abi.hexed(step.sender),
        "to": abi.hexed(step.call.to),
        "input": abi.hexed(step.call.data),
        "value": abi.quantity(step.call.value),
    }
    return found | {"gas": abi.quantity(step.gas)} if step.gas else found


def _unreadable(error: Exception) -> NotSimulated:
    return NotSimulated("chain.not_simulated", f"The node's simulation can not be read ({type(error).__name__}).")


# -- eth_simulateV1 ---------------------------------------------------------------------------------------------------


async def _simulated(
    rpc: Asked, steps: Sequence[Step], at: At, given: Mapping[bytes, Account], later: int
) -> tuple[Ran, ...]:
    time = {"time": abi.quantity(later)}
    block: dict[str, Any] = {"blockOverrides": time, "calls": [request(step) for step in steps]}
    if given:
        block["stateOverrides"] = _overrides(given)
    payload = {"blockStateCalls": [block], "traceTransfers": True, "validation": False}
    answer = await rpc.call("eth_simulateV1", [payload, block_parameter(at)])
    try:
        return tuple(_result(each) for each, _ in zip(answer[0]["calls"], steps, strict=True))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise _unreadable(error) from error


def _result(each: Any) -> Ran:
    ok = int(each["status"], 16) == 1
    moves = tuple(_moves(each.get("logs") or ())) if ok else ()
    return Ran(ok, int(each["gasUsed"], 16), _bytes(each.get("returnData")), moves)


def _moves(logs: Sequence[Any]) -> list[tuple[bytes, bytes, bytes, int]]:
    found = []
    for log in logs:
        topics = [_bytes(topic) for topic in log["topics"]]
        if len(topics) == 3 and topics[0] == TRANSFER:
            amount = int.from_bytes(_bytes(log["data"])[:32])
            found.append((_bytes(log["address"]), topics[1][12:], topics[2][12:], amount))
    return found


def _bytes(text: str | None) -> bytes:
    return bytes.fromhex((text or "0x")[2:])


# -- debug_traceCall --------------------------------------------------------------------------------------------------

_PROBE: Final = bytes.fromhex("c0de51612a7e0000000000000000000000000002")
_SAYS: Final = "0x6000546000524260205260406000f3"
"""Code that answers what is in its storage at 0, and the time: sload(0), timestamp, return 64 bytes."""
_MARK: Final = 0xC0DE51
_MOVING: Final = frozenset({"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"})
_DEEPEST: Final = 1100
"""Calls within calls; the machine allows 1024."""


class _Traced:
    """Steps one after the other, each over what the ones before changed."""

    def __init__(self, rpc: Asked, at: At, given: Mapping[bytes, Account], later: int) -> None:
        self._rpc, self._at, self._later, self._more = rpc, at, later, 0
        self._state = {who: Account(each.balance, each.code, dict(each.storage)) for who, each in given.items()}

    async def run(self, steps: Sequence[Step]) -> tuple[Ran, ...]:
        await self._check()
        try:
            return tuple([await self._one(step) for step in steps])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _unreadable(error) from error

    async def _check(self) -> None:
        """That the node obeys overrides: one that passes them over would run each call on the block as it is.

        Raises:
            NotSimulated: it does not.
        """
        slot = {abi.hexed(bytes(32)): abi.hexed(abi.word(_MARK))}
        probe = {_PROBE: Account(code=_SAYS, storage=slot)}
        answer = await self._trace(Step(_PROBE, Call(_PROBE, b"")), "callTracer", {}, probe)
        said = answer.get("output") if isinstance(answer, Mapping) else None
        if not isinstance(said, str) or not said.startswith(abi.hexed(abi.word(_MARK))):
            raise NotSimulated("chain.not_simulated", "The node's debug_traceCall does not take state overrides.")
        if said != abi.hexed(abi.word(_MARK) + abi.word(self._later)):
            self._later, self._more = 0, SAME_TIME_GAS

    async def _one(self, step: Step) -> Ran:
        frame = await self._trace(step, "callTracer", {"withLog": True}, self._state)
        ok = not frame.get("error")
        moves: list[tuple[bytes, bytes, bytes, int]] = []
        if ok and not step.reads:
            _walk(frame, moves)
            self._keep(await self._trace(step, "prestateTracer", {"diffMode": True}, self._state))
        return Ran(ok, int(frame["gasUsed"], 16) + self._more, _bytes(frame.get("output")), tuple(moves))

    async def _trace(self, step: Step, tracer: str, config: dict[str, Any], state: Mapping[bytes, Account]) -> Any:
        options: dict[str, Any] = {"tracer": tracer, "tracerConfig": config, "stateOverrides": _overrides(state)}
        if self._later:
            options["blockOverrides"] = {"time": abi.quantity(self._later)}
        return await self._rpc.call("debug_traceCall", [request(step), block_parameter(self._at), options])

    def _keep(self, changed: Mapping[str, Any]) -> None:
        """Lay what a call changed over the state. Nonces stay: they matter to a contract that makes others alone."""
        before, after = changed["pre"], changed["post"]
        for address in dict.fromkeys([*before, *after]):
            account = self._state.setdefault(_bytes(address), Account())
            early, late = before.get(address) or {}, after.get(address) or {}
            if "balance" in late:
                account.balance = int(late["balance"], 16)
            if "code" in late:
                account.code = late["code"]
            was, became = early.get("storage") or {}, late.get("storage") or {}
            for slot in dict.fromkeys([*was, *became]):
                account.storage[slot] = became.get(slot, abi.hexed(bytes(32)))


def _walk(frame: Mapping[str, Any], moves: list[tuple[bytes, bytes, bytes, int]], depth: int = 0) -> None:
    """Transfers in a call and those within it; of calls that failed, none."""
    if frame.get("error") or depth > _DEEPEST:
        return
    value = int(frame.get("value") or "0x0", 16)
    if value and frame.get("type", "CALL") in _MOVING:
        moves.append((COIN, _bytes(frame["from"]), _bytes(frame.get("to")), value))
    moves += _moves(frame.get("logs") or ())
    for inner in frame.get("calls") or ():
        _walk(inner, moves, depth + 1)
