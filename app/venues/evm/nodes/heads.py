"""Follows the chain block by block: by websocket where a node has one, else by asking; each block once, in order,
with the logs that were asked for. Blocks missed meanwhile are fetched; blocks that were dropped are told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.engine.clock import Clock
from app.venues.evm.nodes.branch import Branch, ChainEvent, NewBlock
from app.venues.evm.nodes.faults import Fault
from app.venues.evm.nodes.health import Block
from app.venues.evm.nodes.member import Member
from app.venues.evm.nodes.methods import read_block
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.nodes.stream import Stream, opened
from app.venues.evm.nodes.wire import Unreadable, octets, quantity
from app.venues.evm.rpc import RpcDown, RpcRefused

_FIRST_PAUSE_MS: Final = 250
_LONGEST_PAUSE_MS: Final = 30_000
"""Between two attempts at a websocket; it doubles. The chain is followed by asking meanwhile."""
_LEAST_POLL_MS: Final = 200


@dataclass(frozen=True, slots=True)
class Stale:
    """No new block for too long.

    Attributes:
        age_ms: since the last one was heard of.
    """

    age_ms: int


@dataclass(frozen=True, slots=True)
class Logs:
    """All logs of one block that fit a filter, told right after their block.

    Attributes:
        name: the filter's.
        logs: as JSON-RPC has them, in the block's order.
    """

    name: str
    block: Block
    logs: tuple[Mapping[str, Any], ...]


HeadEvent = ChainEvent | Stale | Logs


@dataclass(frozen=True, slots=True)
class HeadsView:
    """For a Health screen.

    Attributes:
        source: the node whose websocket is followed, or "polling".
        age_ms: since the last new block, None before the first.
        reconnects: websockets that ended since the start.
        trouble: why there is no websocket or no block, "" where all is well.
    """

    source: str
    tip: Block | None
    age_ms: int | None
    stale: bool
    reconnects: int
    trouble: str


class Heads:
    """
    Args:
        nodes: whom to ask.
        tell: called on the loop, in the chain's order; what it raises ends `run`.
        filters: name -> an `eth_getLogs` filter without a block. Logs are read per block, by its hash: a subscription
            to logs does not say when a block's are complete, and misses those of a gap.
    """

    def __init__(
        self,
        nodes: Nodes,
        clock: Clock,
        tell: Callable[[HeadEvent], None],
        filters: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._nodes = nodes
        self._clock = clock
        self._tell = tell
        self._filters = dict(filters or {})
        self._branch = Branch()
        self._block_ms = nodes.settings.block_ms
        self._stale_ms = nodes.settings.stale_blocks * self._block_ms
        self._heard_ms = clock.now_ms()
        self._stale = False
        self._source = ""
        self._reconnects = 0
        self._trouble = ""

    async def run(self) -> None:
        """Follow the chain for ever. To be run as a task, and cancelled."""
        self._heard_ms = self._clock.now_ms()
        tasks = [asyncio.create_task(self._go_on()), asyncio.create_task(self._watch())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # neither ends but by what it raises
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def view(self) -> HeadsView:
        """How the following goes."""
        tip = self._branch.tip
        age = None if tip is None else self._age_ms()
        return HeadsView(self._source or "polling", tip, age, self._stale, self._reconnects, self._trouble)

    async def _go_on(self) -> None:
        pause_ms = _FIRST_PAUSE_MS
        while True:
            before = self._branch.tip
            for each in self._sockets():
                await self._follow(each)
            if self._branch.tip is not before:
                pause_ms = _FIRST_PAUSE_MS  # it worked for a while
            await self._poll_for(pause_ms)
            pause_ms = min(2 * pause_ms, _LONGEST_PAUSE_MS)

    async def _follow(self, member: Member) -> None:
        """One websocket, until it ends."""
        try:
            async with opened(member.node) as stream:
                if quantity(await stream.call("eth_chainId")) != self._nodes.settings.chain_id:
                    raise member.node.fault(Fault.WRONG_CHAIN, "websocket")
                subscription = await stream.call("eth_subscribe", ("newHeads",))
                # What came between the last block told and the subscription.
                await self._take(await self._latest(member), member)
                self._source, self._trouble = member.name, ""
                await self._listen(stream, str(subscription), member)
        except (RpcDown, RpcRefused) as error:
            self._trouble = error.what
        except Unreadable as error:
            self._trouble = member.broken(error).what
        finally:
            if self._source:
                self._reconnects += 1
            self._source = ""

    async def _listen(self, stream: Stream, subscription: str, member: Member) -> None:
        while True:
            # A socket that is silent while blocks are due is as good as dead.
            await self._take(read_block(await stream.notification(subscription, self._stale_ms)), member)

    async def _poll_for(self, pause_ms: int) -> None:
        """Ask for the head once per block, until the next attempt at a websocket is due."""
        until = self._clock.now_ms() + pause_ms
        while True:
            await self._poll()
            now = self._clock.now_ms()
            wake = now + max(self._block_ms, _LEAST_POLL_MS)
            if self._sockets():
                if now >= until:
                    return
                wake = min(wake, until)
            await self._clock.sleep_until(wake)

    async def _poll(self) -> None:
        try:
            await self._take(await self._latest(None), None)
            if not self._sockets():
                self._trouble = ""
        except (RpcDown, RpcRefused) as error:
            self._trouble = error.what
        except Unreadable as error:
            self._trouble = f"A node {error.fault}."

    def _sockets(self) -> list[Member]:
        return [each for each in self._nodes.best() if each.node.settings.ws_url]

    async def _latest(self, member: Member | None) -> Block:
        return read_block(await self._nodes.call_first(member, "eth_getBlockByNumber", ("latest", False)) or {})

    async def _take(self, head: Block, member: Member | None) -> None:
        """Join a head to what is known, fetching what lies between, and tell."""
        if member is not None:
            member.saw(head)
        if self._branch.knows(head):
            return
        fresh = [head]
        while (parent := self._branch.missing(fresh)) is not None:
            fresh.insert(0, await self._by_hash(parent, fresh[0], member))
        logs = {each.hash: await self._logs(each, member) for each in fresh}
        for event in self._branch.join(fresh):
            self._tell(event)
            if isinstance(event, NewBlock):
                self._heard_ms, self._stale = self._clock.now_ms(), False
                for found in logs[event.block.hash]:
                    self._tell(found)

    async def _by_hash(self, wanted: bytes, child: Block, member: Member | None) -> Block:
        asked = "0x" + wanted.hex()
        found = await self._nodes.call_first(member, "eth_getBlockByHash", (asked, False))
        if found is None:
            raise RpcDown("chain.gap", f"No node has block {asked}, the parent of block {child.number}.")
        block = read_block(found)
        if block.number != child.number - 1:
            raise Unreadable.shape("a parent that is not one block below")
        return block

    async def _logs(self, block: Block, member: Member | None) -> Sequence[Logs]:
        found = []
        for name, each in self._filters.items():
            query = {**each, "blockHash": "0x" + block.hash.hex()}
            logs = await self._nodes.call_first(member, "eth_getLogs", (query,))
            if not isinstance(logs, list) or any(_block_of(log) != block.hash for log in logs):
                raise Unreadable.shape("logs of another block")
            found.append(Logs(name, block, tuple(logs)))
        return found

    async def _watch(self) -> None:
        """Tells once when no block has come for too long."""
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + self._block_ms)
            if not self._stale and self._age_ms() >= self._stale_ms:
                self._stale = True
                self._tell(Stale(self._age_ms()))

    def _age_ms(self) -> int:
        return max(self._clock.now_ms() - self._heard_ms, 0)


def _block_of(log: object) -> bytes:
    return octets(log.get("blockHash") if isinstance(log, dict) else None, 32)
