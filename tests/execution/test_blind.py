"""What the device can not show needs a typed word, stays below a limit of its own, and is never signed when less is
shown than was confirmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import SafetyError
from app.execution.fatigue import READ_MS
from app.execution.records import Trade
from app.execution.states import TradeState
from signers.base import Clarity, DeviceInfo, DeviceLine, DeviceState, Shown, SignRequest
from signers.demo import DemoSigner
from tests.execution.harness import Rig, rig

VALUE = {"signer.blind_value": "150"}


class Dim(DemoSigner):
    """A device that shows no more than a hash."""

    clarity = Clarity.BLIND
    refuses: DeviceState | None = None

    def shown(self, request: SignRequest, address: str, info: DeviceInfo) -> Shown:  # noqa: ARG002 -- the contract's names
        return Shown(self.clarity, (DeviceLine("Hash", "0x00"),), "It shows a hash only.", self.refuses)


async def waiting(r: Rig, **terms: str) -> Trade:
    trade: Trade = await r.trade(**terms)
    r.pipeline.proposals.shown(trade.id)
    r.person.passes(READ_MS)
    return trade


def confirm(r: Rig, trade: Trade, readback: str | None = None) -> None:
    r.pipeline.proposals.confirm(trade.id, readback)


async def test_blind_needs_its_word(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, careful=False, settings=VALUE) as r:
        r.session.device._signer = Dim()
        trade = await waiting(r)
        for typed in (None, "", "blind", "yes"):
            with pytest.raises(SafetyError, match="type BLIND") as caught:
                confirm(r, trade, typed)
            assert caught.value.code == "confirm.readback"
        confirm(r, trade, "BLIND")
        await r.finished(trade)
        assert trade.state is TradeState.FILLED


async def test_a_large_blind_trade_needs_both_words(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, careful=False, settings={**VALUE, "fatigue.large_value": "50"}) as r:
        r.session.device._signer = Dim()
        trade = await waiting(r)
        with pytest.raises(SafetyError, match="type BLIND 1"):
            confirm(r, trade, "1")
        confirm(r, trade, "BLIND 1")
        await r.finished(trade)
        assert trade.state is TradeState.FILLED


async def test_above_its_limit_nothing_is_signed_blind_whatever_is_typed(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, careful=False, settings=VALUE) as r:
        r.session.device._signer = Dim()
        trade = await waiting(r, quantity="2")
        with pytest.raises(SafetyError, match=r"worth 201; signer\.blind_value allows 150") as caught:
            confirm(r, trade, "BLIND")
        assert caught.value.code == "confirm.blind"
        assert r.sent() == []


async def test_by_default_nothing_is_signed_blind(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, careful=False) as r:
        r.session.device._signer = Dim()
        trade = await waiting(r, quantity="0.001")
        with pytest.raises(SafetyError, match="allows 0"):
            confirm(r, trade, "BLIND")


async def test_a_device_that_shows_less_than_was_confirmed_is_not_asked(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, careful=False, settings=VALUE) as r:
        device = Dim()
        device.clarity = Clarity.CLEAR
        r.session.device._signer = device
        trade = await waiting(r)
        confirm(r, trade)
        device.clarity = Clarity.PARTLY
        await r.finished(trade)
        assert trade.state is TradeState.FAILED
        assert "PARTLY now, CLEAR then" in trade.reason
        assert r.sent() == []


async def test_what_was_read_in_clear_is_read_again_when_the_device_would_show_less(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, careful=False, settings=VALUE) as r:
        device = Dim()
        device.clarity = Clarity.CLEAR
        r.session.device._signer = device
        trade = await waiting(r)
        device.clarity = Clarity.PARTLY
        with pytest.raises(SafetyError) as caught:
            confirm(r, trade)
        assert caught.value.code == "confirm.device"
        r.pipeline.proposals.shown(trade.id)
        r.person.passes(READ_MS)
        confirm(r, trade)
        await r.finished(trade)
        assert trade.state is TradeState.FILLED


async def test_what_the_device_would_refuse_as_it_is_set_is_said_before_it_is_asked(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=VALUE) as r:
        device = Dim()
        device.clarity, device.refuses = Clarity.CLEAR, DeviceState.BLIND_SIGNING_OFF
        r.session.device._signer = device
        r.session.device.again_s = 1_000.0
        states: list[DeviceState] = []
        r.desk.on_device = lambda _trade, state: states.append(state)
        trade = await r.trade()
        assert trade.state is TradeState.FAILED
        assert states == [DeviceState.BLIND_SIGNING_OFF]
        (row,) = r.rows("SELECT code, next_step FROM errors")
        assert row["code"] == "signer.blind_signing_off"
        assert "switch" in row["next_step"]
