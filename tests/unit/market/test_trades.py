"""Trades, and the bars made of them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DataError
from app.market.events import event_time
from app.market.replay import ReplaySource
from app.market.rows import Findings
from app.market.trades import with_bars
from strategies.model import Bar, PublicTrade, Side
from tests.unit.market.recordings import MINUTE, T0, trades

NAME = "binance_ETH-BTC_20200913.csv"


def test_trades_and_the_bar_they_make(tmp_path: Path) -> None:
    rows = [
        f"{T0 + 1000},1,10,1,buy",
        f"{T0 + 2000},2,12,0.5,sell",
        f"{T0 + 59_999},3,9,2,",
        f"{T0 + MINUTE},4,11,1,buy",
    ]
    source = ReplaySource(trades(tmp_path / NAME, rows))
    events = list(source.events())
    assert events[0] == PublicTrade("ETH-BTC", T0 + 1000, Decimal(10), Decimal(1), Side.BUY)
    assert [event.taker for event in events if isinstance(event, PublicTrade)] == [Side.BUY, Side.SELL, None, Side.BUY]
    # The bar comes at its close, before the trade of that very instant, and the last one has no close yet.
    assert events[3] == Bar("ETH-BTC", T0, MINUTE, *map(Decimal, ("10", "12", "9", "9", "3.5")))
    assert source.warnings.counts == {NAME: {"unfinished_bar": 1}}
    assert (source.instruments[0].tick, source.instruments[0].lot) == (Decimal(1), Decimal("0.1"))


def test_rules_for_trades(tmp_path: Path) -> None:
    rows = [
        f"{T0},1,10,1,buy",
        f"{T0},1,10,1,buy",  # same id, same content
        f"{T0},1,10,2,buy",  # same id, other content
        f"{T0},,10,1,buy",  # no id: two equal trades happen
        f"{T0},,10,1,buy",
        f"{T0 - 1},5,10,1,buy",  # backward
        f"{T0 + 1},6,10,0,buy",
        f"{T0 + 2},7,10,-1,buy",
        f"{T0 + 3},8,nan,1,buy",
        f"{T0 + 4},1,10,1,sell",  # an old id at a new time: ids are compared within one instant only
    ]
    source = ReplaySource(trades(tmp_path / NAME, rows))
    assert len(list(source.events())) == 4
    assert source.warnings.counts[NAME] == {
        "duplicate": 1,
        "conflicting_duplicate": 1,
        "backward": 1,
        "not_positive": 2,
        "not_a_number": 1,
        "unfinished_bar": 1,
    }


def test_one_wrong_time_does_not_hide_the_trades_after_it(tmp_path: Path) -> None:
    rows = [f"{T0 + 1000 * n},{n},10,1,buy" for n in range(60)]
    rows[30] = "2516424040000,30,10,1,buy"
    source = ReplaySource(trades(tmp_path / NAME, rows))
    assert len(list(source.events())) == 59
    assert source.warnings.counts[NAME] == {"time_outlier": 1, "unfinished_bar": 1}
    rows[31] = "2516424040001,31,10,1,buy"
    with pytest.raises(DataError, match=r"the last 28 rows are older than what .* reaches to 2516424040001"):
        ReplaySource(trades(tmp_path / NAME, rows))


def test_a_side_that_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 2: side 'bid' is not buy, sell or empty"):
        ReplaySource(trades(tmp_path / NAME, [f"{T0},1,10,1,bid"]))


TRADES = st.lists(
    st.tuples(st.integers(0, 400_000), st.integers(1, 1000), st.integers(1, 1000)), min_size=1, max_size=60
).map(
    lambda found: [
        PublicTrade("ETH-BTC", T0 + offset, Decimal(price), Decimal(quantity))
        for offset, price, quantity in sorted(found)
    ]
)


@given(TRADES, st.sampled_from([1000, 60_000, 300_000]))
def test_bars_hold_exactly_the_trades_of_their_time_and_come_when_it_is_over(
    events: list[PublicTrade], frame: int
) -> None:
    result = list(with_bars(events, "ETH-BTC", frame, Findings(), "f"))
    assert [event for event in result if isinstance(event, PublicTrade)] == events
    assert [event_time(event) for event in result] == sorted(event_time(event) for event in result)
    bars = [event for event in result if isinstance(event, Bar)]
    for bar in bars:
        inside = [trade for trade in events if bar.open_ms <= trade.ts_ms < bar.close_ms]
        prices = [trade.price for trade in inside]
        assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
        assert bar.volume == sum(trade.quantity for trade in inside)
        # All of its trades were released before it, and nothing at or after its close was.
        place = result.index(bar)
        assert all(event_time(event) < bar.close_ms for event in result[:place] if isinstance(event, PublicTrade))
        assert {id(trade) for trade in inside} <= {id(event) for event in result[:place]}
    seconds = {trade.ts_ms // frame for trade in events}
    assert len(bars) == len(seconds) - 1
