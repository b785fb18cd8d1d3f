"""One trade from proposal to settled fill on the real paper venue, and every way it can end before."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.errors import SafetyError
from app.execution.records import Trade
from app.execution.states import TradeState
from app.ids import client_order_id
from signers.base import SignRequest
from signers.demo import DemoSigner
from signers.faults import DeviceFault, DeviceTimedOut, RefusedOnDevice
from storage.database import Reader, connect
from strategies.model import Side
from tests.execution.harness import BTC, ETH, ETH_BTC, START, Between, Rig, rig

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


def spy_on_signer(r: Rig, before: Any = lambda: None, signer: Any = None) -> list[str]:
    """The session's device with something happening while the person reads."""
    asked: list[str] = []
    device: Any = signer or r.session.device._signer
    sign = device.sign

    def spied(request: SignRequest, on_state: Any) -> Any:
        asked.append(request.text)
        before()
        return sign(request, on_state)

    device.sign = spied
    r.session.device._signer = device
    return asked


# -- the device ---------------------------------------------------------------------------------------------------


class FaultyDevice(DemoSigner):
    """Answers with a fault instead of a signature."""

    def __init__(self, fault: Exception) -> None:
        super().__init__()
        self.fault = fault

    def sign(self, request: SignRequest, on_state: Any) -> bytes:  # noqa: ARG002 -- the contract's names
        raise self.fault


@pytest.mark.parametrize(
    ("fault", "state", "errors"),
    [
        (RefusedOnDevice("Refused on the device."), "REFUSED", []),
        (DeviceFault("Unplugged."), "FAILED", ["signer.device"]),
        (DeviceTimedOut("No answer."), "FAILED", ["signer.timed_out"]),
        (RuntimeError("a bug"), "FAILED", ["signer.device"]),
    ],
)
async def test_without_a_signature_nothing_is_sent_and_the_money_is_free(
    tmp_path: Path, fault: Exception, state: str, errors: list[str]
) -> None:
    async with rig(tmp_path) as r:
        r.session.device._signer = FaultyDevice(fault)
        trade = await r.trade()
        assert r.states(trade)[-2:] == ["CONFIRMED", state]
        assert [row["code"] for row in r.rows("SELECT code FROM errors")] == errors
        assert r.sent() == []
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.rows("SELECT * FROM orders") == []
        r.assert_sound()
        r.session.device._signer = DemoSigner()
        assert r.states(await r.trade()) == HAPPY


class OtherKey(DemoSigner):
    """A device with another seed."""

    def sign(self, request: SignRequest, on_state: Any) -> bytes:
        return super().sign(SignRequest(request.text, request.path + "/1"), on_state)


class OtherText(DemoSigner):
    """A device that signs something else than was shown."""

    def sign(self, request: SignRequest, on_state: Any) -> bytes:
        return super().sign(SignRequest(request.text.replace("BUY", "buy"), request.path), on_state)


@pytest.mark.parametrize("device", [OtherKey, OtherText])
async def test_a_signature_that_is_not_of_these_bytes_by_this_key_sends_nothing(
    tmp_path: Path, device: type[DemoSigner]
) -> None:
    async with rig(tmp_path) as r:
        r.session.device._signer = device()
        trade = await r.trade()
        assert r.states(trade)[-2:] == ["CONFIRMED", "FAILED"]
        (error,) = r.rows("SELECT code, what, sent FROM errors")
        assert (error["code"], error["sent"]) == ("signature.refused", "no")
        assert r.rows("SELECT * FROM authorisations") == []
        assert r.sent() == []
        r.assert_sound()


async def test_a_signature_that_came_after_the_texts_end_is_not_used(tmp_path: Path) -> None:
    async with rig(tmp_path, lockstep=False, settings={"trade.authorisation_validity_ms": "5000"}) as r:
        spy_on_signer(r, before=lambda: r.session.clock.advance(START + 10_000))
        trade = await r.trade()
        await r.finished(trade)
        assert r.states(trade)[-2:] == ["CONFIRMED", "DENIED"]
        assert r.stored(trade)["reason"] == "The authorisation ended before it was signed."
        assert r.worse == [trade]
        assert r.sent() == []
        r.assert_sound()


# -- the situation became worse -----------------------------------------------------------------------------------


async def changed_while_signing(r: Rig, act: Any, **terms: Any) -> Trade:
    """Runs `act` while the device shows the text."""
    gate, loop = asyncio.Event(), asyncio.get_running_loop()
    shown = asyncio.Event()

    def wait() -> None:
        loop.call_soon_threadsafe(shown.set)
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(10)

    spy_on_signer(r, before=wait)
    trade = r.pipeline.propose(r.intent(**terms))
    assert trade is not None
    await shown.wait()
    await act()
    gate.set()
    await r.finished(trade)
    return trade  # type: ignore[no-any-return]  # as above


WORSE = [
    ("100.40", "100.51", 0, "The ask rose to 100.51; the trade allows 100.5 or better."),
    ("99.90", "100.00", 10_001, "There is no fresh quote to check the confirmed price against."),
    ("80.00", "80.10", 0, "The stop of ETH-USDT is 90 USDT; it must be above 0 and below 80 USDT."),
    ("50.00", "100.00", 0, "The spread of ETH-USDT is 6666.67 bps; the limit is 5000 bps."),
]


@pytest.mark.parametrize(("bid", "ask", "later_ms", "reason"), WORSE)
async def test_what_became_worse_while_the_person_read_is_dropped_and_said(
    tmp_path: Path, bid: str, ask: str, later_ms: int, reason: str
) -> None:
    async with rig(tmp_path, lockstep=False, settings={"risk.spread_bps": "5000"}) as r:

        async def act() -> None:
            await r.book(bid, ask)
            await r.advance(later_ms)

        trade = await changed_while_signing(r, act)
        assert r.states(trade)[-2:] == ["SIGNED", "DENIED"]
        assert r.stored(trade)["reason"] == reason
        assert r.order_states(trade) == {"entry": "CANCELLED", "stop": "CANCELLED", "target": "CANCELLED"}
        assert r.worse == [trade]
        assert r.sent() == []
        r.assert_sound()


async def test_a_market_that_came_our_way_is_no_reason_to_stop(tmp_path: Path) -> None:
    async with rig(tmp_path, lockstep=False) as r:
        trade = await changed_while_signing(r, lambda: r.book("95.00", "95.10"))
        assert r.states(trade) == HAPPY
        assert r.desk.state.purse.balances()["USDT"] == Decimal("9904.8049")


async def test_a_limit_tightened_while_the_person_read_counts(tmp_path: Path) -> None:
    async with rig(tmp_path, lockstep=False) as r:

        async def act() -> None:
            r.desk.limits = replace(r.desk.limits, position=Decimal(100))

        trade = await changed_while_signing(r, act)
        assert r.stored(trade)["reason"] == "Position in ETH-USDT would be 100.50 USD; the limit is 100 USD."
        assert r.sent() == []


async def test_its_own_reservation_does_not_count_against_it(tmp_path: Path) -> None:
    """The gate is asked twice; counted twice, a trade of more than half a limit would never be sent."""
    limits = {"risk.position": "101", "risk.exposure": "101", "risk.open_positions": "1", "risk.trades_per_day": "1"}
    async with rig(tmp_path, settings=limits) as r:
        assert r.states(await r.trade()) == HAPPY


async def test_a_halt_while_the_person_read_stops_an_entry_and_lets_a_close_go(tmp_path: Path) -> None:
    async with rig(tmp_path, lockstep=False) as r:
        await r.finished(await r.trade())

        async def halt() -> None:
            r.desk.halt("something is wrong")

        entry = await changed_while_signing(r, halt, module="n")
        assert r.stored(entry)["reason"] == "New trades stopped: something is wrong."
        r.session.device._signer = DemoSigner()
        close = await r.close_position("1")
        await r.finished(close)
        assert close.state is TradeState.FILLED


async def test_the_authorisation_ended_before_sending(tmp_path: Path) -> None:
    async with rig(tmp_path, lockstep=False, settings={"trade.authorisation_validity_ms": "5000"}) as r:
        sent = r.desk.commit

        def slow_commit(transition: Any, kind: str, subject: str) -> Any:
            if kind == "trade.signed":
                r.session.clock.advance(r.now + 6_000)
            return sent(transition, kind, subject)

        r.desk.commit = slow_commit
        trade = await r.trade()
        await r.finished(trade)
        assert r.states(trade)[-2:] == ["SIGNED", "DENIED"]
        assert r.stored(trade)["reason"] == "The authorisation is no longer valid."
        assert r.sent() == []
        r.assert_sound()


# -- the venue says no --------------------------------------------------------------------------------------------


async def test_a_refusal_is_definite_and_frees_the_money(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        between = Between(r)
        used = client_order_id("e" * 32, "entry")

        async def spoil() -> None:
            # the venue's own money is gone: another program of the trader's spent it there
            await r.session.venue._flush()
            await between._submit((replace(between.calls[-1][0], client_id=used, quantity=Decimal(99)),), None)

        between.before.append(spoil)
        trade = await r.trade()
        assert r.stored(trade)["state"] == "REJECTED"
        assert r.order_states(trade) == {"entry": "REJECTED", "stop": "REJECTED", "target": "REJECTED"}
        assert r.hold(trade) == ("0", "RELEASED")
        assert [row["state"] for row in r.rows("SELECT state FROM payloads")] == ["DEAD"]


async def test_a_venue_that_can_not_be_reached_has_been_sent_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.session.venue._drop()
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
        assert r.hold(close) == ("0", "OPEN")
        r.assert_sound()  # available is not below zero
        r.pipeline.proposals.confirm(close.id)
        await r.settle()
        assert r.stored(close)["state"] == "DENIED"
        r.assert_sound()
