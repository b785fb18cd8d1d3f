"""Trades on a chain from proposal to ledger. The judge is the chain: what the account has there is what is booked."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from app.execution.preview import walk
from app.venues.evm.acts import encode
from app.venues.evm.chain import DexKind
from app.venues.evm.swap import Exact, Part, RouterKind, Segment, Swap
from strategies.model import Side
from tests.evm.chain import LocalChain
from tests.evm.rig import chain_rig

SELL = Side.SELL


@pytest.mark.parametrize(("symbol", "quantity"), [("ETH-USDC", "0.25"), ("WBTC-USDC", "0.01")])
async def test_a_purchase_and_its_sale_settle_to_the_last_unit(
    tmp_path: Path, anvil: LocalChain, symbol: str, quantity: str
) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        trade = await rig.propose(quantity=quantity, symbol=symbol)
        await rig.reached(trade, "FILLED")
        assert rig.orders(trade) == [("approve", "FILLED"), ("entry", "FILLED")]
        assert rig.desk.state.positions.holding("m", symbol).quantity == Decimal(quantity)
        await rig.assert_agrees()
        sale = await rig.propose(SELL, quantity, symbol=symbol)
        await rig.reached(sale, "FILLED")
        await rig.assert_agrees()
        assert rig.sent() == 4 if symbol == "WBTC-USDC" else 3, "the coin itself needs no approval"
        (gas,) = rig.rows("SELECT amount FROM balances WHERE account = 'expenses:gas:m'")
        assert Decimal(gas["amount"]) > 0
    async with chain_rig(tmp_path, anvil) as again:
        assert not again.desk.halted
        await again.assert_agrees()


async def test_the_book_that_a_ticket_looks_at_reaches_as_far_as_people_trade(
    tmp_path: Path, anvil: LocalChain
) -> None:
    """Its levels tell no better price than the trade's own quote, and nearly that one."""
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        book, quantity = rig.desk.market.book("ETH-USDC"), Decimal(12)
        assert book is not None
        walked = walk(book, Side.BUY, quantity, book.asks[-1][0], Decimal(0))
        assert walked.filled == quantity
        trade = await rig.propose(quantity=str(quantity))
        await rig.reached(trade, "FILLED")
        paid = Decimal(json.loads(trade.payloads[-1].preview)["quoted"])
        assert paid <= walked.notional <= paid * Decimal("1.001")


async def test_a_swap_that_reverts_costs_its_gas_and_nothing_else(tmp_path: Path, anvil: LocalChain) -> None:
    """Between the last look and the block somebody moves the price beyond the bound."""
    async with chain_rig(tmp_path, anvil) as rig:
        anvil.automine(on=False)
        trade = await rig.propose(quantity="0.25", worst="2502")
        await rig.reached(trade, "SUBMITTED")
        anvil.mine()
        await rig.until(lambda: anvil.nonce(rig.me, "pending") == 2, "the swap is sent")
        # whoever pays the highest fee comes first
        whale, usdc = anvil.accounts[1], anvil.token("USDC").address
        for dex in {dex.router for dex in anvil.chain.dexes}:
            anvil.node.rpc("eth_sendTransaction", approve(whale, usdc, dex))
        sell(anvil, whale)
        anvil.mine()
        await rig.reached(trade, "REJECTED")
        assert rig.orders(trade) == [("approve", "FILLED"), ("entry", "REJECTED")]
        await rig.assert_agrees()
        assert not rig.desk.state.purse.holds


def approve(owner: bytes, token: bytes, spender: bytes) -> dict[str, str]:
    data = "0x095ea7b3" + spender.rjust(32, b"\0").hex() + "f" * 64
    return {
        "from": f"0x{owner.hex()}",
        "to": f"0x{token.hex()}",
        "data": data,
        "gas": "0x186a0",
        "gasPrice": hex(10**12),
    }


def sell(anvil: LocalChain, whale: bytes) -> None:
    """Buy so much ETH on every exchange that nothing is left at yesterday's price."""
    usdc, weth = anvil.token("USDC"), anvil.token("WETH")
    anvil.deal(usdc.address, whale, 10**9 * 10**6)
    for dex in anvil.chain.dexes:
        v3 = dex.kind is DexKind.V3
        for fee in dex.fee_tiers[1:3] if v3 else (0,):
            segment = Segment(dex.kind, (usdc.address, weth.address), (fee,) if v3 else ())
            kind = RouterKind.MANY if v3 else RouterKind.V2
            swap = Swap(dex.router, kind, Exact.IN, (Part((segment,), 4_000_000 * 10**6, 0),), whale, 2**40)
            call = encode(swap)
            anvil.node.rpc(
                "eth_sendTransaction",
                {
                    "from": f"0x{whale.hex()}",
                    "to": f"0x{call.to.hex()}",
                    "data": f"0x{call.data.hex()}",
                    "gas": hex(900_000),
                    "gasPrice": hex(9 * 10**11),
                },
            )
