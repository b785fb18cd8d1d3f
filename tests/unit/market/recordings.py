"""Small recordings for tests, written as real files."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from strategies.model import Instrument

T0 = 1_600_000_020_000
"""The open of a minute."""
MINUTE = 60_000
CANDLES = "timestamp_ms,open,high,low,close,volume"
TRADES = "timestamp_ms,id,price,amount,side"
ETH_BTC = Instrument("ETH-BTC", "ETH", "BTC", Decimal("0.0001"), Decimal("0.01"))


def write(path: Path, lines: Iterable[str], *, last_newline: bool = True) -> Path:
    """Write lines; gzipped when the name says so."""
    text = "\n".join(lines) + ("\n" if last_newline else "")
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def candle(minute: int, price: str = "10", volume: str = "1") -> str:
    """A flat one-minute candle, `minute` minutes after `T0`."""
    return f"{T0 + minute * MINUTE},{price},{price},{price},{price},{volume}"


def candles(path: Path, rows: Sequence[str]) -> Path:
    """A candle file of `rows`."""
    return write(path, [CANDLES, *rows])


def trades(path: Path, rows: Sequence[str]) -> Path:
    """A trade file of `rows`."""
    return write(path, [TRADES, *rows])
