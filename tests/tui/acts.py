"""What a trader does in many tests, in one step."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from app.execution.records import Trade
from strategies.model import Side
from tests.tui.harness import Seat


async def send(seat: Seat, trade: Trade) -> None:
    """Confirm a waiting trade and approve it on the device."""
    assert seat.host.trader is not None
    demo = seat.host.trader.session.devices.demo
    seat.rig.pipeline.proposals.shown(trade.id)
    seat.person.waits(1)
    seat.rig.pipeline.proposals.confirm(trade.id)
    await seat.until(lambda: demo.review is not None)
    demo.turn(100)
    assert demo.approve()
    await seat.until(lambda: trade.state.value not in {"PREPARED", "CONFIRMED", "SIGNED"})
    await seat.rig.settle()
    while seat.dialog:
        await seat.press("escape")
    await seat.look()


async def bought(seat: Seat, quantity: str = "0.001", symbol: str = "BTC-USDT", **terms: Any) -> Trade:
    """A position: proposed, confirmed, approved, filled."""
    trade = await seat.propose(symbol, quantity=quantity, **terms)
    await send(seat, trade)
    assert trade.state.value == "FILLED", (trade.state, trade.reason)
    return trade


async def sold(seat: Seat, quantity: str = "0.001", symbol: str = "BTC-USDT", **terms: Any) -> Trade:
    """What was bought is sold again."""
    trade = await seat.propose(symbol, Side.SELL, quantity=quantity, **terms)
    await send(seat, trade)
    assert trade.state.value == "FILLED", (trade.state, trade.reason)
    return trade


def held(seat: Seat, symbol: str = "BTC-USDT") -> Decimal:
    """What momentum holds."""
    return seat.rig.held(symbol, "momentum")
