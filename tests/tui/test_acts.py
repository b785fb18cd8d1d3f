"""What neither buys nor sells, as a person meets it: in lists, in the confirmation, afterwards, and by its keys. The
judge is the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.errors import SafetyError, UsageError
from app.execution.records import Trade
from app.tui.screens.split import Split
from app.tui.widgets.reader import Reader
from app.tui.widgets.table import Table
from app.venues.base import OrderState
from app.venues.evm.chain import MAX_UINT256
from tests.evm.chain import LocalChain
from tests.evm.rig import demo_address
from tests.evm.test_acts import push
from tests.tui.harness import SIZES, WIDE_SCREEN
from tests.tui.on_chain import ChainSeat, chain_terminal

RANGE = {"symbol": "ETH-USDC", "fee": "0.3%", "lower": "2000", "upper": "3000", "base": "1", "quote": "2500"}


async def proposed(seat: ChainSeat) -> Trade:
    """The one trade that waits, its confirmation in front."""
    await seat.until(lambda: len(seat._waiting()) == 1 and seat.dialog == "ConfirmDialog")
    await seat.look()
    return seat._waiting()[0]


async def said(seat: ChainSeat) -> str:
    """Everything that the confirmation says."""
    found = [seat.text()]
    for _ in range(20):
        if seat.app.screen.query_one(Reader).read:
            return " ".join("\n".join(found).replace("│", " ").split())
        await seat.press("pagedown")
        found.append(seat.text())
    raise AssertionError("the text does not end")


async def signed(seat: ChainSeat, trade: Trade) -> None:
    """Read, confirmed, and approved on the device, each of its transactions."""
    await said(seat)
    need = seat.session.pipeline.proposals.requirement(trade).readback
    seat.person.waits(1)
    if need is not None:
        await seat.press("S", *need, "enter")
        seat.person.waits(1)
    await seat.press("S")
    for payload in trade.payloads:
        await seat.until(lambda payload=payload: trade.at_device is payload)  # type: ignore[misc]  # binds now
        await seat.approve()


def flat(seat: ChainSeat) -> str:
    """The screen without its frames and line breaks."""
    return " ".join(seat.text().replace("│", " ").split())


def detail(seat: ChainSeat) -> str:
    """The detail of what is under the cursor, whatever room it has."""
    view = seat.app.view
    assert isinstance(view, Split)
    return "\n".join("".join(piece[0] for piece in line.pieces) for line in view.document(400))


async def home(seat: ChainSeat) -> None:
    while seat.dialog:
        await seat.press("escape")


async def opened(seat: ChainSeat) -> str:
    """A position of liquidity of the trader's own hand; its name."""
    await seat.mine()
    answer = await seat.host.commands["liquidity_open"]({"position": RANGE})
    assert answer["id"], answer
    seat.app.do.read_when_prepared(answer["id"])
    trade = await proposed(seat)
    await signed(seat, trade)
    await seat.until(lambda: trade.state.value == "FILLED")
    await home(seat)
    (stake,) = seat.desk.state.stakes.open.values()
    return str(stake.position)


async def pane(seat: ChainSeat, screen: str, name: str) -> Table:
    await seat.press(screen)
    assert seat.app.view is not None
    seat.app.view.show_pane(name)
    await seat.look()
    found = seat.app.view.query_one(f"#{name}", Table)
    assert found.has_focus
    return found


@pytest.mark.parametrize("size", SIZES)
async def test_liquidity_from_the_dialog_to_its_end(tmp_path: Path, anvil: LocalChain, size: tuple[int, int]) -> None:
    async with chain_terminal(tmp_path, anvil, size) as seat:
        table = await pane(seat, "2", "liquidity")
        assert "No positions of liquidity. o proposes to open one." in seat.text()
        await seat.press("o")
        assert seat.dialog == "ProvideDialog"
        assert "lower price: is needed" in seat.text()
        await seat.press("ctrl+s")
        assert "Not proposed: see what is wrong below." in seat.text()
        await seat.press(*"2000", "enter", *"3000", "enter", *"1", "down", *"2500")
        assert "The range holds the price of now" in seat.text()
        await seat.press("up", "up")
        await seat.press(*"2600")
        assert "The range holds the price of now" in seat.text()
        await seat.press("up", "down", *"3000")
        await seat.mine()
        await seat.press("ctrl+s")
        trade = await proposed(seat)
        assert "PROVIDE LIQUIDITY ETH-USDC" in seat.text()
        assert "worst" not in seat.text().lower()
        text = await said(seat)
        assert "OPEN A POSITION OF LIQUIDITY" in text
        assert "It neither buys nor sells." in text
        assert "At stake, as the limits count it: " in text
        assert "UNCOVERED" not in text
        assert "needs no exits" not in text
        await signed(seat, trade)
        await seat.until(lambda: trade.state.value == "FILLED")
        await seat.look()
        name = next(iter(seat.desk.state.stakes.open.values())).position
        assert f"The position {name} is open; it took " in flat(seat)
        assert "UNCOVERED" not in flat(seat)
        await home(seat)
        await seat.until(lambda: name in table.cursor)
        await seat.shows("in range")
        assert name in seat.text()
        push(anvil, 3000, 400_000)
        await seat.until(lambda: next(iter(seat.desk.state.stakes.open.values())).change().get("USDC", 0) > 1)
        await seat.press("enter")
        assert "imp. loss" in seat.text()
        assert "against holding what was put in" in detail(seat)
        await seat.press("escape", "f")
        trade = await proposed(seat)
        assert f"COLLECT FEES {name}" in seat.text()
        await signed(seat, trade)
        await seat.until(lambda: trade.state.value == "FILLED")
        await seat.look()
        assert f"of fees came from {name}; it stays open." in flat(seat)
        await home(seat)
        await pane(seat, "2", "liquidity")
        await seat.press("w")
        trade = await proposed(seat)
        assert f"WITHDRAW LIQUIDITY {name}" in seat.text()
        await signed(seat, trade)
        await seat.until(lambda: trade.state.value == "FILLED")
        await seat.look()
        assert f"The position {name} has ended: " in flat(seat)
        await home(seat)
        await seat.until(lambda: not seat.desk.state.stakes.open)
        await seat.mine()
        await seat.until(lambda: "No positions of liquidity." in seat.text())
        assert "acts " in seat.text()


@pytest.mark.parametrize("size", SIZES)
async def test_what_waits_for_a_block_is_bumped_then_cancelled(
    tmp_path: Path, anvil: LocalChain, size: tuple[int, int]
) -> None:
    async with chain_terminal(tmp_path, anvil, size) as seat:
        anvil.automine(on=False)
        trade = await seat.ticket("buy", symbol="ETH-USDC", quantity="0.1", stop="2000")
        seat.app.do.read(trade.id)
        await seat.look()
        await signed(seat, trade)
        await seat.until(lambda: any(each.state is OrderState.OPEN for each in trade.orders.values()))
        await home(seat)
        table = await pane(seat, "3", "orders")
        first = next(each for each in trade.orders.values() if each.state is OrderState.OPEN).request.client_id
        await seat.until(lambda: first in table.keys)
        table.mark(first)
        await seat.press("b")
        bumped = await proposed(seat)
        assert f"BUY ETH-USDC, in the place of {first[:10]}" in seat.text()
        await signed(seat, bumped)
        await seat.until(lambda: any(each.state is OrderState.OPEN for each in bumped.orders.values()))
        await home(seat)
        await pane(seat, "3", "orders")
        second = next(each for each in bumped.orders.values() if each.state is OrderState.OPEN).request.client_id
        await seat.until(lambda: second in table.keys)
        table.mark(second)
        await seat.press("c")
        ended = await proposed(seat)
        assert f"CANCEL {second[:10]}" in seat.text()
        assert "Not guaranteed: a block may take that one first" in await said(seat)
        await signed(seat, ended)
        await seat.until(lambda: any(each.state is OrderState.OPEN for each in ended.orders.values()))
        await seat.mine()
        await seat.until(lambda: ended.state.value == "FILLED")
        await seat.look()
        assert "Nothing was traded: the place is taken." in flat(seat)
        await seat.until(lambda: (trade.state.value, bumped.state.value) == ("CANCELLED", "CANCELLED"))
        assert anvil.nonce(demo_address()) == 1
        anvil.automine(on=True)
        await home(seat)
        await pane(seat, "3", "orders")
        await seat.until(lambda: "cancel" in seat.text())
        assert "sell" not in seat.text().lower()


async def revoked(seat: ChainSeat, what: str) -> None:
    """The allowance under the cursor, by its key, to its block."""
    await seat.press("r")
    trade = await proposed(seat)
    assert f"REVOKE {what} of 0x00000000" in seat.text()
    await signed(seat, trade)
    await seat.until(lambda: trade.state.value == "FILLED")
    await seat.look()
    assert f"may take no {what} any more." in flat(seat)


@pytest.mark.parametrize("size", SIZES)
async def test_an_unlimited_allowance_is_loud_and_taken_back_by_its_key(
    tmp_path: Path, anvil: LocalChain, size: tuple[int, int]
) -> None:
    usdc, stranger = anvil.token("USDC").address, bytes(19) + b"\x77"
    async with chain_terminal(tmp_path, anvil, size) as seat:
        table = await pane(seat, "0", "allowances")
        await seat.until(lambda: "Nothing may be taken from the account." in seat.text())
        anvil.impersonate(demo_address())
        anvil.transact(usdc, "approve(address,uint256)", stranger, MAX_UINT256, sender=demo_address())
        await seat.press("l")
        await seat.until(lambda: len(table.keys) == 1)
        await seat.look()
        assert "1 UNLIMITED" in seat.text()
        await seat.press("enter")
        assert "UNLIMITED: everything" in seat.text()
        assert "The settings do not name who may take it." in detail(seat)
        await seat.press("escape")
        await revoked(seat, "USDC")
        assert anvil.call(usdc, "allowance(address,address)(uint256)", demo_address(), stranger) == 0
        await home(seat)
        await pane(seat, "0", "allowances")
        await seat.until(lambda: table.keys == [])
        manager = anvil.dex("uniswap-v3").positions
        assert manager is not None
        anvil.transact(manager, "setApprovalForAll(address,bool)", stranger, True, sender=demo_address())
        await seat.press("l")
        await seat.shows("1 UNLIMITED")
        assert "uniswap-v3:all" in seat.text()
        await seat.press("enter")
        assert "UNLIMITED: everything that the account has in positions of liquidity there" in detail(seat)
        await seat.press("escape")
        await revoked(seat, "uniswap-v3:all")
        assert not anvil.call(manager, "isApprovedForAll(address,address)(bool)", demo_address(), stranger)


async def test_every_act_has_its_name_in_every_list(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_terminal(tmp_path, anvil, WIDE_SCREEN) as seat:
        name = await opened(seat)
        await seat.press("3")
        await seat.until(lambda: "provide" in seat.text())
        (booked,) = seat.session.reader.rows("SELECT client_id FROM orders WHERE role = 'act'")
        act, approval = seat.line(booked["client_id"][:10]), seat.line("approve ")
        assert "provide" in act
        assert "ETH-USDC" in act
        assert not {"BUY", "SELL"} & {*act.split(), *approval.split()}
        await seat.press("enter")
        await seat.until(lambda: "Moved" in seat.text())
        assert f"into {name}" in detail(seat)
        await seat.press("escape", "6")
        await seat.until(lambda: "provide liquidity ETH-USDC" in seat.text())
        answer = await seat.host.commands["liquidity_withdraw"]({"position": name})
        await seat.until(lambda: [each.id for each in seat._waiting()] == [answer["id"]])
        await seat.press("1")
        await seat.look()
        row = seat.line("WITHDRAW")
        assert name in row
        assert "SELL" not in row
        (listed,) = (await seat.host.commands["proposals"]({}))["proposals"]
        assert listed["act"] == {"kind": "withdraw", "position": name}
        assert listed["title"] == f"WITHDRAW LIQUIDITY {name}"


async def test_what_can_not_be_done_is_refused_with_words(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_terminal(tmp_path, anvil) as seat:

        async def ask(op: str, **request: Any) -> dict[str, Any]:
            return await seat.host.commands[op](request)

        router = f"0x{anvil.chain.dexes[0].router.hex()}"
        with pytest.raises(SafetyError, match="may take nothing of USDC"):
            await ask("revoke", token="USDC", spender=router)
        with pytest.raises(UsageError, match="is not what is needed: a token of the settings"):
            await ask("revoke", token="XYZ", spender=router)
        with pytest.raises(UsageError, match="is not what is needed: an address, or one of:"):
            await ask("revoke", token="USDC", spender="0x12")
        with pytest.raises(UsageError, match="mistyped"):
            await ask("revoke", token="USDC", spender="0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"[:-1] + "D")
        with pytest.raises(SafetyError, match="may take nothing of USDC through Permit2"):
            await ask("revoke", token="USDC", spender=router, inner=True)
        with pytest.raises(UsageError, match="There is no position of liquidity 'x:1'; open: none"):
            await ask("liquidity_withdraw", position="x:1")
        with pytest.raises(UsageError, match="names no transaction that waits"):
            await ask("bump", id="0x1234")
        answer = await ask("liquidity_open", position={"symbol": "NO-PE", "fee": "7%", "lower": "5", "upper": "4"})
        assert {each["field"] for each in answer["problems"]} == {"symbol", "fee", "upper", "base"}
        assert answer["id"] is None
        assert (await ask("liquidity"))["positions"] == []
        assert (await ask("stakes")) == {"stakes": []}
