"""What is plugged in and out while nobody is asked for anything is known, and a device in use does not hold another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from app.config.signer import Signer as SignerSettings
from app.device_watch import DeviceWatch
from app.devices import Devices
from signers.base import DeviceInfo, DeviceState, SignerKind, SignRequest
from signers.ledger.driver import LedgerSigner
from signers.ledger.find import HidDoor
from signers.payloads import Chain, PersonalMessage
from signers.session import DeviceSession
from signers.verify import verify
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.devices.ledger_hid import FakeBus
from tests.devices.trezor_emulator import TrezorDevice


async def test_plugged_out_and_in_again_while_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = FakeBus(LedgerDevice())
    devices = Devices(SignerSettings(kind="ledger"), attended=False)
    monkeypatch.setattr(devices, "driver", lambda _: LedgerSigner(door=HidDoor(bus)))
    told: list[SignerKind] = []
    watch, session = DeviceWatch(devices, told.append), devices.of(await devices.chosen())
    await watch.look(session)
    assert state(session) is DeviceState.READY
    bus.there = False
    await watch.look(session)
    assert state(session) is DeviceState.NO_DEVICE
    bus.there = True
    await watch.look(session)
    assert state(session) is DeviceState.READY
    await watch.look(session)
    assert told == [SignerKind.LEDGER] * 3, "told of changes only"
    devices.close()


async def test_two_devices_at_once_and_neither_holds_the_other() -> None:
    with LedgerEmulator(LedgerDevice()) as ledger, TrezorDevice("T3T1") as trezor:
        devices = Devices(SignerSettings(ledger=ledger.url, trezor=trezor.url), attended=False)
        one, other = devices.of(SignerKind.LEDGER), devices.of(SignerKind.TREZOR)
        path, payload = devices.path(Chain.EVM), PersonalMessage("which of the two")
        addresses = [await each.address(Chain.EVM, path) for each in (one, other)]
        ledger.device.human = Human.NEVER
        waiting = asyncio.ensure_future(one.sign(SignRequest(payload, path), addresses[0], lambda _: None, 30))
        await _until(lambda: ledger.device.review is not None)
        signed = await other.sign(SignRequest(payload, path), addresses[1], lambda _: None, 30)
        verify(payload, signed.signature, addresses[1])
        assert not waiting.done()
        ledger.press(approve=True)
        verify(payload, (await waiting).signature, addresses[0])
        devices.close()


def state(session: DeviceSession) -> DeviceState | None:
    last = session.last
    return DeviceState.READY if isinstance(last, DeviceInfo) else last.state if last is not None else None


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(5_000):
        if true():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not happen")
