"""Volatility and correlation of bars: against their plain formulas, and a function of the last bars alone."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise

import pytest

from app.risk import statistics as figures
from app.risk.statistics import (
    CORRELATION_BARS,
    LEAST_AVERAGE,
    LEAST_CORRELATION,
    LEAST_VOLATILITY,
    REMEMBERED,
    VOLATILITY_BARS,
    BarStatistics,
)
from strategies.model import Bar

MINUTE = 60_000
D = Decimal


def bars(symbol: str, closes: Sequence[float], *, start: int = 0, frame: int = MINUTE) -> list[Bar]:
    made = []
    for number, close in enumerate(closes):
        price = D(repr(close))
        made.append(Bar(symbol, start + number * frame, frame, price, price, price, price, D(1)))
    return made


def walk(seed: int, count: int) -> list[float]:
    draw, price = random.Random(seed), 100.0
    path = []
    for _ in range(count):
        price *= math.exp(draw.gauss(0.0, 0.001))
        path.append(price)
    return path


def fed(*series: Iterable[Bar]) -> BarStatistics:
    made = BarStatistics()
    for bar in sorted((bar for one in series for bar in one), key=lambda bar: (bar.close_ms, bar.symbol)):
        made.observe(bar)
    return made


def returns(closes: Sequence[float]) -> list[float]:
    return [math.log(after / before) for before, after in pairwise(closes)]


def test_volatility_is_the_formula_over_the_newest_bars_annualised_and_rounded_up() -> None:
    path = walk(1, 200)
    plain = statistics.stdev(returns(path)[-VOLATILITY_BARS:]) * math.sqrt(365 * 24 * 60) * 100
    found = fed(bars("A-USDT", path)).volatility_pct("A-USDT")
    assert found is not None
    assert 0 <= float(found) - plain < 0.00011


def test_correlation_is_the_formula_over_the_newest_common_bars() -> None:
    one, other = walk(1, 300), walk(2, 300)
    mixed = [a * b for a, b in zip(one, other, strict=True)]
    found = fed(bars("A-USDT", one), bars("M-USDT", mixed)).correlation("M-USDT", "A-USDT")
    plain = statistics.correlation(returns(one)[-CORRELATION_BARS:], returns(mixed)[-CORRELATION_BARS:])
    assert found is not None
    assert 0.4 < plain < 0.9
    assert 0 <= float(found) - plain < 0.00011


def test_an_instrument_and_its_multiple_and_its_inverse() -> None:
    path = walk(3, 100)
    made = fed(bars("A-USDT", path), bars("B-USDT", [7 * p for p in path]), bars("C-USDT", [1 / p for p in path]))
    assert made.correlation("A-USDT", "A-USDT") == 1
    assert made.correlation("A-USDT", "B-USDT") == 1
    assert made.correlation("A-USDT", "C-USDT") == pytest.approx(D(-1), abs=D("0.0002"))


def test_too_few_bars_are_not_known() -> None:
    few, enough = walk(1, LEAST_VOLATILITY), walk(1, LEAST_VOLATILITY + 1)
    assert fed(bars("A-USDT", few)).volatility_pct("A-USDT") is None
    assert fed(bars("A-USDT", enough)).volatility_pct("A-USDT") is not None
    for count, known in ((LEAST_CORRELATION, False), (LEAST_CORRELATION + 1, True)):
        made = fed(bars("A-USDT", walk(1, count)), bars("B-USDT", walk(2, count)))
        assert (made.correlation("A-USDT", "B-USDT") is not None) is known
    assert BarStatistics().correlation("A-USDT", "B-USDT") is None
    assert BarStatistics().volatility_pct("A-USDT") is None


def test_bars_that_close_at_other_instants_have_nothing_in_common() -> None:
    path = walk(1, 200)
    shifted = fed(bars("A-USDT", path), bars("B-USDT", path, start=MINUTE // 2))
    assert shifted.correlation("A-USDT", "B-USDT") is None
    slower = fed(bars("A-USDT", path), bars("B-USDT", path, frame=5 * MINUTE))
    assert slower.correlation("A-USDT", "B-USDT") is None


def test_what_never_moved_is_not_known() -> None:
    made = fed(bars("A-USDT", walk(1, 100)), bars("B-USDT", [5.0] * 100))
    assert made.correlation("A-USDT", "B-USDT") is None
    assert made.volatility_pct("B-USDT") == 0


def test_a_correlation_is_computed_again_only_with_a_newer_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = bars("A-USDT", walk(1, 101)), bars("B-USDT", walk(2, 101))
    made = fed(one[:100], other[:100])
    asked: list[str] = []
    plain = figures._correlation

    def counted(first: figures._Series, second: figures._Series) -> Decimal | None:
        asked.append("x")
        return plain(first, second)

    monkeypatch.setattr(figures, "_correlation", counted)
    before = [made.correlation("A-USDT", "B-USDT") for _ in range(5)]
    assert len(asked) == 1
    made.observe(one[100])
    made.observe(other[100])
    assert made.correlation("B-USDT", "A-USDT") != before[0]
    assert len(asked) == 2


def test_the_ratio_of_the_middle_instrument() -> None:
    calm = walk(1, REMEMBERED - VOLATILITY_BARS + 1)
    wild = [calm[-1] * math.exp(4 * math.log(p / 100.0)) for p in walk(2, VOLATILITY_BARS)]
    storm = bars("A-USDT", [*calm, *wild])
    made = fed(storm)
    ratio = made.volatility_ratio()
    assert ratio is not None
    assert 2 < ratio < 3
    assert fed(bars("A-USDT", walk(1, LEAST_AVERAGE))).volatility_ratio() is None
    one_of_three = fed(storm, bars("B-USDT", walk(5, 500)), bars("C-USDT", walk(6, 500))).volatility_ratio()
    assert one_of_three is not None
    assert one_of_three < D("1.5")


def test_only_the_last_bars_matter_to_the_last_bit() -> None:
    one, other = bars("A-USDT", walk(1, 1500)), bars("B-USDT", walk(2, 1500))
    whole, restarted = fed(one, other), fed(one[-REMEMBERED - 1 :], other[-REMEMBERED - 1 :])
    assert whole.volatility_ratio() == restarted.volatility_ratio()
    for symbol in ("A-USDT", "B-USDT"):
        assert whole._series[symbol].returns == restarted._series[symbol].returns
        assert whole.volatility_pct(symbol) == restarted.volatility_pct(symbol)
    assert whole.correlation("A-USDT", "B-USDT") == restarted.correlation("A-USDT", "B-USDT")


def test_a_bar_again_is_left_out_and_another_timeframe_begins_anew() -> None:
    path = bars("A-USDT", walk(1, 100))
    made = fed(path)
    before = made.volatility_pct("A-USDT")
    made.observe(path[-1])
    made.observe(path[50])
    assert (made.returns("A-USDT"), made.volatility_pct("A-USDT")) == (99, before)
    made.observe(bars("A-USDT", [100.0], start=200 * MINUTE, frame=5 * MINUTE)[0])
    assert (made.returns("A-USDT"), made.volatility_pct("A-USDT")) == (0, None)


@pytest.mark.parametrize("close", ["0", "-1", "1E-400", "1E+400"])
def test_a_close_without_a_logarithm_ends_what_is_known(close: str) -> None:
    path = bars("A-USDT", walk(1, 100))
    made, price = fed(path), D(close)
    made.observe(Bar("A-USDT", 100 * MINUTE, MINUTE, price, price, price, price, D(1)))
    assert made.volatility_pct("A-USDT") is None
