"""A paper trade countersigned by each kind of signer: the real session, venue and driver, with a device over a socket
that signs as the recorded ones do. What the device can do wrong ends one trade and leaves the next one whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from app.errors import SignerError
from signers.base import DeviceState, SignerKind
from signers.verify import verify_text
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.devices.trezor_emulator import TrezorDevice
from tests.execution.harness import rig

HAPPY = ["RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "FILLED"]
LEDGER_ADDRESS = "0xDad77910DbDFdE764fC21FCD4E74D71bBACA6D8D"
TREZOR_ADDRESS = "0x73d0385F4d8E00C5e6504C6030F47BF6212736A8"


class Hands(Protocol):
    """The device, and its person."""

    settings: dict[str, str]
    address: str

    def refuse(self, *, on: bool) -> None: ...


class LedgerHands:
    address = LEDGER_ADDRESS

    def __init__(self, emulator: LedgerEmulator) -> None:
        self.emulator = emulator
        self.settings = {"signer.kind": "ledger", "signer.ledger": emulator.url}

    def refuse(self, *, on: bool) -> None:
        self.emulator.device.human = Human.REFUSE if on else Human.APPROVE


class TrezorHands:
    address = TREZOR_ADDRESS

    def __init__(self, device: TrezorDevice) -> None:
        self.device = device
        self.settings = {"signer.kind": "trezor", "signer.trezor": device.url}

    def refuse(self, *, on: bool) -> None:
        self.device.human = "refuse" if on else "approve"


@contextmanager
def hands(kind: str) -> Iterator[Any]:
    if kind == "ledger":
        with LedgerEmulator(LedgerDevice()) as emulator:
            yield LedgerHands(emulator)
    else:
        with TrezorDevice("T1B1" if kind == "trezor one" else "T3T1") as device:
            yield TrezorHands(device)


KINDS = ["ledger", "trezor", "trezor one"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_trade_is_signed_verified_and_filled(tmp_path: Path, kind: str) -> None:
    with hands(kind) as device:
        async with rig(tmp_path, settings=device.settings) as r:
            trade = await r.trade()
            assert r.states(trade) == HAPPY
            (row,) = r.rows("SELECT * FROM authorisations")
            assert (row["address"], row["signer"]) == (device.address, kind.partition(" ")[0])
            verify_text(row["text"], bytes.fromhex(row["signature"]), device.address)
            (account,) = r.rows("SELECT * FROM accounts")
            assert account["used_ms"] is not None
            (registered,) = r.rows("SELECT body FROM journal WHERE kind = 'account.registered'")
            assert device.address in registered["body"]
            r.assert_sound()


@pytest.mark.parametrize("kind", KINDS)
async def test_refused_on_the_device_nothing_is_sent_and_the_next_trade_works(tmp_path: Path, kind: str) -> None:
    with hands(kind) as device:
        async with rig(tmp_path, settings=device.settings) as r:
            device.refuse(on=True)
            trade = await r.trade()
            assert r.states(trade)[-2:] == ["CONFIRMED", "REFUSED"]
            assert r.sent() == []
            device.refuse(on=False)
            assert r.states(await r.trade()) == HAPPY
            r.assert_sound()


async def test_an_address_that_is_not_approved_on_the_device_is_not_registered(tmp_path: Path) -> None:
    with hands("ledger") as device:
        device.refuse(on=True)
        with pytest.raises(SignerError, match="not registered yet"):
            async with rig(tmp_path, settings=device.settings):
                pass
        device.refuse(on=False)
        async with rig(tmp_path, settings=device.settings) as r:
            assert r.states(await r.trade()) == HAPPY


async def test_another_seed_behind_the_same_plug_signs_nothing(tmp_path: Path) -> None:
    with hands("ledger") as device:
        async with rig(tmp_path, settings=device.settings) as r:
            await r.trade()
            r.session.device.again_s = 1000.0
            r.session.desk.terms = replace(r.session.desk.terms, signer_address="0x" + "11" * 20)
            states: list[DeviceState] = []
            r.session.desk.on_device = lambda _trade, state: states.append(state)
            trade = await r.trade()
            assert r.states(trade)[-2:] == ["CONFIRMED", "FAILED"]
            assert states[-1] is DeviceState.WRONG_DEVICE
            assert LEDGER_ADDRESS in r.stored(trade)["reason"]
            assert len(r.sent()) == 1


async def test_auto_prefers_the_ledger_then_the_trezor_then_the_demo_device(tmp_path: Path) -> None:
    for folder in "abc":
        (tmp_path / folder).mkdir()
    with hands("ledger") as ledger, hands("trezor") as trezor:
        both = {"signer.kind": "auto", "signer.ledger": ledger.settings["signer.ledger"]}
        both["signer.trezor"] = trezor.settings["signer.trezor"]
        async with rig(tmp_path / "a", settings=both) as r:
            assert r.desk.terms.signer is SignerKind.LEDGER
        async with rig(tmp_path / "b", settings={**trezor.settings, "signer.kind": "auto"}) as r:
            assert r.desk.terms.signer is SignerKind.TREZOR
        async with rig(tmp_path / "c", settings={"signer.kind": "auto"}) as r:
            assert r.desk.terms.signer is SignerKind.DEMO
