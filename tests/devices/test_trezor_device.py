"""The device in a thread against the recorded ones, and the driver in front of it, as the terminal uses it: over UDP,
in a `DeviceSession`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from solders.pubkey import Pubkey
from trezorlib.mapping import DEFAULT_MAPPING

from signers import verify
from signers.base import Clarity, DeviceState, SignRequest
from signers.faults import DeviceFault, DeviceTimedOut, NotReady, RefusedOnDevice, SignerFault
from signers.paths import Path
from signers.payloads import Chain, OffchainMessage, Payload, PersonalMessage, SolanaMessage
from signers.session import DeviceSession
from signers.trezor.driver import TrezorSigner
from signers.trezor.link import Patience
from tests.devices import trezor_cases as cases
from tests.devices.trezor_emulator import Model, TrezorDevice
from tests.devices.trezor_features import features
from tests.devices.trezor_replay import load
from tests.unit.signers.told import Told

PATIENCE = Patience(first=10.0, answer=10.0, person=30.0, resync=0.5)
"""Nothing here waits for what never comes, and a busy machine may be slow."""
MODELS: list[Model] = ["T3T1", "T1B1"]
HELLO = PersonalMessage("hello")
EACH = [
    pytest.param(model, *case, id=f"{model}-{case[0]}")
    for model in MODELS
    for case in [*cases.EVM, *cases.TYPED, *(cases.SOLANA if model == "T3T1" else [])]
]


def signer_of(device: TrezorDevice, **options: object) -> TrezorSigner:
    return TrezorSigner(device.url, patience=PATIENCE, **options)  # type: ignore[arg-type] # as each test has them


async def until(true: Callable[[], bool]) -> None:
    """The device lives in a thread of its own, which nobody can await."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 -- as said
            await asyncio.sleep(0.005)


def address_of(payload: Payload) -> str:
    return cases.SOLANA_ADDRESS if isinstance(payload, SolanaMessage) else cases.ADDRESS


# -- it is like the recorded ones --------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(("model", "name", "payload", "path"), EACH)
def test_it_signs_as_the_recorded_ones(model: Model, name: str, payload: Payload, path: Path) -> None:
    with TrezorDevice(model) as device:
        signer, person = signer_of(device), Told()
        assert signer.address(payload.chain, path, person) == address_of(payload)
        found = signer.sign(SignRequest(payload, path), person)
        verify.verify(payload, found, address_of(payload))
        assert device.wire.errors == []
    recorded = "typed-hash-permit" if (model, name) == ("T1B1", "typed-full-permit") else name
    value = load(f"{model.lower()}-{recorded}").result["value"]
    assert found[:64].hex() == (value["signature"][:128] if "signature" in value else value["r"] + value["s"])


@pytest.mark.shared
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["address", "pin-ok", "passphrase-host", "not-initialized"])
def test_it_tells_of_itself_as_the_recorded_ones(model: Model, name: str) -> None:
    case = load(f"{model.lower()}-{name}")
    profile = case.header["profile"]
    device = TrezorDevice(
        model,
        pin=profile["pin"] or "",
        passphrase=profile["passphrase_protection"],
        initialized=profile["initialized"],
    )
    device.wire.close()
    recorded = next(each for each in case.lines if each.type == "Features")
    found = DEFAULT_MAPPING.decode(recorded.number, recorded.data)
    told = features(device, bytes.fromhex(recorded.fields["session_id"]))
    assert vars(told) == vars(found)


# -- in a session ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
async def test_a_trade_is_countersigned(model: Model) -> None:
    with TrezorDevice(model) as device:
        session = DeviceSession(signer_of(device), asyncio.get_running_loop())
        states: list[DeviceState] = []
        address = await session.address(Chain.EVM, cases.PATH, states.append)
        signed = await session.sign(SignRequest(HELLO, cases.PATH), address, states.append, 10)
        verify.verify(HELLO, signed.signature, address)
        assert states == [DeviceState.WAIT_BUTTON] * 2 + [DeviceState.SIGNED]
        assert signed.info.emulator
        assert signed.info.name.startswith("Trezor")
        assert signed.shown.clarity is Clarity.CLEAR
        assert await session.plugged() == (device.url,)
        session.close()


async def test_live_refuses_it() -> None:
    with TrezorDevice() as device:
        session = DeviceSession(signer_of(device), asyncio.get_running_loop(), real_only=True)
        with pytest.raises(NotReady) as caught:
            await session.address(Chain.EVM, cases.PATH)
        assert "no hardware" in caught.value.what
        session.close()


async def test_nobody_presses_and_the_next_one_is_signed() -> None:
    """The session's deadline ends the wait, the device drops what it shows, and is in step at once."""
    with TrezorDevice() as device:
        device.human = "never"
        session = DeviceSession(signer_of(device), asyncio.get_running_loop())
        with pytest.raises(DeviceTimedOut):
            await session.sign(SignRequest(HELLO, cases.PATH), cases.ADDRESS, lambda _: None, 1.5)
        device.human = "approve"
        signed = await session.sign(
            SignRequest(cases.PERMIT, cases.PATH), cases.ADDRESS, lambda _: None, 10, accepts=Clarity.PARTLY
        )
        verify.verify(cases.PERMIT, signed.signature, cases.ADDRESS)
        assert not device.waits
        session.close()


async def test_a_late_press_signs_nothing_else() -> None:
    with TrezorDevice("T1B1") as device:
        device.human = "never"
        session = DeviceSession(signer_of(device), asyncio.get_running_loop())
        asking = asyncio.create_task(session.sign(SignRequest(HELLO, cases.PATH), cases.ADDRESS, lambda _: None, 10))
        await until(lambda: device.waits)
        asking.cancel()
        await until(lambda: not device.waits)
        device.press(approve=True)
        device.human = "approve"
        other = PersonalMessage("another")
        signed = await session.sign(SignRequest(other, cases.PATH), cases.ADDRESS, lambda _: None, 10)
        verify.verify(other, signed.signature, cases.ADDRESS)
        session.close()


# -- the wallet --------------------------------------------------------------------------------------------------------


def test_another_program_with_another_passphrase_does_not_lend_its_keys() -> None:
    """Pitfall: the device keeps one active session, and the library does not see that another program changed it."""
    with TrezorDevice(passphrase=True) as device:
        one, two = (signer_of(device, passphrase="ask") for _ in range(2))
        first = one.address(Chain.EVM, cases.PATH, Told(passphrase="one"))
        second = two.address(Chain.EVM, cases.PATH, Told(passphrase="two"))
        assert first == "0xE781B7b73cf064182047AA9F00A4d3f126c02177"
        assert second == "0x113B99A5ec554E81249119E71be70eC1570C6ed3"
        verify.verify(HELLO, one.sign(SignRequest(HELLO, cases.PATH), Told()), first)
        verify.verify(HELLO, two.sign(SignRequest(HELLO, cases.PATH), Told()), second)
        assert one.address(Chain.EVM, cases.PATH, Told()) == first


def test_a_passphrase_typed_on_the_device() -> None:
    with TrezorDevice(passphrase=True) as device:
        device.passphrases = ["hidden"]
        person = Told()
        found = signer_of(device, passphrase="device").address(Chain.EVM, cases.PATH, person)
        assert found == "0xE391871BeF03383F19Eda7a36fe27320BdcC174a"
        assert person.states == [DeviceState.PASSPHRASE]
        assert person.questions == []
    with TrezorDevice("T1B1", passphrase=True) as device, pytest.raises(NotReady) as caught:
        signer_of(device, passphrase="device").open(Chain.EVM, Told())
    assert caught.value.state is DeviceState.UNSUPPORTED


@pytest.mark.parametrize(
    ("typed", "fits"), [("é" * 16 + "pp", True), ("é" * 17, False), ("ﬁ" * 25, True), ("日" * 17, False)]
)
def test_the_length_of_a_passphrase_is_that_of_its_bytes_as_sent(typed: str, fits: bool) -> None:  # noqa: FBT001, RUF100 -- a table
    with TrezorDevice(passphrase=True) as device:
        signer = signer_of(device, passphrase="ask")
        if fits:
            signer.open(Chain.EVM, Told(passphrase=typed))
            return
        with pytest.raises(NotReady) as caught:
            signer.open(Chain.EVM, Told(passphrase=typed))
        assert caught.value.state is DeviceState.PASSPHRASE
        assert "PassphraseAck" not in device.heard


def test_an_empty_passphrase_is_the_standard_wallet() -> None:
    with TrezorDevice(passphrase=True) as device:
        assert signer_of(device).address(Chain.EVM, cases.PATH, Told()) == cases.ADDRESS


@pytest.mark.parametrize("model", MODELS)
def test_it_locks_itself_between_two_signatures(model: Model) -> None:
    with TrezorDevice(model, pin="1234") as device:
        person = Told(pin_positions="".join(str(device.matrix.index(digit) + 1) for digit in "1234"))
        signer = signer_of(device)
        signer.address(Chain.EVM, cases.PATH, person)
        assert person.states == [DeviceState.PIN]
        device.locked = True
        verify.verify(HELLO, signer.sign(SignRequest(HELLO, cases.PATH), person), cases.ADDRESS)
        assert person.states[1:] == [DeviceState.PIN, *[DeviceState.WAIT_BUTTON] * 2, DeviceState.SIGNED]


def test_a_session_that_became_another_wallet_while_it_was_locked_signs_nothing() -> None:
    with TrezorDevice("T1B1", pin="1234", passphrase=True) as device:
        positions = "".join(str(device.matrix.index(digit) + 1) for digit in "1234")
        signer, person = signer_of(device, passphrase="ask"), Told(pin_positions=positions, passphrase="open sesame")
        signer.address(Chain.EVM, cases.PATH, person)
        device.locked = True
        device._sessions.update(dict.fromkeys(device._sessions, "another"))
        with pytest.raises(SignerFault) as caught:
            signer.sign(SignRequest(HELLO, cases.PATH), person)
        assert caught.value.state is DeviceState.WRONG_DEVICE
        assert "EthereumSignMessage" not in device.heard


@pytest.mark.parametrize("model", MODELS)
def test_it_is_restarted_before_it_signs(model: Model) -> None:
    """A wallet that is opened anew gives its address first: with another passphrase it would be another one."""
    with TrezorDevice(model) as device:
        signer, person = signer_of(device), Told()
        signer.address(Chain.EVM, cases.PATH, person)
        device.restart()
        with pytest.raises(NotReady) as caught:
            signer.sign(SignRequest(HELLO, cases.PATH), person)
        assert caught.value.state is DeviceState.UNPLUGGED
        assert person.states == []
        assert signer.address(Chain.EVM, cases.PATH, person) == cases.ADDRESS
        verify.verify(HELLO, signer.sign(SignRequest(HELLO, cases.PATH), person), cases.ADDRESS)


def test_it_forgot_the_wallet_after_many_others() -> None:
    with TrezorDevice() as device:
        signer, person = signer_of(device), Told()
        signer.address(Chain.EVM, cases.PATH, person)
        device.most_sessions = 1
        signer_of(device).open(Chain.EVM, person)
        assert signer.address(Chain.EVM, cases.PATH, person) == cases.ADDRESS, "opened again, without a question"


# -- what it can not ---------------------------------------------------------------------------------------------------


def test_a_key_that_must_not_sign_is_not_asked() -> None:
    with TrezorDevice() as device:
        signer = signer_of(device)
        with pytest.raises(NotReady) as caught:
            signer.sign(SignRequest(cases.SOL_TRANSFER, Path.parse("m/44'/501'/7'/0'")), Told())
        assert caught.value.state is DeviceState.WRONG_DEVICE
        assert "not among those who must sign" in caught.value.what
        assert "SolanaSignTx" not in device.heard


@pytest.mark.parametrize("model", MODELS)
def test_off_chain_messages_are_not_asked_for(model: Model) -> None:
    with TrezorDevice(model) as device:
        signer = signer_of(device)
        with pytest.raises(NotReady) as caught:
            signer.sign(SignRequest(OffchainMessage("hello", str(Pubkey([1] * 32))), cases.SOLANA_PATH), Told())
        assert caught.value.state is DeviceState.UNSUPPORTED
        assert not [name for name in device.heard if "Sign" in name]


@pytest.mark.parametrize(("model", "version"), [("T3T1", (2, 2, 0)), ("T1B1", (1, 7, 9))])
@pytest.mark.filterwarnings("ignore:Firmware is out of date")
def test_firmware_that_is_too_old(model: Model, version: tuple[int, int, int]) -> None:
    with TrezorDevice(model, version=version) as device:
        signer = signer_of(device)
        with pytest.raises(NotReady) as caught:
            signer.open(Chain.EVM, Told())
        assert caught.value.state is DeviceState.TOO_OLD
        assert ".".join(map(str, version)) in caught.value.what


def test_refused_while_the_address_is_compared() -> None:
    with TrezorDevice() as device:
        device.human = "refuse"
        person = Told()
        with pytest.raises(RefusedOnDevice):
            signer_of(device).address(Chain.EVM, cases.PATH, person, show=True)
        assert person.states == [DeviceState.WAIT_BUTTON, DeviceState.REJECTED]


def test_definitions_are_given_and_asked_for_before_anything_is_shown() -> None:
    asked: list[tuple[str, str]] = []

    def look_up(chain: str, token: str) -> bytes | None:
        asked.append((chain, token))
        return b"signed" if token else None

    with TrezorDevice() as device:
        signer = signer_of(device, definitions=look_up)
        found = signer.sign(SignRequest(cases.UNKNOWN_TOKEN, cases.PATH), Told())
        verify.verify(cases.UNKNOWN_TOKEN, found, cases.ADDRESS)
        assert asked == [("eip155:8453", ""), ("eip155:8453", "0x" + cases.TO.hex())]
        given = [vars(each) for each in device.wire.heard if type(each).__name__ == "EthereumDefinitionAck"]
        assert [each["definitions"].encoded_token for each in given] == [b"signed"]


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_no_secret_is_logged_or_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(1), TrezorDevice("T1B1", pin="1234", passphrase=True) as device:
        positions = "".join(str(device.matrix.index(digit) + 1) for digit in "1234")
        signer = signer_of(device, passphrase="ask")
        signer.address(Chain.EVM, cases.PATH, Told(pin_positions=positions, passphrase="open sesame"))
        device.locked = True
        caught: list[SignerFault] = []
        for typed in ("9999", "nonsense!"):
            try:
                signer.open(Chain.EVM, Told(pin_positions=typed))
            except SignerFault as fault:
                caught.append(fault)
        assert [fault.state for fault in caught] == [DeviceState.PIN] * 2
        words = f"{caplog.text}{[vars(f) for f in caught]}{caught!r}{signer!r}{vars(signer)!r}{vars(signer._link)!r}"
        words += "".join(str(each.__context__) + str(each.__cause__) for each in caught)
        for secret in (positions, "open sesame", b"open sesame".hex(), positions.encode().hex(), "9999", "nonsense!"):
            assert secret not in words
    assert logging.getLogger("trezorlib").level > logging.CRITICAL


def test_a_bug_of_the_person_at_the_screen_leaves_the_device_in_step() -> None:
    """A callback that raises would leave the screen up for ever."""

    def fail(_: DeviceState) -> None:
        raise RuntimeError

    with TrezorDevice() as device:
        signer = signer_of(device)
        with pytest.raises(DeviceFault):
            signer.sign(SignRequest(HELLO, cases.PATH), Told(fail))
        verify.verify(HELLO, signer.sign(SignRequest(HELLO, cases.PATH), Told()), cases.ADDRESS)
