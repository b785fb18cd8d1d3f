"""A session that ends at any instant goes on with what chain and disk say: nothing is sent twice, nothing is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.execution.records import Trade
from tests.evm.chain import LocalChain
from tests.evm.rig import ChainRig, chain_rig, losing_answers


async def same_trade(rig: ChainRig, trade: Trade) -> Trade:
    """What the new session has of it."""
    found = rig.session.desk.state.trades.get(trade.id)
    assert found is not None
    return found


async def test_signed_and_never_sent(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        never = asyncio.Event()
        rig.desk.venue.ready = never.wait
        trade = await rig.propose()
        await rig.reached(trade, "SIGNED")
        assert rig.sent() == 0
    async with chain_rig(tmp_path, anvil) as again:
        await again.quoted()
        await again.reached(trade, "FILLED")
        assert again.sent() == 2
        await again.assert_agrees()


@pytest.mark.parametrize("answer", ["lost", "never sent"])
async def test_an_answer_that_never_comes(tmp_path: Path, anvil: LocalChain, answer: str) -> None:
    """The bytes went out, or did not, and nobody knows: the chain is asked, and the same bytes go again if need be."""
    async with chain_rig(tmp_path, anvil) as rig:
        lost = losing_answers(rig, sent=answer == "lost")
        trade = await rig.propose()
        await rig.reached(trade, "FILLED")
        assert len(lost) == 2
        assert rig.sent() == 2
        await rig.assert_agrees()


async def test_the_approval_landed_while_we_were_away(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        anvil.automine(on=False)
        trade = await rig.propose()
        await rig.reached(trade, "SUBMITTED")
        assert rig.orders(trade) == [("approve", "OPEN"), ("entry", "PENDING")]
    anvil.mine()
    anvil.automine(on=True)
    async with chain_rig(tmp_path, anvil) as again:
        await again.quoted()
        await again.reached(trade, "FILLED")
        assert again.sent() == 2
        await again.assert_agrees()


async def test_what_was_signed_before_a_restart_is_asked_for_again(tmp_path: Path, anvil: LocalChain) -> None:
    """The approval landed; the swap was confirmed before the restart, and goes only when the trader says so again."""
    async with chain_rig(tmp_path, anvil) as rig:
        anvil.automine(on=False)
        trade = await rig.propose()
        await rig.reached(trade, "SUBMITTED")
    anvil.mine()
    anvil.automine(on=True)
    async with chain_rig(tmp_path, anvil, auto_confirm=False) as again:
        await again.quoted()
        waiting = again.session.pipeline.proposals.waiting
        await again.until(lambda: [each.id for each in waiting()] == [trade.id], "it is asked for")
        assert again.orders(trade) == [("approve", "FILLED"), ("entry", "PENDING")]
        assert again.sent() == 1
        again.session.pipeline.proposals.decline(trade.id)
        await again.reached(trade, "CANCELLED")
        assert again.sent() == 1
        await again.assert_agrees()


async def test_the_swap_landed_while_we_were_away(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        anvil.automine(on=False)
        trade = await rig.propose()
        await rig.reached(trade, "SUBMITTED")
        anvil.mine()
        await rig.until(lambda: ("entry", "OPEN") in rig.orders(trade), "the swap waits for a block")
    anvil.mine()
    async with chain_rig(tmp_path, anvil) as again:
        await again.reached(trade, "FILLED")
        await again.assert_agrees()


async def test_a_transaction_that_the_pool_forgot_is_sent_again(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        anvil.automine(on=False)
        trade = await rig.propose()
        await rig.reached(trade, "SUBMITTED")
        (first,) = [order for order in trade.orders.values() if order.role == "approve"]
        anvil.drop(bytes.fromhex(first.request.client_id[2:]))
        anvil.mine()
        await rig.until(lambda: anvil.nonce(rig.me, "pending") == 1, "it is in the pool again")
        anvil.automine(on=True)
        anvil.mine()
        await rig.reached(trade, "FILLED")
        assert rig.sent() == 2
        await rig.assert_agrees()


async def test_a_nonce_that_another_wallet_took(tmp_path: Path, anvil: LocalChain) -> None:
    """Ours is forgotten and another transaction of the account takes its nonce: proven dead, and told so."""
    async with chain_rig(tmp_path, anvil) as rig:
        anvil.automine(on=False)
        trade = await rig.propose()
        await rig.reached(trade, "SUBMITTED")
        (first,) = [order for order in trade.orders.values() if order.role == "approve"]
        anvil.drop(bytes.fromhex(first.request.client_id[2:]))
        foreign(anvil, rig.me)
        anvil.mine(2)
        await rig.reached(trade, "CANCELLED")
        assert rig.orders(trade) == [("approve", "CANCELLED"), ("entry", "CANCELLED")]
        (row,) = rig.rows("SELECT reason FROM trades WHERE id = ?", trade.id)
        assert "transaction before it failed" in row["reason"]
        assert not rig.desk.state.purse.holds
        assert rig.sent() == 1


def foreign(anvil: LocalChain, account: bytes, **fields: Any) -> None:
    """A transaction of the same account by another wallet."""
    anvil.impersonate(account)
    who = f"0x{account.hex()}"
    anvil.rpc("eth_sendTransaction", {"from": who, "to": who, "gas": "0x5208", "gasPrice": hex(10**11), **fields})
