"""A session's way to an EVM chain: its nodes, the account's balances as the ledger's beginning, and its pools as the
market."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from app import logs
from app.chain_watch import ChainWatch
from app.engine.clock import Clock, WallClock
from app.errors import CountersignError, VenueError
from app.execution.chain_liquidity import ChainLiquidity
from app.execution.desk import Desk
from app.execution.mined import newest_block
from app.execution.preparation import Preparation
from app.execution.publication import Publication
from app.execution.reconcile import Check
from app.execution.reconcile_allowances import AllowanceCheck
from app.execution.reconcile_liquidity import LiquidityCheck
from app.execution.transactions import ChainPreparation
from app.market.events import MarketEvent
from app.money import DOWN, ZERO, add, div, mul
from app.portfolio.valuation import Valuation
from app.session_plan import ChainPlan, SessionPlan
from app.venue_setup import Ours, Owner, Running
from app.venues.base import Reading, VenueInfo
from app.venues.evm.allowances import AllowanceReader
from app.venues.evm.chain import Chain
from app.venues.evm.inclusion import inclusion_of
from app.venues.evm.ladder import ladder
from app.venues.evm.nodes.heads import HeadEvent
from app.venues.evm.nodes.health import Mode
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.nodes.settings import NodeSettings, NodesSettings
from app.venues.evm.planner import Planner
from app.venues.evm.pools.state import At, Pools
from app.venues.evm.practice_process import PracticeChain
from app.venues.evm.private.client import PrivateClient
from app.venues.evm.private.sends import PrivateSends, Route
from app.venues.evm.venue import EvmVenue
from strategies.model import Book

_log = logs.get(__name__)
_MANY: Final = 10
_HALF: Final = Decimal("0.5")
_LEAST_MS: Final = 600_000
"""How far back transactions are looked at again: many times the time until they are final, and ten minutes."""
_REPEAT_S: Final = 2.0
"""Between two tellings of the same book: well within the age at which a quote is too old to trade on."""
_AGAIN_MS: Final = 500
"""Until pools that could not be read are asked for again: the books of the block before grow old."""
_FIRST_LEVEL: Final = Decimal(10)
"""Account currency, at the reference rates: what the first level of a book is about worth."""


_OWN_RATE: Final = 1_000
"""Requests a second to the practice chain: it is a process of ours, and a budget would only make a trade wait."""


class ChainSetup:
    """One account on one chain."""

    def __init__(self, plan: SessionPlan, chain: ChainPlan, rates: Mapping[str, Decimal]) -> None:
        self.name = chain.name
        self._plan, self._chain, self._rates, self._source = plan, chain, rates, chain.source
        self._clock: Clock = WallClock()
        self.process = PracticeChain(plan.db.with_name(f"{plan.db.name}.chain"), traders=chain.traders)
        self._venue: EvmVenue | None = None
        self._desk: Desk | None = None
        self._watch: ChainWatch | None = None
        self._books: dict[str, Book] = {}
        """The newest, by symbol: what it has told, which the session may not have heard yet."""
        self._value = Valuation(plan.instruments, rates, self._mark)
        self._quoting: tuple[asyncio.Task[None], ...] = ()
        self._pools: Pools | None = None
        """As the newest books were made of."""
        self._looked_for: tuple[At, set[str]] | None = None
        """Positions of liquidity that were not there at the last look, and its block."""
        self._quoted = asyncio.Event()
        self._missing: Callable[[str], None] = lambda _: None
        self._publication: Publication | None = None
        self._head = asyncio.Event()
        self._since = 0
        """The newest block that the disk has something of: what has ended is not in memory after a start."""

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
        client = None if chain.private is None else PrivateClient(chain.private, chain.chain_id, self._clock)
        private = PrivateSends(nodes, client, self._route)
        private.on_overdue = self._overdue
        self._missing = ours.missing
        self._venue = EvmVenue(chain, nodes, self._plan.instruments, address, self._clock, ours.order, private)
        self._venue.on_head = self._on_head
        self._venue.on_missing = ours.missing
        info = await self._venue.connect()
        self.planner = Planner(chain, nodes, self._booked)
        self.liquidity = ChainLiquidity(chain, nodes, address)
        self._watch = ChainWatch(
            chain,
            nodes,
            self._plan.instruments,
            self._source,
            self._clock,
            self.liquidity,
            self.planner,
            self._value.last_rate,
        )
        self._head.set()
        self._quoting = (asyncio.create_task(self._quote()), asyncio.create_task(self._tell()))
        return info

    async def opening(self) -> Reading:
        """What the account has on the chain."""
        chain, reading = self.venue.chain, await self.venue.reading(sure=True)
        assets = (chain.native.symbol, *(token.symbol for token in chain.tokens))
        return replace(reading, balances={asset: reading.balances.get(asset, ZERO) for asset in assets})

    async def settle(self, ours: Ours) -> None:
        """Blocks of the last transactions may have been undone."""
        chain = self.venue.chain
        since = self._clock.now_ms() - _MANY * (chain.confirmations + 1) * chain.block_ms - _LEAST_MS
        recent = [(client_id, inclusion_of(block)) for client_id, block in ours.recent(since)]
        self._since = max((place.number for _, place in recent), default=0)
        for client_id, place in recent:
            self.venue.watch(client_id, place)
        await self.venue.look()
        await self.liquidity.read(await self.planner.newest())

    def _booked(self) -> int:
        """The newest block that something of ours is booked of."""
        return max(self._since, 0 if self._desk is None else newest_block(self._desk.state))

    @property
    def publication(self) -> Publication:
        """By what was confirmed, and published since; there once the session has a record of it."""
        assert self._publication is not None  # else a transaction of which nothing is known would go to the public
        return self._publication

    def _route(self, client_id: str) -> Route:
        return self.publication.route(client_id)

    def _overdue(self, client_id: str) -> None:
        self.publication.overdue(client_id)

    def preparation(self, desk: Desk) -> Preparation:
        """Transactions."""
        self._desk, desk.exits_only = desk, self._exits_only
        self._publication = Publication(desk, self.venue.chain.private, self._missing)
        return ChainPreparation(
            desk, self.venue.chain, self.venue.nodes, self.venue.account, self.planner, self.liquidity
        )

    def _exits_only(self) -> str:
        """Why no new trade is taken as the nodes are, or ""."""
        mode, why = self.venue.nodes.mode()
        return "" if mode is Mode.NORMAL else f"{self.name} is {mode}: {why.rstrip('.')}"

    def checks(self) -> tuple[Check, ...]:
        """Positions of liquidity and allowances, read in the block of the balances."""
        desk, venue = self._desk, self.venue
        assert desk is not None
        positions = LiquidityCheck(venue.chain, venue.account, lambda: desk.state)
        allowances = AllowanceCheck(venue.chain, AllowanceReader(venue.chain, venue.nodes), venue.account)
        venue.reader.beside |= {positions.name: positions.calls, allowances.name: allowances.calls}
        return positions, allowances

    def listen(self, wanted: Callable[[type], bool]) -> None:
        """What happens on the chain."""
        assert self._watch is not None
        self._watch.wanted = wanted

    async def market(self, event: MarketEvent, position: int) -> None:
        """The chain is the market."""

    def running(self) -> Running:
        """Nodes and the newest block."""
        if self._venue is None:
            return Running(self.name, False, "not connected")
        mode, why = self.venue.nodes.mode()
        quoting = bool(self._quoting) and not any(task.done() for task in self._quoting)
        if not (quoting and self.venue.following):
            return Running(f"chain {self.name}", False, "it is not followed any more: start the session again")
        return Running(f"chain {self.name}", mode is Mode.NORMAL, why or "its nodes agree")

    async def close(self) -> None:
        """Stop following; the practice chain keeps its state on disk."""
        for task in self._quoting:
            task.cancel()
        await asyncio.gather(*self._quoting, return_exceptions=True)
        if self._venue is not None:
            await self._venue.close()
        await self.process.stop()

    async def _quote(self) -> None:
        """After each block, every instrument's book."""
        while True:
            if not await self._new_block():
                # No block since: what was true of the last one is true now.
                await self._find_booked()
                for book in self._books.values() if not self.venue.heads().stale else ():
                    self._source.tell(replace(book, ts_ms=self._clock.now_ms()))
                continue
            try:
                pools = await self.planner.pools()
                if self._desk is not None and (self._desk.state.stakes.open or self.liquidity.held):
                    await self.liquidity.read(pools.at)
            except VenueError as error:
                _log.warning("chain.quotes", fault=error.what)
                self._head.set()  # asked again: what is known of a block before grows old, and is not told as new
                await self._clock.sleep_until(self._clock.now_ms() + min(self.venue.chain.block_ms, _AGAIN_MS))
                continue
            if self._desk is not None:
                self.liquidity.mark(self._desk.state.stakes, self._desk.instruments)
            now, venue, self._books = self._clock.now_ms(), self.venue, {}
            for instrument in self._plan.instruments:
                base, quote = venue.token(instrument.base), venue.token(instrument.quote)
                taxed = self.planner.taxes.market(self.planner.chain, pools, base.address, quote.address)
                book = ladder(pools, instrument, base, quote, self._first(instrument.base), now, taxed)
                self._books[instrument.symbol] = book
                self._source.tell(book)
                await asyncio.sleep(0)
            self._pools = pools
            self._quoted.set()

    async def _find_booked(self) -> None:
        """Look for positions of liquidity that were booked after their block was read, once in each block: the next one
        can be long in coming."""
        desk, pools = self._desk, self._pools
        if desk is None or pools is None:
            return
        unseen = {stake.position for stake in desk.state.stakes.open.values()} - self.liquidity.held.keys()
        if not unseen or self._looked_for == (pools.at, unseen):
            return
        try:
            await self.liquidity.read(pools.at)
        except VenueError as error:
            _log.warning("chain.quotes", fault=error.what)
            return
        self._looked_for = (pools.at, unseen - self.liquidity.held.keys())
        self.liquidity.mark(desk.state.stakes, desk.instruments)

    async def _tell(self) -> None:
        """After the books of a block, what else happened. A task of its own: books do not wait for it."""
        await self._learn()
        while True:
            await self._quoted.wait()
            self._quoted.clear()
            if self._desk is None or self._watch is None or self._pools is None:
                continue
            try:
                await self._watch.look(self._pools, self._desk)
            except CountersignError as error:
                _log.warning("chain.news", fault=error.what)

    async def _learn(self) -> None:
        """What the tokens of the instruments take of their transfers, but for those that are trusted: of them nobody
        asks until a simulation contradicts a trade."""
        chain, names = self.venue.chain, [each for i in self._plan.instruments for each in (i.base, i.quote)]
        tokens = dict.fromkeys(self.venue.token(name).address for name in names)
        asked = [each for each in tokens if each not in chain.trusted and each != chain.native.address]
        try:
            if asked:
                await self.planner.taxes.learn(asked, await self.planner.pools())
        except VenueError as error:
            _log.warning("chain.taxes", fault=error.what)

    def _on_head(self, event: HeadEvent) -> None:
        if self._watch is not None:
            self._watch.heard(event)
        self._head.set()

    async def _new_block(self) -> bool:
        """Wait for one; False when none came within the time of a quote."""
        try:
            async with asyncio.timeout(_REPEAT_S):
                await self._head.wait()
        except TimeoutError:
            return False
        self._head.clear()
        return True

    def _mark(self, symbol: str) -> tuple[Decimal, int] | None:
        """The middle of its newest book."""
        book = self._books.get(symbol)
        quote = None if book is None else book.quote()
        return None if quote is None else (mul(add(quote.bid, quote.ask), _HALF), quote.ts_ms)

    def _first(self, base: str) -> Decimal:
        rate = self._rates.get(base)
        return Decimal(1) if rate is None else div(_FIRST_LEVEL, rate, 18, DOWN)


def _nodes(chain: Chain) -> NodesSettings:
    nodes = tuple(NodeSettings(url, requests_per_s=_OWN_RATE, burst=_OWN_RATE) for url in chain.rpcs)
    return NodesSettings(chain.chain_id, nodes, chain.block_ms, chain.confirmations)
