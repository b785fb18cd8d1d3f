"""Baskets as the venue takes them: whole or not at all, and over once one of their stops is triggered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.venues.base import OrderRequest, OrderState
from app.venues.paper_wire import request_in, request_out
from tests.unit.practice.scene import D, Scene, buy, market, sell, stop

FILLED, OPEN, CANCELLED = OrderState.FILLED, OrderState.OPEN, OrderState.CANCELLED


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "venue.db")
    yield made
    made.end()


def leg(number: int, limit: str, target: str, *, stop_at: str = "90", name: str = "b") -> list[OrderRequest]:
    """Entry ``e1`` with stop ``s1`` and target ``t1``."""
    entry = replace(buy(f"{name}e{number}", limit), basket=name)
    tie = {"parent": entry.client_id, "group": f"{name}g{number}", "basket": name}
    exits = replace(stop(f"{name}s{number}", stop_at), **tie)  # type: ignore[arg-type]  # texts all
    goal = replace(sell(f"{name}t{number}", target), reduce_only=True, **tie)  # type: ignore[arg-type]  # the same
    return [entry, exits, goal]


def three(**terms: str) -> list[OrderRequest]:
    return leg(1, "99", "101", **terms) + leg(2, "98", "100", **terms) + leg(3, "97", "99", **terms)


def states(scene: Scene, kind: str) -> list[OrderState]:
    return [scene.order(f"b{kind}{number}").state for number in (1, 2, 3)]


def test_a_basket_rests_and_each_leg_sells_at_its_own_target(scene: Scene) -> None:
    scene.book("99.9", "100")
    scene.submit(*three())
    scene.book("98.8", "98.9", ts_ms=1)
    assert states(scene, "e") == [FILLED, OPEN, OPEN]
    scene.book("101", "101.1", ts_ms=2)
    assert states(scene, "t") == [FILLED, OPEN, OPEN]
    assert states(scene, "s") == [CANCELLED, OPEN, OPEN]
    assert states(scene, "e") == [FILLED, OPEN, OPEN]


def test_a_triggered_stop_ends_the_entries_of_its_basket_and_of_no_other(scene: Scene) -> None:
    scene.book("99.9", "100")
    scene.submit(*three())
    scene.submit(*leg(1, "96", "99", stop_at="80", name="c"))
    scene.book("98.8", "98.9", ts_ms=1)
    scene.book("89", "99.5", ts_ms=2)
    assert states(scene, "e") == [FILLED, CANCELLED, CANCELLED]
    assert states(scene, "s") == [FILLED, CANCELLED, CANCELLED]
    assert scene.order("be2").reason == "the stop of its basket was triggered"
    assert scene.state("ce1") == (OPEN, 0)
    scene.book("95", "95.1", ts_ms=3)
    assert scene.state("ce1") == (FILLED, 1)
    assert scene.balances()["ETH"] == 1


def test_one_triggered_stop_triggers_those_of_the_other_legs_however_thin_the_bids(scene: Scene) -> None:
    scene.book("99.9", "100")
    scene.submit(*three())
    scene.book("96.8", "96.9", ts_ms=1)
    scene.book("90", "96.9", "0.2", ts_ms=2)  # the first leg's stop takes all there is
    scene.restart()
    scene.book("95", "96", "10", ts_ms=3)  # above the stop again; what was triggered sells all the same
    assert states(scene, "s") == [FILLED, FILLED, FILLED]
    assert "ETH" not in scene.balances()


def test_a_bar_through_legs_and_stop_buys_first_and_is_stopped_out(scene: Scene) -> None:
    scene.flat("100")
    scene.submit(*three())
    scene.open("100")
    scene.close("100", "100.1", "98.5", "99")
    assert states(scene, "e") == [FILLED, OPEN, OPEN]
    scene.open("99")
    scene.close("99", "99.1", "89", "96")
    assert states(scene, "e") == [FILLED] * 3
    assert states(scene, "s") == [FILLED] * 3


def test_what_a_thin_bar_left_of_a_stopped_basket_is_not_bought_later(scene: Scene) -> None:
    scene.flat("100")
    scene.submit(*three())
    scene.open("100", "15")  # a tenth of the volume is depth: one and a half of three
    scene.close("100", "100.1", "89", "99.5", "15")
    assert states(scene, "e") == [FILLED, CANCELLED, CANCELLED]
    scene.flat("95")
    assert "ETH" not in scene.balances()


def test_a_basket_is_accepted_whole_or_not_at_all(scene: Scene) -> None:
    scene.book("99.9", "100")
    orders = three()
    assert scene.refused(*orders[:-1], replace(orders[-1], quantity=D("0.0001"))) == "order.precision"
    assert scene.refused(*orders, *leg(4, "50", "60", name="x"), buy("last", "200", "1000")) == "balance"
    assert scene.rows("SELECT count(*) FROM orders") == [(0,)]


def test_what_is_no_basket_is_refused(scene: Scene) -> None:
    scene.book("99.9", "100")
    orders = three()
    assert scene.refused(orders[0], replace(orders[1], basket=None)) == "order.basket"
    assert scene.refused(replace(orders[0], basket=None), orders[1]) == "order.basket"
    assert scene.refused(replace(sell("s", "200"), basket="b")) == "order.basket"
    scene.submit(buy("held", "101"))
    assert scene.refused(replace(market("m"), basket="b")) == "order.basket"
    scene.submit(*orders)
    assert scene.refused(replace(buy("more", "90"), basket="b")) == "order.basket"


def test_the_name_of_a_basket_is_kept_over_a_restart(scene: Scene) -> None:
    scene.book("99.9", "100")
    scene.submit(*three())
    scene.book("98.8", "98.9", ts_ms=1)
    scene.restart()
    scene.book("89", "99.5", ts_ms=2)
    assert states(scene, "e") == [FILLED, CANCELLED, CANCELLED]


def test_an_order_of_no_basket_looks_on_the_wire_as_it_always_did() -> None:
    assert len(request_out(buy("a", "1"))) == 12
    (entry, *_) = three()
    assert request_in(request_out(entry)) == entry
    with pytest.raises(ValueError, match="13 fields"):
        request_in([*request_out(entry), "more"])
