"""Readable progress lines of a session without a screen: one line for each thing a person would want to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app import wish_words
from app.execution.records import Order, Role, Trade
from app.execution.states import TradeState
from app.money import to_text
from strategies.model import Intent, Side

_QUIET: Final = frozenset({TradeState.RESERVED, TradeState.CONFIRMED})
"""Steps that follow at once and say nothing of their own."""

_EXITS: Final = {Role.STOP: "stop", Role.TARGET: "target", Role.CLOSE: "close", Role.FLATTEN: "flatten"}
"""Orders that end a position, in words."""

_MOST_TOLD: Final = 500


class Progress:
    """Turns state changes into lines.

    Args:
        say: receives the lines, each with its market time, ms; None keeps quiet.
        now_ms: market time.
    """

    def __init__(self, say: Callable[[int, str], None] | None, now_ms: Callable[[], int]) -> None:
        self._say = say
        self._now_ms = now_ms
        self._told: dict[str, str] = {}
        self._last_denial: dict[tuple[str, str], str] = {}
        self.listeners: list[Callable[[Trade, Order | None], None]] = []
        """Told of every change of a trade, of an exit's with its order, before any line is made of it: for screens."""

    def trade(self, trade: Trade) -> None:
        """A trade's state changed (or may have)."""
        self._listen(trade, None)
        if self._say is None or trade.state in _QUIET or self._told.get(trade.id) == trade.state.value:
            return
        self._remember(trade.id, trade.state.value)
        intent = trade.intent
        if trade.state is TradeState.DENIED and self._repeats(trade):
            return
        reason = f": {trade.reason}" if trade.reason else ""
        self.line(f"{_state(trade):<10} {_what(intent)}  [{intent.module} {trade.id[:8]}]{reason}")

    def exit(self, trade: Trade, order: Order) -> None:
        """An exit of a trade traded."""
        self._listen(trade, order)
        key = order.request.client_id
        if self._say is None or order.role not in _EXITS or self._told.get(key) == to_text(order.filled):
            return
        self._remember(key, to_text(order.filled))
        self.line(
            f"{_EXITS[order.role]:<10} sold {to_text(order.filled)} {trade.intent.symbol}  "
            f"[{trade.intent.module} {trade.id[:8]}]"
        )

    def line(self, text: str) -> None:
        """Any other line."""
        if self._say is not None:
            self._say(self._now_ms(), text)

    def _listen(self, trade: Trade, order: Order | None) -> None:
        for listener in self.listeners:
            listener(trade, order)

    def _remember(self, key: str, told: str) -> None:
        self._told[key] = told
        if len(self._told) > _MOST_TOLD:
            self._told.pop(next(iter(self._told)))

    def _repeats(self, trade: Trade) -> bool:
        """The same rule denied the same instrument just before: said once."""
        key = (trade.intent.module, trade.intent.symbol)
        rule = trade.reason.rstrip("0123456789. ")[:24]
        known, self._last_denial[key] = self._last_denial.get(key), rule
        return known == rule


def _state(trade: Trade) -> str:
    return "done" if trade.intent.act is not None and trade.state is TradeState.FILLED else trade.state.value.lower()


def _what(intent: Intent) -> str:
    """What is wanted and within which bounds, on one line."""
    if intent.act is not None:
        return ", ".join(each for each in (wish_words.short(intent), wish_words.terms(intent)) if each)
    price = f"at {to_text(intent.worst_price)} or {'less' if intent.side is Side.BUY else 'more'}"
    place = f", in the place of {intent.replaces[:10]}" if intent.replaces else ""
    return f"{intent.side.value:<4} {to_text(intent.quantity)} {intent.symbol} {price}{place}"
