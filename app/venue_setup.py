"""How a session comes to its venue: what must be started, what the ledger begins with, in which form trades are signed.
One for each kind of venue; `Session` knows no other difference between them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from app import paths
from app.accounts import Account
from app.config.schema import Settings
from app.execution.desk import Desk
from app.execution.preparation import Preparation
from app.execution.prepare import TextPreparation
from app.execution.reconcile import Check
from app.execution.recovery import Recovery
from app.market.events import MarketEvent
from app.session_plan import SessionPlan
from app.venues.base import OrderRequest, Reading, Venue, VenueInfo
from app.venues.paper import PaperSettings, PaperVenue
from app.venues.paper_process import PaperProcess

Owner = Callable[[], Awaitable[Account]]
"""Asks, once, for the account whose device signs; a first start with a hardware wallet waits here for its person."""


class Ours:
    """What a venue may ask of our own record, once the session has one."""

    def __init__(self) -> None:
        self.desk: Desk | None = None
        self.recovery: Recovery | None = None

    def order(self, client_id: str) -> tuple[OrderRequest, bytes] | None:
        """Our own order of a client id and, of a transaction, its unsigned bytes; None where it is not ours."""
        found = None if self.desk is None else self.desk.state.find_order(client_id)
        if found is None:
            return None
        trade, order = found
        payload = next((each for each in trade.payloads if order in trade.orders_of(each)), None)
        return None if payload is None else (order.request, payload.body)

    def recent(self, since_ms: int) -> list[tuple[str, str]]:
        """Transactions that a block had since then, and that block, ``number/hash``: it may be undone."""
        if self.desk is None:
            return []
        sql = "SELECT client_id, venue_order_id FROM orders WHERE venue_order_id LIKE '%/0x%' AND updated_ms >= ?"
        rows = self.desk.state.reader.rows(sql, (since_ms,))
        return [(row["client_id"], row["venue_order_id"]) for row in rows]

    def missing(self, client_id: str) -> None:
        """A transaction that was sent is in no block and no pool any more."""
        if self.recovery is not None:
            self.recovery.missing(client_id)


@dataclass(frozen=True, slots=True)
class Running:
    """The venue's part of the health of a session: what it is called, whether it is there, and how it is."""

    name: str
    well: bool
    words: str


class VenueSetup(Protocol):
    """One session's way to its venue."""

    @property
    def name(self) -> str:
        """The venue's: of its account in the ledger, and in what is signed."""
        ...

    @property
    def venue(self) -> Venue:
        """There once `connect` has returned."""
        ...

    async def connect(self, owner: Owner, ours: Ours) -> VenueInfo:
        """Start what must run, and open the venue.

        Raises:
            VenueError: it is not there.
        """
        ...

    async def opening(self) -> Reading:
        """What the account has when its ledger begins; on a chain with what it has nothing of."""
        ...

    async def settle(self, ours: Ours) -> None:
        """What was final enough to book and may have changed while nobody looked; before the first reconciliation.

        Raises:
            VenueError: it does not answer.
        """
        ...

    def preparation(self, desk: Desk) -> Preparation:
        """The form in which trades are signed."""
        ...

    def checks(self) -> tuple[Check, ...]:
        """What else of the account is compared with the ledger."""
        ...

    def listen(self, wanted: Callable[[type], bool]) -> None:
        """From now on tell, through the market's source, what modules want to hear of the venue beside its market.

        Args:
            wanted: whether anybody listens to messages of a type now.
        """
        ...

    async def market(self, event: MarketEvent, position: int) -> None:
        """The venue sees the market before the modules do, where it has no market of its own.

        Raises:
            VenueError: it is not there any more.
        """
        ...

    def running(self) -> Running:
        """For health."""
        ...

    async def close(self) -> None:
        """End what was started. What rests at the venue rests there."""
        ...


class PaperSetup:
    """The paper venue in a process of its own."""

    name = "paper"

    def __init__(self, plan: SessionPlan, settings: Settings) -> None:
        self._plan, self._settings = plan, settings
        paths.open_socket_dir(paths.venue_socket_path(plan.db))
        self.process = PaperProcess(paths.venue_db(plan.db), paths.venue_socket_path(plan.db))
        self.venue = PaperVenue(self.process, self._terms())

    async def connect(self, owner: Owner, ours: Ours) -> VenueInfo:  # noqa: ARG002 -- it has an account by itself
        """Start the process and open the session with it."""
        return await self.venue.connect()

    async def opening(self) -> Reading:
        """The paper cash of each quote asset."""
        return Reading(self._cash())

    async def settle(self, ours: Ours) -> None:
        """Nothing."""

    def preparation(self, desk: Desk) -> Preparation:
        """An authorisation in words."""
        return TextPreparation(desk)

    def checks(self) -> tuple[Check, ...]:
        """Balances and orders are all that there is."""
        return ()

    def listen(self, wanted: Callable[[type], bool]) -> None:
        """It has nothing to tell."""

    async def market(self, event: MarketEvent, position: int) -> None:
        """It matches against what it is shown."""
        await self.venue.market(event, position)

    def running(self) -> Running:
        """Its process and the connection to it."""
        pid, connected = self.process.pid, self.venue.connected
        words = "not running" if pid is None else f"pid {pid}" + ("" if connected else ", no connection")
        return Running("paper venue", pid is not None and connected, words)

    async def close(self) -> None:
        """The connection first."""
        await self.venue.close()
        await self.process.stop()

    def _cash(self) -> Mapping[str, Decimal]:
        paper = self._settings.paper
        quotes = sorted({instrument.quote for instrument in self._plan.instruments})
        return {asset: paper.cash.get(asset, paper.cash_per_quote) for asset in quotes}

    def _terms(self) -> PaperSettings:
        paper, market = self._settings.paper, self._settings.market
        return PaperSettings(
            instruments=self._plan.instruments,
            cash=dict(self._cash()),
            taker_fee_bps=paper.taker_fee_bps,
            maker_fee_bps=paper.maker_fee_bps,
            spread_bps=market.spread_bps,
            depth_share=market.depth_share,
            levels=market.levels,
        )
