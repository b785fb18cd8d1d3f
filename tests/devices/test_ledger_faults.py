"""Every fault at every step of every operation: the right state, words, no answer taken for another's, and the next
operation works."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from signers.base import DeviceState, SignRequest
from signers.faults import DeviceTimedOut, NotReady, RefusedOnDevice, SignerFault
from signers.ledger import LedgerSigner
from signers.payloads import Chain, Payload, PersonalMessage
from signers.verify import verify
from tests.devices.cases import EVM_PATH, SOL_PATH, TRADE, cases
from tests.devices.keys import address
from tests.devices.ledger_device import Human
from tests.devices.ledger_emulator import Fault, LedgerEmulator
from tests.unit.signers.told import Told

PAYLOADS: dict[str, Payload] = {case.name: case.payload for case in cases()}
PATHS = {Chain.EVM: EVM_PATH, Chain.SOLANA: SOL_PATH}
APPS = {Chain.EVM: "Ethereum", Chain.SOLANA: "Solana"}
SHORT_S = 0.4
"""For an answer that never comes: one that does may take longer on a busy machine."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Something a session does, checking what it gets."""

    name: str
    chain: Chain
    steps: int
    run: Callable[[LedgerSigner, Told], None]


def sign(name: str) -> Callable[[LedgerSigner, Told], None]:
    def run(signer: LedgerSigner, person: Told) -> None:
        payload = PAYLOADS[name]
        path = PATHS[payload.chain]
        verify(payload, signer.sign(SignRequest(payload, path), person), address(payload.chain, path))

    return run


def ask_address(chain: Chain, *, show: bool) -> Callable[[LedgerSigner, Told], None]:
    def run(signer: LedgerSigner, person: Told) -> None:
        assert signer.address(chain, PATHS[chain], person, show=show) == address(chain, PATHS[chain])

    return run


def probe(signer: LedgerSigner, _: Told) -> None:
    assert signer.probe().app in {"Ethereum", ""}


OPERATIONS = [
    Operation("probe", Chain.EVM, 2, probe),
    Operation("address", Chain.EVM, 3, ask_address(Chain.EVM, show=False)),
    Operation("address_shown", Chain.SOLANA, 3, ask_address(Chain.SOLANA, show=True)),
    Operation("message", Chain.EVM, 6, sign("personal_longest")),
    Operation("transaction", Chain.EVM, 3, sign("eip1559_transfer")),
    Operation("solana", Chain.SOLANA, 7, sign("sol_offchain_longest")),
]
STEPS = [(operation, step) for operation in OPERATIONS for step in range(operation.steps)]
steps = pytest.mark.parametrize(
    ("operation", "step"), STEPS, ids=[f"{operation.name}-{step}" for operation, step in STEPS]
)


@pytest.fixture
def emulator() -> Iterator[LedgerEmulator]:
    with LedgerEmulator() as served:
        yield served


@pytest.fixture
def ledger(emulator: LedgerEmulator) -> Iterator[LedgerSigner]:
    signer = LedgerSigner(emulator.url)
    yield signer
    signer.close()


@contextmanager
def in_a_hurry(signer: LedgerSigner, *, answers: bool = True) -> Iterator[None]:
    """Reviews are waited for shortly, and so are, with `answers`, answers without a person."""
    channel = signer._channel
    patience = channel._answer_s, channel._review_s
    channel._answer_s, channel._review_s = SHORT_S if answers else patience[0], SHORT_S
    yield
    channel._answer_s, channel._review_s = patience


def outcome(operation: Operation, signer: LedgerSigner, person: Told) -> SignerFault | None:
    found = None
    try:
        operation.run(signer, person)
    except SignerFault as fault:
        found = fault
    assert found is None or (found.what and found.next_step.startswith("Nothing was sent."))
    return found


def at_step(emulator: LedgerEmulator, step: int, fault: Fault, word: int = 0x6F00) -> None:
    count = itertools.count()
    emulator.hits = lambda _: next(count) == step
    emulator.faults.append(fault)
    emulator.word = word


def works_again(operation: Operation, emulator: LedgerEmulator, signer: LedgerSigner) -> None:
    assert not emulator.faults, "the fault was met"
    operation.run(signer, Told())


MEANS = {
    Fault.HANG: DeviceState.TIMED_OUT,
    Fault.HALF: DeviceState.TIMED_OUT,
    Fault.BARE: DeviceState.TIMED_OUT,
    Fault.DROP: DeviceState.UNPLUGGED,
    Fault.MID: DeviceState.UNPLUGGED,
    Fault.HUGE: DeviceState.BAD_ANSWER,
    Fault.GARBAGE: DeviceState.UNKNOWN,
}


SILENT = {Fault.HANG, Fault.HALF, Fault.BARE}


def silenced(
    operation: Operation, step: int, fault: Fault, emulator: LedgerEmulator, signer: LedgerSigner
) -> SignerFault | None:
    """What a silence at this step comes to. On a busy machine an answer before it may be late; then once more."""
    while True:
        at_step(emulator, step, fault)
        with in_a_hurry(signer):
            found = outcome(operation, signer, Told())
        if not emulator.faults:
            return found
        emulator.faults.clear()


@steps
@pytest.mark.parametrize("fault", MEANS)
def test_a_broken_line_has_a_state_and_the_next_operation_works(
    operation: Operation, step: int, fault: Fault, emulator: LedgerEmulator, ledger: LedgerSigner
) -> None:
    emulator.device.app = APPS[operation.chain]
    if fault in SILENT:
        found = silenced(operation, step, fault, emulator, ledger)
    else:
        at_step(emulator, step, fault)
        found = outcome(operation, ledger, Told())
    if step == 0 and fault not in SILENT:
        assert found is None, "which app is open is asked again on a new line"
    else:
        assert found is not None
        assert found.state is MEANS[fault]
    works_again(operation, emulator, ledger)


@steps
def test_an_answer_that_comes_twice_is_never_taken_for_the_next_one(
    operation: Operation, step: int, emulator: LedgerEmulator, ledger: LedgerSigner
) -> None:
    emulator.device.app = APPS[operation.chain]
    at_step(emulator, step, Fault.TWICE)
    found = outcome(operation, ledger, Told())
    last = step == operation.steps - 1
    assert len(emulator.device.log) == step + 1, "nothing is sent while an answer lies there unread"
    assert (found is None) == last
    assert found is None or found.state is DeviceState.BAD_ANSWER
    works_again(operation, emulator, ledger)


WORDS = {
    0x5515: DeviceState.LOCKED,
    0x6901: DeviceState.BUSY,
    0x6E00: DeviceState.WRONG_APP,
    0x6E01: DeviceState.WRONG_APP,
    0x6D00: DeviceState.WRONG_APP,
    0x6D02: DeviceState.WRONG_APP,
    0x6511: DeviceState.WRONG_APP,
    0x6F00: DeviceState.UNKNOWN,
    0x6B00: DeviceState.UNKNOWN,
    0x6100: DeviceState.BAD_ANSWER,
    0x6985: DeviceState.BAD_ANSWER,
    0x6A15: DeviceState.UNSUPPORTED,
}


@steps
@pytest.mark.parametrize("word", WORDS, ids=lambda word: f"{word:04X}")
def test_a_status_word_has_a_state_wherever_it_comes(
    operation: Operation, step: int, word: int, emulator: LedgerEmulator, ledger: LedgerSigner
) -> None:
    emulator.device.app = APPS[operation.chain]
    at_step(emulator, step, Fault.STATUS, word)
    person = Told()
    found = outcome(operation, ledger, person)
    state = WORDS[word]
    asks = step == operation.steps - 1 and operation.name not in {"probe", "address"}
    if word == 0x6985 and asks:
        state = DeviceState.REJECTED
        assert person.states == [DeviceState.WAIT_BUTTON, DeviceState.REJECTED]
    if step == 0 and state in {DeviceState.UNKNOWN, DeviceState.BAD_ANSWER, DeviceState.UNSUPPORTED}:
        assert found is None, "which app is open is asked again on a new line"
    elif operation.name == "probe" and step == 0 and state is DeviceState.WRONG_APP:
        assert found is None
    else:
        assert found is not None
        assert found.state is state
        assert found.raw in {f"0x{word:04X}", ""}
        assert ("m/44'/60'/0'/0/0" in found.next_step) == ("does not allow" in found.what)
    works_again(operation, emulator, ledger)


def test_locked_other_app_no_app_and_too_old_are_told_apart(emulator: LedgerEmulator, ledger: LedgerSigner) -> None:
    device = emulator.device

    def state(operation: Operation) -> tuple[DeviceState, str]:
        with pytest.raises(NotReady) as caught:
            operation.run(ledger, Told())
        return caught.value.state, caught.value.what

    message = OPERATIONS[3]
    device.locked = True
    assert state(message)[0] is DeviceState.LOCKED
    device.locked, device.app = False, "Solana"
    assert state(message) == (
        DeviceState.WRONG_APP,
        "The device has another app open, or none. Solana is open; Ethereum is needed.",
    )
    device.app = "BOLOS"
    assert "No app is open; Ethereum is needed." in state(message)[1]
    assert ledger.probe().app == ""
    device.app, device.versions["Ethereum"] = "Ethereum", "1.10.1"
    assert state(message)[0] is DeviceState.TOO_OLD
    assert "at least 1.10.2" in state(message)[1]
    device.versions["Ethereum"] = "1.10.2"
    message.run(ledger, Told())


@pytest.mark.parametrize("app", ["Ethereum", "Solana"])
def test_a_review_nobody_answers_times_out_and_its_late_answer_is_discarded(
    app: str, emulator: LedgerEmulator, ledger: LedgerSigner
) -> None:
    """The recorded hazard: Solana delivers the stale answer on the new connection, Ethereum never."""
    emulator.device.app, emulator.device.human = app, Human.NEVER
    operation = OPERATIONS[3] if app == "Ethereum" else OPERATIONS[5]
    person = Told()
    with in_a_hurry(ledger, answers=False), pytest.raises(DeviceTimedOut) as caught:
        operation.run(ledger, person)
    assert "Refuse on the device what it still shows" in caught.value.next_step
    assert person.states == [DeviceState.WAIT_BUTTON]
    emulator.device.human = Human.APPROVE
    emulator.press(approve=True)
    operation.run(ledger, Told())


def test_a_refused_review_is_told_and_nothing_else(emulator: LedgerEmulator, ledger: LedgerSigner) -> None:
    emulator.device.answers.append(Human.REFUSE)
    person = Told()
    with pytest.raises(RefusedOnDevice):
        OPERATIONS[4].run(ledger, person)
    assert person.states == [DeviceState.WAIT_BUTTON, DeviceState.REJECTED]
    OPERATIONS[4].run(ledger, Told())


@pytest.mark.parametrize("end", [LedgerSigner.cancel, LedgerSigner.close])
def test_a_review_is_given_up_at_once_and_the_next_operation_works(
    end: Callable[[LedgerSigner], None], emulator: LedgerEmulator
) -> None:
    emulator.device.answers.append(Human.NEVER)
    signer = LedgerSigner(emulator.url)
    found: list[SignerFault] = []

    def run() -> None:
        try:
            signer.sign(SignRequest(PersonalMessage(TRADE), EVM_PATH), Told())
        except SignerFault as fault:
            found.append(fault)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert emulator.device.shows.wait(10)
    end(signer)
    thread.join(10)
    assert [type(fault) for fault in found] == [DeviceTimedOut]
    assert "Refuse on the device what it still shows" in found[0].next_step
    OPERATIONS[3].run(signer, Told())
    signer.close()


def test_a_cancel_while_nothing_is_done_is_not_kept_for_later(emulator: LedgerEmulator, ledger: LedgerSigner) -> None:
    ledger.cancel()
    OPERATIONS[3].run(ledger, Told())
    ledger.cancel()
    ledger.close()
    OPERATIONS[3].run(ledger, Told())


def test_nothing_is_sent_while_a_review_is_up(emulator: LedgerEmulator, ledger: LedgerSigner) -> None:
    OPERATIONS[3].run(ledger, Told())
    last = emulator.device.log[-1]
    assert last[:2] == b"\xe0\x08"
    assert ledger.plugged() == (emulator.url,)
    assert emulator.device.log[-1] == last
