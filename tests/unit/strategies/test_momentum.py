"""The momentum module on crafted series, one vote or exit at a time, and its promises on any series at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.base import API_VERSION
from strategies.model import Bar, Direction, Position, Signal
from strategies.momentum import SPEC, Momentum, MomentumParams

MINUTE = 60_000
PARAMS = MomentumParams(
    breakout_bars=10,
    exit_bars=5,
    fast_bars=3,
    slow_bars=8,
    volume_bars=10,
    volume_sigmas=1.0,
    atr_bars=5,
    min_atr_bps=5.0,
    expansion=1.2,
    rsi_bars=5,
    rsi_ceiling=95.0,
    min_confidence=0.6,
    stop_atr=2.0,
    target_atr=4.0,
    min_edge_bps=40.0,
    max_hold_bars=20,
)
WARMUP = PARAMS.warmup_bars


def bar(index: int, close: float, *, span: float = 0.4, volume: float = 10.0, start: int = 0) -> Bar:
    """A bar around `close`, `span` from low to high."""
    high, low = Decimal(repr(close + span / 2)), Decimal(repr(close - span / 2))
    now = Decimal(repr(close))
    return Bar("ETH-BTC", start + index * MINUTE, MINUTE, now, high, low, now, Decimal(repr(volume)))


def calm(count: int, level: float = 100.0, volume: float = 10.0) -> list[Bar]:
    """A market that swings 0.1 around `level`, with a volume of 10 and 11 by turns."""
    return [bar(n, level + (0.1 if n % 2 else -0.1), volume=volume and volume + n % 2) for n in range(count)]


def breakout(**changes: float) -> Bar:
    """The bar after `calm(WARMUP)`, which every vote agrees on: far up, wide, loud."""
    made = {"close": 101.0, "span": 1.5, "volume": 30.0, **changes}
    return bar(WARMUP, made["close"], span=made["span"], volume=made["volume"])


def last(bars: Sequence[Bar], params: MomentumParams = PARAMS, position: Position | None = None) -> Signal | None:
    """What a fresh module says to the last of `bars`; the position is there at the last bar only."""
    module = Momentum(params)
    for each in bars[:-1]:
        module.on_bar(each, None)
    return module.on_bar(bars[-1], position)


def held(opened_ms: int = 0) -> Position:
    return Position("ETH-BTC", Decimal(1), Decimal(100), opened_ms)


def test_a_breakout_that_every_vote_agrees_on_is_bought_with_both_exits() -> None:
    signal = last([*calm(WARMUP), breakout()])
    assert signal is not None
    assert signal.direction is Direction.LONG
    assert signal.confidence == 1.0
    assert signal.strength == 1.0  # the close is 0.7 above the channel, more than an ATR
    assert signal.stop is not None
    assert signal.target is not None
    atr = (signal.target - 101.0) / PARAMS.target_atr
    assert 101.0 - signal.stop == pytest.approx(PARAMS.stop_atr * atr)
    assert 0.4 < atr < 1.5
    assert "10-bar high 100.3" in signal.reason
    assert "5 of 5 votes" in signal.reason


def test_strength_is_the_distance_beyond_the_channel_in_atrs() -> None:
    signal = last([*calm(WARMUP), breakout(close=100.4, span=0.7)])
    assert signal is not None
    assert signal.target is not None
    atr = (signal.target - 100.4) / PARAMS.target_atr
    assert signal.strength == pytest.approx(0.1 / atr)


def test_no_breakout_no_signal_however_the_votes_stand() -> None:
    assert last([*calm(WARMUP), breakout(close=100.3)]) is None, "at the channel is not beyond it"
    assert last([*calm(WARMUP), breakout(close=100.31)]) is not None


@pytest.mark.parametrize(
    ("vote", "bars", "params"),
    [
        ("volume", [*calm(WARMUP), breakout(volume=10.9)], PARAMS),
        ("range", [*calm(WARMUP), breakout(close=100.35, span=0.1)], PARAMS),
        ("room", [*calm(WARMUP), breakout()], replace(PARAMS, rsi_ceiling=60.0)),
    ],
)
def test_a_dissenting_vote_lowers_confidence_and_can_veto(vote: str, bars: list[Bar], params: MomentumParams) -> None:
    signal = last(bars, params)
    assert signal is not None
    assert signal.confidence == 0.8
    assert vote not in signal.reason.split("votes: ")[1]
    assert last(bars, replace(params, min_confidence=0.81)) is None


def test_the_range_is_compared_with_the_atr_before_the_bar() -> None:
    # 0.5 is more than 1.2 times the calm 0.4, but not more than 1.2 times the 0.42 that includes this bar.
    signal = last([*calm(WARMUP), breakout(close=100.35, span=0.5)])
    assert signal is not None
    assert "range" in signal.reason.split("votes: ")[1]


@pytest.mark.parametrize(
    "bars",
    [
        [*calm(WARMUP), breakout(volume=0.0)],
        [*calm(WARMUP, volume=0.0), breakout()],
    ],
)
def test_an_unknown_volume_casts_no_vote(bars: list[Bar]) -> None:
    signal = last(bars)
    assert signal is not None
    assert signal.confidence == 1.0
    assert "4 of 4 votes" in signal.reason


def test_a_breakout_against_the_trend_is_never_bought() -> None:
    # A long slide, then one bar above the channel of the last two bars: the slow average is still far above.
    params = replace(PARAMS, breakout_bars=2, min_confidence=0.5)
    slide = [bar(n, 150.0 - n) for n in range(WARMUP)]
    turn = bar(WARMUP, 150.0 - WARMUP + 3.5, span=3.0, volume=30.0)
    assert last([*slide, turn], params) is None
    rising = [bar(n, 150.0 + n * 0.01) for n in range(WARMUP)]
    assert last([*rising, bar(WARMUP, 152.0, span=3.0, volume=30.0)], params) is not None


def test_a_market_too_quiet_or_a_way_too_short_is_left_alone() -> None:
    bars = [*calm(WARMUP), breakout()]
    signal = last(bars)
    assert signal is not None
    assert signal.target is not None
    way_bps = (signal.target / 101.0 - 1) * 10_000
    assert last(bars, replace(PARAMS, min_edge_bps=way_bps - 0.01)) is not None
    assert last(bars, replace(PARAMS, min_edge_bps=way_bps + 0.01)) is None
    atr_bps = way_bps / PARAMS.target_atr
    assert last(bars, replace(PARAMS, min_atr_bps=atr_bps - 0.01)) is not None
    assert last(bars, replace(PARAMS, min_atr_bps=atr_bps + 0.01)) is None


def test_a_stop_that_would_not_be_above_zero_is_no_stop() -> None:
    assert last([*calm(WARMUP), breakout()], replace(PARAMS, stop_atr=99.0, target_atr=100.0)) is not None
    wild = [bar(n, 2.0, span=3.9) for n in range(WARMUP)]
    assert last([*wild, bar(WARMUP, 4.5, span=5.0, volume=30.0)]) is None


def test_holding_is_left_alone_while_the_trend_holds() -> None:
    rising = [bar(n, 100.0 + n * 0.1) for n in range(WARMUP + 1)]
    assert last(rising, position=held(rising[-1].open_ms)) is None
    assert last([*calm(WARMUP), breakout()], position=held(WARMUP * MINUTE)) is None, "never LONG while holding"


def test_a_position_of_nothing_is_flat() -> None:
    nothing = replace(held(), quantity=Decimal(0))
    signal = last([*calm(WARMUP), breakout()], position=nothing)
    assert signal is not None
    assert signal.direction is Direction.LONG


def test_a_broken_trend_closes() -> None:
    falling = [bar(n, 200.0 - n * 0.1) for n in range(WARMUP + 1)]
    signal = last(falling, position=held(falling[-1].open_ms))
    assert signal is not None
    assert signal.direction is Direction.FLAT
    assert "trend broken" in signal.reason
    assert (signal.stop, signal.target) == (None, None)
    assert last(falling) is None, "there is nothing to close while flat"


def test_a_close_below_the_trailing_low_closes() -> None:
    rising = [bar(n, 100.0 + n * 0.1) for n in range(WARMUP)]
    low = 100.0 + (WARMUP - 5) * 0.1 - 0.2
    at, below = bar(WARMUP, low), bar(WARMUP, low - 0.001)
    recent = held(WARMUP * MINUTE)
    params = replace(PARAMS, fast_bars=7, slow_bars=8)  # too slow to see the trend break on this bar
    assert last([*rising, at], params, recent) is None
    signal = last([*rising, below], params, recent)
    assert signal is not None
    assert signal.direction is Direction.FLAT
    assert "5-bar low" in signal.reason


def test_a_position_is_held_for_so_many_bars_and_no_longer() -> None:
    rising = [bar(n, 100.0 + n * 0.1) for n in range(WARMUP + 1)]
    limit = rising[-1].close_ms - PARAMS.max_hold_bars * MINUTE
    assert last(rising, position=held(limit)) is None
    signal = last(rising, position=held(limit - 1))
    assert signal is not None
    assert signal.direction is Direction.FLAT
    assert "20 bars" in signal.reason


def test_a_gap_longer_than_the_warm_up_starts_afresh() -> None:
    before = calm(WARMUP)
    gap = WARMUP * MINUTE
    assert last([*before, replace(breakout(), open_ms=before[-1].close_ms + gap)]) is not None
    assert last([*before, replace(breakout(), open_ms=before[-1].close_ms + gap + 1)]) is None


def test_after_a_long_gap_only_the_age_of_a_position_speaks() -> None:
    falling = [bar(n, 200.0 - n * 0.1) for n in range(WARMUP)]
    late = bar(10 * WARMUP, 100.0)
    assert last([*falling, late], position=held(late.open_ms)) is None
    lower = bar(10 * WARMUP + 1, 90.0)
    assert last([*falling, late, lower], position=held(late.open_ms)) is None, "two bars make no trend and no channel"
    signal = last([*falling, late], position=held(0))
    assert signal is not None
    assert signal.direction is Direction.FLAT


def test_it_tells_how_strong_the_trend_is_once_it_is_warm() -> None:
    module, said = Momentum(PARAMS), []
    for each in [bar(n, 100.0 + n * 0.1) for n in range(WARMUP + 2)]:
        module.on_bar(each, None)
        said.append(module.messages())
    assert said[:WARMUP] == [()] * WARMUP
    (trend,) = said[WARMUP]
    assert (trend.symbol, trend.close_ms) == ("ETH-BTC", (WARMUP + 1) * MINUTE)
    assert 0.3 < trend.strength < 1.0  # (8 - 3) / 2 bars of 0.1 between the averages, ranges of 0.4
    module = Momentum(PARAMS)
    for each in [bar(n, 200.0 - n * 0.1) for n in range(WARMUP + 1)]:
        module.on_bar(each, None)
    assert module.messages()[0].strength < -0.3


# --- on any series ----------------------------------------------------------------------------------------------------

LOOSE = replace(PARAMS, min_confidence=0.5, min_edge_bps=0.0, min_atr_bps=0.1, expansion=0.5)


@st.composite
def walks(draw: st.DrawFn) -> list[Bar]:
    """A drifting random walk with jumps, silent bars and gaps in time."""
    price, at, bars = 100.0, 0, []
    drift = draw(st.sampled_from([-0.3, 0.0, 0.3]))
    for index in range(draw(st.integers(1, 100))):
        price = max(1.0, price + drift + draw(st.sampled_from([-1.5, -0.4, -0.1, 0.0, 0.1, 0.4, 1.5, 4.0])))
        at += draw(st.sampled_from([1, 1, 1, 1, 2, 5, 40 if index % 30 == 29 else 1]))
        bars.append(bar(at, round(price, 4), span=draw(st.sampled_from([0.1, 0.5, 2.0])), volume=at % 7))
    return bars


def trade(bars: Sequence[Bar]) -> list[tuple[Signal | None, bool]]:
    """Every answer, and whether something was held; LONG is filled at the close, FLAT closes."""
    module, position, answers = Momentum(LOOSE), None, []
    for each in bars:
        signal = module.on_bar(each, position)
        answers.append((signal, position is not None))
        if signal is not None:
            long = signal.direction is Direction.LONG
            position = Position(each.symbol, Decimal(1), each.close, each.close_ms) if long else None
    return answers


@settings(max_examples=60)
@given(walks())
def test_the_promises_of_a_signal(bars: list[Bar]) -> None:
    for index, (signal, holding) in enumerate(trade(bars)):
        if signal is None:
            continue
        assert index >= LOOSE.warmup_bars
        assert (signal.direction is Direction.FLAT) == holding
        assert 0.0 <= signal.strength <= 1.0
        assert 0.0 <= signal.confidence <= 1.0
        if signal.direction is Direction.LONG:
            close = float(bars[index].close)
            assert signal.stop is not None
            assert signal.target is not None
            assert 0.0 < signal.stop < close < signal.target
            assert signal.target - close > close - signal.stop


@settings(max_examples=40)
@given(walks(), st.integers(0, 100))
def test_the_future_changes_nothing_and_the_same_bars_give_the_same_answers(bars: list[Bar], cut: int) -> None:
    assert trade(bars[:cut]) == trade(bars)[:cut]


def test_the_walks_do_reach_entries_and_exits() -> None:
    """Else the properties above would be empty."""
    bars = [bar(n, 100 + 0.1 * n + (3 if n % 25 > 20 else 0), volume=10 + n % 3) for n in range(200)]
    said = [signal.direction for signal, _ in trade(bars) if signal is not None]
    assert said.count(Direction.LONG) >= 3
    assert said.count(Direction.FLAT) >= 3


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"breakout_bars": 1}, "breakout_bars is 1; allowed: a whole number from 2 to 10000"),
        ({"breakout_bars": 20.0}, "breakout_bars is 20.0; allowed: a whole number from 2 to 10000"),
        ({"slow_bars": True}, "slow_bars is True; allowed: a whole number from 2 to 10000"),
        ({"stop_atr": float("nan")}, "stop_atr is nan; allowed: a number from 0.1 to 100.0"),
        ({"min_confidence": "high"}, "min_confidence is 'high'; allowed: a number from 0.5 to 1.0"),
        ({"fast_bars": 120}, "fast_bars is 120; allowed: below slow_bars, which is 120"),
        ({"target_atr": 4.0}, "stop_atr is 4.0; allowed: below target_atr, which is 4.0"),
    ],
)
def test_a_bad_setting_is_named_with_its_value_and_what_is_allowed(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match="allowed") as refused:
        MomentumParams(**changes)  # type: ignore[arg-type]  # wrong types are the point
    assert str(refused.value) == message


def test_the_spec_makes_the_strategy_it_describes() -> None:
    assert SPEC.api == API_VERSION
    params = SPEC.params()
    assert SPEC.warmup_bars(params) == params.warmup_bars == 360
    assert isinstance(SPEC.factory(params), Momentum)
