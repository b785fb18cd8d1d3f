"""Client of the paper venue (`app.venues.base.Venue`), with the two calls that feed it its market.

Every call has a deadline. A connection that ends while an answer is due gives `VenueUnknown`; one that was not open
when the call began gives `VenueError` with nothing sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from app.errors import VenueError, VenueRefused, VenueUnknown
from app.market.events import MarketEvent
from app.money import from_text
from app.venues.base import (
    TERMINAL,
    Capabilities,
    OrderReport,
    OrderRequest,
    SignedText,
    VenueInfo,
)
from app.venues.paper_process import PaperProcess
from app.venues.paper_wire import (
    MOST_LINE_BYTES,
    PaperSettings,
    event_out,
    report_in,
    request_out,
    settings_out,
)

__all__ = ["PaperSettings", "PaperVenue"]

_DEADLINE_S: Final = 5.0


class PaperVenue:
    """One session with the paper venue.

    Args:
        process: started by `connect`, restarted when it died.
        settings: told at hello.
    """

    def __init__(self, process: PaperProcess, settings: PaperSettings, deadline_s: float = _DEADLINE_S) -> None:
        self._process = process
        self._settings = settings
        self._deadline_s = deadline_s
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._handler: Callable[[OrderReport], None] = lambda _: None
        self._live: set[str] = set()
        self._latest: dict[tuple[str, type], tuple[int, MarketEvent]] = {}
        self._unsent: dict[tuple[str, type], tuple[int, MarketEvent]] = {}
        self.position = 0
        """Number of the newest market event the venue has processed."""

    # -- the contract -------------------------------------------------------------------------------------------

    async def connect(self) -> VenueInfo:
        """Start the process unless it runs, open a session, fence the one before."""
        await self._drop()
        await self._process.start()
        try:
            async with asyncio.timeout(self._deadline_s):
                reader, self._writer = await asyncio.open_unix_connection(
                    self._process.socket_path, limit=MOST_LINE_BYTES * 4
                )
        except (OSError, TimeoutError) as error:
            raise VenueError("paper.connect", f"The paper venue can not be reached: {error}.") from error
        self._reading = asyncio.get_running_loop().create_task(self._read(reader))
        hello = await self._call({"op": "hello", "settings": settings_out(self._settings)})
        self.position = hello["position"]
        self._live = {report.client_id for report in await self.open_orders()}
        # A venue that was restarted has lost its books; it is shown the newest again and trades nothing on them.
        self._unsent = dict(self._latest)
        return VenueInfo(
            name="paper",
            capabilities=Capabilities(order_list=True, exits_rest=True, landing_horizon_ms=0),
            instruments=self._settings.instruments,
            taker_fee_bps=self._settings.taker_fee_bps,
            maker_fee_bps=self._settings.maker_fee_bps,
        )

    async def submit(
        self, orders: tuple[OrderRequest, ...], authorisation: SignedText | None
    ) -> tuple[OrderReport, ...]:
        """Place a list, all or none; idempotent by client id."""
        await self._flush()
        signed = None
        if authorisation is not None:
            signed = [authorisation.text, authorisation.signature.hex(), authorisation.address]
        request = {"op": "submit", "orders": [request_out(order) for order in orders], "authorisation": signed}
        # Marked live before it is sent: from now on the venue must see every market event.
        self._live.update(order.client_id for order in orders)
        return tuple(self._take(report_in(report)) for report in await self._call(request))

    async def cancel(self, client_id: str) -> OrderReport:
        """Cancel what is unfilled."""
        (report,) = await self._call({"op": "cancel", "client_id": client_id})
        return self._take(report_in(report))

    async def order(self, client_id: str) -> OrderReport | None:
        """Look up; None: not found in open orders nor in history."""
        report = await self._call({"op": "order", "client_id": client_id})
        return None if report is None else self._take(report_in(report))

    async def open_orders(self) -> tuple[OrderReport, ...]:
        """Everything that rests or sleeps."""
        return tuple(report_in(report) for report in await self._call({"op": "open_orders"}))

    async def balances(self) -> dict[str, Decimal]:
        """Total per asset."""
        return {asset: from_text(amount) for asset, amount in (await self._call({"op": "balances"})).items()}

    def subscribe(self, handler: Callable[[OrderReport], None]) -> None:
        """Reports of changes that no call of ours returned."""
        self._handler = handler

    async def close(self) -> None:
        """End the session and the process; resting orders stay in its database."""
        if self._writer is not None:
            try:
                await self._call({"op": "bye"})
            except VenueError:
                pass  # it is gone already
        await self._drop()

    # -- the market ---------------------------------------------------------------------------------------------

    async def market(self, event: MarketEvent, position: int) -> None:
        """Show the venue the market; returns when everything it caused was handed to the subscriber.

        While no order of ours is live nothing can happen, so only the newest event of each kind is kept, and sent
        before the next call that could be affected.
        """
        key = (event.symbol, type(event))
        self._latest[key] = self._unsent[key] = (position, event)
        if self._live:
            await self._flush()

    async def _flush(self) -> None:
        if not self._unsent:
            return
        batch = sorted(self._unsent.values(), key=lambda each: each[0])
        self._unsent = {}
        await self._call({"op": "market", "events": [[position, event_out(event)] for position, event in batch]})
        self.position = max(self.position, batch[-1][0])

    # -- the wire -----------------------------------------------------------------------------------------------

    async def _call(self, request: dict[str, Any]) -> Any:
        writer = self._writer
        if writer is None or writer.is_closing():
            raise VenueError("paper.closed", "There is no connection to the paper venue. Nothing was sent.")
        self._number += 1
        number = self._number
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._replies[number] = future
        try:
            writer.write(json.dumps({"id": number, **request}).encode() + b"\n")
            async with asyncio.timeout(self._deadline_s):
                answer = await future
        except TimeoutError:
            await self._drop()
            raise VenueUnknown("paper.silent", f"The paper venue did not answer {request['op']} in time.") from None
        finally:
            self._replies.pop(number, None)
        if "error" in answer:
            raise VenueRefused(
                f"paper.{answer['error']['code']}", f"The paper venue refused: {answer['error']['what']}"
            )
        return answer["ok"]

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Reports and replies in the order the venue wrote them: a report is handled before the reply it precedes."""
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if "report" in message:
                    self._handler(self._take(report_in(message["report"])))
                elif (future := self._replies.get(message["id"])) is not None and not future.done():
                    future.set_result(message)
        except (OSError, ValueError) as error:
            self._lose(f"the connection failed: {error}")
        else:
            self._lose("the venue closed the connection")

    def _lose(self, why: str) -> None:
        if self._writer is not None:
            self._writer.close()
        for future in self._replies.values():
            if not future.done():
                future.set_exception(VenueUnknown("paper.lost", f"The paper venue's answer was lost: {why}."))

    def _take(self, report: OrderReport) -> OrderReport:
        if report.state in TERMINAL:
            self._live.discard(report.client_id)
        else:
            self._live.add(report.client_id)
        return report

    async def _drop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._lose("the session was closed")
