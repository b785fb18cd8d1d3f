"""One device, one thread: in order, one at a time, and never in the way of the loop or of the program's end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from signers.base import DeviceInfo, DeviceState, Person, Question, SignerKind, SignRequest
from signers.demo import DemoSigner
from signers.faults import DeviceFault, DeviceTimedOut, NotReady, RefusedOnDevice
from signers.paths import Path, of_scheme
from signers.payloads import Chain, OffchainMessage, PersonalMessage
from signers.session import DeviceSession


class Driver(DemoSigner):
    """A device of the test's: it answers with the text, when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.inside = 0
        self.most_inside = 0
        self.cancels = 0
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.started = threading.Event()
        self.error: Exception | None = None
        self.not_ready: list[DeviceState] = []
        self.opened: list[Chain] = []
        self.hangs_when_open = False
        self.asks = False

    def probe(self) -> DeviceInfo:
        self.gate.wait(10)
        return DeviceInfo(SignerKind.LEDGER, "test", "1", real=True)

    def open(self, chain: Chain, person: Person) -> DeviceInfo:
        if self.opened[-1:] != [chain]:
            person.told(DeviceState.OPENING_APP)
        self.opened.append(chain)
        if self.not_ready:
            raise NotReady(self.not_ready.pop(0), "Just so.")
        if self.asks:
            person.ask(Question.PIN_POSITIONS)
        if self.hangs_when_open:
            self.gate.wait(10)
        return DeviceInfo(SignerKind.LEDGER, "test", "1", real=True)

    def address(self, chain: Chain, path: Path, person: Person, *, show: bool = False) -> str:  # noqa: ARG002 -- the contract's names
        return f"address of {path}"

    def sign(self, request: SignRequest, person: Person) -> bytes:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.threads.add(threading.get_ident())
        payload = request.payload
        assert isinstance(payload, PersonalMessage | OffchainMessage)
        self.asked.append(payload.text)
        person.told(DeviceState.WAIT_BUTTON)
        self.started.set()
        try:
            assert self.gate.wait(10)
            if self.error is not None:
                raise self.error
            return payload.text.encode()
        finally:
            self.inside -= 1

    def cancel(self) -> None:
        self.cancels += 1

    def close(self) -> None:
        pass


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
async def session(driver: Driver) -> AsyncIterator[DeviceSession]:
    session = DeviceSession(driver, asyncio.get_running_loop())
    yield session
    driver.gate.set()
    session.close()


PATH = of_scheme("evm", "bip44", 0)
ADDRESS = f"address of {PATH}"
KEY = "EDUded8fGxKkRTWWjE9YFzCmrW54aXXabVKLn3NyvHqV"


async def sign(
    session: DeviceSession,
    text: str,
    on_state: Callable[[DeviceState], None] = lambda _: None,
    deadline_s: float = 10,
    chain: Chain = Chain.EVM,
) -> bytes:
    payload = PersonalMessage(text) if chain is Chain.EVM else OffchainMessage(text, KEY)
    return (await session.sign(SignRequest(payload, PATH), ADDRESS, on_state, deadline_s)).signature


def ask(session: DeviceSession, text: str, chain: Chain = Chain.EVM) -> asyncio.Task[bytes]:
    return asyncio.create_task(sign(session, text, chain=chain))


async def test_requests_run_one_at_a_time_in_order_on_one_other_thread(session: DeviceSession, driver: Driver) -> None:
    tasks = [ask(session, f"text {n}") for n in range(20)]
    driver.gate.set()
    assert await asyncio.gather(*tasks) == [f"text {n}".encode() for n in range(20)]
    assert driver.asked == [f"text {n}" for n in range(20)]
    assert driver.most_inside == 1
    assert len(driver.threads) == 1
    assert threading.get_ident() not in driver.threads


async def test_a_blocked_driver_does_not_hold_the_loop(session: DeviceSession, driver: Driver) -> None:
    task = ask(session, "slow")
    for _ in range(1000):
        await asyncio.sleep(0)
    assert not task.done()
    driver.gate.set()
    assert await task == b"slow"


async def test_states_are_told_on_the_loop_thread(session: DeviceSession, driver: Driver) -> None:
    told: list[tuple[DeviceState, int]] = []
    driver.gate.set()
    await sign(session, "x", lambda state: told.append((state, threading.get_ident())))
    assert told[1:] == [(DeviceState.WAIT_BUTTON, threading.get_ident())]


async def test_a_late_answer_is_dropped_and_the_next_request_gets_its_own(
    session: DeviceSession, driver: Driver
) -> None:
    states: list[DeviceState] = []
    with pytest.raises(DeviceTimedOut, match="No answer from the device") as caught:
        await sign(session, "first", states.append, 1)
    assert "Nothing was sent" in caught.value.next_step
    assert states[1:] == [DeviceState.WAIT_BUTTON, DeviceState.TIMED_OUT]
    assert driver.cancels == 1
    second = ask(session, "second")
    await asyncio.sleep(0)
    driver.gate.set()  # only now the first answer arrives
    assert await second == b"second"
    assert driver.asked == ["first", "second"]


async def test_a_request_that_timed_out_in_the_queue_is_never_shown_on_the_device(
    session: DeviceSession, driver: Driver
) -> None:
    first = ask(session, "first")
    await asyncio.to_thread(driver.started.wait, 10)
    with pytest.raises(DeviceTimedOut):
        await sign(session, "never", deadline_s=0.02)
    third = ask(session, "third")
    await asyncio.sleep(0)
    driver.gate.set()
    assert [await first, await third] == [b"first", b"third"]
    assert driver.asked == ["first", "third"]
    assert driver.cancels == 0, "the first one's review is not taken back because another waited too long"


async def test_a_request_whose_asker_was_cancelled_is_cancelled_on_the_device(
    session: DeviceSession, driver: Driver
) -> None:
    task = ask(session, "text")
    await asyncio.to_thread(driver.started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert driver.cancels == 1


async def test_a_drivers_bug_is_a_fault_of_the_device_and_not_the_end_of_its_thread(
    session: DeviceSession, driver: Driver
) -> None:
    driver.error = ZeroDivisionError("oops")
    driver.gate.set()
    with pytest.raises(DeviceFault, match="ZeroDivisionError"):
        await ask(session, "a")
    driver.error = None
    assert await ask(session, "b") == b"b"


async def test_a_refusal_stays_a_refusal(session: DeviceSession, driver: Driver) -> None:
    driver.error = RefusedOnDevice("Refused.")
    driver.gate.set()
    with pytest.raises(RefusedOnDevice):
        await ask(session, "a")


async def test_a_device_that_does_not_answer_a_probe_is_given_up(session: DeviceSession) -> None:
    with pytest.raises(DeviceTimedOut):
        await session.probe(0.02)


async def test_address_and_probe_answer(session: DeviceSession, driver: Driver) -> None:
    driver.gate.set()
    assert await session.address(Chain.EVM, PATH) == ADDRESS
    assert (await session.probe()).name == "test"


# -- readiness ---------------------------------------------------------------------------------------------------------


async def test_what_a_person_can_mend_is_waited_for(session: DeviceSession, driver: Driver) -> None:
    driver.not_ready = [DeviceState.NO_DEVICE, DeviceState.LOCKED, DeviceState.WRONG_APP]
    session.again_s = 0
    states: list[DeviceState] = []
    driver.gate.set()
    assert await sign(session, "a", states.append) == b"a"
    assert [state for state in states if state is not DeviceState.OPENING_APP] == [
        DeviceState.NO_DEVICE,
        DeviceState.LOCKED,
        DeviceState.WRONG_APP,
        DeviceState.WAIT_BUTTON,
    ]


async def test_when_time_runs_out_what_kept_it_from_signing_is_told(session: DeviceSession, driver: Driver) -> None:
    driver.not_ready = [DeviceState.LOCKED]
    session.again_s = 0
    driver.hangs_when_open = True
    with pytest.raises(NotReady, match="locked"):
        await sign(session, "a", deadline_s=1)
    driver.gate.set()


async def test_what_nobody_can_mend_ends_at_once(session: DeviceSession, driver: Driver) -> None:
    driver.not_ready = [DeviceState.TOO_OLD]
    states: list[DeviceState] = []
    with pytest.raises(NotReady, match=r"too old\. Just so") as caught:
        await sign(session, "a", states.append)
    assert caught.value.code == "signer.too_old"
    assert states[-1] is DeviceState.TOO_OLD
    assert driver.asked == []


async def test_once_the_device_has_asked_its_person_nothing_is_asked_twice_by_itself(
    session: DeviceSession, driver: Driver
) -> None:
    driver.error = NotReady(DeviceState.UNPLUGGED)
    driver.gate.set()
    session.again_s = 0
    with pytest.raises(NotReady):
        await sign(session, "a")
    assert driver.asked == ["a"]


async def test_another_device_than_the_registered_one_is_not_asked(session: DeviceSession, driver: Driver) -> None:
    driver.gate.set()
    request = SignRequest(PersonalMessage("a"), of_scheme("evm", "bip44", 1))
    with pytest.raises(NotReady) as caught:
        await session.sign(request, ADDRESS, lambda _: None, 2)
    assert caught.value.state is DeviceState.WRONG_DEVICE
    assert ADDRESS in caught.value.what
    assert driver.asked == []


async def test_what_is_given_up_is_not_signed_though_the_answer_comes_at_the_same_moment(
    session: DeviceSession, driver: Driver
) -> None:
    task = ask(session, "a")
    await asyncio.to_thread(driver.started.wait, 10)
    driver.gate.set()
    assert session.give_up(PersonalMessage("a").signed)
    with pytest.raises(RefusedOnDevice, match="Given up"):
        await task
    assert not session.give_up(PersonalMessage("a").signed), "nobody waits any more"
    driver.started.clear()
    assert await ask(session, "b") == b"b"


async def test_a_question_that_nobody_waits_for_any_more_is_taken_back(session: DeviceSession, driver: Driver) -> None:
    driver.gate.set()
    driver.asks = True
    asked: list[Question] = []
    ended: list[bool] = []

    async def never(question: Question) -> str:
        asked.append(question)
        waits: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        try:
            return await waits
        finally:
            ended.append(True)

    session.on_ask = never
    with pytest.raises(DeviceTimedOut):
        await sign(session, "a", deadline_s=1)
    driver.asks = False
    assert await ask(session, "b") == b"b"
    assert (asked, ended) == ([Question.PIN_POSITIONS], [True])


async def test_live_refuses_what_is_no_hardware() -> None:
    session = DeviceSession(DemoSigner(), asyncio.get_running_loop(), real_only=True)
    with pytest.raises(NotReady, match="Live trading refuses demo"):
        await session.address(Chain.EVM, PATH)
    session.close()


async def test_requests_for_the_app_that_is_open_go_first_but_not_for_ever(
    session: DeviceSession, driver: Driver
) -> None:
    first = ask(session, "first")
    await asyncio.to_thread(driver.started.wait, 10)
    tasks = [ask(session, "sol", Chain.SOLANA), *(ask(session, f"evm {n}") for n in range(12))]
    while session._jobs.qsize() < len(tasks):  # noqa: ASYNC110 -- until all are queued
        await asyncio.sleep(0)
    driver.gate.set()
    await asyncio.gather(first, *tasks)
    assert driver.asked[:9] == ["first", *(f"evm {n}" for n in range(8))]
    assert driver.asked[9] == "sol"
    assert session.switches == 3


BLOCKED = """
import asyncio, threading
from signers.session import DeviceSession
from signers.base import DeviceState, SignRequest
from signers.demo import DemoSigner
from signers.paths import of_scheme
from signers.payloads import Chain, PersonalMessage
from signers.person import Alone
class Stuck(DemoSigner):
    def sign(self, request, person):
        person.told(DeviceState.WAIT_BUTTON)
        threading.Event().wait()
path = of_scheme("evm", "bip44", 0)
address = DemoSigner().address(Chain.EVM, path, Alone())
async def main():
    session = DeviceSession(Stuck(), asyncio.get_running_loop())
    shown = asyncio.Event()
    request = SignRequest(PersonalMessage("x"), path)
    task = asyncio.create_task(session.sign(request, address, lambda _: shown.set(), 60))
    await shown.wait()
    session.close()
    print("leaving", flush=True)
asyncio.run(main())
"""


def test_a_blocked_device_does_not_hold_the_programs_end() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "leaving\n", "")
