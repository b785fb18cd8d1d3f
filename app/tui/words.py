"""Numbers, times and ages as the screens write them. Amounts stay exact: only what is marked as rounded is rounded."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from app.money import mul, quantise, to_text
from app.tui.glyphs import Glyphs
from app.tui.widgets.lines import Piece


def price(amount: Decimal | None, tick: Decimal) -> str:
    """A price with the tick's decimals and thousands separators."""
    if amount is None:
        return "-"
    exponent = tick.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return f"{quantise(amount, places, ROUND_HALF_EVEN):,f}"


def amount(value: Decimal | None) -> str:
    """An exact amount, as it is."""
    return "-" if value is None else to_text(value)


def money(value: Decimal | None, places: int = 2) -> str:
    """Account currency, rounded for reading; ``<0.01`` is not nothing."""
    if value is None:
        return "-"
    rounded = quantise(value, places, ROUND_HALF_EVEN)
    if value and not rounded:
        return f"{'-' if value < 0 else ''}<{_least(places)}"
    return f"{rounded or rounded.copy_abs():,f}"  # no "-0.00"


def precise(value: Decimal, places: int = 4) -> str:
    """An amount of any asset, rounded for reading to `places` or its first two digits: 0.0000046 BTC is a sum too."""
    return f"{quantise(value, _places(value, places), ROUND_HALF_EVEN):,f}"


def signed(value: Decimal | None, glyphs: Glyphs, places: int = 2, *, exact: bool = False) -> Piece:
    """A profit: arrow, sign, number and role; rounded for reading, to its first two digits at least where `exact`. One
    too small to show is one all the same: ``-<0.01``."""
    if value is None:
        return "?", "dim"
    if not value:
        return f"{glyphs.flat} {money(value, places)}", "dim"
    size = value.copy_abs()
    shown = precise(size, places) if exact else money(size, places)
    return (f"{glyphs.up} +{shown}", "up") if value > 0 else (f"{glyphs.down} -{shown}", "down")


def worth(value: Decimal | None, rate: Decimal | None) -> list[tuple[Piece, ...]]:
    """``(-$0.31)`` beside an amount of an asset that is no account currency, where its `rate` is known; else none."""
    if value is None or rate is None or rate == 1:
        return []
    return [((f"({'-' if value < 0 else ''}${money(mul(value.copy_abs(), rate))})", "dim"),)]


def _places(value: Decimal, places: int) -> int:
    return max(places, 1 - value.adjusted()) if value else places


def _least(places: int) -> str:
    return to_text(Decimal(f"1e-{places}"))


def clock(ts_ms: int | None) -> str:
    """``11-21 14:05:09``, UTC."""
    if ts_ms is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(ts_ms / 1000, UTC):%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):  # a row that somebody wrote by hand
        return f"{ts_ms} ms"


def bps(value: Decimal | None) -> str:
    """``-210 bps``, signed; basis points are rounded where they are made."""
    return "?" if value is None else f"{value:+,f} bps"


def micros(value: int) -> str:
    """How long a step took: ``0.4 ms``, ``12 ms``, ``3.1 s``."""
    if value < 10_000:
        return f"{value / 1000:.1f} ms"
    return f"{value // 1000} ms" if value < 1_000_000 else f"{value / 1_000_000:.1f} s"


def span(ms: int) -> str:
    """A length of time in its two largest units: ``9:41``, ``2 h 05``, ``3 d 04 h``."""
    seconds = max(0, ms) // 1000
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02d}"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d}"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600:02d} h"


def age(ms: int | None) -> str:
    """How old something is: ``0.4s``, ``12s``, ``3m``."""
    if ms is None:
        return "-"
    if ms < 10_000:
        return f"{ms / 1000:.1f}s"
    if ms < 600_000:
        return f"{ms // 1000}s"
    return f"{ms // 60_000}m"
