"""The words for each state of a device: what it is, and the way on. The same in the terminal, the commands and the
journal. A driver adds the detail (an app's name, a version); nothing here names a maker's code."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Final

from signers.base import DeviceState

UDEV_RULES: Final = (
    'SUBSYSTEMS=="usb", ATTRS{idVendor}=="2c97", MODE="0660", TAG+="uaccess"',
    'KERNEL=="hidraw*", ATTRS{idVendor}=="2c97", MODE="0660", TAG+="uaccess"',
    'SUBSYSTEMS=="usb", ATTRS{idVendor}=="534c", ATTRS{idProduct}=="0001", MODE="0660", TAG+="uaccess"',
    'SUBSYSTEMS=="usb", ATTRS{idVendor}=="1209", ATTRS{idProduct}=="53c0", MODE="0660", TAG+="uaccess"',
    'SUBSYSTEMS=="usb", ATTRS{idVendor}=="1209", ATTRS{idProduct}=="53c1", MODE="0660", TAG+="uaccess"',
    'KERNEL=="hidraw*", ATTRS{idVendor}=="534c", MODE="0660", TAG+="uaccess"',
)
"""Lines of a udev rules file for both makers (USB ids: Ledger 2c97; Trezor 534c and 1209). `uaccess` gives the devices
to whoever is logged in at the machine, and to nobody else."""

UDEV_FILE: Final = "/etc/udev/rules.d/70-countersign.rules"
"""Where they belong."""

_WHAT: Final = {
    DeviceState.READY: "The device is ready.",
    DeviceState.NO_DEVICE: "No device is plugged in, or it is switched off.",
    DeviceState.NO_PERMISSION: "A device is plugged in and this user may not open it.",
    DeviceState.BUSY: "Another program holds the device.",
    DeviceState.LOCKED: "The device is locked.",
    DeviceState.WRONG_APP: "The device has another app open, or none.",
    DeviceState.OPENING_APP: "The device asks whether to open the app.",
    DeviceState.WRONG_DEVICE: "This is not the registered device, or another seed or passphrase is in use.",
    DeviceState.TOO_OLD: "The device's app or firmware is too old.",
    DeviceState.UNSUPPORTED: "The device can not do this.",
    DeviceState.BLIND_SIGNING_OFF: "The device can not show this payload, and blind signing is off.",
    DeviceState.PAIRING: "The device is not paired with this computer yet.",
    DeviceState.PIN: "The device asks for its PIN.",
    DeviceState.PASSPHRASE: "The device asks for the wallet's passphrase.",
    DeviceState.WAIT_BUTTON: "The device waits for you.",
    DeviceState.SIGNED: "Signed.",
    DeviceState.REJECTED: "Refused on the device.",
    DeviceState.TIMED_OUT: "The device did not answer in time.",
    DeviceState.UNPLUGGED: "The device was unplugged.",
    DeviceState.BAD_ANSWER: "The device answered what it must not.",
    DeviceState.UNKNOWN: "The device reported something unknown.",
}

_NOTHING: Final = "Nothing was sent."

_NEXT: Final = {
    DeviceState.NO_DEVICE: "Plug it in and unlock it, then try again.",
    DeviceState.NO_PERMISSION: (
        "Add the udev rules (countersign doctor prints them), plug it in again."
        if sys.platform == "linux"
        else "Allow this program to use USB devices, plug it in again."
    ),
    DeviceState.BUSY: "Close the other program (Ledger Live, Trezor Suite, a browser wallet), then try again.",
    DeviceState.LOCKED: "Unlock it with its PIN, then try again.",
    DeviceState.WRONG_APP: "Open the right app on the device, then try again.",
    DeviceState.OPENING_APP: "Approve it on the device.",
    DeviceState.WRONG_DEVICE: "Plug in the registered device; with a passphrase, type the same one.",
    DeviceState.TOO_OLD: "Update it with its maker's own program.",
    DeviceState.UNSUPPORTED: "Use another signer for this.",
    DeviceState.BLIND_SIGNING_OFF: "Leave it off unless you can check the hash; the app's settings switch it on.",
    DeviceState.PAIRING: "Compare the code on its screen and type it.",
    DeviceState.PIN: "Enter the PIN.",
    DeviceState.PASSPHRASE: "Enter the passphrase, on the device where it can.",
    DeviceState.WAIT_BUTTON: "Compare each line, then approve or refuse on the device.",
    DeviceState.REJECTED: "Propose the trade again if that was a mistake.",
    DeviceState.TIMED_OUT: "Refuse on the device what it still shows, then try again.",
    DeviceState.UNPLUGGED: "Plug it in, refuse what it still shows, then try again.",
    DeviceState.BAD_ANSWER: "Unplug it, plug it in again; if it happens again, do not use it.",
    DeviceState.UNKNOWN: "Look at its screen; unplug it and plug it in again, then try again.",
}


OTHER_PATH: Final = (
    f"{_NOTHING} Name a path of that chain, such as m/44'/60'/0'/0/0 for Ethereum or m/44'/501'/0'/0' for Solana."
)
"""The way on when a device does not allow a path."""


def permission_step(vendors: Collection[str]) -> str:
    """The way on when this user may not open a device: on Linux the rules for its maker's USB ids themselves."""
    if sys.platform != "linux":
        return next_step_of(DeviceState.NO_PERMISSION)
    rules = " ".join(f"[{rule}]" for rule in UDEV_RULES if any(f'=="{each}"' in rule for each in vendors))
    return f"{_NOTHING} Put each of these lines into {UDEV_FILE}, then plug it in again: {rules}"


def what_of(state: DeviceState, detail: str = "") -> str:
    """One sentence for `state`, with what is particular in `detail` after it."""
    return f"{_WHAT[state]} {detail}".rstrip()


def next_step_of(state: DeviceState) -> str:
    """What the trader can do; "" for what needs nothing. Failures say first that nothing was sent."""
    step = _NEXT.get(state, "")
    return f"{_NOTHING} {step}" if step and state not in _GOING_ON else step


def way_on(step: str) -> str:
    """A failure's next step where nobody was asked to send anything: without the words that nothing was sent."""
    return step.removeprefix(_NOTHING).lstrip()


def meanwhile(step: str) -> str:
    """A failure's next step where it is waited for the person to take it: nothing needs to be tried again by hand."""
    return step.replace(", then try again.", ". It goes on by itself.")


_GOING_ON: Final = frozenset(
    {
        DeviceState.OPENING_APP,
        DeviceState.PAIRING,
        DeviceState.PIN,
        DeviceState.PASSPHRASE,
        DeviceState.WAIT_BUTTON,
    }
)
