"""A session that ends while a transaction is being given away: nobody may show it, and it can land all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.acts import Acts
from app.errors import VenueError
from app.execution.records import Trade
from app.venues.evm.private.way import Fallback, PrivateKind, PrivateWay
from tests.evm.chain import LocalChain
from tests.evm.prices import move
from tests.evm.relay import Does, FakeRelay
from tests.evm.rig import ChainRig, chain_rig
from tests.evm.standing import ETH, armed, bought, exits, facts, fills


def dies_while_giving(rig: ChainRig, *, lost: bool = False, after: int = 0) -> asyncio.Event:
    """Whoever is given a transaction has it (or, `lost`, not), and the session does not live to hear so.

    Args:
        after: transactions of which it does.
    """
    give, gave, went = rig.venue.private.give, asyncio.Event(), set[str]()

    async def giving(client_id: str, raw: bytes) -> None:
        went.add(client_id)
        if len(went) <= after:
            await give(client_id, raw)
            return
        if not lost:
            await give(client_id, raw)
        gave.set()
        await asyncio.Event().wait()

    rig.venue.private.give = giving  # type: ignore[method-assign]  # the network between us and whoever takes it
    return gave


@pytest.fixture
def relay(anvil: LocalChain) -> Iterator[FakeRelay]:
    with FakeRelay(anvil.url, does=Does.HOLD) as made:
        yield made


async def test_what_a_private_endpoint_may_hold_is_no_strangers_when_it_lands(
    tmp_path: Path, anvil: LocalChain, relay: FakeRelay
) -> None:
    way = PrivateWay(relay.url, PrivateKind.RPC, 3, Fallback.NEVER, f"{relay.url}/tx")
    async with chain_rig(tmp_path, anvil, private=way) as rig:
        gave = dies_while_giving(rig)
        trade = await rig.propose(quantity="0.25")
        await rig.until(gave.is_set, lambda: str(rig.told(trade)))
        assert rig.state(trade) == "SIGNED"
    async with chain_rig(tmp_path, anvil, private=way, auto_confirm=False) as again:
        await again.quoted()
        await again.reached(trade, "SUBMITTED")
        await again.until(lambda: len(relay.given) > 1, "the same endpoint is given the same bytes")
        assert len(set(relay.raw())) == 1
        assert again.session.pipeline.proposals.waiting() == [], "it was confirmed, and went: nothing is asked twice"
        relay.does = Does.INCLUDE
        relay.include(relay.raw()[0])
        await again.until(lambda: again.orders(trade)[0] == ("approve", "FILLED"), lambda: str(again.told(trade)))
        assert (await again.session.recovery.look_again()).differences == ()
        await again.assert_agrees()


async def test_what_a_pool_forgot_goes_again_and_lands_once(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        anvil.automine(on=False)
        gave = dies_while_giving(rig)
        trade = await rig.propose(quantity="0.25")
        await rig.until(gave.is_set, lambda: str(rig.told(trade)))
        anvil.drop(bytes.fromhex(next(iter(trade.orders.values())).request.client_id[2:]))
    async with chain_rig(tmp_path, anvil) as again:
        await again.until(lambda: anvil.nonce(again.me, "pending") == 1, "it is in the pool again")
        anvil.automine(on=True)
        anvil.mine()
        await again.reached(trade, "FILLED")
        assert again.sent() == 2
        await again.assert_agrees()


async def test_a_swap_whose_approval_is_in_a_block(tmp_path: Path, anvil: LocalChain) -> None:
    """Confirmed, and maybe sent: it is not asked for again, as one is that a restart found unsent."""
    async with chain_rig(tmp_path, anvil) as rig:
        gave = dies_while_giving(rig, lost=True, after=1)
        trade = await rig.propose(quantity="0.25")
        await rig.until(gave.is_set, lambda: str(rig.told(trade)))
    async with chain_rig(tmp_path, anvil, auto_confirm=False) as again:
        await again.reached(trade, "FILLED")
        assert again.sent() == 2
        await again.assert_agrees()


@pytest.mark.parametrize("known", [False, True])
async def test_a_standing_exit_that_was_being_sent(tmp_path: Path, anvil: LocalChain, known: bool) -> None:
    """Nobody knows whether somebody took it: it is sent, whatever the price is now. For certain nobody did: it stands
    as before."""
    async with chain_rig(tmp_path, anvil, standing=True, confirmations=2) as rig:
        await bought(rig)
        stands = await armed(rig)
        gave = dies_while_giving(rig, lost=True) if not known else refuses(rig)
        move(anvil, ETH.split("-")[0], 89)
        await rig.until(gave.is_set, lambda: str(facts(rig)))
        if known:
            await rig.until(lambda: stands.held_back.startswith("No line"), lambda: str(facts(rig)))
    move(anvil, ETH.split("-")[0], 112)
    async with chain_rig(tmp_path, anvil, standing=True, confirmations=2) as again:
        if not known:
            await again.until(lambda: fills(again, "sell") == 1, lambda: str(facts(again)))
        else:
            kept: Trade = await armed(again)
            assert kept.id == stands.id
            assert exits(again) == [kept]
            assert fills(again, "sell") == 0
        await again.assert_agrees()


def refuses(rig: ChainRig) -> asyncio.Event:
    """There is no way to anybody."""
    tried = asyncio.Event()

    async def giving(*_: object) -> None:
        tried.set()
        raise VenueError("test.line", "No line.")

    rig.venue.private.give = giving  # type: ignore[assignment]  # the network between us and whoever takes it
    return tried


@pytest.mark.parametrize("again_mined", [True, False])
async def test_a_swap_that_was_being_sent_when_its_approvals_block_is_undone(
    tmp_path: Path, anvil: LocalChain, again_mined: bool
) -> None:
    """Both were in blocks, and both of those are undone while the session is away; other ones have them, or none."""
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        gave = dies_while_giving(rig, after=1)
        trade = await rig.propose(quantity="0.25")
        await rig.until(gave.is_set, lambda: str(rig.told(trade)))
        raw = [f"0x{each.signed.raw.hex()}" for each in trade.payloads]  # type: ignore[union-attr]
    assert anvil.nonce(rig.me) == 2
    anvil.automine(on=False)
    anvil.reorg(2, [(each, block) for block, each in enumerate(raw)] if again_mined else [])
    anvil.mine()
    anvil.automine(on=True)
    async with chain_rig(tmp_path, anvil, confirmations=8, auto_confirm=False) as again:
        await again.reached(trade, "FILLED")
        assert again.desk.halted == ""
        assert again.sent() == 2
        assert (await again.session.recovery.look_again()).differences == ()
        await again.assert_agrees()


async def test_what_may_be_there_and_is_not_sent_any_more_is_told_and_can_be_replaced(
    tmp_path: Path, anvil: LocalChain
) -> None:
    """It keeps its nonce, and nothing above it can land: not even an exit."""
    async with chain_rig(tmp_path, anvil) as rig:
        gave = dies_while_giving(rig, lost=True)
        trade = await rig.propose(quantity="0.25")
        await rig.until(gave.is_set, lambda: str(rig.told(trade)))
        rig.desk.stop.create("test")  # under a stop no purchase is sent again
    async with chain_rig(tmp_path, anvil) as again:
        await again.until(lambda: again.orders(trade)[:1] == [("approve", "UNKNOWN")], lambda: str(again.told(trade)))
        assert (await again.session.recovery.look_again()).differences == ()
        payloads = again.desk.state.trades[trade.id].payloads
        for each in payloads:
            each.valid_until_ms = 1  # it took that long
        (found,) = (await again.session.recovery.look_again()).differences
        (order,) = [each for each in again.desk.state.trades[trade.id].orders.values() if each.role == "approve"]
        name = order.request.client_id
        assert found.words.startswith(f"transaction {name[:10]} was maybe sent, nobody shows it, its time is over")
        assert found.stops
        assert found.next_step.endswith(f"countersign cancel {name[:10]}")
        acts = Acts(again.desk, again.session.pipeline, again.session.run)
        await again.quoted()
        place = acts.cancel(again.desk.state.trades[trade.id], order)
        await again.reached(place, "FILLED")
        anvil.mine(2)
        await again.reached(trade, "CANCELLED")
        assert (await again.session.recovery.look_again()).differences == ()
        assert again.desk.halted == ""
        again.desk.stop.lift()
