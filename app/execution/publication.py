"""Private transactions that no block takes: telling the trader, and publishing by choice alone. The same bytes, the
same hash: whoever mines it, it lands once at most. Nothing is sent here; the pipeline sends again, and by this record
the venue knows where to.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

from app.errors import SafetyError, Severity, UsageError
from app.execution.desk import Desk
from app.execution.records import Order, Payload, Trade
from app.execution.signed_terms import until_text
from app.execution.states import PayloadState
from app.ids import SHORTEST
from app.venues.base import OrderKind, OrderState
from app.venues.evm.private.sends import Route
from app.venues.evm.private.way import Fallback, PrivateWay
from app.venues.evm.words import act_of

KIND: Final = "order.published"
_SENT: Final = frozenset({PayloadState.SENT, PayloadState.UNKNOWN, PayloadState.LANDED, PayloadState.DEAD})
_PUBLISHED: Final = "SELECT subject FROM journal WHERE kind = ?"


class Publication:
    """One for each session on a chain.

    Args:
        way: as the settings have it now.
        again: has the pipeline send a transaction again that was sent before.
    """

    def __init__(self, desk: Desk, way: PrivateWay | None, again: Callable[[str], None]) -> None:
        self._desk, self._way, self._again = desk, way, again
        self._published = {str(row["subject"]) for row in desk.state.reader.rows(_PUBLISHED, (KIND,))}

    def route(self, client_id: str) -> Route:
        """How a transaction goes: as it was confirmed, and published only where that is on record."""
        found = self._desk.state.find_order(client_id)
        payload = None if found is None else _payload(*found)
        if payload is None:
            return Route()
        private = json.loads(payload.preview).get("private")
        host = "" if private is None else str(private["host"])
        return Route(host, payload.state in _SENT, client_id in self._published)

    def overdue(self, client_id: str) -> None:
        """The venue says that no block took it in its time."""
        found = self._desk.state.find_order(client_id)
        if found is None or self._way is None or not self.route(client_id).private:
            return
        trade, order = found
        payload = _payload(trade, order)
        assert payload is not None
        confirmed = json.loads(payload.preview)["private"]
        text = (
            f"{trade.intent.symbol}: no block has taken the {order.role.value} transaction {client_id[:10]} "
            f"{self._way.blocks} blocks after it was given to {confirmed['host']} alone. "
        )
        # By itself only where the trader read and confirmed it, and the settings still say so.
        by_itself = {self._way.fallback.value, confirmed["fallback"]} == {Fallback.PUBLIC.value}
        if by_itself and self._refusal(trade, order) is None:
            self._commit(trade, client_id, "the settings")
            text += "It is published, as you confirmed: others can see it now."
        else:
            text += self._what_next(payload, client_id)
        self._desk.alert(Severity.HIGH, "private.overdue", text, trade.id)

    def waiting(self) -> list[tuple[Trade, Order]]:
        """Private transactions that the trader may publish now."""
        orders = [(t, o) for t in self._desk.state.trades.values() for o in t.orders.values()]
        return [(t, o) for t, o in orders if o.request.kind is OrderKind.TRANSACTION and self._refusal(t, o) is None]

    async def publish(self, prefix: object) -> dict[str, Any]:
        """Show the transaction whose hash begins with `prefix` to the public mempool; journaled before it is sent.

        Raises:
            UsageError: `prefix` names no transaction, or several.
            SafetyError: it is public already, has ended, may not be sent any more, or is to stay private.
        """
        trade, order = self._find(prefix)
        if (why := self._refusal(trade, order)) is not None:
            raise SafetyError("publish.refused", why[0], next_step=why[1])
        client_id = order.request.client_id
        await self._commit(trade, client_id, "the trader")
        return {"client_id": client_id, "trade_id": trade.id, "symbol": trade.intent.symbol, "role": order.role.value}

    def _commit(self, trade: Trade, client_id: str, by: str) -> asyncio.Future[int]:
        """Durable first; only then may a public node see the bytes."""
        transition = self._desk.transition()
        transition.change("published", trade.id, client_id, by)
        committed = self._desk.commit(transition, KIND, client_id)

        def done(future: asyncio.Future[int]) -> None:
            if not future.cancelled() and future.exception() is None:
                self._published.add(client_id)
                self._again(client_id)

        committed.add_done_callback(done)
        return committed

    def _refusal(self, trade: Trade, order: Order) -> tuple[str, str] | None:
        """Why it can not be published, and what to do instead; or None."""
        payload, route, desk = _payload(trade, order), self.route(order.request.client_id), self._desk
        never = self._way is not None and self._way.fallback is Fallback.NEVER
        if payload is None or not route.host:
            return "It was sent to the public mempool at once.", ""
        checks = (
            (route.published, "It was published already.", ""),
            (order.state is OrderState.PENDING, "It was not sent yet.", ""),
            (order.state not in {OrderState.OPEN, OrderState.UNKNOWN}, f"It has ended: {order.state.value}.", ""),
            (never, "It stays private: private.fallback of its network is never.", "Change the setting to ask."),
            (
                desk.clock.now_ms() > payload.valid_until_ms,
                f"Its time ended at {until_text(payload.valid_until_ms)} UTC.",
                "Published now, it could only fail.",
            ),
            (
                desk.stop.raised() and not order.request.reduce_only,
                "The emergency stop is in force.",
                "Lift it first: countersign stop --reset",
            ),
        )
        return next(((words, step) for wrong, words, step in checks if wrong), None)

    def _what_next(self, payload: Payload, client_id: str) -> str:
        """It stays private: until when, and how to end that."""
        nonce = act_of(payload.body)[0].nonce
        text = (
            f"It stays private, is given to it again until {until_text(payload.valid_until_ms)} UTC, and may land. "
            f"It never can once another transaction of nonce {nonce} has landed. "
        )
        if self._way is not None and self._way.fallback is Fallback.NEVER:
            return f"{text}Nothing publishes it: private.fallback is never."
        return f"{text}To show it to the public mempool: countersign publish {client_id[:10]}"

    def _find(self, prefix: object) -> tuple[Trade, Order]:
        """
        Raises:
            UsageError: none, or several.
        """
        text = prefix if isinstance(prefix, str) else ""
        least = SHORTEST + len("0x")
        ids = [c for c in self._desk.state.orders if len(text) >= least and c.startswith(text)]
        if not ids and len(text) >= least:
            rows = self._desk.state.reader.rows(
                "SELECT client_id FROM orders WHERE substr(client_id, 1, ?) = ? LIMIT 2", (len(text), text)
            )
            ids = [str(row["client_id"]) for row in rows]
        if len(ids) != 1:
            what = f"{'Several transactions begin' if ids else 'No transaction begins'} with {text[:20]!r}."
            raise UsageError("publish.order", what, next_step="See them: countersign orders")
        found = self._desk.state.find_order(ids[0])
        assert found is not None
        return found


def _payload(trade: Trade, order: Order) -> Payload | None:
    """The transaction that an order is; None where it is none."""
    if order.request.kind is not OrderKind.TRANSACTION:
        return None
    return next((each for each in trade.payloads if order in trade.orders_of(each)), None)
