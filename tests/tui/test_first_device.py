"""The first start with a hardware wallet: what keeps it from giving its address is said and waited for, and the person
can leave at any moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.tui.app import Terminal
from app.tui.host import Host, Stage
from app.tui.screens.compare import CompareDialog
from signers.session import DeviceSession
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import Fault, LedgerEmulator
from tests.devices.trezor_emulator import TrezorDevice
from tests.tui.harness import SIZES, SMALL, Hand, Seat, request, terminal
from tests.tui.keyboard import Keyboard, Size

ADDRESS = "0xDad77910DbDFdE764fC21FCD4E74D71bBACA6D8D"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeviceSession, "again_s", 0.01)


@asynccontextmanager
async def started(folder: Path, url: str, size: Size = (80, 24), kind: str = "ledger") -> AsyncIterator[Seat]:
    settings = {"signer.kind": kind, f"signer.{kind}": url}
    async with terminal(folder, size, settings=settings, first_run=True) as seat:
        await seat.press("1")
        await seat.until(lambda: seat.dialog in {"CompareDialog", "SecretDialog"})
        await seat.look()
        yield seat


async def says(seat: Seat, words: str) -> None:
    await seat.until(lambda: words in seat.host.first)
    await seat.look()
    assert words in read(seat)


def read(seat: Seat) -> str:
    return " ".join(seat.text().replace("│", " ").split())


async def approved(seat: Seat, device: LedgerEmulator) -> None:
    await seat.until(lambda: device.device.review is not None)
    await says(seat, ADDRESS)
    device.press(approve=True)
    await seat.running()
    assert seat.dialog == ""
    assert seat.desk.terms.signer_address == ADDRESS


def unlocked(device: LedgerDevice) -> None:
    device.locked = False


def opened(device: LedgerDevice) -> None:
    device.app = "Ethereum"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("device", "words", "step", "mend"),
    [
        (LedgerDevice(locked=True), "The device is locked.", "Unlock it with its PIN.", unlocked),
        (LedgerDevice(app="Solana"), "Ethereum is needed.", "Open the right app on the device.", opened),
    ],
)
async def test_what_its_person_can_mend_is_waited_for(
    tmp_path: Path, size: Size, device: LedgerDevice, words: str, step: str, mend: Callable[[LedgerDevice], None]
) -> None:
    device = LedgerDevice(app=device.app, locked=device.locked, human=Human.NEVER)
    with LedgerEmulator(device) as emulator:
        async with started(tmp_path, emulator.url, size) as seat:
            await says(seat, words)
            await says(seat, step)
            for also in ("It goes on by itself.", "Nothing was sent.", "--signer demo"):
                assert also in read(seat)
            assert "try again" not in read(seat)
            assert seat.host.stage is Stage.OPENING
            mend(device)
            await approved(seat, emulator)


async def test_a_device_that_is_unplugged_while_its_address_is_compared_shows_it_again(tmp_path: Path) -> None:
    with LedgerEmulator(LedgerDevice(human=Human.NEVER)) as device:
        device.hits = lambda apdu: not apdu  # what it answers once its person has acted
        device.faults.append(Fault.DROP)
        async with started(tmp_path, device.url) as seat:
            await seat.until(lambda: device.device.review is not None)
            device.press(approve=True)
            await seat.until(lambda: not device.faults)
            assert seat.host.stage is Stage.OPENING
            await approved(seat, device)


async def test_its_keys(tmp_path: Path) -> None:
    with LedgerEmulator(LedgerDevice(locked=True)) as device:
        async with started(tmp_path, device.url) as seat:
            key = Keyboard(seat)
            await seat.press("escape")
            assert seat.dialog == ""
            assert "waiting for the device (9)" in seat.line("PAPER")
            await seat.press("9")
            assert seat.dialog == "CompareDialog"
            await seat.press("9", "question_mark")
            assert "9 comes back to it" in read(seat)
            await seat.press("escape")
            await key(CompareDialog, "q")
            await seat.until(lambda: seat.host.stage is Stage.ENDED)
            key.covers(CompareDialog)
    async with terminal(tmp_path) as again:  # nothing was registered, and the database is free
        assert [row["signer"] for row in again.rig.rows("SELECT signer FROM accounts")] == ["demo"]


async def test_what_it_refuses_ends_the_start(tmp_path: Path) -> None:
    with LedgerEmulator(LedgerDevice(human=Human.NEVER)) as device:
        async with started(tmp_path, device.url) as seat:
            await seat.until(lambda: device.device.review is not None)
            device.press(approve=False)
            await seat.until(lambda: seat.host.stage is Stage.FAILED)
            assert "Refused on the device" in seat.host.words
            assert "Nothing was registered. Start again" in seat.host.words


async def test_a_pin_that_is_entered_on_the_device_is_asked_for_in_words(tmp_path: Path) -> None:
    with TrezorDevice("T3T1", pin="1234") as device:
        device.human = "never"
        async with started(tmp_path, device.url, kind="trezor") as seat:
            await says(seat, "The device asks for its PIN. Enter the PIN.")
            device.human = "approve"
            device.press(approve=True)
            await seat.running()
            assert seat.dialog == ""


async def test_another_screen_over_a_start_that_waits_shows_what_it_waits_for(tmp_path: Path) -> None:
    """As after a screen that crashed: the engine goes on."""
    with LedgerEmulator(LedgerDevice(locked=True)) as device:
        settings = {"signer.kind": "ledger", "signer.ledger": device.url}
        hand = Hand()
        host = Host(request(tmp_path, settings), hand)
        for number in range(2):
            app = Terminal(host)
            async with app.run_test(size=SMALL) as pilot:
                seat = Seat(pilot, app, host, hand, [])
                await seat.until(lambda: bool(host.first))
                await seat.until(lambda: seat.dialog == "CompareDialog")  # noqa: B023 -- as above
                await seat.look()
                assert "The device is locked." in read(seat), number
        await host.end("test ended")
