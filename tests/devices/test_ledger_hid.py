"""USB: reports, finding a device, and changing its app, on a fake hidapi."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path as File

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signers.base import DeviceState, SignRequest
from signers.faults import DeviceTimedOut, NotReady, RefusedOnDevice, SignerFault
from signers.ledger import LedgerSigner
from signers.ledger.find import HidDoor, HidLibrary, device_file
from signers.ledger.hid import HidTransport
from signers.payloads import Chain, PersonalMessage
from signers.verify import verify
from tests.devices.cases import EVM_PATH, SOL_PATH, TRADE
from tests.devices.keys import address
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_hid import FakeBus, FakeHandle
from tests.unit.signers.told import Told

SPLITS = sorted({0, 1, 2} | {57 + 59 * n + more for n in range(4) for more in (-3, -2, -1, 0, 1)})


def soon() -> float:
    return time.monotonic() + 10


def signer_of(bus: FakeBus) -> LedgerSigner:
    signer = LedgerSigner(door=HidDoor(bus), answer_s=2.0)
    signer.look_s = 0.001
    signer.back_s = 2.0
    return signer


def sign(signer: LedgerSigner) -> None:
    payload = PersonalMessage(TRADE)
    verify(payload, signer.sign(SignRequest(payload, EVM_PATH), Told()), address(Chain.EVM, EVM_PATH))


@pytest.mark.parametrize("size", SPLITS)
def test_answers_of_every_length_around_a_report_s_end_come_whole(size: int) -> None:
    answer = bytes(n % 256 for n in range(size)) + b"\x90\x00"
    assert HidTransport(FakeHandle(lambda _: answer)).exchange(b"\xb0\x01\0\0\0", soon()) == answer


@settings(max_examples=60)
@given(st.binary(min_size=5, max_size=260), st.binary(min_size=2, max_size=600))
def test_what_is_sent_and_answered_arrives_as_it_is(apdu: bytes, answer: bytes) -> None:
    sent: list[bytes] = []

    def device(asked: bytes) -> bytes:
        sent.append(asked)
        return answer

    assert HidTransport(FakeHandle(device)).exchange(apdu, soon()) == answer
    assert sent == [apdu]


@settings(max_examples=80)
@given(st.data())
def test_reports_that_are_wrong_are_never_an_answer(data: st.DataObject) -> None:
    """Cut off, in another order, doubled, of another sequence or channel, or of another length."""
    answer = bytes(range(200)) + b"\x90\x00"

    def alter(sent: list[bytes]) -> list[bytes]:
        index = data.draw(st.integers(0, len(sent) - 1))
        kind = data.draw(st.sampled_from(["swap", "double", "head", "short", "long"]))
        if kind == "swap":
            return sent[1:] + sent[:1]
        if kind == "double":
            return [*sent[: index + 1], *sent[index:]] if index < len(sent) - 1 else [sent[0], *sent]
        if kind == "head":
            at = data.draw(st.integers(0, 4))
            changed = bytearray(sent[index])
            changed[at] ^= data.draw(st.integers(1, 255))
            return [*sent[:index], bytes(changed), *sent[index + 1 :]]
        piece = sent[index][: data.draw(st.integers(1, 63))] if kind == "short" else sent[index] + b"\0"
        return [*sent[:index], piece, *sent[index + 1 :]]

    with pytest.raises(SignerFault) as caught:
        HidTransport(FakeHandle(lambda _: answer, alter)).exchange(b"\xb0\x01\0\0\0", soon())
    assert caught.value.state is DeviceState.BAD_ANSWER


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=70), max_size=6))
def test_random_reports_end_in_a_fault(reports: list[bytes]) -> None:
    handle = FakeHandle(lambda _: b"\x90\x00", lambda _: reports)
    with pytest.raises(SignerFault):
        HidTransport(handle).exchange(b"\xb0\x01\0\0\0", time.monotonic() + 0.01)


def test_a_lost_continuation_is_a_bad_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signers.ledger.hid._NEXT_REPORT_S", 0.02)
    handle = FakeHandle(lambda _: bytes(200) + b"\x90\x00", lambda sent: sent[:-1])
    with pytest.raises(SignerFault) as caught:
        HidTransport(handle).exchange(b"\xb0\x01\0\0\0", soon())
    assert caught.value.state is DeviceState.BAD_ANSWER
    assert "Of an answer of 202 bytes only 175 came." in caught.value.what


def test_a_report_that_nobody_asked_for_is_not_the_next_answer() -> None:
    handle = FakeHandle(lambda _: b"\x90\x00", lambda sent: sent * 2)
    transport = HidTransport(handle)
    assert transport.exchange(b"\xb0\x01\0\0\0", soon()) == b"\x90\x00"
    with pytest.raises(SignerFault) as caught:
        transport.exchange(b"\xb0\x01\0\0\0", soon())
    assert caught.value.state is DeviceState.BAD_ANSWER


def test_the_real_library_is_there_and_finds_no_device_here() -> None:
    assert all(each.word.startswith("Ledger") for each in HidLibrary().seen())


def test_the_file_behind_a_path(tmp_path: File) -> None:
    (tmp_path / "1-2.4").mkdir()
    (tmp_path / "1-2.4" / "busnum").write_text("1\n")
    (tmp_path / "1-2.4" / "devnum").write_text("23\n")
    assert device_file("1-2.4:1.0", tmp_path) == File("/dev/bus/usb/001/023")
    assert device_file("/dev/hidraw3") == File("/dev/hidraw3")
    assert device_file("1-9:1.0", tmp_path) is None
    assert device_file("../../etc:1", tmp_path) is None


def test_absent_not_permitted_and_held_are_told_apart() -> None:
    bus = FakeBus(LedgerDevice())
    signer = signer_of(bus)
    bus.there = False
    assert signer.plugged() == ()
    for state in (DeviceState.NO_DEVICE, DeviceState.NO_PERMISSION, DeviceState.BUSY):
        bus.there, bus.denied = state is not DeviceState.NO_DEVICE, state is DeviceState.NO_PERMISSION
        bus.held = state is DeviceState.BUSY
        with pytest.raises(NotReady) as caught:
            signer.probe()
        assert caught.value.state is state
        assert ('ATTRS{idVendor}=="2c97"' in caught.value.next_step) == bus.denied
    bus.held = False
    info = signer.probe()
    assert (info.name, info.model, info.serial, info.emulator) == ("Ledger Nano S Plus", "nanosp", "0001", False)
    assert signer.plugged() == ("Ledger Nano S Plus 0001",)


def test_a_device_that_is_plugged_out_and_in_again_is_found_again() -> None:
    bus = FakeBus(LedgerDevice())
    signer = signer_of(bus)
    sign(signer)
    bus.path += 1  # at another path, the old handle dead
    sign(signer)
    bus.there = False
    with pytest.raises(NotReady) as caught:
        signer.probe()
    assert caught.value.state is DeviceState.NO_DEVICE
    bus.there, bus.path = True, bus.path + 1
    sign(signer)


def interrupted(bus: FakeBus, signer: LedgerSigner, how: Callable[[], None]) -> SignerFault:
    """What a signature that waits for its person ends with, once `how` was done."""
    bus.device.human = Human.NEVER
    with ThreadPoolExecutor(1) as thread:
        signing = thread.submit(sign, signer)
        assert bus.device.shows.wait(10)
        how()
        fault = signing.exception(10)
    assert isinstance(fault, SignerFault)
    return fault


def test_a_device_that_is_pulled_out_during_a_review_is_unplugged() -> None:
    bus = FakeBus(LedgerDevice())
    fault = interrupted(bus, signer_of(bus), lambda: setattr(bus, "there", False))
    assert fault.state is DeviceState.UNPLUGGED
    assert "refuse what it still shows" in fault.next_step


def test_a_wait_for_a_person_ends_when_it_is_taken_back() -> None:
    bus = FakeBus(LedgerDevice())
    signer = signer_of(bus)
    assert type(interrupted(bus, signer, signer.cancel)) is DeviceTimedOut
    assert bus.handles[-1].closed
    bus.device.human = Human.APPROVE
    sign(signer)


@pytest.mark.parametrize("start", ["Solana", "BOLOS"])
def test_the_right_app_is_opened_from_here(start: str) -> None:
    bus, person = FakeBus(LedgerDevice(app=start)), Told()
    signer = signer_of(bus)
    info = signer.open(Chain.EVM, person)
    assert (info.app, info.app_version) == ("Ethereum", "1.22.0")
    assert person.states == [DeviceState.OPENING_APP]
    managed = [apdu[:2].hex() for apdu in bus.device.log if apdu[:2].hex() not in {"b001", "e006"}]
    assert managed == (["b0a7", "e0d8"] if start == "Solana" else ["e0d8"])
    assert signer.open(Chain.SOLANA, Told()).app == "Solana"
    assert signer.address(Chain.SOLANA, SOL_PATH, Told()) == address(Chain.SOLANA, SOL_PATH)


def test_opening_an_app_is_refused_missing_or_locked() -> None:
    bus = FakeBus(LedgerDevice(app="BOLOS"))
    signer = signer_of(bus)
    bus.device.answers.append(Human.REFUSE)
    person = Told()
    with pytest.raises(RefusedOnDevice):
        signer.open(Chain.EVM, person)
    assert person.states[-1] is DeviceState.REJECTED
    del bus.device.versions["Ethereum"]
    with pytest.raises(NotReady) as caught:
        signer.open(Chain.EVM, Told())
    assert caught.value.state is DeviceState.WRONG_APP
    assert "not installed" in caught.value.what
    bus.device.locked = True
    with pytest.raises(NotReady) as caught:
        signer.open(Chain.EVM, Told())
    assert caught.value.state is DeviceState.LOCKED


def test_a_device_that_does_not_come_back_is_absent() -> None:
    bus = FakeBus(LedgerDevice(app="Solana"), away_for=1_000_000)
    signer = signer_of(bus)
    signer.back_s = 0.05
    with pytest.raises(NotReady) as caught:
        signer.open(Chain.EVM, Told())
    assert caught.value.state is DeviceState.NO_DEVICE
