"""What the maker's library, its transports and the system raise, as our faults: the only place that knows."""

from __future__ import annotations

import struct
from typing import Final

from signers.base import DeviceState
from signers.faults import DeviceFault, DeviceTimedOut, NotReady, RefusedOnDevice, SignerFault
from signers.trezor.channel import Stopped
from signers.trezor.library import DeviceIsBusy, Timeout, TransportException, exceptions, messages
from signers.words import OTHER_PATH, next_step_of, permission_step, what_of

_RESTARTED: Final = "It was restarted, or another program used it."
_WRONG_PIN: Final = "The PIN was wrong."

_STATES: Final[tuple[tuple[type[Exception], DeviceState, str], ...]] = (
    (DeviceIsBusy, DeviceState.BUSY, ""),
    (exceptions.PinException, DeviceState.PIN, _WRONG_PIN),
    (exceptions.DeviceLockedError, DeviceState.LOCKED, ""),
    (exceptions.NotPairedError, DeviceState.PAIRING, ""),
    (exceptions.OutdatedFirmwareError, DeviceState.TOO_OLD, ""),
    (exceptions.PassphraseError, DeviceState.PASSPHRASE, "Its settings do not allow the passphrase that way."),
    (exceptions.MissingCapability, DeviceState.UNSUPPORTED, ""),
    (exceptions.InvalidSessionError, DeviceState.UNPLUGGED, _RESTARTED),
)
"""What is a state of the device."""
_CODES: Final = {int(code): code.name for code in messages.FailureType}
_FAILURES: Final = {
    "NotInitialized": (DeviceState.UNSUPPORTED, "It holds no wallet yet."),
    "UnexpectedMessage": (DeviceState.UNSUPPORTED, "Its firmware does not know this request."),
    "PinExpected": (DeviceState.PIN, _WRONG_PIN),
    "PinInvalid": (DeviceState.PIN, _WRONG_PIN),
    "PinMismatch": (DeviceState.PIN, _WRONG_PIN),
    "Busy": (DeviceState.BUSY, ""),
    "InProgress": (DeviceState.BUSY, ""),
    "InvalidSession": (DeviceState.UNPLUGGED, _RESTARTED),
    "ThpUnallocatedSession": (DeviceState.UNPLUGGED, _RESTARTED),
}
"""The device's own codes that are a state of it."""
_USB: Final = {"USBErrorAccess": DeviceState.NO_PERMISSION, "USBErrorBusy": DeviceState.BUSY}
_MALFORMED: Final = (
    exceptions.TrezorException,  # what is left of them: another message than was expected, a broken frame
    ValueError,
    LookupError,
    ArithmeticError,
    AssertionError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,  # of a number that ends in its middle; the system's own come as the cause of a TransportException
    struct.error,
)
"""What the library raises on bytes that are no answer."""


def fault_of(error: Exception, *, connecting: bool = False) -> SignerFault:
    """The fault that `error` is, with the maker's own code kept; `connecting` while the device is first spoken to.
    An error's own words are left out, but for those of a Failure message: they can hold bytes of any message."""
    if isinstance(error, SignerFault):
        return error
    if isinstance(error, exceptions.TrezorFailure):
        return _failure(error)
    for kind, state, detail in _STATES:
        if isinstance(error, kind):
            return NotReady(state, detail, raw=kind.__name__)
    return _ended(error, connecting=connecting) or _unreachable(error, connecting=connecting) or _odd(error)


def settled(error: Exception) -> bool:
    """The device gave its last word with this: it waits for nothing and shows nothing."""
    return isinstance(error, exceptions.TrezorFailure | exceptions.Cancelled | exceptions.PinException)


def gone(error: Exception) -> bool:
    """There is nothing to speak to any more."""
    lost = isinstance(error, TransportException | exceptions.InvalidSessionError)
    return lost and not isinstance(error, Timeout | Stopped)


def _failure(error: exceptions.TrezorFailure) -> SignerFault:
    """A Failure message. Its code can be any number, and its words are the device's."""
    number = 0 if error.code is None else int(error.code)
    name = _CODES.get(number, str(number))
    raw = f"{name}: {(error.message or '')[:120]}".rstrip(": ")
    if name == "DataError" and "orbidden key path" in raw:
        return NotReady(
            DeviceState.UNSUPPORTED, "It does not allow this derivation path.", raw=raw, next_step=OTHER_PATH
        )
    if name in _FAILURES:
        state, detail = _FAILURES[name]
        return NotReady(state, detail, raw=raw)
    what = "The device reported an error and did not do it."
    return DeviceFault(what, next_step_of(DeviceState.UNKNOWN), raw=raw)


def _ended(error: Exception, *, connecting: bool) -> SignerFault | None:
    """A wait that ended without an answer, or with a refusal."""
    if isinstance(error, Stopped):
        return DeviceFault("The device was told to drop what it shows.", "Nothing was sent.", raw="stopped")
    if isinstance(error, exceptions.Cancelled):
        what = what_of(DeviceState.REJECTED)
        return RefusedOnDevice(what, next_step_of(DeviceState.REJECTED), raw="Cancelled")
    if not isinstance(error, Timeout):
        return None
    if connecting:  # a locked core device answers nothing at all after it was switched on
        return NotReady(DeviceState.LOCKED, "It is there and does not answer.", raw="Timeout")
    return DeviceTimedOut(what_of(DeviceState.TIMED_OUT), next_step_of(DeviceState.TIMED_OUT), raw="Timeout")


def _unreachable(error: Exception, *, connecting: bool) -> SignerFault | None:
    if not isinstance(error, TransportException):
        return None
    cause = error.__cause__ or error
    state = DeviceState.NO_DEVICE if connecting else DeviceState.UNPLUGGED
    if isinstance(cause, PermissionError) or (isinstance(cause, OSError) and cause.args[:1] == ("Cannot open device",)):
        state = DeviceState.NO_PERMISSION  # the words are the library's
    state = _USB.get(_name(cause), state)
    step = permission_step({"534c", "1209"}) if state is DeviceState.NO_PERMISSION else ""
    return NotReady(state, raw=_name(cause), next_step=step)


def _odd(error: Exception) -> SignerFault:
    if isinstance(error, _MALFORMED):
        actual = getattr(error, "actual", None)
        raw = f"{_name(error)} {_name(actual)}" if actual is not None else _name(error)
        what = what_of(DeviceState.BAD_ANSWER)
        return DeviceFault(what, next_step_of(DeviceState.BAD_ANSWER), raw=raw, state=DeviceState.BAD_ANSWER)
    what = f"The device driver failed ({_name(error)})."
    return DeviceFault(what, next_step_of(DeviceState.UNKNOWN), raw=_name(error))


def _name(thing: object) -> str:
    return type(thing).__name__
