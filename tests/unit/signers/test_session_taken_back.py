"""What is taken back while a device is being made ready never reaches its person."""

from __future__ import annotations

import asyncio
import threading

import pytest

from signers.base import DeviceInfo, DeviceState, Person, Shown, SignRequest
from signers.demo import DemoSigner
from signers.faults import DeviceTimedOut, RefusedOnDevice
from signers.paths import of_scheme
from signers.payloads import Chain, PersonalMessage
from signers.session import DeviceSession

PATH = of_scheme("evm", "bip44", 0)
REQUEST = SignRequest(PersonalMessage("a trade"), PATH)


class Slow(DemoSigner):
    """Takes its time over working out what it would show, when there is nothing that `cancel` could end."""

    def __init__(self) -> None:
        super().__init__()
        self.looking, self.go_on, self.done = threading.Event(), threading.Event(), threading.Event()
        self.asked = 0

    def shown(self, request: SignRequest, address: str, info: DeviceInfo) -> Shown:
        self.looking.set()
        assert self.go_on.wait(10)
        return super().shown(request, address, info)

    def sign(self, request: SignRequest, person: Person) -> bytes:
        self.asked += 1
        return super().sign(request, person)


@pytest.mark.parametrize("how", ["given up", "out of time"])
async def test_a_request_taken_back_before_the_device_was_asked_is_never_shown_on_it(how: str) -> None:
    signer = Slow()
    session = DeviceSession(signer, asyncio.get_running_loop())
    states: list[DeviceState] = []
    registered = await session.address(Chain.EVM, PATH)
    asking = asyncio.create_task(session.sign(REQUEST, registered, states.append, 0.2 if how == "out of time" else 10))
    await asyncio.to_thread(signer.looking.wait, 5)
    if how == "given up":
        assert session.give_up(REQUEST.payload.signed)
    with pytest.raises(RefusedOnDevice if how == "given up" else DeviceTimedOut):
        await asking
    signer.go_on.set()
    await session.probe()  # whatever was in its queue is done now
    assert signer.asked == 0
    assert DeviceState.WAIT_BUTTON not in states
    session.close()


class Late(DemoSigner):
    """A device that begins to ask right after `cancel` found nothing to end."""

    def __init__(self) -> None:
        super().__init__(attended=True)
        self.entered, self.cancelled = threading.Event(), threading.Event()

    def sign(self, request: SignRequest, person: Person) -> bytes:
        self.entered.set()
        assert self.cancelled.wait(10)
        return super().sign(request, person)

    def cancel(self) -> None:
        super().cancel()
        self.cancelled.set()


async def test_a_request_that_the_device_began_to_show_as_it_was_taken_back_does_not_hold_it() -> None:
    signer = Late()
    session = DeviceSession(signer, asyncio.get_running_loop())
    session.again_s = 0.02
    registered = await session.address(Chain.EVM, PATH)
    asking = asyncio.create_task(session.sign(REQUEST, registered, lambda _: None, 10))
    await asyncio.to_thread(signer.entered.wait, 5)
    assert session.give_up(REQUEST.payload.signed)
    with pytest.raises(RefusedOnDevice):
        await asking
    await session.probe(5)
    session.close()
