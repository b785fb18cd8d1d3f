"""Standing exits: signed after the entry, kept, and sent when the price is there. The judge is the chain: what the
account has there, and how many transactions it has sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.errors import SafetyError
from app.execution.standing_view import cover, displaced_by, own_nonce
from app.venues.evm.chain import Approvals
from strategies.model import Side
from tests.evm.chain import LocalChain
from tests.evm.prices import move
from tests.evm.rig import chain_rig
from tests.evm.standing import (
    ETH,
    WBTC,
    alerts,
    armed,
    attend,
    bought,
    confirm,
    entry,
    exits,
    facts,
    fills,
    held,
    settled,
    waiting,
)


async def test_it_is_signed_after_the_entry_and_goes_when_the_price_falls(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        exit_ = await armed(rig)
        assert rig.sent() == 2, "the coin needs no approval: nothing was sent"
        await rig.assert_agrees()
        move(anvil, "WETH", 95)
        await rig.until(lambda: rig.desk.market.quote(ETH).bid < 2450, "a fall, not so far")
        assert exit_.armed
        move(anvil, "WETH", 94)
        await rig.reached(exit_, "FILLED")
        assert held(rig) == 0
        assert rig.sent() == 3
        assert [len(alerts(rig, kind)) for kind in ("exit.triggered", "exit.not_sent")] == [1, 0]
        await rig.assert_agrees()


@pytest.mark.parametrize(("approvals", "count"), [(Approvals.ROUTER, 1), (Approvals.PERMIT2, 2)])
async def test_a_token_is_approved_at_once_and_sold_later(
    tmp_path: Path, anvil: LocalChain, approvals: Approvals, count: int
) -> None:
    """Through Permit2 too: what is allowed there lasts as long as the exit can go."""
    async with chain_rig(tmp_path, anvil, standing=True, approvals=approvals) as rig:
        await bought(rig, WBTC, "0.01")
        exit_ = await armed(rig, WBTC)
        approved = [("approve", "FILLED")] * count
        await rig.until(lambda: rig.orders(exit_) == [*approved, ("close", "PENDING")], "it is on disk")
        sent = rig.sent()
        assert sent == 2 * count + 1
        await rig.assert_agrees()
        move(anvil, "WBTC", 89)
        await rig.reached(exit_, "FILLED")
        assert rig.sent() == sent + 1
        await rig.assert_agrees()


async def test_what_it_says_is_what_it_is(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        trade = await bought(rig)
        exit_ = await armed(rig)
        assert exit_.payload is not None
        assert trade.intent.exits is not None
        text, stop = exit_.payload.text, trade.intent.exits.stop
        assert text.startswith("STANDING EXIT, kept and not sent\n")
        assert f"falls to {stop.normalize():f} USDC" in text
        assert f"for {(exit_.intent.worst_price * Decimal('0.25')).normalize():f} USDC at least" in text
        assert "pay exactly 0.25 ETH" in text
        assert exit_.intent.worst_price == (stop * Decimal("0.97")).quantize(Decimal("0.000001"), "ROUND_CEILING")
        left = exit_.payload.valid_until_ms - rig.session.clock.now_ms()
        assert 6.9 * 86_400_000 < left <= 7 * 86_400_000


@pytest.mark.parametrize("unattended", [True, False])
async def test_the_price_fell_while_nobody_was_there(tmp_path: Path, anvil: LocalChain, unattended: bool) -> None:
    """It is loaded armed: nobody is asked, whoever sits there."""
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        exit_ = await armed(rig)
    move(anvil, "WETH", 89)
    async with chain_rig(tmp_path, anvil, standing=True, auto_confirm=unattended) as again:
        assert again.session.pipeline.proposals.waiting() == []
        await again.reached(exit_, "FILLED")
        assert again.sent() == 3
        assert fills(again, "sell") == 1
        await again.assert_agrees()


async def test_it_is_kept_when_its_approval_lands_after_a_restart(tmp_path: Path, anvil: LocalChain) -> None:
    """It was signed to go by itself: nobody is asked again, and it goes when its price is there."""
    async with chain_rig(tmp_path, anvil) as rig:
        await bought(rig, WBTC, "0.01")
        anvil.automine(on=False)
        rig.standing = True
        sent = [("approve", "OPEN"), ("close", "PENDING")]
        await rig.until(lambda: [rig.orders(each) for each in exits(rig)] == [sent], lambda: f"{facts(rig)}")
        (exit_,) = exits(rig)
    async with chain_rig(tmp_path, anvil, standing=True, auto_confirm=False) as again:
        anvil.mine()
        anvil.automine(on=True)
        await again.until(lambda: again.orders(exit_)[:1] == [("approve", "FILLED")], "it is approved")
        await again.until(lambda: not again.session.pipeline.work.owns(exit_.id), "and kept")
        assert again.session.pipeline.proposals.waiting() == []
        assert cover(again.desk, "m", WBTC).covered
        move(anvil, "WBTC", 89)
        await again.reached(exit_, "FILLED")
        await again.assert_agrees()


async def test_a_later_trade_takes_its_nonce_and_it_is_signed_again(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        first = await armed(rig)
        await bought(rig, WBTC, "0.01")
        of_eth, of_wbtc = await settled(rig, ETH, WBTC)
        assert rig.state(first) == "CANCELLED"
        assert "sent with its nonce" in rig.rows("SELECT reason FROM trades WHERE id = ?", first.id)[0]["reason"]
        assert own_nonce(of_eth) == own_nonce(of_wbtc) == rig.sent()
        move(anvil, "WETH", 89)
        move(anvil, "WBTC", 112)  # it is quoted through ETH too
        await rig.reached(of_eth, "FILLED")
        again = await armed(rig, WBTC)
        assert again is not of_wbtc
        assert own_nonce(again) == rig.sent()
        assert held(rig) == 0
        assert held(rig, WBTC) == Decimal("0.01")
        await rig.assert_agrees()


async def test_whoever_confirms_a_later_trade_is_told_what_it_ends(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        exit_ = await armed(rig)
        attend(rig)
        await rig.quoted(WBTC)
        later = rig.session.pipeline.propose(entry(rig, WBTC, "0.01"))
        assert later is not None
        await waiting(rig, "test")
        assert displaced_by(rig.desk, later) == [exit_]
        rig.session.pipeline.proposals.decline(later.id)
        await rig.reached(later, "DECLINED")
        assert exit_.armed
        assert cover(rig.desk, "m", ETH).covered


async def test_closing_the_position_ends_it(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        exit_ = await armed(rig)
        sale = await rig.propose(Side.SELL, "0.25")
        await rig.reached(sale, "FILLED")
        await rig.until(lambda: rig.state(exit_) == "CANCELLED", "it is ended")
        assert not rig.desk.state.purse.holds
        move(anvil, "WETH", 80)
        await rig.until(lambda: rig.desk.market.quote(ETH).bid < 2100, "a fall")
        assert rig.sent() == 3
        await rig.assert_agrees()


async def test_a_part_is_sold_and_the_rest_is_covered_anew(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        exit_ = await armed(rig)
        await rig.reached(await rig.propose(Side.SELL, "0.1"), "FILLED")
        fresh = await armed(rig)
        assert rig.state(exit_) == "CANCELLED"
        assert fresh.intent.quantity == Decimal("0.15")
        move(anvil, "WETH", 89)
        await rig.reached(fresh, "FILLED")
        assert rig.sent() == 4
        await rig.assert_agrees()


async def test_more_is_bought_and_all_of_it_is_sold_at_the_higher_stop(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig, stop="0.8")
        await armed(rig)
        higher = await bought(rig, quantity="0.1", stop="0.9")
        assert higher.intent.exits is not None
        fresh = await armed(rig)
        assert fresh.intent.quantity == Decimal("0.35")
        assert fresh.intent.exits == replace(higher.intent.exits, target=None)
        move(anvil, "WETH", 89)
        await rig.reached(fresh, "FILLED")
        assert held(rig) == 0
        await rig.assert_agrees()


async def test_an_emergency_stop_keeps_it(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        exit_ = await armed(rig)
        rig.desk.stop.create("test")
        report = await rig.session.emergency.act(flatten=False)
        assert report.kept_exits == 1
    async with chain_rig(tmp_path, anvil, standing=True) as again:
        assert again.desk.stop.raised()
        assert [each.id for each in exits(again)] == [exit_.id]
        move(anvil, "WETH", 89)
        await again.reached(exit_, "FILLED")
        assert again.sent() == 3
        await again.assert_agrees()


async def test_who_declines_it_is_not_asked_again_until_they_ask(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await rig.quoted()
        attend(rig)
        trade = rig.session.pipeline.propose(entry(rig))
        assert trade is not None
        confirm(rig, await waiting(rig, "test"))
        await rig.reached(trade, "FILLED")
        first = await waiting(rig, "standing exit")
        rig.session.pipeline.proposals.decline(first.id)
        await rig.reached(first, "DECLINED")
        await rig.until(lambda: bool(alerts(rig, "exit.declined")), "it is said")
        blocks = anvil.mine(3)
        await rig.until(lambda: rig.head >= blocks, "the market goes on")
        assert exits(rig) == []
        assert not cover(rig.desk, "m", ETH).covered
        asked = rig.keeper.cover("m", ETH)
        with pytest.raises(SafetyError, match="waits for you"):
            rig.keeper.cover("m", ETH)
        confirm(rig, await waiting(rig, "standing exit"))
        assert await armed(rig) is asked, facts(rig)
        with pytest.raises(SafetyError, match="signed already"):
            rig.keeper.cover("m", ETH)


async def test_what_is_signed_after_its_nonce_was_sent_never_covers(tmp_path: Path, anvil: LocalChain) -> None:
    """While it is on the device another trade takes its nonce. It is of no use before any price is heard."""
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        sign, asked, goes = rig.desk.signer.sign, asyncio.Event(), asyncio.Event()

        async def slow(*args: Any, **terms: Any) -> Any:
            if exits(rig) and not asked.is_set():
                asked.set()
                await goes.wait()
            return await sign(*args, **terms)

        rig.desk.signer.sign = slow
        await bought(rig)
        await rig.until(asked.is_set, lambda: f"its exit is on the device: {facts(rig)}")
        (late,) = exits(rig)
        await bought(rig, WBTC, "0.01")
        await settled(rig, WBTC, but=late)
        goes.set()
        await asyncio.gather(*rig.session.pipeline.work.of(late.id))
        assert late.state == "CANCELLED"
        assert "sent with its nonce" in late.reason
        assert not cover(rig.desk, "m", ETH).covered
        of_eth, of_wbtc = await settled(rig, ETH, WBTC)
        assert own_nonce(of_eth) == own_nonce(of_wbtc) == rig.sent()
