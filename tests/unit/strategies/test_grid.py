"""The grid decides only where a market ranges, and its basket is whole: levels, targets, one stop, a life."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.base import API_VERSION
from strategies.grid import SPEC, Grid, GridParams
from strategies.indicators import Adx
from strategies.model import MOST_LEGS, Bar, Direction, Position, Signal

QUICK = GridParams(adx_bars=5, band_bars=20, atr_bars=5, spacing_atr=1.0)


def bars(closes: list[float], start: int = 0) -> list[Bar]:
    made, before = [], closes[0]
    for number, close in enumerate(closes, start):
        first, last = Decimal(f"{before:.4f}"), Decimal(f"{close:.4f}")
        high, low = max(first, last) + Decimal("0.2"), min(first, last) - Decimal("0.2")
        made.append(Bar("A-B", number * 60_000, 60_000, first, high, low, last, Decimal(10)))
        before = close
    return made


def waves(count: int, height: float = 1.0) -> list[float]:
    return [100 + height * math.sin(number * 2.4) for number in range(count)]


def run(closes: list[float], params: GridParams = QUICK, position: Position | None = None) -> list[Signal | None]:
    grid = Grid(params)
    return [grid.on_bar(bar, position) for bar in bars(closes)]


def test_a_market_that_ranges_gets_a_whole_basket() -> None:
    signals = [signal for signal in run(waves(120)) if signal is not None]
    assert signals
    for signal in signals:
        assert signal.direction is Direction.LONG
        assert signal.target is None
        assert signal.stop is not None
        prices = [level.price for level in signal.levels]
        assert len(prices) == QUICK.levels
        gaps = [above - below for above, below in pairwise(prices)]
        assert gaps == pytest.approx([gaps[0]] * (QUICK.levels - 1))
        assert [level.target - level.price for level in signal.levels] == pytest.approx([gaps[0]] * QUICK.levels)
        assert signal.stop == pytest.approx(prices[-1] - 2 * gaps[0])
        assert signal.rest_ms == QUICK.rest_bars * 60_000
        assert 0 <= signal.strength <= 1
        assert 0 <= signal.confidence <= 1
        assert signal.reason.startswith("ADX ")


def test_a_market_that_trends_gets_none() -> None:
    assert not any(run([100 + 0.5 * number for number in range(120)]))
    assert not any(run([200 - 0.5 * number for number in range(120)]))


def test_nothing_while_something_is_held_nor_before_it_is_warm() -> None:
    assert not any(run(waves(120), position=Position("A-B", Decimal(1), Decimal(100), 0)))
    assert not any(run(waves(QUICK.warmup_bars - 1)))


def test_nothing_at_the_edge_of_the_range() -> None:
    narrow = replace(QUICK, band_edge=0.45)
    wide = replace(QUICK, band_edge=0.0)
    assert sum(map(bool, run(waves(200), narrow))) < sum(map(bool, run(waves(200), wide)))
    grid = Grid(replace(QUICK, max_adx=100))
    for bar in bars(waves(100)):
        grid.on_bar(bar, None)
    high = bars([*waves(100), 103.0])[-1]
    assert grid.on_bar(high, None) is None


def test_nothing_where_a_spacing_does_not_pay_the_fees() -> None:
    assert any(run(waves(120), replace(QUICK, min_edge_bps=30)))
    assert not any(run(waves(120), replace(QUICK, min_edge_bps=1000)))
    assert not any(run([100.0] * 120, replace(QUICK, min_edge_bps=50)))


def test_nothing_where_the_stop_would_be_below_zero() -> None:
    assert not any(run(waves(120), replace(QUICK, spacing_atr=100)))


def test_after_a_long_gap_it_warms_up_again() -> None:
    grid = Grid(QUICK)
    for bar in bars(waves(120)):
        grid.on_bar(bar, None)
    late = [grid.on_bar(bar, None) for bar in bars(waves(QUICK.warmup_bars - 1), start=10_000)]
    assert not any(late)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("levels", 0), ("levels", MOST_LEGS + 1), ("levels", 2.5), ("levels", True), ("max_adx", 0.0),
        ("band_edge", 0.5), ("band_edge", math.nan), ("spacing_atr", 0.0), ("stop_spacings", 0.4), ("rest_bars", 0),
        ("min_edge_bps", -1.0), ("adx_bars", "14"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"{field} is .*; allowed: "):
        replace(GridParams(), **{field: value})


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.floats(0.01, 5.0))
def test_whatever_the_market_does_a_basket_is_in_order(seed: int, move: float) -> None:
    rng, price, closes = random.Random(seed), 100.0, []
    for _ in range(150):
        price = max(1.0, price + rng.gauss(0, move))
        closes.append(price)
    for signal in run(closes, replace(QUICK, max_adx=100.0)):
        if signal is not None:
            prices = [level.price for level in signal.levels]
            assert signal.stop is not None
            assert 0 < signal.stop < prices[-1]
            assert all(above > below for above, below in pairwise(prices))
            assert all(level.target > level.price for level in signal.levels)


def test_the_spec_is_complete() -> None:
    assert (SPEC.name, SPEC.api, SPEC.params) == ("grid", API_VERSION, GridParams)
    assert SPEC.warmup_bars(GridParams()) == GridParams().warmup_bars == 240
    assert isinstance(SPEC.factory(GridParams()), Grid)


# -- ADX --------------------------------------------------------------------------------------------------------------


def by_the_book(highs: list[float], lows: list[float], length: int) -> list[float]:
    """Wilder's rule written out, sums and all; what `Adx` must give from the 2n-th bar on."""
    ups, downs, dxs = [], [], []
    result: list[float] = []
    for number in range(1, len(highs)):
        rise, fall = highs[number] - highs[number - 1], lows[number - 1] - lows[number]
        ups.append(rise if rise > fall and rise > 0 else 0.0)
        downs.append(fall if fall > rise and fall > 0 else 0.0)
    up = down = 0.0
    for number in range(length, len(ups) + 1):
        if number == length:
            up, down = sum(ups[:length]), sum(downs[:length])
        else:
            up, down = up - up / length + ups[number - 1], down - down / length + downs[number - 1]
        dxs.append(100 * abs(up - down) / (up + down) if up + down else 0.0)
    for number in range(length, len(dxs) + 1):
        before = result[-1] if result else 0.0
        result.append(
            sum(dxs[:length]) / length if number == length else (before * (length - 1) + dxs[number - 1]) / length
        )
    return result


@pytest.mark.parametrize("length", [2, 5, 14])
def test_adx_is_wilders(length: int) -> None:
    rng = random.Random(5)
    middles = [100 + rng.gauss(0, 3) for _ in range(80)]
    highs, lows = [m + rng.random() for m in middles], [m - rng.random() for m in middles]
    adx = Adx(length)
    seen = [adx.update(high, low) for high, low in zip(highs, lows, strict=True)]
    expected = by_the_book(highs, lows, length)
    assert seen[: 2 * length - 1] == [0.0] * (2 * length - 1)
    assert seen[2 * length - 1 :] == pytest.approx(expected)


def test_adx_of_a_trend_is_100_and_of_nothing_0() -> None:
    up, still = Adx(5), Adx(5)
    for number in range(30):
        up.update(100 + number, 99 + number)
        still.update(100, 99)
    assert up.value == pytest.approx(100)
    assert still.value == 0
