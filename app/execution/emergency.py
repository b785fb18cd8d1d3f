"""The emergency stop's second half. The flag is on disk already; now open entries are cancelled, unsent bytes dropped,
protective exits and reduce-only orders kept. Flattening sells what is held, sharing the exits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from app.errors import CountersignError, Severity, VenueError, VenueRefused
from app.execution.desk import Desk
from app.execution.orders import flatten_of
from app.execution.pipeline import Pipeline
from app.execution.records import Order, Role, Trade
from app.execution.states import TradeState
from app.money import sub, to_text, total
from app.text import stopped
from app.venues.base import OrderState
from storage.faults import StorageFault

_ANSWER_S: Final = 1
"""How long the stop waits for an order that is on its way; whoever asked waits two seconds in all."""


@dataclass(slots=True)
class StopReport:
    """What the stop did."""

    cancelled: list[str] = field(default_factory=list)
    kept_exits: int = 0
    flattened: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What the venue definitely refused, with its words, and what could not be sold at all."""
    asked: set[str] = field(default_factory=set)
    """Orders that the venue was asked to cancel, once each."""
    halted: str = ""
    """Why new trades had stopped already: venue and ledger differ, the database failed."""

    def document(self) -> dict[str, Any]:
        """For the control socket and ``--json``."""
        return {
            "cancelled": self.cancelled,
            "kept_exits": self.kept_exits,
            "flattened": self.flattened,
            "unknown": self.unknown,
            "refused": self.refused,
            "halted": self.halted,
        }


class Emergency:
    """Acts on a stop that is already in force."""

    def __init__(self, desk: Desk, pipeline: Pipeline) -> None:
        self._desk = desk
        self._pipeline = pipeline

    async def act(self, *, flatten: bool, again: bool = False) -> StopReport:
        """Cancel, drop, keep; repeating it does no harm. Returns what was done, whatever disk and venue do.

        The flag must have been created before. What the venue does not answer is listed as unknown, never as done.

        Args:
            again: a session opens with the stop in force: no alert of its own where nothing was left to do.
        """
        desk, report = self._desk, StopReport()
        assert desk.stop.raised()
        self._pipeline.proposals.stop_all("The emergency stop.")
        await self._entries(report)
        await self._in_flight(report)
        for trade in self._trades():
            resting = (OrderState.OPEN, OrderState.PARTIALLY_FILLED, OrderState.UNKNOWN)
            orders = [order for order in trade.orders.values() if order.state in resting]
            report.kept_exits += sum(order.request.reduce_only for order in orders) + trade.armed
        if flatten:
            for trade in self._trades():
                for stop in [order for order in trade.orders.values() if order.role is Role.STOP]:
                    await self._flatten(trade, stop, report)
            self._left_over(report)
        text = (
            f"Emergency stop: {stopped(len(report.cancelled), report.kept_exits, len(report.flattened))}, "
            f"{len(report.unknown)} unanswered, {len(report.refused)} refused."
        )
        report.halted = desk.halted
        if not again or report.cancelled or report.unknown or report.refused:
            desk.alert(Severity.CRITICAL, "stop", text)
        transition = desk.transition()
        transition.change("stop", "in_force", text)
        with suppress(StorageFault):  # the desk has heard it; the stop itself is a file
            await desk.commit(transition, "stop.emergency", "")
        return report

    def _trades(self) -> Iterator[Trade]:
        """Each trade as it is when its turn comes: memory may be read again from disk between two of them."""
        for trade_id in list(self._desk.state.trades):
            if (trade := self._desk.state.trades.get(trade_id)) is not None:
                yield trade

    async def _entries(self, report: StopReport) -> None:
        """Cancel every entry that the venue has."""
        for trade in self._trades():
            for entry in trade.resting_entries():
                await self._cancel(trade, entry, report)

    async def _in_flight(self, report: StopReport) -> None:
        """An entry that was being sent when the flag appeared: wait for its answer, and cancel it too. Without an
        answer it is listed; the pipeline cancels it when the answer comes."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                async with self._desk.turn:  # held from the last look at the flag to the venue's answer on disk
                    pass
        except TimeoutError:
            for trade in self._trades():
                if trade.state is TradeState.SIGNED:
                    entries = [order for order in trade.entries if order.role is Role.ENTRY]
                    report.unknown += [entry.request.client_id for entry in entries]
        await self._entries(report)

    async def _cancel(self, trade: Trade, order: Order, report: StopReport) -> None:
        client_id = order.request.client_id
        if client_id in report.asked or client_id in report.unknown:
            return
        report.asked.add(client_id)
        try:
            await self._pipeline.cancel_order(order)
        except VenueRefused as error:
            report.refused.append(f"{client_id}: {error.what} {error.next_step}".rstrip())
            self._desk.record_error(error, trade.id)
        except VenueError as error:
            report.unknown.append(client_id)
            self._desk.record_error(error, trade.id)
        except CountersignError as error:
            report.refused.append(f"{client_id}: {error.what}")
            self._desk.contradicted(error, trade.id)
        except StorageFault:
            report.cancelled.append(client_id)  # the venue did it; memory and disk follow when they are read again
        else:
            report.cancelled.append(client_id)

    async def _flatten(self, trade: Trade, stop: Order, report: StopReport) -> None:
        """Sell what the entry of `stop` bought. Each leg of a basket has its own stop, and is sold by its own order."""
        desk, entry, group = self._desk, trade.entry_of(stop), stop.request.group
        sales = [order for order in trade.orders.values() if order.role is Role.FLATTEN and order.live]
        under_way = any(sale.request.group == group for sale in sales)
        if entry is None or not stop.live or not entry.filled or under_way:
            return
        order = flatten_of(trade, stop.request, desk.clock.now_ms(), desk.terms.time_in_force_ms)
        task = self._pipeline.flatten(trade, order)
        await asyncio.wait({task})
        client_id = order.request.client_id
        if task.cancelled():
            report.unknown.append(client_id)  # memory was read again in the middle of it
        elif isinstance(error := task.result(), VenueRefused):
            report.refused.append(f"{client_id}: {error.what}")
        elif error is not None or order.state in {OrderState.PENDING, OrderState.UNKNOWN}:
            report.unknown.append(client_id)
        else:
            report.flattened.append(trade.intent.symbol)

    def _left_over(self, report: StopReport) -> None:
        """A position that no live exit covers has nothing to share its quantity with, and is not sold."""
        state = self._desk.state
        for holding in state.positions.open_holdings():
            covered = total([left for _, left in state.exit_groups(holding.module, holding.symbol)])
            if covered < holding.quantity:
                uncovered = to_text(sub(holding.quantity, covered))
                report.refused.append(f"{holding.symbol} {uncovered}: held by {holding.module} without a live exit.")
