"""Files and folders as one market: merging, chaining, refusing, resuming."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import DataError
from app.market.events import BarOpened, event_time
from app.market.replay import ReplaySource, order_key
from strategies.model import Bar, Instrument, InstrumentKind, PublicTrade
from tests.unit.market.recordings import CANDLES, MINUTE, T0, TRADES, candle, candles, trades, write

CANDLE_NAMES = ("a_ETH-BTC_1m_1.csv", "a_LTC-BTC_1m_1.csv.gz", "deep/b_XLM-BTC_5m_1.csv")


def fill(folder: Path, minutes: dict[str, list[int]], ticks: list[int]) -> None:
    for name, opened in minutes.items():
        frame = 5 if "_5m_" in name else 1
        candles(folder / name, [candle(frame * minute, str(10 + minute)) for minute in opened])
    if ticks:
        trades(folder / "c_SOL-USDT_1.csv", [f"{T0 + tick},,5,1,buy" for tick in ticks])


MINUTES = st.lists(st.integers(0, 12), min_size=1, max_size=12)
MARKETS = st.tuples(
    st.fixed_dictionaries({}, optional={n: st.one_of(MINUTES.map(sorted), MINUTES) for n in CANDLE_NAMES}),
    st.lists(st.integers(0, 600_000), max_size=15).map(sorted),
).filter(lambda found: bool(found[0] or found[1]))


@settings(max_examples=60)
@given(MARKETS, st.data())
def test_a_folder_is_one_ordered_market_and_resuming_gives_its_tail(
    market: tuple[dict[str, list[int]], list[int]], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        fill(Path(folder), *market)
        try:
            source = ReplaySource(Path(folder))
        except DataError as error:
            # Lists in any order: one that mostly runs backwards is refused.
            assert error.code == "data.order"  # noqa: PT017 -- which refusal it is, not that one was raised
            return
        events = list(source.events())
        keys = [order_key(event) for event in events]
        assert keys == sorted(keys)
        assert len(events) == source.total_events
        # Nothing of the future: a bar is the last thing of its time, and an open comes before its bar.
        for event in events:
            if isinstance(event, Bar):
                assert event_time(event) == event.open_ms + event.timeframe_ms
        for before, after in pairwise(e for e in events if isinstance(e, Bar | BarOpened) and e.symbol == "ETH-BTC"):
            assert isinstance(before, Bar) != isinstance(after, Bar)
        start = data.draw(st.integers(0, len(events) + 2))
        again = ReplaySource(Path(folder))
        assert again.source_id == source.source_id
        assert list(again.events(start)) == events[start:]
        count = data.draw(st.integers(0, 5))
        bars = {
            each.symbol: [e for e in events[:start] if isinstance(e, Bar) and e.symbol == each.symbol]
            for each in source.instruments
        }
        assert source.bars_before(start, count) == {s: (b[-count:] if count else []) for s, b in bars.items()}


def test_bars_before_a_position_are_those_released_before_it(tmp_path: Path) -> None:
    source = ReplaySource(candles(tmp_path / "a_ETH-BTC_1m_1.csv", [candle(n) for n in range(4)]))
    events = list(source.events())
    for position in range(9):
        released = [event for event in events[:position] if isinstance(event, Bar)]
        assert source.bars_before(position, 2) == {"ETH-BTC": released[-2:]}
    assert source.bars_before(8, 0) == {"ETH-BTC": []}


def test_closes_come_before_opens_then_trades_then_by_symbol(tmp_path: Path) -> None:
    candles(tmp_path / "a_LTC-BTC_1m_1.csv", [candle(0), candle(1)])
    candles(tmp_path / "a_ETH-BTC_1m_1.csv", [candle(0), candle(1)])
    trades(tmp_path / "b_ADA-BTC_1.csv", [f"{T0 + 5},,1,1,buy", f"{T0 + MINUTE},,1,1,buy"])
    at_minute = [e for e in ReplaySource(tmp_path).events() if event_time(e) == T0 + MINUTE]
    assert [(type(event), event.symbol) for event in at_minute] == [
        (Bar, "ADA-BTC"),
        (Bar, "ETH-BTC"),
        (Bar, "LTC-BTC"),
        (BarOpened, "ETH-BTC"),
        (BarOpened, "LTC-BTC"),
        (PublicTrade, "ADA-BTC"),
    ]


def test_daily_files_of_one_market_follow_one_another(tmp_path: Path) -> None:
    candles(tmp_path / "a_ETH-BTC_1m_2.csv", [candle(3), candle(4)])
    candles(tmp_path / "z_later" / "a_ETH-BTC_1m_1.csv", [candle(0), candle(1)])
    source = ReplaySource(tmp_path)
    assert [(e.open_ms - T0) // MINUTE for e in source.events() if isinstance(e, Bar)] == [0, 1, 3, 4]
    assert source.warnings.counts == {"a_ETH-BTC_1m_2.csv": {"gaps": 1, "missing_bars": 1}}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a_ETH-BTC_1m_1.csv", "b_ETH-BTC_1m_1.csv"),
        ("a_ETH-BTC_1m_1.csv", "a_ETH-BTC_5m_1.csv"),
        ("a_ETH-BTC_1m_1.csv", "a_ETH-BTC_1m_2.csv"),
    ],
)
def test_two_recordings_of_one_instrument_are_refused_by_name(tmp_path: Path, first: str, second: str) -> None:
    for name in (first, second):
        candles(tmp_path / name, [candle(0), candle(5)])
    with pytest.raises(DataError) as caught:
        ReplaySource(tmp_path)
    assert first in str(caught.value)
    assert second in str(caught.value)
    assert "pick one" in str(caught.value).lower()


def test_instrument_and_timeframe_come_from_the_name_or_the_caller(tmp_path: Path) -> None:
    path = candles(tmp_path / "ETHBTC.csv", [candle(0)])
    with pytest.raises(DataError, match="--instrument BASE-QUOTE"):
        ReplaySource(path)
    with pytest.raises(DataError, match="--timeframe"):
        ReplaySource(path, instrument="ETH-BTC")
    assert ReplaySource(path, instrument="ETH-BTC", timeframe="1m").total_events == 2
    named = candles(tmp_path / "a_ETH-BTC_1m_1.csv", [candle(0)])
    with pytest.raises(DataError, match="says ETH-BTC, the caller BTC-USDT"):
        ReplaySource(named, instrument="BTC-USDT")
    with pytest.raises(DataError, match="says 1m, the caller 5m"):
        ReplaySource(named, timeframe="5m")


def test_bars_of_trades_take_the_callers_timeframe(tmp_path: Path) -> None:
    path = trades(tmp_path / "a_ETH-BTC_1.csv", [f"{T0},,1,1,", f"{T0 + 1000},,2,1,"])
    bars = [e for e in ReplaySource(path, timeframe="1s").events() if isinstance(e, Bar)]
    assert [bar.timeframe_ms for bar in bars] == [1000]


def test_tick_and_lot_are_the_most_decimals_or_the_callers(tmp_path: Path) -> None:
    path = candles(tmp_path / "a_ETH-BTC_1m_1.csv", [candle(0, "10.50", "1"), candle(1, "10.125", "0.20")])
    assert ReplaySource(path).instruments == (
        Instrument("ETH-BTC", "ETH", "BTC", Decimal("0.001"), Decimal("0.1"), InstrumentKind.SPOT),
    )
    source = ReplaySource(path, ticks={"ETH-BTC": (Decimal("0.01"), Decimal("0.1"))})
    assert (source.instruments[0].tick, source.instruments[0].lot) == (Decimal("0.01"), Decimal("0.1"))
    assert source.warnings.counts[path.name] == {"off_tick": 1}
    with pytest.raises(DataError, match="tick of ETH-BTC is 0"):
        ReplaySource(path, ticks={"ETH-BTC": (Decimal(0), Decimal(1))})


def test_decimals_of_a_printed_float_do_not_become_the_lot(tmp_path: Path) -> None:
    rows = [candle(0, "10.125", "2.5833652000000003"), candle(1, "0.00012345678901234", "0.5"), candle(2, "10", "1e-9")]
    source = ReplaySource(candles(tmp_path / "a_ETH-BTC_1m_1.csv", rows))
    (instrument,) = source.instruments
    assert (instrument.tick, instrument.lot) == (Decimal("1E-12"), Decimal("1E-8"))
    assert source.warnings.counts == {"a_ETH-BTC_1m_1.csv": {"long_decimals": 2}}
    assert source.warnings.examples["a_ETH-BTC_1m_1.csv:long_decimals"] == [
        "price 0.00012345678901234 has 17 decimals; the tick is taken as 12",
        "amount 2.5833652000000003 has 16 decimals; the lot is taken as 8",
    ]
    told = ReplaySource(tmp_path / "a_ETH-BTC_1m_1.csv", ticks={"ETH-BTC": (Decimal("0.01"), Decimal("1E-16"))})
    assert told.instruments[0].lot == Decimal("1E-16"), "what the caller says is not bounded"


def test_the_id_follows_name_content_and_reading(tmp_path: Path) -> None:
    rows = [f"{T0},,1,1,", f"{T0 + 1000},,2,1,"]
    first = ReplaySource(trades(tmp_path / "a_ETH-BTC_1.csv", rows)).source_id
    assert first.startswith("sha256:")
    others = {
        ReplaySource(trades(tmp_path / "a_LTC-BTC_1.csv", rows)).source_id,
        ReplaySource(trades(tmp_path / "x" / "a_ETH-BTC_1.csv", [*rows, f"{T0 + 2000},,2,1,"])).source_id,
        ReplaySource(tmp_path / "a_ETH-BTC_1.csv", timeframe="1s").source_id,
    }
    assert len(others | {first}) == 4
    assert ReplaySource(trades(tmp_path / "moved" / "a_ETH-BTC_1.csv", rows)).source_id == first


def test_a_file_that_changes_while_in_use_is_refused(tmp_path: Path) -> None:
    path = candles(tmp_path / "a_ETH-BTC_1m_1.csv", [candle(0)])
    source = ReplaySource(path)
    candles(path, [candle(0), candle(1)])
    with pytest.raises(DataError, match="changed while it was in use"):
        list(source.events())


def test_a_folders_other_files_are_named_and_hidden_ones_ignored(tmp_path: Path) -> None:
    candles(tmp_path / "a_ETH-BTC_1m_1.csv", [candle(0)])
    (tmp_path / "README.md").write_text("notes")
    (tmp_path / ".cache.csv").write_text("junk")
    source = ReplaySource(tmp_path)
    assert source.warnings.counts == {"README.md": {"skipped_file": 1}}


def binary(path: Path) -> None:
    path.write_bytes(bytes(range(128, 256)) * 20)


def cut_gzip(path: Path) -> None:
    whole = candles(path.parent / "whole.csv.gz", [candle(n, str(n + 1)) for n in range(2000)])
    path.write_bytes(whole.read_bytes()[:-500])


BROKEN: list[tuple[str, Callable[[Path], object], str]] = [
    ("missing", lambda path: path, "no file or folder"),
    ("empty", lambda path: path.touch(), "is empty"),
    ("blank", lambda path: path.write_text("\n\n \n"), "is empty"),
    ("binary", binary, "row 1: the line is not text"),
    ("truncated gzip", cut_gzip, "can not be read"),
    ("header only", lambda path: candles(path, []), "a header and no rows"),
    ("no header", lambda path: write(path, [candle(0)]), "is no header and no capture"),
    ("missing column", lambda path: write(path, ["timestamp_ms,open,high,low,close", "1"]), "lacks the column volume"),
    ("double column", lambda path: write(path, ["timestamp_ms,open,open,high,low,close,volume", "1"]), "header"),
    ("funding rates", lambda path: write(path, ["timestamp_ms,funding_rate", "1,2"]), "lacks the column"),
    ("single orders", lambda path: write(path, ["id,timestamp,price,volume,action,direction", "1"]), "L3"),
    ("other JSON", lambda path: write(path, ['{"ts": 1, "dir": "in"}']), "JSON lines with the keys 'ts', 'dir'"),
    ("deep JSON", lambda path: write(path, ['{"a":' * 100_000]), "not JSON"),
    ("a pipe", os.mkfifo, "not a regular file"),
    ("a folder", lambda path: path.mkdir(), "has no data files"),
]


@pytest.mark.parametrize(("make", "told"), [pytest.param(make, told, id=name) for name, make, told in BROKEN])
def test_broken_input_says_what_is_wrong_and_what_to_do(
    tmp_path: Path, make: Callable[[Path], object], told: str
) -> None:
    path = tmp_path / "a_ETH-BTC_1m_1.csv"
    make(path)
    with pytest.raises(DataError, match=told) as caught:
        ReplaySource(path)
    assert path.name in str(caught.value)
    assert caught.value.next_step
    assert caught.value.exit_code == 2


HOSTILE_LINE = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.one_of(st.sampled_from([str(T0), str(T0 + MINUTE), "1", "0", "-1", "nan", "1e9", ""]), st.text(max_size=6)),
        min_size=5,
        max_size=6,
    ).map(",".join),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(["e", "s", "b", "a", "B", "A", "U", "u", "data", "type", "ts"]), inner),
        ),
        max_leaves=8,
    ).map(lambda value: f"{T0}000000 " + json.dumps({"stream": "x", "data": value})),
)
HEADERS = st.sampled_from(
    [
        "timestamp_ms,open,high,low,close,volume\n",
        "timestamp_ms,id,price,amount,side\n",
        "",
        '1600000020000000000 {"e":1}\n',
    ]
)


@settings(max_examples=150)
@given(HEADERS, st.lists(HOSTILE_LINE, max_size=6), st.binary(max_size=10))
def test_hostile_text_is_refused_or_counted_and_nothing_else(header: str, lines: list[str], tail: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a_ETH-BTC_1m_1.csv"
        path.write_bytes((header + "\n".join(lines)).encode("utf-8", "surrogatepass") + tail)
        read_or_refused(path)


WHOLE = {
    "a_ETH-BTC_1m_1.csv": [CANDLES, *(candle(n, f"{n + 1}.5") for n in range(6))],
    "a_ETH-BTC_1.csv": [TRADES, *(f"{T0 + n},{n},1.5,2,buy" for n in range(6))],
    "a_BTC-USDT_1.jsonl": [
        f'{T0}000000 {{"lastUpdateId": 5, "bids": [["10", "1"]], "asks": [["11", "1"]]}}',
        *(
            f'{T0 + n}000000 {{"data": {{"e": "depthUpdate", "s": "BTCUSDT", "U": {n}, "u": {n}, "b": [], "a": []}}}}'
            for n in range(5, 9)
        ),
    ],
}


@settings(max_examples=150)
@given(st.sampled_from(sorted(WHOLE)), st.booleans(), st.data())
def test_a_damaged_recording_is_refused_or_counted_and_nothing_else(
    name: str, zipped: bool, data: st.DataObject
) -> None:
    whole = ("\n".join(WHOLE[name]) + "\n").encode()
    content = gzip.compress(whole, mtime=0) if zipped else whole
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    content = content[:start] + data.draw(st.binary(max_size=12)) + content[end:]
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        read_or_refused(path)


def read_or_refused(path: Path) -> None:
    try:
        source = ReplaySource(path)
    except DataError as error:
        told = str(error)
    else:
        assert len(list(source.events())) == source.total_events
        return
    assert path.name in told
