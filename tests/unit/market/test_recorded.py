"""The real recordings beside the project: what their README counts, we count."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest

from app.errors import DataError
from app.market.events import MarketEvent
from app.market.replay import ReplaySource
from strategies.model import Bar, Book, PublicTrade, Quote
from tests.shared import shared_data

pytestmark = pytest.mark.shared

COUNTED = ("gaps", "missing_bars", "zero_volume")


def kinds(events: list[MarketEvent]) -> dict[str, int]:
    return Counter(type(event).__name__ for event in events)


def readme_rows() -> dict[str, tuple[int, dict[str, int]]]:
    """Rows and defects by file, from the candle table of the data's README."""
    text = shared_data("README.md").read_text()
    found: dict[str, tuple[int, dict[str, int]]] = {}
    row = re.compile(r"^\| (\d+\w/\S+\.csv\.gz) \| (\d+) \|[^|]*\|[^|]*\| ([^|]*) \|", re.MULTILINE)
    for file, rows, defects in row.findall(text):
        found[file] = int(rows), {name: int(count) for name, count in re.findall(r"(\w+) (\d+)", defects)}
    return found


@pytest.mark.parametrize(
    "file",
    [
        "1m/bittrex_ETH-BTC_1m_20180120.csv.gz",
        "1m/binance_XRP-ETH_1m_20191011.csv.gz",
        "1m/kraken_BTC-USDT_1m_20251110.csv.gz",
        "1m/bybit_BTC-USDT-PERP_1m_20221213.csv.gz",
        "1h/binance_BTC-USDT_1h_20201117.csv.gz",
        "1h/binance_ETH-USDT_1h_20201117.csv.gz",
        "1s/coinbase_BTC-USD_1s_20161007.csv.gz",
        "4h/binance_BTC-USDT_4h_20180203.csv.gz",
        "1d/coinbase_BTC-USD_1d_20141201.csv.gz",
        "5m/binance_XRP-ETH_5m_20191011.csv.gz",
    ],
)
def test_candle_defects_are_those_the_readme_counts(file: str) -> None:
    rows, defects = readme_rows()[file]
    source = ReplaySource(shared_data(f"market/candles/{file}"))
    counts = source.warnings.counts.get(Path(file).name, {})
    assert {rule: counts.get(rule, 0) for rule in COUNTED} == {rule: defects.get(rule, 0) for rule in COUNTED}
    assert counts.get("duplicate", 0) == defects.get("duplicate_ts", 0)
    assert set(counts) <= {*COUNTED, "duplicate", "perpetual_as_collateralised"}
    assert source.total_events == 2 * (rows - counts.get("duplicate", 0))


def test_the_slices_own_file() -> None:
    source = ReplaySource(shared_data("market/candles/1m/bittrex_ETH-BTC_1m_20180120.csv.gz"))
    assert source.warnings.counts == {"bittrex_ETH-BTC_1m_20180120.csv.gz": {"gaps": 1, "missing_bars": 1}}
    assert kinds(list(source.events())) == {"Bar": 14397, "BarOpened": 14397}
    assert (source.instruments[0].tick, source.instruments[0].lot) == (Decimal("1E-8"), Decimal("1E-8"))
    tail = list(source.events(28_000))
    assert tail == list(islice(source.events(), 28_000, None))
    assert len(tail) == 794


def test_interleaved_rows_are_dropped() -> None:
    # The README counts 5 backward steps; each is one row, and each is dropped. Its 6 gaps with 30 bars are steps
    # between raw rows: 5 of them (25 bars) lead forward from an interleaved row and are gone with it.
    name = "coinbase_BTC-USD_1h_20170701.csv.gz"
    counts = ReplaySource(shared_data(f"market/candles/1h/{name}")).warnings.counts[name]
    assert counts == {"backward": 5, "gaps": 1, "missing_bars": 5, "zero_volume": 26}


def test_trades_make_the_recorded_candles() -> None:
    made = ReplaySource(shared_data("market/trades/binance_XRP-ETH_20191011.csv.gz"))
    recorded = ReplaySource(shared_data("market/candles/1m/binance_XRP-ETH_1m_20191011.csv.gz"))
    bars = [event for event in made.events() if isinstance(event, Bar)]
    expected = [event for event in recorded.events() if isinstance(event, Bar)]
    # 2469 candles were recorded; the recording of trades ends within the last, which is therefore not released.
    assert len(expected) == 2469
    assert bars == expected[:-1]
    assert made.warnings.counts == {"binance_XRP-ETH_20191011.csv.gz": {"unfinished_bar": 1}}


def test_the_zero_amount_of_2011_is_dropped() -> None:
    source = ReplaySource(shared_data("market/trades/bitstamp_BTC-USD_20110913.csv.gz"))
    assert source.warnings.counts["bitstamp_BTC-USD_20110913.csv.gz"] == {"not_positive": 1, "unfinished_bar": 1}
    assert kinds(list(source.events()))["PublicTrade"] == 9998


def test_quote_bars() -> None:
    source = ReplaySource(shared_data("market/candles/quotes_1m/coinbase_BTC-USD_20180404.csv.gz"))
    assert kinds(list(source.events())) == {"Quote": 2873, "Bar": 2873}
    assert source.warnings.counts["coinbase_BTC-USD_20180404.csv.gz"]["gaps"] == 5
    # There a bid never moved within a bar; here it fell below the closing one, and stops must see it.
    source = ReplaySource(shared_data("market/candles/quotes_1m/bybit_BTC-USDT_20221213.csv.gz"))
    assert kinds(list(source.events())) == {"Book": 700, "Quote": 721, "Bar": 721}


def test_a_book_with_a_late_snapshot_is_never_crossed() -> None:
    path = shared_data("market/book/binance_spot_BTCUSDT_20240808.jsonl.gz")
    with pytest.raises(DataError, match="--instrument BASE-QUOTE"):
        ReplaySource(path)
    with pytest.raises(DataError, match="a message for 'BTCUSDT' in a recording read as ETHUSDT"):
        ReplaySource(path, instrument="ETH-USDT")
    source = ReplaySource(path, instrument="BTC-USDT")
    assert source.warnings.counts == {path.name: {"unfinished_bar": 1}}  # not one `crossed`, not one `sequence_break`
    events = list(source.events())
    # 3451 deltas: two wait for the snapshot, or are part of it, and the rest make a book each; the snapshot makes one.
    assert kinds(events) == {"Quote": 28040, "PublicTrade": 9757, "Book": 3449, "Bar": 5}
    quote: Quote | None = None
    near = 0
    for event in events:
        if isinstance(event, Quote):
            quote = event
        elif isinstance(event, Book) and quote is not None:
            near += abs(event.bids[0][0] - quote.bid) <= 5
    assert near > 3400  # the book we keep is the one the venue quotes, within 100 ms


def test_days_of_one_capture_chain_and_the_second_needs_no_snapshot(tmp_path: Path) -> None:
    alone = shared_data("market/book/binance_spot_BTCUSDT_20240809.jsonl.gz")
    for day in ("20240808", "20240809"):
        name = f"binance_spot_BTCUSDT_{day}.jsonl.gz"
        (tmp_path / name).symlink_to(shared_data(f"market/book/{name}").absolute())
    source = ReplaySource(tmp_path, instrument="BTC-USDT")
    assert source.warnings.counts == {alone.name: {"unfinished_bar": 1}}
    # Alone: "no book yet" to its end, and quotes all the same.
    lone = ReplaySource(alone, instrument="BTC-USDT")
    assert lone.warnings.counts == {alone.name: {"no_snapshot": 3044, "unfinished_bar": 1}}
    assert source.total_events == lone.total_events + 3044 + 41251 + 1  # and the bar across midnight is whole


def test_bybit_and_hyperliquid_captures() -> None:
    bybit = ReplaySource(shared_data("market/book/bybit_XRPUSDT_20241201_ob500.jsonl.gz"), instrument="XRP-USDT")
    assert kinds(list(bybit.events())) == {"Book": 50}
    assert not bybit.warnings.counts
    name = "hyperliquid_BTC_20250126.jsonl.gz"
    source = ReplaySource(shared_data(f"market/book/{name}"), instrument="BTC-USD-PERP")
    assert kinds(list(source.events())) == {"Book": 46, "PublicTrade": 34}
    assert source.warnings.counts[name]["before_recording"] == 30


def test_single_orders_without_a_starting_book_are_refused() -> None:
    with pytest.raises(DataError, match="without the orders that were resting"):
        ReplaySource(shared_data("market/book/bitstamp_BTCUSD_20150501_l3_a.csv.gz"), instrument="BTC-USD")


def test_an_exchange_name_without_a_quote_asks_for_the_instrument() -> None:
    with pytest.raises(DataError, match="--instrument BASE-QUOTE"):
        ReplaySource(shared_data("market/candles/1m/ftx_BTC-PERP_1m_20211231.csv.gz"))


def test_a_folder_of_one_market_twice_names_both_files() -> None:
    with pytest.raises(DataError, match=r"both record BTC-USDT .*; .*pick one"):
        ReplaySource(shared_data("market/candles"), instrument="BTC-USD-PERP")


def test_a_folder_of_three_markets_merges(tmp_path: Path) -> None:
    for pair in ("ETH-BTC", "LTC-BTC", "XLM-BTC"):
        name = f"bittrex_{pair}_1m_20180120.csv.gz"
        (tmp_path / name).symlink_to(shared_data(f"market/candles/1m/{name}").absolute())
    source = ReplaySource(tmp_path)
    assert [each.symbol for each in source.instruments] == ["ETH-BTC", "LTC-BTC", "XLM-BTC"]
    first = list(islice(source.events(), 9))
    assert [(type(event).__name__, event.symbol) for event in first[3:]] == [
        (kind, pair) for kind in ("Bar", "BarOpened") for pair in ("ETH-BTC", "LTC-BTC", "XLM-BTC")
    ]
    assert source.total_events == 2 * (14397 + 14360 + 14373)
    assert not any(isinstance(event, PublicTrade) for event in first)
