"""The driver on the recorded exchanges of the real apps, byte for byte: what it sends, what it makes of the answers,
and that what it announces is what the device showed."""

from __future__ import annotations

import base64
import json
from collections import deque
from pathlib import Path as File

import pytest

from signers import evm
from signers.base import Clarity, DeviceInfo, DeviceState, Shown, SignRequest
from signers.faults import NotReady, RefusedOnDevice, SignerFault
from signers.ledger import Descriptors, LedgerSigner, clearsign_evm
from signers.ledger.apdu import Ask, fault, split
from signers.paths import Path
from signers.payloads import Chain, EvmTransaction, OffchainMessage, Payload, PersonalMessage, SolanaMessage, TypedData
from signers.verify import verify, verify_raw
from tests.devices.keys import address
from tests.devices.ledger_replay import Recorded, Replay, recorded, shown_text
from tests.unit.signers.told import Told

pytestmark = pytest.mark.shared
Exchange = list[tuple[bytes, bytes]]

NOT_ASKED = frozenset({
    "type1_2930", "create_contract_blind_off", "personal_hex", "personal_empty", "offchain_utf8",
    "offchain_utf8_blind_off", "offchain_bad_version", "offchain_bad_length", "garbage",
})  # fmt: skip
"""Payloads that no device is asked to sign: they can not be made."""
COMMANDS = frozenset({"app_name", "config_blind_off", "config_blind_on", "config_after_refusal"})
ADDRESSES = frozenset({"address_0", "address_show_ok", "address_show_no"}) | {
    f"pubkey_{each}" for each in ("0", "short", "show_ok", "show_no")
}
RAW = frozenset({"address_chaincode", "auth7702_off", "sign_p1_0", "offchain_as_transaction", "erc20_descriptor_bad"})
"""Commands the driver does not have."""


def every() -> list[Recorded]:
    try:
        return recorded()
    except pytest.skip.Exception:
        return []


def raw(case: Recorded) -> bool:
    return case.name in RAW or case.name.startswith(("err_", "wrong_app_", "misuse_"))


def signs(case: Recorded) -> bool:
    return not raw(case) and case.name not in NOT_ASKED | COMMANDS | ADDRESSES


def of(cases: list[Recorded]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: f"{case.recording}-{case.name}")


@pytest.fixture(autouse=True)
def hashes_only(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cases recorded of typed data as hashes: as for a document that the device can not be told of."""
    case = request.node.callspec.params.get("case") if hasattr(request.node, "callspec") else None
    if isinstance(case, Recorded) and case.name.startswith("e712v0"):
        monkeypatch.setattr(clearsign_evm, "document_of", lambda _: (None, ""))


CASES = every()
SIGNED = [case for case in CASES if signs(case)]


def test_the_recordings_are_there() -> None:
    """Skips by name when they are not: the tests below would have nothing to run."""
    assert len(recorded()) == 133


def payload_of(case: Recorded) -> Payload:
    given = case.inputs
    if case.name == "erc20_described_no":  # "same transfer", without its inputs
        return EvmTransaction(case.exchange[-1][0][5 + 21 :])
    if "unsigned_rlp" in given:
        return EvmTransaction(bytes.fromhex(given["unsigned_rlp"][2:]))
    if "typed_data" in given:
        return TypedData(json.dumps(given["typed_data"]))
    message = bytes.fromhex(given["message_hex"].removeprefix("0x"))
    if case.app == "Ethereum":
        return PersonalMessage(message.decode())
    if message.startswith(b"\xffsolana offchain"):
        found = OffchainMessage(message[85:].decode("ascii"), given["signer"])
        if found.signed != message:
            raise ValueError("not the form that is signed")
        return found
    return SolanaMessage(message)


def path_of(case: Recorded) -> Path:
    return Path.parse(case.inputs.get("path", "m/44'/60'/0'/0/0"))


def opened(case: Recorded, extra: Exchange, known: Descriptors | None = None) -> tuple[LedgerSigner, Replay]:
    replay = Replay(case.model, deque(case.opening + extra))
    return LedgerSigner(door=replay, descriptors=known), replay


def described(case: Recorded, folder: File) -> Descriptors | None:
    """The descriptor that was sent in this case, in a file as the npm package has it."""
    sent = [tx[5:] for tx, _ in case.exchange if tx[:2] == b"\xe0\x0a"]
    if not sent:
        return None
    file = folder / "data" / "evm" / "1" / "erc20-signatures.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(base64.b64encode(len(sent[0]).to_bytes(4) + sent[0]).decode()))
    return Descriptors(folder)


def chain_of(case: Recorded) -> Chain:
    return Chain.EVM if case.app == "Ethereum" else Chain.SOLANA


def judged(case: Recorded, folder: File) -> tuple[Shown, DeviceInfo, str]:
    signer, _ = opened(case, [], described(case, folder))
    info = signer.open(chain_of(case), Told())
    path = path_of(case)
    account = address(chain_of(case), path)
    return signer.shown(SignRequest(payload_of(case), path), account, info), info, account


@of(SIGNED)
def test_the_exchange_is_repeated_to_the_byte(case: Recorded, tmp_path: File) -> None:
    """Sent as recorded, in this order; a 9000 is a right signature, a 6985 the person's refusal, and what the device
    refused by its settings is refused without asking it."""
    person, path, payload = Told(), path_of(case), payload_of(case)
    signer, replay = opened(case, list(case.exchange), described(case, tmp_path / "sign"))
    account = address(chain_of(case), path)
    request = SignRequest(payload, path)
    if case.final == 0x9000:
        signature = signer.sign(request, person)
        verify(payload, signature, account)
        if isinstance(payload, EvmTransaction):
            signed = bytes.fromhex(case.line["verified"]["signed_raw"][2:])
            assert evm.assemble(payload.unsigned, signature) == signed
            verify_raw(payload, signed, account)
        assert person.states == [DeviceState.WAIT_BUTTON, DeviceState.SIGNED]
        assert not replay.script
        return
    with pytest.raises(SignerFault) as caught:
        signer.sign(request, person)
    if case.final == 0x6985:
        assert isinstance(caught.value, RefusedOnDevice)
        assert caught.value.raw == "0x6985"
        assert person.states == [DeviceState.WAIT_BUTTON, DeviceState.REJECTED]
        assert not replay.script
    elif case.name == "transfer_not_signer":  # of which only `shown` knows, by the address
        assert caught.value.raw == "0x6A81"
        assert judged(case, tmp_path)[0].refuses is DeviceState.UNSUPPORTED
    else:
        assert isinstance(caught.value, NotReady)
        assert caught.value.state is DeviceState.BLIND_SIGNING_OFF
        assert person.states == []
        assert list(replay.script) == list(case.exchange), "the device was not asked"


@of([case for case in SIGNED if case.final in {0x6A80, 0x6808}])
def test_a_device_that_refuses_by_its_settings_all_the_same_is_understood(case: Recorded) -> None:
    """As when somebody switches blind signing off between the look at the settings and the command."""
    replay = Replay(case.model, deque([*case.opening[:1], (case.settings[0], on(case)), *case.exchange]))
    signer, person = LedgerSigner(door=replay), Told()
    with pytest.raises(SignerFault) as caught:
        signer.sign(SignRequest(payload_of(case), path_of(case)), person)
    assert caught.value.raw == f"0x{case.final:04X}"
    assert caught.value.state is DeviceState.UNSUPPORTED
    assert not replay.script


def on(case: Recorded) -> bytes:
    answer = case.settings[1]
    return bytes([answer[0] | 1]) + answer[1:]


@of([case for case in SIGNED if case.screens and case.line["human_intent"] == "approve"])
def test_what_is_announced_is_what_was_shown(case: Recorded, tmp_path: File) -> None:
    shown, _, _ = judged(case, tmp_path)
    expected = ["".join((line.label + line.value).split()) for line in shown.lines]
    pages, whole = shown_text(case.screens)
    if whole:
        assert "".join(pages) == "".join(expected)
    text = "".join(expected)
    for page in pages:  # where the recorder missed a page, the others in their order
        assert page in text
        text = text[text.index(page) + len(page) :]


@of([case for case in SIGNED if case.final in {0x9000, 0x6985}])
def test_clear_is_said_of_what_needed_no_blind_signing(case: Recorded, tmp_path: File) -> None:
    shown, info, account = judged(case, tmp_path)
    warned = any("Blind" in line or "Unrecognized" in line for screen in case.screens for line in screen)
    unseen = case.name == "unknown_long"  # its pages were missed by the recorder
    assert (shown.clarity is Clarity.CLEAR) == (not warned and not unseen)
    assert shown.refuses is None
    assert info.app_version in {"1.22.0", "1.9.0"}
    assert account


@of([case for case in CASES if case.name in NOT_ASKED])
def test_what_no_device_should_be_shown_can_not_be_asked(case: Recorded) -> None:
    with pytest.raises(ValueError, match=r"."):
        payload_of(case)


@of([case for case in CASES if case.name in ADDRESSES])
def test_addresses_are_those_of_the_recorded_keys(case: Recorded) -> None:
    person, path, chain = Told(), path_of(case), chain_of(case)
    signer, replay = opened(case, list(case.exchange))
    show = "show" in case.name
    if case.final == 0x9000:
        assert signer.address(chain, path, person, show=show) == address(chain, path)
    else:
        with pytest.raises(RefusedOnDevice):
            signer.address(chain, path, person, show=show)
        assert person.states == [DeviceState.WAIT_BUTTON, DeviceState.REJECTED]
    assert not replay.script


def test_a_description_with_a_broken_signature_is_found_before_the_device_is_asked(tmp_path: File) -> None:
    bad = next(case for case in recorded() if case.name == "erc20_descriptor_bad")
    like = next(case for case in recorded() if case.name == "erc20_described_transfer")
    signer, _ = opened(like, [], described(bad, tmp_path))
    info = signer.open(Chain.EVM, Told())
    shown = signer.shown(SignRequest(payload_of(like), path_of(like)), "", info)
    assert (shown.clarity, shown.refuses) == (Clarity.BLIND, DeviceState.BLIND_SIGNING_OFF)
    assert "USDC is not signed by Ledger" in shown.why


STATES = {
    0x6D00: DeviceState.WRONG_APP,
    0x6E00: DeviceState.WRONG_APP,
    0x6A15: DeviceState.UNSUPPORTED,
    0x6A80: DeviceState.BLIND_SIGNING_OFF,
    0x6808: DeviceState.BLIND_SIGNING_OFF,
    0x6985: DeviceState.REJECTED,
}


@of([case for case in CASES if raw(case) and case.final != 0x9000])
def test_every_recorded_error_has_a_state_and_keeps_its_code(case: Recorded) -> None:
    """Some carry garbage before the status: it is ignored."""
    _, status = split(case.exchange[-1][1])
    assert status == case.final
    found = fault(status, Ask(case.exchange[-1][0], case.app, person=True, blind=case.blind, path="m/0"))
    state = STATES.get(status, DeviceState.UNKNOWN)
    if case.blind and state is DeviceState.BLIND_SIGNING_OFF:
        state = DeviceState.UNSUPPORTED
    assert found.state is state
    assert found.raw == f"0x{status:04X}"
    assert found.next_step.startswith("Nothing was sent.")


@of([case for case in CASES if case.name in COMMANDS])
def test_settings_and_names_are_read_as_recorded(case: Recorded) -> None:
    signer, replay = opened(case, [])
    assert case.exchange[0] in case.opening
    info = signer.probe()
    assert (info.app, info.blind_signing, info.real, info.emulator) == (case.app, case.blind, True, False)
    assert (info.model, info.app_version) == (case.model.code, "1.22.0" if case.app == "Ethereum" else "1.9.0")
    assert not replay.script


def test_no_recorded_case_is_left_out() -> None:
    names = {case.name for case in recorded()}
    assert names >= NOT_ASKED | COMMANDS | ADDRESSES | RAW
    assert {case.name for case in CASES if signs(case)} <= names
    tested = [c for c in CASES if signs(c) or raw(c) or c.name in NOT_ASKED | COMMANDS | ADDRESSES]
    assert len(tested) == len(CASES)
