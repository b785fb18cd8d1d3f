"""A device that can not be trusted or reached as it should be: it shows another address than it said, opens another
wallet, or takes for ever. Nothing is registered, sealed or signed, and the words say what to do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.accounts import accounts
from app.config.signer import Signer
from app.devices import Devices
from app.engine.clock import WallClock
from app.errors import SignerError
from app.sealing import seal
from app.trial_signature import trial
from app.wallets import Which, address_of
from signers.base import DeviceState, Question, SignerKind
from signers.paths import Path as Derivation
from signers.payloads import Chain
from storage.database import Reader, connect, open_for_trading
from tests.devices import trezor_cases as cases
from tests.devices.ledger_device import LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.devices.trezor_emulator import TrezorDevice
from tests.execution.harness import rig
from tests.execution.test_signers import LEDGER_ADDRESS, hands

PATH = Derivation.parse("m/44'/60'/0'/0/0")


class Liar(LedgerDevice):
    """Its screen shows another account than its first answer named."""

    def handle(self, apdu: bytes) -> bytes | None:
        shows = apdu[:3] == b"\xe0\x02\x01"
        return super().handle(apdu[:-1] + b"\x07" if shows else apdu)


async def test_a_device_that_shows_another_address_than_it_said_registers_nothing(tmp_path: Path) -> None:
    with LedgerEmulator(Liar()) as device:
        with pytest.raises(SignerError, match=f"said {LEDGER_ADDRESS}, then 0x") as refused:
            async with rig(tmp_path, settings={"signer.kind": "ledger", "signer.ledger": device.url}):
                pass
        assert "Do not use this device" in refused.value.next_step
        registered = Reader(connect(tmp_path / "a.db", read_only=True)).rows("SELECT * FROM accounts")
        assert registered == []
        devices = Devices(Signer(kind="ledger", ledger=device.url), attended=False)
        with pytest.raises(SignerError, match=f"said {LEDGER_ADDRESS}, then 0x"):
            await address_of(devices, Which(SignerKind.LEDGER, Chain.EVM, PATH), show=True)
        devices.close()


async def test_the_first_address_has_the_persons_time_and_no_more(tmp_path: Path) -> None:
    """A PIN is entered on the device meanwhile; what the device alone needs is far less."""
    database = open_for_trading(tmp_path / "a.db", "paper")
    data = (Reader(connect(tmp_path / "a.db", read_only=True)), database.connection)
    with TrezorDevice("T3T1", pin="1234") as device:
        device.human = "never"
        settings = Signer(kind="trezor", trezor=device.url).model_copy(update={"deadline_s": 0.9})
        devices = Devices(settings, attended=False)
        async with asyncio.timeout(10):
            with pytest.raises(SignerError) as refused:
                await devices.account(SignerKind.TREZOR, Chain.EVM, data, 0, lambda _: None)
        assert refused.value.code == f"signer.{DeviceState.TIMED_OUT.value.lower()}"
        assert devices.fresh is None
        devices.close()
    database.close()


async def test_after_a_misspelt_passphrase_a_test_signature_asks_for_it_again() -> None:
    with TrezorDevice(passphrase=True) as device:
        devices = Devices(Signer(kind="trezor", trezor=device.url, trezor_wallet="hidden-typed"), attended=False)
        typed = ["right", "wrogn", "right"]

        async def answer(_: Question) -> str:
            return typed.pop(0)

        devices.on_ask = answer
        one = Which(SignerKind.TREZOR, Chain.EVM, cases.PATH)
        registered = await address_of(devices, one, show=False)
        devices.of(SignerKind.TREZOR).signer.close()  # as at the next start
        with pytest.raises(SignerError, match="registered is"):
            await trial(devices, one, registered, WallClock())
        assert (await trial(devices, one, registered, WallClock())).address == registered
        assert typed == []
        devices.close()


async def test_a_seal_that_the_device_can_not_make_says_what_to_do_about_the_device(tmp_path: Path) -> None:
    with hands("ledger") as device:
        async with rig(tmp_path, settings=device.settings) as r:
            (account,) = accounts(r.session.reader.rows)
            device.emulator.device.locked = True
            of = ("paper", r.session.run, 0)
            with pytest.raises(SignerError, match="locked") as refused:
                await seal(r.session.writer.head, of, r.session.device, account, 0.9)
            assert refused.value.next_step.startswith("Nothing was written. Unlock it")
