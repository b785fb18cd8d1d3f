"""Small things that several scenarios do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from app.execution.records import Role, Trade
from app.ids import client_order_id
from app.market.events import MarketSource
from app.trader import RunLimits, Trader
from app.venues.base import OrderReport, OrderState, VenueFill
from signers.base import SignRequest
from signers.payloads import PersonalMessage
from strategies.model import Side
from tests.execution.harness import Rig


def spy_on_signer(r: Rig, before: Any = lambda: None, signer: Any = None) -> list[str]:
    """The session's device with something happening while the person reads."""
    asked: list[str] = []
    device: Any = signer or r.session.device._signer
    sign = device.sign

    def spied(request: SignRequest, person: Any) -> Any:
        assert isinstance(request.payload, PersonalMessage)
        asked.append(request.payload.text)
        before()
        return sign(request, person)

    device.sign = spied
    r.session.device._signer = device
    return asked


async def confirm_until(r: Rig, trade: Trade, kind: str) -> None:
    """Confirm a waiting trade, and let nothing follow on the transition called `kind`: so far a session comes that
    ends there."""
    commit = r.desk.commit

    def stop_at(transition: Any, name: str, subject: str) -> Any:
        committed = commit(transition, name, subject)
        if name == kind:
            for task in r.pipeline.work.of(trade.id):
                task.cancel()
        return committed

    r.desk.commit = stop_at
    r.pipeline.proposals.confirm(trade.id)
    await r.finished(trade)


def entry_id(trade: Trade) -> str:
    return client_order_id(trade.id, Role.ENTRY)


def late_fill(r: Rig, trade: Trade, state: OrderState) -> OrderReport:
    client_id, one = entry_id(trade), Decimal(1)
    fill = VenueFill("late", client_id, "ETH-USDT", Side.BUY, Decimal(100), one, Decimal("0.1"), "USDT", r.now)
    return OrderReport(client_id, "v1", state, one, one, (fill,), 99, r.now)


async def record_metrics(r: Rig) -> None:
    """What the trader puts on record at each interval, done by the trader's own code."""
    trader = Trader(r.session.plan, cast("MarketSource", None), RunLimits(None, None), None)
    trader.session = r.session
    trader._record_metrics()
    await r.settle()
