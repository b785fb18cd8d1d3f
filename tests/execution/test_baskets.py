"""Baskets on the real paper venue: several resting buys, one confirmation, one signed text, one reservation."""

from __future__ import annotations

import itertools
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app.execution.states import TradeState
from app.execution.verify import verify
from app.ids import client_order_id
from app.venues.base import Capabilities
from tests.execution.basket_acts import THREE, assert_covered, assert_within, basket, basket_intent, legs
from tests.execution.harness import Between, Rig, rig

RESTS = ("OPEN", "OPEN", "OPEN")
SOLD_BY_STOP = ("FILLED", "FILLED", "CANCELLED")
SOLD_BY_TARGET = ("FILLED", "CANCELLED", "FILLED")
NEVER = ("CANCELLED", "CANCELLED", "CANCELLED")
BOUND = Decimal(294)
"""What the legs of `THREE` cost without fees."""


def check(r: Rig) -> None:
    r.assert_sound()
    r.assert_agrees_with_venue()
    assert_covered(r)


# -- one confirmation -----------------------------------------------------------------------------------------------


async def test_all_legs_go_in_one_list_under_one_text_and_rest(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        assert trade.state is TradeState.SUBMITTED
        assert legs(r, trade) == [("OPEN", "OPEN", "OPEN")] * 3
        assert [len(each) for each in r.sent()] == [9]
        (signed,) = r.rows("SELECT text FROM authorisations")
        assert signed["text"].splitlines()[:8] == [
            "countersign basket 1",
            "BUY 3 ETH-USDT",
            "on paper",
            "1: 1 at 99, sell at 101",
            "2: 1 at 98, sell at 100",
            "3: 1 at 97, sell at 99",
            "stop 90, sell at market",
            "a stop ends all buys",
        ]
        assert Decimal(r.hold(trade)[0]) == BOUND + trade.intent.max_fee
        check(r)


async def test_the_preview_says_what_each_leg_would_do_and_what_all_can_lose(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0.4")
        trade = await basket(r, (("100.5", "1", "102"), ("99", "1", "101")))
        assert trade.payload is not None
        preview = json.loads(trade.payload.preview)
        assert [(leg["takes"], leg["rests"]) for leg in preview["legs"]] == [("0.4", "0.6"), ("0", "1")]
        assert [leg["below_ask_bps"] for leg in preview["legs"]] == ["-50", "100"]
        assert (preview["filled"], preview["average"]) == ("0.4", "100")
        assert Decimal(preview["worst_cost"]) == Decimal("199.5") + trade.intent.max_fee
        assert Decimal(preview["stop_loss"]) == Decimal("19.5") + trade.intent.max_fee
        assert trade.state is TradeState.PARTIALLY_FILLED
        check(r)


async def test_a_plain_trade_names_no_basket_anywhere(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
        assert r.rows("SELECT * FROM intent_legs") == []
        assert all("basket" not in row["terms"] for row in r.rows("SELECT terms FROM orders"))
        bodies = r.venue_rows("SELECT body FROM requests WHERE op = 'submit'")
        assert all(len(order) == 12 for (body,) in bodies for order in json.loads(body)["orders"])


async def test_verify_finds_a_leg_that_was_signed_otherwise_than_proposed(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        r.assert_sound()
        for change in ("SET quantity = '2' WHERE number = 2", "SET target = '1000' WHERE number = 3"):
            with closing(sqlite3.connect(r.session.plan.db)) as connection, connection:
                connection.execute(f"UPDATE intent_legs {change}")
        found = list(verify(r.session.reader, None))
        assert any(f.table == "intent_legs" and trade.id in f.what for f in found), found
        assert any(f.table == "journal" and "intent_legs" in f.what for f in found), found


# -- fills ----------------------------------------------------------------------------------------------------------


async def test_one_leg_fills_and_its_target_sells_it_while_the_others_stay(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        await r.book("98.80", "98.90", "50")
        assert legs(r, trade) == [("FILLED", "OPEN", "OPEN"), RESTS, RESTS]
        assert trade.state is TradeState.PARTIALLY_FILLED
        assert r.held() == 1
        assert Decimal(r.hold(trade)[0]) < BOUND + trade.intent.max_fee - Decimal(98)
        check(r)
        await r.book("101.20", "101.30")
        assert legs(r, trade) == [SOLD_BY_TARGET, RESTS, RESTS]
        assert r.held() == 0
        check(r)
        await r.book("97.80", "97.90")
        assert legs(r, trade) == [SOLD_BY_TARGET, ("FILLED", "OPEN", "OPEN"), RESTS]
        assert r.held() == 1
        check(r)
        assert_within(r, trade)


async def test_all_legs_fill_and_the_stop_sells_all_of_them(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        await r.book("96.80", "96.90")
        assert trade.state is TradeState.FILLED
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.held() == 3
        check(r)
        await r.book("89.90", "90.10")
        assert legs(r, trade) == [SOLD_BY_STOP] * 3
        assert r.held() == 0
        assert r.desk.state.trades == {}
        check(r)


async def test_a_stop_that_fires_ends_every_leg_that_has_not_bought(tmp_path: Path) -> None:
    """The market gaps below the stop with hardly an offer: what was not bought on the way down is not bought later."""
    async with rig(tmp_path) as r:
        trade = await basket(r)
        await r.book("98.80", "98.90")
        await r.book("89.00", "99.50", "10")  # nobody offers below our prices, and the bid is through the stop
        assert legs(r, trade) == [SOLD_BY_STOP, NEVER, NEVER]
        assert trade.state is TradeState.CANCELLED
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.held() == 0
        check(r)
        await r.book("95.00", "95.10")
        assert r.held() == 0
        assert r.desk.state.trades == {}
        check(r)


async def test_a_stop_that_fires_ends_the_rest_of_a_leg_that_was_partly_filled(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        await r.book("98.80", "98.90", "0.4")
        check(r)
        assert r.held() == Decimal("0.4")
        await r.book("89.00", "99.50", "10")
        assert legs(r, trade) == [("CANCELLED", "FILLED", "CANCELLED"), NEVER, NEVER]
        await r.book("95.00", "95.10")
        assert r.held() == 0
        check(r)


async def test_a_thin_market_sells_the_stopped_legs_piece_by_piece_and_buys_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        await r.book("97.80", "97.90")
        assert r.held() == 2
        await r.book("89.00", "99.50", "0.5")
        assert legs(r, trade)[2] == NEVER
        assert r.held() == Decimal("1.5")
        assert_covered(r)
        await r.book("95.00", "96.50", "0.5")  # a triggered stop sells at market until it is done
        await r.book("95.00", "96.50", "5")
        assert r.held() == 0
        check(r)
        assert_within(r, trade)


async def test_partial_fills_of_several_legs_are_each_covered_and_shrink_one_reservation(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        seen = [Decimal(r.hold(trade)[0])]
        for ask, size in (("98.90", "0.3"), ("97.90", "0.9"), ("97.90", "0.1"), ("96.90", "0.7")):
            await r.book(str(Decimal(ask) - Decimal("0.1")), ask, size)
            seen.append(Decimal(r.hold(trade)[0]))
            check(r)
            assert_within(r, trade)
        assert r.held() == 2
        assert seen == sorted(seen, reverse=True)
        assert len(set(seen)) == 5


async def test_a_bar_that_goes_through_the_basket_and_its_stop_buys_it_before_it_is_stopped_out(tmp_path: Path) -> None:
    """Within a bar the venue errs against the trader: it went through the legs on its way to the stop."""
    from app.market.events import BarOpened  # noqa: PLC0415 -- this one scenario is fed by bars
    from strategies.model import Bar  # noqa: PLC0415 -- the same

    async with rig(tmp_path, market=False) as r:

        async def bar(number: int, first: str, high: str, low: str, last: str) -> None:
            opened = 1_600_000_020_000 + number * 60_000
            await r.feed(BarOpened("ETH-USDT", opened, 60_000, Decimal(first), Decimal(1000)))
            prices = (Decimal(first), Decimal(high), Decimal(low), Decimal(last), Decimal(1000))
            await r.feed(Bar("ETH-USDT", opened, 60_000, *prices))

        await bar(0, "100", "100.1", "99.9", "100")
        trade = await basket(r)
        await bar(1, "100", "100.1", "98.5", "99.2")
        assert legs(r, trade) == [("FILLED", "OPEN", "OPEN"), RESTS, RESTS]
        check(r)
        await bar(2, "99.2", "99.3", "89", "96")
        assert legs(r, trade) == [SOLD_BY_STOP] * 3
        assert r.held() == 0
        check(r)


# -- the end of legs --------------------------------------------------------------------------------------------------


async def test_legs_that_are_not_bought_in_time_expire_and_what_was_bought_keeps_its_exits(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r, rest_ms=30_000)  # type: ignore[arg-type]  # a number for once
        await r.book("98.80", "98.90")
        await r.book("99.90", "100.00", after_ms=30_001)
        ended = ("EXPIRED", "CANCELLED", "CANCELLED")
        assert legs(r, trade) == [("FILLED", "OPEN", "OPEN"), ended, ended]
        assert trade.state is TradeState.EXPIRED
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.held() == 1
        check(r)
        await r.book("101.20", "101.30")
        assert r.held() == 0
        assert r.desk.state.trades == {}
        check(r)


async def test_a_leg_that_is_cancelled_frees_its_share_of_the_money_at_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        (_, second, _) = trade.entries
        await r.pipeline.cancel_order(second)
        await r.settle()
        assert trade.state is TradeState.SUBMITTED
        assert Decimal(r.hold(trade)[0]) == BOUND - 98 + trade.intent.max_fee
        check(r)


async def test_a_close_sells_one_leg_and_shares_its_exits(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        await r.book("97.80", "97.90")
        assert [left for _, left in r.desk.state.exit_groups("m", "ETH-USDT")] == [1, 1]
        close = await r.close_position("1", worst="97")
        assert close.state is TradeState.FILLED
        assert r.held() == 1
        groups = [group for group, _ in r.desk.state.exit_groups("m", "ETH-USDT")]
        assert groups == [client_order_id(trade.id, "exits:2")]
        check(r)
        await r.book("89.00", "99.50")
        assert r.held() == 0
        check(r)


# -- all or nothing -----------------------------------------------------------------------------------------------


async def test_a_venue_that_refuses_one_leg_has_none_of_them(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        between = Between(r)

        async def spoil() -> None:
            # one of the ids is taken already: another program of the trader's used it there
            await r.venue._flush()
            third = [order for order in between.calls[-1] if order.parent is None][2]
            await between._submit((replace(third, basket=None, limit_price=Decimal(50)),), None)

        between.before.append(spoil)
        trade = await basket(r)
        assert trade.state is TradeState.REJECTED
        assert legs(r, trade)[:2] == [("REJECTED", "REJECTED", "REJECTED")] * 2
        assert r.hold(trade) == ("0", "RELEASED")
        assert [row["state"] for row in r.rows("SELECT state FROM payloads")] == ["DEAD"]
        assert r.held() == 0


async def test_a_venue_without_baskets_is_not_sent_one(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.desk.venue_info = replace(r.desk.venue_info, capabilities=Capabilities(order_list=True, exits_rest=True))
        trade = await basket(r)
        assert trade.state is TradeState.DENIED
        assert r.stored(trade)["reason"] == "paper does not take several entries in one list."
        assert r.sent() == []
        r.assert_sound()


# -- purse and gate -----------------------------------------------------------------------------------------------


async def test_the_reservation_is_the_sum_of_the_legs_and_no_more(tmp_path: Path) -> None:
    for name in ("short", "enough"):
        (tmp_path / name).mkdir()
    async with rig(tmp_path / "short", settings={"paper.cash_per_quote": "294.294002"}) as r:
        assert r.pipeline.propose(basket_intent(r)) is None
        assert r.desk.counters.by_rule == {"balance": 1}
    async with rig(tmp_path / "enough", settings={"paper.cash_per_quote": "294.294003"}) as r:
        trade = await basket(r)
        assert r.desk.state.purse.available("USDT") == 0
        for price in (99, 98):  # each exactly at its worst price, so that its fee is all that is left of its share
            await r.book(str(price - 1), str(price), "1")
            check(r)
        assert r.desk.state.purse.available("USDT") == 0
        await r.book("89.50", "96.90")
        assert r.held() == 0
        assert r.hold(trade) == ("0", "RELEASED")
        check(r)


@pytest.mark.parametrize(
    ("setting", "at", "rule"),
    [
        ("risk.position", "294", "position"),
        ("risk.exposure", "294", "exposure"),
        ("risk.trades_per_day", "3", "trades_per_day"),
    ],
)
async def test_the_gate_sees_the_whole_basket(tmp_path: Path, setting: str, at: str, rule: str) -> None:
    for name in ("wide", "narrow"):
        (tmp_path / name).mkdir()
    async with rig(tmp_path / "wide", settings={setting: at}) as r:
        trade = await basket(r)
        assert trade.state is TradeState.SUBMITTED
    below = {"trades_per_day": "2"}.get(rule, "293.99")
    async with rig(tmp_path / "narrow", settings={setting: below}) as r:
        assert r.pipeline.propose(basket_intent(r)) is None
        assert r.desk.counters.by_rule == {rule: 1}


async def test_a_leg_off_the_tick_is_denied_by_name(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        for leg in (("98.005", "1", "100"), ("98", "1.0005", "100"), ("98", "1", "100.005")):
            assert r.pipeline.propose(basket_intent(r, (THREE[0], leg, THREE[2]))) is None
        assert r.desk.counters.by_rule == {"precision": 3}
        await r.settle()
        reasons = [row["reason"] for row in r.rows("SELECT reason FROM trades ORDER BY rowid")]
        assert any(reason.startswith("The price of leg 2 is 98.005") for reason in reasons)


async def test_each_leg_counts_as_a_trade_of_the_day_also_after_a_restart(tmp_path: Path) -> None:
    settings = {"risk.trades_per_day": "5"}
    async with rig(tmp_path, settings=settings) as r:
        await basket(r)
        assert r.desk.risk_state("ETH-USDT").trades_today == 3
    async with rig(tmp_path, settings=settings) as r:
        r._numbers = itertools.count(100)
        assert r.desk.risk_state("ETH-USDT").trades_today == 3
        assert r.pipeline.propose(basket_intent(r, module="n")) is None
        assert r.desk.counters.by_rule == {"trades_per_day": 1}


async def test_a_second_basket_waits_until_the_first_has_ended(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await basket(r)
        assert r.pipeline.propose(basket_intent(r)) is None
        assert r.desk.counters.dropped == 1
