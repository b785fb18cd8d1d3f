"""Ledger devices on the USB bus, found and opened through `ledgerwallet` and hidapi, which it uses.

Nothing more of ledgerwallet is used: its exchange waits forever, does not chunk, and mixes up answers between threads.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from signers.base import DeviceState
from signers.faults import NotReady
from signers.ledger.hid import Handle, HidTransport
from signers.ledger.transport import MODELS, Model, Opened
from signers.words import permission_step

_BY_PRODUCT: Final = {0x10: "nanos", 0x40: "nanox", 0x50: "nanosp", 0x60: "stax", 0x70: "flex", 0x80: "apex_p"}
"""High byte of the USB product id -> model. The low byte says which interfaces there are, so it changes between the
dashboard and an app."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One device on the bus; `path` is hidapi's, and another one after each change of app."""

    path: bytes
    product: int
    serial: str

    @property
    def model(self) -> Model | None:
        """Its model; None for one that is newer than this program."""
        return MODELS.get(_BY_PRODUCT.get(self.product >> 8, ""))

    @property
    def word(self) -> str:
        """What to call it; the same after a change of app."""
        name = self.model.name if self.model else "Ledger"
        return f"{name} {self.serial}".rstrip()


class Library(Protocol):
    """What is needed of ledgerwallet and hidapi."""

    def seen(self) -> list[Seen]:
        """Every device there; OSError when the bus can not be read."""
        ...

    def open(self, path: bytes) -> Handle:
        """Open one, non-blocking; OSError when it can not be opened."""
        ...

    def may_open(self, path: bytes) -> bool | None:
        """Whether this user has the right to; None when that can not be told."""
        ...


class HidLibrary:
    """The real one."""

    def seen(self) -> list[Seen]:
        """Vendor 2C97, the interface that takes APDUs: ledgerwallet's choice, with the ids that it does not keep."""
        import hid  # type: ignore[import-not-found] # noqa: PLC0415 -- native; ships no types
        from ledgerwallet.transport import hid as ledger  # type: ignore[import-untyped] # noqa: PLC0415 -- 60 ms; no types

        chosen = {each.path for each in ledger.HidDevice.enumerate_devices()}
        found: list[dict[str, Any]] = hid.enumerate(ledger.LEDGER_VENDOR_ID, 0)
        return [
            Seen(each["path"], int(each["product_id"]), str(each.get("serial_number") or ""))
            for each in found
            if each["path"] in chosen
        ]

    def open(self, path: bytes) -> Handle:
        """Open through ledgerwallet, which sets it non-blocking."""
        from ledgerwallet.transport import hid as ledger  # noqa: PLC0415 -- as above

        device = ledger.HidDevice(path)
        device.open()
        handle: Handle = device.device
        return handle

    def may_open(self, path: bytes) -> bool | None:
        """hidapi says "open failed" for every reason; on Linux the device's file says who may."""
        file = device_file(path.decode(errors="replace")) if sys.platform == "linux" else None
        return None if file is None else os.access(file, os.R_OK | os.W_OK)


def device_file(path: str, sysfs: Path = Path("/sys/bus/usb/devices")) -> Path | None:
    """The file behind a path of hidapi's: ``/dev/hidraw3`` itself, or for libusb's ``1-2.4:1.0`` the USB device's."""
    if path.startswith("/dev/"):
        return Path(path)
    found = re.fullmatch(r"(\d+-[\d.]+):[\d.]+", path)
    if found is None:
        return None
    try:
        bus, device = (int((sysfs / found[1] / name).read_text()) for name in ("busnum", "devnum"))
    except (OSError, ValueError):
        return None
    return Path(f"/dev/bus/usb/{bus:03d}/{device:03d}")


class HidDoor:
    """The first device on the USB bus."""

    def __init__(self, library: Library | None = None) -> None:
        self.name = "USB"
        self.emulator = False
        self.switches = True
        self._library = library or HidLibrary()

    def plugged(self) -> tuple[str, ...]:
        """Model and serial number of each."""
        try:
            return tuple(each.word for each in self._library.seen())
        except (OSError, ImportError):
            return ()

    def open(self) -> Opened:
        """Open the device.

        Raises:
            NotReady: NO_DEVICE, NO_PERMISSION, or BUSY.
        """
        try:
            seen = self._library.seen()
        except (OSError, ImportError) as error:
            detail = "The USB bus can not be read."
            raise NotReady(DeviceState.NO_DEVICE, detail, raw=f"{type(error).__name__}: {error}") from error
        if not seen:
            raise NotReady(DeviceState.NO_DEVICE)
        return self._open(seen[0])

    def _open(self, one: Seen) -> Opened:
        try:
            handle = self._library.open(one.path)
        except (OSError, ValueError) as error:
            denied = isinstance(error, PermissionError) or self._library.may_open(one.path) is False
            state = DeviceState.NO_PERMISSION if denied else DeviceState.BUSY
            step = permission_step({"2c97"}) if denied else ""
            raise NotReady(state, raw=f"{type(error).__name__}: {error}", next_step=step) from error
        return Opened(HidTransport(handle), one.model, one.serial)
