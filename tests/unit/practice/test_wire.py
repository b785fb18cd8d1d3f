"""The wire: what is written is read back equal, and what is not one of ours is never taken for one."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.events import BarOpened, MarketEvent
from app.practice.venue import MALFORMED, parse
from app.venues import paper_wire as wire
from app.venues.base import OrderKind, OrderReport, OrderRequest, OrderState, VenueFill
from app.venues.paper_wire import PaperSettings
from strategies.model import Bar, Book, Instrument, InstrumentKind, PublicTrade, Quote, Side

TEXT = st.text(st.characters(categories=("L", "N", "P", "S"), max_codepoint=0x2FFF), min_size=1, max_size=30)
TIME = st.integers(0, 2**52)


def decimals(places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(0, 10**12, places=places, allow_nan=False)


AMOUNT = st.one_of(decimals(0), decimals(8), decimals(18))
MARKET = st.one_of(AMOUNT, decimals(30))
LEVELS = st.lists(st.tuples(MARKET, MARKET), max_size=5).map(tuple)
REQUESTS = st.builds(
    OrderRequest,
    client_id=TEXT,
    symbol=TEXT,
    side=st.sampled_from(Side),
    kind=st.sampled_from(OrderKind),
    quantity=AMOUNT,
    valid_until_ms=TIME,
    limit_price=st.none() | AMOUNT,
    stop_price=st.none() | AMOUNT,
    expires_ms=st.none() | TIME,
    parent=st.none() | TEXT,
    group=st.none() | TEXT,
    reduce_only=st.booleans(),
)
SIGNED = st.one_of(AMOUNT, AMOUNT.map(lambda amount: -amount))
FILLS = st.builds(VenueFill, TEXT, TEXT, TEXT, st.sampled_from(Side), AMOUNT, AMOUNT, SIGNED, TEXT, TIME)
REPORTS = st.builds(
    OrderReport,
    TEXT,
    TEXT,
    st.sampled_from(OrderState),
    AMOUNT,
    AMOUNT,
    st.lists(FILLS, max_size=3).map(tuple),
    st.integers(1, 10**9),
    TIME,
    st.text(max_size=50),
)
EVENTS: st.SearchStrategy[MarketEvent] = st.one_of(
    st.builds(Bar, TEXT, TIME, TIME, MARKET, MARKET, MARKET, MARKET, MARKET),
    st.builds(BarOpened, TEXT, TIME, TIME, MARKET, MARKET),
    st.builds(Book, TEXT, TIME, LEVELS, LEVELS),
    st.builds(Quote, TEXT, TIME, MARKET, MARKET, MARKET, MARKET),
    st.builds(PublicTrade, TEXT, TIME, MARKET, MARKET),
)
ASSETS = st.tuples(TEXT, TEXT).filter(lambda pair: pair[0] != pair[1])
INSTRUMENTS = st.builds(
    lambda symbol, assets, tick, lot, kind: Instrument(symbol, assets[0], assets[1], tick, lot, kind),
    TEXT,
    ASSETS,
    AMOUNT.filter(bool),
    AMOUNT.filter(bool),
    st.sampled_from(InstrumentKind),
)
SETTINGS = st.builds(
    PaperSettings,
    st.lists(INSTRUMENTS, max_size=3).map(tuple),
    st.dictionaries(TEXT, AMOUNT, max_size=3),
    st.decimals(0, 10_000, places=8),
    st.decimals(0, 10_000, places=8),
    st.decimals(0, 9_999, places=4),
    st.decimals(0, 1, places=8),
    st.integers(1, 100),
)


def through(data: Any) -> Any:
    return json.loads(json.dumps(data).encode())


@given(REQUESTS)
def test_an_order_comes_back(order: OrderRequest) -> None:
    assert wire.request_in(through(wire.request_out(order))) == order


@given(REPORTS)
def test_a_report_comes_back(report: OrderReport) -> None:
    assert wire.report_in(through(wire.report_out(report))) == report


@given(EVENTS)
def test_a_market_event_comes_back(event: MarketEvent) -> None:
    assert wire.event_in(through(wire.event_out(event))) == event


@given(SETTINGS)
def test_settings_come_back(made: PaperSettings) -> None:
    assert wire.settings_in(through(wire.settings_out(made))) == made


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "-1",
            "+1",
            "01",
            "1.0",
            "1.",
            ".5",
            "1e5",
            "1E+5",
            "NaN",
            "Infinity",
            "٣",
            " 1",
            "1 ",
            "1_0",
            "0.0",
            "-0",
        ),
        *("100000000000000000000", "0.0000000000000000001", "1" * 5000),
    ],
)
def test_only_canonical_bounded_amounts_are_amounts(text: str) -> None:
    order: list[Any] = ["a", "S", "buy", "limit", text, 1, "1", None, None, None, None, False]
    with pytest.raises(ValueError, match="expected a canonical amount"):
        wire.request_in(order)


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0, ""),
        (0, "x" * 101),
        (0, "\ud800"),
        (0, "a\x1b[31m"),
        (0, 5),
        (2, "long"),
        (3, "iceberg"),
        (4, 1),
        (4, 1.5),
        (4, None),
        (5, "1"),
        (5, True),
        (5, 2**63),
        (11, 1),
        (11, None),
    ],
)
def test_a_wrong_field_is_no_order(index: int, value: object) -> None:
    order: list[Any] = ["a", "S", "buy", "limit", "1", 1, "1", None, None, None, None, False]
    wire.request_in(order)
    order[index] = value
    with pytest.raises((ValueError, TypeError)):
        wire.request_in(order)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | AMOUNT.map(str),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=200)
def test_any_json_is_refused_by_the_same_few_errors(data: Any) -> None:
    for read in (wire.request_in, wire.event_in, wire.events_in, wire.settings_in, wire.instrument_in):
        try:
            read(data)
        except MALFORMED:
            pass


@given(st.binary(max_size=200) | JSON.map(lambda data: json.dumps(data).encode()))
def test_any_line_is_a_request_or_malformed(line: bytes) -> None:
    try:
        number, op, request = parse(line)
    except MALFORMED:
        return
    assert isinstance(number, int)
    assert request["op"] == op


def test_a_bottomless_line_is_malformed() -> None:
    with pytest.raises(MALFORMED):
        parse(b"[" * 200_000)
