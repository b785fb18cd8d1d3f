"""What a running trader answers about its signers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.execution.states import TradeState
from app.ids import by_prefix
from signers.payloads import PersonalMessage

if TYPE_CHECKING:
    from app.execution.records import Trade
    from app.session import Session


def at_device(session: Session, given: str) -> Trade | None:
    """The confirmed trade that the device is being asked for and whose id begins with `given`, or None."""
    asked = {t.id: t for t in session.desk.state.trades.values() if t.state is TradeState.CONFIRMED}
    if not any(each.startswith(given) for each in asked):
        return None
    return asked[by_prefix(given, asked)]


def give_up(session: Session, trade: Trade) -> bool:
    """Wait no longer for the device; the trade ends, and nothing is sent."""
    assert trade.payload is not None
    return session.device.give_up(PersonalMessage(trade.payload.text).signed)
