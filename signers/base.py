"""The signer contract: what a device is asked, what it answers, what it is doing meanwhile.

A driver implements `Signer`; it is called by one thread only (`DeviceSession`). It knows no venue, no price, no screen:
what a person must be told goes through `Person`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from signers.paths import Path
from signers.payloads import Chain, Payload


class SignerKind(StrEnum):
    """What countersigns, the preferred first."""

    LEDGER = "ledger"
    TREZOR = "trezor"
    KEYRING = "keyring"
    DEMO = "demo"


class DeviceState(StrEnum):
    """What a device is doing, or why it can not sign now. The words for each are in `signers.words`."""

    READY = "READY"
    NO_DEVICE = "NO_DEVICE"
    NO_PERMISSION = "NO_PERMISSION"
    BUSY = "BUSY"
    LOCKED = "LOCKED"
    WRONG_APP = "WRONG_APP"
    OPENING_APP = "OPENING_APP"
    WRONG_DEVICE = "WRONG_DEVICE"
    TOO_OLD = "TOO_OLD"
    UNSUPPORTED = "UNSUPPORTED"
    BLIND_SIGNING_OFF = "BLIND_SIGNING_OFF"
    PAIRING = "PAIRING"
    PIN = "PIN"
    PASSPHRASE = "PASSPHRASE"  # noqa: S105 -- a name
    WAIT_BUTTON = "WAIT_BUTTON"
    SIGNED = "SIGNED"
    REJECTED = "REJECTED"
    TIMED_OUT = "TIMED_OUT"
    UNPLUGGED = "UNPLUGGED"
    BAD_ANSWER = "BAD_ANSWER"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What answered the probe.

    Attributes:
        name: model as its maker names it, for the screen.
        version: of the firmware, or of the app where the device tells no more; "" when unknown.
        real: false for the demo signer, whose key is public.
        emulator: it answers over a network socket, not USB; live refuses it.
        app: the app that is open, of devices that have apps; else "".
        blind_signing: whether the open app signs what it can not show; None where that is no setting.
        serial: what tells two devices of a model apart, where the device says; never secret.
    """

    kind: SignerKind
    name: str
    version: str
    real: bool
    model: str = ""
    emulator: bool = False
    app: str = ""
    app_version: str = ""
    blind_signing: bool | None = None
    serial: str = ""

    @property
    def title(self) -> str:
        """For the screen: model and what runs on it."""
        runs = f"{self.app} {self.app_version}".strip() if self.app else self.version
        return ", ".join([self.name, *([runs] if runs else []), *(["EMULATOR"] if self.emulator else [])])


@dataclass(frozen=True, slots=True)
class SignRequest:
    """Sign exactly `payload` with the key at `path`."""

    payload: Payload
    path: Path


class Clarity(StrEnum):
    """How much of a payload the device shows in words. The order is from best to worst."""

    CLEAR = "CLEAR"
    """Everything that matters is on the device's screen."""
    PARTLY = "PARTLY"
    """Something that matters (an amount, a recipient, what a call does) is not."""
    BLIND = "BLIND"
    """A hash, or nothing."""

    def shows_less_than(self, other: Clarity) -> bool:
        """Whether less is shown than with `other`."""
        order = tuple(Clarity)
        return order.index(self) > order.index(other)


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """One field on the device's screen: its label and its whole value; the device breaks it where its screen ends."""

    label: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What this device, with this app and version, will show of one payload, in its order.

    Attributes:
        why: for PARTLY and BLIND, what is missing and why, one sentence; "" for CLEAR.
        refuses: the state in which the device, as it is set now, would refuse it; None when it would not.
    """

    clarity: Clarity
    lines: tuple[DeviceLine, ...]
    why: str = ""
    refuses: DeviceState | None = None


class Question(StrEnum):
    """What a device may need typed on the computer. The answers are secrets: never stored, never logged."""

    PIN_POSITIONS = "PIN_POSITIONS"
    """Trezor Model One: positions on the keypad 7 8 9 / 4 5 6 / 1 2 3, as its screen lays the digits out."""
    PASSPHRASE = "PASSPHRASE"  # noqa: S105 -- a name
    PAIRING_CODE = "PAIRING_CODE"
    """Trezor Safe 7: the six digits on its screen."""


class Person(Protocol):
    """Who sits before the screen, as seen from the device's thread."""

    def told(self, state: DeviceState) -> None:
        """The device is doing this now. Returns at once."""
        ...

    def ask(self, question: Question) -> str:
        """What the person typed. Blocks the device's thread.

        Raises:
            NotReady: nobody is there to answer, or the person gave up.
        """
        ...


class Signer(Protocol):
    """One device, or what stands for one. Blocking calls; one at a time, but for `cancel` and `close`."""

    @property
    def kind(self) -> SignerKind:
        """Ledger, Trezor, keyring or demo."""
        ...

    def plugged(self) -> tuple[str, ...]:
        """What of this kind is on the bus: a word for each, equal while the same one stays plugged in. Opens nothing,
        never raises; for an emulator, its address, whether it answers or not."""
        ...

    def probe(self) -> DeviceInfo:
        """Is it there, and what is it? Asks nobody for anything and opens nothing.

        Raises:
            NotReady: not there, or not usable as it is.
            DeviceFault: it answered oddly.
        """
        ...

    def open(self, chain: Chain, person: Person) -> DeviceInfo:
        """Make it ready to work for `chain`: unlocked, the right app open (asking for it where the device can),
        new enough.

        Raises:
            NotReady: why it is not, as a state.
            RefusedOnDevice: the person refused to open the app or to unlock.
            DeviceFault: it answered oddly.
        """
        ...

    def address(self, chain: Chain, path: Path, person: Person, *, show: bool = False) -> str:
        """Address of `path` on `chain`: EIP-55, or base58. `show`: on the device, for the person to compare.

        Raises:
            NotReady: as `open`, or the device does not allow the path.
            RefusedOnDevice: shown, and the person said that it differs.
            DeviceFault: it answered oddly.
        """
        ...

    def shown(self, request: SignRequest, address: str, info: DeviceInfo) -> Shown:
        """What the device that `info` tells of will show for `request` by `address`. Asks the device nothing."""
        ...

    def sign(self, request: SignRequest, person: Person) -> bytes:
        """The signature, unverified: `signers.verify` says of what form for which payload.

        Raises:
            NotReady: as `open`; or it signs this only with a setting that is off, or not at all.
            RefusedOnDevice: the person said no.
            DeviceFault: no signature, for another reason.
        """
        ...

    def cancel(self) -> None:
        """Ask the device to drop what it shows, where it can. From any thread."""
        ...

    def close(self) -> None:
        """Let go of the device. From any thread; the driver opens it again when it is next asked."""
        ...
