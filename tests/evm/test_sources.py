"""What happens on a chain, told to modules and acted on. The judge is the chain: anvil with Uniswap's own contracts,
through the watch, the modules, the pipeline and the ledger."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.chain_setup import ChainSetup
from app.market.chain.liquidity import ENDING_GAS, OPENING_GAS
from strategies.chain_messages import (
    LiquidityState,
    MoveKind,
    NewPair,
    Opportunity,
    OpportunityEnded,
    Undone,
    WhaleMove,
)
from strategies.model import Bar, Side
from tests.evm.chain import ADD_LIQUIDITY, LocalChain
from tests.evm.faults import Refused
from tests.evm.proxy import ALWAYS, FaultProxy
from tests.evm.test_acts import push
from tests.evm.test_nasty import listed
from tests.evm.trading import TradingRig, swap, trading

EAGER = {"least_lives": 0, "survival": "0.0", "least_gain": "1.0", "most_amount": "2000.0", "cool_down_blocks": 1000}
DAILY = {"after_blocks": 2, "least_liquidity": "1000.0", "least_score": 30}


async def test_a_gap_between_pools_is_told_taken_and_booked(tmp_path: Path, anvil: LocalChain) -> None:
    async with trading(tmp_path, anvil, {"arbitrage": EAGER}) as rig:
        before = {symbol: rig.booked(symbol) for symbol in ("USDC", "ETH")}
        push(anvil, 3000, 400_000)
        await rig.until(lambda: [row["state"] for row in rig.trades("arbitrage")] == ["FILLED"], rig.why)
        found = next(each for each in rig.of(Opportunity) if each.net * (each.rate or 0) > 1)
        assert len(found.pools) in {2, 3}
        asset = found.asset
        gas = rig.desk.state.gas["ETH"]
        gained = rig.booked(asset) - before[asset] + (gas if asset == "ETH" else 0)
        assert gained > 0
        assert rig.desk.state.stakes.gains[asset] == gained
        rate = rig.desk.valuation.last_rate(asset)
        coin = rig.desk.valuation.last_rate("ETH")
        assert gained * rate - gas * coin > 0, "after gas too"
        assert rig.trader.modules[0].committed() == 0
        assert rig.module("arbitrage").counters.intents == 1, "one in a cool-down"
        await rig.assert_agrees()


async def test_what_does_not_live_as_long_as_signing_takes_is_refused_with_the_number(
    tmp_path: Path, anvil: LocalChain
) -> None:
    """Somebody else is faster, each time: the gap is gone within a block."""
    params = EAGER | {"least_lives": 2, "survival": "0.5", "signing_s": "30.0"}
    weth = anvil.token("WETH").address
    async with trading(tmp_path, anvil, {"arbitrage": params}) as rig:
        for _ in range(2):
            ended, told, had = (
                len(rig.of(OpportunityEnded)),
                len(rig.of(Opportunity)),
                anvil.held(weth, anvil.accounts[1]),
            )
            swap(anvil, "USDC", "WETH", 400_000 * 10**6)
            await rig.until(lambda told=told: len(rig.of(Opportunity)) > told, rig.why)  # type: ignore[misc]  # of a loop
            swap(anvil, "WETH", "USDC", anvil.held(weth, anvil.accounts[1]) - had)
            await rig.until(lambda ended=ended: len(rig.of(OpportunityEnded)) > ended, rig.why)  # type: ignore[misc]  # as above
        assert rig.trades("arbitrage") == []
        (note, *_) = rig.module("arbitrage").notes
        assert "signing takes 30 s, 31 blocks; 0% of" in note
        assert note.endswith(": refuses")


async def test_new_pools_are_looked_at_and_told_once_and_a_honeypot_is_told_as_one(
    tmp_path: Path, anvil: LocalChain
) -> None:
    """Nothing in the settings names these tokens: they are told and not traded, whatever comes of the look."""
    async with trading(tmp_path, anvil, {"new_pairs": DAILY}) as rig:
        coin, pool = listed(anvil, "Coin")
        trap, trapped = listed(anvil, "Honeypot")
        anvil.transact(trap, "trap(address)", trapped)
        for _ in range(8):
            await rig.mined()
            await rig.until(lambda: bool(rig.of(NewPair)) and rig.of(NewPair)[-1].block == anvil.number(), rig.why)
        told = rig.alerts()
        assert len(told) == 2, told
        assert f"0x{pool.hex()}" in told[0]
        assert f"0x{coin.hex()}" in told[0]
        assert "told, not traded" in told[0]
        assert f"0x{trapped.hex()}" in told[1]
        assert "HONEYPOT" in told[1]
        assert rig.trades("new_pairs") == []
        assert rig.module("new_pairs").notes == (f"2 new pools told, the last 0x{trapped.hex()}",)


async def test_a_new_pool_of_a_token_of_the_settings_is_bought_a_little_with_a_stop(
    tmp_path: Path, anvil: LocalChain
) -> None:
    """WBTC gets a first pool with USDC on the V2 exchange: from then on it is traded in too."""
    async with trading(tmp_path, anvil, {"new_pairs": DAILY}, bar_ms=500) as rig:
        btc, usdc, giver = anvil.token("WBTC").address, anvil.token("USDC").address, anvil.accounts[0]
        router = anvil.contract("UniswapV2Router02")
        for token in (btc, usdc):
            anvil.transact(token, "approve(address,uint256)", router, 2**255)
        ends = (10 * 10**8, 500_000 * 10**6, 0, 0, giver, 2**40)
        anvil.transact(router, ADD_LIQUIDITY, btc, usdc, *ends)
        for _ in range(4):
            await rig.mined()
            await rig.until(lambda: bool(rig.of(NewPair)) and rig.of(NewPair)[-1].block == anvil.number(), rig.why)
        assert {each.symbol for each in rig.of(NewPair)} == {"WBTC-USDC"}
        await rig.until(lambda: "FILLED" in [row["state"] for row in rig.trades("new_pairs")], rig.why)
        (row,) = [each for each in rig.trades("new_pairs") if each["side"] == "buy"]
        assert row["symbol"] == "WBTC-USDC"
        setup = rig.session.setup
        assert isinstance(setup, ChainSetup)
        found = await setup.planner.pools()
        pool = anvil.call(anvil.contract("UniswapV2Factory"), "getPair(address,address)(address)", btc, usdc)
        assert bytes(pool) in found.pools
        await rig.assert_agrees()


async def test_what_a_watched_address_trades_and_moves_is_told_and_followed(tmp_path: Path, anvil: LocalChain) -> None:
    params = {"least_value": "1000.0", "full_value": "100000.0", "entry": "0.5"}
    async with trading(tmp_path, anvil, {"whales": params}, bar_ms=500) as rig:
        whale = anvil.accounts[1]
        had = anvil.held(anvil.token("WETH").address, whale)
        swap(anvil, "USDC", "WETH", 100_000 * 10**6)
        await rig.until(lambda: bool(rig.of(WhaleMove)), rig.why)
        (move,) = rig.of(WhaleMove)
        got = anvil.token("WETH").amount(anvil.held(anvil.token("WETH").address, whale) - had)
        assert (move.symbol, move.kind, move.side, move.who) == ("ETH-USDC", MoveKind.SWAP, Side.BUY, "trader-1")
        assert move.amount == got
        assert move.value is not None
        assert 90_000 < move.value < 110_000
        await rig.until(lambda: "FILLED" in [row["state"] for row in rig.trades("whales")], rig.why)
        anvil.transact(
            anvil.token("WETH").address, "transfer(address,uint256)", anvil.accounts[8], 10**18, sender=whale
        )
        await rig.until(lambda: len(rig.of(WhaleMove)) == 2, rig.why)
        last = rig.of(WhaleMove)[-1]
        assert (last.kind, last.side, last.amount) == (MoveKind.TRANSFER, Side.SELL, Decimal(1))
        await rig.assert_agrees()


async def test_what_dropped_blocks_said_is_unsaid_and_nothing_is_told_twice(tmp_path: Path, anvil: LocalChain) -> None:
    watched: dict[str, dict[str, Any]] = {"whales": {"least_value": "1000.0"}, "new_pairs": DAILY}
    async with trading(tmp_path, anvil, watched, confirmations=8) as rig:
        await rig.mined()
        swap(anvil, "USDC", "WETH", 100_000 * 10**6)
        await rig.until(lambda: bool(rig.of(WhaleMove)), rig.why)
        (first,) = rig.of(WhaleMove)
        await rig.mined()
        await rig.until(lambda: bool(rig.module("whales").notes), rig.why)
        anvil.reorg(2)
        await rig.mined()
        await rig.until(lambda: len(rig.of(Undone)) == 4, rig.why)
        undone = [each for each in rig.told_ if isinstance(each, Undone)]
        assert {each.symbol for each in undone} == {"", "ETH-USDC", "WBTC-USDC", "PUP-WETH"}
        assert {each.block for each in undone} == {first.block}
        assert rig.module("whales").notes == (), "no pressure of what never was"
        assert len(rig.of(WhaleMove)) == 1
        swap(anvil, "USDC", "WETH", 100_000 * 10**6)
        await rig.until(lambda: len(rig.of(WhaleMove)) == 2, rig.why)
        kinds = [type(each) for each in rig.told_ if isinstance(each, WhaleMove | Undone)]
        assert kinds == [WhaleMove, *[Undone] * 4, WhaleMove]


async def test_blocks_that_came_while_the_node_was_gone_are_told_in_order_and_once(
    tmp_path: Path, anvil: LocalChain
) -> None:
    with FaultProxy(anvil.url, anvil.ws_url) as proxy:
        urls = ((proxy.url, ""),)
        async with trading(tmp_path, anvil, {"whales": {}}, urls=urls) as rig:
            swap(anvil, "USDC", "WETH", 1_000 * 10**6)
            await rig.until(lambda: len(rig.of(WhaleMove)) == 1, rig.why)
            for method in ("eth_getBlockByNumber", "eth_getLogs"):
                proxy.script(method, Refused(-32000, "not now"), times=ALWAYS)
            for dollars in (2_000, 3_000, 4_000):
                swap(anvil, "USDC", "WETH", dollars * 10**6)
            anvil.mine(3)
            await asyncio.sleep(0)
            proxy.clear()
            await rig.until(lambda: len(rig.of(WhaleMove)) == 4, rig.why)
            await rig.mined()
            blocks = [move.block for move in rig.of(WhaleMove)]
            assert blocks == sorted(set(blocks))
            assert [round(move.value or 0, -3) for move in rig.of(WhaleMove)] == [1_000, 2_000, 3_000, 4_000]


async def test_liquidity_is_provided_and_ended_by_its_module(tmp_path: Path, anvil: LocalChain) -> None:
    """Bars are given by hand: enough of them would take their time."""
    params = {
        "window_bars": 10, "horizon_bars": 1000, "least_edge_bps": "0.0", "out_bars": 1, "give_up_bars": 2,
        "most_quote": "4000.0", "again_bars": 1,
    }  # fmt: skip
    async with trading(tmp_path, anvil, {"liquidity": params}, bar_ms=86_400_000) as rig:  # no bar but ours
        weth, had = anvil.token("WETH").address, anvil.held(anvil.token("WETH").address, anvil.accounts[1])
        await rig.mined()
        await rig.until(lambda: bool(rig.of(LiquidityState)), rig.why)
        number = bars(rig, 0, 1)
        swap(anvil, "USDC", "WETH", 200_000 * 10**6)
        swap(anvil, "WETH", "USDC", anvil.held(weth, anvil.accounts[1]) - had)
        await rig.until(lambda: any(each.volume > 300_000 for each in rig.of(LiquidityState)), rig.why)
        number = bars(rig, number, 12)
        await rig.until(lambda: bool(rig.desk.state.stakes.open), rig.why)
        (stake,) = rig.desk.state.stakes.open.values()
        assert (stake.module, stake.symbol) == ("liquidity", "ETH-USDC")
        assert 1500 < rig.trader.modules[0].committed() <= 4000
        assert gas_of_last(rig, anvil) <= OPENING_GAS
        swap(anvil, "USDC", "WETH", 600_000 * 10**6)  # far out of its range
        await rig.until(lambda: any(not h.in_range for e in rig.of(LiquidityState) for h in e.held), rig.why)
        told = next(held for each in rig.of(LiquidityState) for held in each.held)
        assert (told.module, told.position) == ("liquidity", stake.position)
        bars(rig, number, 3)
        await rig.until(lambda: not rig.desk.state.stakes.open, rig.why)
        await rig.until(lambda: [row["state"] for row in rig.trades("liquidity")] == ["FILLED", "FILLED"], rig.why)
        assert rig.trader.modules[0].committed() == 0
        assert gas_of_last(rig, anvil) <= ENDING_GAS
        await rig.assert_agrees()


def bars(rig: TradingRig, first: int, count: int) -> int:
    """Minutes that end one after the other, the price as it is and a little to and fro."""
    quote = rig.desk.market.quote("ETH-USDC")
    for number in range(first, first + count):
        price = quote.bid * (1 + Decimal(number % 2) / 5000)
        rig.trader.bus.publish(Bar("ETH-USDC", number * 60_000, 60_000, price, price, price, price, Decimal(0)))
    return first + count


def gas_of_last(rig: TradingRig, anvil: LocalChain) -> int:
    """Of the newest act."""
    (row,) = rig.rows("SELECT client_id FROM orders WHERE role = 'act' ORDER BY rowid DESC LIMIT 1")
    receipt = anvil.receipt(bytes.fromhex(row["client_id"][2:]))
    assert receipt is not None
    return int(receipt["gasUsed"], 16)
