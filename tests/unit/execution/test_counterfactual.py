"""What a trade that never was would have made: the walk against another one, event by event and bar by bar."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from decimal import ROUND_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.execution.counterfactual import HORIZON_MS, Ending, Hypothetical, Outcome, touched
from app.market.events import BarOpened, MarketEvent
from strategies.model import Bar, Book, PublicTrade, Quote
from tests.shared import shared_data

MINUTE = 60_000
BEGUN = 10 * MINUTE


def trade(stop: str = "95", target: str | None = "110", horizon: int = 20 * MINUTE) -> Hypothetical:
    return Hypothetical(
        "1" * 32, "declined", "m", "A-B", "B", Decimal(3), Decimal(100), Decimal(stop),
        None if target is None else Decimal(target), Decimal(10), BEGUN, BEGUN + horizon,
    )  # fmt: skip


def bar(minute: int, first: str, high: str, low: str, last: str) -> Bar:
    return Bar(
        "A-B", minute * MINUTE, MINUTE, Decimal(first), Decimal(high), Decimal(low), Decimal(last), Decimal(1)
    )  # fmt: skip


def walk(hypothetical: Hypothetical, events: Sequence[MarketEvent]) -> Outcome | None:
    return next((outcome for event in events if (outcome := touched(hypothetical, event)) is not None), None)


def brute(hypothetical: Hypothetical, bars: Sequence[Bar]) -> tuple[str, Decimal] | None:
    """Every bar, price by price as a pessimist would order them: open, low, high, close."""
    for each in bars:
        opened = each.open_ms
        if opened < hypothetical.begun_ms:
            continue
        closed = opened + each.timeframe_ms
        for place, price in enumerate((each.open, each.low, each.high, each.close)):
            if place and opened >= hypothetical.ends_ms:
                break
            if price <= hypothetical.stop:
                return "STOP", price if place == 0 else hypothetical.stop
            if hypothetical.target is not None and price > hypothetical.target and closed <= hypothetical.ends_ms:
                if each.low <= hypothetical.stop:
                    return "STOP", hypothetical.stop
                return "TARGET", hypothetical.target
        if closed >= hypothetical.ends_ms:
            price = each.open if opened >= hypothetical.ends_ms else each.close
            return "HORIZON", price if hypothetical.target is None else min(price, hypothetical.target)
    return None


@st.composite
def markets(draw: st.DrawFn) -> list[Bar]:
    result, price, minute = [], 100, draw(st.integers(5, 12))
    for _ in range(draw(st.integers(1, 40))):
        first = price + draw(st.integers(-3, 3))
        last = first + draw(st.integers(-4, 4))
        high = max(first, last) + draw(st.integers(0, 4))
        low = min(first, last) - draw(st.integers(0, 4))
        result.append(bar(minute, str(first), str(high), str(low), str(last)))
        price, minute = last, minute + draw(st.sampled_from([1, 1, 1, 1, 2, 30]))
    return result


@given(markets(), st.integers(90, 99), st.none() | st.integers(101, 110), st.integers(1, 40))
def test_bars_against_a_walk_of_every_price(bars: list[Bar], stop: int, target: int | None, minutes: int) -> None:
    hypothetical = trade(str(stop), None if target is None else str(target), minutes * MINUTE - 30_000 * (minutes % 2))
    found = walk(hypothetical, bars)
    assert (None if found is None else (found.ending.value, found.price)) == brute(hypothetical, bars)


@pytest.mark.shared
@pytest.mark.parametrize("start", [0, 5_000, 10_000])
def test_a_recorded_month_against_a_walk_of_every_price(start: int) -> None:
    path = shared_data("market/candles/1m/bittrex_ETH-BTC_1m_20180120.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[start : start + 3_000]
    bars = [
        Bar("A-B", int(r["timestamp_ms"]), MINUTE, *(Decimal(r[n]) for n in ("open", "high", "low", "close", "volume")))
        for r in rows
    ]
    endings = set()
    for number in range(0, len(bars) - 1500, 50):
        entry = bars[number].close
        for percent in (Decimal("0.003"), Decimal("0.02"), Decimal("0.5")):
            stop, target = entry * (1 - percent), entry * (1 + percent * 2)
            begun = bars[number].close_ms
            made = Hypothetical(
                "1" * 32, "expired", "m", "A-B", "B", Decimal(1), entry, stop, target, Decimal(10), begun,
                begun + HORIZON_MS,
            )  # fmt: skip
            found = walk(made, bars)
            assert (None if found is None else (found.ending.value, found.price)) == brute(made, bars)
            endings.add(found.ending if found else Ending.OPEN)
    assert {Ending.STOP, Ending.TARGET, Ending.HORIZON} <= endings


def test_stop_before_target_and_a_gap_is_paid() -> None:
    assert touched(trade(), bar(10, "100", "120", "94", "119")) == Outcome(Ending.STOP, Decimal(95), 11 * MINUTE)
    assert touched(trade(), bar(10, "90", "120", "80", "119")) == Outcome(Ending.STOP, Decimal(90), 11 * MINUTE)
    assert touched(trade(), bar(10, "115", "120", "114", "119")) == Outcome(Ending.TARGET, Decimal(110), 11 * MINUTE)
    assert touched(trade(), bar(9, "90", "120", "80", "119")) is None, "it was open when the answer fell"
    assert touched(trade(target=None), bar(10, "100", "500", "99", "400")) is None


@pytest.mark.parametrize(
    ("price", "ending", "sold"),
    [("95", "STOP", "95"), ("90", "STOP", "90"), ("110.1", "TARGET", "110"), ("130", "TARGET", "110"), ("99", "", "")],
)
def test_quotes_books_trades_and_opens(price: str, ending: str, sold: str) -> None:
    at, amount = BEGUN + 1, Decimal(price)
    far = amount + 50  # what a buyer pays ends nothing
    events: list[MarketEvent] = [
        Quote("A-B", at, amount, far, Decimal(1), Decimal(1)),
        Book("A-B", at, ((amount, Decimal(1)),), ((far, Decimal(1)),)),
        PublicTrade("A-B", at, amount, Decimal(1)),
        BarOpened("A-B", at, MINUTE, amount, Decimal(1)),
    ]
    for event in events:
        assert touched(trade(), event) == (Outcome(Ending(ending), Decimal(sold), at) if ending else None)
    assert touched(trade(), Book("A-B", at, (), ((far, Decimal(1)),))) is None
    assert touched(trade(), PublicTrade("A-B", BEGUN - 1, amount, Decimal(1))) is None


def test_at_the_horizon_it_is_sold_for_what_there_is() -> None:
    ends = BEGUN + 20 * MINUTE
    for at in (ends, ends + 5):
        late = PublicTrade("A-B", at, Decimal(103), Decimal(1))
        assert touched(trade(), late) == Outcome(Ending.HORIZON, Decimal(103), at)
    after = PublicTrade("A-B", ends + 5, Decimal(300), Decimal(1))
    assert touched(trade(), after) == Outcome(Ending.HORIZON, Decimal(110), ends + 5)
    across = bar(29, "100", "120", "99", "104")
    assert touched(trade(horizon=19 * MINUTE + 30_000), across) == Outcome(Ending.HORIZON, Decimal(104), 30 * MINUTE)
    assert touched(trade(), across) == Outcome(Ending.TARGET, Decimal(110), 30 * MINUTE)


@given(st.decimals(Decimal("0.01"), Decimal(1000), places=2))
def test_both_fees_are_paid_and_rounded_up(price: Decimal) -> None:
    made = trade()
    unit = Decimal("0.00000001")
    fees = sum((3 * each / 1000).quantize(unit, ROUND_UP) for each in (Decimal(100), price))
    assert made.result(price) == 3 * (price - 100) - fees


def test_at_exactly_the_target_a_bid_buys_and_a_price_that_traded_proves_nothing() -> None:
    """As at the paper venue: a limit that rests is filled by a bid, or by a range that goes through it."""
    at, target, one = BEGUN + 1, Decimal(110), Decimal(1)
    bids: list[MarketEvent] = [
        Quote("A-B", at, target, target + 1, one, one),
        Book("A-B", at, ((target, one),), ((target + 1, one),)),
    ]
    traded: list[MarketEvent] = [
        PublicTrade("A-B", at, target, one),
        BarOpened("A-B", at, MINUTE, target, one),
        bar(10, "100", "110", "99", "105"),
    ]
    assert [touched(trade(), event) for event in bids] == [Outcome(Ending.TARGET, target, at)] * 2
    assert [touched(trade(), event) for event in traded] == [None] * 3
