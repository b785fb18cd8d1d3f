"""What can go wrong with a device, as fixed words.

SignerFault
  RefusedOnDevice     the person refused on the device; nothing was signed
  DeviceTimedOut      no answer in time; an answer that comes later is dropped
  DeviceFault         the device or its transport failed
  SignatureMismatch   a signature that is not of these bytes by this address
"""

from __future__ import annotations


class SignerFault(Exception):
    """`code` is a stable word, `what` one sentence, `next_step` what the trader can do."""

    code = "signer.fault"

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step


class RefusedOnDevice(SignerFault):
    """Refused on the device."""

    code = "signer.refused"


class DeviceTimedOut(SignerFault):
    """No answer in time."""

    code = "signer.timed_out"


class DeviceFault(SignerFault):
    """The device failed."""

    code = "signer.device"


class SignatureMismatch(SignerFault):
    """Not the signature that was asked for."""

    code = "signer.mismatch"
