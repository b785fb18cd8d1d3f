"""Pools read from the chain, all at one block, and kept up with it by the logs of each new one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, TypeVar

from app.errors import ConfigError
from app.venues.evm.chain import Chain, Dex, DexKind
from app.venues.evm.pools import reads
from app.venues.evm.pools.addresses import sort_tokens, v2_pair, v3_pool
from app.venues.evm.pools.batch import Batch, Call
from app.venues.evm.pools.faults import NoQuote, Why
from app.venues.evm.pools.metadata import Metadata, read_decimals, read_text
from app.venues.evm.pools.reads import Found
from app.venues.evm.pools.state import TOPICS, At, Log, Pool, Pools
from app.venues.evm.pools.v3 import V3Pool
from app.venues.evm.rpc import Rpc, RpcDown

WORDS: Final = 2
"""Words of the tick bitmap read on either side of the price at first; one is a factor of 4.6 in price where ticks are
60 apart, of 1.026 where they are 1."""
_MOST_BEHIND: Final = 16
"""Blocks that are caught up with by their logs; further behind, reading afresh is less work."""
_MOST_ADDRESSES: Final = 200
"""Named in a filter for logs; with more pools, logs are asked for by topic alone and sorted here."""
_METADATA_GAS: Final = 100_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Advance:
    """Pools at a new block.

    Attributes:
        changed: addresses of those that are not as before.
        afresh: everything was read again: the chain was reorganised, or too many blocks had passed.
    """

    pools: Pools
    changed: frozenset[bytes]
    afresh: bool


class PoolReader:
    """Reads the pools of one chain's exchanges. Every result says of which block it is."""

    def __init__(self, chain: Chain, rpc: Rpc) -> None:
        self._chain, self._rpc = chain, rpc
        self._batch = Batch(rpc, chain.multicall)

    async def head(self, least: int = 0) -> At:
        """The newest block.

        Args:
            least: the number of a block that is known to be there: no older one is answered.

        Raises:
            RpcDown: also where none of the nodes that answer has `least`. RpcRefused.
        """
        found = _at(await self._rpc.call("eth_getBlockByNumber", ["latest", False]))[0]
        if found.number >= least:
            return found
        # Whoever is asked first is behind. By its number it is asked of one that is not.
        return _at(await self._rpc.call("eth_getBlockByNumber", [hex(least), False]))[0]

    async def discover(self, tokens: Sequence[bytes], at: At, dexes: Sequence[Dex] | None = None) -> tuple[Found, ...]:
        """The pools that the factories name for each two of `tokens`: a pair (V2), a pool per fee tier (V3).

        Args:
            dexes: None is all of the chain's.

        Raises:
            ConfigError: a factory names another address than the settings' init code hash gives: a router, which
                reckons addresses so, would pay into nothing.
            RpcDown, RpcRefused.
        """
        asked = [
            (dex, *sort_tokens(one, other), fee)
            for dex in (self._chain.dexes if dexes is None else dexes)
            for one, other in combinations(dict.fromkeys(tokens), 2)
            for fee in (dex.fee_tiers if dex.kind is DexKind.V3 else (dex.fee_bps * 100,))
        ]
        answers = await self._batch.read([reads.asked_factory(*each) for each in asked], at)
        found = []
        for (dex, token0, token1, fee), answer in zip(asked, answers, strict=True):
            address = reads.read_address(answer)
            if address is not None:
                _check_address(dex, token0, token1, fee, address)
                found.append(Found(address, dex.name, dex.kind, token0, token1, fee))
        return tuple(found)

    async def read(self, found: Sequence[Found], at: At | None = None, *, words: int = WORDS) -> Pools:
        """Their state at one block; what does not answer as a pool is left out.

        Args:
            at: None is the newest.
            words: of the tick bitmap, on either side of the price.

        Raises:
            RpcDown, RpcRefused.
        """
        block = await self.head() if at is None else at
        calls = [(each, data) for each in found for data in reads.first_calls(each)]
        answers = iter(await self._batch.read([Call(each.address, data) for each, data in calls], block))
        pools: dict[bytes, Pool] = {}
        for each in found:
            pool = reads.read_pool(each, [next(answers) for _ in reads.first_calls(each)])
            if pool is not None:
                pools[pool.address] = pool
        wanted = [(each, reads.around(each, words)) for each in pools.values() if isinstance(each, V3Pool)]
        return Pools(block, pools).merged(await self._with_words(wanted, block))

    async def widen(self, pools: Pools, address: bytes) -> Pools:
        """`pools` with twice as many words of one pool's tick bitmap on either side, read at the same block.

        Raises:
            NoQuote: LIQUIDITY_RAN_OUT, there are no more words.
            RpcDown, RpcRefused.
        """
        pool = pools.pools[address]
        if not isinstance(pool, V3Pool):
            raise NoQuote(Why.LIQUIDITY_RAN_OUT, address)
        low, high = pool.words
        more = max(high - low + 1, 1)
        below = range(max(low - more, reads.first_word(pool.spacing)), low)
        above = range(high + 1, min(high + more, reads.last_word(pool.spacing)) + 1)
        wanted = [(pool, each) for each in (below, above) if each]
        if not wanted:
            raise NoQuote(Why.LIQUIDITY_RAN_OUT, address)
        for part in wanted:
            (pool,) = await self._with_words([(pool, part[1])], pools.at)
        return pools.merged([pool])

    async def reach(self, pools: Pools, addresses: Sequence[bytes], ticks: int) -> Pools:
        """`pools` with the liquidity of some of them read up to `ticks` from their prices, at the same block.

        Raises:
            RpcDown, RpcRefused.
        """
        for below in (True, False):
            wanted = []
            for address in addresses:
                pool = pools.pools[address]
                if isinstance(pool, V3Pool) and (words := reads.towards(pool, ticks, below=below)):
                    wanted.append((pool, words))
            pools = pools.merged(await self._with_words(wanted, pools.at))
        return pools

    async def until_loaded(self, pools: Pools, ask: Callable[[Pools], T]) -> tuple[Pools, T]:
        """What `ask` answers, reading further wherever it says BEYOND_LOADED, and the pools as read by then.

        Raises:
            NoQuote: any other reason. RpcDown, RpcRefused.
        """
        while True:
            try:
                return pools, ask(pools)
            except NoQuote as fault:
                if fault.why is not Why.BEYOND_LOADED:
                    raise
                pools = await self.widen(pools, fault.pool)

    async def advance(self, pools: Pools, at: At) -> Advance:
        """`pools` at the block `at`: by the logs of the blocks between where `at` descends from theirs, else afresh.

        Raises:
            RpcDown, RpcRefused.
        """
        if at == pools.at:
            return Advance(pools, frozenset(), afresh=False)
        between = await self._blocks_between(pools.at, at)
        if between is not None:
            logs = [log for block in between for log in await self._logs(block, pools)]
            try:
                after, changed = pools.after(at, logs)
            except NoQuote:
                pass  # a contract that does not log what a pool logs
            else:
                return Advance(after, changed, afresh=False)
        afresh = await self.read([reads.found_of(each) for each in pools.pools.values()], at)
        changed = frozenset(
            key for key in {*pools.pools, *afresh.pools} if pools.pools.get(key) != afresh.pools.get(key)
        )
        return Advance(afresh, changed, afresh=True)

    async def metadata(self, tokens: Sequence[bytes], at: At) -> dict[bytes, Metadata]:
        """What tokens say of themselves; see `Metadata`.

        Raises:
            RpcDown, RpcRefused.
        """
        asked = (reads.SYMBOL, reads.NAME, reads.DECIMALS)
        calls = [Call(token, data, _METADATA_GAS, hostile=True) for token in tokens for data in asked]
        answers = iter(await self._batch.read(calls, at))
        found = {}
        for token in tokens:
            symbol, name, decimals = next(answers), next(answers), next(answers)
            found[token] = Metadata(token, read_text(symbol), read_text(name), read_decimals(decimals))
        return found

    async def _with_words(self, wanted: Sequence[tuple[V3Pool, range]], at: At) -> list[V3Pool]:
        """Each pool with those words of its tick bitmap and the ticks in them."""
        numbered = [(pool, number) for pool, words in wanted for number in words]
        bitmaps = await self._batch.read([reads.asked_word(pool, number) for pool, number in numbered], at)
        ticks = [
            (pool, tick)
            for (pool, number), bitmap in zip(numbered, bitmaps, strict=True)
            for tick in reads.ticks_in(reads.word(_whole(bitmap), 0), number, pool.spacing)
        ]
        answers = await self._batch.read([reads.asked_tick(pool, tick) for pool, tick in ticks], at)
        found: dict[bytes, dict[int, tuple[int, int]]] = {pool.address: {} for pool, _ in wanted}
        for (pool, tick), answer in zip(ticks, answers, strict=True):
            whole = _whole(answer)
            found[pool.address][tick] = (reads.word(whole, 0), reads.signed(whole, 1))
        return [reads.with_ticks(pool, words, found[pool.address]) for pool, words in wanted]

    async def _blocks_between(self, old: At, new: At) -> list[At] | None:
        """The blocks after `old` up to `new`, oldest first; None where `new` does not descend from it soon enough."""
        if not old.number < new.number <= old.number + _MOST_BEHIND:
            return None
        blocks, block = [], new
        while block.number > old.number:
            blocks.append(block)
            same, parent = _at(await self._rpc.call("eth_getBlockByHash", [f"0x{block.hash.hex()}", False]))
            if same != block:
                raise RpcDown("chain.garbled", "The node told of another block than it was asked for.")
            block = At(block.number - 1, parent)
        return blocks[::-1] if block == old else None

    async def _logs(self, block: At, pools: Pools) -> list[Log]:
        """What the pools logged in one block, in order."""
        wanted: dict[str, Any] = {
            "blockHash": f"0x{block.hash.hex()}",
            "topics": [[f"0x{topic.hex()}" for topic in TOPICS]],
        }
        if len(pools.pools) <= _MOST_ADDRESSES:
            wanted["address"] = [f"0x{address.hex()}" for address in pools.pools]
        answer = await self._rpc.call("eth_getLogs", [wanted])
        if not isinstance(answer, list):
            raise RpcDown("chain.garbled", "The node answered eth_getLogs with something that is no list.")
        return [reads.read_log(entry) for entry in answer]


def _whole(answer: bytes | None) -> bytes:
    """An answer that a pool can not refuse.

    Raises:
        RpcDown: it is missing.
    """
    if answer is None or len(answer) < 32:
        raise RpcDown("chain.garbled", "A pool that gave its price did not give its ticks.")
    return answer


def _at(block: Any) -> tuple[At, bytes]:
    """A block as a node tells it, and the hash of the one before.

    Raises:
        RpcDown: it does not know it, or says nonsense.
    """
    try:
        found = At(int(block["number"], 16), bytes.fromhex(block["hash"][2:]))
        return found, bytes.fromhex(block["parentHash"][2:])
    except (KeyError, TypeError, ValueError) as error:
        raise RpcDown("chain.block-unknown", "The node does not know a block that it was asked for.") from error


def _check_address(dex: Dex, token0: bytes, token1: bytes, fee: int, address: bytes) -> None:
    made = v2_pair(dex, token0, token1) if dex.kind is DexKind.V2 else v3_pool(dex, token0, token1, fee)
    if made != address:
        raise ConfigError(
            "chain.init-code-hash",
            f"Exchange {dex.name}: its factory 0x{dex.factory.hex()} names pool 0x{address.hex()}, but with the "
            f"init_code_hash of the settings it would be 0x{made.hex()}.",
            next_step="Correct init_code_hash (or deployer, where another contract makes the pools) of this exchange.",
        )
