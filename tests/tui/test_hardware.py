"""Hardware wallets in the terminal: the account is compared, the device's state is on the screen, the answer is given
on the device, and what is typed for it is kept nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.execution.records import Trade
from app.tui.host import Stage
from app.tui.screens.at_device import AtTheDevice
from app.tui.screens.hardware import HardwareDialog
from app.tui.screens.secret import SecretDialog
from app.tui.widgets.lines import Line
from app.tui.widgets.reader import Reader
from signers.base import DeviceState, Question
from signers.faults import NotReady, SignerFault
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import Fault, LedgerEmulator
from tests.devices.trezor_emulator import TrezorDevice
from tests.tui.harness import SIZES, SMALL, Seat, terminal
from tests.tui.keyboard import MOVES, Keyboard, Size

ADDRESS = "0xDad77910DbDFdE764fC21FCD4E74D71bBACA6D8D"


def ledger(emulator: LedgerEmulator) -> dict[str, str]:
    return {"signer.kind": "ledger", "signer.ledger": emulator.url}


@asynccontextmanager
async def waiting(folder: Path, size: Size = SMALL) -> AsyncIterator[tuple[Seat, LedgerEmulator, Trade]]:
    """A trade that was confirmed and waits for the person at a Ledger."""
    with LedgerEmulator(LedgerDevice()) as device:
        async with terminal(folder, size, settings=ledger(device)) as seat:
            device.device.human = Human.NEVER
            trade = await seat.propose()
            await confirm(seat, trade.id)
            await at_the_device(seat)
            yield seat, device, trade


async def at_the_device(seat: Seat, state: DeviceState = DeviceState.WAIT_BUTTON) -> None:
    await seat.until(lambda: seat.dialog == "HardwareDialog" and seat.host.device is state)
    await seat.look()


@pytest.mark.parametrize("size", SIZES)
async def test_the_account_is_compared_once_then_a_trade_is_signed_on_the_device(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    with LedgerEmulator(LedgerDevice(human=Human.NEVER)) as device:
        async with terminal(tmp_path, size, settings=ledger(device), first_run=True) as seat:
            await seat.press("1")
            await seat.until(lambda: seat.dialog == "CompareDialog")
            await seat.look()
            assert ADDRESS in seat.text()
            assert seat.host.stage is Stage.OPENING
            await pressed(seat, device, approve=True)
            await seat.running()
            assert seat.dialog == ""
            await seat.market(200)
            trade = await seat.propose()
            seat.rig.pipeline.proposals.shown(trade.id)
            seat.person.waits(1)
            seat.rig.pipeline.proposals.confirm(trade.id)
            await at_the_device(seat)
            for words in ("waits for you", "CLEAR", "Review message", trade.id[-8:]):
                assert words in seat.text()
            assert "approve" not in {label for _, label in seat.app.screen.hints()}  # type: ignore[attr-defined] # a dialog
            await pressed(seat, device, approve=True)
            await seat.became(trade, "FILLED")
            assert seat.dialog == ""


async def test_leaving_keeps_it_waiting_and_nine_comes_back(tmp_path: Path) -> None:
    async with waiting(tmp_path) as (seat, device, trade):
        await seat.press("escape")
        assert seat.dialog == ""
        assert "waits for you" in seat.app.screen.query_one("#status").render_line(0).text
        await seat.press("9")
        assert seat.dialog == "HardwareDialog"
        await pressed(seat, device, approve=False)
        await seat.became(trade, "REFUSED")
        assert seat.dialog == ""


@pytest.mark.parametrize("size", SIZES)
async def test_its_keys(tmp_path: Path, size: Size) -> None:
    async with waiting(tmp_path, size) as (seat, _, trade):
        key = Keyboard(seat)
        reader = seat.app.screen.query_one(Reader)
        reader._document = lambda width: [Line()] * 100 + shown(width)
        shown = seat.app.screen.lines  # type: ignore[attr-defined] # the dialog's
        await seat.look()
        for number, (name, place) in enumerate([*MOVES, ("space", 1), ("pageup", 0)]):
            await key(HardwareDialog, name)
            assert reader._top == place * (8 if number > 3 else 1), name
        for name, top in (("end", True), ("home", False), ("G", True), ("g", False)):
            await key(HardwareDialog, name)
            assert bool(reader._top) is top, name
        await key(AtTheDevice, "x")
        await seat.became(trade, "REFUSED")
        key.covers(HardwareDialog, AtTheDevice)


async def test_a_locked_device_says_so_and_goes_on_once_it_is_unlocked(tmp_path: Path) -> None:
    with LedgerEmulator(LedgerDevice()) as device:
        async with terminal(tmp_path, settings=ledger(device)) as seat:
            device.device.locked = True
            assert seat.host.trader is not None
            seat.host.trader.session.device.again_s = 0.01
            trade = await seat.propose()
            await confirm(seat, trade.id)
            await at_the_device(seat, DeviceState.LOCKED)
            assert "The device is locked" in seat.text()
            assert "Unlock it with its PIN. It goes on by itself." in " ".join(seat.text().split())
            device.device.locked = False
            await seat.became(trade, "FILLED")


async def test_what_is_given_up_is_not_sent_though_the_device_signs_it_later(tmp_path: Path) -> None:
    async with waiting(tmp_path) as (seat, device, trade):
        await seat.press("x")
        await seat.became(trade, "REFUSED")
        assert "Given up" in trade.reason
        await pressed(seat, device, approve=True)
        device.device.human = Human.APPROVE
        again = await seat.propose()
        await confirm(seat, again.id)
        await seat.became(again, "FILLED")
        assert len(seat.rig.rows("SELECT * FROM authorisations")) == 1


async def test_a_model_one_s_pin_is_typed_by_position_and_kept_nowhere(tmp_path: Path) -> None:
    with TrezorDevice("T1B1", pin="1234") as device:
        settings = {"signer.kind": "trezor", "signer.trezor": device.url}
        async with terminal(tmp_path, settings=settings, first_run=True) as seat:
            await seat.press("1")
            await seat.until(lambda: seat.dialog == "SecretDialog")
            await seat.look()
            assert "7 8 9" in seat.text()
            positions = "".join(str(device.matrix.index(digit) + 1) for digit in device.pin)
            await seat.press(*positions)
            assert positions not in seat.text()
            await seat.press("enter")
            await seat.running()
            everything = "".join(
                str(dict(row)) for table in ("meta", "accounts", "errors", "journal") for row in rows(seat, table)
            )
            assert positions not in everything


async def test_a_secret_that_is_not_typed_is_given_up(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        seat.app.push_screen(SecretDialog(Question.PASSPHRASE, answer))
        await seat.look()
        await seat.press("a", "b", "escape")
        with pytest.raises(NotReady, match="not typed"):
            answer.result()


async def pressed(seat: Seat, device: LedgerEmulator, *, approve: bool) -> None:
    """The person acts, once the device shows something."""
    await seat.until(lambda: device.device.review is not None)
    device.press(approve=approve)


async def test_a_question_that_nobody_waits_for_any_more_leaves_the_screen(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        assert seat.host.on_ask is not None
        asked = asyncio.ensure_future(seat.host.on_ask(Question.PIN_POSITIONS))
        await seat.until(lambda: seat.dialog == "SecretDialog")
        asked.cancel()
        await seat.until(lambda: seat.dialog == "")


async def confirm(seat: Seat, trade_id: str) -> None:
    seat.rig.pipeline.proposals.shown(trade_id)
    seat.person.waits(1)
    seat.rig.pipeline.proposals.confirm(trade_id)


def rows(seat: Seat, table: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = seat.rig.rows(f"SELECT * FROM {table}")
    return found


async def test_a_device_that_goes_while_it_is_asked_is_known_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is back before anybody looks at the bus: the Wallets screen said that it was ready."""
    monkeypatch.setattr("app.device_watch.EVERY_S", 3_600.0)  # the next look would find it back
    with LedgerEmulator(LedgerDevice()) as device:
        async with terminal(tmp_path, settings=ledger(device)) as seat:
            device.device.human = Human.NEVER
            device.hits = lambda apdu: not apdu  # what it answers once its person has acted
            device.faults.append(Fault.DROP)
            trade = await seat.propose()
            await confirm(seat, trade.id)
            await at_the_device(seat)
            await pressed(seat, device, approve=True)
            await seat.became(trade, "FAILED")
            assert seat.host.trader is not None
            last = seat.host.trader.session.device.last
            assert isinstance(last, SignerFault)
            assert last.state is DeviceState.UNPLUGGED
