"""Toasts of what becomes of trades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app import wish_words
from app.text import escape_untrusted

if TYPE_CHECKING:
    from app.execution.records import Order, Trade
    from app.tui.app import Terminal

_NEWS: Final = {
    "FILLED": ("filled", "information"),
    "REJECTED": ("rejected by the venue", "error"),
    "FAILED": ("failed", "error"),
    "EXPIRED": ("expired", "warning"),
    "CANCELLED": ("cancelled", "warning"),
    "DENIED": ("denied", "warning"),
    "DECLINED": ("declined; nothing was sent", "information"),
}
_EXITS: Final = ("stop", "target", "flatten")
"""Orders that nobody confirms; a close is a trade of its own, and told as one."""


class News:
    """One per screen run; tells everything once."""

    def __init__(self, app: Terminal) -> None:
        self._app = app
        self._told: dict[str, str] = {}

    def told(self, trade: Trade, order: Order | None = None) -> None:
        """A toast for what a trader wants to hear while looking elsewhere. Never the only place where it is told."""
        if order is not None:  # an exit: its trade was filled long ago, perhaps before a restart
            role, sold = order.role.value, f"{order.request.client_id} {order.filled}"
            if role in _EXITS and order.filled and sold not in self._told:
                self._remember(sold, "")
                self._app.notify(f"{trade.intent.symbol}: the {role} sold {order.filled:f}")
            return
        state = trade.state.value
        if self._told.get(trade.id) == state:
            return
        self._remember(trade.id, state)
        if state == "DENIED" and trade.payload is None:
            return  # the gate turned it away before anybody saw it: Orders tells
        if state in _NEWS:
            words, severity = _NEWS[state]
            why = f". {escape_untrusted(trade.reason)}" if trade.reason and state != "DECLINED" else ""
            words = "done" if state == "FILLED" and trade.intent.act is not None else words
            self._app.notify(f"{wish_words.short(trade.intent)}: {words}{why}", severity=severity)  # type: ignore[arg-type]  # one of Textual's three words

    def _remember(self, key: str, told: str) -> None:
        self._told[key] = told
        if len(self._told) > 500:
            self._told.pop(next(iter(self._told)))
