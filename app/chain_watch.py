"""Tells modules what happens on a chain, block by block: `strategies.chain_messages`, through the market's source, so
that it comes in one order with prices and the same chain tells the same.

Every block is told once and in order, as `Heads` joins them, those that were missed meanwhile included; what a block
says is read by its hash. When blocks are dropped, those that were told are unsaid (`Undone`) before anything else, and
those that were not are forgotten. What concerns no block but the present (cycles, young pools, liquidity) is told as of
the block whose pools were read. Nothing is asked that no module listens to.

A node that does not answer delays what is told and nothing else: books, trades and exits do not wait for it. A block
that can not be read `_PATIENCE` times is passed over, with an alert.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.engine.clock import Clock
from app.errors import Severity, VenueError
from app.execution.chain_liquidity import ChainLiquidity
from app.execution.desk import Desk
from app.market.chain.cycles import Cycles
from app.market.chain.liquidity import Ours, states, volumes
from app.market.chain.logs import PAIR_CREATED, POOL_CREATED, SWAPS, TRANSFER, Entry, logs_of, merged, padded
from app.market.chain.pairs import Pairs, created
from app.market.chain.whales import Rate, moves
from app.market.live import LiveSource
from app.money import sub
from app.venues.evm.chain import Chain
from app.venues.evm.fees import FeeRules, read_market
from app.venues.evm.nodes.branch import NewBlock, Reorganised, Skipped
from app.venues.evm.nodes.heads import HeadEvent
from app.venues.evm.nodes.health import Block
from app.venues.evm.planner import Planner
from app.venues.evm.pools.state import Pools
from app.venues.evm.rpc import Rpc
from strategies.base import NO_INSTRUMENT
from strategies.chain_messages import (
    ChainMessage,
    LiquidityState,
    NewPair,
    Opportunity,
    OpportunityEnded,
    Undone,
    WhaleMove,
)
from strategies.model import Instrument

_PATIENCE: Final = 5
"""Looks at one block that fail before it is passed over."""
_REMEMBERED: Final = 512
"""Blocks that were told: more than a reorganisation is followed through."""
_MEASURED_EVERY_MS: Final = 60_000
_NEWEST: Final = 200
"""Trades that the time of signing is measured on."""
_SIGNED: Final = (
    "SELECT sum(micros) AS micros FROM latencies WHERE step IN ('confirm', 'sign') "
    "GROUP BY trade_id HAVING count(*) > 1 ORDER BY max(id) DESC LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class _News:
    """What one block logged."""

    made: list[Entry]
    transfers: list[Entry]
    swaps: list[Entry]


_KINDS: Final = (Opportunity, OpportunityEnded, NewPair, WhaleMove, LiquidityState)


class ChainWatch:
    """Of one session on one chain; on the loop thread. `heard` is told of every event of the chain, `look` called after
    each new block's books were told.

    Args:
        rate: account currency for one of an asset, by those books.
    """

    def __init__(
        self,
        chain: Chain,
        rpc: Rpc,
        instruments: Sequence[Instrument],
        source: LiveSource,
        clock: Clock,
        liquidity: ChainLiquidity,
        planner: Planner,
        rate: Rate,
    ) -> None:
        self._chain, self._rpc, self._instruments = chain, rpc, instruments
        self._source, self._clock = source, clock
        self._liquidity, self._planner, self._rate = liquidity, planner, rate
        self._pairs = Pairs(chain, rpc, instruments)
        self._cycles = Cycles(chain, instruments)
        self._todo: deque[Block] = deque()
        self._told: deque[Block] = deque(maxlen=_REMEMBERED)
        self._unsaid: int | None = None
        """The lowest block that was told and dropped, until that is told."""
        self._missed: Skipped | None = None
        """Blocks that were too many to be told one by one, until the trader is told."""
        self._failed = 0
        self._traded: dict[bytes, tuple[int, int]] = {}
        """What was traded in pools since their last `LiquidityState`."""
        self._signing: tuple[int, int | None] = (-_MEASURED_EVERY_MS, None)
        """When it was measured, and what came of it."""
        self.wanted: Callable[[type], bool] = lambda _: False
        """Whether anybody listens to messages of a type."""

    def heard(self, event: HeadEvent) -> None:
        """Take one event of the chain; costs no look at a node."""
        if isinstance(event, NewBlock):
            self._todo.append(event.block)
        elif isinstance(event, Reorganised):
            self._dropped({block.hash for block in event.dropped})
        elif isinstance(event, Skipped):
            self._missed = event

    def _dropped(self, hashes: set[bytes]) -> None:
        self._todo = deque(block for block in self._todo if block.hash not in hashes)
        lost = [block.number for block in self._told if block.hash in hashes]
        if lost:
            self._told = deque((block for block in self._told if block.hash not in hashes), maxlen=_REMEMBERED)
            self._unsaid = min(lost) if self._unsaid is None else min(self._unsaid, *lost)

    async def look(self, pools: Pools, desk: Desk) -> None:
        """Tell what is new.

        Args:
            pools: as they are now.

        Raises:
            VenueError: a node did not answer; what was not told is told by the next look.
        """
        self._unsay()
        missed, self._missed = self._missed, None
        if missed is not None:
            text = f"Blocks {missed.first} to {missed.last} were missed: modules were not told what happened in them."
            desk.alert(Severity.LOW, "chain.missed", text)
        if not any(self.wanted(kind) for kind in _KINDS):
            self._told.extend(self._todo)
            self._todo.clear()
            return
        while self._todo and self._todo[0].number <= pools.at.number:
            block = self._todo[0]
            told = await self._read(block, pools, desk)
            self._unsay()  # dropped while it was read
            if self._todo and self._todo[0] is block and told is not None:
                self._todo.popleft()
                self._told.append(block)
                self._say(told)
        await self._say_of_now(pools, desk)

    def _unsay(self) -> None:
        if self._unsaid is None:
            return
        block, self._unsaid = self._unsaid, None
        self._pairs.undo(block)
        self._cycles.undo(block)
        symbols = (NO_INSTRUMENT, *sorted(each.symbol for each in self._instruments))
        self._say([Undone(symbol, block) for symbol in symbols])

    def _say(self, messages: Sequence[ChainMessage]) -> None:
        now = self._clock.now_ms()
        for message in messages:
            if self.wanted(type(message)):
                self._source.say(message, now)

    # -- one block ----------------------------------------------------------------------------------------------------

    async def _read(self, block: Block, pools: Pools, desk: Desk) -> list[ChainMessage] | None:
        """What it says; None: it is no longer to be told."""
        news: _News | None = None
        try:
            news = await self._news(block, pools)
        except VenueError as error:
            self._failed += self._is_next(block)
            if self._is_next(block) and self._failed < _PATIENCE:
                raise
            if self._is_next(block):
                text = f"What happened in block {block.number} was not told to modules: {error.what}"
                desk.alert(Severity.MEDIUM, "chain.untold", text)
        if not self._is_next(block):
            return None
        self._failed = 0
        return [] if news is None else self._taken(block, news, pools)

    def _is_next(self, block: Block) -> bool:
        """It was not dropped while it was read."""
        return bool(self._todo) and self._todo[0] is block

    async def _news(self, block: Block, pools: Pools) -> _News:
        made: list[Entry] = []
        if self.wanted(NewPair):
            factories = {dex.factory for dex in self._chain.dexes}
            made = await logs_of(self._rpc, block.hash, [[PAIR_CREATED, POOL_CREATED]], factories)
        transfers = await self._transfers(block) if self.wanted(WhaleMove) and self._chain.watched else []
        swaps: list[Entry] = []
        if transfers or self.wanted(LiquidityState):
            swaps = await logs_of(self._rpc, block.hash, [SWAPS], pools.pools.keys())
        return _News(made, transfers, swaps)

    def _taken(self, block: Block, news: _News, pools: Pools) -> list[ChainMessage]:
        """Nothing here waits: a block is taken as a whole or not at all."""
        chain = self._chain
        for found in self._pairs.made(block.number, created(chain, news.made)):
            self._planner.know(found)
        for address, amounts in volumes(pools, news.swaps).items():
            zero, one = self._traded.get(address, (0, 0))
            self._traded[address] = (zero + amounts[0], one + amounts[1])
        return [*moves(chain, self._instruments, block.number, news.transfers, news.swaps, pools.pools, self._rate)]

    async def _transfers(self, block: Block) -> list[Entry]:
        """Of the chain's tokens from and to watched addresses."""
        watched = [padded(address) for address, _ in self._chain.watched]
        tokens = {token.address for token in (self._chain.native, *self._chain.tokens)}
        given = await logs_of(self._rpc, block.hash, [[TRANSFER], watched], tokens)
        taken = await logs_of(self._rpc, block.hash, [[TRANSFER], None, watched], tokens)
        return merged(given, taken)

    # -- as it is now -------------------------------------------------------------------------------------------------

    async def _say_of_now(self, pools: Pools, desk: Desk) -> None:
        if self.wanted(NewPair):
            self._say(await self._pairs.look(pools.at, self._rate))
        if not any(self.wanted(kind) for kind in (Opportunity, OpportunityEnded, LiquidityState)):
            return
        gas = (await read_market(self._rpc, self._chain, FeeRules())).now
        if self.wanted(LiquidityState):
            held = await self._liquidity.read(pools.at)
            ours = Ours(held, desk.state.stakes.open.values(), lambda asset: _free(desk, asset))
            traded, self._traded = self._traded, {}
            self._say(states(self._chain, self._instruments, pools, traded, gas, ours))
        if self.wanted(Opportunity) or self.wanted(OpportunityEnded):
            self._cycles.chain = self._planner.chain
            self._say(self._cycles.look(pools, gas, self._rate, self._signing_ms(desk)))

    def _signing_ms(self, desk: Desk) -> int | None:
        """What reading and signing took of the newest trades, 90th percentile; None before the first."""
        now = self._clock.now_ms()
        if now - self._signing[0] >= _MEASURED_EVERY_MS:
            rows: list[dict[str, Any]] = desk.state.reader.rows(_SIGNED, (_NEWEST,))
            took = sorted(row["micros"] for row in rows)
            measured = took[math.ceil(0.9 * len(took)) - 1] // 1000 if took else None
            self._signing = (now, measured)
        return self._signing[1]


def _free(desk: Desk, asset: str) -> Decimal:
    """What liquidity may take: neither reserved, nor kept for the exits of what modules hold, nor for gas."""
    free = desk.state.purse.available(asset)
    for holding in desk.state.positions.open_holdings():
        if desk.instruments[holding.symbol].base == asset:
            free = sub(free, holding.quantity)
    gas = desk.max_gas() if asset == desk.venue_info.gas_asset else None
    return max(Decimal(0), free if gas is None else sub(free, gas))
