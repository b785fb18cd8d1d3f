"""Liquidity to the unit: what opening takes, what fees have grown to, what comes out. Truth: Uniswap's own position
manager and pools on anvil, and what the tokens say that an account holds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from app.practice.chain.node import NodeRefused, Reverted, hex_of
from app.venues.evm.abi import hexed
from app.venues.evm.acts import Act, encode
from app.venues.evm.liquidity.plans import Terms, collect_act, open_act, withdraw_act
from app.venues.evm.liquidity.position import Held
from app.venues.evm.liquidity.ranges import Sides
from app.venues.evm.liquidity.reader import PositionReader
from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.reader import PoolReader
from app.venues.evm.pools.state import At
from app.venues.evm.pools.v3 import V3Pool
from app.venues.evm.receipts import Mined, Moved, moved, read_receipt
from tests.evm.pools.world import DirectRpc, World

FAR: Final = 2**60
STATIC: Final = "collect((uint256,address,uint128,uint128))(uint256,uint256)"
SINGLE: Final = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))(uint256)"


@dataclass(slots=True)
class Desk:
    """One account that provides liquidity in a world of random pools."""

    world: World
    chance: random.Random
    me: bytes

    @property
    def terms(self) -> Terms:
        return Terms(50, self.me, FAR)

    async def at(self) -> At:
        return await PoolReader(self.world.chain, DirectRpc(self.world.node)).head()

    async def pools(self) -> list[V3Pool]:
        reader = PoolReader(self.world.chain, DirectRpc(self.world.node))
        found = await reader.discover(self.world.tokens, await reader.head(), [self.world.dex("uni3")])
        pools = await reader.read(found, words=1)
        return [each for each in pools.pools.values() if isinstance(each, V3Pool)]

    async def pool(self, address: bytes) -> V3Pool:
        return next(each for each in await self.pools() if each.address == address)

    async def held(self, number: int) -> Held | None:
        reader = PositionReader(self.world.chain, DirectRpc(self.world.node))
        (found,) = await reader.named([(self.world.manager, number)], await self.at())
        return found

    async def there(self, number: int) -> Held:
        found = await self.held(number)
        assert found is not None
        return found

    def balances(self, tokens: Sequence[bytes]) -> list[int]:
        return [int(self.world.node.call(token, "balanceOf(address)(uint256)", self.me)) for token in tokens]

    def do(self, act: Act, tokens: Sequence[bytes]) -> tuple[Moved, tuple[int, int]]:
        """Send it; what its receipt says that it moved, and by how much each token's own balance changed."""
        before = self.balances(tokens)
        mined = self.send(act)
        assert mined.ok
        zero, one = (now - then for now, then in zip(self.balances(tokens), before, strict=True))
        told = moved(mined, act, self.me)
        assert told.changes == {token: each for token, each in zip(tokens, (zero, one), strict=True) if each}
        return told, (zero, one)

    def send(self, act: Act) -> Mined:
        call = encode(act)
        request = {"from": hex_of(self.me), "to": hex_of(call.to), "data": hexed(call.data), "gas": hex(3_000_000)}
        return read_receipt(self.world.node.rpc("eth_sendTransactionSync", request))

    def swap(self, pool: V3Pool) -> None:
        """Somebody trades, either way, until the price has moved by up to a tenth; where nothing is there, nobody."""
        slot0 = "slot0()(uint160,int24,uint16,uint16,uint16,uint8,bool)"
        root = self.world.node.call(pool.address, slot0)[0]
        down = self.chance.random() < 0.5
        by = self.chance.choice([1, 30, 1000])
        limit = root * (20_000 - by if down else 20_000 + by) // 20_000
        tokens = (pool.token0, pool.token1) if down else (pool.token1, pool.token0)
        call = (*tokens, pool.fee_ppm, self.world.trader, 10**24, 0, limit)
        with suppress(Reverted):
            self.world.node.transact(self.world.trader, self.world.dex("uni3").router, SINGLE, call)

    def range(self, pool: V3Pool) -> tuple[int, int]:
        """Around the price, beside it, or with an end exactly on it; now and then all of it."""
        if self.chance.random() < 0.1:
            widest = 887272 // pool.spacing
            return -widest * pool.spacing, widest * pool.spacing
        near, width = pool.tick // pool.spacing, self.chance.randint(1, 200)
        low = near + self.chance.choice([0, 1, -width, -width // 2, self.chance.randint(-2 * width, width)])
        return low * pool.spacing, (low + width) * pool.spacing


def static(world: World, owner: bytes, number: int) -> tuple[int, int]:
    """What collecting would pay, by the manager itself."""
    found = world.node.call(world.manager, STATIC, (number, owner, 2**128 - 1, 2**128 - 1), sender=owner)
    return int(found[0]), int(found[1])


async def test_each_step_of_a_position_s_life_moves_what_was_reckoned(world: World) -> None:
    desk = Desk(world, random.Random(11), world.trader)
    done = earned = partly = 0
    while done < 40:
        pool = desk.chance.choice(await desk.pools())
        tokens, ticks = (pool.token0, pool.token1), desk.range(pool)
        most = (10 ** desk.chance.randint(0, 22), desk.chance.randint(1, 10 ** desk.chance.randint(1, 22)))
        try:
            act, takes = open_act(world.chain, pool, ticks, most, desk.terms)
        except NoQuote:
            with pytest.raises(NodeRefused):
                probe(world, pool, ticks, most)
            continue
        told, changed = desk.do(act, tokens)
        assert changed == (-takes.amount0, -takes.amount1)
        assert told.liquidity == takes.liquidity
        assert told.position is not None
        number = told.position
        held = await desk.there(number)
        assert (held.liquidity, held.fees0, held.fees1) == (takes.liquidity, 0, 0)
        for _ in range(desk.chance.randint(0, 5)):
            desk.swap(pool)
        held = await desk.there(number)
        assert (held.fees0, held.fees1) == static(world, desk.me, number)
        told, changed = desk.do(collect_act(world.chain, held, desk.terms), tokens)
        assert changed == (held.fees0, held.fees1)
        assert told.fees == told.changes
        earned += held.fees0 + held.fees1 > 0
        desk.swap(pool)
        held = await desk.there(number)
        if held.liquidity > 10:
            partly += 1
            part = desk.chance.randint(1, held.liquidity - 1)
            portion = replace(held, liquidity=part).amounts
            told, changed = desk.do(withdraw_act(world.chain, held, desk.terms, part), tokens)
            assert changed == (portion[0] + held.fees0, portion[1] + held.fees1)
            assert told.liquidity == part
            desk.swap(pool)
            held = await desk.there(number)
        out, fees = held.amounts, (held.fees0, held.fees1)
        told, changed = desk.do(withdraw_act(world.chain, held, desk.terms), tokens)
        assert changed == (out[0] + fees[0], out[1] + fees[1])
        assert told.fees == {token: fee for token, fee in zip(tokens, fees, strict=True) if fee}
        assert await desk.held(number) is None, "it is ended"
        done += 1
    assert earned > 10
    assert partly > 20


def probe(world: World, pool: V3Pool, ticks: tuple[int, int], most: tuple[int, int]) -> Any:
    """Opening, asked of the manager without being sent."""
    wanted = (pool.token0, pool.token1, pool.fee_ppm, *ticks, *most, 0, 0, world.trader, FAR)
    signature = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
    return world.node.call(world.manager, signature, wanted, sender=world.trader)


async def test_positions_of_one_range_share_what_is_rounded_down(world: World) -> None:
    """The pool counts for all of a range together, and rounds down each time that one of them collects: what the tiny
    one asks for again and again is lost to the other, which its manager did not tell."""
    desk = Desk(world, random.Random(3), world.trader)
    pool = max(await desk.pools(), key=lambda each: each.liquidity)
    low = (pool.tick // pool.spacing - 2000) * pool.spacing
    ticks, tokens = (low, low + 4000 * pool.spacing), (pool.token0, pool.token1)
    numbers = []
    for most in ((10**4, 10**4), (10**18, 10**18)):
        act, _ = open_act(world.chain, await desk.pool(pool.address), ticks, most, desk.terms)
        told, _ = desk.do(act, tokens)
        assert told.position is not None
        numbers.append(told.position)
    tiny, other = numbers
    for _ in range(30):
        desk.swap(pool)
        held = await desk.there(tiny)
        assert desk.do(collect_act(world.chain, held, desk.terms), tokens)[1] == (held.fees0, held.fees1)
    held = await desk.there(other)
    out = held.amounts
    changed = desk.do(withdraw_act(world.chain, held, desk.terms), tokens)[1]
    assert changed == (out[0] + held.fees0, out[1] + held.fees1)


async def test_what_was_taken_out_and_left_is_there_to_collect(world: World) -> None:
    """By another program: nothing of ours leaves it there. Its ticks may be gone, and with them what grew there."""
    desk = Desk(world, random.Random(4), world.trader)
    for pool in (await desk.pools())[:8]:
        act, _ = open_act(world.chain, pool, desk.range(pool), (10**15, 10**15), desk.terms)
        told, _ = desk.do(act, (pool.token0, pool.token1))
        assert told.position is not None
        desk.swap(pool)
        decrease = "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))"
        world.node.transact(desk.me, world.manager, decrease, (told.position, told.liquidity, 0, 0, FAR))
        desk.swap(pool)
        held = await desk.there(told.position)
        assert (held.liquidity, held.amounts, held.in_range, held.empty) == (0, (0, 0), False, False)
        with pytest.raises(ValueError, match="has liquidity 0"):
            withdraw_act(world.chain, held, desk.terms)
        _, changed = desk.do(collect_act(world.chain, held, desk.terms), (pool.token0, pool.token1))
        assert changed == (held.fees0, held.fees1)
        assert (await desk.there(told.position)).empty


async def test_all_positions_of_an_account_at_one_block(world: World) -> None:
    desk = Desk(world, random.Random(8), world.trader)
    for pool in await desk.pools():
        desk.swap(pool)
    rpc = DirectRpc(world.node)
    reader = PositionReader(world.chain, rpc)
    found = await reader.of(world.trader, await desk.at())
    assert len(found.held) == world.node.call(world.manager, "balanceOf(address)(uint256)", world.trader) > 20
    assert found.left_out == 0
    assert rpc.calls.count("eth_call") <= 8, "many in one"
    for held in found.held:
        assert (held.fees0, held.fees1) == static(world, world.trader, held.position.number)
        assert world.node.call(
            world.dex("uni3").factory, "getPool(address,address,uint24)(address)",
            held.position.token0, held.position.token1, held.position.fee,
        ) == held.pool  # fmt: skip
    nobody = await reader.of(b"\x77" * 20, found.at)
    assert nobody.held == ()
    # One reader without a multicall contract reads the same.
    alone = PositionReader(replace(world.chain, multicall=None), rpc)
    assert await alone.of(world.trader, found.at) == found


async def test_bounds_hold_while_the_price_moves_within_them_and_no_further(world: World) -> None:
    desk = Desk(world, random.Random(21), world.trader)
    reverted = went = 0
    for pool in await desk.pools():
        width = 40 * pool.spacing
        near = pool.tick // pool.spacing * pool.spacing
        act, _ = open_act(world.chain, pool, (near - width, near + width), (10**18, 10**18), desk.terms)
        desk.swap(pool)
        moved_by = abs((await desk.pool(pool.address)).price ** 2 * 10_000 // pool.price**2 - 10_000)
        mined = desk.send(act)
        if mined.ok:
            went += 1
        else:
            reverted += 1
            assert moved_by >= 49, "within its bounds it goes through"
            assert moved(mined, act, desk.me) == Moved({})
    assert reverted
    assert went


async def test_impermanent_loss_is_what_keeping_the_tokens_would_have_been_worth_more(world: World) -> None:
    desk = Desk(world, random.Random(5), world.trader)
    by_address = {token.address: token for token in world.chain.tokens}
    lost = 0
    for pool in await desk.pools():
        near = pool.tick // pool.spacing * pool.spacing
        ticks = (near - 30 * pool.spacing, near + 30 * pool.spacing)
        act, takes = open_act(world.chain, pool, ticks, (10**18, 10**18), desk.terms)
        told, _ = desk.do(act, (pool.token0, pool.token1))
        assert told.position is not None
        desk.swap(pool)
        held = await desk.there(told.position)
        for pair in ((pool.token0, pool.token1), (pool.token1, pool.token0)):
            sides = Sides(by_address[pair[0]], by_address[pair[1]])
            put_in = (takes.amount0, takes.amount1)
            loss = sides.impermanent_loss(put_in, held.amounts, held.root)
            assert loss >= 0, "keeping is never worse, fees aside"
            assert loss == sides.value(*put_in, held.root) - sides.value(*held.amounts, held.root)
            lost += loss * 10**4 > sides.value(*put_in, held.root)
    assert lost, "some of them moved far enough to lose a basis point"
