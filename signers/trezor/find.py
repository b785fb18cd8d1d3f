"""Which Trezors are plugged in, and the transport to one. Emulators (UDP) are never looked for: only the address that
was given is used."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from signers.base import DeviceState
from signers.faults import NotReady, SignerFault

if TYPE_CHECKING:
    from trezorlib.transport import Transport

USB_IDS: Final = frozenset({("534c", "0001"), ("1209", "53c1"), ("1209", "53c0")})
"""Vendor and product: Model One, all the others, all the others in their bootloader."""
_SYSFS: Final = Path("/sys/bus/usb/devices")
_UDP: Final = re.compile(r"udp:(?P<host>[A-Za-z0-9.\-]{1,253}):(?P<port>[0-9]{1,5})", re.ASCII)
_NO_LIBUSB: Final = "The system's libusb-1.0 is missing, and without it no Trezor can be opened."
_INSTALL: Final = "Nothing was sent. Install it (Debian and Ubuntu: apt install libusb-1.0-0), then try again."


def check_url(url: str) -> None:
    """Check that `url` is "" (the first over USB) or ``udp:host:port``.

    Raises:
        ValueError: anything else, in words.
    """
    found = _UDP.fullmatch(url)
    if url and not (found and 0 < int(found["port"]) < 65_536):
        raise ValueError(f"not a Trezor's address: {url[:60]!r}; udp:host:port for an emulator, or nothing for USB")


def is_emulator(url: str) -> bool:
    """Whether `url` names an emulator."""
    return url.startswith("udp:")


def plugged(root: Path = _SYSFS) -> tuple[str, ...]:
    """A word for each Trezor on the USB, equal while it stays plugged in. Opens nothing and never raises.

    On Linux from sysfs, which needs neither libusb nor a permission; elsewhere as libusb lists them.
    """
    return _of_sysfs(root) if sys.platform == "linux" else _of_libusb()


def transport(url: str) -> Transport:
    """A transport to the device that `url` names, not opened yet.

    Raises:
        NotReady: none there, or it can not be opened.
        TransportException: of the library, from what the bus raised.
    """
    from signers.trezor.library import UdpTransport  # noqa: PLC0415 -- trezorlib, 0.1 s

    if is_emulator(url):
        return UdpTransport(url.removeprefix("udp:"))
    fault: Exception | None = None
    for list_them in (_webusb, _bridge, _hid):
        try:
            found = list_them()
        except Exception as error:  # noqa: BLE001 -- each bus has errors of its own; told when no other has a device
            fault = fault or (error if isinstance(error, SignerFault) else _wrapped(error))
            continue
        if found:
            return found[0]
    if isinstance(fault, SignerFault) and not plugged():
        fault = None  # what is missing matters once there is a device
    raise fault or NotReady(DeviceState.NO_DEVICE)


def _wrapped(error: Exception) -> Exception:
    from signers.trezor.library import TransportException  # noqa: PLC0415 -- loaded by now

    wrapped = TransportException(type(error).__name__)
    wrapped.__cause__ = error
    return wrapped


def _webusb() -> list[Transport]:
    from signers.trezor.library import WebUsbTransport  # noqa: PLC0415 -- loaded by now

    try:
        return list(WebUsbTransport.enumerate())
    except FileNotFoundError as error:  # from the loader of the shared library
        WebUsbTransport.context = None  # else it is not looked for again once it is installed
        raise NotReady(DeviceState.NO_PERMISSION, _NO_LIBUSB, raw=str(error.args[-1]), next_step=_INSTALL) from None


def _bridge() -> list[Transport]:
    from signers.trezor.library import BridgeTransport  # noqa: PLC0415 -- loaded by now

    return list(BridgeTransport.enumerate())


def _hid() -> list[Transport]:
    from signers.trezor.library import HidTransport  # noqa: PLC0415 -- loaded by now

    return list(HidTransport.enumerate()) if HidTransport.ENABLED else []


def _of_sysfs(root: Path) -> tuple[str, ...]:
    try:
        entries = sorted(root.iterdir())
    except OSError:
        return ()
    return tuple(word for entry in entries if (word := _word(entry)))


def _word(entry: Path) -> str:
    try:
        ids = tuple((entry / name).read_text().strip().lower() for name in ("idVendor", "idProduct"))
        return f"usb:{entry.name}:{':'.join(ids)}:{(entry / 'devnum').read_text().strip()}" if ids in USB_IDS else ""
    except (OSError, UnicodeDecodeError):
        return ""  # an interface or a hub's port, or unplugged while it was read


def _of_libusb() -> tuple[str, ...]:
    try:
        import usb1  # type: ignore[import-untyped] # noqa: PLC0415 -- elsewhere than on Linux only; no types

        with usb1.USBContext() as context:
            return tuple(
                f"usb:{each.getBusNumber()}:{':'.join(ids)}:{each.getDeviceAddress()}"
                for each in context.getDeviceIterator(skip_on_error=True)
                if (ids := (f"{each.getVendorID():04x}", f"{each.getProductID():04x}")) in USB_IDS
            )
    except Exception:  # noqa: BLE001 -- libusb's errors have no common root, and this is only a look
        return ()
