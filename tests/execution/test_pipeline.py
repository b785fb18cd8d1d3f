"""One trade from proposal to settled fill on the real paper venue, and how it ends before a signature."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.errors import SafetyError
from app.execution.states import TradeState
from app.ids import client_order_id
from app.reports_execution import STEPS, latencies, slippage
from storage.database import Reader, connect
from strategies.model import Book, Side
from tests.execution.acts import spy_on_signer
from tests.execution.harness import BTC, ETH, ETH_BTC, Between, rig

HAPPY = ["RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "FILLED"]


# -- from beginning to end ----------------------------------------------------------------------------------------


async def test_a_trade_is_written_at_every_step_and_settled_to_the_last_digit(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade(quantity="1.5")
        assert r.states(trade) == HAPPY
        assert r.journal(trade) == [
            "trade.reserved",
            "trade.prepared",
            "trade.confirmed",
            "trade.signed",
            "trade.submitted",
        ]
        assert r.order_states(trade) == {"entry": "FILLED", "stop": "OPEN", "target": "OPEN"}
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.held() == Decimal("1.5")
        # 10,000 - 150 - 0.1 % of it
        assert r.desk.state.purse.balances() == {"ETH": Decimal("1.5"), "USDT": Decimal("9849.85")}
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_every_step_is_timed_and_a_confirmation_waits_for_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = itertools.count(1, 1_000_000)
    async with rig(tmp_path, auto_confirm=False) as r:
        monkeypatch.setattr(r.session.clock, "monotonic_ns", lambda: next(now_ns))
        trade = await r.trade()
        for _ in range(20_000):  # 20 s pass
            next(now_ns)
        r.pipeline.proposals.confirm(trade.id)
        await r.settle()
        rows = r.rows("SELECT step, micros FROM latencies WHERE trade_id = ? ORDER BY id", trade.id)
        took = {row["step"]: row["micros"] for row in rows}
        assert took == {"decide": 1000, "prepare": 1000, "confirm": 20_001_000, "sign": 1000, "send": 1000}
        assert tuple(took) == STEPS
        assert latencies(r.session.reader)["confirm"] == {"trades": 1, "p50_us": 20_001_000, "p90_us": 20_001_000}


async def test_slippage_is_what_was_paid_beyond_the_touch(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        now = r.now + 1000
        asks = ((Decimal("100.00"), Decimal(1)), (Decimal("100.20"), Decimal(1)))
        await r.feed(Book("ETH-USDT", now, ((Decimal("99.90"), Decimal(5)),), asks))
        await r.trade(quantity="2", worst="100.5")
        (row,) = slippage(r.session.reader)
        # half at the touch, half 20 bps beyond it
        assert row == {"module": "m", "symbol": "ETH-USDT", "trades": 1, "average_bps": "10", "worst_bps": "10"}


async def test_a_close_shares_the_exits_and_ends_them(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        entry = await r.trade()
        close = await r.close_position("1")
        assert r.states(close) == HAPPY
        assert (
            "shares exits " + client_order_id(entry.id, "exits")
            in r.rows("SELECT text FROM authorisations WHERE trade_id = ?", close.id)[0]["text"]
        )
        assert r.order_states(entry) == {"entry": "FILLED", "stop": "CANCELLED", "target": "CANCELLED"}
        assert r.held() == 0
        assert r.desk.state.trades == {}
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_what_is_signed_is_on_disk_before_the_venue_hears_of_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        between, seen = Between(r), []

        async def look() -> None:
            # as another process would: a connection of its own, and the venue's own record
            other = Reader(connect(r.session.plan.db, read_only=True))
            try:
                (trade,) = other.rows("SELECT state FROM trades")
                (signed,) = other.rows("SELECT text, signature FROM authorisations")
                orders = other.rows("SELECT client_id, state FROM orders ORDER BY rowid")
            finally:
                other.connection.close()
            assert len(bytes.fromhex(signed["signature"])) == 65
            assert [order["state"] for order in orders] == ["PENDING"] * 3
            assert [order["client_id"] for order in orders] == [each.client_id for each in between.calls[-1]]
            assert r.sent() == []
            seen.append(trade["state"])

        between.before.append(look)
        trade = await r.trade()
        assert not r.desk.halted, r.desk.halted
        assert seen == ["SIGNED"]
        assert r.sent() == [[client_order_id(trade.id, role) for role in ("entry", "stop", "target")]]


async def test_a_quote_is_kept_for_each_step(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        rows = r.rows("SELECT stage, bid, ask FROM quotes WHERE trade_id = ? ORDER BY id", trade.id)
        assert [tuple(row.values()) for row in rows] == [("prepare", "99.9", "100"), ("submit", "99.9", "100")]


async def test_one_proposal_per_module_instrument_and_side(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        first = await r.trade()
        assert r.pipeline.propose(r.intent()) is None
        assert r.desk.counters.dropped == 1
        assert await r.trade(module="other") is not None
        r.pipeline.proposals.decline(first.id)
        await r.settle()
        assert await r.trade() is not None


# -- turned away --------------------------------------------------------------------------------------------------


DENIALS: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("precision", {}, {"quantity": "0.0001"}),
    ("precision", {}, {"worst": "100.005"}),
    ("slippage", {}, {"worst": "101.5"}),
    ("exits", {}, {"stop": None}),
    ("exits", {}, {"stop": "99.95"}),
    ("exits", {}, {"target": "100.5"}),
    ("position", {"risk.position": "100"}, {}),
    ("exposure", {"risk.exposure": "100"}, {}),
    ("open_positions", {"risk.open_positions": "0"}, {}),
    ("trades_per_day", {"risk.trades_per_day": "0"}, {}),
    ("spread", {"risk.spread_bps": "5"}, {}),
    ("balance", {"paper.cash_per_quote": "100"}, {}),
    ("short", {}, {"side": Side.SELL, "worst": "99.5"}),
]


@pytest.mark.parametrize(("rule", "limits", "terms"), DENIALS, ids=[f"{d[0]}-{n}" for n, d in enumerate(DENIALS)])
async def test_a_denied_intent_is_journaled_with_number_and_limit_and_reserves_nothing(
    tmp_path: Path, rule: str, limits: dict[str, str], terms: dict[str, Any]
) -> None:
    async with rig(tmp_path, settings=limits) as r:
        intent = r.intent(**terms)
        assert r.pipeline.propose(intent) is None
        await r.settle()
        assert r.desk.counters.by_rule == {rule: 1}
        (row,) = r.rows("SELECT state, reason FROM trades WHERE id = ?", intent.id)
        assert row["state"] == "DENIED"
        assert any(char.isdigit() for char in row["reason"])
        assert r.rows("SELECT * FROM reservations") == []
        assert r.desk.state.purse.holds == {}
        r.assert_sound()


async def test_the_state_of_the_day_denies_the_next(tmp_path: Path) -> None:
    """Rules that need a history: cool-down, trades a day, losses in a row, daily loss, drawdown, stale marks."""
    cases: list[tuple[str, dict[str, str], str]] = [
        ("cool_down", {"risk.cool_down_min": "5"}, "100.5"),
        ("trades_per_day", {"risk.trades_per_day": "1"}, "100.5"),
        ("losses_in_row", {"risk.losses_in_row": "1"}, "100.5"),
        ("daily_loss", {"risk.daily_loss": "0.2"}, "100.5"),
        ("drawdown", {"risk.drawdown_pct": "0.00001"}, "100.5"),
    ]
    for number, (rule, limits, worst) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with rig(folder, settings=limits) as r:
            await r.trade()
            await r.close_position("1")  # bought at 100, sold at 99.90: a loss
            assert r.pipeline.propose(r.intent(worst=worst)) is None
            assert r.desk.counters.by_rule == {rule: 1}
            await r.settle()
            r.assert_sound()


async def test_an_old_quote_or_an_old_mark_denies(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
        await r.advance(10_001)
        assert r.pipeline.propose(r.intent(module="n")) is None
        assert r.desk.counters.by_rule == {"quote_age": 1}
        await r.settle()


async def test_a_purse_too_small_for_two_admits_one(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, settings={"paper.cash_per_quote": "150"}) as r:
        trade = await r.trade()
        assert r.pipeline.propose(r.intent(module="other")) is None
        await r.settle()
        (row,) = r.rows("SELECT reason FROM trades WHERE module = 'other'")
        assert row["reason"] == "The trade needs 100.600501 USDT; 49.399499 is free."
        r.pipeline.proposals.decline(trade.id)
        await r.settle()
        assert r.desk.state.purse.available("USDT") == 150
        assert await r.trade(module="other") is not None


async def test_what_exits_must_sell_can_not_pay_for_another_trade(tmp_path: Path) -> None:
    """Bitcoin bought with dollars is a position; a trade quoted in bitcoin finds none of it free."""
    limits = {"paper.cash.BTC": "0", "risk.rates.BTC": "2000"}
    async with rig(tmp_path, instruments=(BTC, ETH_BTC, ETH), settings=limits) as r:
        await r.book("1999.00", "2000.00", symbol="BTC-USDT")
        await r.book("0.04990", "0.05000", symbol="ETH-BTC")
        terms: dict[str, Any] = {"symbol": "ETH-BTC", "quantity": "1", "worst": "0.05", "stop": "0.045", "target": None}
        bought = await r.trade(symbol="BTC-USDT", quantity="0.1", worst="2010", stop="1900", target=None)
        assert r.desk.state.purse.available("BTC") == Decimal("0.1")
        intent = r.intent(module="n", **terms)
        assert r.pipeline.propose(intent) is None
        assert r.desk.counters.by_rule == {"balance": 1}
        await r.settle()
        assert r.rows("SELECT reason FROM trades WHERE id = ?", intent.id) == [
            {"reason": "The trade needs 0.050051 BTC; 0 is free."}
        ]
        await r.book("1890.00", "1900.00", symbol="BTC-USDT")
        assert r.order_states(bought)["stop"] == "FILLED"
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_fee_above_the_bound_is_denied_with_both_numbers(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade(max_fee="0.05")
        assert r.stored(trade)["reason"] == "The fee would be 0.1; the intent allows 0.05."
        assert r.states(trade) == ["RESERVED", "DENIED"]
        assert r.hold(trade) == ("0", "RELEASED")
        r.assert_sound()


# -- the trader's answer ------------------------------------------------------------------------------------------


async def test_nobody_confirms(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await r.trade(expires_in_ms=5_000)
        assert r.pipeline.proposals.waiting() == [trade]
        await r.advance(4_999)
        assert trade.state is TradeState.PREPARED
        await r.advance(1)
        assert r.states(trade)[-1] == "EXPIRED"
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.pipeline.proposals.waiting() == []
        assert r.sent() == []
        r.assert_sound()


async def test_declined(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await r.trade()
        r.pipeline.proposals.decline(trade.id, "Not today.")
        await r.settle()
        assert (r.stored(trade)["state"], r.stored(trade)["reason"]) == ("DECLINED", "Not today.")
        (payload,) = r.rows("SELECT state FROM payloads")
        assert payload["state"] == "DROPPED"
        assert r.sent() == []
        r.assert_sound()


async def test_a_trade_is_answered_once(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await r.trade()
        proposals = r.pipeline.proposals
        proposals.confirm(trade.id)
        for answer in (proposals.confirm, proposals.decline):
            with pytest.raises(SafetyError, match="does not wait for an answer"):
                answer(trade.id)
        await r.settle()
        for answer in (proposals.confirm, proposals.decline):
            with pytest.raises(SafetyError, match="does not wait for an answer"):
                answer(trade.id)
        with pytest.raises(SafetyError):
            proposals.confirm("f" * 32)
        assert r.states(trade) == HAPPY
        assert len(r.sent()) == 1
        r.assert_sound()


async def test_confirmed_and_stopped_in_one_breath_stops(tmp_path: Path) -> None:
    """The answer stands; the flag is asked again right before the signature."""
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await r.trade()
        r.pipeline.proposals.confirm(trade.id)
        r.desk.stop.create("test")
        await r.session.emergency.act(flatten=False)
        await r.settle()
        assert r.states(trade)[-1] == "CANCELLED"
        assert r.sent() == []
        r.assert_sound()


# -- the emergency stop between the steps -------------------------------------------------------------------------


async def test_stopped_while_waiting(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await r.trade()
        r.desk.stop.create("test")
        await r.session.emergency.act(flatten=False)
        await r.settle()
        assert (r.stored(trade)["state"], r.stored(trade)["reason"]) == ("CANCELLED", "The emergency stop.")
        assert r.sent() == []
        r.assert_sound()
        assert r.pipeline.propose(r.intent()) is None
        assert r.desk.counters.by_rule == {"halted": 1}


async def test_stopped_before_the_trader_was_asked(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = r.pipeline.propose(r.intent())
        assert trade is not None
        r.desk.stop.create("test")
        await r.settle()
        assert r.states(trade)[-1] == "CANCELLED"
        assert r.pipeline.proposals.waiting() == []


async def test_stopped_before_the_signature(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await r.trade()
        asked = spy_on_signer(r)
        r.desk.stop.create("test")  # only the flag: the stop's second half has not run
        r.pipeline.proposals.confirm(trade.id)
        await r.settle()
        assert r.states(trade)[-2:] == ["CONFIRMED", "CANCELLED"]
        assert asked == []
        r.assert_sound()


async def test_stopped_between_signature_and_sending(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await r.trade()
        spy_on_signer(r, before=lambda: r.desk.stop.create("test"))
        r.pipeline.proposals.confirm(trade.id)
        await r.settle()
        assert r.states(trade)[-2:] == ["SIGNED", "CANCELLED"]
        assert r.order_states(trade) == {"entry": "CANCELLED", "stop": "CANCELLED", "target": "CANCELLED"}
        assert [row["state"] for row in r.rows("SELECT state FROM payloads")] == ["DROPPED"]
        assert r.sent() == []
        assert r.hold(trade) == ("0", "RELEASED")
        r.assert_sound()
