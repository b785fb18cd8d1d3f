"""Giving up what waits in a device's queue takes nothing away from the trade that is at the device."""

from __future__ import annotations

import asyncio
import contextlib

from app import wallets
from app.config.signer import Signer
from app.devices import Devices
from app.errors import SignerError
from signers.base import DeviceState, SignerKind, SignRequest
from signers.payloads import Chain, PersonalMessage
from signers.verify import verify
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.execution.test_signers import LEDGER_ADDRESS

TRADE = PersonalMessage("a trade")
SOLANA = wallets.which("ledger", "solana", "m/44'/501'/0'/0'")


async def test_giving_up_a_queued_wish_leaves_the_trade_at_the_device() -> None:
    with LedgerEmulator(LedgerDevice(human=Human.NEVER)) as emulator:
        devices = Devices(Signer(ledger=emulator.url), attended=False)
        session, path = devices.of(SignerKind.LEDGER), devices.path(Chain.EVM)
        await session.address(Chain.EVM, path)
        at_device = asyncio.Event()

        def told(state: DeviceState) -> None:
            if state is DeviceState.WAIT_BUTTON:
                at_device.set()

        looking = asyncio.create_task(session.probe())  # both wait behind it, and the trade's app is open
        await asyncio.sleep(0)
        wish = asyncio.create_task(wallets.address_of(devices, SOLANA, show=True))
        await asyncio.sleep(0)
        trade = asyncio.create_task(session.sign(SignRequest(TRADE, path), LEDGER_ADDRESS, told, 10))
        await asyncio.wait_for(at_device.wait(), 5)
        assert not wallets.give_up(devices, SignerKind.LEDGER), "there is nothing at the device to be given up"
        await asyncio.to_thread(emulator.device.shows.wait, 5)
        emulator.press(approve=True)
        verify(TRADE, (await trade).signature, LEDGER_ADDRESS)
        await looking
        with contextlib.suppress(SignerError):  # an emulator opens no other app
            await wish
        devices.close()
