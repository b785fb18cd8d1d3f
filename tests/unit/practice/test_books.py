"""Matching on books, quotes and trades: a submit trades at once, the rest waits for what comes next."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.market.events import BarOpened
from app.market.files import QUOTE_COLUMNS
from app.market.replay import ReplaySource
from app.practice.books import Market
from app.venues.base import OrderState
from strategies.model import Book, Quote
from tests.unit.market.recordings import T0, write
from tests.unit.practice.scene import ETH, MINUTE, SETTINGS, D, Scene, bracket, buy, market, sell, stop

OPEN, PART, FILLED = OrderState.OPEN, OrderState.PARTIALLY_FILLED, OrderState.FILLED


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "v.db")
    made.book("99.99", "100")
    yield made
    made.end()


def levels(*asks: tuple[str, str], bid: str = "99") -> Book:
    return Book(ETH.symbol, 0, ((D(bid), D(1000)),), tuple((D(price), D(size)) for price, size in asks))


def test_a_submit_walks_the_book_up_to_its_limit_and_rests(scene: Scene) -> None:
    scene.show(levels(("100", "0.5"), ("100.5", "0.25"), ("101", "9")))
    (report,) = scene.submit(buy("a", "100.5"))
    assert [(fill.price, fill.quantity) for fill in report.fills] == [(100, D("0.5")), (D("100.5"), D("0.25"))]
    assert report.state is PART


def test_what_was_taken_stays_taken_until_the_next_book(scene: Scene) -> None:
    scene.show(levels(("100", "0.5")))
    scene.submit(buy("a", "100", "0.3"), buy("b", "100", "0.3"))
    assert (scene.state("a"), scene.state("b")) == ((FILLED, D("0.3")), (PART, D("0.2")))
    scene.submit(buy("c", "100", "0.3"))
    assert scene.state("c") == (OPEN, 0)
    scene.show(levels(("100", "0.35")))
    assert (scene.state("b"), scene.state("c")) == ((FILLED, D("0.3")), (PART, D("0.25")))


def test_a_level_between_our_ticks_is_rounded_against_us_but_never_past_the_limit(scene: Scene) -> None:
    scene.show(levels(("100.003", "0.4"), ("100.01", "0.6"), bid="99.997"))
    (bought,) = scene.submit(buy("a", "100.01"))
    assert [fill.price for fill in bought.fills] == [D("100.01"), D("100.01")]
    (sold,) = scene.submit(sell("b", "99.99", "0.5"))
    assert [fill.price for fill in sold.fills] == [D("99.99")]
    assert scene.submit(sell("c", "100", "0.1"))[0].filled == 0


def test_a_coarser_tick_does_not_push_a_resting_order_past_its_limit(scene: Scene) -> None:
    scene.submit(buy("a", "99.93", "0.4"), buy("b", "99.93", "0.4"))
    scene.settings = replace(SETTINGS, instruments=(replace(ETH, tick=D("0.05")),))
    scene.restart()
    scene.book("99", "99.92")
    assert scene.fills("a") == [(D("99.93"), D("0.4"))]
    assert scene.refused(buy("c", "99.93")) == "order.precision"


def test_a_level_that_is_no_whole_lot_gives_whole_lots(scene: Scene) -> None:
    scene.show(levels(("100", "0.5009"), ("101", "0.0009"), ("102", "9")))
    (report,) = scene.submit(buy("a", "101"))
    assert report.filled == D("0.5")


@pytest.mark.parametrize(("bid", "sold"), [("95.01", 0), ("95", 1), ("80", 1)])
def test_a_stop_waits_for_the_best_bid_and_sells_at_market(scene: Scene, bid: str, sold: int) -> None:
    scene.submit(buy("bought", "100"))
    scene.submit(stop("a", "95"))
    scene.book(bid, "100")
    assert scene.fills("a") == [(D(bid), D(1))] * sold


def test_a_triggered_stop_sells_until_it_is_done_also_above_its_price_and_after_a_restart(scene: Scene) -> None:
    scene.submit(buy("bought", "100"))
    scene.submit(stop("a", "95"))
    scene.book("94", "100", size="0.4")
    assert scene.state("a") == (PART, D("0.4"))
    scene.restart()
    scene.book("97", "100", size="0.4")
    scene.book("98", "100")
    assert scene.fills("a") == [(D(94), D("0.4")), (D(97), D("0.4")), (D(98), D("0.2"))]


def test_the_lowest_bid_of_a_quote_bar_meets_stops_and_no_buyer(tmp_path: Path) -> None:
    rows = [
        f"{T0},99.9,99.9,99.9,99.9,9,100,100,100,100,9",
        f"{T0 + MINUTE},99.9,99.9,90,99.8,0.4,100,100,90.1,100,9",
        f"{T0 + 2 * MINUTE},99.9,99.9,97,97,9,100,100,98,98,9",
    ]
    path = write(tmp_path / "quotes_1m" / "a_ETH-USDT_1.csv", [",".join(QUOTE_COLUMNS), *rows])
    scene = Scene(tmp_path / "v.db")
    first, *later = ReplaySource(path).events()
    scene.show(first)
    scene.submit(buy("bought", "100"))
    scene.submit(stop("a", "95"), buy("b", "95"))
    scene.show(*later)
    assert scene.fills("a") == [(D(90), D("0.4")), (D("99.8"), D("0.4")), (D("97"), D("0.2"))]
    assert scene.state("b") == (OPEN, 0), "nobody knows when the lowest bid stood, so nobody buys there"


def test_a_broken_book_neither_triggers_nor_trades(scene: Scene) -> None:
    scene.submit(buy("bought", "100"))
    scene.submit(stop("a", "95"), buy("b", "200"))
    scene.show(Book(ETH.symbol, 0, (), ()))
    before = scene.order("a"), scene.order("b")
    scene.cancel("b")
    assert scene.state("a") == (OPEN, 0)
    assert before[0] == scene.order("a")


def test_a_quote_is_a_book_of_one_level(scene: Scene) -> None:
    scene.show(Quote(ETH.symbol, 5, D("99"), D("99.5"), D(1), D("0.25")))
    assert scene.submit(buy("a", "100"))[0].filled == D("0.25")


def test_bars_beside_books_do_not_trade(scene: Scene) -> None:
    scene.submit(buy("a", "90"))
    scene.close("100", "100", "80", "100")
    assert scene.state("a") == (OPEN, 0)


def test_trades_make_a_book_around_the_last_one(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "v.db")
    scene.trade("100", "50")
    scene.submit(buy("a", "100.05", "3"))
    scene.trade("100", "50")
    assert scene.fills("a")[0][0] == D("100.05")
    assert scene.state("a")[0] is PART
    scene.trade("99", "1000")
    assert scene.state("a") == (FILLED, 3)


def test_where_trades_are_all_there_is_an_order_waits_for_the_next_one(tmp_path: Path) -> None:
    """The last trade was made before the decision: its price has gone, as a bar's has."""
    scene = Scene(tmp_path / "v.db")
    scene.trade("100")
    scene.close("100", "100", "100", "100")
    reports = scene.submit(buy("missed", "100.5"), buy("bought", "106"))
    assert [report.state for report in reports] == [OPEN, OPEN]
    scene.trade("105", ts_ms=MINUTE + 500)
    assert (scene.fills("missed"), scene.fills("bought")) == ([], [(D("105.06"), D(1))])
    (close,) = scene.submit(market("close"))
    assert close.filled == 0
    scene.restart()
    scene.trade("103", ts_ms=MINUTE + 600)
    assert scene.fills("close") == [(D("102.94"), D(1))]


def test_an_order_that_waits_for_a_trade_expires_before_a_late_one(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "v.db")
    scene.trade("100")
    scene.submit(replace(buy("a", "101"), expires_ms=500))
    scene.trade("100", ts_ms=501)
    assert scene.state("a") == (OrderState.EXPIRED, 0)


def test_many_trades_of_one_minute_do_not_give_its_depth_many_times(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "v.db")
    scene.close("100", "100", "100", "100", "10")
    scene.submit(buy("a", "200", "5"))
    for number in range(20):
        scene.trade("100", "0.01", ts_ms=MINUTE + number)
    assert scene.state("a") == (PART, 1)
    scene.close("100", "100", "100", "100", "10")
    scene.trade("100", "0.01", ts_ms=2 * MINUTE)
    assert scene.state("a") == (PART, 2)


def test_a_trade_at_the_stop_triggers_it_where_trades_are_all_there_is(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "v.db")
    scene.trade("100")
    scene.submit(buy("bought", "200"))
    scene.trade("100")
    scene.submit(stop("a", "95"))
    scene.trade("95", "0.001", ts_ms=1)
    assert scene.order("a").filled == 0
    scene.restart()
    scene.trade("96", "1000", ts_ms=2)
    assert scene.state("a") == (FILLED, 1)


def test_an_entry_that_fills_at_once_wakes_its_exits_in_the_same_book(scene: Scene) -> None:
    reports = scene.submit(*bracket(stop_at="99.99"))
    assert [report.state for report in reports] == [FILLED, FILLED, OrderState.CANCELLED]
    assert scene.pushed == [], "all three were in the answer"


def test_reports_of_others_are_pushed_and_those_of_the_call_are_not(scene: Scene) -> None:
    scene.submit(*bracket())
    scene.pushed.clear()
    (own,) = scene.submit(replace(market("close"), group="g"))
    assert own.state is FILLED
    assert [(report.client_id, report.state) for report in scene.pushed] == [
        ("stop", OrderState.CANCELLED),
        ("target", OrderState.CANCELLED),
    ]


def test_a_buy_stops_when_rounded_fees_of_many_fills_have_used_up_the_cash(tmp_path: Path) -> None:
    """Every fill rounds its fee up; a reservation allows for a hundred of them, and cash never goes below zero."""
    tiny, cash = D("0.00000001"), D("10.00000101")
    scene = Scene(tmp_path / "v.db", replace(SETTINGS, cash={"USDT": cash}, taker_fee_bps=tiny, maker_fee_bps=tiny))
    scene.show(levels(*[("10", "0.001")] * 900, bid="1"))
    (report,) = scene.submit(buy("a", "10"))
    assert report.filled == D("0.9"), "each fill's fee came out of what the fills so far had left over"
    scene.show(levels(*[("10", "0.001")] * 900, bid="1"))
    after = scene.order("a")
    assert (after.state, after.reason) == (OrderState.CANCELLED, "the cash does not cover the next fill and its fee")
    assert {fill.fee for fill in after.fills} == {tiny}
    assert 0 <= scene.balances()["USDT"] < D("0.01000001")


def test_a_far_order_is_known_to_be_far_without_making_the_book() -> None:
    """The short cut must never hide a trade: it agrees with the book that is made after all."""
    for price, spread in itertools.product(("100", "0.02", "0.01", "31.37"), ("0", "10")):
        for cents in range(1, 400):
            made = Market(ETH)
            made.opens(BarOpened(ETH.symbol, 0, MINUTE, D(price), D(1000)), replace(SETTINGS, spread_bps=D(spread)))
            at = D(cents) / 100 if D(price) < 1 else D(price) - 2 + D(cents) / 100
            if at <= 0:
                continue
            near = [made.reaches(buy("a", str(at))), made.reaches(sell("b", str(at))), made.reaches(stop("c", str(at)))]
            bids, asks = made.levels(sell("x", "1").side), made.levels(buy("x", "1").side)
            trades = [asks[0][0] <= at, bool(bids) and bids[0][0] >= at, bool(bids) and bids[0][0] <= at]
            assert all(n or not t for n, t in zip(near, trades, strict=True)), (price, spread, at, near, trades)
