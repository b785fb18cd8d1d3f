"""The engine inside the terminal: loaded after the first frame, run as a task beside the screen, told to stop with it.

The screen may crash and the engine goes on; the engine may fail and the screen says so. No textual here.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.errors import CountersignError
from storage.faults import StorageFault

if TYPE_CHECKING:
    from app.execution.control import Handler
    from app.execution.desk import Desk
    from app.execution.records import Order, Trade
    from app.launch import Launch, Request
    from app.market.pace import Pacer
    from app.snapshots.market import BarHistory
    from app.trader import Trader
    from app.tui.last import Last
    from signers.base import DeviceState
    from signers.session import OnAsk

R = TypeVar("R")

_HEAVY: Final = (
    "app.config.load",
    "app.launch",
    "structlog",
    "sqlite_utils",
    "app.trader",
    "app.trader_commands",
    "app.snapshots.account",
    "app.snapshots.trades",
    "app.market.practice",
)
"""Imported one by one on a thread, so that keys are answered between them; together a second."""
_SWITCH_S: Final = 0.0005
"""While that thread runs, it gives the interpreter away this often: the default, 5 ms, is felt in every key."""
_TOLD: Final = 500
ONE: Final = Decimal(1)


class Stage(StrEnum):
    """Where the engine is."""

    LOADING = "loading"
    OPENING = "opening"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the session's log."""

    ts_ms: int
    text: str

    @property
    def clock(self) -> str:
        """``14:05:09``, UTC market time."""
        return f"{datetime.fromtimestamp(self.ts_ms / 1000, UTC):%H:%M:%S}"


class Host:
    """Runs one engine at a time.

    Args:
        request: what to start; the terminal changes it on the first-run screen.
        pacer: releases the market; None is the real one.
        first_run: there is no database yet, so the terminal asks what to start.
    """

    def __init__(self, request: Request, pacer: Pacer | None = None, *, first_run: bool = False) -> None:
        self.request = request
        self.stage = Stage.LOADING
        self.words = "not started yet" if first_run else "loading"
        self.error: BaseException | None = None
        self.launch: Launch | None = None
        self.trader: Trader | None = None
        self.commands: Mapping[str, Handler] = {}
        self.history: BarHistory | None = None
        self.told: deque[Told] = deque(maxlen=_TOLD)
        self.last: Last | None = None
        """What the last session left, until the engine runs."""
        self.device: DeviceState | None = None
        self.device_trade: Trade | None = None
        self._device_since = 0.0
        self.readers: set[object] = set()
        """Dialogs in which a trade is read or written: while there is one, the practice market goes at real time."""
        self.on_trade: Callable[[Trade, Order | None], None] = lambda _trade, _order: None
        self.on_device: Callable[[Trade, DeviceState], None] = lambda _trade, _state: None
        self.on_ask: OnAsk | None = None
        """Asks the person for what a device needs typed."""
        self.on_first: Callable[[], None] = lambda: None
        """Told that the person is needed at the device, while the session opens."""
        self.first, self.compares = "", False
        """What they are to do there, and whether it is to compare an address; "" before and after."""
        self.on_open: Callable[[Launch], None] = lambda _: None
        self.first_run = first_run
        self.quiet = False
        """Start with every module paused."""
        self.never_ran = True
        self._pacer = pacer
        self._began: float | None = None
        self._start_ms = 0
        self._pace: deque[tuple[float, int]] = deque(maxlen=30)
        """Where the market stood, second by second."""
        self._task: asyncio.Task[None] | None = None

    # -- running ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Load, open and run, as a task of its own."""
        if self._task is None or self._task.done():
            self.stage, self.words, self.error = Stage.LOADING, "loading", None
            self._began = asyncio.get_running_loop().time()
            self._task = asyncio.create_task(self._run(), name="engine")

    @property
    def started(self) -> bool:
        """Told to start once."""
        return self._task is not None

    async def end(self, outcome: str) -> None:
        """Stop the engine and wait for it: exits stay at the venue, what is unsigned expires."""
        task = self._task
        if task is None:
            return
        if self.trader is not None:
            self.trader.stop(outcome)
        else:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    @property
    def desk(self) -> Desk | None:
        """The running session's desk; None before it is open and after it has ended."""
        return self.trader.session.desk if self.trader is not None and self.stage is Stage.RUNNING else None

    @property
    def device_s(self) -> int:
        """Seconds since the device was asked for the trade that is at it."""
        return 0 if self.device_trade is None else int(asyncio.get_running_loop().time() - self._device_since)

    @property
    def waiting(self) -> int:
        """How many proposals wait for an answer."""
        trader = self.trader
        return 0 if trader is None or self.desk is None else len(trader.session.pipeline.proposals.waiting())

    @property
    def over(self) -> bool:
        """The engine ran and runs no more."""
        return self.stage in {Stage.ENDED, Stage.FAILED}

    async def _run(self) -> None:
        try:
            await self._load()
            outcome = await self._trade()
            self.stage, self.words = Stage.ENDED, outcome
        except asyncio.CancelledError:
            self.stage, self.words = Stage.ENDED, "told to stop"
            raise
        except (CountersignError, StorageFault) as error:
            self.stage, self.words, self.error = Stage.FAILED, str(error), error
        except Exception as error:  # noqa: BLE001 -- the engine's top loop: the screen must outlive it and say so
            self._log_fault(error)
            self.stage, self.error = Stage.FAILED, error
            self.words = f"an unexpected fault ({type(error).__name__}); what was on disk is safe"
        finally:
            self.commands = {}

    async def _load(self) -> None:
        for module in _HEAVY:
            await aside(lambda name=module: importlib.import_module(name))  # type: ignore[misc]  # binds now, not at the loop's end
        from app import launch, logs  # noqa: PLC0415 -- loaded above, off this thread
        from app.engine.registry import available  # noqa: PLC0415 -- as above
        from app.snapshots.market import BarHistory  # noqa: PLC0415 -- as above

        self.stage, self.words = Stage.OPENING, "reading the settings"
        self.launch = await aside(lambda: launch.prepare(self.request))
        await aside(available)  # imports every installed module, another's too
        logs.configure(launch.log_folder(), self.launch.loaded.settings.log.level)
        self.history = BarHistory()

    async def _trade(self) -> str:
        from app.trader import RunLimits, Trader  # noqa: PLC0415 -- loaded by `_load`, off this thread

        start = self.launch
        assert start is not None
        self.words = "opening the session"
        trader = Trader(
            start.plan,
            start.source,
            RunLimits(start.speed, None),
            self._tell,
            on_open=self._opened,
            pacer=self._pacer,
        )
        trader.session.devices.on_ask, trader.on_words = self.on_ask, partial(self._first, compares=True)
        trader.session.devices.on_first, self.first = partial(self._first, compares=False), ""
        trader.slower, trader.begin_paused = self.slower, self.quiet
        trader.tell.listeners.append(self._heard)
        self.trader, self.device, self.device_trade = trader, None, None
        outcome = await trader.run()
        if not self.never_ran:
            self._history_task.cancel()
            await self._keep_picture(trader)
        return outcome

    def _opened(self) -> None:
        from app.trader_commands import handlers  # noqa: PLC0415 -- loaded by `_load`, off this thread

        trader, start = self.trader, self.launch
        assert trader is not None
        assert start is not None
        trader.session.desk.on_device = self._device_told
        self.commands = handlers(trader)
        self.stage, self.words, self.first, self.never_ran = Stage.RUNNING, "", "", False
        if self._began is not None:
            self._start_ms = round((asyncio.get_running_loop().time() - self._began) * 1000)
        self.on_open(start)
        self._history_task = asyncio.create_task(self._remember_bars(trader), name="bar history")

    async def _remember_bars(self, trader: Trader) -> None:
        """Bars of the past for the charts, made off this thread; those to come from the bus."""
        from app.snapshots.market import KEPT  # noqa: PLC0415 -- as above
        from app.tui.last import EVERY_S  # noqa: PLC0415 -- as above
        from strategies.model import Bar  # noqa: PLC0415 -- as above

        history = self.history
        assert history is not None
        await asyncio.sleep(0)  # the trader makes its bus next
        trader.bus.subscribe(Bar, "screen", history.add)
        history.fill(await aside(lambda: trader.source.bars_before(trader.position, KEPT)))
        while self.stage is Stage.RUNNING:
            await self._keep_picture(trader)
            await asyncio.sleep(EVERY_S)

    async def _keep_picture(self, trader: Trader) -> None:
        """For the first second of the next start."""
        from app.tui.last import keep, picture  # noqa: PLC0415 -- as above

        start, history = self.launch, self.history
        assert start is not None
        assert history is not None
        taken = picture(trader.session.desk, history, self._start_ms)
        await aside(lambda: keep(start.db, taken))

    def starting(self) -> str:
        """How far a start is: what is being done, the share done and the time left by what the last start took; trade
        by trade where trades of the last session are concluded with the venue."""
        recovery = getattr(self.trader.session, "recovery", None) if self.trader is not None else None
        if recovery is not None and recovery.of:
            return f"concluding the trades of the last session: {recovery.done} of {recovery.of}"
        if self._began is None or self.first or self.last is None or not self.last.start_ms:
            return self.words
        took_ms = (asyncio.get_running_loop().time() - self._began) * 1000
        done = min(99, round(took_ms * 100 / self.last.start_ms))
        left_s = max(1, round((self.last.start_ms - took_ms) / 1000))
        return f"{self.words}, {done} %, about {left_s} s left"

    def progress(self) -> tuple[int, int | None] | None:
        """Of a replay that ends: percent done and seconds left at the pace of the last half minute; None for a market
        without an end."""
        trader = self.trader
        total = None if trader is None else trader.source.total_events
        if trader is None or not total:
            return None
        now, pace = asyncio.get_running_loop().time(), self._pace
        if not pace or now - pace[-1][0] >= 1:
            pace.append((now, trader.position))
        seconds, events = now - pace[0][0], trader.position - pace[0][1]
        left = int((total - trader.position) * seconds / events) if events > 0 else None
        return trader.position * 100 // total, left

    # -- what it hears ----------------------------------------------------------------------------------------------

    def slower(self, speed: Decimal) -> Decimal:
        """The market's speed while a person is needed: real time while a trade is read, written or signed,
        `speed_waiting` while one waits."""
        trader, start = self.trader, self.launch
        if trader is None or start is None or self.stage is not Stage.RUNNING:
            return speed
        if self.readers or self.device_trade is not None:
            return min(speed, ONE)
        if trader.session.pipeline.proposals.waiting():
            text = start.loaded.settings.market.speed_waiting
            return speed if text == "max" else min(speed, Decimal(text))
        return speed

    def _first(self, words: str, *, compares: bool) -> None:
        """While the session opens, its person is needed."""
        self.words, begins = "waiting for the device (9)", not self.first
        self.first, self.compares = words, compares
        if begins:
            self.on_first()

    def _tell(self, ts_ms: int, text: str) -> None:
        self.told.append(Told(ts_ms, text))

    def _heard(self, trade: Trade, order: Order | None) -> None:
        if self.device_trade is not None and trade.id == self.device_trade.id and trade.state != "CONFIRMED":
            self.device_trade = None
        self.on_trade(trade, order)

    def _device_told(self, trade: Trade, state: DeviceState) -> None:
        self.device = state
        if self.device_trade is not trade:
            self._device_since = asyncio.get_running_loop().time()
        self.device_trade = None if state in {"SIGNED", "REJECTED", "TIMED_OUT"} else trade
        self.on_device(trade, state)

    def _log_fault(self, error: Exception) -> None:
        from app import logs  # noqa: PLC0415 -- structlog may be what failed

        logs.get(__name__).error("engine.failed", error=error)


class _Yielding:
    """Jobs that run beside the loop now, and how often threads gave way before the first of them."""

    lock = threading.Lock()
    jobs = 0
    before_s = 0.0


def _give_way(more: int) -> None:
    """Begin (1) or end (-1) a job; they overlap, so the first one shortens the interval and the last restores it."""
    with _Yielding.lock:
        if _Yielding.jobs == 0:
            _Yielding.before_s = sys.getswitchinterval()
            sys.setswitchinterval(_SWITCH_S)
        _Yielding.jobs += more
        if _Yielding.jobs == 0:
            sys.setswitchinterval(_Yielding.before_s)


async def aside(job: Callable[[], R]) -> R:
    """Run `job` on a daemon thread, so that the loop goes on and the program's exit does not wait for it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[R] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def run() -> None:
        _give_way(1)
        result, error = None, None
        try:
            result = job()
        except BaseException as raised:  # noqa: BLE001 -- it is raised where it is awaited
            error = raised
        finally:
            _give_way(-1)
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            pass  # the loop is closed: the program is ending

    threading.Thread(target=run, name="aside", daemon=True).start()
    return await done


def background(job: Coroutine[Any, Any, Any], keep: set[asyncio.Task[Any]]) -> asyncio.Task[Any]:
    """A task that is kept until it is done."""
    task = asyncio.create_task(job)
    keep.add(task)
    task.add_done_callback(keep.discard)
    return task
