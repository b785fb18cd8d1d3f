"""What a running trader answers about risk on its control socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.execution.control import Handler
from app.execution.risk_view import risk_view

if TYPE_CHECKING:
    from app.trader import Trader


def risk_handlers(trader: Trader) -> Mapping[str, Handler]:
    """The commands by name."""

    async def risk(_: dict[str, Any]) -> dict[str, Any]:
        return risk_view(trader.session.desk).document()

    return {"risk": risk}
