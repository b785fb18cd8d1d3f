"""The one door: the only code that can cause a venue to be sent anything that moves money.

propose -> risk -> reserve -> prepare -> confirm -> sign -> verify -> re-check -> submit. `propose` is synchronous up to
the reservation; each later step is its own durable transition, and nothing goes on before its commit resolved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from app.errors import SafetyError, SignerError, VenueError, VenueRefused, VenueUnknown
from app.execution.admission import admit, lapsed, record_verdict, worse_than_confirmed
from app.execution.desk import Desk
from app.execution.device_view import asked
from app.execution.given import giving, nobody_took, was_given
from app.execution.hot_caps import HotDenied
from app.execution.preparation import Preparation
from app.execution.proposals import Answer, Decision, Proposals
from app.execution.records import Order, Trade
from app.execution.sent import Sent, may_be_open, sent_again
from app.execution.settlement import Settlement
from app.execution.signing import accept, record
from app.execution.standing_terms import is_standing
from app.execution.states import PayloadState, TradeState
from app.execution.unsent import Unsent
from app.execution.work import Work
from signers.faults import RefusedOnDevice, SignerFault
from strategies.model import Intent, Side


class Pipeline:
    """One per trader.

    Args:
        resolve_unknown: looks for a trade's orders at the venue until there is evidence, or (True) at least once.
        on_progress: told of each trade's state change, for screens and progress lines.
        on_worse: told when the re-check dropped a signed trade, so that a fresh proposal can say what changed.
        preparation: in which form its venue's trades are signed.
    """

    def __init__(
        self,
        desk: Desk,
        settlement: Settlement,
        *,
        resolve_unknown: Callable[[Trade, bool], Coroutine[Any, Any, None]],
        on_progress: Callable[[Trade], None],
        on_worse: Callable[[Trade], None],
        preparation: Preparation,
    ) -> None:
        self._desk = desk
        self._settlement = settlement
        self._resolve_unknown = resolve_unknown
        self._on_progress = on_progress
        self._on_worse = on_worse
        self._preparation = preparation
        settlement.on_step = lambda trade: self.work.start(trade.id, self._step(trade))
        self._sent = Sent(desk, settlement, on_progress)
        self.work = Work(desk)
        self.proposals = Proposals(desk)
        self._unsent = Unsent(desk, self.proposals, on_progress)

    # -- 1 to 3: propose, risk, reserve -------------------------------------------------------------------------

    def propose(self, intent: Intent) -> Trade | None:
        """Admit an intent or turn it away, synchronously. Returns the trade when it was admitted. The same module,
        instrument and side already in flight: the intent is dropped and counted."""
        desk, begun = self._desk, self._desk.clock.monotonic_ns()
        desk.counters.proposed += 1
        if not is_standing(intent) and self.proposals.duplicates(intent):  # those are proposed once it was looked
            desk.counters.dropped += 1
            return None
        trade, transition = Trade(intent, lap_ns=begun), desk.transition()
        transition.new_trade(trade)
        denied = admit(desk, trade)  # no await between here and the queued commit
        record_verdict(desk, transition, trade, denied)
        transition.took(trade, "decide", desk.clock.monotonic_ns())
        committed = desk.commit(transition, "trade.reserved" if denied is None else "trade.denied", trade.id)
        self._on_progress(trade)
        if denied is None:
            self.work.start(trade.id, self._live(trade, committed))
        return trade if denied is None else None

    # -- the life of an admitted trade --------------------------------------------------------------------------

    async def _live(self, trade: Trade, committed: asyncio.Future[int]) -> None:
        await committed
        await self._preparation.until_read()
        draft = await self._draft(trade)
        async with self._desk.turn:
            if not _is(trade, TradeState.RESERVED) or not await self._prepare(trade, draft):
                return
        decision = await self.proposals.ask(trade)
        await self._preparation.until_read()
        async with self._desk.turn:
            if not _is(trade, TradeState.PREPARED) or not await self._take(trade, decision):
                return
        signatures = await self._sign(trade)
        await self._preparation.until_read()
        async with self._desk.turn:
            if not signatures or not _is(trade, TradeState.CONFIRMED):
                return
            if await self._record_signatures(trade, signatures):
                await self.submit(trade)

    async def _draft(self, trade: Trade) -> object:  # what the venue is asked first; outside of the turn
        try:
            return await self._preparation.draft(trade)
        except VenueError as error:
            self._desk.record_error(error, trade.id)
            async with self._desk.turn:
                if _is(trade, TradeState.RESERVED):
                    await self._unsent.end(trade, TradeState.FAILED, f"{error.what} Nothing was sent.")
            return None

    async def _prepare(self, trade: Trade, draft: object) -> bool:
        """Build exactly what is shown and signed."""
        desk = self._desk
        payloads = self._preparation.payloads(trade, draft)
        if isinstance(payloads, str):
            return await self._unsent.end(trade, TradeState.DENIED, payloads)
        transition = desk.transition()
        for payload in payloads:
            transition.new_payload(trade, payload)
        transition.trade(trade, TradeState.PREPARED)
        transition.took(trade, "prepare", desk.clock.monotonic_ns())
        desk.record_quote(trade.id, trade.intent.symbol, "prepare")
        await desk.commit(transition, "trade.prepared", trade.id)
        self._on_progress(trade)
        return True

    async def _take(self, trade: Trade, decision: Decision) -> bool:
        """Record the trader's answer."""
        if decision.answer is not Answer.CONFIRMED:
            return await self._unsent.end(trade, decision.state, decision.reason, decision.answer)
        if not self._desk.stop.raised() and await self._became_worse(trade):
            return False  # before anybody walks through the pages of a device
        transition = self._desk.transition()
        for payload in trade.payloads:
            transition.payload(trade, payload, PayloadState.CONFIRMED)
        transition.trade(trade, TradeState.CONFIRMED)
        transition.took(trade, "confirm", self._desk.clock.monotonic_ns())
        await self._desk.commit(transition, "trade.confirmed", trade.id)
        self._on_progress(trade)
        return True

    async def _sign(self, trade: Trade) -> list[bytes]:
        """One signature for each payload, or none at all."""
        desk, signatures = self._desk, []
        try:
            desk.hot.check(desk, trade)
            for payload in trade.payloads:
                if not trade.under_stop:
                    desk.stop.check()
                with desk.goes_on():
                    signed = await desk.signer.sign(*asked(desk, trade, payload), accepts=trade.clarity)
                signatures.append(signed.signature)
        except RefusedOnDevice as fault:
            await self._unsent.in_turn(trade, TradeState.REFUSED, fault.what)
        except SignerFault as fault:
            desk.record_error(SignerError(fault.code, fault.told, next_step=fault.next_step), trade.id)
            await self._unsent.in_turn(trade, TradeState.FAILED, fault.told)
        except SafetyError as error:
            denied = isinstance(error, HotDenied)
            await self._unsent.in_turn(trade, TradeState.DENIED if denied else TradeState.CANCELLED, error.what)
        else:
            return signatures
        return []

    async def _record_signatures(self, trade: Trade, signatures: list[bytes]) -> bool:
        """Verify, then make what was signed, signatures and client order ids durable before anything is sent."""
        desk = self._desk
        if lapsed(desk, trade):
            await self._unsent.end(trade, TradeState.DENIED, "The authorisation ended before it was signed.")
            self._on_worse(trade)
            return False
        try:
            orders = accept(desk, self._preparation, trade, signatures)
        except (SignerFault, SafetyError) as error:
            return await self._unsent.not_ours(trade, error.what)
        await record(desk, trade, orders)
        self._on_progress(trade)
        return True

    # -- 7 and 8: re-check, submit ------------------------------------------------------------------------------

    async def submit(self, trade: Trade) -> None:
        """Re-check the situation, then send what is signed and goes next: also bytes that a restart proved unsent, and
        never a standing exit before its price was reached."""
        desk, payload = self._desk, trade.unsent
        if payload is None or (trade.armed and not trade.triggered):  # of no use any more when it was signed, or kept
            self._on_progress(trade)
            return
        try:
            await desk.venue.ready()  # whatever it must hear first: between the last checks and the bytes nothing waits
        except VenueError as error:
            desk.record_error(error, trade.id)
            await self._unsent.end(trade, TradeState.FAILED, f"{error.what} Nothing was sent.")
            return
        if desk.stop.raised() and not trade.under_stop:
            await self._unsent.end(trade, TradeState.CANCELLED, "The emergency stop is in force.")
            return
        if await self._became_worse(trade):
            return
        # Right before the bytes: what changed since must not go.
        if (why := self._preparation.unlike_signed(trade, payload)) is not None:
            await self._unsent.not_ours(trade, f"What would be sent is not what was signed: {why}")
            return
        requests = tuple(order.request for order in trade.orders_of(payload))
        desk.record_quote(trade.id, trade.intent.symbol, "submit")
        await giving(desk, trade, payload)
        try:
            if not trade.under_stop:
                desk.stop.check()
            with trade.gives(payload):
                reports = await desk.venue.submit(requests, payload.signed)
        except SafetyError as error:
            await self._unsent.end(trade, TradeState.CANCELLED, error.what)
        except VenueUnknown as error:
            await self._sent.unknown(trade, payload, error)
            self.work.start(trade.id, self._resolve(trade))
        except VenueRefused as error:
            await self._sent.refused(trade, payload, error)
        except VenueError as error:
            desk.record_error(error, trade.id)
            if trade.triggered:
                await nobody_took(desk, trade, payload)
            await self._unsent.end(trade, TradeState.FAILED, f"{error.what} Nothing was sent.")
        else:
            await self._sent.answered(trade, payload, reports)
            await self.withdraw(trade)

    async def _step(self, trade: Trade) -> None:
        """An earlier transaction of the trade has ended: now the next one goes; where that one failed, nothing. What
        was signed before a restart is asked for once more."""
        await self._desk.until_quoted(trade.intent.symbol)  # right after a start
        await self._preparation.until_read()
        again = trade.resumed and not trade.armed and trade not in self.proposals.waiting()
        async with self._desk.turn:
            if not trade.goes_on:
                return
            if trade.unsent is not None and was_given(self._desk, trade.unsent):
                self.maybe_sent(trade)
                return
            if not trade.done_so_far:
                await self._unsent.end(trade, TradeState.CANCELLED, "The transaction before it failed.")
            elif trade.armed or not trade.resumed:
                await self.submit(trade)
        if again and trade.goes_on:
            await self._resume(trade)

    async def _became_worse(self, trade: Trade) -> bool:
        """The re-check: what became worse than what was confirmed ends here, and may be proposed afresh."""
        payload, before = trade.unsent or trade.payloads[0], trade.revisions
        try:
            worse = worse_than_confirmed(self._desk, trade) or await self._preparation.worse(trade, payload)
        except VenueError as error:
            self._desk.record_error(error, trade.id)
            await self._unsent.end(trade, TradeState.FAILED, f"{error.what} Nothing was sent.")
            return True
        if worse is not None and (trade.triggered or not trade.told_since(before)):  # else it is looked at again
            await self._unsent.end(trade, TradeState.DENIED, worse)
            self._on_worse(trade)
        return worse is not None

    async def _resolve(self, trade: Trade) -> None:
        await self._resolve_unknown(trade, False)
        await self.withdraw(trade)

    def trigger(self, trade: Trade) -> None:
        """Send a standing exit, because its price was reached. What speaks against it now does not end it, and is its
        `held_back`."""
        if not self.work.owns(trade.id):
            self.work.start(trade.id, self._trigger(trade))

    async def _trigger(self, trade: Trade) -> None:
        async with self._desk.turn:
            trade.triggered = trade.armed
            if trade.triggered:
                await self.submit(trade)
            trade.triggered = False

    def resume_signed(self, trade: Trade) -> None:
        """Bytes signed before a restart and proven unsent: ask the trader, then send the same bytes."""
        trade.resumed = True
        self.work.start(trade.id, self._resume(trade))

    async def _resume(self, trade: Trade) -> None:
        payload = trade.unsent
        assert payload is not None
        if (why := self._preparation.unlike_signed(trade, payload)) is not None:
            await self._unsent.not_ours(trade, f"What is on disk is not what was signed: {why}")
            return
        decision = await self.proposals.ask(trade)
        if decision.answer is Answer.CONFIRMED:
            await self._desk.until_quoted(trade.intent.symbol)
            await self._preparation.until_read()
        trade.lap_ns = self._desk.clock.monotonic_ns()
        async with self._desk.turn:
            if trade.unsent is not payload:
                return
            if decision.answer is Answer.CONFIRMED:
                await self.submit(trade)
            else:
                await self._unsent.end(trade, decision.state, decision.reason, decision.answer)

    def maybe_sent(self, trade: Trade) -> None:
        """Bytes that were being given away when a session ended, and nobody shows: unknown, and sent again as such."""
        self.work.start(trade.id, self._maybe_sent(trade))

    async def _maybe_sent(self, trade: Trade) -> None:
        async with self._desk.turn:
            payload = trade.unsent
            if payload is None or not was_given(self._desk, payload):
                return
            error = VenueUnknown("chain.unknown", "The session ended while it was being sent.")
            await self._sent.unknown(trade, payload, error)
        await self._resolve(trade)

    def resend(self, trade: Trade, order: Order) -> None:
        """Send a transaction again that is in no block and no pool: the same bytes, so it lands once at most."""
        if not self.work.owns(order.request.client_id):
            self.work.start(order.request.client_id, self._resend(trade, order))

    async def _resend(self, trade: Trade, order: Order) -> None:
        async with self._desk.turn:
            payload = sent_again(self._desk, self._preparation, trade, order)
            if payload is None:
                return
            try:
                reports = await self._desk.venue.submit((order.request,), payload.signed)
            except VenueError as error:
                self._desk.record_error(error, trade.id)  # nothing is concluded from it: its nonce will tell
                return
        await self._settlement.take(reports)

    async def withdraw(self, trade: Trade) -> None:
        """Cancel entries that came to rest while the emergency stop was on its way."""
        for entry in trade.resting_entries() if self._desk.stop.raised() else ():
            try:
                await self.cancel_order(entry)
            except VenueError as error:
                may_be_open(self._desk, trade, error)

    async def cancel_order(self, order: Order) -> None:
        """Cancel what is unfilled. Needs no authorisation and no lifted stop: it can only reduce risk.

        Raises:
            VenueError: refused or not answered; nothing is concluded, and what was not answered is looked up.
        """
        try:
            report = await self._desk.venue.cancel(order.request.client_id)
        except VenueUnknown:
            if (found := self._desk.state.find_order(order.request.client_id)) is not None:
                self.work.start(found[0].id, self._resolve_unknown(found[0], True))
            raise
        await self._settlement.take((report,))

    def flatten(self, trade: Trade, order: Order) -> asyncio.Task[VenueError | None]:
        """Send a reduce-only market sale after an emergency stop; it needs no authorisation, and is journaled as such.
        The task's result is why the venue did not take it (the order is REJECTED, or UNKNOWN and looked up), or None.

        Raises:
            SafetyError: the order is not such a sale, or no stop is in force.
        """
        sale = order.request.reduce_only and order.request.side is Side.SELL
        if not (sale and self._desk.stop.raised()):
            what = "Only a reduce-only sale after an emergency stop needs no authorisation."
            raise SafetyError("flatten.refused", what)
        return self.work.start(trade.id, self._flatten(trade, order))

    async def _flatten(self, trade: Trade, order: Order) -> VenueError | None:
        desk, request = self._desk, order.request
        (transition := desk.transition()).new_order(trade, order)
        desk.state.add(trade)
        await desk.commit(transition, "order.flatten", trade.id)
        try:
            reports = await desk.venue.submit((request,), None)
        except VenueError as error:
            if await self._sent.no_sale(trade, order, error):
                self.work.start(trade.id, self._resolve(trade))
            return error
        await self._settlement.take(reports)
        return None


def _is(trade: Trade, state: TradeState) -> bool:  # a type checker narrows an attribute across awaits
    return trade.state is state
