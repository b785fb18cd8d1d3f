"""The record: what a reply claims is on disk, and what is not on disk is never answered."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.practice import record as record_module
from app.practice.checks import Refused
from app.practice.record import Record, RecordFault
from app.venues.paper_wire import settings_out
from tests.unit.practice.scene import ETH, SETTINGS, D, Scene, bracket, buy


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "v.db")
    made.book("99.99", "100")
    yield made
    made.end()


def test_the_writer_is_durable(scene: Scene) -> None:
    db = scene.venue._record._db
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_no_amount_is_a_number(scene: Scene) -> None:
    for (table,) in scene.rows("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        columns = scene.rows(f"SELECT name, type FROM pragma_table_info('{table}')")
        assert {kind for _, kind in columns} <= {"TEXT", "INTEGER"}, table


def test_a_second_venue_on_the_database_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "_PATIENCE_S", 0.05)
    with pytest.raises(RecordFault, match="another paper venue holds"):
        Record(scene.db)


def test_a_database_of_another_version_is_left_alone(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "v.db")
    db.executescript("CREATE TABLE orders (a); PRAGMA user_version = 1;")
    db.close()
    with pytest.raises(RecordFault, match="made by another version"):
        Record(tmp_path / "v.db")


def test_a_failed_commit_is_not_answered(scene: Scene) -> None:
    """The disk is full: the error leaves the venue (and ends its process); nothing of the list is on disk."""
    db = scene.venue._record._db
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    answered = 0

    def submit_until_full() -> None:
        nonlocal answered
        while answered < 1000:
            scene.submit(buy(f"o{answered}", "1", "0.001"))
            answered += 1

    with pytest.raises(sqlite3.OperationalError, match="full"):
        submit_until_full()
    assert answered > 0
    assert scene.rows("SELECT count(*) FROM orders") == [(answered,)]
    db.close()
    os.close(scene.venue._record._lock)
    scene.start()
    assert len(scene.operate("open_orders")) == answered


def test_everything_is_as_it_was_after_a_restart(scene: Scene) -> None:
    scene.submit(buy("other", "100", "2"))
    scene.submit(*bracket(limit="90"))
    scene.book("89", "90", size="0.4")
    before = [scene.order(name) for name in ("other", "entry", "stop", "target")], scene.balances()
    live = scene.operate("open_orders")
    scene.restart()
    assert ([scene.order(name) for name in ("other", "entry", "stop", "target")], scene.balances()) == before
    assert scene.operate("open_orders") == live
    scene.book("94", "95")
    assert scene.order("stop").filled == D("0.4")


def test_what_a_group_has_sold_is_remembered(scene: Scene) -> None:
    scene.submit(buy("other", "100", "2"))
    scene.submit(*bracket())
    scene.book("110", "111", size="0.3")
    scene.restart()
    scene.book("94", "95")
    assert (scene.order("target").filled, scene.order("stop").filled) == (D("0.3"), D("0.7"))
    assert scene.balances()["ETH"] == 2


def test_cash_is_paid_in_once_and_new_quote_assets_later(scene: Scene) -> None:
    btc = replace(ETH, symbol="ETH-BTC", quote="BTC")
    scene.settings = replace(SETTINGS, instruments=(ETH, btc), cash={"USDT": D(99), "BTC": D(3)})
    scene.restart()
    assert scene.balances() == {"USDT": D(10_000), "BTC": D(3)}
    assert scene.rows("SELECT * FROM deposits") == [("USDT", "10000"), ("BTC", "3")]


def test_an_instrument_that_is_no_longer_named_keeps_its_orders(scene: Scene) -> None:
    scene.submit(*bracket())
    scene.settings = replace(SETTINGS, instruments=(replace(ETH, symbol="X-USDT", base="X"),))
    scene.restart()
    scene.book("94", "95")
    assert scene.order("stop").filled == 1


def test_a_symbol_never_changes_what_it_trades(scene: Scene) -> None:
    other = replace(SETTINGS, instruments=(replace(ETH, base="DOGE"),))
    with pytest.raises(Refused, match="is ETH-USDT"):
        scene.venue.hello({"settings": settings_out(other)}, "x")
    assert scene.rows("SELECT verdict FROM requests ORDER BY id DESC LIMIT 1") == [("refused: symbol.changed",)]


def test_what_could_not_be_read_is_on_record_and_changed_nothing(scene: Scene) -> None:
    before = scene.rows("SELECT * FROM orders"), scene.balances()
    for op, fields in (
        ("submit", {"orders": "x", "authorisation": None}),
        ("submit", {"orders": [], "authorisation": ["text"]}),
        ("submit", {"orders": [["a"]]}),
        ("cancel", {"client_id": 7}),
        ("market", {"events": [[1, ["book", ETH.symbol, 10**30, [], []]]]}),
        ("market", {"events": [[99, ["book", ETH.symbol, 5, [["1", "-1"]], []]]]}),
        ("fly", {}),
    ):
        with pytest.raises(Refused) as caught:
            scene.operate(op, **fields)
        assert caught.value.code == "malformed"
    verdicts = scene.rows("SELECT op, verdict FROM requests WHERE op <> 'hello' ORDER BY id")
    assert verdicts == [
        (op, "malformed") for op in ("submit", "submit", "submit", "cancel", "market", "market", "unknown")
    ]
    assert (scene.rows("SELECT * FROM orders"), scene.balances()) == before


def test_the_largest_numbers_that_are_read_can_be_calculated_with(tmp_path: Path) -> None:
    """Bounds of the wire against the hundred exact digits of money: no list may fail half-way through."""
    tiny = D("0.000000000000000001")
    huge = D("99999999999999999999.999999999999999999")
    scene = Scene(
        tmp_path / "v.db",
        replace(
            SETTINGS,
            instruments=(replace(ETH, tick=tiny, lot=tiny),),
            cash={"USDT": huge},
            taker_fee_bps=D("9999.12345678"),
            maker_fee_bps=D("9999.12345678"),
            spread_bps=D("0.00000001"),
            depth_share=D("0.12345678"),
        ),
    )
    third = "0.333333333333333333333333333333"
    scene.trade(third)
    order = replace(buy("a", "1"), quantity=D("9999999999999999999.123456789012345678"), limit_price=D("0.4"))
    scene.submit(order)
    scene.trade(third, "99999999999999999999.333333333333333333333333333333")
    report = scene.order("a")
    assert report.filled > 0
    (sold,) = scene.submit(replace(order, client_id="b", side=buy("x", "1").side.opposite, quantity=report.filled))
    assert sold.client_id == "b"
    assert scene.refused(replace(order, client_id="c", quantity=huge, limit_price=huge)) == "balance"
