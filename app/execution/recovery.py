"""After a restart or a lost commit: conclude from what is on disk and what the venue says, never from a guess.

Nothing signed: expire and release. Signed: look it up; not found and still able to land: the trader is asked, the same
bytes; but what was being given away (`given`) is unknown. Sent or unknown: track. Then venue and ledger are compared
(`reconcile`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from app.errors import CountersignError, Severity, StorageError, VenueError
from app.execution.desk import Desk
from app.execution.given import was_given
from app.execution.pipeline import Pipeline
from app.execution.reconcile import Compared, Reconciliation
from app.execution.records import Order, Role, Trade
from app.execution.settlement import Settlement, end_unsent
from app.execution.states import BEFORE_SIGNATURE, PayloadState, TradeState
from app.venues.base import TERMINAL, OrderKind, OrderReport, OrderState

_WAITS_S: Final = (0.0, 0.1, 0.3, 1.0, 2.0, 5.0)
"""Pauses between look-ups of an unknown order; the last repeats."""
_PATIENT: Final = 4
"""Look-ups before the market goes on."""


_SENT: Final = frozenset({PayloadState.SENT, PayloadState.UNKNOWN})


class Recovery:
    """Brings memory, disk and venue into agreement.

    Args:
        settle: books what the venue changed of what was booked.
    """

    def __init__(self, desk: Desk, settlement: Settlement, settle: Callable[[], Awaitable[None]]) -> None:
        self._desk = desk
        self._settlement = settlement
        self._settle = settle
        self.books = Reconciliation(desk, self._catch_up)
        self._turn = asyncio.Lock()
        self._contradicted: set[str] = set()
        """Trades of which the venue says what can not be; asking again would not help."""
        self.concluded: list[Trade] = []
        """What the last `resume` brought on: the trader was not there to see it."""
        self._asks: Pipeline | None = None
        self.done, self.of = 0, 0
        """Trades concluded by the present `resume`, and how many there are; each may wait for the venue."""

    async def resume(self, pipeline: Pipeline) -> None:
        """Conclude every unfinished trade, then reconcile. Trading may start when this returns.

        Also after the venue was reached again in the middle of a session: a trade that the pipeline is still working on
        is the pipeline's to conclude.

        Raises:
            VenueError: the venue did not answer; what was concluded so far stands.
        """
        async with self._turn:
            self._asks = pipeline
            before = [(trade, trade.state) for trade in self._desk.state.trades.values()]
            self.of = len(before)
            for self.done, (trade, _) in enumerate(before):
                if self._gone(trade) or trade.id in self._contradicted:
                    continue
                owned = pipeline.work.owns(trade.id)
                if trade.state in BEFORE_SIGNATURE:
                    if not owned:
                        await self._expire(trade)
                elif trade.state is not TradeState.SIGNED:
                    await self._track(trade, owned=owned)
                elif not owned:
                    await self._look_up_signed(trade, pipeline)
            self.done = self.of
            self.concluded = [trade for trade, state in before if trade.state is not state]
            await self.books.look(final=True)

    def _pipeline(self) -> Pipeline:
        """The one that asks the trader and sends; there from the first `resume` on, which every session begins with."""
        assert self._asks is not None
        return self._asks

    def _gone(self, trade: Trade) -> bool:
        """Ended meanwhile, or memory was read again from disk and another object stands for it."""
        return self._desk.state.trades.get(trade.id) is not trade

    async def expire_unsigned(self) -> None:
        """The session ends: what is not signed, and whose work was abandoned, ends now and not at the next start."""
        for trade in list(self._desk.state.trades.values()):
            if trade.state in BEFORE_SIGNATURE:
                await self._end(trade, TradeState.EXPIRED, "The session ended before it was signed.")

    async def _expire(self, trade: Trade) -> None:
        await self._end(trade, TradeState.EXPIRED, "The trader restarted before it was signed.")

    async def _look_up_signed(self, trade: Trade, pipeline: Pipeline) -> None:
        """Signed, and nobody knows whether it was sent: `connect` fenced the venue, so the look-up is conclusive."""
        desk, payload = self._desk, trade.payload
        assert payload is not None
        found = [await self._there(trade, order) for order in trade.orders.values()]
        if not _signed(trade) or self._gone(trade):
            return  # somebody else concluded meanwhile
        if any(report is not None for report in found):
            orders = list(zip(list(trade.orders.values()), found, strict=True))
            there = {o.request.client_id for o, report in orders if report is not None}
            news = [(o, report) for o, report in orders if report is not None and report.revision > o.revision]
            try:
                for order, report in news:
                    self._settlement.check(trade, order, report)
            except CountersignError as error:
                self._contradict(trade, error)
                return
            transition = desk.transition()
            for each in trade.payloads:
                if any(order.request.client_id in there for order in trade.orders_of(each)):
                    transition.payload(trade, each, PayloadState.SENT)
            transition.trade(trade, TradeState.SUBMITTED)
            for order, report in news:
                self._settlement.book(transition, trade, order, report)
            self._settlement.follow(transition, trade)
            desk.state.retire(trade)
            await desk.commit(transition, "trade.found", trade.id)
        elif was_given(desk, trade.payloads[0]):
            pipeline.maybe_sent(trade)
        elif trade.armed:
            return  # kept until its price is reached, as before
        elif desk.stop.raised():
            await self._end(trade, TradeState.CANCELLED, "The emergency stop is in force; the bytes were never sent.")
        elif desk.clock.now_ms() > payload.valid_until_ms:
            await self._end(trade, TradeState.EXPIRED, "The trader restarted after the authorisation had ended.")
        else:
            pipeline.resume_signed(trade)

    async def _there(self, trade: Trade, order: Order) -> OrderReport | None:
        """What the venue has of an order. "It waits", of a transaction that was never given away, says only that its
        nonce is used up."""
        pending = order.state is OrderState.PENDING
        report = await self._desk.venue.order(order.request.client_id)
        waits = report is not None and report.state is OrderState.OPEN and order.request.kind is OrderKind.TRANSACTION
        return None if pending and waits and not self._was_given(trade, order) else report

    async def _track(self, trade: Trade, *, owned: bool) -> None:
        """Ask for each order that has not ended. A report that contradicts the record is an error and a halt, and no
        reason not to start: what is held must stay manageable.

        Args:
            owned: work of the pipeline on this trade goes on; what it has not sent yet is not missing.
        """
        for order in list(trade.orders.values()):
            if order.state in TERMINAL:
                continue
            waits = order.state is OrderState.PENDING and (owned or trade.waits_for_itself)
            if waits and not self._was_given(trade, order):
                continue  # not sent yet; or what must land before it has not
            report = await self._there(trade, order)
            if self._gone(trade):
                return
            if report is not None:
                await self._take(trade, report)
            else:
                await self._missing(trade, order)

    def _was_given(self, trade: Trade, order: Order) -> bool:
        payload = trade.payload_of(order)
        return payload is not None and was_given(self._desk, payload)

    async def _take(self, trade: Trade, report: OrderReport) -> None:
        try:
            committed = self._settlement.on_report(report)
        except CountersignError as error:
            self._contradict(trade, error)
            return
        if committed is not None:
            await committed

    def _contradict(self, trade: Trade, error: CountersignError) -> None:
        """What the venue says can not be; nothing of it was booked."""
        self._desk.record_error(error, trade.id)
        self._desk.halt(error.what)
        self._contradicted.add(trade.id)

    async def _missing(self, trade: Trade, order: Order) -> None:
        """A clean look-up after the landing horizon does not find it."""
        desk = self._desk
        if order.request.kind is OrderKind.TRANSACTION:
            self._missing_transaction(trade, order)
            return
        sent = next((payload for payload in trade.payloads if order in trade.orders_of(payload)), None)
        if order.state is OrderState.UNKNOWN and sent is not None and sent.state is PayloadState.UNKNOWN:
            await self._end(trade, TradeState.CANCELLED, "The venue proves that it never arrived.")
            return
        if order.state in TERMINAL:
            return
        if order.role is Role.FLATTEN and order.state in {OrderState.PENDING, OrderState.UNKNOWN}:
            transition = desk.transition()
            transition.order(order, OrderState.CANCELLED, "The venue proves that it never arrived.")
            desk.state.retire(trade)
            await desk.commit(transition, "order.cancelled", trade.id)
            return
        error = StorageError(
            "venue.order_missing",
            f"Order {order.request.client_id} ({trade.intent.symbol}) was accepted and the venue no longer knows it.",
            next_step="New trades stopped. Compare with the venue's own record.",
        )
        desk.record_error(error, trade.id)
        desk.halt("an accepted order is missing at the venue")

    def missing(self, client_id: str) -> None:
        """The venue lost sight of a transaction of ours, in the middle of a session."""
        found = self._desk.state.find_order(client_id)
        if found is not None and found[1].live and self._asks is not None:
            self._missing_transaction(*found)

    def _missing_transaction(self, trade: Trade, order: Order) -> None:
        """In no block and no pool, and its nonce is free: it can still land, so nothing is concluded. What was never
        sent is the trader's to decide, the rest is sent again, the same bytes."""
        if order.state is OrderState.PENDING:
            if self._was_given(trade, order):
                self._pipeline().maybe_sent(trade)
            elif not trade.armed:
                self._pipeline().resume_signed(trade)
        else:
            self._pipeline().resend(trade, order)

    async def resolve(self, trade: Trade, once: bool = False) -> None:
        """Look for orders whose answer was lost, until there is evidence; with `once` until the venue has answered one
        look-up, whatever is on record: the answer to a cancel was lost, and the order looks as it did before. The
        pipeline runs it, so that it ends with the pipeline's other work when memory is read again."""
        desk, attempt = self._desk, 0
        while (once or _unresolved(trade)) and trade.id not in self._contradicted:
            await self._pause(attempt)
            attempt += 1
            try:
                async with self._turn:
                    if not once or attempt > 1:  # a new connection would cut off other cancels that are being asked for
                        await desk.venue.connect()
                    await self._track(trade, owned=True)
                once = False
            except VenueError as error:
                if attempt == len(_WAITS_S):
                    desk.record_error(error, trade.id)
                    what = "maybe sent" if _unresolved(trade) else "maybe cancelled"
                    text = f"{trade.intent.symbol}: {what}; the venue does not answer."
                    desk.alert(Severity.CRITICAL, "order.unknown", text, trade.id)

    async def _pause(self, attempt: int) -> None:
        """The market waits for the first look-ups. It does not wait for ever: new entries are denied meanwhile, and
        whoever wants to end the session can."""
        wait = _WAITS_S[min(attempt, len(_WAITS_S) - 1)]
        if attempt < _PATIENT:
            await asyncio.sleep(wait)
            return
        with self._desk.activity.parked():
            await asyncio.sleep(wait)

    async def look_again(self) -> Compared:
        """Compare with the venue in the middle of a session.

        Raises:
            VenueError: it did not answer; what was known before stands.
        """
        async with self._turn:
            return await self.books.look(final=False)

    async def _catch_up(self) -> None:
        """Book what the venue knows of our transactions and we do not: some may have landed, or were undone, between
        what the chain says of the account and what was booked."""
        await self._settle()
        for trade in [each for each in self._desk.state.trades.values() if _transacts(each)]:
            await self._track(trade, owned=True)

    async def _end(self, trade: Trade, state: TradeState, reason: str) -> None:
        transition = self._desk.transition()
        end_unsent(self._desk, transition, trade, state, reason)
        await self._desk.commit(transition, f"trade.{state.value.lower()}", trade.id)


def _transacts(trade: Trade) -> bool:
    """A transaction of it was sent in this session or before, and is booked or may still land."""
    return any(payload.body and payload.state in _SENT for payload in trade.payloads)


def _signed(trade: Trade) -> bool:
    # a function, because a type checker narrows an attribute across awaits, where it may change
    return trade.state is TradeState.SIGNED


def _unresolved(trade: Trade) -> bool:
    waits = any(payload.state is PayloadState.UNKNOWN for payload in trade.payloads)
    return waits or any(order.state is OrderState.UNKNOWN for order in trade.orders.values())
