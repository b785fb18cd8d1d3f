"""A session on the real paper venue, its market moved by hand, and what must hold at every step of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from app import paths
from app.config.load import load as load_config
from app.engine.intents import IntentMaker
from app.errors import VenueError
from app.execution.preview import fee_bound
from app.execution.records import Trade
from app.execution.states import IN_FLIGHT, TradeState
from app.execution.transition import Transition
from app.execution.verify import verify
from app.ids import intent_id
from app.market.events import MarketEvent, event_time
from app.market.pace import step_to
from app.session import Session
from app.session_plan import SessionPlan
from app.venue_setup import PaperSetup
from app.venues.base import OrderReport, OrderRequest, SignedText
from app.venues.paper import PaperVenue
from app.venues.paper_process import PaperProcess
from storage.faults import StorageFault
from storage.journal import read_mirror
from storage.writer import Commit
from strategies.model import Bar, Book, Exits, Instrument, Intent, Side
from tests.execution.memory import assert_memory_is_disk
from tests.execution.person import PersonClock, read_first

START = 1_600_000_000_000
ETH = Instrument("ETH-USDT", "ETH", "USDT", Decimal("0.01"), Decimal("0.001"))
BTC = Instrument("BTC-USDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"))
ETH_BTC = Instrument("ETH-BTC", "ETH", "BTC", Decimal("0.00001"), Decimal("0.001"))

_RECONNECTS = 5
WIDE = {
    "risk.position": "1000000",
    "risk.position_pct": "100",
    "risk.exposure": "10000000",
    "risk.asset_exposure": "10000000",
    "risk.venue_exposure": "10000000",
    "risk.correlated_exposure": "10000000",
    "risk.open_positions": "100",
    "risk.daily_loss": "1000000",
    "risk.daily_loss_pct": "100",
    "risk.drawdown_pct": "100",
    "risk.trades_per_day": "100000",
    "risk.losses_in_row": "1000",
    "risk.errors": "100000",
    "risk.spread_bps": "10000",
    "risk.volatility_pct": "100000",
    "risk.cool_down_min": "0",
    "risk.slippage_bps": "100",
    "risk.adaptive": "false",
    "trade.slippage_bps": "100",
    "capital.total": "10000000",
    "modules.mean_reversion.enabled": "false",
    "modules.momentum.allocation": "1000000",
    "manual.allocation": "0",
    "fatigue.confirmations": "100000",
    "fatigue.large_value": "1000000000",
}
"""Limits that nothing here meets; a test narrows the one it is about."""


class Rig:
    """One session. Use `rig` to open it."""

    def __init__(self, session: Session, told: list[tuple[str, TradeState]], worse: list[Trade]) -> None:
        self.session = session
        self.told = told
        """Each trade's states in the order in which screens heard of them."""
        self.worse = worse
        self.person = PersonClock()
        self.position = 0
        self.full = False
        self.gone = False
        self._numbers = itertools.count(1)

    @property
    def desk(self) -> Any:
        return self.session.desk

    @property
    def pipeline(self) -> Any:
        return self.session.pipeline

    @property
    def setup(self) -> PaperSetup:
        assert isinstance(self.session.setup, PaperSetup)
        return self.session.setup

    @property
    def venue(self) -> PaperVenue:
        return self.setup.venue

    @property
    def process(self) -> PaperProcess:
        return self.setup.process

    # -- the market -------------------------------------------------------------------------------------------------

    async def feed(self, event: MarketEvent) -> None:
        """What the trader does with an event, a venue that died included."""
        session, now = self.session, event_time(event)
        await step_to(session.clock, now - 1, self.settle)
        session.clock.advance(now)
        self.position += 1
        session.desk.cursor = (session.plan.source_id, self.position, now)
        session.desk.market.apply(event, session.synthetic)
        session.desk.follow_missed(event)
        for attempt in range(_RECONNECTS):
            try:
                if attempt:
                    await self.venue.connect()
                    await session.recovery.resume(session.pipeline)
                await self.venue.market(event, self.position)
                break
            except VenueError:  # also where who looks for a lost answer has connected anew meanwhile
                if attempt == _RECONNECTS - 1:
                    raise
        await self.settle()
        if type(event) is Bar:
            session.desk.observe(event)
            await self.settle()

    async def book(
        self, bid: str, ask: str, size: str = "1000", *, symbol: str = "ETH-USDT", after_ms: int = 1000
    ) -> None:
        """A book of one level on each side."""
        now, amount = self.now + after_ms, Decimal(size)
        await self.feed(Book(symbol, now, ((Decimal(bid), amount),), ((Decimal(ask), amount),)))

    async def advance(self, ms: int) -> None:
        """Time passes and no market moves."""
        to = self.now + ms
        await step_to(self.session.clock, to, self.settle)
        self.session.clock.advance(to)
        await self.settle()

    async def cut_off(self) -> None:
        """The session ends in the middle of what it does."""
        await self.session.close("cut off")
        self.gone = True

    async def settle(self) -> None:
        """Until nothing is in progress and every record of it is on disk."""
        await self.desk.activity.settle()
        with suppress(StorageFault):
            await self.session.writer.submit(Commit(self.now, ""))

    @property
    def now(self) -> int:
        return int(self.session.clock.now_ms())

    # -- trades -----------------------------------------------------------------------------------------------------

    def intent(
        self,
        side: Side = Side.BUY,
        quantity: str = "1",
        worst: str = "100.5",
        *,
        module: str = "m",
        symbol: str = "ETH-USDT",
        stop: str | None = "90",
        target: str | None = "120",
        max_fee: str | None = None,
        expires_in_ms: int = 600_000,
    ) -> Intent:
        amount, price = Decimal(quantity), Decimal(worst)
        dearest = IntentMaker.dearest(side, price)
        fee = fee_bound(amount, dearest, self.desk.venue_info.highest_fee_bps) if max_fee is None else Decimal(max_fee)
        exits = None
        if side is Side.BUY and stop is not None:
            exits = Exits(Decimal(stop), None if target is None else Decimal(target))
        number = next(self._numbers)
        return Intent(
            id=intent_id(self.session.run, module, number),
            module=module,
            symbol=symbol,
            side=side,
            quantity=amount,
            worst_price=price,
            max_fee=fee,
            exits=exits,
            reason=f"test {number}",
            created_ms=self.now,
            expires_ms=self.now + expires_in_ms,
            config_version=1,
            reduce_only=side is Side.SELL,
        )

    async def trade(self, **terms: Any) -> Trade:
        """Propose and settle; the trade must have been admitted."""
        trade = self.pipeline.propose(self.intent(**terms))
        assert trade is not None, self.desk.counters.by_rule
        await self.settle()
        return trade  # type: ignore[no-any-return]  # the session is created in open()

    async def finished(self, trade: Trade) -> None:
        """Until the pipeline has nothing more to do on it, the device's thread included."""
        while tasks := self.pipeline.work.of(trade.id):
            await asyncio.wait(tasks)
        await self.settle()

    async def close_position(self, quantity: str, worst: str = "99.5", **terms: Any) -> Trade:
        return await self.trade(side=Side.SELL, quantity=quantity, worst=worst, **terms)

    def states(self, trade: Trade) -> list[str]:
        return [state.value for trade_id, state in self.told if trade_id == trade.id]

    # -- records ----------------------------------------------------------------------------------------------------

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Our database as another process sees it."""
        return self.session.reader.rows(sql, parameters)

    def journal(self, trade: Trade) -> list[str]:
        rows = self.rows("SELECT kind FROM journal WHERE subject = ? ORDER BY seq", trade.id)
        return [row["kind"] for row in rows]

    def stored(self, trade: Trade) -> dict[str, Any]:
        (row,) = self.rows("SELECT * FROM trades WHERE id = ?", trade.id)
        return row

    def hold(self, trade: Trade) -> tuple[str, str]:
        (row,) = self.rows("SELECT remaining, state FROM reservations WHERE trade_id = ?", trade.id)
        return row["remaining"], row["state"]

    def order_states(self, trade: Trade) -> dict[str, str]:
        rows = self.rows("SELECT role, state FROM orders WHERE trade_id = ? ORDER BY rowid", trade.id)
        return {row["role"]: row["state"] for row in rows}

    def held(self, symbol: str = "ETH-USDT", module: str = "m") -> Decimal:
        holding: Decimal = self.desk.state.positions.holding(module, symbol).quantity
        return holding

    def venue_rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return venue_rows(self.session.plan.db, sql, *parameters)

    def sent(self) -> list[list[str]]:
        """Client ids of each submission the venue recorded."""
        bodies = self.venue_rows("SELECT body FROM requests WHERE op = 'submit' ORDER BY id")
        return [[order[0] for order in json.loads(body)["orders"]] for (body,) in bodies]

    def alerts(self) -> list[str]:
        return [row["kind"] for row in self.rows("SELECT kind FROM alerts ORDER BY id")]

    # -- faults -----------------------------------------------------------------------------------------------------

    def kill_venue(self) -> None:
        pid = self.process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def stop_listening(self) -> None:
        """What the venue answers from now on does not arrive, and is not waited for long."""
        link = self.venue._link
        assert link is not None
        transport: Any = link.transport
        transport.pause_reading()
        impatient(self.venue)

    def fill_disk(self) -> None:
        """From now on the database can not grow, and every transition needs it to: SQLITE_FULL."""
        self.full = True
        self._limit(1)

    def free_disk(self) -> None:
        """Space again."""
        self.full = False
        self._limit(2**31 - 2)

    def _limit(self, pages: int) -> None:
        # on the writer's own connection, between two of its transactions
        self.session.writer._queue.put(lambda: self._pragma(pages))

    def _pragma(self, pages: int) -> None:
        self.session.database.connection.execute(f"PRAGMA max_page_count={pages}").fetchone()

    def watch_commits(self, before: Callable[[str], None] | None = None) -> None:
        """`before` is told each transition's kind. While the disk is full, each needs pages that there are not."""
        commit = self.desk.commit

        def watched(transition: Transition, kind: str, subject: str) -> asyncio.Future[int]:
            if before is not None:
                before(kind)
            if self.full:
                transition.record("INSERT OR REPLACE INTO meta VALUES ('pad', ?)", ("x" * 200_000,))
            return commit(transition, kind, subject)  # type: ignore[no-any-return]  # the session is made in open()

        self.desk.commit = watched

    async def rebuilt(self) -> None:
        """Until memory has been read again from disk."""
        if self.session._rebuilding is not None:
            await self.session._rebuilding
        await self.settle()

    # -- what must hold -----------------------------------------------------------------------------------------------

    def assert_sound(self) -> None:
        """Nothing overdrawn, nothing left over, and memory is what disk says."""
        assert_memory_is_disk(self.session)
        state = self.desk.state
        for asset in {*state.purse.balances(), *(hold.asset for hold in state.purse.holds.values())}:
            assert state.purse.available(asset) >= 0, (asset, state.purse.available(asset))
        for trade_id in state.purse.holds:
            assert state.trades[trade_id].state in IN_FLIGHT
        findings = list(verify(self.session.reader, read_mirror(self.session.plan.db)))
        assert findings == []

    def assert_agrees_with_venue(self) -> None:
        """To the last digit: balances, fills, and every order the venue ever accepted."""
        db = self.session.plan.db
        theirs = {asset: amount for asset, amount in venue_rows(db, "SELECT * FROM balances") if amount != "0"}
        ours = {
            row["asset"]: row["amount"]
            for row in self.rows("SELECT asset, amount FROM balances WHERE account = 'assets:paper'")
            if row["amount"] != "0"
        }
        assert theirs == ours
        columns = "fill_id, client_id, symbol, side, price, quantity, fee, fee_asset, ts_ms"
        our_fills = [tuple(row.values()) for row in self.rows(f"SELECT {columns} FROM fills ORDER BY fill_id")]
        assert venue_rows(db, f"SELECT {columns} FROM fills ORDER BY fill_id") == our_fills
        our_orders = {row["client_id"]: (row["state"], row["filled"]) for row in self.rows("SELECT * FROM orders")}
        for client_id, *found in venue_rows(db, "SELECT client_id, state, filled FROM orders"):
            assert our_orders[client_id] == tuple(found), client_id
        flat = list(itertools.chain.from_iterable(self.sent()))
        assert len(flat) == len(set(flat)), "something was sent twice"


def impatient(venue: Any, deadline_s: float = 0.3) -> None:
    """Its answers, which will not come, are not waited for long; those on its next connection have their time again."""
    usual, connect = venue._deadline_s, venue.connect

    async def again() -> Any:
        venue._deadline_s, venue.connect = usual, connect
        return await connect()

    venue._deadline_s, venue.connect = deadline_s, again


def venue_rows(db: Path, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """The venue's own record, read beside it."""
    with closing(sqlite3.connect(f"{paths.venue_db(db).as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, parameters).fetchall()


def plan_of(
    folder: Path,
    *,
    instruments: tuple[Instrument, ...] = (ETH,),
    auto_confirm: bool = True,
    lockstep: bool = True,
    settings: Mapping[str, str] | None = None,
) -> SessionPlan:
    config = folder / "config.toml"
    config.touch()
    overrides = {**WIDE, **(settings or {})}
    return SessionPlan(
        db=folder / "a.db",
        loaded=load_config(config, {}, overrides),
        source_id="test",
        instruments=instruments,
        start_ms=START,
        auto_confirm=auto_confirm,
        lockstep=lockstep,
    )


@asynccontextmanager
async def rig(
    folder: Path, *, market: bool = True, careful: bool = True, person: PersonClock | None = None, **options: Any
) -> AsyncIterator[Rig]:
    """An open session; `market`: ETH-USDT was seen at 99.90 / 100.00; `careful`: its trader reads before confirming, on
    a clock of their own. The same folder opened again is a restart."""
    told: list[tuple[str, TradeState]] = []
    worse: list[Trade] = []
    session = Session(plan_of(folder, **options), lambda trade: told.append((trade.id, trade.state)), worse.append)
    person = person or PersonClock()
    session.wall = person
    await session.open()
    if careful:
        read_first(session, person)
    made = Rig(session, told, worse)
    made.person = person
    made.position = made.venue.position
    try:
        if market:
            await made.book("99.90", "100.00", after_ms=1)
        yield made
        if not made.gone:
            await made.settle()
        assert not session.desk.halted.startswith("a fault in the pipeline"), session.desk.halted
    finally:
        await session.close("test ended")


class Between:
    """Stands between pipeline and venue, so that a test can act right before or right after a submission."""

    def __init__(self, rig: Rig) -> None:
        self._submit = rig.desk.venue.submit
        rig.desk.venue.submit = self
        self.before: list[Any] = []
        self.after: list[Any] = []
        self.calls: list[tuple[OrderRequest, ...]] = []

    async def __call__(
        self, orders: tuple[OrderRequest, ...], authorisation: SignedText | None
    ) -> tuple[OrderReport, ...]:
        self.calls.append(orders)
        for act in self.before:
            await act()
        reports: tuple[OrderReport, ...] = await self._submit(orders, authorisation)
        for act in self.after:
            await act(reports)
        return reports
