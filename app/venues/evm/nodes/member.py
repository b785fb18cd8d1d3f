"""A node as one of several: asked only while it has the chain that it should, its answers checked for their form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from app.engine.clock import Clock
from app.venues.evm.nodes.faults import Fault, NodeFault
from app.venues.evm.nodes.health import Block, NodeView, rank
from app.venues.evm.nodes.methods import READS, check_shape, read_block
from app.venues.evm.nodes.node import Node, Op
from app.venues.evm.nodes.settings import NodesSettings
from app.venues.evm.nodes.wire import Unreadable, quantity
from app.venues.evm.rpc import RpcRefused
from app.venues.resilience.breaker import BreakerState
from app.venues.resilience.endpoint import scrub, shown


class Member:
    """One of the nodes of a chain.

    Attributes:
        node: the endpoint.
        chain_id: what it said its chain is; None while it was not asked.
        head: the last block it told of.
        forked: it has other blocks than most.
        apart: blocks that its head is before (or, negative, behind) the quorum's.
    """

    def __init__(self, node: Node, settings: NodesSettings, clock: Clock) -> None:
        self.node = node
        self.chain_id: int | None = None
        self.head: Block | None = None
        self.forked = False
        self.apart = 0
        self._expected = settings.chain_id
        self._lag_allowed = settings.lag_allowed
        self._clock = clock
        self._head_ms = 0

    @property
    def name(self) -> str:
        """Its host, as shown."""
        return self.node.name

    @property
    def allowed(self) -> bool:
        """It may be asked: nothing says that it has another chain."""
        return self.chain_id in {None, self._expected} and not self.forked

    @property
    def well(self) -> bool:
        """It has the right chain, answers, and is where the others are."""
        known = self.allowed and self.chain_id is not None and self.head is not None
        answers = self.node.breakers[Op.READ].state is BreakerState.CLOSED
        return known and answers and abs(self.apart) <= self._lag_allowed

    @property
    def sends(self) -> bool:
        """A transaction may be given to it."""
        return self.allowed and self.node.breakers[Op.SEND].state is not BreakerState.OPEN

    async def ask(self, method: str, params: Sequence[Any] = (), *, even_forked: bool = False) -> Any:
        """A read.

        Raises:
            RpcRefused: it answered with an error.
            NodeFault: it gave no answer that can be used, or has another chain.
            ValueError: no read: what moves money goes by `Nodes.send_raw`.
        """
        if not method.startswith(READS):
            raise ValueError(f"{method} is not known to only read")
        if self.chain_id is None:
            await self.check_chain()
        if not self.allowed and not (even_forked and self.chain_id == self._expected):
            raise self.node.fault(Fault.FORKED if self.forked else Fault.WRONG_CHAIN)
        result = await self.node.call(method, params)
        try:
            check_shape(method, params, result)
        except Unreadable as error:
            raise self.broken(error) from None
        return result

    async def check_chain(self, *, urgent: bool = False) -> None:
        """Ask which chain it has.

        Raises:
            NodeFault: another one, or no answer.
        """
        try:
            self.chain_id = quantity(await self.node.call("eth_chainId", urgent=urgent))
        except Unreadable as error:
            raise self.broken(error) from None
        except RpcRefused as refused:
            raise self.node.fault(Fault.WRONG_CHAIN, f"it does not say which: {refused.message}") from None
        if self.chain_id != self._expected:
            fault = self.node.fault(Fault.WRONG_CHAIN, f"{self.chain_id}, not {self._expected}")
            self.node.health.went_wrong(f"{fault.fault}: {fault.detail}")
            raise fault

    async def look(self) -> None:
        """Ask for its head; what goes wrong is in its health."""
        try:
            self.saw(read_block(await self.ask("eth_getBlockByNumber", ("latest", False), even_forked=True) or {}))
        except Unreadable as error:
            self.broken(error)
        except (NodeFault, RpcRefused):
            pass  # the same

    def saw(self, block: Block) -> None:
        """It told of a new head, asked or by itself."""
        self.head, self._head_ms = block, self._clock.now_ms()

    async def block_at(self, number: int) -> Block | None:
        """Its block at a height, None where it can not say."""
        try:
            found = await self.ask("eth_getBlockByNumber", (hex(number), False), even_forked=True)
            return None if found is None else read_block(found)
        except (NodeFault, RpcRefused, Unreadable):
            return None

    def reset(self) -> None:
        """Believe it to be well."""
        self.chain_id, self.forked = None, False
        for breaker in self.node.breakers.values():
            breaker.reset()

    def broken(self, error: Unreadable) -> NodeFault:
        """A reply that was whole and means nothing. It counts against the node as one that was not."""
        fault = self.node.fault(error.fault, scrub(error.detail, self.node.settings.url))
        self.node.health.went_wrong(str(error.fault))
        breaker = self.node.breakers[Op.READ]
        ticket = breaker.begin()
        if ticket is not None:
            breaker.failed(ticket, str(error.fault))
        return fault

    def view(self) -> NodeView:
        """For screens."""
        node = self.node
        number = self.head.number if self.head else None
        return NodeView(
            name=node.name,
            has_stream=bool(node.settings.ws_url),
            chain_id=self.chain_id,
            usable=self.well,
            head=number,
            head_age_ms=None if number is None else max(self._clock.now_ms() - self._head_ms, 0),
            lag=max(-self.apart, 0),
            latency_us=node.health.latency_us,
            errors_percent=node.health.errors_percent,
            calls=node.health.calls,
            reading=node.breakers[Op.READ].view(),
            sending=node.breakers[Op.SEND].view(),
            budget=node.budget.view(),
            trouble=self._trouble(),
        )

    def _trouble(self) -> str:
        if self.chain_id not in {None, self._expected}:
            return f"{Fault.WRONG_CHAIN}: {self.chain_id}, not {self._expected}"
        if self.forked:
            return str(Fault.FORKED)
        if abs(self.apart) > self._lag_allowed:
            return f"is {abs(self.apart)} blocks {'before' if self.apart > 0 else 'behind'} the others"
        return self.node.health.trouble


def members(settings: NodesSettings, clock: Clock) -> tuple[Member, ...]:
    """One for each endpoint; of several at one host the later are numbered."""
    seen: Counter[str] = Counter()
    found = []
    for each in settings.nodes:
        name = shown(each.url)
        seen[name] += 1
        name = name if seen[name] == 1 else f"{name} ({seen[name]})"
        found.append(Member(Node(each, clock, settings.breaker, name), settings, clock))
    return tuple(found)


def best_first(all_members: Sequence[Member], lag_allowed: int) -> list[Member]:
    """Those that may be asked, best first; equal ones in the trader's order."""
    return sorted((each for each in all_members if each.allowed), key=lambda each: rank(each.view(), lag_allowed))
