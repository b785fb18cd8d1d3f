"""Every state of a device in the middle of a trade: the right state and words, nothing sent, the money free, and the
next trade signed by the same device once its person mended it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from trezorlib import messages as m

from signers.base import DeviceState
from signers.words import what_of
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import Fault, LedgerEmulator
from tests.devices.trezor_emulator import TrezorDevice
from tests.execution.harness import Rig, rig

HAPPY = ["RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "FILLED"]
SIGN, LAST = 0x08, 0x80


@dataclass(frozen=True)
class Trouble:
    """What goes wrong, what is told, how it ends, how a person mends it."""

    breaks: Callable[[Any], None]
    state: DeviceState
    ends: str = "FAILED"
    mends: Callable[[Any], None] = lambda _: None
    says: str = ""


def device(**terms: Any) -> Callable[[LedgerEmulator], None]:
    def change(emulator: LedgerEmulator) -> None:
        for name, value in terms.items():
            setattr(emulator.device, name, value)

    return change


def fault(which: Fault, ins: int = SIGN, word: int = 0) -> Callable[[LedgerEmulator], None]:
    def arm(emulator: LedgerEmulator) -> None:
        emulator.hits = lambda apdu: len(apdu) > 2 and apdu[1] == ins and (ins != SIGN or apdu[2] == LAST)
        emulator.word = word
        emulator.faults.append(which)

    return arm


LEDGER: dict[str, Trouble] = {
    "locked": Trouble(device(locked=True), DeviceState.LOCKED, mends=device(locked=False), says="Unlock it"),
    "refused": Trouble(device(human=Human.REFUSE), DeviceState.REJECTED, "REFUSED", device(human=Human.APPROVE)),
    "another app": Trouble(
        device(app="Solana"), DeviceState.WRONG_APP, mends=device(app="Ethereum"), says="Ethereum is needed"
    ),
    "an app that is too old": Trouble(
        device(versions={"Ethereum": "1.2.0", "Solana": "1.9.0", "BOLOS": "1.4.0"}),
        DeviceState.TOO_OLD,
        mends=device(versions={"Ethereum": "1.22.0", "Solana": "1.9.0", "BOLOS": "1.4.0"}),
    ),
    "no app of ours on it": Trouble(
        device(app="BOLOS", versions={"Solana": "1.9.0", "BOLOS": "1.4.0"}),
        DeviceState.WRONG_APP,
        mends=device(app="Ethereum", versions={"Ethereum": "1.22.0", "Solana": "1.9.0", "BOLOS": "1.4.0"}),
    ),
    "silence at the review": Trouble(
        device(human=Human.NEVER), DeviceState.TIMED_OUT, mends=device(human=Human.APPROVE, review=None)
    ),
    "no answer to the signature": Trouble(fault(Fault.HANG), DeviceState.TIMED_OUT),
    "unplugged at the review": Trouble(fault(Fault.DROP), DeviceState.UNPLUGGED),
    "cut off in an answer": Trouble(fault(Fault.MID), DeviceState.UNPLUGGED),
    "half an answer": Trouble(fault(Fault.HALF), DeviceState.TIMED_OUT),
    "an answer without its status": Trouble(fault(Fault.BARE), DeviceState.TIMED_OUT),
    "an answer of gigabytes": Trouble(fault(Fault.HUGE), DeviceState.BAD_ANSWER),
    "a status nobody knows": Trouble(fault(Fault.STATUS, word=0x6F42), DeviceState.UNKNOWN, says="6f42"),
    "locked by itself meanwhile": Trouble(fault(Fault.STATUS, word=0x5515), DeviceState.LOCKED),
    "bytes before the status": Trouble(fault(Fault.GARBAGE, word=0x6985), DeviceState.REJECTED, "REFUSED"),
    "no answer to its name": Trouble(fault(Fault.HANG, ins=0x01), DeviceState.TIMED_OUT),
    "cut off at its address": Trouble(fault(Fault.DROP, ins=0x02), DeviceState.UNPLUGGED, "FILLED"),
}


async def goes_wrong(r: Rig, trouble: Trouble, hand: Any) -> None:
    r.session.device.again_s = 0.05
    r.desk.terms = replace(r.desk.terms, device_deadline_s=1.5)
    states: list[DeviceState] = []
    r.desk.on_device = lambda _trade, state: states.append(state)
    before = len(r.sent())
    trouble.breaks(hand)
    trade = await r.trade()
    assert r.states(trade)[-1] == trouble.ends, (r.stored(trade)["reason"], states)
    assert trouble.state in states
    if trouble.ends == "FILLED":  # it came back while the trade waited
        return
    assert len(r.sent()) == before
    assert r.hold(trade) == ("0", "RELEASED")
    told = " ".join(str(row) for row in r.rows("SELECT code, what, next_step FROM errors")) + r.stored(trade)["reason"]
    if trouble.ends == "FAILED":
        assert "Nothing was sent" in told
        assert what_of(trouble.state).split(".")[0].lower()[:14] in told.lower() or trouble.says in told
    assert trouble.says.lower() in told.lower()
    trouble.mends(hand)
    r.desk.terms = replace(r.desk.terms, device_deadline_s=30)
    again = await r.trade()
    assert r.states(again) == HAPPY, r.stored(again)["reason"]
    r.assert_sound()


@pytest.mark.parametrize("name", LEDGER)
async def test_ledger(tmp_path: Path, name: str) -> None:
    with LedgerEmulator(LedgerDevice()) as emulator:
        settings = {"signer.kind": "ledger", "signer.ledger": emulator.url}
        async with rig(tmp_path, settings=settings) as r:
            await goes_wrong(r, LEDGER[name], emulator)


def trezor(**terms: Any) -> Callable[[TrezorDevice], None]:
    def change(given: TrezorDevice) -> None:
        for name, value in terms.items():
            setattr(given, name, value)

    return change


def fails(code: m.FailureType, words: str) -> Callable[[TrezorDevice], None]:
    return trezor(failing={m.EthereumSignMessage: m.Failure(code=code, message=words)})


MENDED = trezor(failing={})
TREZOR: dict[str, Trouble] = {
    "refused": Trouble(trezor(human="refuse"), DeviceState.REJECTED, "REFUSED", trezor(human="approve")),
    "silence at the review": Trouble(trezor(human="never"), DeviceState.TIMED_OUT, mends=trezor(human="approve")),
    "restarted meanwhile": Trouble(lambda given: given.restart(), DeviceState.WAIT_BUTTON, "FILLED"),
    "a failure nobody knows": Trouble(
        fails(m.FailureType.FirmwareError, "zlurp"), DeviceState.UNKNOWN, mends=MENDED, says="zlurp"
    ),
    "busy": Trouble(fails(m.FailureType.ProcessError, "busy"), DeviceState.UNKNOWN, mends=MENDED),
}


@pytest.mark.parametrize("name", TREZOR)
async def test_trezor(tmp_path: Path, name: str) -> None:
    with TrezorDevice("T3T1") as given:
        settings = {"signer.kind": "trezor", "signer.trezor": given.url}
        async with rig(tmp_path, settings=settings) as r:
            await goes_wrong(r, TREZOR[name], given)


@pytest.mark.parametrize("kind", ["ledger", "trezor"])
async def test_no_device_at_all_then_it_is_plugged_in_while_the_trade_waits(tmp_path: Path, kind: str) -> None:
    first: Any = LedgerEmulator(LedgerDevice()) if kind == "ledger" else TrezorDevice("T3T1")
    with first:
        settings = {"signer.kind": kind, f"signer.{kind}": first.url}
        async with rig(tmp_path, settings=settings) as r:
            assert r.states(await r.trade()) == HAPPY
    async with rig(tmp_path, settings=settings) as r:  # registered: it need not be there at the start
        r.session.device.again_s = 0.05
        r.desk.terms = replace(r.desk.terms, device_deadline_s=0.5)
        states: list[DeviceState] = []
        r.desk.on_device = lambda _trade, state: states.append(state)
        trade = await r.trade()
        assert r.states(trade)[-2:] == ["CONFIRMED", "FAILED"]
        assert set(states) <= {DeviceState.NO_DEVICE, DeviceState.TIMED_OUT}
        assert "No device is plugged in" in r.stored(trade)["reason"] or DeviceState.TIMED_OUT in states
