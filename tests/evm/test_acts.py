"""What neither buys nor sells: arbitrage in one transaction, permissions taken back, transactions put in the place of
others. The judge is the chain."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from app.chain_setup import ChainSetup
from app.engine.acts import Acts
from app.engine.module_views import exits_of
from app.execution.records import Trade
from app.venues.base import OrderState
from app.venues.evm.acts import encode
from app.venues.evm.chain import DexKind
from app.venues.evm.pools.state import Pool
from app.venues.evm.pools.v3 import V3Pool
from app.venues.evm.swap import Exact, Part, RouterKind, Segment, Swap
from signers.evm import decode
from strategies.acts import Cycle, Provide
from strategies.model import Intent, Side
from tests.evm.chain import LocalChain
from tests.evm.proxy import FaultProxy
from tests.evm.rig import ChainRig, chain_rig

ONE = Decimal(1)


def push(anvil: LocalChain, fee: int, dollars: int) -> None:
    """Somebody buys ETH in the V3 pool of one fee, so that it is dearer there than elsewhere."""
    whale, usdc, weth = anvil.accounts[1], anvil.token("USDC"), anvil.token("WETH")
    dex = next(each for each in anvil.chain.dexes if each.kind is DexKind.V3)
    anvil.deal(usdc.address, whale, dollars * 10**6)
    anvil.transact(usdc.address, "approve(address,uint256)", dex.router, 2**255, sender=whale)
    segment = Segment(dex.kind, (usdc.address, weth.address), (fee,))
    swap = Swap(dex.router, RouterKind.MANY, Exact.IN, (Part((segment,), dollars * 10**6, 0),), whale, 2**40)
    call = encode(swap)
    sent = {"from": f"0x{whale.hex()}", "to": f"0x{call.to.hex()}", "data": f"0x{call.data.hex()}", "gas": "0x1e8480"}
    anvil.node.rpc("eth_sendTransaction", sent)


async def pools(rig: ChainRig) -> dict[int, Pool]:
    """V3 pools of WETH and USDC by their fee."""
    usdc, weth = rig.chain.token("USDC").address, rig.chain.token("WETH").address
    setup = rig.session.setup
    assert isinstance(setup, ChainSetup)
    found = await setup.planner.pools()
    return {
        pool.fee_ppm: pool
        for pool in found.pools.values()
        if isinstance(pool, V3Pool) and {pool.token0, pool.token1} == {usdc, weth}
    }


def cycle(rig: ChainRig, asset: str, amount: str, gain: str, through: list[Pool]) -> Intent:
    intent = rig.intent(Side.BUY, "1")

    act = Cycle(asset, Decimal(amount), Decimal(gain), tuple(f"0x{pool.address.hex()}" for pool in through))
    return replace(intent, quantity=Decimal(amount), worst_price=ONE, exits=None, act=act)


async def test_an_arbitrage_is_one_transaction_and_settles_to_the_last_unit(tmp_path: Path, anvil: LocalChain) -> None:
    push(anvil, 3000, 400_000)
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        found = await pools(rig)
        before = rig.booked("USDC")
        trade = rig.session.pipeline.propose(cycle(rig, "USDC", "1000", "0.5", [found[500], found[3000]]))
        assert trade is not None, rig.desk.counters.by_rule
        await rig.reached(trade, "FILLED")
        assert rig.orders(trade) == [("approve", "FILLED"), ("act", "FILLED")]
        won = rig.booked("USDC") - before
        assert won >= Decimal("0.5")
        (income,) = rig.rows("SELECT amount FROM balances WHERE account = 'income:arbitrage:m'")
        assert Decimal(income["amount"]) == -won
        assert rig.desk.state.stakes.gains == {"USDC": won}
        assert rig.sent() == 2
        await rig.assert_agrees()
    async with chain_rig(tmp_path, anvil) as again:
        assert not again.desk.halted
        assert again.desk.state.stakes.gains == {"USDC": won}
        await again.assert_agrees()


async def test_an_arbitrage_in_the_coin_itself(tmp_path: Path, anvil: LocalChain) -> None:
    """No approval, and what is won is what came back beyond what went along."""
    push(anvil, 3000, 400_000)
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        found = await pools(rig)
        trade = rig.session.pipeline.propose(cycle(rig, "ETH", "0.5", "0.0001", [found[3000], found[500]]))
        assert trade is not None, rig.desk.counters.by_rule
        await rig.reached(trade, "FILLED")
        assert rig.orders(trade) == [("act", "FILLED")]
        assert rig.desk.state.stakes.gains["ETH"] >= Decimal("0.0001")
        await rig.assert_agrees()


async def test_a_reorganisation_takes_the_gain_back(tmp_path: Path, anvil: LocalChain) -> None:
    push(anvil, 3000, 400_000)
    async with chain_rig(tmp_path, anvil, confirmations=3) as rig:
        await rig.quoted()
        found = await pools(rig)
        trade = rig.session.pipeline.propose(cycle(rig, "ETH", "0.5", "0.0001", [found[3000], found[500]]))
        assert trade is not None
        await rig.reached(trade, "FILLED")
        assert rig.desk.state.stakes.gains["ETH"] > 0
        anvil.automine(on=False)
        anvil.reorg(1)
        await rig.reached(trade, "SUBMITTED")
        assert rig.desk.state.stakes.gains["ETH"] == 0
        assert rig.desk.state.purse.holds[trade.id].remaining == Decimal("0.5")
        anvil.automine(on=True)
        anvil.mine()
        await rig.reached(trade, "FILLED")
        assert rig.desk.state.stakes.gains["ETH"] > 0
        anvil.mine(3)
        await rig.assert_agrees()


async def test_what_somebody_else_won_first_is_not_sent(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        found = await pools(rig)
        trade = rig.session.pipeline.propose(cycle(rig, "USDC", "1000", "0.5", [found[500], found[3000]]))
        assert trade is not None
        await rig.reached(trade, "DENIED")
        assert "needs at least 1000.5" in trade.reason
        assert (rig.sent(), rig.desk.state.purse.holds) == (0, {})


async def test_a_permission_is_taken_back(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        token, spender = anvil.token("USDC"), anvil.chain.dexes[0].router
        anvil.impersonate(rig.me)
        anvil.transact(token.address, "approve(address,uint256)", spender, 5 * 10**6, sender=rig.me)
        spent = rig.on_chain("ETH")
        trade = Acts(rig.desk, rig.session.pipeline, rig.session.run).revoke("USDC", f"0x{spender.hex()}")
        await rig.reached(trade, "FILLED")
        assert anvil.call(token.address, "allowance(address,address)(uint256)", rig.me, spender) == 0
        assert rig.booked("USDC") == rig.on_chain("USDC")
        assert rig.orders(trade) == [("act", "FILLED")]
        assert spent - rig.on_chain("ETH") == next(iter(rig.desk.state.gas.values()))


async def test_nothing_in_the_place_of_a_purchase_that_waits(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        acts = Acts(rig.desk, rig.session.pipeline, rig.session.run)
        anvil.automine(on=False)
        trade = await rig.propose(quantity="0.25")
        await rig.reached(trade, "SUBMITTED")
        (waiting,) = [order for order in trade.orders.values() if order.state is OrderState.OPEN]
        ended = acts.cancel(trade, waiting)
        await rig.reached(ended, "SUBMITTED")
        anvil.mine()
        await rig.reached(ended, "FILLED")
        await rig.reached(trade, "CANCELLED")
        anvil.automine(on=True)
        assert (rig.sent(), rig.desk.state.purse.holds) == (1, {})
        assert rig.on_chain("USDC") == rig.booked("USDC")
        await rig.assert_agrees()


async def test_under_an_emergency_stop_a_place_is_taken_and_nothing_else_is_sent(
    tmp_path: Path, anvil: LocalChain
) -> None:
    """There is no other way to cancel what waits for a block."""
    async with chain_rig(tmp_path, anvil) as rig:
        acts = Acts(rig.desk, rig.session.pipeline, rig.session.run)
        anvil.automine(on=False)
        trade = await rig.propose(quantity="0.25")
        await rig.reached(trade, "SUBMITTED")
        anvil.mine()
        await rig.until(lambda: rig.orders(trade)[1:] == [("entry", "OPEN")], "the purchase waits")
        (waiting,) = [order for order in trade.orders.values() if order.state is OrderState.OPEN]
        rig.desk.stop.create("test")
        (refused,) = (await rig.session.emergency.act(flatten=False)).refused
        assert refused.startswith(waiting.request.client_id)
        assert f"countersign cancel {waiting.request.client_id[:10]}" in refused
        revoked = acts.revoke("USDC", f"0x{rig.chain.chain.dexes[0].router.hex()}")
        await rig.reached(revoked, "CANCELLED")
        ended = acts.cancel(trade, waiting)
        await rig.reached(ended, "SUBMITTED")
        (still,) = (await rig.session.emergency.act(flatten=False)).refused
        assert still == refused, "what takes its place is not to be cancelled"
        anvil.mine()
        await rig.reached(ended, "FILLED")
        await rig.reached(trade, "CANCELLED")
        anvil.automine(on=True)
        assert (rig.sent(), rig.desk.state.purse.holds) == (2, {})
        await rig.assert_agrees()


async def test_an_emergency_stop_tells_of_a_position_that_waits_to_be_opened(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        anvil.automine(on=False)
        acts = Acts(rig.desk, rig.session.pipeline, rig.session.run)
        opened = acts.provide("ETH-USDC", Provide(Decimal(1), Decimal(2500), 3000, Decimal(2000), Decimal(3000)))
        await rig.reached(opened, "SUBMITTED")
        anvil.mine()
        await rig.until(lambda: rig.orders(opened)[1:] == [("act", "OPEN")], "it waits")
        assert exits_of(rig.desk, "manual").endswith("it holds nothing; 1 act may still get into a block")
        rig.desk.stop.create("test")
        (refused,) = (await rig.session.emergency.act(flatten=False)).refused
        assert refused.startswith(opened.entries[-1].request.client_id)
        anvil.automine(on=True)
        anvil.mine()
        await rig.reached(opened, "FILLED")


async def bumped_sale(rig: ChainRig) -> tuple[Trade, Trade]:
    """A sale that waits in the pool, and what is sent in its place; nothing is mined from now on."""
    acts = Acts(rig.desk, rig.session.pipeline, rig.session.run)
    await rig.reached(await rig.propose(quantity="0.2"), "FILLED")
    rig.chain.automine(on=False)
    sale = await rig.propose(Side.SELL, "0.2")
    await rig.reached(sale, "SUBMITTED")
    (waiting,) = [order for order in sale.orders.values() if order.state is OrderState.OPEN]
    bumped = acts.bump(sale, waiting)
    await rig.reached(bumped, "SUBMITTED")
    return sale, bumped


async def test_the_same_with_higher_fees_in_the_place_of_one_that_waits(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        sale, bumped = await bumped_sale(rig)
        old, new = (decode(trade.payloads[-1].body) for trade in (sale, bumped))
        assert new.nonce == old.nonce
        assert all(
            10 * after >= 11 * before
            for before, after in ((old.max_fee, new.max_fee), (old.priority_fee, new.priority_fee))
        )
        anvil.mine()
        await rig.reached(bumped, "FILLED")
        await rig.reached(sale, "CANCELLED")
        anvil.automine(on=True)
        assert not rig.desk.state.positions.holding("m", "ETH-USDC").quantity
        await rig.assert_agrees()


async def test_what_was_replaced_is_not_sent_again_until_it_is_proven_dead(tmp_path: Path, anvil: LocalChain) -> None:
    """A node would refuse it at each block, and errors that mean nothing would bar new trades."""
    with FaultProxy(anvil.url, anvil.ws_url) as proxy:
        async with chain_rig(tmp_path, anvil, urls=((proxy.url, proxy.ws_url),), confirmations=8) as rig:
            sale, bumped = await bumped_sale(rig)
            anvil.mine()
            await rig.reached(bumped, "FILLED")
            sent = proxy.count("eth_sendRawTransaction")
            for _ in range(6):
                anvil.mine()
                await rig.until(lambda: rig.head == anvil.number(), "the block is heard of")
                asked = proxy.count("eth_getTransactionReceipt")
                await rig.until(lambda: proxy.count("eth_getTransactionReceipt") > asked, "and looked at")  # noqa: B023
            assert rig.state(sale) == "SUBMITTED", "it is not proven dead yet"
            assert proxy.count("eth_sendRawTransaction") == sent
            assert rig.rows("SELECT * FROM errors") == []
            for _ in range(4):
                anvil.mine()
                await rig.until(lambda: rig.head == anvil.number(), "the block is heard of")
            await rig.reached(sale, "CANCELLED")
            anvil.automine(on=True)
            await rig.assert_agrees()


async def test_a_position_of_liquidity_from_opening_to_its_end(tmp_path: Path, anvil: LocalChain) -> None:
    """What went in, what fees it earned, and what came out: to the last unit, and the change of what it held is told
    apart from what it earned."""
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        acts = Acts(rig.desk, rig.session.pipeline, rig.session.run)
        before = {symbol: rig.booked(symbol) for symbol in ("ETH", "USDC")}
        opened = acts.provide("ETH-USDC", Provide(Decimal(1), Decimal(2500), 3000, Decimal(2000), Decimal(3000)))
        await rig.reached(opened, "FILLED")
        assert rig.orders(opened) == [("approve", "FILLED"), ("act", "FILLED")]
        (stake,) = rig.desk.state.stakes.open.values()
        assert 0 < stake.assets["ETH"] <= 1
        assert 0 < stake.assets["USDC"] <= 2500
        await rig.assert_agrees()
        push(anvil, 3000, 400_000)
        await rig.until(lambda: stake.change().get("USDC", 0) > 1, "its worth is looked at")
        assert stake.change()["ETH"] < 0 < stake.change()["USDC"]
        collected = acts.collect(stake.position)
        await rig.reached(collected, "FILLED")
        fees = dict(rig.desk.state.stakes.gains)
        assert fees["USDC"] > 0
        await rig.assert_agrees()
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        acts = Acts(rig.desk, rig.session.pipeline, rig.session.run)
        (again,) = rig.desk.state.stakes.open.values()
        assert again.assets == stake.assets
        ended = acts.withdraw(again.position)
        await rig.reached(ended, "FILLED")
        assert rig.desk.state.stakes.open == {}
        await rig.assert_agrees()
        gas = rig.desk.state.gas["ETH"]
        after = {symbol: rig.booked(symbol) for symbol in ("ETH", "USDC")}
        gains = rig.desk.state.stakes.gains
        assert after["USDC"] - before["USDC"] == gains["USDC"]
        assert after["ETH"] - before["ETH"] == gains["ETH"] - gas
        assert gains["ETH"] < 0 < gains["USDC"]
        left = rig.rows("SELECT account FROM balances WHERE account GLOB 'assets:liquidity:*' AND amount <> '0'")
        assert left == []


async def test_a_position_that_is_booked_after_its_block_was_read_waits_for_no_other(
    tmp_path: Path, anvil: LocalChain
) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        acts = Acts(rig.desk, rig.session.pipeline, rig.session.run)
        opened = acts.provide("ETH-USDC", Provide(Decimal(1), Decimal(2500), 3000, Decimal(2000), Decimal(3000)))
        await rig.reached(opened, "FILLED")
        (stake,) = rig.desk.state.stakes.open.values()
        await rig.until(lambda: stake.worth is not None, "its worth is looked at")
        setup = rig.session.setup
        assert isinstance(setup, ChainSetup)
        setup.liquidity.held.clear()
        stake.worth = None
        await rig.until(lambda: stake.worth is not None, "its worth is looked at in the same block")


async def test_a_position_of_liquidity_that_somebody_else_took_is_told(tmp_path: Path, anvil: LocalChain) -> None:
    """The key of the account is used elsewhere: the position goes, and no balance changes."""
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        acts = Acts(rig.desk, rig.session.pipeline, rig.session.run)
        opened = acts.provide("ETH-USDC", Provide(Decimal(1), Decimal(2500), 3000, Decimal(2000), Decimal(3000)))
        await rig.reached(opened, "FILLED")
        (stake,) = rig.desk.state.stakes.open.values()
        assert (await rig.session.recovery.books.look(final=True)).differences == ()
        manager = next(dex.positions for dex in anvil.chain.dexes if dex.positions is not None)
        anvil.set_balance(manager, 10**18)
        anvil.impersonate(rig.me)
        number = int(stake.position.rpartition(":")[2])
        moved = "transferFrom(address,address,uint256)"
        anvil.transact(manager, moved, rig.me, anvil.accounts[1], number, sender=rig.me)
        found = (await rig.session.recovery.books.look(final=True)).differences
        said = {each.subject: each for each in found}[stake.position]
        assert said.stops
        assert "the account does not" in said.words
        assert stake.position in rig.desk.halted
