"""Swaps through Permit2 and the universal router bring what was quoted and leave nothing behind. The truth is anvil
with Uniswap's own contracts, Permit2 as it is on every chain among them: what leaves the account and what arrives.
"""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from app.errors import VenueRefused
from app.practice.chain.node import Reverted
from app.practice.chain.parts import Parts
from app.practice.chain.permit2 import permit2_code
from app.venues.evm.acts import Act, decode, encode
from app.venues.evm.assemble import wish_of
from app.venues.evm.chain import Approvals
from app.venues.evm.cycle_plan import CycleWanted, plan_cycle
from app.venues.evm.known_parts import PERMIT2
from app.venues.evm.planner import Plan
from app.venues.evm.routing.gas import FREE, GasPrice
from app.venues.evm.swap import Approval, Exact, InnerApproval, RouterKind, Swap
from tests.evm.chain import LocalChain
from tests.evm.test_allowances import EXPIRED
from tests.evm.test_routes import Buyer, kinds_of
from tests.evm.test_simulate import FAR

INNER = "allowance(address,address,address)(uint160,uint48,uint48)"
OUTER = "allowance(address,address)(uint256)"
TRADES = 40
WORTH = {symbol: Decimal(whole) for symbol, whole in (
    ("USDC", "2500"), ("DAI", "2500"), ("WETH", "1"), ("ETH", "1"), ("PUP", "50000"), ("WBTC", "0.05"),
)}  # fmt: skip
"""Whole tokens of one ETH's worth, about."""


@pytest.fixture
def buyer(anvil: LocalChain) -> Buyer:
    return Buyer(anvil, Approvals.PERMIT2)


async def assembled(buyer: Buyer, plan: Plan) -> list[Act]:
    made = await buyer.assembler.assemble(wish_of(plan), Decimal(2500), ())
    return [each.act for each in made.transactions]


def left(buyer: Buyer, swap: Swap) -> tuple[int, int]:
    """What Permit2 may take of what was paid, and what it lets the router take."""
    chain, token = buyer.chain, swap.token_in
    outer = chain.call(token, OUTER, buyer.me, PERMIT2)
    amount, expires, _ = chain.call(PERMIT2, INNER, buyer.me, token, swap.router)
    assert expires == swap.deadline
    return outer, amount


async def traded(buyer: Buyer, plan: Plan, ends: tuple[str, str]) -> None:
    """Approved, swapped, and exactly as quoted."""
    swap, chain = plan.swap, buyer.chain
    assert (swap.kind, swap.router) == (RouterKind.UNIVERSAL, chain.contract("UniversalRouter"))
    assert decode(encode(swap)) == swap
    acts = await assembled(buyer, plan)
    assert acts == [
        Approval(swap.token_in, PERMIT2, swap.amount_in),
        InnerApproval(PERMIT2, swap.token_in, swap.router, swap.amount_in, swap.deadline),
        swap,
    ]
    changes, _ = buyer.send(acts)
    pays, gets = ends
    assert {symbol: change for symbol, change in changes.items() if change} == {
        pays: -plan.amount_in,
        gets: plan.amount_out,
    }
    assert left(buyer, swap) == (swap.amount_in - plan.amount_in,) * 2
    held = [chain.balance(swap.router), *(chain.held(each.address, swap.router) for each in chain.chain.tokens)]
    assert held == [0] * len(held), "nothing stays with the router"


async def test_every_kind_of_route_brings_what_was_quoted(buyer: Buyer, anvil: LocalChain) -> None:
    """Random trades from a seed; among them one pool and several, V2 and V3, one after the other and at once."""
    chance, seen = random.Random(5), set[str]()
    for _ in range(TRADES):
        pays = chance.choice(["USDC", "WETH", "PUP"])
        gets = chance.choice([each for each in WORTH if each != pays and {each, pays} != {"WETH", "ETH"}])
        exact = chance.choice(list(Exact))
        of = anvil.token(pays if exact is Exact.IN else gets)
        size = Decimal(10) ** chance.randint(-2, 1) * chance.randint(1, 9)
        amount = int(size * WORTH[of.symbol] * 10**of.decimals) + chance.randint(0, 999)
        price = chance.choice([FREE, GasPrice(10**18)])
        with anvil.undone():
            plan = await buyer.plan(pays, gets, exact, amount, price=price)
            await traded(buyer, plan, (pays, gets))
        parts = plan.swap.parts
        seen |= {exact.value, *(f"{kind.value}" for kind in kinds_of(plan.swap))}
        seen |= {"split"} if len(parts) > 1 else set()
        seen |= {"mixed"} if any(len(part.segments) > 1 for part in parts) else set()
        seen |= {"hops"} if any(len(each.tokens) > 2 for part in parts for each in part.segments) else set()
        seen |= {"coin"} if plan.swap.coin_out else set()
    assert seen == {"in", "out", "v2", "v3", "split", "mixed", "hops", "coin"}


async def test_a_purchase_s_rest_ends_with_its_deadline(buyer: Buyer, anvil: LocalChain) -> None:
    soon = int(anvil.block()["timestamp"], 16) + 600
    wanted = replace(buyer.wanted("USDC", "WETH", Exact.OUT, 10**18), deadline=soon)
    plan = await buyer.planner.plan(wanted)
    acts = await assembled(buyer, plan)
    assert [type(each) for each in acts] == [Approval, InnerApproval, Swap]
    buyer.send(acts)
    rest = plan.swap.amount_in - plan.amount_in
    assert left(buyer, plan.swap) == (rest, rest)
    router = plan.swap.router
    take = "transferFrom(address,address,uint160,address)"
    anvil.impersonate(router)
    anvil.set_balance(router, 10**18)
    with anvil.undone():
        anvil.transact(PERMIT2, take, buyer.me, router, rest, plan.swap.token_in, sender=router)
    anvil.next_timestamp(soon + 1)
    anvil.mine()
    with pytest.raises(Reverted, match=EXPIRED):
        anvil.transact(PERMIT2, take, buyer.me, router, rest, plan.swap.token_in, sender=router)
    assert anvil.call(plan.swap.token_in, OUTER, buyer.me, PERMIT2) == rest


async def test_what_is_allowed_already_is_not_allowed_again(buyer: Buyer) -> None:
    async def needed() -> list[Act]:
        return await assembled(buyer, await buyer.plan("USDC", "WETH", Exact.IN, 10**9))

    outer, inner, swap = await needed()
    assert isinstance(inner, InnerApproval)
    buyer.send([outer])
    assert await needed() == [inner, swap]
    for missing in (replace(inner, amount=inner.amount - 1), replace(inner, expires=inner.expires - 1)):
        buyer.send([missing])
        assert await needed() == [inner, swap]
    buyer.send([inner])
    plan = await buyer.plan("USDC", "WETH", Exact.IN, 10**9)
    assert await assembled(buyer, plan) == [swap] == [plan.swap]
    changes, _ = buyer.send([swap])
    assert changes["WETH"] == plan.amount_out
    assert left(buyer, plan.swap) == (0, 0)


async def test_the_coin_and_taxed_tokens_go_by_their_own_routers(buyer: Buyer, anvil: LocalChain) -> None:
    plan = await buyer.plan("ETH", "USDC", Exact.IN, 10**18)
    assert plan.swap.kind is not RouterKind.UNIVERSAL
    assert await assembled(buyer, plan) == [plan.swap]
    anvil.deal(anvil.token("TAX").address, buyer.me, 10**22)
    pools = await buyer.planner.pools()
    assert await buyer.planner.taxes.learn([anvil.token("TAX").address], pools)
    plan = await buyer.plan("TAX", "WETH", Exact.IN, 10**21)
    assert (plan.swap.taxed, plan.swap.router) == (True, anvil.dex("uniswap-v2").router)
    assert await assembled(buyer, plan) == [Approval(plan.swap.token_in, plan.swap.router, 10**21), plan.swap]


async def test_a_cycle_goes_by_the_universal_router_or_not_at_all(buyer: Buyer, anvil: LocalChain) -> None:
    pools = [anvil.pool("uniswap-v3", "WETH", "USDC", fee) for fee in (500, 3000)]
    wanted = CycleWanted(anvil.token("USDC"), 10**9, 0, tuple(pools), 50, buyer.me, FAR)
    plan = await plan_cycle(buyer.planner, wanted)
    assert plan.swap.kind is RouterKind.UNIVERSAL
    outer, inner, swap = await assembled(buyer, plan)
    assert (type(outer), type(inner), swap) == (Approval, InnerApproval, plan.swap)
    changes, _ = buyer.send([outer, inner, swap])
    assert {symbol: each for symbol, each in changes.items() if each} == {"USDC": plan.amount_out - plan.amount_in}
    away = (anvil.pool("v2b", "WETH", "USDC"), pools[0])
    with pytest.raises(VenueRefused, match="No router goes through all of these pools"):
        await plan_cycle(buyer.planner, replace(wanted, pools=away))
    coin = replace(wanted, token=anvil.token("ETH"), amount=10**18)
    assert (await plan_cycle(buyer.planner, coin)).swap.kind is RouterKind.MANY


async def test_no_route_leads_by_an_exchange_without_a_universal_router(buyer: Buyer, anvil: LocalChain) -> None:
    planner = buyer.planner
    chain = replace(
        planner.chain,
        dexes=tuple(
            replace(dex, universal=dex.universal if dex.name == "v2b" else None) for dex in planner.chain.dexes
        ),
    )
    buyer.planner._chain = chain
    with pytest.raises(VenueRefused, match="by exchanges with a universal router alone"):
        await buyer.plan("USDC", "WETH", Exact.IN, 10**9)
    buyer.planner._chain = replace(chain, approvals=Approvals.ROUTER)
    assert (await buyer.plan("USDC", "WETH", Exact.IN, 10**9)).swap.kind is not RouterKind.UNIVERSAL


async def test_more_than_permit2_can_count_is_refused(buyer: Buyer) -> None:
    plan = await buyer.plan("USDC", "WETH", Exact.OUT, 10**15)
    part = replace(plan.swap.parts[0], amount_in=2**160 - 1)
    unbounded = replace(plan, swap=replace(plan.swap, parts=(part,)))
    with pytest.raises(VenueRefused, match="Permit2 counts in 160 bits"):
        await assembled(buyer, unbounded)


def test_permit2_is_the_one_of_every_chain(anvil: LocalChain, chain_parts: Parts) -> None:
    """For chain 1 the constants that are filled in are those of Ethereum's own, which the package has; and it says the
    domain of this chain."""
    assert permit2_code(chain_parts, 1).hex() in chain_parts.source(
        "@eth-optimism/contracts-bedrock/src/libraries/Preinstalls.sol"
    )
    assert anvil.chain.permit2 == PERMIT2
    code = permit2_code(chain_parts, 31337)
    assert anvil.rpc("eth_getCode", f"0x{PERMIT2.hex()}", "latest") == f"0x{code.hex()}"
    domain = anvil.call(PERMIT2, "DOMAIN_SEPARATOR()(bytes32)")
    assert domain in code
    with anvil.undone():
        anvil.rpc("anvil_setChainId", 4242)
        assert anvil.call(PERMIT2, "DOMAIN_SEPARATOR()(bytes32)") != domain
        anvil.rpc("anvil_setChainId", 31337)
