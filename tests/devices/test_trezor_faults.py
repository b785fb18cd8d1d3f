"""Every fault in every operation: the right state, its words, in time; and the next operation works."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trezorlib import messages as m

from signers import verify
from signers.base import DeviceState, SignRequest
from signers.faults import DeviceFault, SignerFault
from signers.payloads import Chain, Payload, PersonalMessage, SolanaMessage
from signers.trezor import channel, find
from signers.trezor.driver import TrezorSigner
from signers.words import what_of
from tests.devices import trezor_cases as cases
from tests.devices.trezor_emulator import Model, TrezorDevice
from tests.devices.trezor_flows import Dialogue
from tests.devices.trezor_wire import Direct, Waited, Wire, chunks
from tests.unit.signers.told import Told

MODELS: list[Model] = ["T3T1", "T1B1"]
LONGEST_S = 700.0
"""Of any operation, on the clock of its waits: a wait without an end would be longer."""
CLOCK = Waited()
SWAP = cases.transaction(gas=300_000, data=cases.some_call(2_604))
HELLO = PersonalMessage("hello")
FULL: dict[Payload, str] = {
    HELLO: "message",
    SWAP: "transaction",
    cases.PERMIT: "typed data",
    cases.SOL_TRANSFER: "Solana",
}


_WIRES: dict[str, Wire] = {}
"""Of each rig, by the URL of its device."""


class Rig:
    """A driver before a device, without a socket between them; time passes by its waits alone, unless `real`."""

    def __init__(self, patch: pytest.MonkeyPatch, model: Model, *, real: bool = False, **profile: object) -> None:
        self.device = TrezorDevice(model, **profile)  # type: ignore[arg-type] # as each test has them
        self.device.wire.close()
        patch.setattr(find, "transport", lambda url: Direct(_WIRES[url], None if real else CLOCK))
        patch.setattr(channel, "monotonic", monotonic if real else CLOCK)
        self.url = f"udp:127.0.0.1:{1 + len(_WIRES) % 60_000}"
        _WIRES[self.url] = self.device.wire
        self.signer = TrezorSigner(self.url)
        self.person = Told()

    def sign(self, payload: Payload = HELLO) -> bytes:
        path = cases.SOLANA_PATH if isinstance(payload, SolanaMessage) else cases.PATH
        return self.signer.sign(SignRequest(payload, path), self.person)

    def works(self) -> None:
        """The next operation, once nothing is wrong any more."""
        self.device.wire.mangle, self.device.wire.deaf, self.device.human = None, False, "approve"
        self.device.failing.clear()
        assert self.signer.address(Chain.EVM, cases.PATH, Told()) == cases.ADDRESS
        verify.verify(HELLO, self.sign(), cases.ADDRESS)
        assert self.device.wire.errors == []


OPERATIONS: dict[str, Callable[[Rig], object]] = {
    "probe": lambda rig: rig.signer.probe(),
    "open": lambda rig: rig.signer.open(Chain.EVM, rig.person),
    "address": lambda rig: rig.signer.address(Chain.EVM, cases.PATH, rig.person),
    "show": lambda rig: rig.signer.address(Chain.EVM, cases.PATH, rig.person, show=True),
    "message": lambda rig: rig.sign(HELLO),
    "transaction": lambda rig: rig.sign(SWAP),
    "typed data": lambda rig: rig.sign(cases.PERMIT),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and the state that it is: when the device is first spoken to, and later."""

    make: Callable[[TrezorDevice], None]
    first: DeviceState
    later: DeviceState


def says(out: list[bytes]) -> Callable[[TrezorDevice], None]:
    return lambda device: setattr(device.wire, "mangle", lambda _kind, _data: out)


def failure(code: int, text: str = "of the device") -> Callable[[TrezorDevice], None]:
    data = bytes([8, code, 18, len(text)]) + text.encode()
    return says(chunks(int(m.MessageType.Failure), data))


def cut(device: TrezorDevice) -> None:
    device.wire.mangle = lambda kind, data: chunks(kind, data)[:-1]


def bad(out: list[bytes]) -> Fault:
    return Fault(says(out), DeviceState.BAD_ANSWER, DeviceState.BAD_ANSWER)


FEATURES, ADDRESS = int(m.MessageType.Features), int(m.MessageType.EthereumAddress)
BAD = DeviceState.BAD_ANSWER
FAULTS = {
    "silent": Fault(lambda d: setattr(d.wire, "deaf", True), DeviceState.LOCKED, DeviceState.TIMED_OUT),
    "cut off": Fault(cut, DeviceState.LOCKED, DeviceState.TIMED_OUT),
    "no frame": Fault(says([b"\xa5" * 64]), DeviceState.LOCKED, BAD),
    "too long": bad(chunks(FEATURES, b"", 2**31)),
    "another answer": bad(chunks(ADDRESS, b"\x12\x03abc")),
    "unknown type": bad(chunks(60_000, b"")),
    "no protobuf": bad(chunks(FEATURES, b"\xff" * 40)),
    "empty": bad(chunks(FEATURES, b"")),
    "an array that never ends": bad(chunks(FEATURES, b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f")),
}
CODES = {
    1: DeviceState.UNSUPPORTED,
    3: DeviceState.UNKNOWN,
    5: DeviceState.PIN,
    7: DeviceState.PIN,
    9: DeviceState.UNKNOWN,
    11: DeviceState.UNSUPPORTED,
    12: DeviceState.PIN,
    14: DeviceState.UNPLUGGED,
    15: DeviceState.BUSY,
    77: DeviceState.UNKNOWN,
    99: DeviceState.UNKNOWN,
}


def fails(rig: Rig, operation: str) -> SignerFault:
    began = CLOCK()
    with pytest.raises(SignerFault) as caught:
        OPERATIONS[operation](rig)
    assert CLOCK() - began < LONGEST_S
    fault = caught.value
    assert fault.what
    assert fault.__context__ is None or isinstance(fault.__context__, SignerFault)
    if isinstance(fault, DeviceFault) and fault.state is BAD:
        assert fault.what == what_of(BAD)
    return fault


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_from_the_start(monkeypatch: pytest.MonkeyPatch, model: Model, name: str, operation: str) -> None:
    rig = Rig(monkeypatch, model)
    FAULTS[name].make(rig.device)
    assert fails(rig, operation).state is FAULTS[name].first
    rig.works()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_later_on(monkeypatch: pytest.MonkeyPatch, model: Model, name: str, operation: str) -> None:
    if (name, operation) == ("empty", "probe"):
        return  # empty features are features
    rig = Rig(monkeypatch, model)
    rig.works()
    FAULTS[name].make(rig.device)
    assert fails(rig, operation).state is FAULTS[name].later
    rig.works()


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each != "probe"])
@pytest.mark.parametrize("code", CODES)
def test_the_devices_own_codes(monkeypatch: pytest.MonkeyPatch, code: int, operation: str) -> None:
    rig = Rig(monkeypatch, "T3T1")
    rig.works()
    kind = int(m.MessageType.Failure)
    asked = {int(m.MessageType[each]) for each in ("EthereumAddress", "EthereumMessageSignature", "ButtonRequest")}
    asked |= {int(m.MessageType.EthereumTxRequest)}
    if operation == "open":
        rig.device.restart()
        asked = {int(m.MessageType.PublicKey)}
    out = chunks(kind, bytes([8, code, 18, 13]) + b"of the device")
    rig.device.wire.mangle = lambda answer, _: out if answer in asked else None
    fault = fails(rig, operation)
    if code == 14:  # the library keeps neither its words nor, while it opens a wallet, its code
        assert fault.state in {CODES[code], BAD}
    else:
        assert fault.state is CODES[code]
        assert "of the device" in fault.raw
    assert "of the device" not in fault.what
    rig.works()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("operation", ["show", "message", "transaction", "typed data"])
def test_nobody_presses(monkeypatch: pytest.MonkeyPatch, model: Model, operation: str) -> None:
    rig = Rig(monkeypatch, model)
    rig.device.human = "never"
    assert fails(rig, operation).state is DeviceState.TIMED_OUT
    assert rig.person.states == [DeviceState.WAIT_BUTTON]
    assert not rig.device.waits, "it was told to drop what it shows"
    rig.works()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("operation", ["show", "message", "transaction", "typed data"])
@pytest.mark.parametrize("close", [False, True], ids=["cancel", "close"])
def test_the_wait_is_ended_from_another_thread(
    monkeypatch: pytest.MonkeyPatch, model: Model, operation: str, *, close: bool
) -> None:
    rig = Rig(monkeypatch, model, real=True)
    rig.device.human = "never"
    end = rig.signer.close if close else rig.signer.cancel
    began: list[Thread] = []

    def waits(state: DeviceState) -> None:
        assert state is DeviceState.WAIT_BUTTON
        began.append(Thread(target=end))
        began[0].start()

    rig.person = Told(waits)
    fault = fails(rig, operation)
    assert fault.raw == "stopped"
    assert "refused" not in fault.what.lower(), "nobody refused"
    began[0].join()
    rig.person = Told()
    rig.works()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("operation", ["message", "transaction", "typed data"])
def test_refused_at_each_button(monkeypatch: pytest.MonkeyPatch, model: Model, operation: str) -> None:
    rig = Rig(monkeypatch, model)
    OPERATIONS[operation](rig)
    for number in range(len(rig.device.shown)):
        rig.device.refuse_at, rig.person = number, Told()
        assert fails(rig, operation).state is DeviceState.REJECTED
        assert rig.person.states == [DeviceState.WAIT_BUTTON] * (number + 1) + [DeviceState.REJECTED]
    rig.device.refuse_at = None
    rig.works()


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each != "typed data"])
def test_a_model_one_whose_pin_nobody_types(monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    rig = Rig(monkeypatch, "T1B1", pin="1234")
    if operation == "probe":
        assert rig.signer.probe().model == "T1B1", "a probe asks nobody"
        return
    assert fails(rig, operation).state is DeviceState.PIN
    rig.device.locked = False
    rig.works()


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each != "probe"])
def test_a_device_without_a_wallet(monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    rig = Rig(monkeypatch, "T3T1", initialized=False)
    fault = fails(rig, operation)
    assert fault.state is DeviceState.UNSUPPORTED
    assert "no wallet" in fault.what
    assert not [name for name in rig.device.heard if name.startswith("Ethereum")]


def test_a_device_that_never_stops_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its questions is answered at once, so no single wait is long."""

    def endless(_device: TrezorDevice, _request: object) -> Dialogue:
        while True:
            yield m.EthereumTxRequest(data_length=1)

    rig = Rig(monkeypatch, "T3T1")
    rig.device.flows["T3T1", "EthereumSignTxEIP1559"] = endless
    assert fails(rig, "transaction").state is BAD
    rig.works()


@pytest.mark.parametrize(("r", "v"), [(b"\1" * 31, 0), (b"\1" * 33, 0), (b"", 0), (b"\1" * 32, 2), (b"\1" * 32, 37)])
def test_a_signature_of_another_form(monkeypatch: pytest.MonkeyPatch, r: bytes, v: int) -> None:
    def short(_device: TrezorDevice, _request: object) -> Dialogue:
        yield m.EthereumTxRequest(signature_v=v, signature_r=r, signature_s=b"\1" * 32)

    rig = Rig(monkeypatch, "T3T1")
    rig.device.flows["T3T1", "EthereumSignTxEIP1559"] = short
    assert fails(rig, "transaction").state is BAD
    rig.works()


# -- bad bytes ---------------------------------------------------------------------------------------------------------

CHANGES = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 600), st.integers(1, 255)),
    st.tuples(st.just("cut"), st.integers(0, 600), st.just(0)),
    st.tuples(st.just("grow"), st.integers(1, 300), st.integers(0, 255)),
    st.tuples(st.just("announce"), st.integers(0, 2**32 - 1), st.just(0)),
    st.tuples(st.just("type"), st.integers(0, 65_535), st.just(0)),
    st.tuples(st.just("twice"), st.just(0), st.just(0)),
    st.tuples(st.just("swap"), st.just(0), st.just(0)),
    st.tuples(st.just("nothing"), st.just(0), st.just(0)),
    st.tuples(st.just("noise"), st.integers(0, 2**30), st.integers(1, 3)),
)


def changed(kind: int, data: bytes, change: tuple[str, int, int]) -> list[bytes]:
    what, a, b = change
    whole = chunks(kind, data)
    flipped = bytearray(data or b"\0")
    flipped[a % len(flipped)] ^= b
    out = {
        "flip": chunks(kind, bytes(flipped)),
        "cut": chunks(kind, data[: a % (len(data) + 1)]),
        "grow": chunks(kind, data + bytes([b]) * (a % 300)),
        "announce": chunks(kind, data, a % 2**32),
        "type": chunks(a % 65_536, data),
        "twice": whole * 2,
        "swap": whole[::-1],
        "noise": [(a * 2_654_435_761 % 2**64).to_bytes(8) * 8] * b + whole,
        "nothing": [],
    }
    return out[what]


@pytest.mark.parametrize("payload", list(FULL), ids=list(FULL.values()))
def test_no_bytes_hang_it_or_pass_for_a_signature(monkeypatch: pytest.MonkeyPatch, payload: Payload) -> None:
    rig = Rig(monkeypatch, "T3T1")
    own = cases.SOLANA_ADDRESS if isinstance(payload, SolanaMessage) else cases.ADDRESS
    signed = 0

    @settings(max_examples=150)
    @given(at=st.integers(0, 12), change=CHANGES)
    def attack(at: int, change: tuple[str, int, int]) -> None:
        nonlocal signed
        answers = itertools.count()
        rig.device.wire.mangle = lambda kind, data: changed(kind, data, change) if next(answers) == at else None
        began = CLOCK()
        try:
            found = rig.sign(payload)
            verify.verify(payload, found, own)
        except SignerFault:
            pass  # the only thing that may come out, but for a good signature
        else:
            signed += 1
        assert CLOCK() - began < LONGEST_S
        rig.works()

    attack()
    assert 0 < signed < 150
