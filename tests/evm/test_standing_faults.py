"""What can be in the way of a standing exit: it is told, a sale is prepared, and one of the two can land at most."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.engine.clock import WallClock
from app.execution.standing_terms import StandingRules
from app.execution.standing_view import cover, own_nonce
from signers.base import DeviceState
from signers.evm import decode
from signers.faults import NotReady
from tests.evm.chain import LocalChain
from tests.evm.prices import move
from tests.evm.rig import ChainRig, chain_rig, losing_answers
from tests.evm.standing import ETH, WBTC, alerts, armed, attend, bought, confirm, exits, facts, fills, held, waiting
from tests.evm.test_restarts import foreign


async def test_another_wallet_takes_its_nonce(tmp_path: Path, anvil: LocalChain) -> None:
    """It is void, and a fresh one is signed."""
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        first = await armed(rig)
        foreign(anvil, rig.me)
        await rig.until(lambda: rig.state(first) == "CANCELLED", "it is void")
        fresh = await armed(rig)
        assert own_nonce(fresh) == own_nonce(first) + 1
        assert rig.booked("USDC") == rig.on_chain("USDC")
        move(anvil, "WETH", 89)
        await rig.reached(fresh, "FILLED")
        assert rig.sent() == 4, "purchase with its approval, the other wallet's, one sale"
        assert fills(rig, "sell") == 1


async def test_nobody_signs_the_fresh_one_and_the_price_falls(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        first = await armed(rig)
        attend(rig)
        foreign(anvil, rig.me)
        fresh = await waiting(rig, "standing exit")
        assert rig.state(first) == "CANCELLED"
        assert not cover(rig.desk, "m", ETH).covered
        move(anvil, "WETH", 89)
        sale = await waiting(rig, "prepared exit")
        (told,) = alerts(rig, "exit.not_sent")
        assert told.startswith("UNCOVERED: ETH-USDC of m fell to 22")
        assert "none is signed" in told
        assert rig.sent() == 3
        confirm(rig, sale)
        await rig.reached(sale, "FILLED")
        await rig.reached(fresh, "CANCELLED")
        assert held(rig) == 0
        assert (rig.sent(), fills(rig, "sell")) == (4, 1)


async def test_its_fee_is_not_enough_for_now(tmp_path: Path, anvil: LocalChain) -> None:
    """It is not sent, and goes by itself once gas is cheap enough."""
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        exit_ = await armed(rig)
        assert exit_.payload is not None
        most = decode(exit_.payload.body).max_fee
        attend(rig)
        move(anvil, "WETH", 89)
        anvil.next_base_fee(2 * most)
        anvil.mine()
        await rig.until(lambda: bool(alerts(rig, "exit.not_sent")), "it is told")
        assert "Gas costs" in alerts(rig, "exit.not_sent")[0]
        assert exit_.armed
        assert "Gas costs" in exit_.held_back
        assert not cover(rig.desk, "m", ETH).covered
        sale = await waiting(rig, "prepared exit")
        anvil.mine(12)  # an eighth less in each
        await rig.reached(exit_, "FILLED")
        await rig.reached(sale, "CANCELLED")
        assert (rig.sent(), fills(rig, "sell")) == (3, 1)
        await rig.assert_agrees()


async def test_the_pool_was_drained(tmp_path: Path, anvil: LocalChain) -> None:
    """Below its worst price it can not go. The sale that is prepared has its nonce: one of the two is all there is."""
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        exit_ = await armed(rig)
        attend(rig)
        move(anvil, "WETH", 50)
        sale = await waiting(rig, "prepared exit")
        assert "bid fell" in alerts(rig, "exit.not_sent")[0]
        assert len(alerts(rig, "exit.not_sent")) == 1
        assert exit_.armed
        assert sale.payload is not None
        assert decode(sale.payload.body).nonce == own_nonce(exit_)
        confirm(rig, sale)
        await rig.reached(sale, "FILLED")
        await rig.reached(exit_, "CANCELLED")
        assert held(rig) == 0
        assert (rig.sent(), fills(rig, "sell")) == (3, 1)
        await rig.assert_agrees()


async def test_the_price_comes_back_before_anybody_answers(tmp_path: Path, anvil: LocalChain) -> None:
    """What was held back covers again, and goes at the next fall."""
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        exit_ = await armed(rig)
        attend(rig)
        move(anvil, "WETH", 50)
        await waiting(rig, "prepared exit")
        move(anvil, "WETH", 199)
        await rig.until(lambda: cover(rig.desk, "m", ETH).covered, "it covers again")
        assert exit_.armed
        move(anvil, "WETH", 90)
        await rig.reached(exit_, "FILLED")
        assert (rig.sent(), fills(rig, "sell")) == (3, 1)
        await rig.assert_agrees()


@pytest.mark.parametrize("answer", ["lost", "never sent"])
async def test_the_answer_to_its_sending_is_lost(tmp_path: Path, anvil: LocalChain, answer: str) -> None:
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        exit_ = await armed(rig)
        lost = losing_answers(rig, sent=answer == "lost")
        move(anvil, "WETH", 89)
        await rig.reached(exit_, "FILLED")
        assert (len(lost), rig.sent(), fills(rig, "sell")) == (1, 3, 1)
        await rig.assert_agrees()


def late_answers(rig: ChainRig) -> tuple[asyncio.Event, asyncio.Event]:
    """What is sent arrives, and its answer only once it is let go: (it has arrived, let it go)."""
    submit, given, goes = rig.desk.venue.submit, asyncio.Event(), asyncio.Event()

    async def late(*args: Any) -> Any:
        reports = await submit(*args)
        given.set()
        await goes.wait()
        return reports

    rig.desk.venue.submit = late
    return given, goes


async def test_the_chain_is_asked_for_nonces_while_it_is_being_sent(tmp_path: Path, anvil: LocalChain) -> None:
    """The node has it, and its answer is on the way: what has the nonce is no other transaction."""
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        exit_ = await armed(rig)
        given, goes = late_answers(rig)
        move(anvil, "WETH", 89)
        anvil.automine(on=False)
        await rig.until(given.is_set, lambda: f"a node has it: {facts(rig)}")
        sent = rig.sent()
        for _ in range(2):
            await rig.keeper._nonces._check()
        assert (exit_.held_back, alerts(rig, "exit.not_sent")) == ("", [])
        goes.set()
        anvil.automine(on=True)
        anvil.mine()
        await rig.reached(exit_, "FILLED")
        assert rig.sent() == sent + 1
        await rig.assert_agrees()


async def test_the_account_is_compared_while_something_is_being_sent(tmp_path: Path, anvil: LocalChain) -> None:
    """A block has it before the node's answer is there: it is ours, and nobody has the key."""
    async with chain_rig(tmp_path, anvil) as rig:
        given, goes = late_answers(rig)
        trade = await rig.propose(quantity="0.2")
        await rig.until(given.is_set, "a block has it")
        compared = await rig.session.recovery.look_again()
        assert compared.doubt
        assert (rig.desk.halted, alerts(rig, "reconcile")) == ("", [])
        goes.set()
        await rig.reached(trade, "FILLED")
        await rig.assert_agrees()


async def test_it_waits_in_the_pool_and_a_sale_takes_its_place(tmp_path: Path, anvil: LocalChain) -> None:
    """Sent, and in no block for a minute: what is prepared has its nonce and more gas."""
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig)
        exit_ = await armed(rig)
        move(anvil, "WETH", 89)
        anvil.automine(on=False)
        since = rig.keeper._sent_ms  # heard of after it is on disk
        await rig.until(lambda: rig.orders(exit_) == [("close", "OPEN")] and exit_.id in since, "it is sent")
        attend(rig)
        passes(rig, 61_000)
        sale = await waiting(rig, "prepared exit")
        assert len(alerts(rig, "exit.late")) == 1
        assert exit_.payload is not None
        assert sale.payload is not None
        old, new = decode(exit_.payload.body), decode(sale.payload.body)
        assert new.nonce == old.nonce
        assert new.max_fee >= old.max_fee * 110 // 100
        confirm(rig, sale)
        await rig.until(lambda: rig.orders(sale) == [("close", "OPEN")], "it is sent")
        anvil.automine(on=True)
        anvil.mine()
        await rig.reached(sale, "FILLED")
        await rig.reached(exit_, "CANCELLED")
        assert held(rig) == 0
        assert (rig.sent(), fills(rig, "sell")) == (3, 1)
        await rig.assert_agrees()


async def test_it_is_renewed_before_its_time_is_over(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        rig.desk.terms = replace(rig.desk.terms, standing=StandingRules(validity_ms=7 * 3_600_000))
        await bought(rig)
        first = await armed(rig)
        passes(rig, 6 * 3_600_000 + 1_000)
        await rig.until(lambda: rig.state(first) == "CANCELLED", "a newer one is there")
        fresh = await armed(rig)
        assert fresh.payload is not None
        assert first.payload is not None
        assert fresh.payload.valid_until_ms - first.payload.valid_until_ms >= 6 * 3_600_000
        assert own_nonce(fresh) == own_nonce(first)
        attend(rig)
        passes(rig, 7 * 3_600_000)
        await rig.reached(fresh, "EXPIRED")
        assert not cover(rig.desk, "m", ETH).covered
        assert rig.sent() == 2
        await rig.assert_agrees()


async def test_the_purchase_is_undone_and_comes_back(tmp_path: Path, anvil: LocalChain) -> None:
    """What is not held is not sold; what comes back is covered by the same signature."""
    async with chain_rig(tmp_path, anvil, standing=True, confirmations=8) as rig:
        await bought(rig)
        exit_ = await armed(rig)
        anvil.automine(on=False)
        anvil.reorg(1)
        anvil.mine()
        await rig.until(lambda: held(rig) == 0, "the purchase is undone")
        assert [each.id for each in exits(rig)] == [exit_.id]
        anvil.automine(on=True)
        anvil.mine()
        await rig.until(lambda: held(rig) == Decimal("0.25"), "it is back")
        assert await armed(rig) is exit_
        move(anvil, "WETH", 89)
        await rig.reached(exit_, "FILLED")
        assert rig.sent() == 3
        await rig.assert_agrees()


async def test_the_device_is_not_there(tmp_path: Path, anvil: LocalChain) -> None:
    """The position stays uncovered and is asked for again, later and later."""
    async with chain_rig(tmp_path, anvil, standing=True) as rig:
        await bought(rig, WBTC, "0.01", stop="0.5")
        sign, asked = rig.desk.signer.sign, []

        async def absent(*args: Any, **terms: Any) -> Any:
            asked.append(rig.session.clock.now_ms())
            raise NotReady(DeviceState.UNPLUGGED)

        (exit_,) = [await armed(rig, WBTC)]
        rig.desk.signer.sign = absent
        foreign(anvil, rig.me)
        kept = rig.keeper._positions
        await rig.until(lambda: rig.state(exit_) == "CANCELLED" and len(asked) == 1, "the device was asked")
        await rig.until(lambda: kept["m", WBTC].asked is None, "and it is known what became of that")
        assert not cover(rig.desk, "m", WBTC).covered
        passes(rig, 16_000)
        failed = "SELECT 1 FROM trades WHERE state = 'FAILED'"
        await rig.until(lambda: len(rig.rows(failed)) == 2, "and once more")
        rig.desk.signer.sign = sign
        head = anvil.mine()
        await rig.until(lambda: rig.head >= head, "it was looked at")
        passes(rig, 50_000)
        await armed(rig, WBTC)


def passes(rig: ChainRig, ms: int) -> None:
    """Everything that tells the time is that much later."""
    shifted = Shifted(ms + getattr(rig, "_shift", 0))
    rig._shift = shifted.by  # type: ignore[attr-defined]
    rig._wall = rig.session.setup._clock = rig.venue._clock = shifted  # type: ignore[attr-defined]


class Shifted(WallClock):
    def __init__(self, by: int) -> None:
        self.by = by

    def now_ms(self) -> int:
        return super().now_ms() + self.by
