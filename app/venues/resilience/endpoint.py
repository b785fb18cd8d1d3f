"""An endpoint's URL: what may be shown of it, and whether it may be used at all.

Providers put keys into the user part, the path, the query and even into a host's labels. Only the scheme, the host
without such labels, and the port are ever shown or logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from app.errors import ConfigError
from app.redact import REDACTED
from app.text import escape_untrusted

_PLAIN: Final = {"http", "ws"}
_LEAST_SECRET: Final = 6
"""Characters. Shorter pieces of a path ("v3", "eth") are words that every message may hold."""
_KEY_LABEL = re.compile(r"(?=[^.]*\d)(?=[^.]*[a-z])[a-z0-9]{16,}|[0-9a-f]{16,}", re.IGNORECASE)


def check_url(url: str, schemes: Iterable[str], *, secure_only: bool, setting: str) -> None:
    """That `url` can be used.

    Args:
        schemes: allowed ones, e.g. ``("http", "https")``.
        secure_only: plain http and ws only to this machine.
        setting: its name, for the error; the URL itself is never in it.

    Raises:
        ConfigError: it can not.
    """
    allowed = tuple(schemes)
    words = ", ".join(f"{scheme}://" for scheme in allowed)
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        raise ConfigError("config.value", f"{setting}: this is no URL. Allowed: {words} and a host.") from None
    if parts.scheme not in allowed or not parts.hostname or re.search(r"[\s\x00-\x1f]", url):
        raise ConfigError("config.value", f"{setting}: {shown(url)} can not be used. Allowed: {words} and a host.")
    if secure_only and parts.scheme in _PLAIN and not _loopback(parts):
        raise ConfigError(
            "config.value",
            f"{setting}: {shown(url)} is not encrypted. Allowed: {words} with TLS, plain only to this machine.",
            next_step="Use https:// or wss://.",
        )


def shown(url: str) -> str:
    """Scheme, host and port: ``https://mainnet.example.org``. Whatever can not be read shows nothing of itself."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return REDACTED
    if not parts.hostname:
        return REDACTED
    host = ".".join(REDACTED if _KEY_LABEL.fullmatch(label) else label for label in parts.hostname.split("."))
    return escape_untrusted(f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}", 120)


def scrub(text: str, url: str) -> str:
    """`text`, an endpoint's own words, without the keys of its URL that it may echo."""
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return text


def _secrets(url: str) -> set[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    host = (parts.hostname or "").split(".")
    pieces = [parts.username or "", parts.password or "", *re.split(r"[/;]", parts.path), parts.fragment]
    pieces += [value for pair in parts.query.split("&") for value in pair.split("=")[-1:]]
    pieces += [label for label in host if _KEY_LABEL.fullmatch(label)]
    return {each for piece in pieces for each in (piece, unquote(piece)) if len(each) >= _LEAST_SECRET}


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine."""
    try:
        return _loopback(urlsplit(url))
    except ValueError:
        return False


def _loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
