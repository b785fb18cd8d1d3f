"""The momentum module with its defaults on recorded markets: neither silent nor mad."""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal

import pytest

from strategies.model import Bar, Direction, Position
from strategies.momentum import Momentum, MomentumParams
from tests.shared import shared_data

COOL_DOWN_MS = 3_600_000  # the gate's default: no entry for an hour after an entry or exit

pytestmark = pytest.mark.shared


def entries(relative: str, timeframe_ms: int) -> tuple[int, int]:
    """Bars and entries; exits by the stop, the target (touched by a later bar) or a FLAT signal."""
    with gzip.open(shared_data(f"market/candles/{relative}"), "rt", newline="") as file:
        rows = list(csv.reader(file))[1:]
    module, position, made, rested = Momentum(MomentumParams()), None, 0, 0
    stop = target = 0.0
    for row in rows:
        bar = Bar("X-Y", int(row[0]), timeframe_ms, *(Decimal(text) for text in row[1:6]))
        if position is not None and (float(bar.low) <= stop or float(bar.high) >= target):
            position, rested = None, bar.close_ms + COOL_DOWN_MS
        signal = module.on_bar(bar, position)
        if signal is None:
            continue
        if signal.direction is Direction.FLAT:
            position, rested = None, bar.close_ms + COOL_DOWN_MS
        elif bar.close_ms >= rested:
            assert signal.stop is not None
            assert signal.target is not None
            stop, target, made = signal.stop, signal.target, made + 1
            position, rested = Position("X-Y", Decimal(1), bar.close, bar.close_ms), bar.close_ms + COOL_DOWN_MS
    return len(rows), made


@pytest.mark.parametrize(
    ("relative", "timeframe_ms", "least", "most"),
    [
        ("1m/bittrex_ETH-BTC_1m_20180120.csv.gz", 60_000, 15, 60),
        ("1m/bittrex_ADA-BTC_1m_20180712.csv.gz", 60_000, 10, 60),
        ("5m/bittrex_ETH-BTC_5m_20180110.csv.gz", 300_000, 5, 40),
        ("1h/binance_BTC-USDT_1h_20201117.csv.gz", 3_600_000, 5, 40),
        ("1m/kraken_BTC-USDT_1m_20251110.csv.gz", 60_000, 0, 0),  # moves 1.4 bps a minute: nothing survives the fees
    ],
)
def test_a_plausible_number_of_entries(relative: str, timeframe_ms: int, least: int, most: int) -> None:
    bars, made = entries(relative, timeframe_ms)
    assert bars > 700
    assert least <= made <= most
