"""Trades of a token that takes a share of each transfer: recognised by the simulation, priced with it, settled to the
last unit. The judge is the chain."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from app.chain_setup import ChainSetup
from app.venues.evm.pools.tax import Share, Tax
from app.venues.evm.swap import Swap
from app.venues.evm.words import act_of
from strategies.model import Instrument, Side
from tests.evm import rig as rigs
from tests.evm.chain import LocalChain
from tests.evm.rig import ChainRig, chain_rig

TAX_ETH = Instrument("TAX-ETH", "TAX", "ETH", Decimal("0.000000000000001"), Decimal("0.000001"))


@pytest.fixture(autouse=True)
def traded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rigs, "INSTRUMENTS", (*rigs.INSTRUMENTS, TAX_ETH))


def setup_of(rig: ChainRig) -> ChainSetup:
    assert isinstance(rig.session.setup, ChainSetup)
    return rig.session.setup


async def bought(rig: ChainRig) -> None:
    """The first attempt is contradicted by its simulation, which is how the tax is found; the next has its price."""
    had = rig.booked("TAX")
    first = await rig.propose(quantity="500", symbol="TAX-ETH")
    await rig.reached(first, "DENIED")
    assert "takes of each transfer" in first.reason
    before = rig.desk.market.quote("TAX-ETH").ask
    rig.chain.mine()
    await rig.until(lambda: rig.desk.market.quote("TAX-ETH").ask > before * Decimal("1.015"), "a price with the tax")
    second = await rig.propose(quantity="500", symbol="TAX-ETH")
    await rig.reached(second, "FILLED")
    act = act_of(second.payloads[-1].body)[1]
    assert isinstance(act, Swap)
    assert act.taxed
    assert "for tokens that take a share of each transfer" in second.text
    held = rig.desk.state.positions.holding("m", "TAX-ETH").quantity
    assert Decimal(500) <= held <= Decimal(506)
    assert rig.on_chain("TAX") - had == held
    await rig.assert_agrees()


async def test_a_taxed_token_is_bought_and_sold_to_the_last_unit(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        await bought(rig)
        sale = await rig.propose(Side.SELL, "500", symbol="TAX-ETH")
        await rig.reached(sale, "FILLED")
        act = act_of(sale.payloads[-1].body)[1]
        assert isinstance(act, Swap)
        assert (act.taxed, act.amount_in) == (True, 500 * 10**18)
        await rig.assert_agrees()
    async with chain_rig(tmp_path, anvil) as again:
        assert not again.desk.halted
        await again.assert_agrees()


async def test_a_tax_that_is_no_more_is_not_reckoned_with(tmp_path: Path, anvil: LocalChain) -> None:
    """What a token took is measured anew before each further trade."""
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted("WBTC-USDC")
        known, wbtc = setup_of(rig).planner.taxes.known, anvil.token("WBTC").address
        known[wbtc] = Tax(wbtc, Share(10), Share(10))
        trade = await rig.propose(quantity="0.01", symbol="WBTC-USDC")
        await rig.reached(trade, "FILLED")
        assert wbtc not in known
        await rig.assert_agrees()


async def test_no_route_goes_through_a_taxed_token_that_is_not_traded(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        await bought(rig)
        planner = setup_of(rig).planner
        pools = await planner.pools()
        weth, usdc, tax = (anvil.token(each).address for each in ("WETH", "USDC", "TAX"))
        left = planner.taxes.without(pools.pools, (weth, usdc))
        assert all(tax not in {pool.token0, pool.token1} for pool in left.values())
        assert any(tax in {pool.token0, pool.token1} for pool in pools.pools.values())
