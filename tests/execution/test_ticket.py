"""Trades by hand on the real paper venue: judged while typed, proposed through the one door, closed for any module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.manual import Look, Proposed, Tickets
from app.engine.ticket import FIELDS, Ticket, read
from app.errors import SafetyError
from app.execution.records import Trade
from app.money import total
from app.risk.model import Allow, Deny
from strategies.model import Book, Side
from tests.execution.acts import spy_on_signer
from tests.execution.harness import Between, Rig, rig

BUY = {"symbol": "ETH-USDT", "side": "buy", "quantity": "1", "stop": "90", "target": "120"}
SELL = {"symbol": "ETH-USDT", "side": "sell"}


class Hand:
    """A rig and the trader's hand."""

    def __init__(self, r: Rig, allocation: str) -> None:
        self.rig = r
        self.tickets = Tickets(r.desk, r.pipeline, r.session.run, Decimal(allocation))

    def look(self, typed: dict[str, str], **changes: Any) -> Look:
        return self.tickets.look({**typed, **changes})

    def wrong(self, typed: dict[str, str], **changes: Any) -> dict[str, str]:
        """Field and what is allowed."""
        look = self.look(typed, **changes)
        assert (look.preview is None) == bool(look.problems)
        return {each.field: each.allowed for each in look.problems}

    def verdict(self, typed: dict[str, str], **changes: Any) -> Allow | Deny:
        preview = self.look(typed, **changes).preview
        assert preview is not None
        return preview.verdict

    async def propose(self, typed: dict[str, str], **changes: Any) -> Trade:
        ticket, problems = read({**typed, **changes})
        assert ticket is not None, problems
        proposed = self.tickets.propose(ticket)
        assert isinstance(proposed, Proposed), proposed
        await self.rig.settle()
        return proposed.trade


@asynccontextmanager
async def hand(folder: Path, allocation: str = "1000000", **options: Any) -> AsyncIterator[tuple[Rig, Hand]]:
    async with rig(folder, settings={"manual.allocation": allocation, **options.pop("settings", {})}, **options) as r:
        yield r, Hand(r, allocation)


# -- buy, confirm, exits -------------------------------------------------------------------------------------------


async def test_a_purchase_waits_and_its_exits_rest(tmp_path: Path) -> None:
    async with hand(tmp_path, auto_confirm=False) as (r, me):
        trade = await me.propose(BUY)
        assert r.stored(trade)["state"] == "PREPARED"
        assert r.stored(trade)["module"] == "manual"
        assert r.sent() == [], "nothing is sent before it is confirmed"
        r.pipeline.proposals.confirm(trade.id)
        await r.finished(trade)
        assert r.states(trade) == ["RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "FILLED"]
        assert r.order_states(trade) == {"entry": "FILLED", "stop": "OPEN", "target": "OPEN"}
        assert r.held(module="manual") == 1
        (row,) = r.rows("SELECT reason, module, stop, target FROM intents")
        assert row == {"reason": "bought by hand", "module": "manual", "stop": "90", "target": "120"}
        r.assert_sound()
        r.assert_agrees_with_venue()
        await r.book("89.00", "89.10")
        assert r.order_states(trade) == {"entry": "FILLED", "stop": "FILLED", "target": "CANCELLED"}
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_preview_in_numbers(tmp_path: Path) -> None:
    async with hand(tmp_path, "200", settings={"trade.slippage_bps": "50"}) as (_, me):
        preview = me.look(BUY).preview
        assert preview is not None
        assert (preview.bid, preview.ask, preview.price) == (Decimal("99.9"), Decimal(100), Decimal("100.5"))
        assert preview.value == Decimal("100.5")
        assert preview.bound == Decimal("100.5") + preview.fee
        fee, fee_stop, fee_target = Decimal("0.1005"), Decimal("0.09"), Decimal("0.12")
        assert preview.loss == Decimal("10.5") + fee + fee_stop
        assert preview.gain == Decimal("19.5") - fee - fee_target
        assert preview.reward_risk == Decimal("1.8")
        assert isinstance(preview.verdict, Allow)
        shares = {each.limit_name: each.percent for each in preview.shares}
        assert shares["allocation"] == Decimal("50.25")
        assert preview.filled == 1
        document = preview.as_json()
        assert document["price"] == "100.5"
        assert document["denied"] is None


async def test_a_preview_admits_nothing(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        for _ in range(50):
            me.look(BUY)
        assert me.look(BUY) == me.look(BUY)
        assert r.desk.counters.proposed == 0
        assert r.desk.state.purse.holds == {}
        assert r.rows("SELECT * FROM intents") == []


async def test_what_the_market_says_of_each_field(tmp_path: Path) -> None:
    async with hand(tmp_path, settings={"trade.slippage_bps": "50", "risk.slippage_bps": "50"}) as (_, me):
        assert me.wrong(BUY) == {}
        assert me.wrong(BUY, symbol="DOGE-USDT") == {"symbol": "ETH-USDT"}
        assert me.wrong(BUY, stop="99.90") == {"stop": "above 0 and below 99.9"}
        assert me.wrong(BUY, target="100.50") == {"target": "above 100.5"}
        assert me.wrong(BUY, price="99.99") == {"price": "100 to 100.5"}
        assert me.wrong(BUY, price="100.51") == {"price": "up to 100.5"}
        assert me.wrong(BUY, price="100.51", kind="limit") == {"price": "up to 100.5"}
        assert me.wrong(BUY, quantity="0.0001", stop="90.001") == {
            "quantity": "multiples of 0.001", "stop": "multiples of 0.01",
        }  # fmt: skip
        assert me.wrong(BUY, quantity="0.1", measure="account") == {"quantity": "0.11 or more"}
        valued = me.look(BUY, quantity="50", measure="account").preview
        assert valued is not None
        assert valued.quantity == Decimal("0.497"), "rounded down to the lot, never up"
        assert me.wrong(SELL) == {"symbol": ""}
        assert me.wrong(BUY, module="m") == {"module": "manual"}


async def test_no_typed_text_raises(tmp_path: Path) -> None:
    """Against the market and the account too."""
    amounts = st.from_regex(r"[0-9]{1,10}(\.[0-9]{1,18})?", fullmatch=True) | st.text(max_size=8)
    values = {
        "symbol": st.sampled_from(["ETH-USDT", "X-Y", "", "\x00"]), "side": st.sampled_from(["buy", "sell", "short"]),
        "kind": st.sampled_from(["", "market", "limit"]), "measure": st.sampled_from(["", "base", "quote", "account"]),
        "module": st.sampled_from(["", "m", "manual", "?"]), "seconds": st.sampled_from(["", "1", "0", "9999999", "x"]),
    }  # fmt: skip
    typed_tickets = st.fixed_dictionaries({name: values.get(name, amounts) for name in FIELDS})
    async with hand(tmp_path) as (r, me):
        await me.propose(BUY)
        await r.trade(quantity="2")

        @settings(max_examples=300)
        @given(typed_tickets)
        def look(typed: dict[str, str]) -> None:
            seen = me.tickets.look(typed)
            assert bool(seen.problems) == (seen.preview is None)
            assert {each.field for each in seen.problems} <= set(FIELDS)
            if seen.preview is not None:
                for name in ("quantity", "price", "fee", "bound", "filled", "left"):
                    assert type(getattr(seen.preview, name)) is Decimal

        look()


# -- the door's rules ----------------------------------------------------------------------------------------------


async def test_the_gate_says_no_before_and_at_the_door(tmp_path: Path) -> None:
    async with hand(tmp_path, settings={"risk.position": "10"}) as (r, me):
        verdict = me.verdict(BUY)
        assert isinstance(verdict, Deny)
        assert (verdict.rule, verdict.limit) == ("position", "10")
        with pytest.raises(SafetyError, match="Position in ETH-USDT, held and proposed, would be"):
            await me.propose(BUY)
        await r.settle()
        (row,) = r.rows("SELECT state, module FROM trades")
        assert row == {"state": "DENIED", "module": "manual"}, "denied and journaled as any module's"
        assert r.desk.counters.by_rule == {"position": 1}
        r.assert_sound()


async def test_the_hand_s_capital_is_a_limit(tmp_path: Path) -> None:
    async with hand(tmp_path, "150", settings={"modules.momentum.allocation": "1"}) as (r, me):
        assert r.desk.terms.capital == Decimal(151), "manual capital counts as a module's"
        await me.propose(BUY)
        verdict = me.verdict(BUY)
        assert isinstance(verdict, Deny)
        assert (verdict.rule, verdict.number, verdict.limit) == ("allocation", "201", "150")
        with pytest.raises(SafetyError, match=r"manual\.allocation is 150 USD"):
            await me.propose(BUY)
        assert isinstance(me.verdict(BUY, quantity="0.495"), Allow)


@pytest.mark.parametrize("allocation", ["20", "1000"])
async def test_a_loss_by_hand_is_a_loss_on_the_hand_s_capital(tmp_path: Path, allocation: str) -> None:
    """Nothing invented, nothing hidden: equity is the capital less what was lost, whatever the capital is."""
    settings = {"modules.momentum.enabled": "false"}
    async with hand(tmp_path, "1000", settings=settings) as (r, me):
        await me.propose(BUY)
        await r.book("89.00", "89.10")
        state = r.desk.risk_state("ETH-USDT")
        lost = Decimal("11.189")  # bought at 100, sold at 89, fees 0.1 and 0.089
        assert (state.equity, state.equity_peak) == (1000 - lost, Decimal(1000))
    async with hand(tmp_path, allocation, settings=settings, market=False) as (r, me):
        await r.book("89.00", "89.10")
        assert r.desk.risk_state("ETH-USDT").equity == Decimal(allocation) - lost
        r.assert_sound()


async def test_one_trade_of_a_side_at_a_time(tmp_path: Path) -> None:
    async with hand(tmp_path, auto_confirm=False) as (r, me):
        first = await me.propose(BUY)
        with pytest.raises(SafetyError, match=f"Trade {first.id[:8]} of manual"):
            await me.propose(BUY)
        r.pipeline.proposals.decline(first.id)
        await r.finished(first)
        await me.propose(BUY)


async def test_a_price_that_ran_away_is_proposed_afresh_unless_the_trader_set_it(tmp_path: Path) -> None:
    for price, proposals in ((None, 1), ("100.9", 0)):
        folder = tmp_path / str(price)
        folder.mkdir()
        async with hand(folder, auto_confirm=False) as (r, me):
            trade = await me.propose(BUY, price=price or "", seconds="77")
            r.pipeline._on_worse = me.tickets.again
            await r.book("102.00", "102.10")  # the person reads
            r.pipeline.proposals.confirm(trade.id)
            await r.finished(trade)
            assert r.stored(trade)["state"] == "DENIED"
            waiting = r.pipeline.proposals.waiting()
            assert len(waiting) == proposals
            for fresh in waiting:
                assert fresh.intent.worst_price > Decimal("102.1")
                assert "The ask rose to 102.1" in fresh.intent.reason
                assert "open for 77000 ms" in fresh.payload.text
            r.assert_sound()


# -- sell and close ------------------------------------------------------------------------------------------------


async def test_more_than_held_is_refused(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        assert me.look(SELL).problems[0].words.startswith("manual holds no ETH")
        await r.trade(quantity="2")  # a module's
        assert me.wrong(SELL) == {"module": "m"}, "a module's position is closed, not sold by hand"
        await me.propose(BUY)
        assert me.wrong(SELL, quantity="1.001") == {"quantity": "up to 1"}
        assert me.wrong(SELL, quantity="2", module="m") == {}
        assert me.wrong(SELL, quantity="2.001", module="m") == {"quantity": "up to 2"}


async def test_a_part_is_sold_and_the_exits_keep_the_rest(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        bought = await me.propose(BUY, quantity="3")
        sold = await me.propose(SELL, quantity="1.2")
        assert r.held(module="manual") == Decimal("1.8")
        assert r.order_states(sold) == {"close": "FILLED"}
        assert r.order_states(bought) == {"entry": "FILLED", "stop": "OPEN", "target": "OPEN"}
        await r.book("89.00", "89.10")
        assert r.held(module="manual") == 0
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_close_for_a_module_that_is_not_there(tmp_path: Path) -> None:
    """Paused, failed or not enabled any more: the position is closed on its behalf, after a restart too."""
    async with rig(tmp_path) as r:
        bought = await r.trade(quantity="2")
    async with hand(tmp_path) as (r, me):
        closed = await me.propose(SELL, module="m")
        assert r.stored(closed)["module"] == "m"
        assert r.held() == 0
        assert r.order_states(bought) == {"entry": "FILLED", "stop": "CANCELLED", "target": "CANCELLED"}
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_two_entries_are_closed_one_after_the_other(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        await r.trade(quantity="2")
        await r.trade(quantity="3")
        preview = me.look(SELL, module="m").preview
        assert preview is not None
        assert (preview.quantity, preview.left) == (Decimal(2), Decimal(3))
        await me.propose(SELL, module="m")
        await me.propose(SELL, module="m")
        assert r.held() == 0
        r.assert_sound()
        r.assert_agrees_with_venue()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_close_and_stop_at_once_never_oversell(tmp_path: Path, when: str) -> None:
    """The market falls through the stop right before, or right after, the close arrives."""
    async with hand(tmp_path, auto_confirm=False) as (r, me):
        bought = await me.propose(BUY, quantity="3")
        r.pipeline.proposals.confirm(bought.id)
        await r.finished(bought)
        between = Between(r)

        async def fall(*_: Any) -> None:
            await r.venue.market(book_now(r, "89.00", "89.10", "2"), r.position + 1)
            r.position += 1

        getattr(between, when).append(fall)
        closing = await me.propose(SELL, quantity="2")
        r.pipeline.proposals.confirm(closing.id)
        await r.finished(closing)
        await r.book("88.00", "88.10")
        assert r.order_states(closing) == {"close": "CANCELLED" if when == "before" else "FILLED"}
        sold = [Decimal(row["quantity"]) for row in r.rows("SELECT quantity FROM fills WHERE side = 'sell'")]
        assert (r.held(module="manual"), total(sold)) == (Decimal(0), Decimal(3))
        assert r.desk.halted == ""
        r.assert_sound()
        r.assert_agrees_with_venue()


def book_now(r: Rig, bid: str, ask: str, size: str) -> Book:
    return Book("ETH-USDT", r.now, ((Decimal(bid), Decimal(size)),), ((Decimal(ask), Decimal(size)),))


async def test_nothing_is_closed_by_hand_while_the_stop_is_in_force(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        await me.propose(BUY)
        r.desk.stop.create("a test")
        for typed in (BUY, SELL):
            verdict = me.verdict(typed)
            assert isinstance(verdict, Deny)
            assert verdict.rule == "stop"
            with pytest.raises(SafetyError, match="emergency stop"):
                await me.propose(typed)
        assert len(r.rows("SELECT * FROM trades")) == 1


async def test_the_signer_sees_what_was_proposed(tmp_path: Path) -> None:
    async with hand(tmp_path) as (r, me):
        asked = spy_on_signer(r)
        await me.propose(BUY, price="100.20", seconds="90")
        (text,) = asked
        assert "at 100.2 or better\nfee up to" in text
        assert "open for 90000 ms" in text
        ticket = Ticket("ETH-USDT", Side.SELL, None)
        assert me.tickets.preview(ticket) is not None
