"""What is plugged in, what may be opened, and why not; and the transport around the library's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
import requests
import usb1  # type: ignore[import-untyped]  # ships no types
from trezorlib import exceptions
from trezorlib import messages as m
from trezorlib.transport import DeviceIsBusy, Timeout, Transport, TransportException
from trezorlib.transport.bridge import BridgeException, BridgeTransport
from trezorlib.transport.hid import HidTransport
from trezorlib.transport.webusb import WebUsbTransport

from signers.base import DeviceState, Question
from signers.faults import NotReady, SignerFault
from signers.payloads import Chain
from signers.person import Alone
from signers.trezor import find
from signers.trezor.channel import MAX_ANSWER, Channel, Stopped
from signers.trezor.driver import TrezorSigner
from signers.trezor.errors import fault_of
from signers.trezor.hands import Hands
from signers.trezor.link import Patience
from signers.trezor.options import Credential
from tests.devices import trezor_cases as cases
from tests.devices.trezor_emulator import TrezorDevice
from tests.unit.signers.told import Told


def usb(root: Path, name: str, vendor: str, product: str, number: int = 7) -> None:
    folder = root / name
    folder.mkdir()
    for file, text in {"idVendor": vendor, "idProduct": product, "devnum": str(number)}.items():
        (folder / file).write_text(text + "\n")


# -- what is plugged in ------------------------------------------------------------------------------------------------


def test_trezors_among_other_devices(tmp_path: Path) -> None:
    usb(tmp_path, "1-2", "1209", "53c1")
    usb(tmp_path, "1-3", "2c97", "5011")
    usb(tmp_path, "2-1.4", "534c", "0001", 12)
    (tmp_path / "1-2:1.0").mkdir()
    assert find.plugged(tmp_path) == ("usb:1-2:1209:53c1:7", "usb:2-1.4:534c:0001:12")
    assert find.plugged(tmp_path) == find.plugged(tmp_path)


def test_nothing_is_plugged_in_where_there_is_no_usb(tmp_path: Path) -> None:
    assert find.plugged(tmp_path / "absent") == ()


def test_an_emulator_is_its_address_and_nothing_else_looks_for_one() -> None:
    assert TrezorSigner("udp:127.0.0.1:1").plugged() == ("udp:127.0.0.1:1",)
    with TrezorDevice() as device:
        with pytest.raises(NotReady) as caught:
            TrezorSigner().probe()
        assert caught.value.state is DeviceState.NO_DEVICE
        assert device.heard == []


@pytest.mark.parametrize("url", ["", "udp:127.0.0.1:21324", "udp:localhost:1"])
def test_addresses(url: str) -> None:
    find.check_url(url)


@pytest.mark.parametrize(
    "url", ["udp:", "udp:127.0.0.1", "udp:127.0.0.1:0", "udp:h:65536", "tcp://h:1", "udp:a b:1", "webusb:001:2", " "]
)
def test_no_addresses(url: str) -> None:
    with pytest.raises(ValueError, match="not a Trezor's address"):
        TrezorSigner(url)


# -- why it can not be opened ------------------------------------------------------------------------------------------


def raising(error: BaseException) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise error

    return fail


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with one Trezor on its USB, which neither the bridge nor HID has."""
    usb(tmp_path, "1-2", "1209", "53c1")
    monkeypatch.setattr(find, "plugged", lambda: find._of_sysfs(tmp_path))
    monkeypatch.setattr(BridgeTransport, "enumerate", list)
    monkeypatch.setattr(HidTransport, "enumerate", list)
    return tmp_path


def state_of(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> SignerFault:
    monkeypatch.setattr(WebUsbTransport, "enumerate", raising(error))
    with pytest.raises(SignerFault) as caught:
        TrezorSigner().probe()
    return caught.value


def test_libusb_is_missing(bus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = FileNotFoundError(2, "cannot find a suitable libusb-1.0")
    fault = state_of(missing, monkeypatch)
    assert fault.state is DeviceState.NO_PERMISSION
    assert "libusb-1.0 is missing" in fault.what
    assert "apt install" in fault.next_step
    (bus / "1-2" / "idVendor").write_text("ffff")
    assert state_of(missing, monkeypatch).state is DeviceState.NO_DEVICE, "it matters once there is a device"


@pytest.mark.usefixtures("bus")
@pytest.mark.parametrize(
    ("error", "state"),
    [
        (usb1.USBErrorAccess(), DeviceState.NO_PERMISSION),
        (PermissionError(13, "denied"), DeviceState.NO_PERMISSION),
        (usb1.USBErrorBusy(), DeviceState.BUSY),
        (usb1.USBErrorNoDevice(), DeviceState.NO_DEVICE),
        (usb1.USBErrorIO(), DeviceState.NO_DEVICE),
    ],
)
def test_the_bus_says_why(error: Exception, state: DeviceState, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = state_of(error, monkeypatch)
    assert fault.state is state
    assert fault.raw == type(error).__name__


def _nothing(_: object) -> object:
    raise Timeout("nothing")


class Handle(Transport):
    """A transport that does what it is told."""

    PATH_PREFIX, CHUNK_SIZE, ENABLED = "handle", 64, True

    def __init__(self, **acts: Callable[..., object]) -> None:
        self.acts = acts
        self.opened = False

    def get_path(self) -> str:
        return "handle:1"

    def is_open(self) -> bool:
        return self.opened

    def _open(self) -> None:
        if "open" in self.acts:
            self.acts["open"]()
        self.opened = True

    def _close(self) -> None:
        self.opened = False

    def write_chunk(self, chunk: bytes, /) -> None:
        """Goes nowhere."""

    def read_chunk(self, *, timeout: float | None = None) -> bytes:
        found = self.acts.get("read", _nothing)(timeout)
        assert isinstance(found, bytes)
        return found


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (DeviceIsBusy("x"), DeviceState.BUSY),
        (OSError("Cannot open device", "udev"), DeviceState.NO_PERMISSION),
        (usb1.USBErrorAccess(), DeviceState.NO_PERMISSION),
        (usb1.USBErrorNoDevice(), DeviceState.NO_DEVICE),
        (BridgeException("acquire", 400, "device not found"), DeviceState.NO_DEVICE),
        (requests.ConnectionError("refused"), DeviceState.NO_DEVICE),
    ],
)
def test_it_is_there_and_can_not_be_opened(
    error: Exception, state: DeviceState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "transport", lambda _: Handle(open=raising(error)))
    with pytest.raises(SignerFault) as caught:
        TrezorSigner().probe()
    assert caught.value.state is state


def test_it_is_unplugged_and_plugged_in_again() -> None:
    with TrezorDevice() as device:
        signer = TrezorSigner(device.url, patience=Patience(first=10, answer=10, person=30, resync=0.3))
        signer.open(Chain.EVM, Alone())
    for _ in range(2):
        with pytest.raises(NotReady) as caught:
            signer.address(Chain.EVM, cases.PATH, Alone())
        assert caught.value.state in {DeviceState.UNPLUGGED, DeviceState.NO_DEVICE}
        assert caught.value.raw == "ConnectionRefusedError"


def test_the_same_device_on_another_path_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """USB paths change when a device is plugged in again; the old one can not be opened any more."""
    with TrezorDevice() as device:
        signer = TrezorSigner(device.url)
        signer.open(Chain.EVM, Alone())
        assert signer._link is not None
        assert signer._link._channel is not None
        monkeypatch.setattr(signer._link._channel, "inner", Handle(open=raising(usb1.USBErrorNoDevice())))
        assert signer.address(Chain.EVM, cases.PATH, Alone()) == cases.ADDRESS


# -- the library's errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (exceptions.DeviceLockedError(), DeviceState.LOCKED),
        (exceptions.NotPairedError(), DeviceState.PAIRING),
        (exceptions.OutdatedFirmwareError(), DeviceState.TOO_OLD),
        (exceptions.PassphraseError("x"), DeviceState.PASSPHRASE),
        (exceptions.MissingCapability("x"), DeviceState.UNSUPPORTED),
        (exceptions.InvalidSessionError(b"id"), DeviceState.UNPLUGGED),
        (exceptions.PinException(7, "x"), DeviceState.PIN),
        (exceptions.Cancelled(), DeviceState.REJECTED),
        (exceptions.ProtocolError("secret bytes"), DeviceState.BAD_ANSWER),
        (exceptions.UnexpectedMessageError(m.Features, m.Success(message="secret")), DeviceState.BAD_ANSWER),
        (exceptions.TrezorFailure(m.Failure()), DeviceState.UNKNOWN),
        (KeyError(60_000), DeviceState.BAD_ANSWER),
        (ValueError("secret"), DeviceState.BAD_ANSWER),
        (TransportException("x"), DeviceState.UNPLUGGED),
        (Timeout("x"), DeviceState.TIMED_OUT),
        (Stopped("x"), DeviceState.UNKNOWN),
        (MemoryError(), DeviceState.UNKNOWN),
    ],
)
def test_each_error_is_a_state_with_words_and_no_bytes(error: Exception, state: DeviceState) -> None:
    fault = fault_of(error)
    assert fault.state is state
    assert fault.what
    assert fault.raw
    assert fault.next_step
    assert "secret" not in f"{fault.told}{fault.next_step}"


# -- deadlines ---------------------------------------------------------------------------------------------------------


def channel(answer_s: float = 0.05, person_s: float = 0.3, **acts: Callable[..., object]) -> Channel:
    found = Channel(Handle(**acts), answer_s)
    found.begin(person_s)
    return found


def chunk(size: int, *, first: bool = True) -> bytes:
    head = b"?##" + b"\0\x11" + size.to_bytes(4) if first else b"?"
    return head.ljust(64, b"#")


def test_an_answer_has_its_time_and_a_person_more() -> None:
    waits = channel(person_s=60)
    began = monotonic()
    with pytest.raises(Timeout):
        waits.read_chunk()
    assert monotonic() - began < 30
    waits.begin(0.3)
    waits.write_chunk(b"?##")
    waits.person_acts()
    began = monotonic()
    with pytest.raises(Timeout):
        waits.read_chunk()
    assert 0.25 < monotonic() - began < 30


def test_chunks_that_trickle_in_do_not_make_it_longer() -> None:
    """Each chunk of a message comes in time; the message has one deadline."""
    slow = channel(read=lambda _: chunk(60_000))
    began, count = monotonic(), 0
    with pytest.raises((Timeout, exceptions.ProtocolError)):  # noqa: PT012 -- one message, chunk by chunk
        for count in range(10**9):  # noqa: B007 -- counted for the line below
            slow.read_chunk()
    assert monotonic() - began < 30
    assert count > 1


def test_a_message_that_is_too_long_is_none() -> None:
    with pytest.raises(exceptions.ProtocolError):
        channel(read=lambda _: chunk(MAX_ANSWER + 1)).read_chunk()
    chunks = iter([chunk(200), chunk(0, first=False), chunk(0, first=False), chunk(0, first=False), chunk(8)])
    fine = channel(read=lambda _: next(chunks))
    for _ in range(5):
        fine.read_chunk()  # a continuation that happens to look like a header


def test_a_stopped_channel_neither_reads_nor_writes_until_the_next_operation() -> None:
    stopped = channel(read=lambda _: chunk(4))
    stopped.stop()
    for act in (stopped.read_chunk, lambda: stopped.write_chunk(b"?##")):
        with pytest.raises(Stopped):
            act()
    stopped.begin(1)
    stopped.read_chunk()


def test_usb_that_takes_nothing_ends() -> None:
    """The library tries for ever to write."""

    class Usb(WebUsbTransport):
        def __init__(self) -> None:
            self.endpoint, self.handle = 1, self

        def get_path(self) -> str:
            return "webusb:1"

        def interruptWrite(self, *_: object) -> int:  # noqa: N802 -- libusb's name
            raise usb1.USBErrorTimeout

    tries = Channel(Usb(), 0.05)
    tries.begin(60)
    began = monotonic()
    with pytest.raises(Timeout):
        tries.write_chunk(b"?" * 64)
    assert monotonic() - began < 30


# -- pairing (Safe 7), as far as it goes without one -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "taken"), [("123456", True), (" 123456 ", True), ("12345", False), ("١٢٣٤٥٦", False)]
)
def test_the_pairing_code(typed: str, taken: bool) -> None:  # noqa: FBT001, RUF100 -- a table
    hands, person = Hands(), Told(pairing_code=typed)
    hands.begin(person)
    if taken:
        assert hands.pairing_code() == "123456"
    else:
        with pytest.raises(NotReady) as caught:
            hands.pairing_code()
        assert caught.value.state is DeviceState.PAIRING
    assert person.questions == [Question.PAIRING_CODE]


def test_a_credential_keeps_its_secret() -> None:
    assert repr(Credential(b"a", b"secret", b"b")) == "Credential()"


def test_a_signer_that_is_not_used_loads_nothing() -> None:
    code = (
        "import sys; from signers.trezor.driver import TrezorSigner; TrezorSigner().close(); TrezorSigner().plugged()"
    )
    code += "; print(set(sys.modules) & {'trezorlib', 'usb1', 'requests', 'hid', 'eth_account', 'solders'})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "set()"
