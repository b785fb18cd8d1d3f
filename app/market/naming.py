"""File names of recordings, instruments and timeframes.

``<venue>_<BASE>-<QUOTE>[-PERP][_<timeframe>][_<date>]``, for example ``bittrex_ETH-BTC_1m_20180120.csv.gz`` or
``binance_spot_BTC-USDT_20240808.csv.gz``. A name that does not give an instrument (``ftx_BTC-PERP_1m``: no quote;
``BTCUSDT``: no dash) gives None here, and the caller has to pass one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.errors import DataError
from strategies.model import Instrument, InstrumentKind

SUFFIXES: Final = (".csv", ".jsonl", ".parquet", ".feather")
"""Data files, each also with ``.gz`` behind it."""

_SYMBOL: Final = re.compile(r"([A-Z0-9]{1,20})-([A-Z0-9]{1,20})(-PERP)?", re.ASCII)
_TIMEFRAME: Final = re.compile(r"([1-9][0-9]{0,3})([smhdw])", re.ASCII)
_WORD: Final = re.compile(r"[a-z][a-z0-9]*", re.ASCII)
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


@dataclass(frozen=True, slots=True)
class NameParts:
    """What a file name says; None where it says nothing."""

    venue: str | None
    symbol: str | None
    timeframe_ms: int | None


def is_symbol(text: str) -> bool:
    """Whether `text` is ``BASE-QUOTE`` or ``BASE-QUOTE-PERP``. ``BTC-PERP`` is not: its quote is missing."""
    match = _SYMBOL.fullmatch(text)
    return match is not None and match[2] != "PERP"


def check_symbol(text: str) -> str:
    """`text` if it is an instrument.

    Raises:
        DataError: it is not.
    """
    if is_symbol(text):
        return text
    raise DataError(
        "data.instrument",
        f"{text!r} is not an instrument.",
        next_step="Pass --instrument BASE-QUOTE or BASE-QUOTE-PERP in capitals, for example BTC-USDT.",
    )


def parse_timeframe(text: str) -> int:
    """Milliseconds of ``1s 5m 1h 1d 1w``.

    Raises:
        DataError: anything else; a calendar month has no fixed length, so ``1M`` is not among them.
    """
    match = _TIMEFRAME.fullmatch(text)
    if match is None:
        raise DataError(
            "data.timeframe",
            f"{text!r} is not a timeframe.",
            next_step="Pass --timeframe with a number and one of s, m, h, d, w, for example 1m.",
        )
    return int(match[1]) * _UNIT_MS[match[2]]


def timeframe_text(timeframe_ms: int) -> str:
    """The shortest name of a timeframe: 60000 gives ``1m``."""
    for unit in ("w", "d", "h", "m", "s"):
        if timeframe_ms % _UNIT_MS[unit] == 0:
            return f"{timeframe_ms // _UNIT_MS[unit]}{unit}"
    return f"{timeframe_ms}ms"


def stem(name: str) -> str:
    """`name` without ``.gz`` and without the suffix of its format."""
    name = name.removesuffix(".gz")
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def parse_name(name: str) -> NameParts:
    """What a file name (without its folder) says."""
    parts = stem(name).split("_")
    symbol = next((part for part in parts if is_symbol(part)), None)
    frames = [part for part in parts if _TIMEFRAME.fullmatch(part)]
    words: list[str] = []
    for part in parts:
        if not _WORD.fullmatch(part):
            break
        words.append(part)
    return NameParts("_".join(words) or None, symbol, parse_timeframe(frames[0]) if frames else None)


def folder_timeframe(name: str) -> int | None:
    """The timeframe of a folder named ``1m`` or ``quotes_1m``; ``backup_1d`` gives none."""
    text = name.removeprefix("quotes_")
    return parse_timeframe(text) if _TIMEFRAME.fullmatch(text) else None


def make_instrument(symbol: str, tick: Decimal, lot: Decimal) -> Instrument:
    """The instrument of a valid symbol.

    A perpetual is traded fully collateralised: one unit of its base is one contract of one coin, held as an asset
    of its own (``BTC-USDT-PERP``) so that it is never mistaken for the coin.
    """
    base, quote, *perpetual = symbol.split("-")
    if perpetual:
        return Instrument(symbol, symbol, quote, tick, lot, InstrumentKind.PERPETUAL)
    return Instrument(symbol, base, quote, tick, lot)
