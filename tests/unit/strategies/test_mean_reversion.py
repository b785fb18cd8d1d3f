"""The mean reversion module on crafted series, one condition at a time, and its promises on any series at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.practice import PracticeSource
from strategies.base import API_VERSION
from strategies.mean_reversion import SPEC, MeanReversion, MeanReversionParams
from strategies.messages import Trend
from strategies.model import Bar, Direction, Position, Signal
from strategies.momentum import Momentum, MomentumParams

MINUTE = 60_000
PARAMS = MeanReversionParams(
    window_bars=20,
    entry_z=2.0,
    rsi_bars=4,
    rsi_ceiling=40.0,
    atr_bars=4,
    stop_atr=2.0,
    min_sigma_bps=5.0,
    min_edge_bps=30.0,
    max_slope=1.0,
    max_downtrend=3.0,
    max_hold_bars=20,
)
WARMUP = PARAMS.warmup_bars


def bar(index: int, close: float, *, span: float = 0.4) -> Bar:
    """A bar around `close`, `span` from low to high."""
    high, low, now = (Decimal(repr(round(x, 6))) for x in (close + span / 2, close - span / 2, close))
    return Bar("ETH-BTC", index * MINUTE, MINUTE, now, high, low, now, Decimal(10))


def ranging(count: int, level: float = 100.0) -> list[Bar]:
    """A market that swings 0.2 around `level`."""
    return [bar(n, level + (0.2 if n % 2 else -0.2)) for n in range(count)]


def dip(to: float = 99.0) -> Bar:
    """The bar after `ranging(WARMUP)`, far below it."""
    return bar(WARMUP, to)


def last(
    bars: Sequence[Bar],
    params: MeanReversionParams = PARAMS,
    position: Position | None = None,
    trend: Trend | None = None,
) -> Signal | None:
    """What a fresh module says to the last of `bars`; position and message are there at the last bar only."""
    module = MeanReversion(params)
    for each in bars[:-1]:
        module.on_bar(each, None)
    if trend is not None:
        module.on_message(trend)
    return module.on_bar(bars[-1], position)


def held(opened_ms: int) -> Position:
    return Position("ETH-BTC", Decimal(1), Decimal(99), opened_ms)


def test_a_dip_in_a_market_that_ranges_is_bought_with_both_exits() -> None:
    signal = last([*ranging(WARMUP), dip()])
    assert signal is not None
    assert signal.direction is Direction.LONG
    closes = [float(each.close) for each in [*ranging(WARMUP), dip()]][-20:]
    assert signal.target == pytest.approx(sum(closes) / 20)
    assert signal.stop is not None
    assert 96.0 < signal.stop < 99.0
    assert 0.0 < signal.strength <= 1.0
    assert 0.5 <= signal.confidence <= 1.0
    assert "deviations below the 20-bar mean 99.9" in signal.reason


def test_strength_grows_with_the_distance() -> None:
    near, far = last([*ranging(WARMUP), dip(99.3)]), last([*ranging(WARMUP), dip(98.0)])
    assert near is not None
    assert far is not None
    assert near.strength < far.strength


@pytest.mark.parametrize(
    ("bars", "params"),
    [
        ([*ranging(WARMUP), dip(99.7)], PARAMS),  # not far enough
        ([*ranging(WARMUP), dip(101.0)], PARAMS),  # on the other side
        ([*ranging(WARMUP - 1), bar(WARMUP - 1, 99.0)], PARAMS),  # not warm
        ([*ranging(WARMUP), dip()], replace(PARAMS, rsi_ceiling=1.0)),
        ([*ranging(WARMUP), dip()], replace(PARAMS, min_sigma_bps=100.0)),
        ([*ranging(WARMUP), dip()], replace(PARAMS, min_edge_bps=200.0)),
        (
            [bar(n, 2.0 + n % 2 * 0.2, span=1.9) for n in range(WARMUP)] + [bar(WARMUP, 1.0, span=1.9)],
            PARAMS,
        ),  # no stop
        ([bar(n, 100.0, span=0.0) for n in range(WARMUP + 1)], PARAMS),  # nothing moves at all
    ],
)
def test_what_is_missing_makes_no_entry(bars: list[Bar], params: MeanReversionParams) -> None:
    assert last(bars, params) is None


def test_a_mean_that_sinks_is_not_returned_to() -> None:
    sinking = [bar(n, 100.0 - n * 0.05 + (0.2 if n % 2 else -0.2)) for n in range(WARMUP)]
    low = bar(WARMUP, float(sinking[-1].close) - 1.5)
    assert last([*sinking, low], replace(PARAMS, max_slope=10.0)) is not None
    assert last([*sinking, low]) is None


def test_who_follows_trends_can_veto_for_this_bar_only() -> None:
    bars = [*ranging(WARMUP), dip()]
    now = bars[-1].close_ms
    assert last(bars, trend=Trend("ETH-BTC", now, -3.01)) is None
    assert last(bars, trend=Trend("ETH-BTC", now, -3.0)) is not None
    assert last(bars, trend=Trend("ETH-BTC", now, 9.0)) is not None
    assert last(bars, trend=Trend("ETH-BTC", now - MINUTE, -9.0)) is not None, "what was said of another bar is old"


def test_back_at_the_mean_and_too_long_are_closed() -> None:
    bars = [*ranging(WARMUP), bar(WARMUP, 100.5)]
    signal = last(bars, position=held(bars[-1].open_ms))
    assert signal is not None
    assert signal.direction is Direction.FLAT
    assert "back at the 20-bar mean" in signal.reason
    below = [*ranging(WARMUP), dip()]
    limit = below[-1].close_ms - PARAMS.max_hold_bars * MINUTE
    assert last(below, position=held(limit)) is None, "never LONG while holding"
    late = last(below, position=held(limit - 1))
    assert late is not None
    assert late.reason == "held longer than 20 bars"


def test_a_position_of_nothing_is_flat() -> None:
    signal = last([*ranging(WARMUP), dip()], position=replace(held(0), quantity=Decimal(0)))
    assert signal is not None
    assert signal.direction is Direction.LONG


def test_a_gap_longer_than_the_warm_up_starts_afresh() -> None:
    before, gap = ranging(WARMUP), WARMUP * MINUTE
    assert last([*before, replace(dip(), open_ms=before[-1].close_ms + gap)]) is not None
    assert last([*before, replace(dip(), open_ms=before[-1].close_ms + gap + 1)]) is None


# --- on any series ---------------------------------------------------------------------------------------------------

LOOSE = replace(PARAMS, rsi_ceiling=100.0, min_edge_bps=0.0, min_sigma_bps=0.0, entry_z=0.5, max_slope=10.0)


@st.composite
def walks(draw: st.DrawFn) -> list[Bar]:
    """A random walk with jumps and gaps in time."""
    price, at, bars = 100.0, 0, []
    for index in range(draw(st.integers(1, 90))):
        price = max(1.0, price + draw(st.sampled_from([-3.0, -0.4, -0.1, 0.0, 0.1, 0.4, 3.0])))
        at += draw(st.sampled_from([1, 1, 1, 2, 50 if index % 30 == 29 else 1]))
        bars.append(bar(at, price, span=draw(st.sampled_from([0.1, 0.5, 2.0]))))
    return bars


def trade(bars: Sequence[Bar]) -> list[tuple[Signal | None, bool]]:
    """Every answer, and whether something was held; LONG is filled at the close, FLAT closes."""
    module, position, answers = MeanReversion(LOOSE), None, []
    for each in bars:
        signal = module.on_bar(each, position)
        answers.append((signal, position is not None))
        if signal is not None:
            buys = signal.direction is Direction.LONG
            position = Position(each.symbol, Decimal(1), each.close, each.close_ms) if buys else None
    return answers


@settings(max_examples=60)
@given(walks())
def test_the_promises_of_a_signal(bars: list[Bar]) -> None:
    for index, (signal, holding) in enumerate(trade(bars)):
        if signal is None:
            continue
        assert (signal.direction is Direction.FLAT) == holding
        assert 0.0 <= signal.strength <= 1.0
        assert 0.0 <= signal.confidence <= 1.0
        if signal.direction is Direction.LONG:
            assert index >= LOOSE.warmup_bars
            assert signal.stop is not None
            assert signal.target is not None
            assert 0.0 < signal.stop < float(bars[index].close) < signal.target


@settings(max_examples=40)
@given(walks(), st.integers(0, 90))
def test_the_future_changes_nothing_and_the_same_bars_give_the_same_answers(bars: list[Bar], cut: int) -> None:
    assert trade(bars[:cut]) == trade(bars)[:cut]


def practice(count: int, seed: int = 7) -> dict[str, list[Bar]]:
    source = PracticeSource(seed, start_ms=1_600_000_000_000)
    return source.bars_before(source.position_of(count), count)


def test_it_proposes_on_the_practice_market_within_a_few_hundred_bars_and_hears_momentum() -> None:
    said = {True: 0, False: 0}
    for hears in said:
        for bars in practice(700, seed=2).values():
            module, trends = MeanReversion(MeanReversionParams()), Momentum(MomentumParams())
            for each in bars:
                trends.on_bar(each, None)
                for message in trends.messages() if hears else ():
                    module.on_message(message)
                said[hears] += module.on_bar(each, None) is not None
    assert 3 <= said[True] < said[False] < 150, said


def test_wherever_the_past_begins_the_answers_are_the_same_to_the_last_bit() -> None:
    """Eight warm-ups after its start a module has forgotten where that was."""
    params = MeanReversionParams(rsi_ceiling=100.0, entry_z=1.0, min_edge_bps=5.0, max_slope=10.0)
    past, asked = 8 * params.warmup_bars, 0
    for bars in practice(past + 400).values():
        whole, late = MeanReversion(params), MeanReversion(params)
        for index, each in enumerate(bars):
            said = whole.on_bar(each, None)
            if index >= 137:
                again = late.on_bar(each, None)
                if index >= past + 137:
                    assert again == said
                    asked += said is not None
    assert asked > 20


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_bars": 3}, "window_bars is 3; allowed: a whole number from 4 to 10000"),
        ({"window_bars": 20.0}, "window_bars is 20.0; allowed: a whole number from 4 to 10000"),
        ({"rsi_bars": True}, "rsi_bars is True; allowed: a whole number from 2 to 1000"),
        ({"entry_z": float("nan")}, "entry_z is nan; allowed: a number from 0.1 to 10.0"),
        ({"stop_atr": "far"}, "stop_atr is 'far'; allowed: a number from 0.1 to 100.0"),
    ],
)
def test_a_bad_setting_is_named_with_its_value_and_what_is_allowed(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match="allowed") as refused:
        MeanReversionParams(**changes)  # type: ignore[arg-type]  # wrong types are the point
    assert str(refused.value) == message


def test_the_spec_makes_the_strategy_it_describes() -> None:
    assert SPEC.api == API_VERSION
    params = SPEC.params()
    assert SPEC.warmup_bars(params) == params.warmup_bars == 112
    assert isinstance(SPEC.factory(params), MeanReversion)
    assert SPEC.subscriptions == (Trend,)
