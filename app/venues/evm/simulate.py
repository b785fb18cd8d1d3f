"""What transactions would do if they were the next block's: run on a node, at one block, without being sent.

What a token says of itself is asked before and after: its Transfer events alone could lie. Where no node can run calls
one after the other (`app.venues.evm.run`), each is only asked whether it goes through (`eth_call`, `eth_estimateGas`),
and one that waits for another is not asked at all: the result says how it was made, whether it tells everything
(`complete`), and if not, what it can not tell (`missing`).

With several nodes two of them are asked, each alone, and have to say the same of the same block.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.errors import VenueError, VenueRefused
from app.venues.evm import abi
from app.venues.evm.pools.batch import block_parameter
from app.venues.evm.pools.state import At
from app.venues.evm.reverts import revert_words
from app.venues.evm.rpc import Asked, Rpc, RpcDown, RpcRefused, Several, Single
from app.venues.evm.run import COIN, SAME_TIME_GAS, Method, NotSimulated, Ran, Step, lacks, request, run
from app.venues.evm.swap import Approval, Call, InnerApproval

__all__ = ["COIN", "Method", "NotSimulated", "Outcome", "Simulation", "simulate"]

_WITNESSES: Final = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call's: whether it goes through (None: nobody could say), units of gas (0: not known), and why not."""

    ok: bool | None
    gas: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What calls of one account would do together.

    Attributes:
        at: the block they were run on.
        outcomes: one for each call.
        changes: by how much the account's balance of each watched token, and of `COIN`, changed, gas not counted;
            empty where it is not complete.
        allowances: what spenders may still take afterwards, Permit2 or what it lets take included, by (token, spender).
        others: tokens that moved to or from the account and were not watched.
        method: how it was made.
        missing: what it does not tell, in words; empty where it is complete.
        nodes: who says so, where several were asked by themselves.
        alone: why no second node confirms it, where there is one; "" otherwise.
    """

    at: At
    outcomes: tuple[Outcome, ...]
    changes: dict[bytes, int]
    allowances: dict[tuple[bytes, bytes], int]
    others: frozenset[bytes]
    method: Method
    missing: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    alone: str = ""

    @property
    def block(self) -> int:
        """Its number."""
        return self.at.number

    @property
    def complete(self) -> bool:
        """It tells all that the calls do together."""
        return not self.missing

    @property
    def fails(self) -> bool:
        """One of them would not go through."""
        return any(outcome.ok is False for outcome in self.outcomes)

    @property
    def ok(self) -> bool:
        """All go through, as far as it can be told."""
        return not self.fails

    @property
    def why(self) -> str:
        """Why the first that does not go through does not."""
        return next((outcome.why for outcome in self.outcomes if outcome.ok is False), "")


async def simulate(
    rpc: Rpc,
    sender: bytes,
    calls: Sequence[Call],
    *,
    tokens: Sequence[bytes],
    allowed: Sequence[Approval | InnerApproval] = (),
    at: At,
) -> Simulation:
    """Run `calls` of `sender` on top of the block `at`.

    Args:
        tokens: whose balance of the sender is asked before and after.
        allowed: of which it is asked afterwards what is left.

    Raises:
        VenueRefused: two nodes contradict one another.
        NotSimulated: what was answered can not be read.
        RpcRefused, RpcDown: as `Rpc.call`.
    """
    asked = _Question(sender, tuple(calls), tuple(tokens), tuple(allowed), at)
    singles = rpc.singly() if isinstance(rpc, Several) else ()
    if len(singles) < _WITNESSES:
        return await asked.of(rpc)
    found: list[tuple[Single, Simulation]] = []
    faults: list[VenueError] = []
    waiting = list(singles)
    while waiting and _needed(found):
        part, waiting = waiting[:_WITNESSES], waiting[_WITNESSES:]
        results = await asyncio.gather(*(_told(asked, each) for each in part))
        for each, result in zip(part, results, strict=True):
            if isinstance(result, Simulation):
                found.append((each, result))
            else:
                faults.append(result)
    if not found:
        raise faults[0]
    return _together(found)


async def _told(asked: _Question, single: Single) -> Simulation | VenueError:
    try:
        return await asked.of(single)
    except VenueError as fault:
        return fault


def _needed(found: Sequence[tuple[Single, Simulation]]) -> bool:
    """Whether another node has to be asked: two that tell everything are enough."""
    return sum(each.complete for _, each in found) < _WITNESSES


def _together(found: Sequence[tuple[Single, Simulation]]) -> Simulation:
    """The one that tells most, confirmed by the others.

    Raises:
        VenueRefused: two contradict one another.
    """
    best_node, best = max(found, key=lambda each: each[1].complete)
    others = [each for each in found if each[0] is not best_node]
    for node, other in others:
        if _contradicts(best, other):
            raise VenueRefused(
                "chain.simulation_disputed",
                f"Two nodes contradict one another about what it would do: {best_node.name} says {told(best)}; "
                f"{node.name} says {told(other)}.",
                next_step="Nothing is signed until they agree. Compare them with a block explorer.",
            )
    alone = "" if others else "no second node could run it on this block"
    return replace(best, nodes=tuple(node.name for node, _ in [(best_node, best), *others]), alone=alone)


def _contradicts(one: Simulation, other: Simulation) -> bool:
    """Gas is not compared: clients reckon it a little differently."""
    known = zip(one.outcomes, other.outcomes, strict=True)
    if any(None not in {a.ok, b.ok} and a.ok != b.ok for a, b in known):
        return True
    if not (one.complete and other.complete):
        return False
    return (one.changes, one.allowances, one.others) != (other.changes, other.allowances, other.others)


def told(simulation: Simulation) -> str:
    """In a few words: base units by address."""
    if simulation.fails:
        return f"it fails ({simulation.why})"
    if not simulation.complete:
        return "it goes through"
    moved = [f"{_name(token)} {change:+d}" for token, change in simulation.changes.items() if change]
    left = [f"{_name(token)} may still lose {left}" for (token, _), left in simulation.allowances.items() if left]
    strange = [f"{_name(token)} moves too" for token in sorted(simulation.others)]
    return ", ".join([*moved, *left, *strange]) or "nothing changes"


def _name(token: bytes) -> str:
    return "coin" if token == COIN else abi.hexed(token)


@dataclass(frozen=True, slots=True)
class _Question:
    """One question, for any node."""

    sender: bytes
    calls: tuple[Call, ...]
    tokens: tuple[bytes, ...]
    allowed: tuple[Approval | InnerApproval, ...]
    at: At

    async def of(self, rpc: Asked) -> Simulation:
        """By the best way that `rpc` has.

        Raises:
            NotSimulated, RpcRefused, RpcDown.
        """
        balances = [self._reads(Call(token, abi.BALANCE_OF.encode(self.sender))) for token in self.tokens]
        allowed = [self._reads(each.left(self.sender)) for each in self.allowed]
        acts = [Step(self.sender, call) for call in self.calls]
        try:
            method, ran = await run(rpc, [*balances, *acts, *balances, *allowed], self.at)
        except NotSimulated:
            return await self._one_by_one(rpc)
        return self._read(method, ran)

    def _reads(self, call: Call) -> Step:
        return Step(self.sender, call, reads=True)

    def _read(self, method: Method, ran: Sequence[Ran]) -> Simulation:
        tokens, count = len(self.tokens), len(self.calls)
        before, rest = ran[:tokens], ran[tokens:]
        acts, after, allowed = rest[:count], rest[count : count + tokens], rest[count + tokens :]
        changes = {
            token: _number(late) - _number(early) for token, early, late in zip(self.tokens, before, after, strict=True)
        }
        moved = [move for each in acts for move in self._mine(each)]
        changes[COIN] = sum(amount for token, amount in moved if token == COIN)
        return Simulation(
            at=self.at,
            outcomes=tuple(Outcome(each.ok, each.gas, "" if each.ok else revert_words(each.data)) for each in acts),
            changes=changes,
            allowances={
                (each.token, each.spender): _number(result) for each, result in zip(self.allowed, allowed, strict=True)
            },
            others=frozenset(token for token, _ in moved if token not in changes),
            method=method,
        )

    def _mine(self, ran: Ran) -> list[tuple[bytes, int]]:
        """(token, amount) of each transfer from (negative) and to the account."""
        found: list[tuple[bytes, int]] = []
        for token, giver, taker, amount in ran.moves:
            found += [(token, -amount)] if giver == self.sender else []
            found += [(token, amount)] if taker == self.sender else []
        return found

    async def _one_by_one(self, rpc: Asked) -> Simulation:
        """Whether the first goes through; what it moves is not seen, and those after it depend on it."""
        first = await self._asked(rpc, self.calls[0])
        later = [Outcome(None, 0) for _ in self.calls[1:]]
        missing = ["the node can not say what it moves, only whether it goes through"]
        if later:
            missing = ["the node can not run the swap before the approval is in a block: nobody knows what it would do"]
        return Simulation(self.at, (first, *later), {}, {}, frozenset(), Method.CALL, missing=tuple(missing))

    async def _asked(self, rpc: Asked, call: Call) -> Outcome:
        asked, block = request(Step(self.sender, call)), block_parameter(self.at)
        try:
            await rpc.call("eth_call", [asked, block])
        except RpcRefused as refusal:
            if refusal.rpc_code == 3 or refusal.data or "revert" in refusal.message.lower():
                return Outcome(False, 0, revert_words(refusal.data))
            raise
        try:
            estimate = int(str(await rpc.call("eth_estimateGas", [asked, block])), 16)
            return Outcome(True, estimate + SAME_TIME_GAS)
        except RpcRefused as refusal:
            if lacks(refusal):
                return Outcome(True, 0)
            raise
        except ValueError as error:
            raise RpcDown(
                "chain.garbled", "The node answered eth_estimateGas with something that is no number."
            ) from error


def _number(ran: Ran) -> int:
    """What a token says.

    Raises:
        NotSimulated: nothing that is a number.
    """
    if (found := ran.number) is None:
        raise NotSimulated("chain.not_simulated", "A token does not say what the account has of it.")
    return found
