"""Order-book captures: the rules that keep a book true, on captures of a few lines."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.errors import DataError
from app.market.events import MarketEvent
from app.market.replay import ReplaySource
from strategies.model import Book, PublicTrade, Quote, Side
from tests.unit.market.recordings import T0, write

NAME = "binance_spot_BTC-USDT_20200913.jsonl"


def line(offset_ms: int, message: dict[str, Any]) -> str:
    return f"{T0 + offset_ms}{0:06d} {json.dumps(message)}"


def delta(first: int, last: int, bids: list[list[str]], asks: list[list[str]], pu: int | None = None) -> dict[str, Any]:
    data = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": asks}
    return {"stream": "btcusdt@depth", "data": data if pu is None else {**data, "pu": pu}}


def snapshot(last: int, bids: list[list[str]], asks: list[list[str]]) -> dict[str, Any]:
    return {"lastUpdateId": last, "bids": bids, "asks": asks}


def ticker(bid: str, ask: str, size: str = "1") -> dict[str, Any]:
    return {"stream": "btcusdt@bookTicker", "data": {"u": 1, "s": "BTCUSDT", "b": bid, "B": size, "a": ask, "A": size}}


def trade(price: str, amount: str, *, maker: bool, kind: str = "MARKET") -> dict[str, Any]:
    data = {"e": "trade", "E": 1, "T": 1, "s": "BTCUSDT", "t": 1, "p": price, "q": amount, "X": kind, "m": maker}
    return {"stream": "btcusdt@trade", "data": data}


def load(tmp_path: Path, messages: list[dict[str, Any]], name: str = NAME) -> tuple[list[MarketEvent], dict[str, int]]:
    source = ReplaySource(write(tmp_path / name, [line(n, message) for n, message in enumerate(messages)]))
    return list(source.events()), source.warnings.counts.get(name, {})


def touches(events: list[MarketEvent]) -> list[tuple[str, str] | None]:
    return [
        (str(quote.bid), str(quote.ask)) if (quote := book.quote()) else None
        for book in events
        if isinstance(book, Book)
    ]


def test_deltas_before_the_snapshot_wait_and_are_replayed_from_its_id(tmp_path: Path) -> None:
    events, warnings = load(
        tmp_path,
        [
            delta(1, 5, [["99", "7"]], []),  # part of the snapshot: must not be applied again
            delta(6, 12, [["100", "0"], ["99.5", "2"]], []),  # spans it
            delta(13, 14, [], [["101", "0"], ["101.5", "3"]]),
            snapshot(10, [["100", "1"], ["99", "1"]], [["101", "1"]]),
            delta(15, 15, [["99.5", "4"]], []),
        ],
    )
    first, second = [event for event in events if isinstance(event, Book)]
    assert first.bids == ((Decimal("99.5"), Decimal(2)), (Decimal(99), Decimal(1)))
    assert first.asks == ((Decimal("101.5"), Decimal(3)),)
    assert second.bids[0] == (Decimal("99.5"), Decimal(4))
    assert not warnings


def test_a_sequence_break_takes_the_book_away_until_the_next_snapshot(tmp_path: Path) -> None:
    events, warnings = load(
        tmp_path,
        [
            snapshot(10, [["100", "1"]], [["101", "1"]]),
            delta(11, 12, [], []),
            delta(14, 15, [["100.5", "1"]], []),  # 13 is missing
            delta(16, 17, [["100.6", "1"]], []),
            snapshot(15, [["100.5", "1"]], [["101", "1"]]),
            delta(18, 18, [["100.7", "1"]], []),
        ],
    )
    assert touches(events) == [("100", "101"), ("100", "101"), None, ("100.6", "101"), ("100.7", "101")]
    assert warnings == {"sequence_break": 1}


def test_futures_deltas_follow_by_pu(tmp_path: Path) -> None:
    events, warnings = load(
        tmp_path,
        [
            delta(1, 9, [["1", "1"]], [], pu=0),
            snapshot(20, [["100", "1"]], [["101", "1"]]),
            delta(15, 25, [["100.1", "1"]], [], pu=9),
            delta(40, 45, [["100.2", "1"]], [], pu=25),  # U does not follow u, pu does
            delta(46, 47, [["100.3", "1"]], [], pu=44),
        ],
    )
    assert touches(events) == [("100", "101"), ("100.1", "101"), ("100.2", "101"), None]
    assert warnings == {"sequence_break": 1, "no_snapshot": 1}


def test_a_snapshot_too_old_for_the_buffer_makes_no_book(tmp_path: Path) -> None:
    events, warnings = load(
        tmp_path, [delta(20, 21, [["99", "1"]], []), snapshot(10, [["100", "1"]], [["101", "1"]]), ticker("99", "100")]
    )
    assert touches(events) == []
    assert warnings == {"sequence_break": 1, "no_snapshot": 1}


def test_an_older_snapshot_does_not_turn_the_book_back(tmp_path: Path) -> None:
    events, _ = load(
        tmp_path,
        [
            snapshot(10, [["100", "1"]], [["101", "1"]]),
            delta(11, 12, [["100.5", "1"]], []),
            snapshot(11, [["100", "1"]], [["101", "1"]]),
            delta(13, 13, [], []),
        ],
    )
    assert touches(events) == [("100", "101"), ("100.5", "101"), ("100.5", "101")]


def test_without_a_snapshot_there_is_no_book_and_still_quotes(tmp_path: Path) -> None:
    events, warnings = load(tmp_path, [delta(1, 2, [["1", "1"]], []), ticker("99", "100"), delta(3, 4, [], [])])
    assert events == [Quote("BTC-USDT", T0 + 1, Decimal(99), Decimal(100), Decimal(1), Decimal(1))]
    assert warnings == {"no_snapshot": 2}


def test_a_number_without_quotes_does_not_pass_through_a_float(tmp_path: Path) -> None:
    text = line(0, ticker("BID", "ASK")).replace('"BID"', "0.10000000000000000001").replace('"ASK"', "0.20")
    source = ReplaySource(write(tmp_path / NAME, [text]))
    (quote,) = source.events()
    assert isinstance(quote, Quote)
    assert (str(quote.bid), str(quote.ask)) == ("0.10000000000000000001", "0.20")


def test_trades_name_the_taker_and_leave_out_insurance_fills(tmp_path: Path) -> None:
    events, warnings = load(
        tmp_path,
        [
            trade("100", "1", maker=True),
            trade("100", "2", maker=False),
            trade("100", "3", maker=False, kind="ADL"),
            {"stream": "btcusdt@kline_1m", "data": {"e": "kline", "s": "BTCUSDT"}},
        ],
    )
    assert [(event.taker, event.quantity) for event in events if isinstance(event, PublicTrade)] == [
        (Side.SELL, Decimal(1)),
        (Side.BUY, Decimal(2)),
    ]
    assert warnings == {"not_market_trade": 1, "ignored_message": 1, "unfinished_bar": 1}


def test_what_can_not_be_true_is_dropped_and_counted(tmp_path: Path) -> None:
    events, warnings = load(
        tmp_path,
        [
            ticker("100", "100"),
            ticker("99", "100", size="0"),
            ticker("nan", "100"),
            trade("100", "0", maker=True),
            snapshot(10, [["100", "1"]], [["101", "1"]]),
            delta(11, 11, [["102", "1"]], []),  # crossed for one delta; the next puts it right
            delta(12, 12, [["102", "0"]], []),
        ],
    )
    assert touches(events) == [("100", "101"), ("100", "101")]
    assert warnings == {"crossed": 2, "not_positive": 2, "not_a_number": 1}


def test_a_receive_clock_that_steps_back_does_not_reorder_the_file(tmp_path: Path) -> None:
    lines = [line(5, ticker("99", "100")), line(3, ticker("98", "99")), line(7, ticker("97", "98"))]
    source = ReplaySource(write(tmp_path / NAME, lines))
    quotes = [event for event in source.events() if isinstance(event, Quote)]
    assert [(quote.ts_ms - T0, str(quote.bid)) for quote in quotes] == [(5, "99"), (5, "98"), (7, "97")]
    assert source.warnings.counts[NAME] == {"clock_backward": 1}


def test_an_unfinished_last_message_is_dropped(tmp_path: Path) -> None:
    whole = line(0, ticker("99", "100"))
    source = ReplaySource(write(tmp_path / NAME, [whole, whole[:-9]], last_newline=False))
    assert source.total_events == 1
    assert source.warnings.counts[NAME] == {"truncated_row": 1}


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ("junk", "row 2: not JSON"),
        (line(1, {"stream": "x", "data": {"e": "trade", "s": "BTCUSDT"}}), "row 2: not a message of this capture"),
        (line(1, {"stream": "x", "data": [1]}), "row 2: not a message"),
        (line(1, {"stream": "x", "data": {"e": "trade", "s": "ETHUSDT"}}), "row 2: a message for 'ETHUSDT'"),
        (line(1, delta(1, 2, [["-1", "1"]], [])), "row 2: not a message of this capture .BadValue: level '-1'"),
        (f"{T0}000000 " + '{"a":' * 5000, "row 2: not JSON"),
        (f'{T0}000000 {{"lastUpdateId": {"9" * 5000}}}', "row 2: not JSON"),
    ],
)
def test_a_message_that_does_not_belong_is_refused_with_its_row(tmp_path: Path, second: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        ReplaySource(write(tmp_path / NAME, [line(0, ticker("99", "100")), second]))


def bybit(kind: str, update: int, bids: list[list[str]], asks: list[list[str]]) -> str:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update, "seq": 1}
    return json.dumps({"topic": "orderbook.500.BTCUSDT", "type": kind, "ts": T0 + update, "data": data})


def test_bybit_deltas_follow_by_u(tmp_path: Path) -> None:
    name = "bybit_BTC-USDT_20241201_ob500.jsonl"
    lines = [
        bybit("delta", 1, [], []),
        bybit("snapshot", 2, [["100", "1"]], [["101", "1"]]),
        bybit("delta", 3, [["100", "0"], ["99", "1"]], []),
        bybit("delta", 5, [["98", "1"]], []),
        bybit("delta", 6, [["98", "1"]], []),
        bybit("snapshot", 7, [["97", "1"]], [["101", "1"]]),
    ]
    source = ReplaySource(write(tmp_path / name, lines))
    assert touches(list(source.events())) == [("100", "101"), ("99", "101"), None, ("97", "101")]
    assert source.warnings.counts[name] == {"sequence_break": 1, "no_snapshot": 2}


def test_hyperliquid_trades_from_before_the_recording_are_not_made_now(tmp_path: Path) -> None:
    name = "hyperliquid_BTC-USD-PERP_20250126.jsonl"
    level = [[{"n": 1, "px": "100.0", "sz": "1"}], [{"n": 1, "px": "101.0", "sz": "2"}]]

    def made(ms: int) -> dict[str, Any]:
        return {"coin": "BTC", "px": "100.0", "side": "B", "sz": "0.5", "time": T0 + ms, "tid": 1}

    lines = [
        line(0, {"channel": "subscriptionResponse", "data": {}}),
        line(1, {"channel": "l2Book", "data": {"coin": "BTC", "levels": level, "time": 1}}),
        line(2, {"channel": "trades", "data": [made(-9000), made(1)]}),
    ]
    source = ReplaySource(write(tmp_path / name, lines))
    book, public = source.events()
    assert book == Book("BTC-USD-PERP", T0 + 1, ((Decimal(100), Decimal(1)),), ((Decimal(101), Decimal(2)),))
    assert public == PublicTrade("BTC-USD-PERP", T0 + 2, Decimal(100), Decimal("0.5"), Side.BUY)
    assert source.warnings.counts[name] == {
        "ignored_message": 1,
        "before_recording": 1,
        "unfinished_bar": 1,
        "perpetual_as_collateralised": 1,
    }
