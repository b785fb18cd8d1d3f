"""One device, one thread: in order, one at a time, and never in the way of the loop or of the program's end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator

import pytest

from signers.base import DeviceInfo, DeviceState, OnState, SignRequest
from signers.faults import DeviceFault, DeviceTimedOut, RefusedOnDevice
from signers.session import DeviceSession


class Driver:
    """A device of the test's: it answers with the text, when the test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.inside = 0
        self.most_inside = 0
        self.cancels = 0
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.started = threading.Event()
        self.error: Exception | None = None

    def probe(self) -> DeviceInfo:
        self.gate.wait(10)
        return DeviceInfo("test", "1", real=False)

    def address(self, path: str) -> str:
        return f"address of {path}"

    def sign(self, request: SignRequest, on_state: OnState) -> bytes:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.threads.add(threading.get_ident())
        self.asked.append(request.text)
        on_state(DeviceState.WAIT_BUTTON)
        self.started.set()
        try:
            assert self.gate.wait(10)
            if self.error is not None:
                raise self.error
            return request.text.encode()
        finally:
            self.inside -= 1

    def cancel(self) -> None:
        self.cancels += 1


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
async def session(driver: Driver) -> AsyncIterator[DeviceSession]:
    session = DeviceSession(driver, asyncio.get_running_loop())
    yield session
    driver.gate.set()
    session.close()


def ask(session: DeviceSession, text: str, deadline_s: float = 10) -> asyncio.Task[bytes]:
    return asyncio.create_task(session.sign(SignRequest(text, "m"), lambda _: None, deadline_s))


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
    await session.sign(SignRequest("x", "m"), lambda state: told.append((state, threading.get_ident())), 10)
    assert told == [(DeviceState.WAIT_BUTTON, threading.get_ident())]


async def test_a_late_answer_is_dropped_and_the_next_request_gets_its_own(
    session: DeviceSession, driver: Driver
) -> None:
    states: list[DeviceState] = []
    with pytest.raises(DeviceTimedOut, match="No answer from the device") as caught:
        await session.sign(SignRequest("first", "m"), states.append, 0.02)
    assert "Nothing was sent" in caught.value.next_step
    assert states == [DeviceState.WAIT_BUTTON, DeviceState.TIMED_OUT]
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
        await session.sign(SignRequest("never", "m"), lambda _: None, 0.02)
    third = ask(session, "third")
    await asyncio.sleep(0)
    driver.gate.set()
    assert [await first, await third] == [b"first", b"third"]
    assert driver.asked == ["first", "third"]


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
    assert await session.address("m/1") == "address of m/1"
    assert (await session.probe()).name == "test"


BLOCKED = """
import asyncio, threading
from signers.session import DeviceSession
from signers.base import SignRequest
class Stuck:
    def probe(self): ...
    def address(self, path): ...
    def sign(self, request, on_state):
        on_state(None)
        threading.Event().wait()
    def cancel(self): ...
async def main():
    session = DeviceSession(Stuck(), asyncio.get_running_loop())
    shown = asyncio.Event()
    task = asyncio.create_task(session.sign(SignRequest("x", "m"), lambda _: shown.set(), 60))
    await shown.wait()
    session.close()
    print("leaving", flush=True)
asyncio.run(main())
"""


def test_a_blocked_device_does_not_hold_the_programs_end() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "leaving\n", "")
