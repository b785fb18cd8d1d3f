"""A session's way to an EVM chain: its nodes, the account's balances as the ledger's beginning, and its pools as the
market."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from app import logs
from app.engine.clock import Clock, WallClock
from app.errors import VenueError
from app.execution.desk import Desk
from app.execution.preparation import Preparation
from app.execution.transactions import ChainPreparation
from app.market.events import MarketEvent
from app.money import DOWN, div
from app.session_plan import ChainPlan, SessionPlan
from app.venue_setup import Ours, Owner, Running
from app.venues.base import VenueInfo
from app.venues.evm.chain import Chain
from app.venues.evm.ladder import ladder
from app.venues.evm.nodes.health import Mode
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.nodes.settings import NodeSettings, NodesSettings
from app.venues.evm.planner import Planner
from app.venues.evm.practice_process import PracticeChain
from app.venues.evm.venue import EvmVenue
from strategies.model import Book

_log = logs.get(__name__)
_MANY: Final = 10
_LEAST_MS: Final = 600_000
"""How far back transactions are looked at again: many times the time until they are final, and ten minutes."""
_REPEAT_S: Final = 2.0
"""Between two tellings of the same book: well within the age at which a quote is too old to trade on."""
_FIRST_LEVEL: Final = Decimal(10)
"""Account currency, at the reference rates: what the first level of a book is about worth."""


class ChainSetup:
    """One account on one chain."""

    def __init__(self, plan: SessionPlan, chain: ChainPlan, rates: Mapping[str, Decimal]) -> None:
        self.name = chain.name
        self._plan, self._chain, self._rates, self._source = plan, chain, rates, chain.source
        self._clock: Clock = WallClock()
        self.process = PracticeChain(plan.db.with_name(f"{plan.db.name}.chain"), traders=chain.traders)
        self._venue: EvmVenue | None = None
        self._quoting: asyncio.Task[None] | None = None
        self._head = asyncio.Event()

    @property
    def venue(self) -> EvmVenue:
        """The chain as a venue."""
        assert self._venue is not None
        return self._venue

    async def connect(self, owner: Owner, ours: Ours) -> VenueInfo:
        """Start the practice chain with the account funded; ask its node; follow its blocks.

        Raises:
            VenueError: it did not start, or does not answer.
        """
        account = await owner()
        chain = self._chain.chain or await self.process.start(account.address)
        nodes = Nodes(self._chain.nodes or _nodes(chain), self._clock)
        address = bytes.fromhex(account.address[2:])
        self._venue = EvmVenue(chain, nodes, self._plan.instruments, address, self._clock, ours.order)
        self._venue.on_head = lambda _: self._head.set()
        self._venue.on_missing = ours.missing
        info = await self._venue.connect()
        self._planner = Planner(chain, nodes)
        self._head.set()
        self._quoting = asyncio.create_task(self._quote())
        return info

    async def opening(self) -> Mapping[str, Decimal]:
        """What the account has on the chain."""
        return await self.venue.balances()

    async def settle(self, ours: Ours) -> None:
        """Blocks of the last transactions may have been undone."""
        chain = self.venue.chain
        since = self._clock.now_ms() - _MANY * (chain.confirmations + 1) * chain.block_ms - _LEAST_MS
        for client_id, block in ours.recent(since):
            self.venue.watch(client_id, block)
        await self.venue.look()

    def preparation(self, desk: Desk) -> Preparation:
        """Transactions."""
        return ChainPreparation(desk, self.venue.chain, self.venue.nodes, self.venue.account, self._planner)

    async def market(self, event: MarketEvent, position: int) -> None:
        """The chain is the market."""

    def running(self) -> Running:
        """Nodes and the newest block."""
        if self._venue is None:
            return Running(self.name, False, "not connected")
        mode, why = self.venue.nodes.mode()
        quoting = self._quoting is not None and not self._quoting.done()
        if not (quoting and self.venue.following):
            return Running(f"chain {self.name}", False, "it is not followed any more: start the session again")
        return Running(f"chain {self.name}", mode is Mode.NORMAL, why or "its nodes agree")

    async def close(self) -> None:
        """Stop following; the practice chain keeps its state on disk."""
        if self._quoting is not None:
            self._quoting.cancel()
            await asyncio.gather(self._quoting, return_exceptions=True)
        if self._venue is not None:
            await self._venue.close()
        await self.process.stop()

    async def _quote(self) -> None:
        """After each block, every instrument's book."""
        books: list[Book] = []
        while True:
            if not await self._new_block():
                # No block since: what was true of the last one is true now.
                for book in books if not self.venue.heads().stale else ():
                    self._source.tell(replace(book, ts_ms=self._clock.now_ms()))
                continue
            try:
                pools = await self._planner.pools()
            except VenueError as error:
                _log.warning("chain.quotes", fault=error.what)
                self._head.set()  # asked again: what is known of a block before grows old, and is not told as new
                await self._clock.sleep_until(self._clock.now_ms() + self.venue.chain.block_ms)
                continue
            now, venue, books = self._clock.now_ms(), self.venue, []
            for instrument in self._plan.instruments:
                base, quote = venue.token(instrument.base), venue.token(instrument.quote)
                books.append(ladder(pools, instrument, base, quote, self._first(instrument.base), now))
                self._source.tell(books[-1])
                await asyncio.sleep(0)

    async def _new_block(self) -> bool:
        """Wait for one; False when none came within the time of a quote."""
        try:
            async with asyncio.timeout(_REPEAT_S):
                await self._head.wait()
        except TimeoutError:
            return False
        self._head.clear()
        return True

    def _first(self, base: str) -> Decimal:
        rate = self._rates.get(base)
        return Decimal(1) if rate is None else div(_FIRST_LEVEL, rate, 18, DOWN)


def _nodes(chain: Chain) -> NodesSettings:
    nodes = tuple(NodeSettings(url) for url in chain.rpcs)
    return NodesSettings(chain.chain_id, nodes, chain.block_ms, chain.confirmations)
