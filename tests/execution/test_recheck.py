"""The device and the twenty seconds a person takes: what is not signed, or became worse meanwhile, is never sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.execution.records import Trade
from app.execution.states import TradeState
from signers.base import SignRequest
from signers.demo import DemoSigner
from signers.faults import DeviceFault, DeviceTimedOut, RefusedOnDevice
from signers.paths import of_scheme
from signers.payloads import PersonalMessage
from tests.execution.acts import spy_on_signer
from tests.execution.harness import START, Rig, rig

HAPPY = ["RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "FILLED"]


# -- the device ---------------------------------------------------------------------------------------------------


class FaultyDevice(DemoSigner):
    """Answers with a fault instead of a signature."""

    def __init__(self, fault: Exception) -> None:
        super().__init__()
        self.fault = fault

    def sign(self, request: SignRequest, person: Any) -> bytes:  # noqa: ARG002 -- the contract's names
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

    def sign(self, request: SignRequest, person: Any) -> bytes:
        return super().sign(SignRequest(request.payload, of_scheme("evm", "bip44", 1)), person)


class OtherText(DemoSigner):
    """A device that signs something else than was shown."""

    def sign(self, request: SignRequest, person: Any) -> bytes:
        assert isinstance(request.payload, PersonalMessage)
        other = PersonalMessage(request.payload.text.replace("BUY", "buy"))
        return super().sign(SignRequest(other, request.path), person)


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
        assert (
            r.stored(trade)["reason"]
            == "Position in ETH-USDT, held and proposed, would be 100.50 USD; the limit is 100 USD."
        )
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
