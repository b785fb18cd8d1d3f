"""Blocks that are undone: what they booked is taken back, to the last unit, and the same transaction lands again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.errors import VenueError
from app.execution.records import Payload, Trade
from app.venues.base import SignedTransaction
from strategies.model import Side
from tests.evm.chain import LocalChain
from tests.evm.faults import Behind
from tests.evm.proxy import ALWAYS, FaultProxy
from tests.evm.rig import ChainRig, chain_rig, losing_answers


async def bought(rig: ChainRig, quantity: str = "0.25") -> str:
    """A purchase that is in a block; its transaction's hash."""
    trade = await rig.propose(quantity=quantity)
    await rig.reached(trade, "FILLED")
    return next(order.request.client_id for order in trade.orders.values() if order.role == "entry")


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
async def test_what_a_block_booked_is_taken_back_and_lands_again(tmp_path: Path, anvil: LocalChain, depth: int) -> None:
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        await bought(rig)
        anvil.mine(depth - 1)
        anvil.automine(on=False)
        position = rig.desk.state.positions.holding("m", "ETH-USDC")
        assert position.quantity == Decimal("0.25")
        anvil.reorg(depth)
        anvil.mine()
        await rig.until(
            lambda: "SUBMITTED" in states(rig),
            lambda: (
                f"the trade is sent, not filled: {states(rig)}, {rig.venue.nodes.snapshot()}, {rig.venue.heads()}, "
                f"{rig.venue._watched}, {rig.rows('SELECT what FROM errors')}, {anvil.block('latest')}"
            ),
        )
        assert rig.desk.state.positions.holding("m", "ETH-USDC").quantity == 0
        anvil.automine(on=True)
        anvil.mine()
        await rig.until(lambda: states(rig) == {"FILLED"}, "it is filled again")
        await rig.assert_agrees()
        assert rig.desk.state.positions.holding("m", "ETH-USDC").quantity == Decimal("0.25")
        assert rig.sent() == 2, "once each, whatever was undone"
        assert "chain.reorganised" in {row["kind"] for row in rig.rows("SELECT kind FROM alerts")}
    async with chain_rig(tmp_path, anvil) as again:
        await again.assert_agrees()


async def test_what_was_sent_without_an_answer_is_followed_as_well(tmp_path: Path, anvil: LocalChain) -> None:
    """Its block is known from the look-up after that, and can be undone like any other."""
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        losing_answers(rig, sent=True)
        await bought(rig)
        anvil.automine(on=False)
        anvil.reorg(1)
        anvil.mine()
        await rig.until(lambda: "SUBMITTED" in states(rig), "it is sent, not filled")
        assert rig.desk.state.positions.holding("m", "ETH-USDC").quantity == 0
        anvil.automine(on=True)
        anvil.mine()
        await rig.until(lambda: states(rig) == {"FILLED"}, "it is filled again")
        await rig.assert_agrees()


async def test_a_block_that_is_told_before_the_answer_to_the_send_counts(tmp_path: Path, anvil: LocalChain) -> None:
    """As where blocks come faster than answers: what is known of the block is newer than "it was sent"."""
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        name = await bought(rig)
        (block,) = {rig.venue._watched[name]}
        give = rig.venue.private.give

        async def slow(client_id: str, raw: bytes) -> None:
            await give(client_id, raw)
            seen = rig.venue._watched
            await rig.until(lambda: seen.get(client_id) not in {None, block}, "its next block is told")

        rig.venue.private.give = slow  # type: ignore[method-assign]  # the network between us and the nodes
        anvil.reorg(1)
        anvil.mine()
        await rig.until(lambda: len(rig.rows("SELECT * FROM fills")) == 2, "it is filled again")
        await rig.assert_agrees()
        assert states(rig) == {"FILLED"}
        undone = [row for row in rig.rows("SELECT kind FROM alerts") if row["kind"] == "chain.reorganised"]
        assert len(undone) == 1


@pytest.mark.parametrize("ends", [False, True])
async def test_an_approval_is_undone_while_what_follows_it_is_checked(
    tmp_path: Path, anvil: LocalChain, ends: bool
) -> None:
    """It is not there any more, and will be: the trade waits for it. Where it `ends` at that moment, by a stop, what
    lands of it later is its own all the same, and no stranger's."""
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        preparation = rig.session.pipeline._preparation
        worse, undone = preparation.worse, asyncio.Event()

        async def late(trade: Trade, payload: Payload) -> str | None:
            if trade.state == "SUBMITTED" and not undone.is_set():
                anvil.automine(on=False)
                anvil.reorg(1)
                anvil.mine()
                approve = next(iter(trade.orders.values()))
                await rig.until(lambda: approve.state == "OPEN", "the approval waits again")
                undone.set()
                if ends:
                    rig.desk.stop.create("test")
                    return None
            return await worse(trade, payload)

        preparation.worse = late  # type: ignore[method-assign]  # a block between two questions
        trade = await rig.propose(quantity="0.25")
        await rig.until(undone.is_set, "its block is undone")
        if ends:
            await rig.reached(trade, "CANCELLED")
            rig.desk.stop.lift()
        anvil.automine(on=True)
        anvil.mine()
        await rig.until(lambda: rig.orders(trade)[0] == ("approve", "FILLED"), lambda: str(rig.told(trade)))
        if not ends:
            await rig.reached(trade, "FILLED")
        await rig.assert_agrees()
        states = rig.rows("SELECT state FROM payloads WHERE trade_id = ? ORDER BY rowid", trade.id)
        assert [row["state"] for row in states] == ["LANDED", "DROPPED" if ends else "LANDED"]
        assert (await rig.session.recovery.look_again()).differences == ()
        assert rig.desk.halted == ""


async def test_a_node_that_is_behind_undoes_nothing(tmp_path: Path, anvil: LocalChain) -> None:
    """One address can stand for many nodes: now one answers that has the block, now one that has not."""
    with FaultProxy(anvil.url, anvil.ws_url) as proxy:
        async with chain_rig(tmp_path, anvil, urls=((proxy.url, proxy.ws_url),), confirmations=8) as rig:
            name = await bought(rig)
            await rig.venue.look()
            proxy.script("eth_getTransactionReceipt", Behind(1), times=ALWAYS)
            await rig.venue.look()
            with pytest.raises(VenueError, match="is behind") as caught:
                await rig.venue.order(name)
            assert "Nothing was concluded" in caught.value.next_step
            assert name in rig.venue._watched
            proxy.clear()
            anvil.mine()
            await rig.until(lambda: rig.head == anvil.number(), "its block is older now")
            await rig.venue.look()
            assert states(rig) == {"FILLED"}
            assert len(rig.rows("SELECT * FROM fills")) == 1
            assert "chain.reorganised" not in {row["kind"] for row in rig.rows("SELECT kind FROM alerts")}
            await rig.assert_agrees()


async def test_a_block_that_only_whoever_asked_was_told_of_can_be_undone(tmp_path: Path, anvil: LocalChain) -> None:
    """A look-up by name found it in a block; that block is gone before the next look."""
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        anvil.automine(on=False)
        trade = await rig.propose(quantity="0.25")
        await rig.until(lambda: rig.orders(trade)[:1] == [("approve", "OPEN")], "the approval waits")
        anvil.mine()
        await rig.until(lambda: rig.orders(trade)[1:] == [("entry", "OPEN")], "the swap waits")
        name = next(order.request.client_id for order in trade.orders.values() if order.role == "entry")
        async with rig.venue._asking:  # nobody else asks
            anvil.mine()
            report = await rig.venue._order(name)
            assert report is not None
            rig.venue._tell(report)
            await rig.until(lambda: trade.state == "FILLED", "who asked tells of it")
            anvil.reorg(1)
            anvil.mine()
        await rig.reached(trade, "SUBMITTED")
        anvil.automine(on=True)
        anvil.mine()
        await rig.reached(trade, "FILLED")
        await rig.assert_agrees()


async def test_what_was_asked_for_earlier_is_told_earlier(tmp_path: Path, anvil: LocalChain) -> None:
    """A look-up that found it waiting, answered late, must not take back what a later one found in a block."""
    async with chain_rig(tmp_path, anvil) as rig:
        anvil.automine(on=False)
        trade = await rig.propose(quantity="0.25")
        await rig.until(lambda: rig.state(trade) == "SUBMITTED", "it is sent")
        (name,) = {order.request.client_id for order in trade.orders.values() if order.role == "approve"}
        asked, reached, answer = [], asyncio.Event(), asyncio.Event()
        mined, call = rig.venue._mined, rig.venue.nodes.call

        async def counting(client_id: str) -> Any:
            asked.append(client_id)
            return await mined(client_id)

        async def slow(method: str, params: Sequence[Any] = ()) -> Any:
            found = await call(method, params)
            if method == "eth_getTransactionByHash" and not answer.is_set():
                reached.set()
                await answer.wait()
            return found

        async with rig.venue._asking:  # what was asked for already has its answer
            rig.venue._watched.clear()
            rig.venue._mined, rig.venue.nodes.call = counting, slow  # type: ignore[method-assign]  # slow nodes
        first = asyncio.create_task(rig.venue.order(name))
        await reached.wait()
        rig.venue.watch(name)
        before = len(asked)
        anvil.mine()
        second = asyncio.create_task(rig.venue.look())
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(asked) == before, "nothing is asked meanwhile"
        answer.set()
        late = await first
        await second
        assert late is not None
        assert late.state == "OPEN"
        await rig.until(lambda: trade.orders["approve"].state == "FILLED", "its block is told")
        rig.venue._tell(late)
        anvil.automine(on=True)
        anvil.mine()
        await rig.reached(trade, "FILLED")
        assert "chain.reorganised" not in {row["kind"] for row in rig.rows("SELECT kind FROM alerts")}
        await rig.assert_agrees()


async def test_a_sale_that_is_undone_gives_the_position_back(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        await bought(rig)
        sale = await rig.propose(Side.SELL, "0.25")
        await rig.reached(sale, "FILLED")
        anvil.automine(on=False)
        anvil.reorg(1)
        anvil.mine()
        await rig.until(lambda: rig.state(sale) == "SUBMITTED", "the sale is sent, not filled")
        assert rig.desk.state.positions.holding("m", "ETH-USDC").quantity == Decimal("0.25")
        anvil.automine(on=True)
        anvil.mine()
        await rig.reached(sale, "FILLED")
        await rig.assert_agrees()


async def test_moved_to_another_block(tmp_path: Path, anvil: LocalChain) -> None:
    """The new chain has the transaction too: what was booked for the one block is booked for the other."""
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        name = await bought(rig)
        raw = anvil.rpc("eth_getRawTransactionByHash", name)
        anvil.reorg(1, [(raw, 0)])
        anvil.mine()
        await rig.until(lambda: len(rig.rows("SELECT * FROM fill_changes")) == 1, "the first block's fill is undone")
        await rig.until(lambda: states(rig) == {"FILLED"}, "it is filled")
        assert len(rig.rows("SELECT * FROM fills")) == 2
        await rig.assert_agrees()


async def test_undone_while_we_were_away(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        await bought(rig)
    anvil.automine(on=False)
    anvil.reorg(1)
    anvil.automine(on=True)
    async with chain_rig(tmp_path, anvil, confirmations=8) as again:
        await again.until(lambda: anvil.nonce(again.me) == 2, "it is sent again")
        await again.until(lambda: states(again) == {"FILLED"}, "it is filled again")
        await again.assert_agrees()
        assert not again.desk.halted


def states(rig: ChainRig) -> set[str]:
    return {row["state"] for row in rig.rows("SELECT state FROM trades")}


async def bought_and_sold(rig: ChainRig) -> tuple[Trade, list[SignedTransaction]]:
    """A purchase and its sale, three transactions in three blocks; the sale, and what was signed."""
    trades = []
    for side in (Side.BUY, Side.SELL):
        trades.append(await rig.propose(side, "0.25"))
        await rig.reached(trades[-1], "FILLED")
    await rig.until(lambda: not rig.session.pipeline.work.of(trades[-1].id), "nothing goes on")
    signed = [each.signed for trade in trades for each in trade.payloads]
    return trades[-1], [each for each in signed if isinstance(each, SignedTransaction)]


def in_blocks(signed: Sequence[SignedTransaction]) -> list[tuple[str, int]]:
    """One after the other, as `LocalChain.reorg` takes them."""
    return [(f"0x{each.raw.hex()}", block) for block, each in enumerate(signed)]


@pytest.mark.parametrize("between", [False, True])
async def test_a_purchase_and_its_sale_are_undone_and_land_again(
    tmp_path: Path, anvil: LocalChain, between: bool
) -> None:
    """In one go, or with a look between: what sold is taken back before what bought it, and booked again after it."""
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        sale, signed = await bought_and_sold(rig)
        anvil.automine(on=False)
        async with rig.venue._asking:  # nobody looks while the chain is in pieces
            anvil.reorg(3, [] if between else in_blocks(signed))
            anvil.mine()
            await rig.until(lambda: rig.head == anvil.number(), "it is heard of")
        if between:
            await rig.until(lambda: states(rig) == {"SUBMITTED"}, lambda: f"{states(rig)} {rig.told(sale)}")
            await rig.until(lambda: anvil.nonce(rig.me, "pending") == 3, "all three are sent again")
            async with rig.venue._asking:
                anvil.mine()
        undone = "SELECT fill_id FROM fill_changes WHERE state = 'undone'"
        await rig.until(lambda: len(rig.rows(undone)) == 2, lambda: str(rig.told(sale)))
        await rig.until(lambda: states(rig) == {"FILLED"}, lambda: f"{states(rig)} {rig.told(sale)}")
        assert rig.desk.halted == ""
        assert rig.rows("SELECT what FROM errors") == []
        assert rig.sent() == 3
        await rig.assert_agrees()


@pytest.mark.parametrize("late", ["purchase", "sale"])
async def test_a_look_that_hears_of_a_reorganisation_in_part_mixes_nothing_up(
    tmp_path: Path, anvil: LocalChain, late: str
) -> None:
    """One address of many nodes: one of them tells of the new blocks, the next, in the same look, of the old ones."""
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        sale, signed = await bought_and_sold(rig)
        stale = {"purchase": signed[1], "sale": signed[2]}[late].hash
        mined, answers = rig.venue._mined, [await rig.venue._mined(stale)]

        async def mixed(client_id: str) -> Any:
            return answers.pop() if client_id == stale and answers else await mined(client_id)

        async with rig.venue._asking:
            anvil.reorg(3, in_blocks(signed))
            anvil.mine()
            await rig.until(lambda: rig.head == anvil.number(), "it is heard of")
            rig.venue._mined = mixed  # type: ignore[method-assign]  # who answers is the network's to say
        await rig.venue.look()
        await rig.venue.look()
        assert answers == []
        await rig.until(lambda: states(rig) == {"FILLED"}, lambda: f"{states(rig)} {rig.told(sale)}")
        assert rig.desk.halted == ""
        assert {place.hash for place in rig.venue._watched.values() if place} <= hashes(anvil, 4)
        await rig.assert_agrees()


async def test_what_no_node_tells_of_holds_up_no_other(tmp_path: Path, anvil: LocalChain) -> None:
    """As while a node indexes: it has receipts of old transactions, and an error for all others."""
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        anvil.automine(on=False)
        trade = await rig.propose(quantity="0.25")
        await rig.until(lambda: rig.orders(trade)[:1] == [("approve", "OPEN")], lambda: str(rig.told(trade)))
        mined = rig.venue._mined
        rig.venue.watch("0x" + "77" * 32)
        known = rig.venue._known
        (ours,) = [each for each in rig.venue._watched if known(each) is not None]
        rig.venue._known = lambda name: known(name) or known(ours)

        async def indexing(client_id: str) -> Any:
            if client_id != ours:
                raise VenueError("test.indexing", "transaction indexing is in progress")
            return await mined(client_id)

        rig.venue._mined = indexing  # type: ignore[method-assign]  # a node
        anvil.automine(on=True)
        anvil.mine()
        with pytest.raises(VenueError, match="indexing"):
            await rig.venue.look()
        await rig.until(lambda: rig.orders(trade)[0] == ("approve", "FILLED"), lambda: str(rig.told(trade)))


def hashes(anvil: LocalChain, blocks: int) -> set[str]:
    """Of the last blocks."""
    head = anvil.number()
    return {anvil.block(number)["hash"] for number in range(head - blocks + 1, head + 1)}
