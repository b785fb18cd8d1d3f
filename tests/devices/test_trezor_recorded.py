"""Every recorded conversation that the driver can have, had by the driver: the bytes it writes, what it makes of the
answers, and what it foretells of the screens."""

from __future__ import annotations

import pytest

from signers import verify
from signers.base import DeviceInfo, DeviceState, Shown, SignerKind, SignRequest
from signers.faults import DeviceFault, NotReady, RefusedOnDevice, SignerFault
from signers.paths import Path
from signers.payloads import Chain, Payload, PersonalMessage, SolanaMessage
from signers.person import Alone
from signers.trezor import find
from signers.trezor.driver import TrezorSigner
from tests.devices import trezor_cases as cases
from tests.devices.trezor_replay import Case, Replay, load
from tests.shared import shared_data
from tests.unit.signers.told import Told

pytestmark = pytest.mark.shared

MODELS = ["t3t1", "t1b1"]
CANNOT = {
    "eip1559-bad-to": "no payload has a recipient that is not 20 bytes",
    "message-binary": "no message is anything but printable ASCII",
    "sessions-interleaved": "a signer has one wallet",
    "pin-lock-mid-session": "the recording locks the device itself; the device in a thread is locked instead",
    "t1b1-typed-full-permit": "a Model One is asked with hashes",
    "t3t1-typed-hash-permit": "a core model is asked in full",
    "solana-spl-with-info": "the owner of a token account is not in the message, so it is not told",
    "solana-not-signer": "refused before the device is asked, see test_trezor_device.py",
}
"""Recorded conversations that this file does not have as they are, and why."""

WALLET = (
    "passphrase-host",
    "passphrase-too-long",
    "passphrase-disabled",
    "not-initialized",
    "pin-ok",
    "pin-wrong",
    "pin-cancel",
)
SIGNED = [*cases.EVM, *cases.TYPED, *cases.SOLANA]


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> type[Replaying]:
    Replaying.patch = monkeypatch
    return Replaying


class Replaying:
    """A signer before a recorded device."""

    patch: pytest.MonkeyPatch

    def __init__(self, name: str, *, whole: bool = False, passphrase: str = "none", **options: object) -> None:
        self.case: Case = load(name)
        asides = [load("t3t1-solana-address")] if "solana" in name else []
        self.device = Replay(self.case, *asides, whole=whole)
        self.patch.setattr(find, "transport", lambda _: self.device)
        self.signer = TrezorSigner("udp:127.0.0.1:1", passphrase=passphrase, **options)  # type: ignore[arg-type] # words
        self.info = DeviceInfo(SignerKind.TREZOR, "", "", real=True, model=name[:4].upper())

    def sign(self, payload: Payload, path: Path, person: Told | None = None) -> bytes:
        return self.signer.sign(SignRequest(payload, path), person or Told())

    def shown(self, payload: Payload, path: Path) -> Shown:
        own = cases.SOLANA_ADDRESS if isinstance(payload, SolanaMessage) else cases.ADDRESS
        return self.signer.shown(SignRequest(payload, path), own, self.info)

    def finished(self) -> None:
        assert self.device.differences == []
        assert list(self.device.left) == []


def name_of(model: str, name: str) -> str:
    return f"{model}-{'typed-hash-permit' if (model, name) == ('t1b1', 'typed-full-permit') else name}"


def of_model(model: str) -> list[cases.CaseOf]:
    return SIGNED if model == "t3t1" else [*cases.EVM, *cases.TYPED]


def signature(result: dict[str, object]) -> bytes:
    """The recorded signature in the form of `signers.verify`."""
    value = result["value"]
    assert isinstance(value, dict)
    if "signature" in value:
        return bytes.fromhex(value["signature"])
    v = value["v"] if value["v"] < 2 else (value["v"] - 35) % 2
    return bytes.fromhex(value["r"] + value["s"]) + bytes([v])


EACH = [pytest.param(model, *case, id=f"{model}-{case[0]}") for model in MODELS for case in of_model(model)]


@pytest.mark.parametrize("whole", [False, True], ids=["usb", "bridge"])
@pytest.mark.parametrize(("model", "name", "payload", "path"), EACH)
def test_it_is_asked_in_the_recorded_bytes_and_its_signature_verifies(
    replayed: type[Replaying], model: str, name: str, payload: Payload, path: Path, *, whole: bool
) -> None:
    rig, person = replayed(name_of(model, name), whole=whole), Told()
    found = rig.sign(payload, path, person)
    rig.finished()
    assert found == signature(rig.case.result)
    verify.verify(payload, found, cases.SOLANA_ADDRESS if isinstance(payload, SolanaMessage) else cases.ADDRESS)
    buttons = len(rig.case.result["button_requests"])
    assert person.states == [DeviceState.WAIT_BUTTON] * buttons + [DeviceState.SIGNED]


def test_two_transactions_in_one_wallet(replayed: type[Replaying]) -> None:
    for model in MODELS:
        rig = replayed(f"{model}-two-tx-one-session")
        approve = cases.transaction(to=cases.USDC, gas=60_000, nonce=0, data=cases.token_call("095ea7b3", 10**8))
        swap = cases.transaction(gas=300_000, nonce=1, data=cases.some_call(200))
        for payload, value in zip((approve, swap), rig.case.result["value"], strict=True):
            assert rig.sign(payload, cases.PATH) == signature({"value": value})
        rig.finished()
        assert rig.device.written.count("Initialize") == 3, "the wallet is resumed before the second one"


@pytest.mark.parametrize("model", MODELS)
def test_a_device_that_may_ask_for_descriptions_gets_none(replayed: type[Replaying], model: str) -> None:
    rig = replayed(f"{model}-eip1559-definition-request", definitions=lambda _chain, _token: None)
    assert rig.sign(cases.UNKNOWN_TOKEN, cases.PATH) == signature(rig.case.result)
    rig.finished()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("name", "path"),
    [("address", cases.PATH), ("address-show", cases.PATH), ("address-ledger-live", "m/44'/60'/1'/0/0")],
)
def test_addresses(replayed: type[Replaying], model: str, name: str, path: Path | str) -> None:
    rig, person = replayed(f"{model}-{name}"), Told()
    path = Path.parse(path) if isinstance(path, str) else path
    found = rig.signer.address(Chain.EVM, path, person, show=name == "address-show")
    rig.finished()
    assert found == rig.case.result["value"]
    assert (DeviceState.WAIT_BUTTON in person.states) == (name == "address-show")


def test_solana_addresses(replayed: type[Replaying]) -> None:
    rig = replayed("t3t1-solana-address")
    assert rig.signer.address(Chain.SOLANA, cases.SOLANA_PATH, Told()) == cases.SOLANA_ADDRESS
    rig.finished()
    rig = replayed("t1b1-solana-address")
    with pytest.raises(NotReady) as caught:
        rig.signer.address(Chain.SOLANA, cases.SOLANA_PATH, Told())
    assert caught.value.state is DeviceState.UNSUPPORTED
    assert "Solana" in caught.value.what
    assert rig.device.written == ["Cancel", "Initialize"], "the features say it, so the device is not asked"


REFUSED: list[tuple[str, Payload, Path, list[str]]] = [
    ("eip1559-reject-first", cases.transaction(value=cases.ETH // 100), cases.PATH, MODELS),
    (
        "eip1559-reject-calldata",
        cases.transaction(value=cases.ETH // 100, gas=90_000, data=cases.some_call(100)),
        cases.PATH,
        MODELS,
    ),
    ("message-reject", PersonalMessage("no"), cases.PATH, MODELS),
    ("solana-reject", cases.SOL_TRANSFER, cases.SOLANA_PATH, ["t3t1"]),
    ("typed-full-reject", cases.PERMIT, cases.PATH, ["t3t1"]),
]


@pytest.mark.parametrize(
    ("model", "name", "payload", "path"),
    [pytest.param(m, n, p, at, id=f"{m}-{n}") for n, p, at, models in REFUSED for m in models],
)
def test_refused_on_the_device(replayed: type[Replaying], model: str, name: str, payload: Payload, path: Path) -> None:
    rig, person = replayed(f"{model}-{name}"), Told()
    with pytest.raises(RefusedOnDevice) as caught:
        rig.sign(payload, path, person)
    rig.finished()
    assert caught.value.raw == "Cancelled"
    assert person.states[-1] is DeviceState.REJECTED
    assert person.states[:-1] == [DeviceState.WAIT_BUTTON] * len(rig.case.result["button_requests"])


@pytest.mark.parametrize("model", MODELS)
def test_a_path_of_another_coin(replayed: type[Replaying], model: str) -> None:
    rig = replayed(f"{model}-eip1559-forbidden-path")
    with pytest.raises(NotReady) as caught:
        rig.sign(cases.transaction(value=cases.ETH // 100), Path.parse("m/44'/0'/0'/0/0"))
    rig.finished()
    assert caught.value.state is DeviceState.UNSUPPORTED
    assert "derivation path" in caught.value.what
    assert "orbidden key path" in caught.value.raw
    assert "m/44'/60'/0'/0/0" in caught.value.next_step


@pytest.mark.parametrize("model", MODELS)
def test_taken_back_while_it_shows(replayed: type[Replaying], model: str) -> None:
    rig = replayed(f"{model}-host-cancel")
    person = Told(lambda state: rig.signer.cancel() if state is DeviceState.WAIT_BUTTON else None)
    with pytest.raises(DeviceFault) as caught:
        rig.sign(PersonalMessage("cancel me"), cases.PATH, person)
    rig.finished()
    assert caught.value.raw == "stopped"
    assert rig.device.written[-2:] == ["Cancel", "Ping"]


# -- the wallet --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_a_passphrase_from_the_computer(replayed: type[Replaying], model: str) -> None:
    rig, person = replayed(f"{model}-passphrase-host", passphrase="ask"), Told(passphrase="hidden")
    assert rig.signer.address(Chain.EVM, cases.PATH, person) == rig.case.result["value"]
    rig.finished()
    assert person.states == [DeviceState.PASSPHRASE] * 2


def state_of(caught: pytest.ExceptionInfo[SignerFault]) -> DeviceState:
    return caught.value.state


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("passphrase-too-long", DeviceState.PASSPHRASE),
        ("passphrase-disabled", DeviceState.PASSPHRASE),
        ("not-initialized", DeviceState.UNSUPPORTED),
    ],
)
def test_a_wallet_that_can_not_be_opened(replayed: type[Replaying], model: str, name: str, state: DeviceState) -> None:
    rig, typed = replayed(f"{model}-{name}", passphrase="ask"), "p" * 51
    with pytest.raises(NotReady) as caught:
        rig.signer.open(Chain.EVM, Told(passphrase=typed))
    assert state_of(caught) is state
    assert typed not in f"{caught.value!r}{caught.value.told}"
    assert rig.device.differences == []
    assert rig.device.written == ["Cancel", "Initialize"], "known before the device is asked"


def positions(case: Case) -> str:
    return str(case.request("PinMatrixAck").get("pin", "")) if case.name.startswith("t1b1") else ""


@pytest.mark.parametrize("model", MODELS)
def test_a_locked_device(replayed: type[Replaying], model: str) -> None:
    rig = replayed(f"{model}-pin-ok")
    person = Told(pin_positions=positions(rig.case))
    assert rig.signer.address(Chain.EVM, cases.PATH, person) == cases.ADDRESS
    rig.finished()
    assert person.states == [DeviceState.PIN]


def test_a_wrong_pin(replayed: type[Replaying]) -> None:
    rig = replayed("t1b1-pin-wrong")
    typed = positions(rig.case)
    with pytest.raises(NotReady) as caught:
        rig.signer.open(Chain.EVM, Told(pin_positions=typed))
    rig.finished()
    assert state_of(caught) is DeviceState.PIN
    assert "wrong" in caught.value.what
    assert typed not in f"{caught.value!r}{caught.value.told}"
    rig, person = replayed("t3t1-pin-wrong"), Told()
    assert rig.signer.address(Chain.EVM, cases.PATH, person) == cases.ADDRESS
    assert person.states == [DeviceState.PIN] * 2, "a core model asks again by itself"


def test_a_pin_that_nobody_types(replayed: type[Replaying]) -> None:
    rig = replayed("t1b1-pin-cancel")
    with pytest.raises(NotReady) as caught:
        rig.signer.open(Chain.EVM, Alone())
    rig.finished()
    assert state_of(caught) is DeviceState.PIN
    assert "Nobody is at the screen" in caught.value.what
    rig = replayed("t3t1-pin-cancel")
    with pytest.raises(RefusedOnDevice):
        rig.signer.open(Chain.EVM, Alone())
    rig.finished()


@pytest.mark.parametrize("typed", ["", "0123", "12a4", "1" * 51, "١٢٣"])
def test_no_positions(replayed: type[Replaying], typed: str) -> None:
    rig = replayed("t1b1-pin-cancel")
    with pytest.raises(NotReady) as caught:
        rig.signer.open(Chain.EVM, Told(pin_positions=typed))
    rig.finished()
    assert state_of(caught) is DeviceState.PIN
    assert not typed or typed not in f"{caught.value!r}{caught.value.told}"


# -- all of them -------------------------------------------------------------------------------------------------------


def test_no_recorded_conversation_is_forgotten() -> None:
    had = {name_of(model, case[0]) for model in MODELS for case in of_model(model)}
    had |= {f"{model}-{name}" for name, _, _, models in REFUSED for model in models}
    had |= {f"{model}-{name}" for model in MODELS for name in WALLET}
    had |= {f"{model}-{name}" for model in MODELS for name in ("address", "address-show", "address-ledger-live")}
    had |= {f"{model}-{name}" for model in MODELS for name in ("solana-address", "two-tx-one-session", "host-cancel")}
    had |= {f"{model}-eip1559-{name}" for model in MODELS for name in ("definition-request", "forbidden-path")}
    recorded = {path.stem for path in shared_data("trezor").glob("*.jsonl")}
    assert {name for name in recorded - had if name not in CANNOT and name[5:] not in CANNOT} == set()
    assert had - recorded == set()
