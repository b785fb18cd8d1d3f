"""What can go wrong with a device, as fixed words.

SignerFault
  RefusedOnDevice     the person refused on the device; nothing was signed
  DeviceTimedOut      no answer in time; an answer that comes later is dropped
  NotReady            it can not sign as things are: `state` says why, and there is a way on
  DeviceFault         the device or its transport failed, or answered what it must not
  SignatureMismatch   a signature that is not of these bytes by this address
"""

from __future__ import annotations

from signers.base import DeviceState
from signers.words import next_step_of, what_of


class SignerFault(Exception):
    """A device did not do what it was asked.

    Attributes:
        code: a stable word.
        what: one sentence.
        next_step: what the trader can do.
        state: the device's state that this is.
        raw: the maker's own code or words, kept as they came; never a secret.
    """

    code = "signer.fault"
    state = DeviceState.UNKNOWN

    def __init__(self, what: str, next_step: str = "", *, raw: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step
        self.raw = raw

    @property
    def told(self) -> str:
        """`what`, with the maker's own code after it: for the journal."""
        return f"{self.what} (The device said {self.raw}.)" if self.raw else self.what


class RefusedOnDevice(SignerFault):
    """Refused on the device."""

    code = "signer.refused"
    state = DeviceState.REJECTED


class DeviceTimedOut(SignerFault):
    """No answer in time."""

    code = "signer.timed_out"
    state = DeviceState.TIMED_OUT


class NotReady(SignerFault):
    """It can not sign as things are. `detail` names what the state's words leave open: an app, a version, a path."""

    def __init__(self, state: DeviceState, detail: str = "", *, raw: str = "", next_step: str = "") -> None:
        super().__init__(what_of(state, detail), next_step or next_step_of(state), raw=raw)
        self.state = state
        self.code = f"signer.{state.value.lower()}"


class DeviceFault(SignerFault):
    """The device failed; `state` is BAD_ANSWER for an answer that breaks its protocol, UNPLUGGED, or UNKNOWN."""

    code = "signer.device"

    def __init__(
        self, what: str, next_step: str = "", *, raw: str = "", state: DeviceState = DeviceState.UNKNOWN
    ) -> None:
        super().__init__(what, next_step, raw=raw)
        self.state = state


class SignatureMismatch(SignerFault):
    """Not the signature that was asked for."""

    code = "signer.mismatch"
    state = DeviceState.BAD_ANSWER
