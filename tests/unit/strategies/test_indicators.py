"""Each indicator against a straightforward computation over the whole history, written independently of it."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.indicators import Atr, Ema, RollingMax, RollingMin, RollingStats, Rsi, WindowStats

PRICES = st.lists(st.floats(0.001, 1000, allow_nan=False), min_size=1, max_size=120)
LENGTH = st.integers(1, 30)


def wilder(values: Sequence[float], length: int) -> float:
    """Mean of the first `length`, then Wilder's smoothing written as his weighted sum."""
    average = sum(values[:length]) / length
    for value in values[length:]:
        average = (average * (length - 1) + value) / length
    return average


@given(PRICES, LENGTH)
def test_ema_is_the_weighted_sum_of_all_inputs(prices: list[float], length: int) -> None:
    ema = Ema(length)
    for price in prices:
        ema.update(price)
    alpha, last = 2 / (length + 1), len(prices) - 1
    weights = [(1 - alpha) ** last] + [alpha * (1 - alpha) ** (last - k) for k in range(1, last + 1)]
    assert ema.value == pytest.approx(sum(w * p for w, p in zip(weights, prices, strict=True)), rel=1e-9)


def test_ema_forgets_its_start_as_fast_as_it_says() -> None:
    one, other = Ema(20), Ema(20)
    one.update(0.0)
    other.update(1000.0)
    for _ in range(60):
        one.update(5.0)
        other.update(5.0)
    assert abs(one.value - other.value) / 1000 == pytest.approx(0.0025, rel=0.05)


@st.composite
def bars(draw: st.DrawFn) -> list[tuple[float, float, float]]:
    rows = []
    for close in draw(PRICES):
        high, low = draw(st.floats(0, 5)), draw(st.floats(0, 0.9))
        rows.append((close + high, close * (1 - low), close))
    return rows


@given(bars(), LENGTH)
def test_atr_is_wilders(rows: list[tuple[float, float, float]], length: int) -> None:
    atr = Atr(length)
    ranges = []
    for index, (high, low, close) in enumerate(rows):
        before = rows[index - 1][2] if index else None
        ranges.append(high - low if before is None else max(high - low, abs(high - before), abs(low - before)))
        value = atr.update(high, low, close)
        assert atr.true_range == pytest.approx(ranges[-1], abs=1e-9)
        assert value == pytest.approx(wilder(ranges, length) if index + 1 >= length else 0.0, rel=1e-9, abs=1e-9)


@given(PRICES, LENGTH)
def test_rsi_is_wilders(prices: list[float], length: int) -> None:
    rsi = Rsi(length)
    changes: list[float] = []
    for index, price in enumerate(prices):
        rsi.update(price)
        if index:
            changes.append(price - prices[index - 1])
        if len(changes) < length:
            assert rsi.value == 50.0
            continue
        up = wilder([max(change, 0.0) for change in changes], length)
        down = wilder([max(-change, 0.0) for change in changes], length)
        if up + down > 1e-6:
            expected = 100.0 if down == 0 else 100 - 100 / (1 + up / down)
            assert rsi.value == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_rsi_at_its_ends() -> None:
    rising, falling, still = Rsi(3), Rsi(3), Rsi(3)
    for step in range(10):
        rising.update(100.0 + step)
        falling.update(100.0 - step)
        still.update(100.0)
    assert (rising.value, falling.value, still.value) == (100.0, 0.0, 50.0)


@given(PRICES, LENGTH)
def test_the_channel_is_the_extreme_of_the_window(prices: list[float], length: int) -> None:
    top, bottom = RollingMax(length), RollingMin(length)
    assert (top.value, bottom.value) == (-math.inf, math.inf)
    for index, price in enumerate(prices):
        window = prices[max(0, index + 1 - length) : index + 1]
        assert top.update(price) == top.value == max(window)
        assert bottom.update(price) == bottom.value == min(window)


@given(PRICES, LENGTH)
def test_rolling_stats_are_those_of_the_window(values: list[float], length: int) -> None:
    stats = RollingStats(length)
    assert (stats.mean, stats.deviation) == (0.0, 0.0)
    for index, value in enumerate(values):
        stats.update(value)
        window = values[max(0, index + 1 - length) : index + 1]
        assert stats.mean == pytest.approx(statistics.fmean(window), rel=1e-9)
        assert stats.deviation == pytest.approx(statistics.pstdev(window), rel=1e-6, abs=1e-5)


def test_rounding_does_not_pile_up_over_a_long_run() -> None:
    source, stats = random.Random(7), RollingStats(120)
    values = [10 ** source.uniform(-6, 9) for _ in range(120_000)]  # a volume that spans fifteen digits
    for value in values:
        stats.update(value)
    for _ in range(240):
        stats.update(1e-6)
    assert stats.mean == pytest.approx(1e-6, rel=1e-9)
    assert stats.deviation == pytest.approx(0.0, abs=1e-12)


@given(PRICES, LENGTH)
def test_window_stats_are_those_of_the_last_inputs_to_the_last_bit(prices: list[float], length: int) -> None:
    stats, late = WindowStats(length), WindowStats(length)
    assert stats.both() == (0.0, 0.0)
    for price in prices:
        stats.update(price)
    for price in prices[-length:]:
        late.update(price)
    mean, deviation = stats.both()
    assert (mean, deviation) == late.both(), "whatever came before"
    window = prices[-length:]
    assert mean == pytest.approx(statistics.fmean(window))
    assert deviation == pytest.approx(statistics.pstdev(window), rel=1e-6, abs=1e-9)
