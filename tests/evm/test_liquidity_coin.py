"""Liquidity with the chain's own coin, an arbitrage that comes back to where it began, and a transaction that does
nothing: what the receipt says was moved is what the account has more or less. Truth: anvil with Uniswap's contracts."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import pytest

from app.practice.chain.node import hex_of
from app.venues.evm.abi import hexed
from app.venues.evm.acts import Act, Nothing, encode
from app.venues.evm.assemble import Assembler, Wish
from app.venues.evm.chain import DexKind
from app.venues.evm.effects import least, paid
from app.venues.evm.liquidity.plans import Terms, collect_act, open_act, withdraw_act
from app.venues.evm.liquidity.position import Held
from app.venues.evm.liquidity.ranges import Sides
from app.venues.evm.liquidity.reader import PositionReader
from app.venues.evm.pools.reader import PoolReader
from app.venues.evm.pools.v3 import V3Pool
from app.venues.evm.receipts import Mined, Moved, moved, read_receipt, swapped
from app.venues.evm.run import COIN
from app.venues.evm.swap import Exact, Part, RouterKind, Segment, Swap
from tests.evm.chain import LocalChain
from tests.evm.pools.world import DirectRpc

FAR: Final = 2**60


class Desk:
    """The second account of the chain, which holds some of everything."""

    def __init__(self, local: LocalChain, other: str = "USDC", fee: int = 500) -> None:
        self.local, self.chain, self.rpc = local, local.chain, DirectRpc(local.node)
        self.me = local.accounts[1]
        self.weth, self.other, self.fee = local.token("WETH"), local.token(other), fee
        self.manager = local.contract("NonfungiblePositionManager")
        self.sides = Sides(local.token("ETH"), self.other)
        self.worth = {"USDC": 2_500 * 10**6, "PUP": 50_000 * 10**18}[other]

    def terms(self, *, coin: bool = True) -> Terms:
        return Terms(50, self.me, FAR, coin)

    async def pool(self) -> V3Pool:
        reader = PoolReader(self.chain, self.rpc)
        found = await reader.discover([self.weth.address, self.other.address], await reader.head())
        pools = await reader.read([each for each in found if each.fee_ppm == self.fee and each.kind is DexKind.V3])
        (pool,) = pools.pools.values()
        assert isinstance(pool, V3Pool)
        return pool

    def around(self, pool: V3Pool, low: int, high: int) -> tuple[int, int]:
        """Ticks between two percentages of the price."""
        units = int(self.sides.price(pool.price) * 10**self.other.decimals)
        return self.sides.ticks(
            self.other.amount(units * low // 100), self.other.amount(units * high // 100), pool.spacing
        )

    async def held(self) -> Held:
        reader = PositionReader(self.chain, self.rpc)
        (found,) = (await reader.of(self.me, await PoolReader(self.chain, self.rpc).head())).held
        return found

    def do(self, act: Act) -> tuple[Mined, Moved]:
        """Approve what it needs, send it, and compare what it moved with what the account has."""
        for each in paid(act, None):
            self.send(each)
        before = self.has()
        mined = self.send(act)
        after = self.has()
        after[COIN] += mined.gas
        told = moved(mined, act, self.me)
        assert told.changes == {token: after[token] - had for token, had in before.items() if after[token] != had}
        return mined, told

    def send(self, act: Act, gas: int = 3_000_000) -> Mined:
        call = encode(act)
        request = {"from": hex_of(self.me), "to": hex_of(call.to), "data": hexed(call.data), "value": hex(call.value)}
        mined = read_receipt(self.local.rpc("eth_sendTransactionSync", {**request, "gas": hex(gas)}))
        assert mined.ok
        return mined

    def has(self) -> dict[bytes, int]:
        held = {token.address: self.local.held(token.address, self.me) for token in self.chain.tokens}
        return held | {COIN: self.local.balance(self.me)}

    def swap(self, *, buys: bool) -> None:
        """Somebody trades in that pool."""
        path = (self.other.address, self.weth.address)[:: 1 if buys else -1]
        router = self.local.contract("SwapRouter02")
        who, amount = self.local.accounts[2], self.worth * 10 if buys else 10**19
        self.local.transact(path[0], "approve(address,uint256)", router, amount, sender=who)
        signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))(uint256)"
        self.local.transact(router, signature, (*path, self.fee, who, amount, 0, 0), sender=who)


@pytest.mark.parametrize("coin", [True, False], ids=["coin", "wrapped"])
@pytest.mark.parametrize(("other", "fee"), [("USDC", 500), ("PUP", 10_000)], ids=["token0", "token1"])
async def test_a_position_s_life_with_the_coin_and_without(anvil: LocalChain, other: str, fee: int, coin: bool) -> None:
    """The wrapped coin is token0 of one of the pools, token1 of the other."""
    desk = Desk(anvil, other, fee)
    asset = COIN if coin else desk.weth.address
    anvil.transact(desk.weth.address, "deposit()", sender=desk.me, value=10**20)
    pool = await desk.pool()
    ticks = desk.around(pool, 80, 125)
    most = desk.sides.ordered(5 * 10**18, desk.worth * 8)
    act, takes = open_act(desk.chain, pool, ticks, most, desk.terms(coin=coin))
    assert act.value == (5 * 10**18 if coin else 0)
    _, told = desk.do(act)
    spent = desk.sides.ordered(takes.amount0, takes.amount1)
    assert told.changes == {asset: -spent[0], desk.other.address: -spent[1]}
    assert (await desk.held()).position.number == told.position

    for buys in (True, False, True):
        desk.swap(buys=buys)
    held = await desk.held()
    fees = desk.sides.ordered(held.fees0, held.fees1)
    assert min(fees) > 0
    _, told = desk.do(collect_act(desk.chain, held, desk.terms(coin=coin)))
    assert told.changes == told.fees == {asset: fees[0], desk.other.address: fees[1]}

    desk.swap(buys=False)
    held = await desk.held()
    fees, out = desk.sides.ordered(held.fees0, held.fees1), desk.sides.ordered(*held.amounts)
    _, told = desk.do(withdraw_act(desk.chain, held, desk.terms(coin=coin)))
    assert told.changes == {asset: out[0] + fees[0], desk.other.address: out[1] + fees[1]}
    assert told.fees == {token: fee for token, fee in zip((asset, desk.other.address), fees, strict=True) if fee}
    assert anvil.balance(desk.manager) == anvil.held(desk.weth.address, desk.manager) == 0, "nothing is left behind"


async def test_a_position_that_needs_none_of_the_coin_gets_all_of_it_back(anvil: LocalChain) -> None:
    """Above the price only the token is taken: every wei that went along comes back."""
    desk = Desk(anvil)
    pool = await desk.pool()
    act, takes = open_act(desk.chain, pool, desk.around(pool, 50, 80), desk.sides.ordered(10**18, 10**9), desk.terms())
    assert desk.sides.ordered(takes.amount0, takes.amount1)[0] == 0
    _, told = desk.do(act)
    assert set(told.changes) == {desk.other.address}
    held = await desk.held()
    assert not held.in_range
    _, told = desk.do(withdraw_act(desk.chain, held, desk.terms()))
    assert set(told.changes) == {desk.other.address}
    assert told.fees == {}


@pytest.mark.parametrize("coin", [True, False], ids=["coin", "wrapped"])
def test_an_arbitrage_moves_what_it_wins(anvil: LocalChain, coin: bool) -> None:
    desk = Desk(anvil)
    anvil.transact(desk.weth.address, "deposit()", sender=desk.me, value=10**20)
    desk.swap(buys=False)
    desk.swap(buys=False)  # the pool has too much WETH now
    weth, usdc = desk.weth.address, desk.other.address
    segments = (Segment(DexKind.V3, (weth, usdc, weth), (3000, 500)),)
    router, parts = anvil.contract("SwapRouter02"), (Part(segments, 10**18, 0),)
    swap = Swap(router, RouterKind.MANY, Exact.IN, parts, desk.me, FAR, coin, coin)
    mined, told = desk.do(swap)
    ((token, won),) = told.changes.items()
    assert token == (COIN if coin else weth)
    assert won != 0
    spent, received = swapped(mined, swap, desk.me)
    assert won == (received - spent if coin else received)


def test_nothing_takes_the_place_of_another_transaction(anvil: LocalChain) -> None:
    desk = Desk(anvil)
    nonce = anvil.nonce(desk.me)
    mined, told = desk.do(Nothing(desk.me))
    assert told == Moved({})
    assert mined.logs == ()
    assert anvil.nonce(desk.me) == nonce + 1


@pytest.mark.parametrize(("other", "fee"), [("USDC", 500), ("PUP", 10_000)], ids=["token0", "token1"])
async def test_the_same_number_of_units_of_both_does_not_hide_which_is_the_coin(
    anvil: LocalChain, other: str, fee: int
) -> None:
    desk = Desk(anvil, other, fee)
    pool = await desk.pool()
    act, takes = open_act(desk.chain, pool, desk.around(pool, 80, 125), (10**9, 10**9), desk.terms())
    assert act.value == 10**9 - 1
    assert [each.token for each in paid(act, None)] == [desk.other.address]
    _, told = desk.do(act)
    spent = desk.sides.ordered(takes.amount0, takes.amount1)
    assert told.changes == {asset: -each for asset, each in zip((COIN, desk.other.address), spent, strict=True) if each}


@pytest.mark.parametrize("coin", [True, False], ids=["coin", "wrapped"])
async def test_what_is_simulated_before_it_is_signed_is_what_is_reckoned_and_its_gas_is_enough(
    anvil: LocalChain, coin: bool
) -> None:
    """The approvals of a new position among it; of one that is there, its tokens have to be watched."""
    desk = Desk(anvil)
    anvil.transact(desk.weth.address, "deposit()", sender=desk.me, value=10**20)
    assembler, reader = Assembler(desk.chain, desk.rpc, desk.me), PoolReader(desk.chain, desk.rpc)
    watched = (desk.weth.address, desk.other.address)
    asset = COIN if coin else desk.weth.address

    async def simulated(act: Act) -> dict[bytes, int]:
        made = await assembler.assemble(Wish(act, await reader.head(), least(act), watched), Decimal(2500), ())
        assert made.simulation.complete
        for each in made.transactions:
            desk.send(each.act, each.fields.gas)
        return {token: change for token, change in made.simulation.changes.items() if change}

    pool = await desk.pool()
    most = desk.sides.ordered(5 * 10**18, desk.worth * 8)
    act, takes = open_act(desk.chain, pool, desk.around(pool, 80, 125), most, desk.terms(coin=coin))
    spent = desk.sides.ordered(takes.amount0, takes.amount1)
    assert await simulated(act) == {asset: -spent[0], desk.other.address: -spent[1]}
    desk.swap(buys=True)
    desk.swap(buys=False)
    held = await desk.held()
    fees = desk.sides.ordered(held.fees0, held.fees1)
    assert await simulated(collect_act(desk.chain, held, desk.terms(coin=coin))) == {
        asset: fees[0],
        desk.other.address: fees[1],
    }
    held = await desk.held()
    out = desk.sides.ordered(*held.amounts)
    assert await simulated(withdraw_act(desk.chain, held, desk.terms(coin=coin))) == {
        asset: out[0],
        desk.other.address: out[1],
    }
