"""The seam between the driver and whatever carries its bytes, and the faults that both sides of it raise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from signers.base import DeviceState
from signers.faults import DeviceFault, DeviceTimedOut, NotReady
from signers.words import next_step_of, what_of

MOST_ANSWER: Final = 4_096
"""Bytes of one answer with its status word at most; the longest met has 141. A length above it is a broken frame."""


class Transport(Protocol):
    """An open line to one device. One thread exchanges and closes; any thread may drop."""

    def exchange(self, apdu: bytes, deadline: float) -> bytes:
        """Send `apdu` and wait for its answer until `deadline` (`time.monotonic`): data and two bytes of status.

        Raises:
            DeviceTimedOut: no whole answer by then, or `drop` was called.
            NotReady: UNPLUGGED.
            DeviceFault: BAD_ANSWER, the frame is broken, or an answer lay there that nobody asked for.
        """
        ...

    def drop(self) -> None:
        """End a wait at once, and let no further exchange begin. From any thread."""
        ...

    def close(self) -> None:
        """Let go of the device. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """A Ledger model: its code as Speculos spells it, its name as Ledger does, and its kind of screen."""

    code: str
    name: str
    touch: bool = False


MODELS: Final = {
    each.code: each
    for each in (
        Model("nanos", "Ledger Nano S"),
        Model("nanox", "Ledger Nano X"),
        Model("nanosp", "Ledger Nano S Plus"),
        Model("stax", "Ledger Stax", touch=True),
        Model("flex", "Ledger Flex", touch=True),
        Model("apex_p", "Ledger Nano Gen5", touch=True),
    )
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A line, and which device is at its other end."""

    transport: Transport
    model: Model | None
    serial: str = ""


class Door(Protocol):
    """Where devices are found and opened: the USB bus, or one address.

    Attributes:
        name: for words to the trader.
        emulator: what is behind it is no hardware.
        switches: the app can be changed from here; an emulator ends when its app is left.
    """

    name: str
    emulator: bool
    switches: bool

    def plugged(self) -> tuple[str, ...]:
        """A word for each device there, equal while the same one stays plugged in. Opens nothing, never raises."""
        ...

    def open(self) -> Opened:
        """A line to the device.

        Raises:
            NotReady: NO_DEVICE, NO_PERMISSION or BUSY.
        """
        ...


def unplugged(raw: str = "") -> NotReady:
    """The line broke."""
    return NotReady(DeviceState.UNPLUGGED, raw=raw)


def bad_answer(detail: str, raw: str = "") -> DeviceFault:
    """The answer breaks the protocol; `detail` says how."""
    what = what_of(DeviceState.BAD_ANSWER, detail)
    return DeviceFault(what, next_step_of(DeviceState.BAD_ANSWER), raw=raw, state=DeviceState.BAD_ANSWER)


def timed_out() -> DeviceTimedOut:
    """No answer by the deadline."""
    return DeviceTimedOut(what_of(DeviceState.TIMED_OUT), next_step_of(DeviceState.TIMED_OUT))


def taken_back() -> DeviceTimedOut:
    """`drop` ended the wait. A Ledger has no command for that: what it shows stays on its screen."""
    what = "The request was taken back; the device may still show it."
    return DeviceTimedOut(what, next_step_of(DeviceState.TIMED_OUT))
