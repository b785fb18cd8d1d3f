"""Fills, exits and closes: the hold shrinks with what was paid, and nothing is sold twice."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app.execution.states import TradeState
from app.ids import client_order_id
from tests.execution.harness import Between, rig

HAPPY = ["RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "FILLED"]


# -- the venue says no --------------------------------------------------------------------------------------------


async def test_a_refusal_is_definite_and_frees_the_money(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        between = Between(r)
        used = client_order_id("e" * 32, "entry")

        async def spoil() -> None:
            # the venue's own money is gone: another program of the trader's spent it there
            await r.venue._flush()
            await between._submit((replace(between.calls[-1][0], client_id=used, quantity=Decimal(99)),), None)

        between.before.append(spoil)
        trade = await r.trade()
        assert r.stored(trade)["state"] == "REJECTED"
        assert r.order_states(trade) == {"entry": "REJECTED", "stop": "REJECTED", "target": "REJECTED"}
        assert r.hold(trade) == ("0", "RELEASED")
        assert [row["state"] for row in r.rows("SELECT state FROM payloads")] == ["DEAD"]


async def test_a_venue_that_can_not_be_reached_has_been_sent_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.venue._drop()
        trade = await r.trade()
        assert r.states(trade)[-1] == "FAILED"
        assert r.stored(trade)["reason"].endswith("Nothing was sent.")
        assert r.sent() == []
        r.assert_sound()


# -- fills --------------------------------------------------------------------------------------------------------


async def test_partial_fills_shrink_the_hold_and_exits_cover_exactly_what_was_bought(tmp_path: Path) -> None:
    async with rig(tmp_path, settings={"trade.time_in_force_ms": "60000"}) as r:
        await r.book("99.90", "100.00", "1")
        trade = await r.trade(quantity="3")
        assert trade.state is TradeState.PARTIALLY_FILLED
        # two are left at 100.50, and the whole fee bound less what was paid
        left = Decimal(2) * Decimal("100.5") + trade.intent.max_fee
        assert Decimal(r.hold(trade)[0]) == left
        assert r.desk.state.exit_groups("m", "ETH-USDT") == [(client_order_id(trade.id, "exits"), Decimal(1))]
        r.assert_sound()
        await r.book("99.90", "100.20", "1.5")
        assert Decimal(r.hold(trade)[0]) == Decimal("0.5") * Decimal("100.5") + trade.intent.max_fee
        await r.advance(60_001)
        await r.book("99.90", "100.00", "0")
        assert r.stored(trade)["state"] == "EXPIRED"
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.held() == Decimal("2.5")
        r.assert_sound()
        await r.book("89.00", "89.10")  # the stop sells what was bought, not what was ordered
        assert r.held() == 0
        assert r.order_states(trade) == {"entry": "EXPIRED", "stop": "FILLED", "target": "CANCELLED"}
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_fee_never_comes_out_of_what_another_trade_reserved(tmp_path: Path) -> None:
    """Everything is reserved to the last unit; then one of the two fills in part, at its worst price."""
    async with rig(tmp_path, settings={"paper.cash_per_quote": "201.201002"}) as r:
        await r.book("99.90", "100.00", "0")
        one = await r.trade(worst="100.5")
        two = await r.trade(module="n", worst="100.5")
        assert r.desk.state.purse.available("USDT") == 0
        await r.book("99.90", "100.50", "0.4")
        assert one.state is TradeState.PARTIALLY_FILLED
        assert two.state is TradeState.SUBMITTED
        r.assert_sound()
        await r.book("99.90", "100.50", "5")
        assert [one.state, two.state] == [TradeState.FILLED] * 2
        r.assert_sound()
        r.assert_agrees_with_venue()


@pytest.mark.parametrize(("bid", "sold", "ended"), [("89.00", "stop", "target"), ("120.00", "target", "stop")])
async def test_one_exit_cancels_the_other(tmp_path: Path, bid: str, sold: str, ended: str) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        await r.book(bid, str(Decimal(bid) + 1))
        assert r.order_states(trade) == {"entry": "FILLED", sold: "FILLED", ended: "CANCELLED"}
        assert r.held() == 0
        assert r.desk.state.trades == {}
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_close_and_the_exits_sell_nothing_twice(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        entry = await r.trade(quantity="2")
        await r.book("99.90", "100.00", "0.5")
        close = await r.close_position("2")
        assert close.state is TradeState.PARTIALLY_FILLED
        assert r.desk.state.exit_groups("m", "ETH-USDT") == [(client_order_id(entry.id, "exits"), Decimal("1.5"))]
        await r.book("89.00", "89.10", "10")  # below the close's limit: the stop sells the rest
        assert r.held() == 0
        assert r.order_states(entry)["stop"] == "FILLED"
        assert r.order_states(close)["close"] == "CANCELLED"
        assert r.hold(close) == ("0", "RELEASED")
        r.assert_sound()
        r.assert_agrees_with_venue()
        sold = r.venue_rows("SELECT quantity FROM fills WHERE side = 'sell'")
        assert sum(Decimal(quantity) for (quantity,) in sold) == 2


async def test_what_a_partly_filled_close_left_can_be_closed_after_it_ended(tmp_path: Path) -> None:
    async with rig(tmp_path, settings={"trade.time_in_force_ms": "1000"}) as r:
        entry = await r.trade(quantity="2")
        group = client_order_id(entry.id, "exits")
        await r.book("99.90", "100.00", "0.5")
        close = await r.close_position("2")
        await r.book("99.00", "99.10", "10", after_ms=1_500)
        assert r.stored(close)["state"] == "EXPIRED"
        assert r.desk.state.exit_groups("m", "ETH-USDT") == [(group, Decimal("1.5"))]
        r.assert_sound()
    async with rig(tmp_path, settings={"trade.time_in_force_ms": "1000"}) as r:  # and after a restart
        assert r.desk.state.exit_groups("m", "ETH-USDT") == [(group, Decimal("1.5"))]
        r._numbers = itertools.count(100)
        again = await r.close_position("1.5")
        assert r.states(again) == HAPPY
        assert r.held() == 0
        assert r.desk.state.trades == {}
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_stop_that_sold_frees_what_a_waiting_close_had_reserved(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
        r.desk.terms = replace(r.desk.terms, auto_confirm=False)
        close = await r.close_position("1")
        assert r.desk.state.purse.available("ETH") == 0
        await r.book("89.00", "89.10")
        assert r.held() == 0
        r.assert_sound()  # available is not below zero
        assert r.hold(close) == ("0", "RELEASED")
        assert r.stored(close)["state"] == "CANCELLED", "it waits no more: there is nothing left to close"


# -- the fee that was signed --------------------------------------------------------------------------------------


async def test_a_resting_sale_that_costs_more_than_the_signed_fee_says_so_with_both_numbers(tmp_path: Path) -> None:
    """Its fee grows with what it brings in, and nobody asks again while it rests."""
    async with rig(tmp_path) as r:
        await r.trade(target=None)
        await r.book("99.90", "100.00", "0")
        close = await r.close_position("1")
        assert "fee up to 0.102486 USDT" in r.rows("SELECT text FROM payloads ORDER BY rowid")[-1]["text"]
        await r.book("120.00", "120.10")
        assert close.state is TradeState.FILLED
        text = "ETH-USDT: the fees of the close are 0.12 USDT; fee up to 0.102486 was signed."
        found = {"severity": "HIGH", "kind": "order.fee", "text": text, "subject": close.id}
        assert r.rows("SELECT severity, kind, text, subject FROM alerts") == [found]
        assert r.desk.halted == ""  # it is told; the money is right
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_sale_that_costs_exactly_the_signed_fee_is_no_news(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade(target=None)
        await r.book("99.90", "100.00", "0")
        close = await r.close_position("1", max_fee="0.12")
        await r.book("120.00", "120.10")
        assert close.state is TradeState.FILLED
        assert r.alerts() == []


async def test_fees_are_summed_over_fills_and_restarts_and_told_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade(quantity="5", target=None)
        await r.book("99.90", "100.00", "0")
        close = await r.close_position("5")
        for _ in range(2):
            await r.book("200.00", "200.10", "1")
        assert r.alerts() == []
        r.assert_sound()
    async with rig(tmp_path, market=False) as r:
        await r.book("200.00", "200.10", "1")
        assert [row["text"] for row in r.rows("SELECT text FROM alerts")] == [
            "ETH-USDT: the fees of the close are 0.6 USDT; fee up to 0.512426 was signed."
        ]
        await r.book("200.00", "200.10", "1")
        assert r.alerts() == ["order.fee"]
        r.assert_sound()
    async with rig(tmp_path, market=False) as r:
        await r.book("200.00", "200.10", "1")
        assert r.stored(close)["state"] == "FILLED"
        assert r.alerts() == ["order.fee"]


async def test_an_entry_that_rested_until_the_venue_became_dearer_says_so(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        entry = await r.trade()
    async with rig(tmp_path, market=False, settings={"paper.taker_fee_bps": "20"}) as r:
        await r.book("99.90", "100.00")
        assert r.stored(entry)["state"] == "FILLED"
        assert [row["text"] for row in r.rows("SELECT text FROM alerts")] == [
            "ETH-USDT: the fees of the entry are 0.2 USDT; fee up to 0.100501 was signed."
        ]


@pytest.mark.parametrize("bid", ["89.00", "200.00"])
async def test_an_exit_has_no_signed_fee(tmp_path: Path, bid: str) -> None:
    async with rig(tmp_path, settings={"paper.taker_fee_bps": "10"}) as r:
        await r.trade()
    async with rig(tmp_path, market=False, settings={"paper.taker_fee_bps": "50"}) as r:
        await r.book(bid, str(Decimal(bid) + 1))
        assert r.held() == 0
        assert r.alerts() == []
