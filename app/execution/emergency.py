"""The emergency stop's second half. The flag is on disk already; now open entries are cancelled, unsent bytes dropped,
protective exits and reduce-only orders kept. Flattening sells what is held, sharing the exits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from app.errors import Severity, VenueError, VenueRefused
from app.execution.desk import Desk
from app.execution.orders import flatten_of
from app.execution.pipeline import Pipeline
from app.execution.records import Order, Role, Trade
from app.venues.base import OrderState


@dataclass(slots=True)
class StopReport:
    """What the stop did."""

    cancelled: list[str] = field(default_factory=list)
    kept_exits: int = 0
    flattened: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What the venue definitely refused, with its words."""


class Emergency:
    """Acts on a stop that is already in force."""

    def __init__(self, desk: Desk, pipeline: Pipeline) -> None:
        self._desk = desk
        self._pipeline = pipeline

    async def act(self, *, flatten: bool) -> StopReport:
        """Cancel, drop, keep; repeating it does no harm.

        The flag must have been created before. What the venue does not answer is listed as unknown, never as done.
        """
        desk, report = self._desk, StopReport()
        assert desk.stop.raised()
        self._pipeline.proposals.stop_all("The emergency stop.")
        for trade in self._trades():
            entry = trade.orders.get(Role.ENTRY)
            if entry is not None and entry.live and entry.state is not OrderState.PENDING:
                await self._cancel(trade, entry, report)
            report.kept_exits += sum(1 for o in trade.orders.values() if o.live and o.request.reduce_only)
        if flatten:
            for trade in self._trades():
                await self._flatten(trade, report)
        text = (
            f"Emergency stop: {len(report.cancelled)} entries cancelled, {report.kept_exits} exits kept, "
            f"{len(report.flattened)} positions sold, {len(report.unknown)} unanswered."
        )
        desk.alert(Severity.CRITICAL, "stop", text)
        transition = desk.transition()
        transition.change("stop", "in_force", text)
        await desk.commit(transition, "stop.emergency", "")
        return report

    def _trades(self) -> Iterator[Trade]:
        """Each trade as it is when its turn comes: memory may be read again from disk between two of them."""
        for trade_id in list(self._desk.state.trades):
            if (trade := self._desk.state.trades.get(trade_id)) is not None:
                yield trade

    async def _cancel(self, trade: Trade, order: Order, report: StopReport) -> None:
        try:
            await self._pipeline.cancel_order(order)
        except VenueRefused as error:
            report.refused.append(f"{order.request.client_id}: {error.what}")
            self._desk.record_error(error, trade.id)
        except VenueError as error:
            report.unknown.append(order.request.client_id)
            self._desk.record_error(error, trade.id)
        else:
            report.cancelled.append(order.request.client_id)

    async def _flatten(self, trade: Trade, report: StopReport) -> None:
        desk, stop, entry = self._desk, trade.orders.get(Role.STOP), trade.orders.get(Role.ENTRY)
        under_way = any(order.role is Role.FLATTEN and order.live for order in trade.orders.values())
        if entry is None or stop is None or not stop.live or not entry.filled or under_way:
            return
        order = flatten_of(trade, stop.request, desk.clock.now_ms(), desk.terms.time_in_force_ms)
        try:
            await self._pipeline.flatten(trade, order)
        except VenueRefused as error:
            report.refused.append(f"{order.request.client_id}: {error.what}")
            desk.record_error(error, trade.id)
        except VenueError as error:
            report.unknown.append(order.request.client_id)
            desk.record_error(error, trade.id)
        else:
            report.flattened.append(trade.intent.symbol)
