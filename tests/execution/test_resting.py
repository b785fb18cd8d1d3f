"""Limit entries that wait at their price: their reservation, partial fills, expiry, restarts, and taking them back."""

from __future__ import annotations

import random
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.errors import SafetyError, UsageError, VenueError, VenueUnknown
from app.execution.records import Trade
from app.execution.withdrawal import Withdrawn, withdraw
from app.ids import client_order_id
from app.venues.base import OrderState
from tests.execution.acts import confirm_until
from tests.execution.harness import Between, Rig, rig
from tests.execution.test_ticket import BUY, SELL, Hand, book_now, hand

LIMIT = {**BUY, "kind": "limit", "price": "95"}
RESTING = {"entry": "OPEN", "stop": "OPEN", "target": "OPEN"}


async def cancel(r: Rig, trade: Trade, role: str = "entry") -> Withdrawn:
    taken = await withdraw(r.desk, r.pipeline, client_order_id(trade.id, role))
    await r.settle()
    return taken


def sound(r: Rig) -> None:
    r.assert_sound()
    r.assert_agrees_with_venue()


# -- resting -------------------------------------------------------------------------------------------------------


async def test_a_limit_below_the_market_rests_and_fills_at_its_price(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        trade = await me.propose(LIMIT)
        assert r.stored(trade)["state"] == "SUBMITTED"
        assert r.order_states(trade) == RESTING
        assert trade.payload is not None
        assert "at 95 or better\nlimit order, may rest\n" in trade.payload.text
        assert "open for 86400000 ms" in trade.payload.text
        assert Decimal(r.hold(trade)[0]) == Decimal(95) + trade.intent.max_fee
        await r.book("96.00", "96.10", after_ms=3_600_000)
        assert r.held(module="manual") == 0
        sound(r)
        await r.book("94.90", "95.00")
        assert r.order_states(trade) == {"entry": "FILLED", "stop": "OPEN", "target": "OPEN"}
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.rows("SELECT price FROM fills") == [{"price": "95"}]
        sound(r)


async def test_a_limit_may_wait_for_the_person_too(tmp_path: Path) -> None:
    """While it is read the market rises: no reason to stop, it waits at its price."""
    async with hand(tmp_path, auto_confirm=False) as (r, me):
        trade = await me.propose(LIMIT, price="100")
        await r.book("104.00", "104.10")
        r.pipeline.proposals.confirm(trade.id)
        await r.finished(trade)
        assert r.order_states(trade) == RESTING
        sound(r)


async def test_partial_fills_then_the_end_of_its_time(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        trade = await me.propose(LIMIT, quantity="3", seconds="600")
        await r.book("94.90", "95.00", "1")
        assert r.stored(trade)["state"] == "PARTIALLY_FILLED"
        assert Decimal(r.hold(trade)[0]) == Decimal(190) + trade.intent.max_fee - Decimal("0.095"), (
            "what was paid is free"
        )
        assert r.desk.state.exit_groups("manual", "ETH-USDT") == [(client_order_id(trade.id, "exits"), Decimal(1))]
        sound(r)
        await r.book("96.00", "96.10", after_ms=600_000)
        assert r.stored(trade)["state"] == "EXPIRED"
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.order_states(trade) == {"entry": "EXPIRED", "stop": "OPEN", "target": "OPEN"}
        await r.book("89.00", "89.10")
        assert r.held(module="manual") == 0, "the stop sells what was bought, not what was asked for"
        sound(r)


async def test_a_part_is_sold_while_the_rest_still_waits(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        trade = await me.propose(LIMIT, quantity="3")
        await r.book("94.90", "95.00", "1")
        closed = await me.propose(SELL)
        assert r.order_states(closed) == {"close": "FILLED"}
        assert r.order_states(trade)["stop"] == "OPEN", "it protects what the entry may still buy"
        sound(r)
        await r.book("94.90", "95.00", "2")
        assert r.order_states(trade)["entry"] == "FILLED"
        assert r.held(module="manual") == 2
        await r.book("89.00", "89.10")
        assert r.held(module="manual") == 0
        sound(r)


async def test_a_sale_waits_above_the_market_and_the_stop_comes_first(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        bought = await me.propose(BUY, target="")
        sale = await me.propose(SELL, kind="limit", price="110")
        assert r.order_states(sale) == {"close": "OPEN"}
        sound(r)
        await r.book("89.00", "89.10")
        assert r.order_states(bought) == {"entry": "FILLED", "stop": "FILLED"}
        assert r.order_states(sale) == {"close": "CANCELLED"}
        sound(r)


async def test_a_sale_waits_above_the_market_and_fills(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        bought = await me.propose(BUY, target="")
        await me.propose(SELL, kind="limit", price="110")
        await r.book("110.50", "110.60")
        assert r.held(module="manual") == 0
        assert r.order_states(bought) == {"entry": "FILLED", "stop": "CANCELLED"}
        sound(r)


@pytest.mark.parametrize("filled", ["none", "part"])
async def test_a_restart_while_it_rests(tmp_path: Path, filled: str) -> None:
    async with hand(tmp_path) as (r, me):
        trade = await me.propose(LIMIT, quantity="3")
        if filled == "part":
            await r.book("94.90", "95.00", "1")
        held = r.hold(trade)
    async with hand(tmp_path, market=False) as (r, me):
        assert r.hold(trade) == held
        sound(r)
        await r.book("94.90", "95.00")
        assert r.stored(trade)["state"] == "FILLED"
        assert r.held(module="manual") == 3
        sound(r)


@pytest.mark.parametrize("state", ["PREPARED", "CONFIRMED", "SIGNED", "SUBMITTED", "FILLED"])
async def test_a_restart_in_each_state(tmp_path: Path, state: str) -> None:
    """The session ends as soon as the state is on disk; the next one concludes what a module's trade would come to."""
    async with hand(tmp_path, auto_confirm=False) as (r, me):
        trade = await me.propose(LIMIT, **({"price": "100"} if state == "FILLED" else {}))
        if state != "PREPARED":
            await confirm_until(r, trade, f"trade.{state.lower()}")
        assert r.stored(trade)["state"] == state
    async with hand(tmp_path, auto_confirm=False, market=False) as (r, me):
        await r.book("104.00", "104.10")
        if state == "SIGNED":
            assert r.stored(trade)["state"] == "SIGNED", "the same bytes wait for the trader's word"
            r.pipeline.proposals.confirm(trade.id)
            await r.finished(r.desk.state.trades[trade.id])
        ends = {"PREPARED": "EXPIRED", "CONFIRMED": "EXPIRED", "FILLED": "FILLED"}
        assert r.stored(trade)["state"] == ends.get(state, "SUBMITTED"), "the text still says that it may rest"
        sound(r)


async def test_the_emergency_stop_takes_it_back(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        trade = await me.propose(LIMIT)
        r.desk.stop.create("a test")
        report = await r.session.emergency.act(flatten=False)
        await r.settle()
        assert report.cancelled == [client_order_id(trade.id, "entry")]
        assert r.stored(trade)["state"] == "CANCELLED"
        sound(r)


# -- cancel --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["order", "trade"])
async def test_an_entry_is_taken_back_without_an_authorisation(tmp_path: Path, by: str) -> None:
    async with hand(tmp_path) as (r, me):
        trade = await me.propose(LIMIT)
        name = trade.id if by == "trade" else client_order_id(trade.id, "entry")
        taken = await withdraw(r.desk, r.pipeline, name[:8])
        await r.settle()
        assert taken.state is OrderState.CANCELLED
        assert taken.words == "Cancelled: 0 of 1 was filled before."
        assert r.order_states(trade) == dict.fromkeys(RESTING, "CANCELLED")
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.journal(trade)[r.journal(trade).index("order.withdraw") + 1 :] == ["order.cancelled"] * 3
        (row,) = r.rows("SELECT body FROM journal WHERE kind = 'order.withdraw'")
        assert "needs no authorisation" in row["body"]
        sound(r)


async def test_what_filled_before_keeps_its_exits(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        trade = await me.propose(LIMIT, quantity="3")
        await r.book("94.90", "95.00", "1")
        taken = await cancel(r, trade)
        assert taken.words == "Cancelled: 1 of 3 was filled before."
        assert r.order_states(trade) == {"entry": "CANCELLED", "stop": "OPEN", "target": "OPEN"}
        sound(r)
        await r.book("120.50", "120.60")
        assert r.held(module="manual") == 0
        sound(r)


async def test_a_cancel_races_a_fill(tmp_path: Path) -> None:
    """The fill is on its way to us when the cancel leaves: it was filled first, and that is what is said."""
    async with hand(tmp_path) as (r, me):
        trade = await me.propose(LIMIT)
        venue = r.venue
        ask = venue.cancel

        async def late(client_id: str) -> Any:
            r.venue._handler = lambda _report: None  # the report of the fill is lost on the way
            await r.venue.market(book_now(r, "94.90", "95.00", "9"), r.position + 1)
            return await ask(client_id)

        r.desk.venue.cancel = late
        taken = await cancel(r, trade)
        assert (taken.state, taken.words) == (OrderState.FILLED, "It was filled first: 1 of 1.")
        assert r.held(module="manual") == 1
        assert r.stored(trade)["state"] == "FILLED"
        r.assert_sound()


async def test_exits_of_an_open_position_stay(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        trade = await me.propose(BUY)
        for role in ("stop", "target"):
            with pytest.raises(SafetyError, match="would be uncovered") as refused:
                await cancel(r, trade, role)
            assert "countersign close ETH-USDT:manual" in refused.value.next_step
        assert r.order_states(trade) == {"entry": "FILLED", "stop": "OPEN", "target": "OPEN"}
        with pytest.raises(SafetyError, match="has ended: filled, 1 of 1 filled"):
            await cancel(r, trade)


async def test_exits_of_a_resting_entry_end_with_it(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        trade = await me.propose(LIMIT)
        with pytest.raises(SafetyError, match="protects what its entry buys"):
            await cancel(r, trade, "stop")


async def test_what_is_no_order(tmp_path: Path) -> None:
    async with hand(tmp_path, auto_confirm=False) as (r, me):
        trade = await me.propose(LIMIT)
        with pytest.raises(SafetyError, match="has no order") as refused:
            await withdraw(r.desk, r.pipeline, trade.id[:6])
        assert f"countersign decline {trade.id[:8]}" in refused.value.next_step
        for wrong in ("", "abc", "zzzz", "%%%%", None, 7, "\u0663\u0663\u0663\u0663", ["x"]):
            with pytest.raises(UsageError):
                await withdraw(r.desk, r.pipeline, wrong)


async def test_an_unknown_order_says_what_is_known(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        between = Between(r)

        async def deaf(*_: Any) -> None:
            await r.venue._flush()
            r.stop_listening()

        between.before.append(deaf)
        r.pipeline._resolve_unknown = _nothing
        ticket = me.look(LIMIT).ticket
        assert ticket is not None
        proposed = me.tickets.propose(ticket)
        trade = proposed.trade  # type: ignore[union-attr]  # the ticket is good
        await r.finished(trade)
        assert r.order_states(trade)["entry"] == "UNKNOWN"
        with pytest.raises(VenueError, match="no answer of the venue to it yet, 0 of 1 filled"):
            await cancel(r, trade)
        assert r.order_states(trade)["entry"] == "UNKNOWN", "nothing is concluded without evidence"
        await r.venue.connect()
        taken = await cancel(r, trade)
        assert taken.state is OrderState.CANCELLED, "the venue knows it after all"
        sound(r)


async def test_a_cancel_that_is_not_answered_says_what_is_known(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        trade = await me.propose(LIMIT)
        r.stop_listening()
        with pytest.raises(VenueError, match=r"did not answer the cancel\. What is known: open, 0 of 1 filled") as told:
            await cancel(r, trade)
        assert told.value.sent == "unknown"
        assert r.order_states(trade)["entry"] == "OPEN", "nothing is concluded without evidence"
        await r.book("99.80", "99.90")  # reached again, and looked up
        assert r.order_states(trade)["entry"] == "CANCELLED"
        sound(r)


async def _nothing(_: Trade, _once: bool) -> None:
    return None


@pytest.mark.parametrize("seed", range(4))
async def test_a_storm_by_hand_and_module(tmp_path: Path, seed: int) -> None:
    """Tickets, a module's trades, cancels, moves of the market and restarts in any order: after each step the account
    is sound, and nobody ever sold what was not held."""
    draw = random.Random(seed)
    for _ in range(3):
        async with hand(tmp_path, market=False) as (r, me):
            await r.book("99.90", "100.00", draw.choice(["1", "3", "1000"]))
            for _ in range(14):
                await _step(r, me, draw)
                sound(r)
            assert r.desk.halted == ""


async def _step(r: Rig, me: Hand, draw: random.Random) -> None:
    price, size = draw.randrange(86, 112), draw.choice(["0.5", "2", "1000"])
    quantity = draw.choice(["0.4", "1", "2.5"])
    act = draw.randrange(6)
    if act <= 1:
        await r.book(f"{price}.00", f"{price}.10", size, after_ms=draw.choice([1000, 30_000]))
    elif act == 2:
        stop, target = str(price - 8), draw.choice(["", str(price + 9)])
        kind = {"kind": "limit", "price": str(price)} if draw.random() < 0.7 else {}
        await _try(me, {**BUY, "quantity": quantity, "stop": stop, "target": target, "seconds": "600", **kind})
    elif act == 3:
        kind = {"kind": "limit", "price": str(price), "seconds": "300"} if draw.random() < 0.4 else {}
        await _try(me, {**SELL, "module": draw.choice(["manual", "m"]), "quantity": draw.choice(["", "0.4"]), **kind})
    elif act == 4:
        worst = (r.desk.market.quote("ETH-USDT").ask * Decimal("1.005")).quantize(Decimal("0.01"))
        r.pipeline.propose(r.intent(quantity=quantity, worst=str(worst), stop="80", target="130"))
        await r.settle()
    else:
        live = "SELECT client_id FROM orders WHERE state IN ('OPEN', 'PARTIALLY_FILLED') AND role IN ('entry', 'close')"
        rows = r.rows(live) or r.rows("SELECT client_id FROM orders")
        if rows:
            with suppress(SafetyError):
                await withdraw(r.desk, r.pipeline, draw.choice(rows)["client_id"])
            await r.settle()


async def _try(me: Hand, typed: dict[str, str]) -> None:
    if me.look(typed).preview is not None:
        with suppress(SafetyError):
            await me.propose(typed)


async def test_the_rig_restarts_with_a_hand(tmp_path: Path) -> None:
    """What the hand did is any module's trade to a session that has none."""
    async with hand(tmp_path) as (r, me):
        await me.propose(BUY)
        await me.propose(LIMIT, quantity="2")
    async with rig(tmp_path, market=False) as r:
        assert r.held(module="manual") == 1
        sound(r)


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_cancel_whose_answer_was_lost_is_looked_up(tmp_path: Path, arrived: bool) -> None:
    """Else it would stand as open, and its money as reserved, until the next start."""
    async with hand(tmp_path) as (r, me):
        trade = await me.propose(LIMIT)
        entry, cancel = trade.entries[0], r.desk.venue.cancel

        async def lost(client_id: str) -> Any:
            r.desk.venue.cancel = cancel
            if arrived:
                await cancel(client_id)
            raise VenueUnknown("paper.lost", "The answer was lost.")

        r.desk.venue.cancel = lost
        with pytest.raises(VenueUnknown):
            await r.pipeline.cancel_order(entry)
        await r.finished(trade)
        assert r.order_states(trade)["entry"] == ("CANCELLED" if arrived else "OPEN")
        assert r.hold(trade)[1] == ("RELEASED" if arrived else "OPEN")
        r.assert_sound()
        r.assert_agrees_with_venue()
