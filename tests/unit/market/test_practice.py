"""The practice market: reproducible, resumable, and a market one can trade."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from itertools import islice

import pytest

from app.errors import UsageError
from app.market.events import MarketEvent, event_time
from app.market.practice import MARKETS, PracticeSource
from app.market.replay import order_key
from strategies.model import Bar, Book, PublicTrade

START = 1_700_000_000_000
HOUR = 60
PROGRAM = """
import hashlib, itertools
from app.market.practice import PracticeSource
events = itertools.islice(PracticeSource(11, start_ms=1_700_000_000_000).events(), 3000)
print(hashlib.sha256("".join(map(repr, events)).encode()).hexdigest())
"""


def take(count: int, seed: int = 11, start: int = 0) -> list[MarketEvent]:
    return list(islice(PracticeSource(seed, start_ms=START).events(start), count))


def test_the_same_seed_is_the_same_market_in_every_process() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("0", "4711")
    }
    assert told == {hashlib.sha256("".join(map(repr, take(3000))).encode()).hexdigest()}
    assert take(200, seed=12) != take(200)


@pytest.mark.parametrize("start", [0, 1, 47, 48, 95, 96, 1000, 5432])
def test_resuming_gives_the_tail(start: int) -> None:
    assert take(300, start=start) == take(start + 300)[start:]


def test_events_are_in_order_and_bars_are_made_of_the_trades_seen() -> None:
    events = take(20_000)
    keys = [order_key(event) for event in events]
    assert keys == sorted(keys)
    assert event_time(events[0]) == START - START % 60_000
    trades: dict[str, list[PublicTrade]] = {}
    bars = 0
    for event in events:
        if isinstance(event, PublicTrade):
            trades.setdefault(event.symbol, []).append(event)
        elif isinstance(event, Bar):
            inside = trades.pop(event.symbol)
            bars += 1
            prices = [trade.price for trade in inside]
            assert (event.open, event.high, event.low, event.close) == (prices[0], max(prices), min(prices), prices[-1])
            assert event.volume == sum(trade.quantity for trade in inside)
            assert all(event.open_ms <= trade.ts_ms < event.close_ms for trade in inside)
    assert bars > 800


def test_books_can_be_walked_and_everything_is_on_tick_and_lot() -> None:
    source = PracticeSource(3, start_ms=START)
    steps = {each.symbol: (each.tick, each.lot) for each in source.instruments}
    assert list(steps) == sorted(market.symbol for market in MARKETS)
    last: dict[str, Book] = {}
    for event in islice(source.events(), 20_000):
        tick, lot = steps[event.symbol]
        if isinstance(event, Book):
            quote = event.quote()
            assert quote is not None
            assert not event.synthetic
            assert quote.bid < quote.ask
            assert [level[0] for level in event.bids] == sorted({level[0] for level in event.bids}, reverse=True)
            assert [level[0] for level in event.asks] == sorted({level[0] for level in event.asks})
            assert len(event.bids) == len(event.asks) == 10
            assert all(p % tick == 0 and p > 0 and q % lot == 0 and q > 0 for p, q in event.bids + event.asks)
            last[event.symbol] = event
        elif isinstance(event, PublicTrade):
            assert event.price in (last[event.symbol].bids[0][0], last[event.symbol].asks[0][0])
            assert event.quantity % lot == 0


def test_the_cross_follows_its_two_legs_and_prices_stay_near_home_for_years() -> None:
    source = PracticeSource(5, start_ms=START, timeframe_ms=3_600_000)
    number = {market.symbol: place for place, market in enumerate(MARKETS)}
    lowest, highest = [market.price for market in MARKETS], [market.price for market in MARKETS]
    for _, _, plans in islice(source._plans(), 3 * 365 * 24):
        ends = [plan.end for plan in plans]
        ratio = ends[number["ETH-USDT"]] / ends[number["BTC-USDT"]]
        assert abs(ends[number["ETH-BTC"]] / ratio - 1) < 0.03
        lowest, highest = list(map(min, lowest, ends)), list(map(max, highest, ends))
    for market, low, high in zip(MARKETS, lowest, highest, strict=True):
        assert 0.3 * market.price < low < 0.98 * market.price
        assert 1.02 * market.price < high < 3 * market.price


@pytest.mark.parametrize("seed", range(5))
def test_a_breakout_happens_within_an_hour(seed: int) -> None:
    closes: dict[str, list[float]] = {}
    found = 0
    for event in islice(PracticeSource(seed, start_ms=START).events(), 90 * HOUR):
        if isinstance(event, Bar):
            past = closes.setdefault(event.symbol, [])
            found += len(past) >= 20 and float(event.close) > max(past[-20:])
            past.append(float(event.close))
    assert found >= 3


@pytest.mark.parametrize("position", [0, 1, 96, 97, 3000, 3001])
def test_bars_before_a_position_are_those_released_before_it(position: int) -> None:
    source = PracticeSource(11, start_ms=START)
    released = [event for event in take(position) if isinstance(event, Bar)]
    for count in (0, 1, 7):
        expected = {
            each.symbol: [bar for bar in released if bar.symbol == each.symbol][-count:] if count else []
            for each in source.instruments
        }
        assert source.bars_before(position, count) == expected


@pytest.mark.parametrize("bar", [0, 1, 7])
def test_the_position_of_a_bar_is_where_the_bars_before_it_are_complete(bar: int) -> None:
    source = PracticeSource(11, start_ms=START)
    position, opens_ms = source.position_of(bar), START - START % 60_000 + bar * 60_000
    past, coming = take(position), take(1, start=position)
    assert event_time(coming[0]) >= opens_ms
    assert sum(type(event) is Bar for event in past) == bar * len(source.instruments)
    assert all(event_time(event) <= opens_ms for event in past)


def test_the_id_names_everything_that_decides_the_events() -> None:
    sources = [
        PracticeSource(1, start_ms=START),
        PracticeSource(2, start_ms=START),
        PracticeSource(1, start_ms=START + 60_000),
        PracticeSource(1, start_ms=START, timeframe_ms=300_000),
        PracticeSource(1, start_ms=START, markets=MARKETS[:1]),
    ]
    assert len({source.source_id for source in sources}) == 5
    assert sources[0].source_id == PracticeSource(1, start_ms=START + 1).source_id
    assert sources[0].source_id.startswith("practice:v1:1:")
    assert sources[0].total_events is None
    assert not sources[0].warnings.counts


@pytest.mark.parametrize("frame", [0, -60_000, 7_000, 1_000, 2 * 86_400_000])
def test_an_impossible_timeframe_is_refused(frame: int) -> None:
    with pytest.raises(UsageError, match="practice market can not make bars"):
        PracticeSource(1, start_ms=START, timeframe_ms=frame)
