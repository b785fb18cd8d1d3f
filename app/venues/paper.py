"""Client of the paper venue (`app.venues.base.Venue`), with the two calls that feed it its market.

Every call has a deadline. A connection that ends while an answer is due gives `VenueUnknown`; one that was not open
when the call began gives `VenueError` with nothing sent. The connection is an `asyncio.Protocol`, not a pair of
streams: a market event with a live order is one round trip, and streams add a third to it.
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
    Reading,
    Signed,
    SignedTransaction,
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
from strategies.model import Book

__all__ = ["PaperSettings", "PaperVenue"]

_DEADLINE_S: Final = 5.0
_BATCH_BYTES: Final = MOST_LINE_BYTES // 2


class _Link(asyncio.Protocol):
    """One connection: whole lines go to `on_line` in the order the venue wrote them."""

    def __init__(self, on_line: Callable[[bytes], None], on_lost: Callable[[_Link, str], None]) -> None:
        self._on_line = on_line
        self._on_lost = on_lost
        self._unread = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._on_line(line)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost(self, "the venue closed the connection" if exc is None else f"the connection failed: {exc}")

    @property
    def writable(self) -> bool:
        """Whether bytes can still be handed over."""
        return self.transport is not None and not self.transport.is_closing()


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
        self._link: _Link | None = None
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._connecting = asyncio.Lock()
        self._handler: Callable[[OrderReport], None] = lambda _: None
        self._live: set[str] = set()
        self._latest: dict[tuple[str, type], tuple[int, MarketEvent]] = {}
        self._unsent: dict[tuple[str, type], tuple[int, MarketEvent]] = {}
        self.position = 0
        """Number of the newest market event the venue has processed."""

    # -- the contract -------------------------------------------------------------------------------------------

    async def connect(self) -> VenueInfo:
        """Start the process unless it runs, open a session, fence the one before.

        A process that was killed may not be seen as dead yet, and one that hangs answers nothing: either is ended and
        started once more. Its database says what was done.

        Raises:
            VenueError: it does not start, or refuses the settings.
        """
        async with self._connecting:
            self._drop()
            try:
                hello = await self._open()
            except (VenueUnknown, OSError):
                self._drop()
                await self._process.stop()
                hello = await self._open_again()
            self.position = hello["position"]
            self._live = {report.client_id for report in await self.open_orders()}
            # A venue that was restarted is shown its market again, so that it knows there is one.
            self._unsent = dict(self._latest)
        return VenueInfo(
            name="paper",
            capabilities=Capabilities(order_list=True, baskets=True, exits_rest=True, landing_horizon_ms=0),
            instruments=self._settings.instruments,
            taker_fee_bps=self._settings.taker_fee_bps,
            maker_fee_bps=self._settings.maker_fee_bps,
        )

    async def _open_again(self) -> Any:
        try:
            return await self._open()
        except (VenueUnknown, OSError) as error:
            self._drop()
            raise VenueError("paper.connect", f"The paper venue can not be reached: {error}.") from error

    async def _open(self) -> Any:
        await self._process.start()
        async with asyncio.timeout(self._deadline_s):
            _, self._link = await asyncio.get_running_loop().create_unix_connection(
                lambda: _Link(self._on_line, self._on_lost), str(self._process.socket_path)
            )
        return await self._call({"op": "hello", "settings": settings_out(self._settings)})

    @property
    def connected(self) -> bool:
        """Requests can be sent."""
        return self._link is not None and self._link.writable

    async def ready(self) -> None:
        """Show the market that was kept back; again when events came meanwhile."""
        while self._unsent:
            await self._flush()

    async def submit(self, orders: tuple[OrderRequest, ...], authorisation: Signed | None) -> tuple[OrderReport, ...]:
        """Place a list, all or none; idempotent by client id."""
        if isinstance(authorisation, SignedTransaction):
            raise VenueRefused("paper.transaction", "The paper venue takes orders, no transactions.")
        await self.ready()
        signed = None
        if authorisation is not None:
            signed = [authorisation.text, authorisation.signature.hex(), authorisation.address]
        request = {"op": "submit", "orders": [request_out(order) for order in orders], "authorisation": signed}
        # Marked live before it is sent: from now on the venue must see every market event.
        new = {order.client_id for order in orders} - self._live
        self._live |= new
        try:
            reports = await self._call(request)
        except VenueUnknown:
            raise
        except VenueError:
            self._live -= new
            raise
        return tuple(self._take(report_in(report)) for report in reports)

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

    async def reading(self, *, sure: bool = False) -> Reading:  # noqa: ARG002 -- there is one venue to ask
        """The balances: a report is handled before the reply it precedes."""
        return Reading(await self.balances())

    def subscribe(self, handler: Callable[[OrderReport], None]) -> None:
        """Reports of changes that no call of ours returned."""
        self._handler = handler

    async def close(self) -> None:
        """End the session and the process; resting orders stay in its database."""
        if self._link is not None:
            try:
                await self._call({"op": "bye"})
            except VenueError:
                pass  # it is gone already
        self._drop()

    # -- the market ---------------------------------------------------------------------------------------------

    async def market(self, event: MarketEvent, position: int) -> None:
        """Show the venue the market; returns when everything it caused was handed to the subscriber.

        While no order of ours is live nothing can happen, so only the newest event of each kind is kept, and sent
        before the next call that could be affected.

        Raises:
            VenueError: the connection is gone; noticed here, before a trade needs it.
        """
        key = (event.symbol, type(event))
        self._latest[key] = self._unsent[key] = (position, event)
        if self._link is None or not self._link.writable:
            raise VenueError(
                "paper.closed", "The connection to the paper venue is gone.", next_step="Nothing was sent."
            )
        if self._live:
            await self._flush()

    async def _flush(self) -> None:
        """Send what was kept back, in lines well below the limit; a deep book alone may have 30 kB."""
        pending = sorted(self._unsent.values(), key=lambda each: each[0])
        self._unsent = {}
        batch: list[list[Any]] = []
        size = 0
        for position, event in pending:
            line = [position, event_out(event)]
            batch.append(line)
            size += 100 + (50 * (len(event.bids) + len(event.asks)) if isinstance(event, Book) else 0)
            if size > _BATCH_BYTES:
                await self._call({"op": "market", "events": batch})
                batch, size = [], 0
        if batch:
            await self._call({"op": "market", "events": batch})
        if pending:
            self.position = max(self.position, pending[-1][0])

    # -- the wire -----------------------------------------------------------------------------------------------

    async def _call(self, request: dict[str, Any]) -> Any:
        link = self._link
        if link is None or not link.writable:
            raise VenueError(
                "paper.closed", "There is no connection to the paper venue.", next_step="Nothing was sent."
            )
        assert link.transport is not None
        self._number += 1
        number, loop = self._number, asyncio.get_running_loop()
        future: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._replies[number] = future
        late = loop.call_later(self._deadline_s, self._late, future, request["op"])
        try:
            link.transport.write(json.dumps({"id": number, **request}).encode() + b"\n")
            answer = await future
        finally:
            late.cancel()
            self._replies.pop(number, None)
        if "error" in answer:
            raise VenueRefused(
                f"paper.{answer['error']['code']}", f"The paper venue refused: {answer['error']['what']}"
            )
        return answer["ok"]

    def _late(self, future: asyncio.Future[dict[str, Any]], op: str) -> None:
        """After one lost answer nothing that comes on this connection can be trusted to be in step: it ends."""
        if not future.done():
            future.set_exception(VenueUnknown("paper.silent", f"The paper venue did not answer {op} in time."))
        self._drop()

    def _on_line(self, line: bytes) -> None:
        """A report is handled before the reply it precedes."""
        message = json.loads(line)
        if "report" in message:
            self._handler(self._take(report_in(message["report"])))
        elif (future := self._replies.get(message["id"])) is not None and not future.done():
            future.set_result(message)

    def _on_lost(self, link: _Link, why: str) -> None:
        if link is self._link:
            self._lose(why)

    def _lose(self, why: str) -> None:
        for future in self._replies.values():
            if not future.done():
                future.set_exception(VenueUnknown("paper.lost", f"The paper venue's answer was lost: {why}."))

    def _take(self, report: OrderReport) -> OrderReport:
        if report.state in TERMINAL:
            self._live.discard(report.client_id)
        else:
            self._live.add(report.client_id)
        return report

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None and link.transport is not None:
            link.transport.abort()
        self._lose("the session was closed")
