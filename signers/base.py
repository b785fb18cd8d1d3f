"""The signer contract: probe, address, sign, cancel. A driver is called by one thread only (`DeviceSession`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class DeviceState(StrEnum):
    """What a device is doing, for the screen."""

    READY = "READY"
    WAIT_BUTTON = "WAIT_BUTTON"
    SIGNED = "SIGNED"
    REJECTED = "REJECTED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What answered the probe. `real` is false for the demo signer."""

    name: str
    version: str
    real: bool


@dataclass(frozen=True, slots=True)
class SignRequest:
    """An EIP-191 personal message: `text` is ASCII, shown in clear on every model; `path` is a BIP-32 path."""

    text: str
    path: str


OnState = Callable[[DeviceState], None]


class Signer(Protocol):
    """One device, or what stands for one. Blocking calls; one at a time."""

    def probe(self) -> DeviceInfo:
        """Is it there, and what is it?

        Raises:
            DeviceFault: not there or not usable.
        """
        ...

    def address(self, path: str) -> str:
        """EIP-55 address of `path`."""
        ...

    def sign(self, request: SignRequest, on_state: OnState) -> bytes:
        """65-byte signature r || s || v (v 27 or 28) of the EIP-191 message.

        Raises:
            RefusedOnDevice: the person said no.
            DeviceFault: no signature, for another reason.
        """
        ...

    def cancel(self) -> None:
        """Ask the device to drop what it shows, where it can."""
        ...
