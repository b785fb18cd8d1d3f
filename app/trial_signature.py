"""Have a device sign a harmless text, and verify it: whether it works, and how long it takes.

The one place beside the pipeline that asks for a signature. It can cause nothing to be sent: what is signed is made
here from the time alone, begins with `BEGINS`, and is no authorisation (`app.execution.authorisation.parse` refuses
it), no transaction and no typed data.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from app.devices import Act, Devices
from app.engine.clock import Clock
from app.errors import SignerError
from app.wallets import Which, free, told_as_error
from signers.base import Clarity, DeviceState, SignRequest
from signers.payloads import Chain, OffchainMessage, PersonalMessage
from signers.session import OnState, Signed
from signers.verify import verify

BEGINS: Final = "countersign signer test"


@dataclass(frozen=True, slots=True)
class Trial:
    """A signature that verified.

    Attributes:
        device: what signed.
        ready_us: from the beginning until the device asked its person: found, opened, its address checked.
        person_us: until it was signed: device and person.
        check_us: until the signature was verified.
    """

    which: Which
    address: str
    text: str
    signature: bytes
    clarity: Clarity
    device: str
    ready_us: int
    person_us: int
    check_us: int

    def document(self) -> dict[str, Any]:
        """For ``--json`` and the control socket."""
        return {
            "signer": self.which.kind.value,
            "chain": self.which.chain.value,
            "path": str(self.which.path),
            "address": self.address,
            "text": self.text,
            "signature": self.signature.hex(),
            "clarity": self.clarity.value,
            "device": self.device,
            "ready_us": self.ready_us,
            "person_us": self.person_us,
            "check_us": self.check_us,
        }


def text_of(chain: Chain, now_ms: int) -> str:
    """What is signed. On Solana a message is one line."""
    time = f"{datetime.fromtimestamp(now_ms // 1000, UTC):%Y-%m-%d %H:%M:%S}"
    return (", " if chain is Chain.SOLANA else "\n").join((BEGINS, f"{time} UTC", "nothing is traded"))


async def trial(devices: Devices, one: Which, registered: str | None, clock: Clock) -> Trial:
    """Have it signed and verified.

    Args:
        registered: the address that the account must have; None where none is registered.
        clock: gives the date in the text, and measures.

    Raises:
        SafetyError: the device is busy.
        SignerError: it is not ready, another one, refused it, or signed something else.
    """
    free(devices, one.kind)
    device, watch = devices.of(one.kind), _Watch(clock)
    act = Act("test", one.chain, one.path, asyncio.get_running_loop().time())
    with told_as_error(), devices.asking(one.kind, act) as told:
        address = await device.address(one.chain, one.path, told, deadline_s=devices.deadline_s)
        if registered not in {None, address}:
            device.signer.close()  # so that another passphrase can be typed
            raise SignerError(
                "signer.wrong_device",
                f"The {one.kind} answers {address} for {one.path}; registered is {registered}.",
                next_step="Nothing was signed. Use the registered device; with a passphrase, type the same one.",
            )
        text = text_of(one.chain, clock.now_ms())
        payload = OffchainMessage(text, address) if one.chain is Chain.SOLANA else PersonalMessage(text)
        devices.name(one.kind, text, payload.signed)
        request, heard = SignRequest(payload, one.path), watch.hears(told)
        # Whatever it shows of this text: that is what is found out.
        found = await device.sign(request, address, heard, devices.deadline_s, accepts=Clarity.BLIND)
        watch.signed()
        verify(payload, found.signature, address)
    return watch.result(one, address, text, found)


class _Watch:
    """Takes the times."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic_ns()
        self._asked: int | None = None
        self._signed = 0

    def hears(self, told: OnState) -> OnState:
        """`told`, noting when the device first asked its person."""

        def heard(state: DeviceState) -> None:
            if state is DeviceState.WAIT_BUTTON and self._asked is None:
                self._asked = self._clock.monotonic_ns()
            told(state)

        return heard

    def signed(self) -> None:
        """The signature came."""
        self._signed = self._clock.monotonic_ns()

    def result(self, one: Which, address: str, text: str, found: Signed) -> Trial:
        """The signature was verified."""
        asked = self._signed if self._asked is None else self._asked
        return Trial(
            which=one,
            address=address,
            text=text,
            signature=found.signature,
            clarity=found.shown.clarity,
            device=found.info.title,
            ready_us=(asked - self._began) // 1000,
            person_us=(self._signed - asked) // 1000,
            check_us=(self._clock.monotonic_ns() - self._signed) // 1000,
        )
