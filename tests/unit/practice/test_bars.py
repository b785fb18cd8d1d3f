"""Matching on bars: every doubt is settled against the trader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.venues.base import OrderState
from tests.unit.practice.scene import MINUTE, SETTINGS, D, Scene, bracket, buy, market, sell, stop

OPEN, PART, FILLED = OrderState.OPEN, OrderState.PARTIALLY_FILLED, OrderState.FILLED
CANCELLED, EXPIRED = OrderState.CANCELLED, OrderState.EXPIRED


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "v.db")
    made.flat()
    yield made
    made.end()


def holding(scene: Scene, quantity: str = "1") -> None:
    """Buy at the next open."""
    scene.submit(buy("bought", "200", quantity))
    scene.flat()
    assert scene.state("bought") == (FILLED, D(quantity))


# -- when an order can trade ----------------------------------------------------------------------------------------


def test_an_order_decided_at_a_close_fills_at_the_next_open_and_pays_the_spread(scene: Scene) -> None:
    scene.submit(buy("a", "101"))
    assert scene.state("a") == (OPEN, 0)
    scene.open("100.4")
    assert scene.fills("a") == [(D("100.46"), D(1))]  # 100.4 + half of 10 bps = 100.4502, up to the tick
    assert scene.balances() == {"ETH": D(1), "USDT": D(10_000) - D("100.46") - D("0.10046")}


def test_an_order_that_comes_within_a_bar_waits_for_the_next_one(scene: Scene) -> None:
    """Also when time has not moved since the open: the bar's range says nothing about what came after the order."""
    scene.open("100")
    scene.submit(buy("a", "99"), buy("b", "101"))
    scene.close("100", "105", "90", "100")
    assert (scene.state("a"), scene.state("b")) == ((OPEN, 0), (OPEN, 0))
    scene.open("100")
    assert (scene.state("a"), scene.state("b")) == ((OPEN, 0), (FILLED, 1))
    scene.close("100", "105", "90", "100")
    assert scene.state("a") == (FILLED, 1)


def test_the_bar_of_acceptance_is_remembered_across_a_restart(scene: Scene) -> None:
    scene.open("100")
    scene.submit(buy("a", "99"))
    scene.restart()
    scene.close("100", "105", "90", "100")
    assert scene.state("a") == (OPEN, 0)


def test_depth_is_a_share_of_the_bars_volume_and_shared_in_order_of_acceptance(scene: Scene) -> None:
    scene.submit(buy("a", "200", "0.7"), buy("b", "200", "0.7"))
    scene.open("100", "10")  # 10 % of 10
    assert (scene.state("a"), scene.state("b")) == ((FILLED, D("0.7")), (PART, D("0.3")))
    prices = [price for price, _ in scene.fills("a") + scene.fills("b")]
    assert prices == sorted(prices)
    assert len(set(prices)) == 5


def test_what_the_open_took_is_gone_at_the_close(scene: Scene) -> None:
    scene.submit(buy("a", "200", "0.7"), buy("b", "99", "0.7"))
    scene.open("100", "10")
    scene.close("100", "100", "90", "95", "10")
    assert scene.state("b") == (PART, D("0.3"))


def test_what_the_open_took_is_still_gone_after_a_restart(scene: Scene) -> None:
    scene.submit(buy("a", "200", "0.7"), buy("b", "99", "0.7"))
    scene.open("100", "10")
    scene.restart()
    scene.close("100", "100", "90", "95", "10")
    assert scene.state("b") == (PART, D("0.3"))


def test_a_bar_without_volume_trades_nothing_but_a_stop(scene: Scene) -> None:
    holding(scene)
    scene.submit(buy("a", "200"), sell("b", "50", "0.5"), stop("c", "99", "0.5"))
    scene.open("98", "0")
    assert [scene.order(name).filled for name in "abc"] == [0, 0, 0]
    scene.close("98", "98", "98", "98", "0")
    assert (scene.state("a"), scene.state("b")) == ((OPEN, 0), (OPEN, 0))
    assert scene.fills("c") == [(D("97.95"), D("0.5"))]  # 98 less 0.049, down to the tick


# -- resting limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "filled"), [("99.01", 0), ("99", 0), ("98.99", 1)])
def test_touching_a_limit_is_no_fill_but_going_through_it_is(scene: Scene, low: str, filled: int) -> None:
    scene.submit(buy("a", "99"))
    scene.open("100")
    scene.close("100", "100", low, "100")
    assert scene.fills("a") == [(D(99), D(1))] * filled


def test_a_resting_limit_pays_the_makers_fee(scene: Scene) -> None:
    scene.submit(buy("a", "99"))
    scene.open("100")
    scene.close("100", "100", "98", "100")
    (fill,) = scene.order("a").fills
    assert (fill.fee, fill.fee_asset) == (D("0.0495"), "USDT")


# -- stops ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "sold"), [("95.01", 0), ("95", 1), ("90", 1)])
def test_a_stop_is_triggered_by_touch_and_fills_below_it(scene: Scene, low: str, sold: int) -> None:
    holding(scene)
    scene.submit(stop("a", "95"))
    scene.open("100")
    scene.close("100", "100", low, "100")
    assert scene.fills("a") == [(D("94.95"), D(1))] * sold  # 95 less 0.0475, down to the tick


def test_a_gap_through_a_stop_fills_at_the_open_not_at_the_stop(scene: Scene) -> None:
    holding(scene)
    scene.submit(stop("a", "95"))
    scene.open("80")
    assert scene.fills("a") == [(D("79.96"), D(1))]


def test_a_stop_beyond_the_depth_completes_at_the_low(scene: Scene) -> None:
    holding(scene, "5")
    scene.submit(stop("a", "95", "5"))
    scene.open("100", "10")
    scene.close("100", "100", "90", "92", "10")
    assert scene.fills("a") == [(D("89.95"), D(5))]


def test_a_stop_that_only_partly_fills_at_the_open_completes_at_the_close(scene: Scene) -> None:
    holding(scene, "5")
    scene.submit(stop("a", "100", "5"))
    scene.open("100.04", "10")  # the bid is 99.98: through the stop, though no price of the bar will be
    assert scene.state("a") == (PART, D(1))
    scene.close("100.04", "100.1", "100.02", "100.1", "10")
    assert scene.state("a") == (FILLED, D(5))


def test_stop_and_target_in_one_bar_the_stop_wins(scene: Scene) -> None:
    scene.submit(*bracket())
    scene.open("100")
    scene.close("100", "120", "90", "115")
    assert (scene.state("stop"), scene.state("target")) == ((FILLED, 1), (CANCELLED, 0))


def test_an_exit_whose_entry_filled_at_the_open_is_live_in_that_bar(scene: Scene) -> None:
    scene.submit(*bracket())
    scene.open("100")
    scene.close("100", "110.01", "99", "110")
    assert (scene.state("target"), scene.state("stop")) == ((FILLED, 1), (CANCELLED, 0))
    assert scene.fills("target") == [(D(110), D(1))]


def test_an_entry_that_filled_on_the_way_down_is_stopped_in_the_same_bar_but_never_reaches_its_target(
    scene: Scene,
) -> None:
    scene.submit(*bracket(limit="98"))
    scene.open("100")
    scene.close("100", "120", "97", "97")
    assert (scene.state("entry"), scene.state("target"), scene.state("stop")) == ((FILLED, 1), (OPEN, 0), (OPEN, 0))
    scene.cancel("target")
    scene.open("97")
    scene.close("97", "97", "94", "94")
    assert scene.state("stop") == (FILLED, 1)


def test_an_entry_and_its_stop_in_one_fall(scene: Scene) -> None:
    scene.submit(*bracket(limit="98"))
    scene.open("100")
    scene.close("100", "100", "94", "97")
    assert scene.fills("entry") == [(D(98), D(1))]
    assert scene.fills("stop") == [(D("94.95"), D(1))]


# -- time -----------------------------------------------------------------------------------------------------------


def test_an_order_expires_before_the_event_at_its_time_is_matched(scene: Scene) -> None:
    at = scene.bars * MINUTE
    scene.open("100")
    scene.submit(replace(buy("a", "200"), expires_ms=at + MINUTE + 1), replace(buy("b", "200"), expires_ms=at + MINUTE))
    scene.close("100", "100", "100", "100")
    scene.open("100")
    assert (scene.state("a"), scene.state("b")) == ((FILLED, 1), (EXPIRED, 0))


def test_an_order_whose_time_is_over_when_it_comes_does_not_trade(scene: Scene) -> None:
    scene.book("99", "100", ts_ms=scene.bars * MINUTE)
    at = scene.bars * MINUTE
    late, lasts = scene.submit(replace(buy("a", "200"), expires_ms=at), replace(buy("b", "200"), expires_ms=at + 1))
    assert (late.state, lasts.state) == (EXPIRED, FILLED)
    assert late.filled == 0


def test_an_expired_entry_takes_its_exits_with_it(scene: Scene) -> None:
    entry, *exits = bracket(limit="90")
    scene.submit(replace(entry, expires_ms=scene.bars * MINUTE + 1), *exits)
    scene.flat()
    assert {scene.state(name)[0] for name in ("stop", "target")} == {CANCELLED}
    assert {report.client_id for report in scene.pushed} == {"entry", "stop", "target"}


def test_time_never_goes_back(scene: Scene) -> None:
    scene.flat()
    scene.bars = 0
    with pytest.raises(Exception, match="Time would go back"):
        scene.open("100")


def test_an_event_that_was_processed_before_changes_nothing(scene: Scene) -> None:
    scene.submit(buy("a", "200", "2"))
    scene.open("100", "10")
    before = scene.order("a")
    scene.position -= 1
    scene.open("100", "10")
    assert scene.order("a") == before


def test_nothing_is_accepted_before_a_market_was_seen(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "v.db")
    assert scene.refused(buy("a", "100")) == "market.closed"
    scene.flat()
    assert scene.refused(buy("a", "100")) == "accepted"


# -- money ----------------------------------------------------------------------------------------------------------


def test_a_fee_is_rounded_up_to_eight_places(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "v.db", replace(SETTINGS, maker_fee_bps=D("0.00001")))
    scene.flat()
    scene.submit(buy("a", "99", "0.001"))
    scene.open("100")
    scene.close("100", "100", "98", "98")
    (fill,) = scene.order("a").fills
    assert fill.fee == D("0.00000001")  # 0.099 * 0.00001 bps is far less


def test_sales_of_one_holding_never_sell_more_than_it(scene: Scene) -> None:
    """A plain sale and a reduce-only one may both rest; the second finds only what is left."""
    holding(scene)
    scene.submit(sell("a", "105"), market("b", "0.8"))
    scene.open("110")
    assert scene.order("a").filled + scene.order("b").filled == 1
    assert "ETH" not in scene.balances()


def test_a_plain_sale_finds_only_what_a_protective_one_has_left(scene: Scene) -> None:
    holding(scene)
    scene.submit(market("b", "0.8"), sell("a", "105"))
    scene.open("110")
    assert (scene.order("b").filled, scene.order("a").filled) == (D("0.8"), D("0.2"))
    assert scene.state("a")[0] is PART


@pytest.mark.parametrize(("cash", "answer"), [("100.101", "accepted"), ("100.10099999", "balance")])
def test_a_buy_claims_its_cash_its_fee_and_a_hundred_roundings(tmp_path: Path, cash: str, answer: str) -> None:
    scene = Scene(tmp_path / "v.db", replace(SETTINGS, cash={"USDT": D(cash) - D("0.000999")}))
    scene.flat()
    assert scene.refused(buy("a", "100")) == answer  # 100 + 0.1 + 0.000001


def test_a_stop_that_is_left_over_does_not_sell_the_next_position(scene: Scene) -> None:
    holding(scene)
    scene.submit(stop("old", "95"))
    scene.submit(market("close"))
    scene.flat()
    assert scene.state("old") == (CANCELLED, 0)


def test_a_close_that_comes_after_its_group_has_ended_is_cancelled_at_once(scene: Scene) -> None:
    scene.submit(buy("other", "200", "3"))
    scene.submit(*bracket())
    scene.open("100")
    scene.close("100", "100", "90", "95")
    assert scene.state("stop") == (FILLED, 1)
    scene.submit(replace(market("close"), group="g"))
    assert scene.state("close") == (CANCELLED, 0)
    assert scene.balances()["ETH"] == 3


def test_an_exit_without_a_group_sells_what_its_entry_bought_and_is_done(scene: Scene) -> None:
    scene.submit(buy("other", "200", "3"))
    scene.flat()
    scene.submit(buy("entry", "200", "2"), replace(stop("s", "95", "2"), parent="entry"))
    scene.open("100", "10")
    scene.cancel("entry")
    scene.close("100", "100", "90", "95", "10000")
    assert scene.state("entry") == (CANCELLED, D(1))
    assert scene.state("s") == (FILLED, D(1))
    assert scene.balances()["ETH"] == 3


def test_exits_of_one_entry_share_its_quantity_or_are_refused(scene: Scene) -> None:
    entry, protective, target = bracket()
    assert scene.refused(entry, protective, replace(target, group=None)) == "order.group"
    assert scene.refused(entry, protective, replace(target, group="h")) == "order.group"
    assert scene.refused(entry, replace(protective, group=None), replace(target, group=None)) == "accepted"
    scene.submit(replace(market("x"), group="later"))
    second = [replace(order, client_id=f"{order.client_id}2") for order in (entry, protective, target)]
    second[1:] = [replace(order, parent="entry2", group="later") for order in second[1:]]
    assert scene.refused(*second) == "order.group"
