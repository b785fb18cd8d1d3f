"""`Nodes`: several endpoints of one chain as one `Rpc`. Which are asked is here; how answers are compared is
`agreement`'s business, what becomes of a transaction `broadcast`'s.

Whether a node has the chain that it should is asked before it is first used and again before each transaction: one
that has another is not used again until `reset`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.engine.clock import Clock
from app.venues.evm.nodes.agreement import Agreed, Answer, Disagreed
from app.venues.evm.nodes.broadcast import Broadcast
from app.venues.evm.nodes.faults import Disagreement, Fault, NodeFault
from app.venues.evm.nodes.health import Mode, NodesView, Standing, mode_of, quorum_words
from app.venues.evm.nodes.lookout import Lookout
from app.venues.evm.nodes.member import Member, best_first, members
from app.venues.evm.nodes.methods import asks_for_latest, block_needed, judge, pinned
from app.venues.evm.nodes.refusals import ask_another
from app.venues.evm.nodes.settings import NodesSettings
from app.venues.evm.nodes.wire import quantity
from app.venues.evm.rpc import RpcDown, RpcRefused, Single

_LOOK_MS: Final = 1_000
"""The nodes are looked at once per block, but not more often than this."""
_BLOCKS: Final = frozenset({"eth_getBlockByHash", "eth_getBlockByNumber"})
"""Answered with null by a node that has not got so far."""
_GRACE_MS: Final = 500
"""For nodes that have not answered when a quorum has."""
_REMEMBER_MS: Final = 60_000
"""How long a contradiction forbids new trades when nobody asks the same again."""


class Nodes:
    """The endpoints of one chain.

    Raises:
        ConfigError: settings that can not be used.
    """

    def __init__(self, settings: NodesSettings, clock: Clock) -> None:
        settings.check()
        self.settings = settings
        self._clock = clock
        self._members = members(settings, clock)
        self._lookout = Lookout(self._members, settings, clock)
        self._broadcast = Broadcast()
        self._contradictions: dict[str, tuple[int, str]] = {}
        self._late: set[asyncio.Task[Answer | NodeFault]] = set()

    async def start(self) -> NodesView:
        """Ask every node for its chain and its head. Nodes that do not answer are no error: they are asked again."""
        await self._lookout.look()
        return self.snapshot()

    async def watch(self) -> None:
        """Look at the nodes for ever, once per block. To be run as a task, and cancelled."""
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + max(self.settings.block_ms, _LOOK_MS))
            await self._lookout.look()

    async def close(self) -> None:
        """Close all connections; a transaction still on its way to slower nodes is given up there."""
        await self._broadcast.close()
        late = list(self._late)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for each in self._members:
            await each.node.close()

    def reset(self, name: str = "") -> None:
        """By hand: believe all nodes, or the one called `name`, to be well, and ask again which chain they have."""
        for each in self._members:
            if name in {"", each.name}:
                each.reset()
        self._contradictions.clear()

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """As `Rpc.call`. A read at block N goes to a node that has block N; that one node does not know a block by its
        hash says something of that node.

        Raises:
            RpcRefused: a node answered with an error that is about the question.
            RpcDown: no node answered; the words name each and why.
        """
        return await self.call_first(None, method, params)

    async def call_first(self, first: Member | None, method: str, params: Sequence[Any] = ()) -> Any:
        """As `call`, asking `first` before the others."""
        faults: list[NodeFault] = []
        refusal: RpcRefused | None = None
        unknown = False
        candidates = await self._having(block_needed(method, params), faults)
        for each in sorted(candidates, key=lambda member: member is not first):
            try:
                found = await each.ask(method, params)
            except NodeFault as fault:
                faults.append(fault)
            except RpcRefused as refused:
                if not ask_another(refused.rpc_code, refused.message, refused.data):
                    raise
                refusal = refusal or refused
            else:
                if found is not None or method not in _BLOCKS:
                    return found
                unknown = True
        if unknown:
            return None
        if refusal is not None:
            raise refusal
        raise _down(method, faults)

    async def agreed(self, method: str, params: Sequence[Any] = ()) -> Any:
        """As `Rpc.agreed`. "latest" is read as the block that a quorum has reached; `agreement` says what agreeing is
        of a nonce, a receipt, a transaction, a block, the head, and of anything else.

        Raises:
            RpcRefused: a quorum refused.
            Disagreement: they contradict one another.
            RpcDown: fewer than a quorum answered.
        """
        if asks_for_latest(method, params):
            params = pinned(method, params, quantity(await self.agreed("eth_blockNumber")))
        answers, faults = await self._ask_all(method, params)
        needed = self.settings.needed
        lacking = [each for each in answers if _lacks(each)]
        if len(lacking) < len(answers):  # who lacks what was asked for contradicts nobody
            answers = [each for each in answers if each not in lacking]
        if len(answers) < needed:
            raise _down(method, faults, f"{len(answers)} answered, {needed} must agree. ", lacking)
        verdict = judge(method)(answers, needed)
        if isinstance(verdict, Disagreed):
            found = Disagreement(method, verdict.sides)
            self._contradictions[method] = (self._clock.now_ms(), found.what)
            raise found
        self._contradictions.pop(method, None)
        self._outvoted(verdict)
        return verdict.result

    async def send_raw(self, raw: bytes) -> None:
        """As `Rpc.send_raw`: to all nodes that are well, once each, together; returns when one has taken it, and the
        others finish by themselves. What each said is in `snapshot().last_send`. It sends in any mode: whether to trade
        at all is for the caller, by `mode`; bytes once sent may always be sent again.

        Raises:
            RpcRefused: every node that was given it refused it.
            RpcDown: it was given to none; `sent` is "no".
            VenueUnknown: a node may have taken it.
        """
        await self._broadcast.send(raw, [each for each in self._members if each.sends])

    def mode(self) -> tuple[Mode, str]:
        """What may be done as things are, and why not more."""
        well = [each for each in self._members if each.well]
        views = (each.view() for each in self._members)
        return mode_of(
            Standing(
                configured=len(self._members),
                usable=len(well),
                sending=sum(each.sends for each in well),
                needed=self.settings.needed,
                fork=self._lookout.fork,
                disagreement=self._contradiction(),
                head_age_ms=self._lookout.head_age_ms,
                stale_after_ms=self.settings.stale_ms,
                troubles=" ".join(f"{view.name} {view.trouble}." for view in views if view.trouble),
            )
        )

    def snapshot(self) -> NodesView:
        """Everything a Health screen needs; holds no key."""
        mode, reason = self.mode()
        return NodesView(
            chain_id=self.settings.chain_id,
            mode=mode,
            reason=reason,
            needed=self.settings.needed,
            quorum=quorum_words(self.settings.needed, len(self._members)),
            head=self._lookout.head,
            head_age_ms=self._lookout.head_age_ms,
            checked_ms=self._lookout.checked_ms,
            nodes=tuple(each.view() for each in self._members),
            last_send=tuple((each.node, str(each.answer)) for each in self._broadcast.last),
        )

    def best(self) -> list[Member]:
        """Nodes that may be asked, best first."""
        return best_first(self._members, self.settings.lag_allowed)

    def singly(self) -> Sequence[Single]:
        """As `Several.singly`: what one node says where two are to be compared. A node that has not a block says so."""
        return tuple(_Alone(each) for each in self.best() if each.well)

    async def _having(self, number: int | None, faults: list[NodeFault]) -> list[Member]:
        """Nodes that have block `number`, best first. Their heads are asked for when none is known to have it."""
        for fresh in (False, True):
            if number is None:
                break
            if fresh:
                await self._lookout.look()
            found = [each for each in self.best() if each.head is not None and each.head.number >= number]
            if found:
                return found
        if number is None:
            return self.best()
        faults += [
            each.node.fault(Fault.BEHIND, f"block {number}, it has {each.head.number}")
            for each in self.best()
            if each.head is not None
        ]
        return []

    async def _ask_all(self, method: str, params: Sequence[Any]) -> tuple[list[Answer], list[NodeFault]]:
        """Answers and faults of all nodes, in the trader's order; those late when a quorum has answered are left
        out, and go on for their own health's sake."""
        tasks = [asyncio.create_task(_answer(each, method, params)) for each in self._members]
        for task in tasks:
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        waiting: set[asyncio.Task[Answer | NodeFault]] = set(tasks)
        while waiting:
            answered = sum(task.done() and isinstance(task.result(), Answer) for task in tasks)
            enough = answered >= self.settings.needed
            _, waiting = await asyncio.wait(
                waiting,
                timeout=_GRACE_MS / 1000 if enough else None,
                return_when=asyncio.ALL_COMPLETED if enough else asyncio.FIRST_COMPLETED,
            )
            if enough:
                break
        found = [task.result() for task in tasks if task.done()]
        return [x for x in found if isinstance(x, Answer)], [x for x in found if isinstance(x, NodeFault)]

    def _outvoted(self, verdict: Agreed) -> None:
        for each in self._members:
            if each.name in verdict.against:
                each.node.health.went_wrong("said something else than the others")

    def _contradiction(self) -> str:
        now = self._clock.now_ms()
        found = [words for at, words in self._contradictions.values() if now - at < _REMEMBER_MS]
        return found[0] if found else ""


@dataclass(frozen=True, slots=True)
class _Alone:
    """One node, asked by itself."""

    member: Member

    @property
    def name(self) -> str:
        """Its host."""
        return self.member.name

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """As `Member.ask`."""
        return await self.member.ask(method, params)


async def _answer(member: Member, method: str, params: Sequence[Any]) -> Answer | NodeFault:
    try:
        return Answer(member.name, await member.ask(method, params))
    except RpcRefused as refused:
        return Answer(member.name, refusal=refused)
    except NodeFault as fault:
        return fault


def _lacks(answer: Answer) -> bool:
    """It says something about the node rather than about the question."""
    refusal = answer.refusal
    return refusal is not None and ask_another(refusal.rpc_code, refusal.message, refusal.data)


def _down(method: str, faults: Sequence[NodeFault], before: str = "", lacking: Sequence[Answer] = ()) -> RpcDown:
    refusals = [f"{each.node} said: {each.refusal.message}." for each in lacking if each.refusal is not None]
    words = " ".join([*(fault.what for fault in faults), *refusals]) or "None can be used."
    return RpcDown(
        "chain.down",
        f"The nodes gave no answer to {method}. {before}{words}",
        next_step="Nothing is known of it. See the nodes on the Health screen.",
    )
