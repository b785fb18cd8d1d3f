"""The running trader: session, market source, modules and control socket, until the data or the trader ends it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app import paths
from app.alert_service import deliver
from app.alerts.delivery import Delivery
from app.device_watch import DeviceWatch
from app.engine.acts import Acts
from app.engine.bus import Bus
from app.engine.manager import ModuleManager
from app.engine.manual import Tickets
from app.engine.modules import Module
from app.errors import VenueError
from app.execution.control import ControlServer
from app.execution.records import Trade
from app.execution.standing_view import on_chain
from app.live_watch import LiveWatch
from app.loop_guard import LoopGuard
from app.market.events import MarketEvent, MarketSource, News, event_time
from app.market.live import follow
from app.market.pace import Pacer, pace
from app.money import ZERO, add, mul, to_text
from app.progress import Progress
from app.session import Session
from app.session_plan import SessionPlan
from app.trader_commands import handlers
from storage.faults import TransitionLost
from strategies.model import Bar

_RECONNECTS = 5
_PATIENCE_S: Final = 1
"""How long the present event may take once the session is told to end; a shutdown takes three seconds in all."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """How fast and how long. `speed` None is as fast as it goes; `seconds` None is until the data ends or a signal."""

    speed: Decimal | None
    seconds: float | None


class Trader:
    """Run once.

    Args:
        progress: receives readable lines and their market time, ms; None keeps quiet.
        on_open: called once the session is open: the database is ours and sound.
        pacer: releases the source's events; None is the source's own, and the tests' releases them one by one.
    """

    def __init__(
        self,
        plan: SessionPlan,
        source: MarketSource,
        limits: RunLimits,
        progress: Callable[[int, str], None] | None,
        on_open: Callable[[], None] = lambda: None,
        pacer: Pacer | None = None,
    ) -> None:
        self.source = source
        self.tell = Progress(progress, self._now_ms)
        self.session = Session(plan, self._on_progress, self._on_worse, self.tell.exit, self._on_words)
        self.bus = Bus(self._on_failure)
        self.manager = ModuleManager(self.session, source, self.bus, self._say)
        self.position = 0
        self._limits = limits
        self._on_open = on_open
        self._pacer = pacer or (pace if plan.chain is None else follow)
        self.slower: Callable[[Decimal], Decimal] = lambda speed: speed
        """The market's speed at this moment, from the speed that was asked for: it may wait for a person."""
        self.begin_paused = False
        """Pause every module before the first event."""
        self.on_words: Callable[[str], None] = self._say
        """Told what its person is asked for while the session opens."""
        self.halted = ""
        """Why new trades stopped, or ""."""
        self.guard: LoopGuard | None = None
        """Watches loop and market; None in a replay at full speed."""
        self.alerts: Delivery | None = None
        """Sends alerts to the trader's channels; None where there are none, and in a replay at full speed."""
        self.control: ControlServer | None = None
        self.comparing: asyncio.Task[None] | None = None
        """Compares ledger and venue now and then; None in a replay at full speed."""
        self._stopping = False
        self._told_to_stop = asyncio.Event()
        self._opening: asyncio.Task[None] | None = None
        self._outcome = "data ended"
        self._next_metrics_ms = 0
        self._loops: list[asyncio.Task[None]] = []

    async def run(self) -> str:
        """Trade until the end. Returns the outcome in words.

        Raises:
            CountersignError, StorageFault: what ended it; everything is closed.
        """
        session = self.session
        self._install_signals()
        if not await self._unless_stopped(session.open()):
            return self._outcome
        self._on_open()
        for trade in session.recovery.concluded:
            self.tell.trade(trade)
        self.acts = Acts(session.desk, session.pipeline, session.run)
        self.tickets = Tickets(session.desk, session.pipeline, session.run, session.settings.manual.allocation)
        session.desk.halting.on_change = self._on_halt
        if session.desk.halted:
            self._on_halt(session.desk.halted)
        socket = paths.socket_path(session.plan.db)
        paths.open_socket_dir(socket)
        control = self.control = ControlServer(socket, handlers(self))
        try:
            self.position = self._resume_position()
            if not await self._unless_stopped(self.manager.start(self.position)):
                return self._outcome
            if self.begin_paused:
                await self.manager.pause_all()
            await control.start()
            if not session.plan.lockstep:
                self.alerts = deliver(session, self._say)
                self.guard = LoopGuard(self, self._say)
                self.guard.start()
            self._begin_loops()
            await self._trade()
            await self._wind_down()
        except BaseException:
            self._outcome = "failed"
            raise
        finally:
            for loop in self._loops:
                loop.cancel()
            await asyncio.gather(*self._loops, return_exceptions=True)
            if self.guard is not None:
                await self.guard.close()
            await control.close()
            if self.alerts is not None:
                await self.alerts.close()
            await session.close(self._outcome)
        return self._outcome

    def stop(self, outcome: str) -> None:
        """End the run after the present event; a session that is still opening is closed again."""
        if not self._stopping:
            self._stopping, self._outcome = True, outcome
            self._told_to_stop.set()
            if self._opening is not None:
                self._opening.cancel()

    @property
    def modules(self) -> tuple[Module, ...]:
        """Every module that was enabled in this session."""
        return self.manager.modules

    async def _unless_stopped(self, begins: Coroutine[Any, Any, None]) -> bool:
        """Open the session, or warm up the modules; False when told to stop meanwhile. A venue that does not start
        takes 15 s to fail, and Ctrl-C must not."""
        self._opening = asyncio.create_task(begins)
        try:
            await self._opening
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            return False
        finally:
            self._opening = None
        return True

    # -- the market ---------------------------------------------------------------------------------------------

    async def _trade(self) -> None:
        session = self.session
        session.setup.listen(self.bus.listens)
        pacing = asyncio.create_task(
            self._pacer(
                self.source,
                session.clock,
                self.position,
                self._speed,
                self._deliver,
                session.desk.activity.settle,
                lambda: self._stopping,
            )
        )
        assert session.fatal is not None
        told = asyncio.create_task(self._told_to_stop.wait())
        watched: set[asyncio.Future[Any]] = {pacing, session.fatal, told}
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        if told.done() and not session.fatal.done():
            # Somebody may wait for a venue that never answers: what is unknown is on disk, and looked up at the start.
            watched.discard(told)
            await asyncio.wait(watched, timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not pacing.done():
            pacing.cancel()
        await asyncio.gather(pacing, told, return_exceptions=True)
        if session.fatal.done():
            raise session.fatal.result()
        if not pacing.cancelled():
            pacing.result()

    def _speed(self) -> Decimal | None:
        speed = self._limits.speed
        return None if speed is None else self.slower(speed)

    async def _deliver(self, event: MarketEvent | News, position: int) -> None:
        """One event: what is known, what the venue makes of it, then what the modules think."""
        session, now = self.session, event_time(event)
        self.position = position
        if isinstance(event, News):
            await self._pass_on(event)
            return
        # What is committed before the modules have seen a bar must not say that they have.
        seen = position - (type(event) is Bar)
        session.desk.cursor = (session.plan.source_id, seen, now)
        session.desk.market.apply(event, session.synthetic)
        session.desk.follow_missed(event)
        if session.standing is not None:
            session.standing.saw(event)
        await self._feed_venue(event, position)
        due = self.manager.due_ms
        if type(event) is Bar or (due is not None and due <= now):
            await session.desk.activity.settle()
        if due is not None and due <= now:
            await self.manager.start_due(now, seen)
        if type(event) is Bar:
            session.desk.observe(event)
            self.bus.publish(event)
            session.desk.cursor = (session.plan.source_id, position, now)
        self.manager.check(now)
        self._metrics_due(now)

    async def _pass_on(self, news: News) -> None:
        """What the chain tells modules: no market moves by it."""
        desk = self.session.desk
        await desk.activity.settle()
        self.bus.publish(news.message)
        desk.cursor = (self.session.plan.source_id, self.position, news.ts_ms)

    async def _feed_venue(self, event: MarketEvent, position: int) -> None:
        """The paper venue sees the market before the modules do. A venue that died is restarted and looked up."""
        session = self.session
        for attempt in range(_RECONNECTS):
            try:
                if attempt:
                    await asyncio.sleep(0.1 * attempt)
                    await session.venue.connect()
                    with suppress(TransitionLost):  # memory is being read again, which asks the venue too
                        await session.resume()
                await session.setup.market(event, position)
            except VenueError as error:
                session.desk.record_error(error)
                if attempt == _RECONNECTS - 1:
                    raise
            else:
                return

    # -- what is told ------------------------------------------------------------------------------------------

    def _resume_position(self) -> int:
        """What the modules have seen is past. The venue may be further by the event in whose middle we were killed; it
        knows what it has seen and does not see it twice."""
        row = self.session.reader.one("SELECT position FROM cursor")
        return max(int(row["position"]) if row else 0, self.session.plan.first_event)

    def _on_failure(self, name: str, error: Exception) -> None:
        self.manager.on_failure(name, error)

    def _on_progress(self, trade: Trade) -> None:
        self.tell.trade(trade)
        self.manager.progressed(trade)

    def _on_halt(self, reason: str) -> None:
        self.halted = reason
        if reason:
            way_out = self.session.desk.halting.way_out
            self._say(f"HALTED: no new trades: {reason}. Exits stay managed. {way_out}")
        else:
            self._say("Venue and ledger agree again: new trades are taken.")

    def _on_worse(self, trade: Trade) -> None:
        if not self.tickets.again(trade):
            self.manager.propose_again(trade)

    # -- periodic -----------------------------------------------------------------------------------------------

    def _metrics_due(self, now: int) -> None:
        """Equity and module metrics, with the cursor, at the first event of each interval of market time. Not by a
        sleeper: hourly bars would wake it sixty times a bar for nothing."""
        if now >= self._next_metrics_ms:
            interval = self.session.settings.metrics.interval_s * 1000
            self._next_metrics_ms = now - now % interval + interval
            self._record_metrics()

    def _record_metrics(self) -> None:
        desk = self.session.desk
        now = desk.clock.now_ms()
        desk.sample_equity()
        exposure, holdings = ZERO, desk.state.positions.open_holdings()
        marks: list[tuple[str, str, int]] = []
        for holding in holdings:
            mark, quote = desk.market.mark(holding.symbol), desk.instruments[holding.symbol].quote
            rate = desk.valuation.last_rate(quote)
            if mark is not None:
                marks.append((holding.symbol, to_text(mark[0]), mark[1]))
            if mark is not None and rate is not None:
                exposure = add(exposure, mul(mul(holding.quantity, mark[0]), rate))
        curve = desk.equity
        profit = to_text(curve.profit) if curve.begun else None  # no value yet is not 0
        row = (now, to_text(add(desk.terms.capital, curve.profit)), profit, to_text(exposure), len(holdings))
        statements: list[tuple[str, tuple[Any, ...]]] = [
            ("INSERT INTO equity (ts_ms, equity, profit, exposure, open_positions) VALUES (?, ?, ?, ?, ?)", row),
            *self.manager.metrics(now),
            *(("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", mark) for mark in marks),
        ]
        desk.record(tuple(statements))
        desk.watch.sampled(curve.profit)

    async def _deadline(self) -> None:
        if self._limits.seconds is not None:
            await asyncio.sleep(self._limits.seconds)
            self.stop("time is up")

    def _begin_loops(self) -> None:
        loops = (self._deadline(), DeviceWatch(self.session.devices).run(), LiveWatch(self.session).run())
        self._loops = [asyncio.create_task(each) for each in loops]
        if not self.session.plan.lockstep:  # in a replay at full speed nobody but us has the account
            self.comparing = asyncio.create_task(self._compare(), name="reconciliation")
            self._loops.append(self.comparing)

    async def _compare(self) -> None:
        recovery, every_s = self.session.recovery, self.session.settings.reconcile.every_s
        await recovery.books.run(every_s, recovery.look_again)

    async def _wind_down(self) -> None:
        """What waits for an answer, or for a device, gets none any more; what was sent is settled."""
        session = self.session
        session.pipeline.proposals.expire_all("The session ended.")
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await session.desk.activity.settle()
        await session.pipeline.work.abandon()
        await session.recovery.expire_unsigned()
        self._record_metrics()
        held = [each.symbol for each in session.desk.state.positions.open_holdings()]
        if held and on_chain(session.desk):
            what = ", ".join(dict.fromkeys(held))
            self._say(f"The stops of {what} are only watched while countersign runs: nobody sends an exit now.")

    def _install_signals(self) -> None:
        """Not by the loop: it would give Ctrl-C back to Python as it closes, and one more of an impatient trader would
        be a traceback in place of the summary. These stay, and do nothing once the loop is closed."""
        loop = asyncio.get_running_loop()

        def end(number: int, _frame: object) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self.stop, f"stopped by {signal.Signals(number).name}")

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
        for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means what it says
                signal.signal(number, end)

    def _now_ms(self) -> int:
        return self.session.clock.now_ms()

    def _on_words(self, words: str) -> None:
        self.on_words(words)

    def _say(self, line: str) -> None:
        self.tell.line(line)
