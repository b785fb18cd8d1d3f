"""The Ledger driver against a device on a real socket: every payload is signed right, and what the device would refuse
is known before it is asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from signers.base import Clarity, DeviceState, SignRequest
from signers.faults import NotReady
from signers.ledger import LedgerSigner
from signers.payloads import Chain
from signers.verify import verify
from tests.devices.cases import Case, cases
from tests.devices.keys import address
from tests.devices.ledger_emulator import LedgerEmulator
from tests.unit.signers.told import Told

APPS = {Chain.EVM: "Ethereum", Chain.SOLANA: "Solana"}
ASKED = [DeviceState.WAIT_BUTTON, DeviceState.SIGNED]


@pytest.fixture
def emulator() -> Iterator[LedgerEmulator]:
    with LedgerEmulator() as served:
        yield served


@pytest.fixture
def ledger(emulator: LedgerEmulator) -> Iterator[LedgerSigner]:
    signer = LedgerSigner(emulator.url)
    yield signer
    signer.close()


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_every_payload_is_signed_and_the_signature_is_right(
    case: Case, emulator: LedgerEmulator, ledger: LedgerSigner
) -> None:
    chain, person = case.payload.chain, Told()
    emulator.device.app, emulator.device.blind = APPS[chain], True
    info = ledger.open(chain, person)
    account = ledger.address(chain, case.path, person)
    assert account == address(chain, case.path)
    request = SignRequest(case.payload, case.path)
    verify(case.payload, ledger.sign(request, person), account)
    assert person.states == ASKED
    shown = ledger.shown(request, account, info)
    assert shown.refuses is None
    assert (shown.clarity is Clarity.CLEAR) == case.clear
    assert bool(shown.why) != case.clear


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_what_blind_signing_would_be_needed_for_is_refused_before_the_device_is_asked(
    case: Case, emulator: LedgerEmulator, ledger: LedgerSigner
) -> None:
    chain, person = case.payload.chain, Told()
    emulator.device.app = APPS[chain]
    request = SignRequest(case.payload, case.path)
    if case.clear:
        verify(case.payload, ledger.sign(request, person), address(chain, case.path))
        return
    before = len(emulator.device.log)
    with pytest.raises(NotReady) as caught:
        ledger.sign(request, person)
    assert caught.value.state is DeviceState.BLIND_SIGNING_OFF
    assert person.states == []
    assert [apdu[:2].hex() for apdu in emulator.device.log[before:]] in (["b001", "e006"], ["b001", "e004"])
