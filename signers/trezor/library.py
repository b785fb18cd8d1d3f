"""trezorlib, imported in one place and made quiet: its debug log holds every message in full, PIN and passphrase too,
and its warnings would be printed over the screen."""

from __future__ import annotations

import logging
import warnings
from typing import Any, Final

logging.getLogger("trezorlib").setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", message="Firmware is out of date", category=UserWarning)
warnings.filterwarnings("ignore", message="Your Trezor firmware does not support sessions", category=UserWarning)

import usb1  # type: ignore[import-untyped] # noqa: E402 -- after its log was made quiet; ships no types
from requests.adapters import HTTPAdapter  # noqa: E402 -- as above
from trezorlib import client, exceptions, messages, protocol_v1  # noqa: E402 -- as above
from trezorlib.transport import DeviceIsBusy, Timeout, Transport, TransportException  # noqa: E402 -- as above
from trezorlib.transport.bridge import CONNECTION, BridgeTransport  # noqa: E402 -- as above
from trezorlib.transport.hid import HidTransport  # noqa: E402 -- as above
from trezorlib.transport.udp import UdpTransport  # noqa: E402 -- as above
from trezorlib.transport.webusb import WebUsbTransport  # noqa: E402 -- as above

_BRIDGE_S: Final = 5.0
BELOW: Final = (OSError, usb1.USBError)
"""What the system, libusb and requests (whose errors are OSErrors) raise below the library."""


class _InTime(HTTPAdapter):
    """The library asks the bridge (a local service of the maker) without any deadline, but when it reads."""

    def send(self, request: Any, *args: Any, **named: Any) -> Any:
        named["timeout"] = named.get("timeout") or _BRIDGE_S
        return super().send(request, *args, **named)


CONNECTION.mount("http://", _InTime())
CONNECTION.trust_env = False  # no proxy between this program and its own machine

__all__ = [
    "BELOW",
    "BridgeTransport",
    "DeviceIsBusy",
    "HidTransport",
    "Timeout",
    "Transport",
    "TransportException",
    "UdpTransport",
    "WebUsbTransport",
    "client",
    "exceptions",
    "messages",
    "protocol_v1",
]
