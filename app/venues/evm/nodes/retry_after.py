"""The Retry-After header (RFC 9110, 10.2.3): seconds, or a date."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final

DEFAULT_MS: Final = 1_000
_MOST_DIGITS: Final = 6


def wait_ms(header: str, now_ms: int) -> int:
    """Milliseconds to wait from `now_ms`; `DEFAULT_MS` where the header is absent or can not be read."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return int(text[:_MOST_DIGITS]) * 1000
    try:
        at = parsedate_to_datetime(text)
        return max(int(at.timestamp()) * 1000 - now_ms, 0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return DEFAULT_MS
