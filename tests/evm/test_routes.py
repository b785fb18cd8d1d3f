"""Routes of one transaction: purchases over several, V2 and V3 together, gas at its price, liquidity read as far as a
trade needs it. The truth is anvil with Uniswap's contracts: what leaves the account and what arrives there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from app.errors import VenueRefused
from app.practice.chain.node import constructor
from app.practice.chain.parts import HERE, Parts
from app.venues.evm.acts import Act, decode, encode
from app.venues.evm.assemble import Assembler, wish_of
from app.venues.evm.chain import Approvals, Chain, DexKind, Token
from app.venues.evm.planner import Plan, Planner, Wanted
from app.venues.evm.routing.gas import FREE, GasPrice
from app.venues.evm.routing.graph import Graph
from app.venues.evm.shares import gas_in
from app.venues.evm.simulate import COIN
from app.venues.evm.swap import Approval, Exact, RouterKind, Swap
from tests.evm.chain import LocalChain
from tests.evm.pools.world import MOST, DirectRpc, World, open_position
from tests.evm.test_simulate import FAR, Trader

BOTH = {DexKind.V2, DexKind.V3}


class Buyer(Trader):
    """Plans, and sends what was planned."""

    def __init__(self, chain: LocalChain, approvals: Approvals = Approvals.ROUTER) -> None:
        super().__init__(chain, DirectRpc(chain.node))
        chain.fund(self.me)
        chain.set_balance(self.me, 2_000 * 10**18)
        for symbol in ("USDC", "WETH", "PUP"):
            chain.deal(chain.token(symbol).address, self.me, 5_000_000 * 10 ** chain.token(symbol).decimals)
        described = replace(chain.chain, approvals=approvals)
        self.planner = Planner(described, self.rpc)
        self.assembler = Assembler(described, self.rpc, self.me)

    def wanted(self, pays: str, gets: str, exact: Exact, amount: int) -> Wanted:
        limit = 0 if exact is Exact.IN else 2**255
        return Wanted(self.chain.token(pays), self.chain.token(gets), exact, amount, limit, 50, self.me, FAR)

    async def plan(self, pays: str, gets: str, exact: Exact, amount: int, **price: Any) -> Plan:
        return await self.planner.plan(self.wanted(pays, gets, exact, amount), **price)

    def send(self, acts: Sequence[Act]) -> tuple[dict[str, int], list[int]]:
        """By how much balances changed, gas not counted, and units of gas of each."""
        tokens = {each.symbol: each.address for each in self.chain.chain.tokens}
        changes, units = self.happens(acts, list(tokens.values()))
        return {"ETH": changes[COIN], **{symbol: changes[at] for symbol, at in tokens.items()}}, units


@pytest.fixture
def buyer(anvil: LocalChain) -> Buyer:
    return Buyer(anvil)


def kinds_of(swap: Swap) -> set[DexKind]:
    return {segment.kind for part in swap.parts for segment in part.segments}


@pytest.mark.parametrize(
    ("pays", "gets", "amount"),
    [("USDC", "WETH", 400), ("USDC", "ETH", 400), ("ETH", "USDC", 2_000_000), ("WETH", "USDC", 2_000_000)],
)
async def test_a_purchase_over_several_routes_brings_exactly_what_was_wanted(
    buyer: Buyer, anvil: LocalChain, pays: str, gets: str, amount: int
) -> None:
    wanted = amount * 10 ** anvil.token(gets).decimals
    plan = await buyer.plan(pays, gets, Exact.OUT, wanted)
    swap = plan.swap
    assert len(swap.parts) > 1, "several routes"
    assert kinds_of(swap) == BOTH, "V2 and V3 together"
    assert swap.kind is RouterKind.MANY
    assert sum(part.amount_out for part in swap.parts) == wanted == plan.amount_out
    assert all(part.amount_in >= quote.amount_in for part, quote in zip(swap.parts, plan.quotes, strict=True))
    assert swap.amount_in == plan.amount_in * 10_050 // 10_000
    assert decode(encode(swap)) == swap
    made = await buyer.assembler.assemble(wish_of(plan), Decimal(2500), ())
    acts = [each.act for each in made.transactions]
    if swap.coin_in:
        assert acts == [swap]
        assert encode(swap).value == swap.amount_in, "what is too much of it comes back"
    else:
        assert acts == [Approval(swap.token_in, swap.router, swap.amount_in), swap]
    changes, _ = buyer.send(acts)
    assert {symbol: change for symbol, change in changes.items() if change} == {gets: wanted, pays: -plan.amount_in}
    held = [anvil.balance(swap.router), *(anvil.held(each.address, swap.router) for each in anvil.chain.tokens)]
    assert held == [0] * len(held), "nothing stays with the router"
    if not swap.coin_in:
        left = anvil.call(swap.token_in, "allowance(address,address)(uint256)", buyer.me, swap.router)
        assert left == swap.amount_in - plan.amount_in


async def test_a_purchase_may_take_most_of_what_all_routes_may_and_no_more(buyer: Buyer, anvil: LocalChain) -> None:
    """Somebody else buys first: within the bound of each route it goes through; a limit below the quote is refused."""
    wanted = replace(buyer.wanted("USDC", "WETH", Exact.OUT, 400 * 10**18), slippage_bps=100)
    plan = await buyer.planner.plan(wanted)
    with pytest.raises(VenueRefused, match="at most"):
        await buyer.planner.plan(replace(wanted, limit=plan.amount_in - 1))
    exact = await buyer.planner.plan(replace(wanted, limit=plan.amount_in))
    assert [part.amount_in for part in exact.swap.parts] == [quote.amount_in for quote in plan.quotes]
    first = await buyer.planner.plan(buyer.wanted("USDC", "WETH", Exact.OUT, 10**18))
    buyer.send([Approval(first.swap.token_in, first.swap.router, first.swap.amount_in), first.swap])
    changes, _ = buyer.send([Approval(plan.swap.token_in, plan.swap.router, plan.swap.amount_in), plan.swap])
    assert changes["WETH"] == wanted.amount
    assert plan.amount_in < -changes["USDC"] <= plan.swap.amount_in


async def test_a_sale_goes_through_v2_and_v3_at_once(buyer: Buyer, anvil: LocalChain) -> None:
    """The exchange has a Router02 of its own; SwapRouter02 says that it swaps in its pairs as well."""
    plan = await buyer.plan("WETH", "USDC", Exact.IN, 600 * 10**18)
    assert kinds_of(plan.swap) == BOTH
    assert plan.swap.router == anvil.dex("uniswap-v3").router != anvil.dex("uniswap-v2").router
    single = await buyer.plan("PUP", "USDC", Exact.IN, 10**21, price=GasPrice(10**18))
    assert single.swap.router == anvil.dex("uniswap-v2").router, "one route of its own is cheaper by its own"
    changes, _ = buyer.send([Approval(plan.swap.token_in, plan.swap.router, plan.swap.amount_in), plan.swap])
    assert (changes["WETH"], changes["USDC"]) == (-plan.amount_in, plan.amount_out)


@pytest.mark.parametrize("exact", Exact)
async def test_a_split_that_costs_more_gas_than_it_gains_is_not_chosen(
    buyer: Buyer, anvil: LocalChain, exact: Exact
) -> None:
    pays, gets = ("PUP", "WETH") if exact is Exact.IN else ("WETH", "PUP")
    amount = 20_000 * 10**18
    wei = 3_000 * 10**9
    anvil.next_base_fee(wei)
    anvil.mine()
    free = await buyer.plan(pays, gets, exact, amount, price=FREE)
    assert len(free.swap.parts) > 1
    dear = await buyer.plan(pays, gets, exact, amount)
    assert len(dear.swap.parts) == 1
    left = {}
    for name, plan in (("free", free), ("dear", dear)):
        with anvil.undone():
            router = plan.swap.router
            changes, units = buyer.send([Approval(plan.swap.token_in, router, plan.swap.amount_in), plan.swap])
            left[name] = changes["WETH"] - units[-1] * wei
    assert left["dear"] > left["free"], "with what its gas is worth, in WETH"
    one = gas_in(Graph.of((await buyer.planner.pools()).pools), anvil.token("ETH"), anvil.token("USDC").address, wei)
    assert 2_400 * wei < one.cost(10**12) < 2_500 * wei, "what selling that much ETH brings, its fee included"


# -- liquidity that is far from the price ---------------------------------------------------------------------------


@pytest.fixture
def far(world: World, chain_parts: Parts) -> tuple[World, Chain]:
    """Two new tokens with one V3 pool: some liquidity around its price, much at two distances below it."""
    made = chain_parts.compile(HERE.joinpath("contracts", "PracticeToken.sol"))["PracticeToken"]
    tokens = []
    for name in ("X", "Y"):
        data = constructor(made, (name, name, 18, 10**33, 0))
        tokens.append(world.node.create(world.trader, data))
        world.node.transact(world.trader, tokens[-1], "approve(address,uint256)", world.manager, MOST)
    tokens.sort()
    world.node.transact(
        world.trader, world.manager, "createAndInitializePoolIfNecessary(address,address,uint24,uint160)(address)",
        *tokens, 500, 1 << 96,
    )  # fmt: skip
    world = replace(world, tokens=tuple(tokens))
    for ticks, amount in (((-100, 100), 10**18), ((-6900, -6000), 10**21), ((-20_000, -15_000), 10**24)):
        open_position(world, 500, (0, 1), ticks, (amount, amount))
    dex = replace(world.dex("uni3"), fee_tiers=(500,))
    named = tuple(Token(symbol, each, 18) for symbol, each in zip("XY", tokens, strict=True))
    return world, replace(world.chain, tokens=named, dexes=(dex,))


ASKED = {
    Exact.IN: "quoteExactInputSingle((address,address,uint256,uint24,uint160))(uint256,uint160,uint32,uint256)",
    Exact.OUT: "quoteExactOutputSingle((address,address,uint256,uint24,uint160))(uint256,uint160,uint32,uint256)",
}


@pytest.mark.parametrize("exact", Exact)
@pytest.mark.parametrize("amount", [10**20, 10**23])
async def test_liquidity_is_read_as_far_as_a_trade_needs_it(
    far: tuple[World, Chain], exact: Exact, amount: int
) -> None:
    world, chain = far
    rpc = DirectRpc(world.node)
    planner = Planner(chain, rpc)
    pays, gets = chain.tokens
    wanted = Wanted(pays, gets, exact, amount, 0 if exact is Exact.IN else 2**255, 50, world.trader, FAR)
    plan = await planner.plan(wanted, FREE)
    quoted = world.node.call(world.quoter, ASKED[exact], (*world.tokens, amount, 500, 0))[0]
    assert (plan.amount_out if exact is Exact.IN else plan.amount_in) == quoted
    assert plan.unread == 0
    before = len(rpc.calls)
    assert (await planner.plan(wanted, FREE)).quotes == plan.quotes
    assert len(rpc.calls) - before <= 2, "it was read once"
    with pytest.raises(VenueRefused, match=r"Of 1 pools the liquidity was not read further"):
        await planner.plan(replace(wanted, amount=10**31), FREE)
