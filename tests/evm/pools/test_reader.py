"""Reading pools. Truth: the contracts on anvil; what was kept up by logs against what is read afresh."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.errors import ConfigError
from app.practice.chain.node import constructor
from app.practice.chain.parts import Parts
from app.venues.evm.chain import Chain
from app.venues.evm.pools.addresses import v2_pair, v3_pool
from app.venues.evm.pools.batch import Batch, Call
from app.venues.evm.pools.faults import NoQuote, Why
from app.venues.evm.pools.metadata import read_decimals, read_text
from app.venues.evm.pools.reader import PoolReader
from app.venues.evm.pools.state import BURN, MINT, SWAP, At, Log, Pools
from app.venues.evm.pools.v3 import V3Pool
from app.venues.evm.rpc import RpcDown, RpcRefused
from tests.evm.chain import CONTRACTS, LocalChain, out_of_pool
from tests.evm.pools.test_quotes import everything
from tests.evm.pools.world import DECIMALS, TIERS, DirectRpc, World, mint, open_position


def aggregate3(world: World, parts: Parts, contract: str = "Aggregate3") -> bytes:
    made = parts.compile(CONTRACTS / "Aggregate3.sol")[contract]
    return world.node.create(world.trader, constructor(made, ()))


async def test_addresses_are_the_factories(world: World) -> None:
    reader = PoolReader(world.chain, DirectRpc(world.node))
    found = await reader.discover(world.tokens, await reader.head())
    assert len(found) > 50
    for each in found:
        dex = world.dex(each.dex)
        made = (
            v3_pool(dex, each.token1, each.token0, each.fee_ppm)
            if dex.fee_tiers
            else v2_pair(dex, each.token1, each.token0)
        )
        assert made == each.address


async def test_a_wrong_init_code_hash_is_told(world: World) -> None:
    wrong = tuple(replace(each, init_code_hash=b"\1" * 32) for each in world.chain.dexes)
    reader = PoolReader(replace(world.chain, dexes=wrong), DirectRpc(world.node))
    with pytest.raises(ConfigError, match="init_code_hash"):
        await reader.discover(world.tokens, await reader.head())


async def test_every_way_of_asking_answers_the_same(world: World, chain_parts: Parts) -> None:
    """UniswapInterfaceMulticall, Multicall3's form, no such contract, and an address where another contract lives."""
    multicalls = (world.chain.multicall, aggregate3(world, chain_parts), None, world.quoter, b"\7" * 20)
    read, asked = [], []
    for multicall in multicalls:
        rpc = DirectRpc(world.node)
        reader = PoolReader(replace(world.chain, multicall=multicall), rpc)
        at = await reader.head()
        read.append(await reader.read(await reader.discover(world.tokens, at), at))
        asked.append(len(rpc.calls))
    assert all(each == read[0] for each in read)
    assert max(asked[:2]) < 12
    assert min(asked[2:]) > 300


@pytest.mark.parametrize("form", ["uniswap", "multicall3", "none"])
async def test_a_bad_contract_does_not_lose_the_batch(world: World, chain_parts: Parts, form: str) -> None:
    glutton = aggregate3(world, chain_parts, "Glutton")
    multicall = {"uniswap": world.chain.multicall, "multicall3": aggregate3(world, chain_parts), "none": None}[form]
    reader = PoolReader(world.chain, DirectRpc(world.node))
    at = await reader.head()
    decimals = [Call(token, bytes.fromhex("313ce567")) for token in world.tokens]
    calls = [*decimals, Call(glutton, b"\1\2\3\4"), *decimals, Call(b"\5" * 20, b""), Call(glutton, b""), *decimals]
    answers = await Batch(DirectRpc(world.node), multicall).read(calls, at)
    fine = [value.to_bytes(32) for value in DECIMALS]
    assert answers == [*fine, None, *fine, b"", None, *fine]


async def test_an_unknown_block_is_no_failure_of_every_pool(world: World) -> None:
    reader, pools = await everything(world)
    found = await reader.discover(world.tokens, pools.at)
    with pytest.raises((RpcRefused, RpcDown)):
        await reader.read(found, At(pools.at.number, b"\1" * 32))


async def test_liquidity_that_comes_and_goes_is_followed(world: World) -> None:
    """Positions opened and closed again around, above and below the price; pools that were not there before."""
    reader, pools = await everything(world)
    chance = random.Random(9)
    opened: list[tuple[int, int]] = []
    for _ in range(25):
        pool = chance.choice([each for each in pools.pools.values() if isinstance(each, V3Pool)])
        sides = (world.tokens.index(pool.token0), world.tokens.index(pool.token1))
        if opened and chance.random() < 0.4:
            number, liquidity = opened.pop(chance.randrange(len(opened)))
            part = liquidity if chance.random() < 0.5 else liquidity // 2
            world.node.transact(
                world.trader, world.manager, "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))",
                (number, part, 0, 0, 2**60),
            )  # fmt: skip
        else:
            mint(world, chance, pool.fee_ppm, sides, pool.tick)
            opened.append(last_position(world))
        done = await reader.advance(pools, await reader.head())
        assert not done.afresh
        pools = done.pools
    assert_as_afresh(pools, await reader.read(await reader.discover([*world.tokens, world.taxed], pools.at), pools.at))


async def test_positions_that_begin_or_end_at_the_price_and_ticks_where_they_meet(world: World) -> None:
    """In range from the lower tick on and not at the upper one. Where one position ends and its like begins nothing
    changes, and yet the tick is one at which the pool stops and rounds."""
    reader, pools = await everything(world)
    for pool in [each for each in pools.pools.values() if isinstance(each, V3Pool)][:6]:
        sides = (world.tokens.index(pool.token0), world.tokens.index(pool.token1))
        here, step = pool.tick // pool.spacing * pool.spacing, pool.spacing
        for ticks in ((here - 9 * step, here), (here, here + step), (here + step, here + 9 * step)):
            open_position(world, pool.fee_ppm, sides, ticks, (10**12, 10**12))
        below = (here - 40 * step, here - 36 * step), (here - 36 * step, here - 32 * step)
        for ticks in below:
            open_position(world, pool.fee_ppm, sides, ticks, (10**12, 10**12))
        pools = (await reader.advance(pools, await reader.head())).pools
    assert_as_afresh(pools, await reader.read(await reader.discover([*world.tokens, world.taxed], pools.at), pools.at))


def test_a_tick_where_equal_positions_meet_stays() -> None:
    at, empty = At(1, b"\1" * 32), V3Pool(b"p", "x", b"a", b"b", 3000, 60, 1 << 96, 0, 0, {}, (-2, 2))

    def log(topic: bytes, lower: int, upper: int, words: tuple[int, ...]) -> Log:
        edges = (each.to_bytes(32, signed=True) for each in (lower, upper))
        return Log(b"p", (topic, bytes(32), *edges), b"".join(each.to_bytes(32) for each in words))

    opened = [log(MINT, *edges, (0, 500, 1, 1)) for edges in ((-600, -60), (-60, 600))]
    both, changed = Pools(at, {b"p": empty}).after(At(2, b"\2" * 32), opened)
    pool = both.pools[b"p"]
    assert isinstance(pool, V3Pool)
    assert (dict(pool.ticks), pool.liquidity) == ({-600: (500, 500), -60: (1000, 0), 600: (500, -500)}, 500)
    assert changed == {b"p"}
    closed = [log(BURN, *edges, (500, 1, 1)) for edges in ((-600, -60), (-60, 600))]
    assert both.after(At(3, b"\3" * 32), closed)[0].pools == {b"p": empty}
    for wrong in (closed[:1] * 2, [Log(b"p", (MINT,), b"\1" * 128)], [Log(b"p", (SWAP,), bytes(64))]):
        with pytest.raises(NoQuote) as refused:
            both.after(At(3, b"\3" * 32), wrong)
        assert refused.value.why is Why.INCONSISTENT


def last_position(world: World) -> tuple[int, int]:
    held = world.node.call(world.manager, "balanceOf(address)(uint256)", world.trader)
    number = world.node.call(world.manager, "tokenOfOwnerByIndex(address,uint256)(uint256)", world.trader, held - 1)
    fields = "(uint96,address,address,address,uint24,int24,int24,uint128,uint256,uint256,uint128,uint128)"
    return number, world.node.call(world.manager, f"positions(uint256){fields}", number)[7]


def assert_as_afresh(kept: Pools, afresh: Pools) -> None:
    assert kept.at == afresh.at
    assert kept.pools == afresh.pools


def swap(world: World, pool: V3Pool, amount: int) -> None:
    world.node.transact(
        world.trader, world.dex("uni3").router,
        "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
        (pool.token0, pool.token1, pool.fee_ppm, world.trader, amount, 0, 0),
    )  # fmt: skip


async def test_several_blocks_are_caught_up_and_a_reorganisation_is_read_afresh(world: World) -> None:
    reader, pools = await everything(world)
    liquid = [each for each in pools.pools.values() if isinstance(each, V3Pool) and each.liquidity > 10**12]
    some = [each for each in liquid if each.swap(True, 10**6).taken == 10**6][:4]
    for pool in some:
        swap(world, pool, 10**6)
    done = await reader.advance(pools, await reader.head())
    assert not done.afresh
    assert done.changed == {each.address for each in some}
    out_of_pool(world.node.rpc, 3)
    world.node.rpc("anvil_reorg", 3, [])  # the last three swaps never were
    again = await reader.advance(done.pools, await reader.head())
    assert again.afresh
    assert again.changed == {each.address for each in some[1:]}
    for pool in some[1:]:
        assert again.pools.pools[pool.address] == pool
    swap(world, some[0], 10**6)
    branch = (await reader.advance(again.pools, await reader.head())).pools
    out_of_pool(world.node.rpc, 1)
    world.node.rpc("anvil_reorg", 1, [])
    world.node.rpc("anvil_mine", hex(2))  # higher than what was read, and still not its descendant
    again = await reader.advance(branch, await reader.head())
    assert (again.afresh, set(again.changed)) == (True, {some[0].address})
    world.node.rpc("anvil_mine", hex(40))
    far = await reader.advance(again.pools, await reader.head())
    assert far.afresh
    assert far.changed == frozenset()
    same = await reader.advance(far.pools, far.pools.at)
    assert (same.pools, same.changed) == (far.pools, frozenset())


async def test_a_quote_beyond_what_was_read_says_so_until_it_is_read(world: World) -> None:
    reader, pools = await everything(world, words=0)
    named = 0
    for address, pool in list(pools.pools.items()):
        if isinstance(pool, V3Pool):
            with pytest.raises(NoQuote) as refused:
                pool.exact_in(True, 10**30)
            assert refused.value.pool == address
            named += refused.value.why is Why.BEYOND_LOADED
            with pytest.raises(NoQuote) as ended:
                await reader.until_loaded(pools, lambda now, at=address: now.pools[at].exact_in(True, 10**30))  # type: ignore[misc]  # bound now
            assert ended.value.why is Why.LIQUIDITY_RAN_OUT
    assert named > 20


async def test_a_pool_without_a_price_gets_one_by_its_log(world: World) -> None:
    fee = next(iter(TIERS))
    one, other = sorted((world.taxed, world.tokens[3]))
    factory = world.dex("uni3").factory
    world.node.transact(world.trader, factory, "createPool(address,address,uint24)(address)", one, other, fee)
    reader = PoolReader(world.chain, DirectRpc(world.node))
    at = await reader.head()
    (found,) = [each for each in await reader.discover([one, other], at) if each.dex == "uni3"]
    pools = await reader.read([found], at)
    with pytest.raises(NoQuote, match="no price yet"):
        pools.pools[found.address].exact_in(True, 10**6)
    world.node.transact(world.trader, found.address, "initialize(uint160)", 3 << 95)
    done = await reader.advance(pools, await reader.head())
    (kept,), (afresh,) = (each.pools.values() for each in (done.pools, await reader.read([found], done.pools.at)))
    assert isinstance(kept, V3Pool)
    assert isinstance(afresh, V3Pool)
    assert (kept.price, kept.tick) == (afresh.price, afresh.tick) == (3 << 95, 8109)


class Chatter(DirectRpc):
    """Passes on what `change` makes of the node's answers."""

    def __init__(self, world: World, change: Callable[[str, Any], Any]) -> None:
        super().__init__(world.node)
        self.change = change

    async def call(self, method: str, params: Any = ()) -> Any:
        return self.change(method, await super().call(method, params))


@pytest.mark.parametrize(
    "garbage", [None, "", "0x", "0x0", 7, [], {}, "zz", "0xzz", "0x" + "00" * 64, "0x" + "ff" * 96], ids=repr
)
async def test_a_node_that_talks_nonsense_is_named_as_such(world: World, garbage: Any) -> None:
    reader, pools = await everything(world)
    found = await reader.discover(world.tokens, pools.at)
    talk = Chatter(world, lambda method, answer: garbage if method == "eth_call" else answer)
    try:
        empty = await PoolReader(world.chain, talk).read(found, pools.at)
    except RpcDown:
        pass
    else:
        assert empty.pools == {}, "each pool said no"
    talk = Chatter(world, lambda method, answer: garbage if method != "eth_call" else answer)
    world.node.rpc("anvil_mine", hex(1))
    with pytest.raises(RpcDown):
        await PoolReader(world.chain, talk).advance(pools, await reader.head())


NASTY = (
    ("Metadata.sol", "NamedCoin", ("x" * 1_000, "a name", 18)),
    ("Metadata.sol", "NamedCoin", ("x" * 10_000, "a name", 18)),
    ("Metadata.sol", "NamedCoin", ("\x1b[2J\u202eUSD\r\n", "a\0b", 255)),
    ("Metadata.sol", "NamedCoin", ("USDC", "", 6)),
    ("Metadata.sol", "Bytes32Coin", ()),
    ("Metadata.sol", "RevertingMetadata", ()),
    ("Metadata.sol", "Answers", (b"\xff" * 4000,)),
    ("Metadata.sol", "Answers", (b"",)),
    ("Metadata.sol", "Answers", ((32).to_bytes(32) + (2**256 - 1).to_bytes(32) + b"x",)),
    ("Odd.sol", "Reverts", (b"\xff" * 1000,)),
    ("Odd.sol", "Huge", ()),
)


async def test_what_tokens_say_of_themselves_is_cut_and_escaped(anvil: LocalChain, chain_parts: Parts) -> None:
    made = [anvil.deploy_source(file, contract, *args) for file, contract, args in NASTY]
    for multicall in (anvil.chain.multicall, anvil.deploy_source("Aggregate3.sol", "Aggregate3"), None):
        chain: Chain = replace(anvil.chain, multicall=multicall)
        reader = PoolReader(chain, DirectRpc(anvil.node))
        found = await reader.metadata([*made, b"\x09" * 20, anvil.token("USDC").address], await reader.head())
        ours = found[anvil.token("USDC").address]
        assert (ours.symbol, ours.decimals) == ("USDC", 6)
        long, longest, tricky, plain, old = (found[each] for each in made[:5])
        assert (longest.symbol, longest.name, longest.decimals) == ("", "a name", 18), "more gas than a symbol may cost"
        assert long.symbol.startswith("x" * 32 + "... (")
        assert len(long.symbol) < 60
        assert tricky.symbol == "\\x1b[2J\\u202eUSD\\x0d\\x0a"
        assert tricky.decimals is None
        assert (plain.symbol, plain.name, plain.decimals) == ("USDC", "", 6)
        assert old.symbol
        for each in found.values():
            assert max(map(len, (each.symbol, each.name))) < 60
            assert (each.symbol + each.name).isprintable()
            assert each.decimals is None or 0 <= each.decimals <= 36


def test_texts_and_numbers_of_any_form_are_read_or_left() -> None:
    assert read_text(None) == read_text(b"") == read_text(b"\1" * 31) == read_text(b"\xff" * 64) == ""
    assert read_text(b"MKR".ljust(32, b"\0")) == "MKR"
    assert [read_decimals(each) for each in (None, b"", b"\1", (37).to_bytes(32), (36).to_bytes(32))] == [
        None, None, None, None, 36,
    ]  # fmt: skip
