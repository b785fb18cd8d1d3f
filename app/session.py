"""One trading session on one database: everything wired, nothing running yet. The trader runs it; `stop --emergency`
uses it without a trader, through the same pipeline."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app import __version__, logs, paths
from app.accounts import Account, accounts
from app.config.tree import version_digest
from app.config_journal import ConfigJournal
from app.devices import Devices
from app.engine.clock import Clock, MarketClock, WallClock
from app.errors import ClockError, CountersignError, SafetyError, VenueError
from app.execution.adjustments import post_opening
from app.execution.desk import Desk
from app.execution.emergency import Emergency, StopReport
from app.execution.pipeline import Pipeline
from app.execution.records import Order, Role, Trade
from app.execution.recovery import Recovery
from app.execution.settlement import Settlement
from app.execution.standing import StandingExits
from app.execution.state import load
from app.execution.stop_flag import StopFlag
from app.ids import run_id
from app.live_rules import rules_of
from app.market.state import MarketState
from app.market.synthetic import SyntheticSettings
from app.money import from_text
from app.portfolio.equity import EquityCurve
from app.portfolio.valuation import Valuation
from app.session_plan import SessionPlan, instruments_to_text
from app.session_terms import terms_of
from app.venue_setup import Ours, PaperSetup, VenueSetup
from app.venues.base import OrderReport, Venue
from app.wallets import record, registration
from signers.payloads import Chain
from storage.database import Reader, TraderDatabase, connect, open_for_trading
from storage.faults import StorageFault, fault_of
from storage.writer import Writer

_log = logs.get(__name__)

_REBUILD_PAUSES_S = (0.0, 0.1, 0.3, 0.6, 1.0)
"""Before each attempt to read memory again from disk; together below the three seconds a shutdown may take."""


class Session:
    """Open with `open`, close with `close`; between them `desk`, `pipeline`, `recovery` and `emergency` are live."""

    def __init__(
        self,
        plan: SessionPlan,
        on_progress: Callable[[Trade], None],
        on_worse: Callable[[Trade], None],
        on_exit: Callable[[Trade, Order], None] = lambda _trade, _order: None,
        on_words: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.plan = plan
        self.settings = plan.loaded.settings
        self.wall: Clock = WallClock()
        self.synthetic = SyntheticSettings(
            self.settings.market.spread_bps, self.settings.market.depth_share, self.settings.market.levels
        )
        self._on_progress, self._on_exit, self._on_worse = on_progress, on_exit, on_worse
        self._on_words = on_words
        self.fatal: asyncio.Future[BaseException] | None = None
        self.rules = rules_of(plan.loaded, plan.db, self.wall.now_ms)
        self.devices = Devices(self.settings.signer, attended=plan.attended, real_only=self.rules.real_only)
        self.standing: StandingExits | None = None
        """Keeps positions on a chain covered; once the session is open."""
        self.stopped = StopReport()
        """What an emergency stop that was in force already did when the session opened."""
        self._rebuilding: asyncio.Task[None] | None = None
        self._lost = 0
        """Commits that failed, and are not made good by a rebuild that began later."""
        self._missed: list[OrderReport] = []
        self._account: Account | None = None

    async def open(self) -> None:
        """Lock, load, connect, conclude what a former run left. Trading may start when this returns.

        Raises:
            StorageFault, SafetyError, VenueError, SignerError: nothing was traded; everything opened is closed again.
        """
        plan, loop = self.plan, asyncio.get_running_loop()
        self.fatal = loop.create_future()
        paths.private_dir(plan.db.parent)
        self.database: TraderDatabase = open_for_trading(plan.db, self.settings.profile)
        self._closers: list[Callable[[], Any]] = [self.database.close]
        try:
            await self._open(loop)
        except sqlite3.Error as error:
            await self.close("failed to start")
            raise fault_of(error, plan.db) from error
        except BaseException:
            await self.close("failed to start")
            raise

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._check_source()
        self.reader = Reader(connect(self.plan.db, read_only=True))
        self._closers.append(self.reader.connection.close)
        self.clock = MarketClock(self._market_now())
        self.config = ConfigJournal(self.plan.loaded, self.plan.reload, self.database.connection)
        self.run = self._begin_run()
        self.writer = Writer(self.database.connection, self.plan.db)
        self.writer.start(loop)
        self._closers.append(self.writer.stop)
        self.setup = self._setup()
        self._closers += [self.setup.close, self.devices.close]
        self.ours = Ours()
        info = await self.setup.connect(self._owner, self.ours)
        account = await self._owner()
        self.desk = self._desk(info, account)
        if self.plan.emergency and not self.desk.stop.raised():
            self.desk.stop.create("emergency")  # in force here even where no file can be made
        self.settlement = Settlement(self.desk)
        preparation = self.setup.preparation(self.desk)
        self.recovery = Recovery(self.desk, self.settlement, lambda: self.setup.settle(self.ours))
        self.recovery.books.checks.extend(self.setup.checks())
        self.ours.desk, self.ours.recovery = self.desk, self.recovery
        self.pipeline = Pipeline(
            self.desk,
            self.settlement,
            resolve_unknown=self.recovery.resolve,
            on_progress=self._progressed,
            on_worse=self._became_worse,
            preparation=preparation,
        )
        self.standing = StandingExits(self.desk, self.pipeline, preparation, self.run, self._on_progress)
        self.desk.on_lost = self._on_lost
        self.emergency = Emergency(self.desk, self.pipeline)
        self.venue.subscribe(self._on_report)
        await self.config.record(self.desk, self._facts())
        await self._post_opening()
        await self.setup.settle(self.ours)
        await self.resume()
        _log.info(
            "session.opened",
            database=str(self.plan.db),
            run=self.run,
            source=self.plan.source_id,
            config_version=self.config.version,
            signer=account.signer,
            address=account.address,
            market_ms=self.clock.now_ms(),
        )

    async def resume(self) -> None:
        """Conclude with the venue what is unfinished; a stop in force holds for what is found there too.

        Raises:
            VenueError: the venue did not answer.
        """
        await self.recovery.resume(self.pipeline)
        if self.desk.stop.raised():
            self.stopped = await self.emergency.act(flatten=False, again=True)

    async def close(self, outcome: str) -> None:
        """Close everything in reverse order. Resting exits stay at the venue."""
        if self._rebuilding is not None:
            self._rebuilding.cancel()
            await asyncio.gather(self._rebuilding, return_exceptions=True)
        if hasattr(self, "pipeline"):
            await self.pipeline.work.abandon()
        if hasattr(self, "desk"):
            self._end_run(outcome)
        for closer in reversed(self._closers):
            result = closer()
            if asyncio.iscoroutine(result):
                await result
        self._closers.clear()
        _log.info("session.closed", outcome=outcome)

    # -- pieces -------------------------------------------------------------------------------------------------

    def _check_source(self) -> None:
        """One database, one market: another file would mix two pasts."""
        row = self.database.connection.execute("SELECT value FROM meta WHERE key = 'source'").fetchone()
        if row is not None and row[0] != self.plan.source_id:
            raise SafetyError(
                "run.source",
                f"{self.plan.db} holds a session on another market source ({row[0][:40]}...).",
                next_step="Nothing was changed. Choose another database with --db.",
            )

    def _market_now(self) -> int:
        """Where market time stands: at the newest thing on record."""
        connection = self.database.connection
        cursor = connection.execute("SELECT ts_ms FROM cursor").fetchone()
        journal = connection.execute("SELECT max(ts_ms) FROM journal").fetchone()
        wall = connection.execute("SELECT max(wall_start_ms) FROM runs").fetchone()[0]
        if wall is not None and wall - self.wall.now_ms() > 60_000 and not self.plan.emergency:
            seconds = (wall - self.wall.now_ms()) // 1000
            raise ClockError(
                "clock.system_backwards",
                f"The system clock stands {seconds} s before the last session's start.",
                next_step="Nothing was changed. Set the clock, then start again.",
            )
        known: list[int] = [row[0] for row in (cursor, journal) if row is not None and row[0] is not None]
        return max([self.plan.start_ms, *known])

    def _facts(self) -> dict[str, str]:
        """What the database remembers of its market."""
        return {
            "source": self.plan.source_id,
            "instruments": instruments_to_text(self.plan.instruments),
            "start_ms": str(self.plan.start_ms),
            **({} if self.plan.chain is None else {"venue": self.setup.name}),
        }

    def _begin_run(self) -> str:
        connection = self.database.connection
        number = connection.execute("SELECT count(*) FROM runs").fetchone()[0] + 1
        digest = version_digest(self.settings)
        run = run_id(self.plan.source_id, digest, number)
        connection.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
            (
                run,
                os.getpid(),
                __version__,
                self.plan.source_id,
                self.config.version,
                self.clock.now_ms(),
                self.wall.now_ms(),
            ),
        )
        return run

    def _end_run(self, outcome: str) -> None:
        if self.writer.failed is None:
            self.desk.note(
                "UPDATE runs SET wall_end_ms = ?, outcome = ? WHERE id = ?", (self.wall.now_ms(), outcome, self.run)
            )

    @property
    def venue(self) -> Venue:
        """What trades go to."""
        return self.setup.venue

    def _setup(self) -> VenueSetup:
        if self.plan.chain is None:
            return PaperSetup(self.plan, self.settings)
        from app.chain_setup import ChainSetup  # noqa: PLC0415 -- aiohttp and eth-abi, 0.7 s

        return ChainSetup(self.plan, self.plan.chain, self.settings.risk.rates)

    async def _owner(self) -> Account:
        """The account whose device signs; it is asked for once."""
        if self._account is None:
            kind, data = await self.devices.chosen(), (self.reader, self.database.connection)
            self.device = self.devices.of(kind)
            account = await self.devices.account(kind, Chain.EVM, data, self.wall.now_ms(), self._on_words)
            self.rules.admit(account)
            self._account = account
        return self._account

    def _desk(self, info: Any, account: Account) -> Desk:
        settings, plan = self.settings, self.plan
        market = MarketState(plan.instruments)
        valuation = Valuation(plan.instruments, settings.risk.rates, market.mark)
        addresses = frozenset({account.address, *(each.address for each in accounts(self.reader.rows))})
        terms = terms_of(plan, account, self.setup.name, addresses, self.config.version)
        terms = replace(terms, capital=self.rules.capital(terms.capital))
        return Desk(
            clock=self.clock,
            writer=self.writer,
            state=load(self.setup.name, self.reader),
            venue=self.setup.venue,
            venue_info=info,
            signer=self.device,
            market=market,
            instruments={instrument.symbol: instrument for instrument in plan.instruments},
            valuation=valuation,
            limits=settings.risk.limits(),
            terms=terms,
            stop=StopFlag(plan.db),
            equity=self._equity(),
            wall=self.wall,
            rules=self.rules,
        )

    def _equity(self) -> EquityCurve:
        """The curve as the samples on record leave it. Those of older databases have no profit and are left out: the
        capital that is in their equity is not on record, and taking today's for it would invent a loss or hide one."""
        rows = self.reader.rows("SELECT ts_ms, profit FROM equity ORDER BY id")
        curve = EquityCurve(begun=all(row["profit"] is not None for row in rows))
        for row in rows:
            if row["profit"] is not None:
                curve.sample(row["ts_ms"], from_text(row["profit"]))
        return curve

    async def _post_opening(self) -> None:
        """Once: the account that was approved just now, and what the ledger begins with."""
        if self.devices.fresh is not None:
            await record(self.desk, registration(self.devices.fresh, None))
        await post_opening(self.desk, await self.setup.opening())

    # -- what happens underneath --------------------------------------------------------------------------------

    def _progressed(self, trade: Trade) -> None:
        self._on_progress(trade)
        if self.standing is not None:
            self.standing.progressed(trade)

    def _became_worse(self, trade: Trade) -> None:
        """A standing exit is proposed anew by whoever keeps the position covered."""
        if not trade.standing:
            self._on_worse(trade)

    def _on_report(self, report: OrderReport) -> None:
        """Called by the venue's reader, which nothing here may end."""
        if self.desk.stale:
            self._missed.append(report)
            return
        try:
            committed = self.settlement.on_report(report)
        except CountersignError as error:
            self.desk.record_error(error, report.client_id)
            self.desk.halt(error.what)
            return
        except sqlite3.Error as error:
            self.desk.halt(fault_of(error, self.plan.db).what)
            self._missed.append(report)
            self._on_lost()
            return
        if committed is not None:
            found = self.desk.state.find_order(report.client_id)
            if found is not None and found[1].decides:
                self._progressed(found[0])
            if found is not None and report.fills and found[1].role is not Role.ENTRY:
                self._on_exit(*found)

    def _on_lost(self) -> None:
        """A commit failed: memory is ahead of disk. Stop new trades and read everything again from disk."""
        self._lost += 1
        self.desk.stale = True
        fault = self.writer.failed
        self.desk.halt(f"the database failed: {fault.what if fault else 'a commit was lost'}")
        if self._rebuilding is None or self._rebuilding.done():
            self._rebuilding = asyncio.get_running_loop().create_task(self._rebuild())

    async def _rebuild(self) -> None:
        """Until memory equals disk and the venue has been asked. A disk that stays full ends the session: what rests at
        the venue rests there, and the next start concludes the rest."""
        error: BaseException | None = None
        done = False
        try:
            with self.desk.activity.busy():
                for pause in _REBUILD_PAUSES_S:
                    await asyncio.sleep(pause)
                    seen = self._lost
                    error = await self._read_again(error)
                    if error is None and seen == self._lost:
                        self.desk.halting.alert()
                        done = True
                        return
        finally:  # a session that can not know its account ends, whatever the reason
            assert self.fatal is not None
            if not done and not self.fatal.done():
                self.fatal.set_result(error or self.writer.failed or StorageFault("storage.lost", self.desk.halted))

    async def _read_again(self, before: BaseException | None) -> BaseException | None:
        """One attempt; why it failed, or None. `before` is why the attempt before it did."""
        try:
            if isinstance(before, VenueError):
                await self.venue.connect()  # the market, which would notice, waits for us
            await self._from_disk()
        except (StorageFault, CountersignError) as fault:
            return fault
        except sqlite3.Error as fault:
            return fault_of(fault, self.plan.db)
        return None

    async def _from_disk(self) -> None:
        await self.pipeline.work.abandon()
        await self.writer.reset()
        # No await until memory is disk's again: between the writer's reset and here, the desk refuses every commit.
        self.desk.state = load(self.setup.name, self.reader)
        self.desk.stale = False
        missed, self._missed = self._missed, []
        for report in missed:
            self._on_report(report)
        await self.resume()
