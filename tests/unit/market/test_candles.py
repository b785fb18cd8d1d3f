"""Candles and quote bars: every rule of the table in `app.market.files`, on small files."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from app.errors import DataError
from app.market.events import BarOpened, MarketEvent, event_time
from app.market.files import CANDLE_COLUMNS, QUOTE_COLUMNS
from app.market.replay import ReplaySource
from app.market.state import MarketState
from app.market.synthetic import SyntheticSettings
from strategies.model import Bar, Book, Quote
from tests.unit.market.recordings import MINUTE, T0, candle, candles, write

NAME = "bittrex_ETH-BTC_1m_20200913.csv"


def load(tmp_path: Path, rows: list[str], name: str = NAME) -> tuple[list[MarketEvent], dict[str, int]]:
    source = ReplaySource(candles(tmp_path / name, rows))
    events = list(source.events())
    assert source.total_events == len(events)
    return events, source.warnings.counts.get(name, {})


def opens(events: list[MarketEvent]) -> list[int]:
    return [(event.open_ms - T0) // MINUTE for event in events if isinstance(event, Bar)]


def test_a_row_gives_its_open_at_the_open_and_its_bar_at_the_close(tmp_path: Path) -> None:
    events, warnings = load(tmp_path, [f"{T0},0.10,0.12,0.09,0.110,3.5", candle(1)])
    assert events[:2] == [
        BarOpened("ETH-BTC", T0, MINUTE, Decimal("0.10"), Decimal("3.5")),
        Bar("ETH-BTC", T0, MINUTE, *map(Decimal, ("0.10", "0.12", "0.09", "0.11", "3.5"))),
    ]
    # The close of one bar comes before the open of the next, at the same instant.
    assert [type(event) for event in events] == [BarOpened, Bar, BarOpened, Bar]
    assert event_time(events[1]) == event_time(events[2]) == T0 + MINUTE
    assert not warnings


def test_duplicates_and_rows_running_backwards_are_dropped_and_counted(tmp_path: Path) -> None:
    events, warnings = load(tmp_path, [candle(0), candle(1), candle(1), candle(1, "11"), candle(0), candle(2)])
    assert opens(events) == [0, 1, 2]
    assert warnings == {"duplicate": 1, "conflicting_duplicate": 1, "backward": 1}


def test_a_row_written_differently_and_equal_is_a_plain_duplicate(tmp_path: Path) -> None:
    _, warnings = load(tmp_path, [candle(0, "10.0"), candle(0, "10")])
    assert warnings == {"duplicate": 1}


def test_a_dropped_row_does_not_shadow_a_good_one_of_the_same_time(tmp_path: Path) -> None:
    events, warnings = load(tmp_path, [candle(0), candle(1, "nan"), candle(1, "12")])
    assert opens(events) == [0, 1]
    assert warnings == {"not_a_number": 1}


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("nan,2,1,1,1", "not_a_number"),
        ("1,inf,1,1,1", "not_a_number"),
        ("1,2,1,1,", "not_a_number"),
        ("0,2,0,1,1", "not_positive"),
        ("-1,2,-1,1,1", "not_positive"),
        ("1,2,1,1,-0.1", "not_positive"),
        ("1,2,1.5,2,1", "inconsistent"),
        ("3,2,1,1,1", "inconsistent"),
        ("1,2,1,2.5,1", "inconsistent"),
    ],
)
def test_a_row_that_can_not_be_true_is_dropped(tmp_path: Path, row: str, rule: str) -> None:
    events, warnings = load(tmp_path, [candle(0), f"{T0 + MINUTE},{row}", candle(2)])
    assert opens(events) == [0, 2]
    assert warnings == {rule: 1, "gaps": 1, "missing_bars": 1}


def test_gaps_stay_gaps_and_zero_volume_is_kept(tmp_path: Path) -> None:
    events, warnings = load(tmp_path, [candle(0), candle(3), candle(4, volume="0"), candle(6)])
    assert opens(events) == [0, 3, 4, 6]
    assert warnings == {"gaps": 2, "missing_bars": 3, "zero_volume": 1}


def test_a_bar_that_opens_within_another_is_dropped(tmp_path: Path) -> None:
    events, warnings = load(tmp_path, [candle(0), f"{T0 + 30_000},1,1,1,1,1", candle(1)])
    assert opens(events) == [0, 1]
    assert warnings == {"overlap": 1}


@pytest.mark.parametrize(("claimed", "overlaps"), [("1h", 118), ("5m", 96), ("2m", 60)])
def test_bars_read_with_too_long_a_timeframe_are_refused(tmp_path: Path, claimed: str, overlaps: int) -> None:
    path = candles(tmp_path / "x.csv", [candle(n) for n in range(120)])
    with pytest.raises(
        DataError, match=rf"x.csv: {overlaps} of 120 rows open .* as {claimed}, they are 1m apart"
    ) as no:
        ReplaySource(path, instrument="ETH-BTC", timeframe=claimed)
    assert "--timeframe 1m" in str(no.value)
    assert no.value.exit_code == 2
    assert ReplaySource(path, instrument="ETH-BTC", timeframe="1m").total_events == 240


YEAR_2049 = "2516424040000"


def test_a_time_far_ahead_of_the_rows_around_it_is_dropped_alone(tmp_path: Path) -> None:
    wrong = candle(40).replace(str(T0 + 40 * MINUTE), YEAR_2049)
    events, warnings = load(tmp_path, [*map(candle, range(40)), wrong, *map(candle, range(41, 100))])
    assert opens(events) == [*range(40), *range(41, 100)]
    assert warnings == {"time_outlier": 1, "gaps": 1, "missing_bars": 1}


def test_a_gap_is_no_outlier_and_neither_is_the_last_row(tmp_path: Path) -> None:
    events, warnings = load(tmp_path, [candle(0), candle(50), candle(49), candle(51), candle(500)])
    assert opens(events) == [0, 50, 51, 500]
    assert warnings == {"backward": 1, "gaps": 2, "missing_bars": 497}


def test_rows_that_never_come_back_to_where_a_wrong_time_led_are_not_dropped_in_silence(tmp_path: Path) -> None:
    wrong = [candle(n).replace(str(T0 + n * MINUTE), f"{YEAR_2049[:-5]}{n}000") for n in (80, 81)]
    with pytest.raises(DataError, match=r"the last 18 rows are older than what .* reaches to 25164241"):
        load(tmp_path, [*map(candle, range(80)), *wrong, *map(candle, range(82, 100))])
    events, warnings = load(tmp_path, [candle(n) for n in (*range(40), *range(20, 42))])
    assert opens(events) == list(range(42)), "a page that was fetched twice is no loss"
    assert warnings == {"backward": 19, "duplicate": 1}


def test_an_unfinished_last_row_is_dropped_and_a_whole_one_kept(tmp_path: Path) -> None:
    header = ",".join(CANDLE_COLUMNS)
    for tail, rule, kept in ((f"{T0 + MINUTE},1,1,1", "truncated_row", [0]), (candle(1), "no_final_newline", [0, 1])):
        source = ReplaySource(write(tmp_path / NAME, [header, candle(0), tail], last_newline=False))
        assert source.warnings.counts[NAME] == {rule: 1}
        assert opens(list(source.events())) == kept


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / NAME, ["close,volume,note,open,low,high,timestamp_ms", f"11,5,x,10,9,12,{T0}", ""])
    source = ReplaySource(path)
    assert list(source.events())[1] == Bar("ETH-BTC", T0, MINUTE, *map(Decimal, ("10", "12", "9", "11", "5")))
    assert source.warnings.counts == {NAME: {"blank_row": 1}}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([candle(0), "junk"], "row 3: the number of fields"),
        ([candle(0), f"{T0 + MINUTE},1,1,1,abc,1"], "row 3: 'abc' is not a number"),
        ([candle(0), "1600000080,1,1,1,1,1"], "row 3: '1600000080' is not a time in ms"),
        ([candle(0), f"{T0 + MINUTE},1,1,1,1,1,1"], "row 3: the number of fields"),
        ([f"{T0},nan,1,1,1,1"], "no usable row .not_a_number 1"),
        ([candle(n) for n in range(9, -1, -1)], "9 of 10 rows run backwards"),
    ],
)
def test_a_file_that_is_not_what_it_claims_is_refused_with_the_place(
    tmp_path: Path, rows: list[str], told: str
) -> None:
    with pytest.raises(DataError, match=told) as caught:
        load(tmp_path, rows)
    assert NAME in str(caught.value)
    assert caught.value.next_step


def test_rows_always_further_apart_than_the_timeframe_are_doubted(tmp_path: Path) -> None:
    _, warnings = load(tmp_path, [candle(5 * n) for n in range(100)])
    assert warnings["timeframe_doubtful"] == 1


def test_volume_in_dollars_becomes_volume_in_coins(tmp_path: Path) -> None:
    path = candles(tmp_path / "ftx_BTC-PERP_1m_20211231.csv", [candle(0, "40000", "100000")])
    source = ReplaySource(path, instrument="BTC-USD-PERP")
    assert list(source.events())[1].volume == Decimal("2.5")  # type: ignore[union-attr]
    assert source.warnings.counts[path.name] == {"quote_volume": 1, "perpetual_as_collateralised": 1}


def test_a_quote_bar_gives_its_last_quote_before_its_close_and_a_bar_of_mids(tmp_path: Path) -> None:
    rows = [
        f"{T0},10.0,10.4,9.8,10.2,3,10.1,10.6,10.0,10.3,4",
        f"{T0 + MINUTE},10,10,10,10,3,10,10,10,10,4",
        f"{T0 + 2 * MINUTE},10,10,10,10,0,11,11,11,11,4",
        f"{T0 + 3 * MINUTE},10,10,10,10,,11,11,11,11,4",
    ]
    name = "bybit_BTC-USDT_20221213.csv"
    source = ReplaySource(write(tmp_path / "quotes_1m" / name, [",".join(QUOTE_COLUMNS), *rows]))
    lowest, quote, bar = source.events()
    assert lowest == Book("BTC-USDT", T0 + MINUTE - 1, ((Decimal("9.8"), Decimal(3)),), ())
    assert quote == Quote("BTC-USDT", T0 + MINUTE - 1, Decimal("10.2"), Decimal("10.3"), Decimal(3), Decimal(4))
    assert bar == Bar("BTC-USDT", T0, MINUTE, *map(Decimal, ("10.05", "10.5", "9.9", "10.25", "0")))
    assert source.warnings.counts == {name: {"crossed": 1, "not_positive": 1, "not_a_number": 1}}


def test_a_bar_that_closes_at_its_lowest_bid_needs_no_more_than_its_last_quote(tmp_path: Path) -> None:
    row = f"{T0},10.0,10.4,9.8,9.8,3,10.1,10.6,10.0,10.0,4"
    path = write(tmp_path / "quotes_1m" / "bybit_BTC-USDT_20221213.csv", [",".join(QUOTE_COLUMNS), row])
    assert [type(event) for event in ReplaySource(path).events()] == [Quote, Bar]


def test_the_lowest_bid_of_a_bar_tells_the_trader_nothing(tmp_path: Path) -> None:
    rows = [
        f"{T0},10.0,10.4,9.8,10.2,3,10.1,10.6,10.0,10.3,4",
        f"{T0 + MINUTE},10.2,10.4,5,10.1,3,10.3,10.6,6,10.3,4",
    ]
    path = write(tmp_path / "quotes_1m" / "bybit_BTC-USDT_20221213.csv", [",".join(QUOTE_COLUMNS), *rows])
    source = ReplaySource(path)
    state, seen = MarketState(source.instruments), []
    for event in source.events():
        state.apply(event, SyntheticSettings())
        seen.append((state.quote("BTC-USDT"), state.book("BTC-USDT"), state.mark("BTC-USDT")))
    assert seen[3] == seen[1], "after the second bar's lowest bid all is as after the first bar's last quote"
