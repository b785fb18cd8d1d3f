"""From a signal with levels to a basket with exact bounds, and every reason for none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.intents import IntentMaker, Skipped
from app.execution.basket_preview import lines, walk_legs
from app.execution.prepare import permitted_orders, prepare
from app.execution.records import Trade
from app.money import from_float, mul, total
from app.risk.basket import notional
from app.risk.gate import check
from app.risk.model import Allow, Deny, Sizing
from strategies.model import MOST_LEGS, Book, Direction, Exits, Intent, Leg, Level, Side, Signal
from tests.execution.basket_acts import basket, basket_intent, legs
from tests.execution.harness import Rig, rig

LEVELS = (Level(98.991, 100.001), Level(97.5, 99.0), Level(96.0, 98.0))
SIGNAL = Signal("ETH-USDT", Direction.LONG, 0.5, 0.5, "ranges", stop=90.009, levels=LEVELS, rest_ms=3_600_500)


def maker(r: Rig, fixed: str = "300", allocation: str = "1000000") -> IntentMaker:
    return IntentMaker(r.desk, "m", Sizing(fixed=Decimal(fixed)), Decimal(allocation))


def made(r: Rig, signal: Signal = SIGNAL, **terms: str) -> Intent | Skipped:
    return maker(r, **terms).from_signal(signal, "ab" * 16, None)


async def test_a_signal_with_levels_becomes_a_basket_on_ticks_and_lots(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        intent = made(r)
        assert isinstance(intent, Intent)
        assert [(str(leg.price), str(leg.quantity), str(leg.target)) for leg in intent.legs] == [
            ("98.99", "1.010", "100.01"),
            ("97.50", "1.010", "99.00"),
            ("96.00", "1.010", "98.00"),
        ]
        assert intent.exits == Exits(Decimal("90.00"))
        assert (intent.quantity, intent.worst_price, intent.rest_ms) == (Decimal("3.030"), Decimal("98.99"), 3_600_000)
        assert notional(intent) <= 300
        verdict = check(intent, r.desk.risk_state("ETH-USDT"), r.desk.limits)
        assert isinstance(verdict, Allow)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"stop": None}, "no stop"),
        ({"stop": 96.0}, "the stop is not below all levels"),
        ({"stop": 0.001}, "the stop is not below all levels"),
        ({"levels": (Level(99.0, 100.0), Level(98.999, 100.0), Level(98.998, 100.0))}, "less than a tick apart"),
        ({"levels": (Level(99.0, 99.0),)}, "less than a tick apart"),
        ({"levels": tuple(Level(99.0 - n, 101.0) for n in range(MOST_LEGS + 1)), "stop": 1.0}, "1 to 10 levels"),
    ],
)
async def test_a_signal_that_is_no_basket_is_skipped_with_its_reason(
    tmp_path: Path, change: dict[str, object], why: str
) -> None:
    async with rig(tmp_path) as r:
        skipped = made(r, replace(SIGNAL, **change))  # type: ignore[arg-type]  # one field each
        assert isinstance(skipped, Skipped)
        assert why in skipped.why


async def test_no_basket_where_a_leg_has_no_room_for_a_lot(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        assert made(r, fixed="0.2") == Skipped("no room for one lot a level")
        assert made(r, allocation="0.1") == Skipped("no room for one lot a level")


async def test_no_second_basket_while_the_first_is_under_way_and_one_after_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r, rest_ms=30_000)  # type: ignore[arg-type]  # a number for once
        assert made(r) == Skipped("its last trade is still under way")
        await r.book("98.80", "98.90", "0.5")
        assert made(r) == Skipped("its last trade is still under way")
        await r.book("99.90", "100.00", after_ms=30_001)
        assert trade.state.value == "EXPIRED"
        assert isinstance(made(r), Intent)


async def test_a_basket_whose_market_left_is_not_bought_at_the_market_instead(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        assert maker(r).again(basket_intent(r), "cd" * 16, "why") == Skipped("a basket is not proposed again")


async def test_a_market_below_the_stop_is_no_place_for_a_basket(tmp_path: Path) -> None:
    """The stop would sell each leg in the moment in which it is bought."""
    async with rig(tmp_path) as r:
        intent = basket_intent(r, stop="96")
        await r.book("95.90", "98.50")
        verdict = check(intent, r.desk.risk_state("ETH-USDT"), r.desk.limits)
        assert isinstance(verdict, Deny)
        assert verdict.rule == "exits"


async def test_a_market_that_rose_while_the_person_read_is_no_reason_to_stop(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await basket(r)
        await r.book("109.90", "110.00")
        r.pipeline.proposals.confirm(trade.id)
        await r.finished(trade)
        assert legs(r, trade) == [("OPEN", "OPEN", "OPEN")] * 3


async def test_a_market_that_fell_below_the_stop_meanwhile_is(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await basket(r)
        await r.book("89.90", "90.00")
        r.pipeline.proposals.confirm(trade.id)
        await r.finished(trade)
        assert r.stored(trade)["state"] == "DENIED"
        assert "stop of ETH-USDT" in r.stored(trade)["reason"]
        assert r.sent() == []
        assert r.hold(trade) == ("0", "RELEASED")


async def test_the_life_of_the_legs_counts_from_the_signature_and_is_in_the_text(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await basket(r, rest_ms=7_200_000)  # type: ignore[arg-type]  # a number for once
        payload = prepare(r.desk, Trade(trade.intent))
        assert not isinstance(payload, str)
        assert "open for 7200 s" in payload.text.splitlines()
        orders = permitted_orders(payload.text, r.now, "paper")
        assert {order.request.expires_ms for order in orders} == {None, r.now + 7_200_000}


# -- what is never an intent ------------------------------------------------------------------------------------------


def whole(**changes: object) -> Intent:
    two = (Leg(Decimal(99), Decimal(1), Decimal(101)), Leg(Decimal(98), Decimal(2), Decimal(100)))
    terms: dict[str, object] = {
        "id": "a", "module": "m", "symbol": "ETH-USDT", "side": Side.BUY, "quantity": Decimal(3),
        "worst_price": Decimal(99), "max_fee": Decimal(1), "exits": Exits(Decimal(90)), "reason": "", "created_ms": 0,
        "expires_ms": 1, "config_version": 1, "legs": two, "rest_ms": 1000,
    }  # fmt: skip
    return Intent(**{**terms, **changes})  # type: ignore[arg-type]  # one field each


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": Decimal(2)},
        {"worst_price": Decimal(98)},
        {"exits": None},
        {"exits": Exits(Decimal(98))},
        {"exits": Exits(Decimal(90), Decimal(120))},
        {"side": Side.SELL},
        {"reduce_only": True},
        {"rest_ms": 0},
        {"rest_ms": 1500},
        {"legs": ()},
        {"legs": (Leg(Decimal(98), Decimal(1), Decimal(101)), Leg(Decimal(99), Decimal(2), Decimal(100)))},
        {"legs": (Leg(Decimal(99), Decimal(1), Decimal(101)), Leg(Decimal(99), Decimal(2), Decimal(100)))},
        {"legs": tuple(Leg(Decimal(99 - n), Decimal("0.2"), Decimal(101)) for n in range(MOST_LEGS + 5))},
    ],
)
def test_a_basket_that_contradicts_itself_is_no_intent(change: dict[str, object]) -> None:
    assert whole().legs
    with pytest.raises(ValueError, match=r"basket|stop|legs"):
        whole(**change)


def test_a_leg_is_exact_and_sells_above_its_price() -> None:
    with pytest.raises(TypeError, match=r"Leg\.price must be Decimal"):
        Leg(99.0, Decimal(1), Decimal(100))  # type: ignore[arg-type]  # the point
    for price, quantity, target in ((0, 1, 2), (1, 0, 2), (1, 1, 1)):
        with pytest.raises(ValueError, match="a leg buys"):
            Leg(Decimal(price), Decimal(quantity), Decimal(target))


# -- the preview ------------------------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(
    st.lists(
        st.tuples(st.integers(9000, 10500), st.integers(1, 3000)), min_size=1, max_size=8, unique_by=lambda t: t[0]
    )
)
def test_what_one_leg_takes_the_next_does_not_find(offers: list[tuple[int, int]]) -> None:
    asks = tuple((Decimal(price) / 100, Decimal(size) / 1000) for price, size in sorted(offers))
    book = Book("ETH-USDT", 0, ((Decimal(89), Decimal(1)),), asks)
    intent = whole()
    preview = walk_legs(book, intent, Decimal(10))
    assert total([leg.takes for leg in preview.legs]) == preview.now.filled
    for leg in preview.legs:
        within = total([size for price, size in asks if price <= leg.leg.price])
        assert leg.takes <= min(leg.leg.quantity, within)
    assert preview.now.filled <= total([size for price, size in asks if price <= intent.worst_price])
    assert preview.worst_cost == 99 + 196 + 1
    assert preview.stop_loss == preview.worst_cost - mul(Decimal(3), Decimal(90))


def test_the_words_of_a_preview_name_each_leg_and_both_totals() -> None:
    book = Book("ETH-USDT", 0, ((Decimal(89), Decimal(1)),), ((from_float(98.5), Decimal("0.4")),))
    words = lines(walk_legs(book, whole(), Decimal(10)).as_json())
    assert words == [
        "Leg 1: 1 at 99 takes 0.4 at once, rests 0.6; sells at 101.",
        "Leg 2: 2 at 98 rests 50.76 bps below the ask; sells at 100.",
        (
            "All legs cost at most 296; when all are bought and the stop sells them, 26 is lost, "
            "the stop's own fee and slippage on top."
        ),
    ]
    assert lines({"filled": "1"}) == []
