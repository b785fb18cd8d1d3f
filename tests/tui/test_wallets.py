"""The Wallets screen: what is there and what it shows, an address compared, a test text signed; never in the way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.tui.screens.at_device import AtTheDevice
from app.tui.screens.wallets import WalletsView
from app.tui.widgets.table import Table
from signers.base import SignerKind
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.devices.trezor_emulator import TrezorDevice
from tests.tui.harness import SIZES, SMALL, WIDE_SCREEN, Seat, terminal
from tests.tui.keyboard import Keyboard, Size
from tests.tui.test_hardware import ADDRESS, ledger


async def to(seat: Seat, pane: str = "devices", row: str = "") -> Table:
    """A list of the screen, with the cursor on a row."""
    await seat.press("0")
    assert seat.app.view is not None
    seat.app.view.show_pane(pane)
    await seat.look()
    table = seat.app.view.query_one(f"#{pane}", Table)
    await seat.until(lambda: table.has_focus and bool(table.keys))
    await seat.press(*["home"] * bool(row))
    while row and table.cursor != row:
        await seat.press("down")
    return table


async def at_the_device(seat: Seat, emulator: LedgerEmulator) -> None:
    await seat.until(lambda: emulator.device.review is not None)
    await seat.shows("The device waits for you.")


@pytest.mark.parametrize("size", SIZES)
async def test_without_hardware_it_says_so_and_why_the_demo_device_is_there(tmp_path: Path, size: Size) -> None:
    async with terminal(tmp_path, size) as seat:
        table = await to(seat)
        assert table.keys == ["ledger", "trezor", "keyring", "demo"]
        assert table.cursor == "demo", "the one in use is marked at first"
        assert "not looked for" in seat.line("ledger")
        await to(seat, row="ledger")
        assert "ready" in seat.line("demo*") or "not asked" in seat.line("demo*")
        await seat.press("enter")
        await seat.shows("l looks for every kind", "Unknown until it answers")
        await seat.press("escape")
        await to(seat, row="keyring")
        await seat.press("enter")
        await seat.shows("off: Switched off:", "HOT KEY")


@pytest.mark.parametrize("size", SIZES)
async def test_the_device_in_use_is_live_and_its_detail_says_what_it_shows(tmp_path: Path, size: Size) -> None:
    with LedgerEmulator(LedgerDevice()) as emulator:
        async with terminal(tmp_path, size, settings=ledger(emulator)) as seat:
            await to(seat, row="ledger")
            await seat.shows("ledger* ready")
            await seat.press("enter")
            await seat.shows("Ethereum 1.22.0", "signing off: refuses what it", "yes: on paper only")
            await seat.shows("CLEAR evm trade authorisation")
            detail = seat.app.screen.query_one("#detail")
            lines = "\n".join("".join(text for text, _ in each.pieces) for each in seat.app.view.document(100))  # type: ignore[union-attr]  # the screen
            assert "BLIND  evm    swap (contract call)\n  Refused as it is set now. The Ethereum app" in lines
            assert "Solana is not open" in lines
            assert "UNPROVEN" not in lines
            assert detail.has_focus
            assert seat.host.trader is not None
            emulator.device.locked = True
            session = seat.host.trader.session.device
            with pytest.raises(Exception, match="locked"):
                await session.probe()
            await seat.shows("The device is locked.", "Unlock it with its PIN")
            assert "Nothing was sent" not in seat.text()


async def test_a_model_that_was_never_recorded_is_unproven(tmp_path: Path) -> None:
    device = LedgerDevice()
    device.versions["Ethereum"] = "1.21.0"
    with LedgerEmulator(device) as emulator:
        settings = {"signer.kind": "ledger", "signer.ledger": f"{emulator.url}?model=stax"}
        async with terminal(tmp_path, SMALL, settings=settings) as seat:
            await to(seat, row="ledger")
            await seat.press("enter")
            await seat.shows("UNPROVEN. The screens of Ethereum 1.21.0 were")


@pytest.mark.parametrize("size", SIZES)
async def test_l_looks_for_the_others(tmp_path: Path, size: Size) -> None:
    with TrezorDevice("T3T1") as trezor:
        async with terminal(tmp_path, size, settings={"signer.trezor": trezor.url}) as seat:
            await to(seat, row="trezor")
            assert trezor.heard == []
            await seat.press("l")
            await seat.shows("trezor ready")
            await seat.press("enter")
            await seat.shows("Trezor Safe 5", "firmware 2.12.5")


@pytest.mark.parametrize("size", SIZES)
async def test_an_address_is_compared_on_the_device(tmp_path: Path, size: Size) -> None:
    with LedgerEmulator(LedgerDevice()) as emulator:
        async with terminal(tmp_path, size, settings=ledger(emulator)) as seat:
            await to(seat, row="ledger")
            emulator.device.human = Human.NEVER
            for approve, words in ((False, "Nothing was sent. Ask again"), (True, "It is the registered one.")):
                await seat.press("a")
                assert seat.dialog == "QuestionDialog"
                await seat.press("enter")
                assert seat.dialog == "", "Enter asks the device for nothing"
                await seat.press("a", "e")
                assert seat.dialog == "WalletDialog"
                await at_the_device(seat, emulator)
                await seat.shows(ADDRESS, "Compare each line", "Waiting")
                emulator.press(approve=approve)
                await seat.shows(words)
                assert seat.dialog == "WalletDialog", "what came of it stays to be read"
                await seat.press("escape")


async def test_the_screen_is_alive_while_the_device_waits_and_a_trade_is_not_disturbed(tmp_path: Path) -> None:
    with LedgerEmulator(LedgerDevice()) as emulator:
        async with terminal(tmp_path, WIDE_SCREEN, settings=ledger(emulator), toasts=True) as seat:
            await to(seat, row="ledger")
            emulator.device.human = Human.NEVER
            await seat.press("t", "e")
            await at_the_device(seat, emulator)
            await seat.shows("countersign signer test", "nothing is traded")
            await seat.press("escape", "1")
            assert seat.app.current == "trade"
            await seat.market(5)
            await to(seat, row="ledger")
            assert "asking you" in seat.line("ledger*")
            await seat.press("a", "e")
            await seat.shows("being asked for something else")
            await seat.press("escape")
            emulator.press(approve=True)
            await seat.until(lambda: any("signed, verified" in each.message for each in seat.app._notifications))
            emulator.device.human = Human.APPROVE
            trade = await seat.propose()
            seat.rig.pipeline.proposals.shown(trade.id)
            seat.person.waits(1)
            seat.rig.pipeline.proposals.confirm(trade.id)
            await seat.became(trade, "FILLED")


@pytest.mark.parametrize("size", SIZES)
async def test_the_demo_device_asks_on_its_own_screen(tmp_path: Path, size: Size) -> None:
    async with terminal(tmp_path, size) as seat:
        await to(seat, row="demo")
        await seat.press("t", "e")
        await seat.until(lambda: seat.dialog == "DeviceDialog")
        await seat.look()
        assert "countersign" in seat.text()
        await seat.press(*["right"] * 8)
        assert "Sign this text?" in seat.text()
        await seat.press("A")
        await seat.shows("Signed by it, and verified:", "to verify.")
        await seat.press("escape")
        await seat.press("a", "e")
        await seat.shows("The demo device shows none.")


async def test_a_registered_address_is_asked_for_by_its_own_path(tmp_path: Path) -> None:
    with LedgerEmulator(LedgerDevice()) as emulator:
        async with terminal(tmp_path, WIDE_SCREEN, settings=ledger(emulator)) as seat:
            table = await to(seat, "accounts")
            assert table.cursor == "ledger evm m/44'/60'/0'/0/0"
            await seat.shows(ADDRESS, "This session signs with it.", "last signed never")
            await seat.press("t")
            await seat.shows("Signed by it, and verified:")
            await seat.press("escape")
            await seat.until(lambda: bool(seat.rig.rows("SELECT used_ms FROM accounts")[0]["used_ms"]))


@pytest.mark.parametrize("size", SIZES)
async def test_its_keys(tmp_path: Path, size: Size) -> None:
    with LedgerEmulator(LedgerDevice()) as emulator:
        async with terminal(tmp_path, size, settings=ledger(emulator)) as seat:
            key = Keyboard(seat)
            await to(seat, row="ledger")
            for name in ("a", "t"):
                await key(WalletsView, name)
                await seat.look()
                assert seat.dialog == "QuestionDialog"
                await seat.press("n")
                assert seat.dialog == ""
            devices = seat.host.trader.session.devices  # type: ignore[union-attr]  # it runs
            assert SignerKind.TREZOR not in devices.seen
            await key(WalletsView, "l")
            await seat.until(lambda: SignerKind.TREZOR in devices.seen)
            await seat.press("enter")
            await seat.until(lambda: seat.app.screen.query_one("#detail").has_focus)
            await seat.press("a", "t")
            assert seat.dialog == "", "they act on the lists only"
            await seat.press("escape", "1", "a", "t", "l")
            assert seat.dialog == ""
            await to(seat, row="ledger")
            emulator.device.human = Human.NEVER
            for name in ("a", "t"):
                await seat.press(name, "e")
                await at_the_device(seat, emulator)
                await key(AtTheDevice, "x")
                await seat.shows("Given up" if name == "t" else "taken back")
                await seat.press("x", "enter")
                assert seat.dialog == "", "Enter went back"
                emulator.press(approve=False)
                await seat.until(lambda: emulator.device.review is None)
            key.covers(WalletsView, AtTheDevice)


async def test_a_hot_key_has_no_screen(tmp_path: Path) -> None:
    async with terminal(tmp_path, SMALL, toasts=True) as seat:
        await to(seat, row="keyring")
        await seat.press("a", "t")
        assert seat.dialog == ""
        assert any("no screen" in each.message for each in seat.app._notifications)


@pytest.mark.parametrize("size", SIZES)
async def test_without_an_engine_it_says_so(tmp_path: Path, size: Size) -> None:
    async with terminal(tmp_path, size, ascii_only=True) as seat:
        assert seat.host.trader is not None
        seat.host.trader.stop("test")
        await seat.until(lambda: seat.host.over)
        await seat.press("0")
        await seat.shows("The engine does not run, so no device is asked.")
        await seat.press("a", "t", "l")
        assert seat.dialog == ""
        assert seat.app.view is not None
        seat.app.view.show_pane("accounts")
        await seat.shows("demo evm" if size == WIDE_SCREEN else "demo")
        assert seat.text().isascii()
        await asyncio.sleep(0)
