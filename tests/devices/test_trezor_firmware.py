"""The maker's own firmware in its emulator, driven by the same cases, where there is one: COUNTERSIGN_TREZOR_EMULATOR
names its binary (a Model One's has "legacy" in its name), or ``udp:host:port`` of one that runs, with its debug link on
the next port. Its memory is wiped and the public test seed loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import pytest
from trezorlib import debuglink
from trezorlib._internal.emulator import CoreEmulator, LegacyEmulator
from trezorlib.transport.udp import UdpTransport

from signers import verify
from signers.base import DeviceState, SignRequest
from signers.faults import RefusedOnDevice
from signers.paths import Path
from signers.payloads import Chain, Payload, SolanaMessage
from signers.trezor.driver import TrezorSigner
from signers.trezor.hands import Hands
from tests.devices import trezor_cases as cases
from tests.devices.trezor_keys import MNEMONIC
from tests.unit.signers.told import Told

NAMED = os.environ.get("COUNTERSIGN_TREZOR_EMULATOR", "")
pytestmark = pytest.mark.skipif(not NAMED, reason="COUNTERSIGN_TREZOR_EMULATOR names no Trezor emulator")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The library's own test context of a device with the public test seed; closed, so that the driver is its one
    client."""
    emulator: Any = None
    if NAMED.startswith("udp:"):
        address = NAMED.removeprefix("udp:")
    else:
        launcher = LegacyEmulator if "legacy" in File(NAMED).name else CoreEmulator
        emulator = launcher(File(NAMED), str(tmp_path_factory.mktemp("trezor")), headless=True)
        emulator.start()
        address = "127.0.0.1:21324"
    context = emulator.client if emulator else debuglink.TrezorTestContext(UdpTransport(address))
    context.wipe_device()
    debuglink.load_device(
        context.get_seedless_session(),
        MNEMONIC,
        pin=None,
        passphrase_protection=False,
        label="test",
        skip_checksum=True,
    )
    context.transport.close()
    yield context, f"udp:{address}"
    if emulator:
        emulator.stop()


@pytest.fixture
def person(running: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Acts on the debug link when the driver is told that the device waits: approves, or what `act` says."""
    context, _ = running
    context.ui.clear()
    told = Hands.button
    acts = [context.ui.button_request]

    def button(self: Hands, request: Any) -> None:
        told(self, request)
        acts[0](request)

    monkeypatch.setattr(Hands, "button", button)
    return acts


def of_model(running: Any) -> list[cases.CaseOf]:
    one = running[0].model.internal_name == "T1B1"
    return [*cases.EVM, *cases.TYPED, *([] if one else cases.SOLANA)]


@pytest.mark.parametrize("index", range(len(cases.CASES)), ids=[name for name, _, _ in cases.CASES])
@pytest.mark.usefixtures("person")
def test_the_firmware_signs(running: Any, index: int) -> None:
    if index >= len(of_model(running)):
        return  # Solana, of a Model One
    _, payload, path = of_model(running)[index]
    signer, told = TrezorSigner(running[1]), Told()
    address = signer.address(payload.chain, path, told)
    assert address == (cases.SOLANA_ADDRESS if isinstance(payload, SolanaMessage) else cases.ADDRESS)
    verify.verify(payload, signer.sign(SignRequest(payload, path), told), address)
    assert told.states[-1] is DeviceState.SIGNED


def test_the_firmware_refuses(running: Any, person: Any) -> None:
    payload: Payload = cases.CASES[0][1]
    signer, path = TrezorSigner(running[1]), Path.parse("m/44'/60'/0'/0/0")
    signer.address(Chain.EVM, path, Told())
    person[0] = lambda _: running[0].debug.press_no()
    with pytest.raises(RefusedOnDevice):
        signer.sign(SignRequest(payload, path), Told())
