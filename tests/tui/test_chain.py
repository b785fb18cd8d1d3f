"""Trades on a chain, as a person sees them: read, confirmed, signed one by one, followed into their blocks. The judge
is the chain: a block that a screen names is the block of the receipt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app import paths, reports, reports_journal
from app.errors import UsageError
from app.execution.mined import Stage, transactions
from app.execution.records import Trade
from app.launch import Request
from app.money import add, to_text
from app.tui.widgets.reader import Reader
from app.venues.resilience.breaker import BreakerState
from tests.evm.chain import LocalChain
from tests.tui.harness import SIZES, WIDE_SCREEN
from tests.tui.on_chain import ChainSeat, chain_terminal

BUY = {"symbol": "ETH-USDC", "quantity": "0.1", "stop": "2000"}


async def _back(seat: ChainSeat) -> None:
    """Close what is open."""
    while seat.dialog:
        await seat.press("escape")


async def _read(seat: ChainSeat) -> str:
    """Everything that the confirmation says."""
    said = [seat.text()]
    for _ in range(20):
        if seat.app.screen.query_one(Reader).read:
            return "\n".join(said)
        await seat.press("pagedown")
        said.append(seat.text())
    raise AssertionError("the text does not end")


def _block(seat: ChainSeat, tx: str) -> int:
    receipt = seat.chain.receipt(bytes.fromhex(tx[2:]))
    assert receipt is not None
    return int(receipt["blockNumber"], 16)


@pytest.mark.parametrize("size", SIZES)
async def test_an_entry_is_read_signed_twice_and_followed_into_its_blocks(
    tmp_path: Path, anvil: LocalChain, size: tuple[int, int]
) -> None:
    async with chain_terminal(tmp_path, anvil, size) as seat:
        trade = await seat.ticket("buy", **BUY)
        seat.app.do.read(trade.id)
        await seat.look()
        said = await _read(seat)
        for payload in trade.payloads:
            for line in payload.text.splitlines():
                assert line in said
        assert "UNCOVERED until you sign its standing exit" in said
        assert "Simulated on block" in said
        assert "+0.1 ETH" in said
        assert "Transaction 1 of 2" in said
        assert "Transaction 2 of 2" in said
        assert "walking" not in said
        assert "book" not in said
        assert "fills" not in said, "what it comes to is quoted"

        anvil.automine(on=False)
        seat.person.waits(1)
        await seat.press("S")
        await seat.until(lambda: seat.dialog == "DeviceDialog")
        await seat.look()
        assert "Transaction 1 of 2 is asked for now." in seat.text()
        await seat.approve()
        await seat.until(lambda: trade.at_device is trade.payloads[1])
        await seat.look()
        assert "Transaction 2 of 2 is asked for now." in seat.text()
        await seat.approve()
        await seat.until(lambda: trade.state.value == "SUBMITTED")
        await seat.look()
        assert "The approval is sent. Waiting for a block" in seat.text()
        await seat.mine()
        await seat.until(lambda: transactions(trade)[1].stage is Stage.WAITING)
        await seat.look()
        approval, swap = transactions(trade)
        assert approval.block == _block(seat, approval.hash)
        assert f"The approval is in block {approval.block:,}. The swap is sent." in seat.text()
        await seat.mine()
        await seat.until(lambda: trade.state.value == "FILLED")
        await seat.look()
        block = _block(seat, swap.hash)
        assert transactions(trade)[1].block == block
        assert f"In block {block:,}. It is UNCOVERED" in seat.text()


async def _standing_exit(seat: ChainSeat) -> Trade:
    """What is proposed after a purchase, nothing else being in front."""
    waiting = seat.session.pipeline.proposals.waiting
    await seat.until(lambda: any(each.standing for each in waiting()))
    (exit_,) = waiting()
    await _back(seat)
    await seat.look()
    return exit_


@pytest.mark.parametrize("size", SIZES)
async def test_the_standing_exit_is_read_signed_and_covers(
    tmp_path: Path, anvil: LocalChain, size: tuple[int, int]
) -> None:
    async with chain_terminal(tmp_path, anvil, size) as seat:
        trade = await seat.ticket("buy", **BUY)
        await seat.confirmed(trade)
        await seat.approve()
        await seat.until(lambda: trade.at_device is trade.payloads[1])
        await seat.approve()
        await seat.until(lambda: trade.state.value == "FILLED")
        exit_ = await _standing_exit(seat)
        assert "1 UNCOVERED" in seat.text().splitlines()[0]
        seat.app.do.read(exit_.id)
        await seat.look()
        said = await _read(seat)
        assert "STANDING EXIT, kept and not sent" in said
        for line in exit_.text.splitlines():
            assert line in said
        assert "It is not sent now." in said
        seat.person.waits(1)
        await seat.press("S")
        await seat.until(lambda: seat.dialog == "DeviceDialog")
        await seat.approve()
        await seat.until(lambda: exit_.armed)
        await seat.until(lambda: "Signed and kept. It goes when" in seat.text())
        await _back(seat)
        await seat.press("2")
        await seat.until(lambda: "0.1" in seat.text())
        assert "UNCOVERED" not in seat.text()
        await seat.until(lambda: getattr(seat.app.screen.focused, "id", "") == "held")
        await seat.press("V")
        await seat.until(lambda: any("signed already" in each.message for each in seat.app._notifications))
        if size == WIDE_SCREEN:
            assert "armed until" in " ".join(seat.text().split())


async def test_what_was_traded_is_told_with_block_hash_nonce_and_gas(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_terminal(tmp_path, anvil, WIDE_SCREEN) as seat:
        trade = await seat.ticket("buy", **BUY)
        await seat.confirmed(trade)
        await seat.approve()
        await seat.until(lambda: trade.at_device is trade.payloads[1])
        await seat.approve()
        await seat.until(lambda: trade.state.value == "FILLED")
        await seat.rig.settle()
        await _back(seat)
        approval, swap = transactions(trade)
        await seat.press("2")
        await seat.until(lambda: "0.1 ETH" in seat.text())
        assert "1 UNCOVERED" in seat.text()
        paid = approval.gas + swap.gas
        assert paid > 0
        assert "ETH (-$" in seat.line("gas ")
        await seat.press("3")
        await seat.until(lambda: swap.hash[:10] in seat.text())
        assert f"{swap.block:,}" in seat.line(swap.hash[:10])
        assert "approve" in seat.line(approval.hash[:10])
        await seat.press("enter")
        await seat.until(lambda: "nonce 1" in seat.text())
        text = seat.text()
        assert f"{swap.gas} ETH ($" in text
        assert "transaction 2 of 2, nonce 1" in text
        assert "countersign transaction 2 of 2" in text, "what was signed, in words"
        assert swap.hash[:34] in text


async def test_the_first_frame_says_testnet_and_the_chain_and_later_the_block(
    tmp_path: Path, anvil: LocalChain
) -> None:
    async with chain_terminal(tmp_path, anvil, ready=False) as seat:
        assert seat.text().splitlines()[0].startswith(" TESTNET  anvil")
        await seat.running()
        await seat.mine()
        head = int(await anvil.arpc("eth_blockNumber"), 16)
        await seat.until(lambda: seat.nodes.snapshot().head == head)
        await seat.look()
        assert f"block {head:,}" in seat.text().splitlines()[0]
        assert "PAPER" not in seat.text()
        assert "PRACTICE" not in seat.text()


@pytest.mark.parametrize("size", SIZES)
async def test_health_tells_of_the_nodes_and_a_key_believes_one_again(
    tmp_path: Path, anvil: LocalChain, size: tuple[int, int]
) -> None:
    async with chain_terminal(tmp_path, anvil, size) as seat:
        await seat.mine()
        await seat.until(lambda: seat.nodes.mode()[0] == "normal")
        assert seat.session.setup.running().well, "a part that is down is alerted"
        await seat.press("7")
        assert "NORMAL" in seat.text()
        assert "chain anvil (31337)" in seat.text()
        assert seat.app.view is not None
        (member,) = seat.nodes.best()
        (read, send) = member.node.breakers.values()
        send._pause_ms = 3_600_000  # it rests until it is believed again
        for _ in range(3):
            ticket = send.begin()
            assert ticket is not None
            send.failed(ticket, "time is up")
        await seat.press("r")
        assert send.state is BreakerState.OPEN, "only while the nodes have the focus"
        seat.app.view.show_pane("nodes")
        await seat.look()
        assert "open" in seat.line("127.0.0.1:")
        await seat.press("r")
        await seat.until(lambda: send.state is BreakerState.CLOSED and member.chain_id is not None)
        assert read.state is BreakerState.CLOSED
        with pytest.raises(UsageError, match="There is no node 'x'; there are: http://127"):
            await seat.host.commands["nodes_reset"]({"name": "x"})
        document = (await seat.host.commands["health"]({}))["chain"]
        assert json.loads(json.dumps(document))["nodes"][0]["name"].startswith("http://127.0.0.1:")


async def test_the_records_of_a_trade_are_told_without_the_screens_too(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_terminal(tmp_path, anvil) as seat:
        trade = await seat.ticket("buy", **BUY)
        await seat.confirmed(trade)
        await seat.approve()
        await seat.until(lambda: trade.at_device is trade.payloads[1])
        await seat.approve()
        await seat.until(lambda: trade.state.value == "FILLED")
        await seat.rig.settle()
        approval, swap = transactions(trade)
        reader = seat.session.reader
        sold, approved = reports.orders(reader, limit=10, offset=0)
        assert (sold["block"], sold["gas"]) == (swap.block, to_text(swap.gas))
        assert (approved["block"], approved["role"]) == (approval.block, "approve")
        assert reports.profit(reader)["gas"] == [
            {"module": "manual", "asset": "ETH", "amount": to_text(add(approval.gas, swap.gas))}
        ]
        assert reports.profit(reader)["balances"]["ETH"] == to_text(seat.desk.state.purse.balance("ETH"))
        rows = reports_journal.page(reader, reports_journal.JournalWanted(kind="order")).rows
        assert f"entry FILLED 0.1 in block {swap.block}, gas {to_text(swap.gas)}" in rows[0].changes


def test_before_the_settings_are_read_a_chain_is_a_testnets() -> None:
    """The stop key works before they are: it must not stop another profile."""
    asked = Request(settings=lambda: pytest.fail("they are not read"), chain="anvil")
    assert (asked.mode, asked.database, asked.market) == ("testnet", paths.database("testnet"), "chain anvil")
    assert "Nothing rests on a chain" in asked.exits
    paper = Request(settings=lambda: pytest.fail("they are not read"))
    assert (paper.mode, paper.database, paper.market) == ("paper", paths.database("paper"), "practice market")
