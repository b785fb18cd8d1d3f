"""A channel's URL read by apprise, and a message sent with it. Only the courier's process imports this: apprise costs
half a second, and its errors and its log hold the URL."""

from __future__ import annotations

import ipaddress
import logging
import re
from typing import TYPE_CHECKING, Final

from app.alerts.model import Answer, Outcome
from app.errors import Severity

if TYPE_CHECKING:
    from apprise.plugins.base import NotifyBase

_CONNECT_S: Final = 5.0
_READ_S: Final = 10.0
"""Patience with a server; the courier's own deadline is above both."""

_HTTP: Final = re.compile(r"error=(\d{3})\b")
_SMTP: Final = re.compile(r"\((\d{3}), b['\"]|was refused: (\d{3})\b")
_SIGNS: Final = (
    (Outcome.REFUSED, ("Connection refused", "ConnectionRefusedError")),
    (Outcome.TLS, ("SSL", "CERTIFICATE", "certificate", "STARTTLS")),
    (Outcome.TIMEOUT, ("timed out", "Timeout", "timeout")),
    (
        Outcome.UNREACHABLE,
        ("NameResolution", "Name or service", "name resolution", "nodename", "unreachable", "No route", "ProxyError"),
    ),
)
"""What is in apprise's log where that was the reason; the first that fits."""


def read(url: str) -> NotifyBase | Outcome:
    """The channel that `url` names, or why it is none that may be used."""
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 -- 0.5 s, and `check` of a name needs none

    # In memory: else apprise would keep what it learns (and with it tokens) in files of its own.
    asset = AppriseAsset(async_mode=False, storage_mode="memory", http_redirects=False, app_id="countersign")
    plugin = Apprise.instantiate(url, asset=asset)
    if plugin is None:
        return Outcome.NOT_UNDERSTOOD
    if getattr(plugin, "targets", None) == [] and getattr(plugin, "detect_owner", False):
        return Outcome.NO_CHAT
    if not _private(plugin, url):
        return Outcome.IN_CLEAR
    # What the URL may set, and we do not leave to it: how long it takes, whether a failure counts, where it ends up.
    plugin.retry, plugin.optional, plugin.redirects = 0, False, False
    plugin.socket_connect_timeout, plugin.socket_read_timeout = _CONNECT_S, _READ_S
    return plugin


def _private(plugin: NotifyBase, url: str) -> bool:
    """Whether nobody between here and there reads the secret."""
    host = str(getattr(plugin, "smtp_host", "") or plugin.host or "")
    if _is_here(host):
        return True
    if not plugin.verify_certificate:
        return False
    mode = getattr(plugin, "secure_mode", None)
    if isinstance(mode, str):
        return mode != "insecure"
    plain: object = plugin.protocol  # one name or several
    schema = url.partition("://")[0].lower()
    return bool(plugin.secure) or schema not in (plain if isinstance(plain, tuple | list | set) else {plain})


def _is_here(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def send(plugin: NotifyBase, title: str, body: str, severity: Severity) -> Answer:
    """Send it, once."""
    from apprise import Apprise, NotifyFormat, NotifyType  # noqa: PLC0415 -- see `read`

    kind = {Severity.CRITICAL: NotifyType.FAILURE, Severity.HIGH: NotifyType.WARNING}.get(severity, NotifyType.INFO)
    service, heard = Apprise(asset=plugin.asset), _Heard()
    service.add(plugin)
    log = logging.getLogger("apprise")
    log.addHandler(heard)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    done = service.notify(body=body, title=title, notify_type=kind, body_format=NotifyFormat.TEXT)
    return Answer(Outcome.DELIVERED) if done else reason(heard.said)


def reason(said: list[str]) -> Answer:
    """Why a message was not taken, from what apprise said of it."""
    text = "\n".join(said)
    if found := _HTTP.search(text):
        return Answer(Outcome.HTTP, int(found[1]))
    if found := _SMTP.search(text):
        return Answer(Outcome.SMTP, int(found[1] or found[2]))
    fits = (outcome for outcome, signs in _SIGNS if any(sign in text for sign in signs))
    return Answer(next(fits, Outcome.OTHER))


class _Heard(logging.Handler):
    """Apprise's log, in memory only: it says why a message was not taken, and may say the URL with it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.said.append(record.getMessage())
