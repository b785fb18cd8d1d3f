"""Running all modules: the start, bars and messages in order, failures and restarts, health and metrics. What the
trader may change of it is in `manager`. All on the loop thread.

Each change of state is journaled with who wanted it and why, in one transaction with the row that makes it outlive the
session. Whatever becomes of a module, its exits rest at the venue, and settlement follows them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from app import logs
from app.engine.bus import Bus
from app.engine.capital import CapitalWatch, nearly
from app.engine.intents import IntentMaker
from app.engine.lifecycle import SEES_BARS, ModuleState
from app.engine.module_health import Health, judge
from app.engine.module_views import ModuleView, Slot, Statement, measure, view_of
from app.engine.modules import Module, log_name
from app.engine.registry import Enabled, file_hash, resolve, start_order
from app.engine.warmup import FORGETS, SLICE, feed, past
from app.errors import Severity, UsageError
from app.execution.records import Trade
from app.execution.states import TradeState
from app.market.events import MarketSource
from app.risk.statistics import REMEMBERED
from strategies.model import Bar

if TYPE_CHECKING:
    from app.config.schema import ModuleSettings
    from app.session import Session

ON: Final = SEES_BARS | {ModuleState.ENABLED, ModuleState.FAILED}
"""States of a module that is switched on."""
_OFF: Final = "UPDATE modules SET state = 'registered', reason = '', health = '', health_words = '', updated_ms = ?"
_FILLS: Final = "SELECT module, count(*) AS n, max(rowid) AS last FROM fills WHERE rowid > ? GROUP BY module"

S = ModuleState


class ModuleRunner:
    """One per trader; `start` before anything else.

    Args:
        bus: carries bars and messages; `on_failure` of this manager is its `on_failure`.
        say: receives readable lines.
    """

    def __init__(self, session: Session, source: MarketSource, bus: Bus, say: Callable[[str], None]) -> None:
        self.session = session
        self.slots: dict[str, Slot] = {}
        self.turn = asyncio.Lock()
        """Held by commands that change settings: one at a time."""
        self._source = source
        self._bus = bus
        self._say = say
        self._next_health_ms = 0
        self._watch = CapitalWatch()
        self._signed: set[str] = set()
        self._last_fill = 0
        self._log = logs.get(__name__)

    # -- what others ask --------------------------------------------------------------------------------------------

    @property
    def modules(self) -> tuple[Module, ...]:
        """Every module that was enabled in this session, in start order."""
        return tuple(slot.module for slot in self.slots.values() if slot.module is not None)

    def views(self) -> tuple[ModuleView, ...]:
        """Every module there is, by name."""
        return tuple(view_of(self.slots[name], self.session.desk) for name in sorted(self.slots))

    def settings(self) -> dict[str, ModuleSettings]:
        """The modules' settings as they hold now."""
        return {name: slot.settings for name, slot in self.slots.items()}

    def slot(self, name: object) -> Slot:
        """The slot of that name.

        Raises:
            UsageError: there is no such module.
        """
        found = self.slots.get(name) if isinstance(name, str) else None
        if found is None:
            known = ", ".join(sorted(self.slots)) or "none"
            raise UsageError("modules.unknown", f"There is no module {str(name)[:40]!r}; there are: {known}.")
        return found

    @property
    def due_ms(self) -> int | None:
        """When the next module is to be started (again), or None."""
        return min(
            (s.supervision.due_ms for s in self.slots.values() if s.supervision.due_ms is not None), default=None
        )

    # -- the start --------------------------------------------------------------------------------------------------

    async def start(self, position: int) -> None:
        """Make and warm up what the settings enable. What can not run is shown with its reason; the rest starts.

        Raises:
            ConfigError: a parameter is wrong.
            DataError: from the source.
        """
        desk, resolved = self.session.desk, resolve(self.session.plan.loaded)
        desk.refuses = self.refuses
        wanted = self.session.settings.modules
        stored = {row["name"]: row for row in self.session.reader.rows("SELECT * FROM modules")}
        ready = {each.name: each for each in resolved.ready}
        self._last_fill = self.session.reader.value("SELECT max(rowid) FROM fills") or 0
        for name in (*ready, *sorted((resolved.installed.keys() | wanted.keys()) - ready.keys())):
            slot = self.slots[name] = Slot(
                name, resolved.installed.get(name), unavailable=resolved.unavailable.get(name, "")
            )
            slot.settings = wanted.get(name, slot.settings)
            row = stored.get(name)
            if row is not None:
                slot.paused, slot.file_hash = bool(row["paused"]), row["file_hash"]
                slot.supervision.restarts = row["restarts"]
            if name in ready:
                self.make(slot, ready[name])
            elif slot.unavailable:
                desk.alert(Severity.HIGH, "module.unavailable", f"Module {name} can not run: {slot.unavailable}.", name)
                self._say(f"module {name} is unavailable: {slot.unavailable}")
        self.connect()
        await self._warm_all(position)
        self._commit_start()

    async def _warm_all(self, position: int) -> None:
        session, modules = self.session, self.modules
        longest = FORGETS * max((module.warmup for module in modules), default=0)
        bars = await past(self._source, position, max(longest, REMEMBERED + 1))
        for number, bar in enumerate(bars):
            if number % SLICE == 0:
                await asyncio.sleep(0)
            session.desk.watch.statistics.observe(bar)
        await feed(bars, modules, aloud=True, failed=self.on_failure)
        for bar in {bar.symbol: bar for bar in bars}.values():
            session.desk.market.apply(bar, session.synthetic)

    def _commit_start(self) -> None:
        desk = self.session.desk
        transition = desk.transition()
        transition.record(_OFF, (transition.ts_ms,))
        for slot in self.slots.values():
            if slot.module is None:
                if slot.unavailable:
                    transition.record(*slot.save(transition.ts_ms))
                continue
            if slot.module.state is S.ENABLED and slot.supervision.due_ms is None:  # not one enabled meanwhile
                self._warm(slot)
            transition.change("module", slot.name, S.REGISTERED.value, slot.state.value, "start", slot.reason)
            transition.record(*slot.save(transition.ts_ms))
        desk.commit(transition, "modules.started", "")
        for slot in self.slots.values():
            if self.refuses(slot.name):  # what it had signed, and a restart asks about
                self.withdraw(slot)

    def make(self, slot: Slot, enabled: Enabled) -> None:
        """The module of a slot, ENABLED."""
        session, symbols = self.session, frozenset(enabled.settings.instruments)
        sizing = session.settings.sizing.sizing()
        slot.module = Module(
            spec=enabled.spec,
            params=enabled.params,
            sizing=sizing,
            maker=IntentMaker(session.desk, slot.name, sizing, enabled.settings.allocation),
            run=session.run,
            trades=lambda symbol: "*" in symbols or symbol in symbols,
            propose=session.pipeline.propose,
            publish=self._bus.publish,
            lacks=partial(self._lacks, enabled.spec.after),
        )
        if enabled.settings.log_level != "default":
            logs.set_level(log_name(slot.name), enabled.settings.log_level)
        self._compare_files(slot)

    def _lacks(self, needs: tuple[str, ...]) -> str:
        """The first of the modules `needs` that does not see the market now, in words."""
        off = (slot for need in needs if (slot := self.slots[need]).state not in SEES_BARS)
        return next((f"needs {slot.name}, which is {slot.state.value}" for slot in off), "")

    def _compare_files(self, slot: Slot) -> None:
        if slot.available is None or not slot.available.third_party:
            return
        now = file_hash(slot.available.package)
        if not slot.file_hash:
            slot.file_hash = now
        elif slot.file_hash != now:
            text = (
                f"The files of module {slot.name} are not those that were enabled. It runs with full rights: look at "
                f"them, then: countersign modules enable {slot.name}"
            )
            self.session.desk.alert(Severity.HIGH, "module.changed", text, slot.name)
            self._say(f"ATTENTION: {text}")

    def connect(self) -> None:
        """(Re)subscribe all modules in start order, so that a bar reaches them in the same order in every session."""
        by_name = {module.name: module for module in self.modules}
        order = start_order({name: module.spec for name, module in by_name.items()}, lambda _: "is off").names
        rest = {name: slot for name, slot in self.slots.items() if name not in order}
        self.slots = {name: self.slots[name] for name in order} | rest
        for name in by_name:
            self._bus.unsubscribe(name)
        for name in order:
            module = by_name[name]
            self._bus.subscribe(Bar, name, module.on_bar)
            for kind in module.spec.subscriptions:
                self._bus.subscribe(kind, name, module.hear)

    # -- failures and restarts --------------------------------------------------------------------------------------

    def on_failure(self, name: str, error: Exception) -> None:
        """Something on the bus raised: it stops, the others go on. A module is started again after a pause."""
        desk, slot = self.session.desk, self.slots.get(name)
        if slot is None or slot.module is None:
            self._log.error("bus.handler_failed", handler=name, error=error)
            desk.alert(Severity.MEDIUM, "handler.failed", f"{name} failed: {error!r}.", name)
            return
        if slot.state not in SEES_BARS | {S.ENABLED}:
            return
        now = desk.clock.now_ms()
        slot.module.counters.errors += 1
        longest = max(module.pulse.timeframe_ms for module in self.modules)  # it may have failed before its own bar
        again = slot.supervision.failed(now, longest)
        reason = repr(error) if again else f"{error!r}; restarted too often, stays failed"
        logs.get(log_name(name)).error("module.failed", error=error, module=name, restarts=slot.supervision.restarts)
        self.change(slot, S.FAILED, "engine", reason)
        self.withdraw(slot)
        due = slot.supervision.due_ms
        what = f"It is started again in {(due - now) // 1000} s." if due else "It stays failed until it is resumed."
        text = f"Module {name} failed: {error!r}. {what} Its exits stay at the venue."
        desk.alert(Severity.HIGH, "module.failed", text, name)
        self._say(f"module {name} failed: {error!r}. {what}")

    async def start_due(self, now: int, position: int) -> None:
        """Start what is due. `position` counts the events that modules have seen.

        Raises:
            DataError: from the source.
        """
        for slot in list(self.slots.values()):
            due = slot.supervision.due_ms
            if slot.module is None or due is None or due > now:
                continue
            if slot.state not in {S.FAILED, S.ENABLED}:
                slot.supervision.give_up()
                continue
            if slot.state is S.FAILED:
                slot.supervision.restarted(now)
                self.change(slot, S.ENABLED, "engine", "restarted")
            slot.supervision.give_up()
            slot.module.forget()
            bars = await past(self._source, position, FORGETS * slot.module.warmup)
            await feed(bars, (slot.module,), aloud=False, failed=self.on_failure)
            if slot.state is S.ENABLED:
                self.journal(slot, S.ENABLED, "engine", self._warm(slot))
                self._say(f"module {slot.name} {slot.state.value}")

    def _warm(self, slot: Slot) -> str:
        """It has seen the past: it runs, or goes on with the pause it was in."""
        assert slot.module is not None
        reason = "paused by the trader" if slot.paused else ""
        slot.module.move(S.PAUSED if slot.paused else S.RUNNING, reason)
        return reason

    # -- changes ----------------------------------------------------------------------------------------------------

    def change(self, slot: Slot, state: ModuleState, who: str, why: str) -> asyncio.Future[int]:
        """Move a module, and put it on record.

        Raises:
            IllegalTransition: no such edge; nothing was changed.
        """
        assert slot.module is not None
        old = slot.state
        slot.module.move(state, why)
        return self.journal(slot, old, who, why)

    def note(self, slot: Slot, who: str, why: str) -> asyncio.Future[int]:
        """Put on record what changed without a change of state: a pause of what is not running."""
        return self.journal(slot, slot.state, who, why)

    def journal(self, slot: Slot, old: ModuleState, who: str, why: str) -> asyncio.Future[int]:
        """Put on record that a module came from `old` to where it stands."""
        desk, transition = self.session.desk, self.session.desk.transition()
        slot.health, slot.health_words = self._judge(slot, transition.ts_ms)
        transition.change("module", slot.name, old.value, slot.state.value, who, why)
        transition.record(*slot.save(transition.ts_ms))
        committed = desk.commit(transition, f"module.{slot.state.value}", slot.name)
        committed.add_done_callback(partial(_remember_loss, slot))
        return committed

    def withdraw(self, slot: Slot) -> None:
        """End the entries of a module that wait for an answer. Closes go on waiting: they reduce risk."""
        self.session.pipeline.proposals.withdraw(slot.name, _takes_none(slot))

    def refuses(self, name: str) -> str:
        """Why module `name` takes no new entry now, or "". Not of one that is on and still warms up: what it signed
        before a restart is the trader's to answer."""
        if barred := self.session.rules.barred(name):
            return barred
        slot = self.slots.get(name)
        if slot is None or slot.state is S.RUNNING or (slot.state is S.ENABLED and not slot.paused):
            return ""
        return _takes_none(slot)

    # -- what the trader tells --------------------------------------------------------------------------------------

    def progressed(self, trade: Trade) -> None:
        """A trade went on."""
        slot = self.slots.get(trade.intent.module)
        if slot is None or slot.module is None:
            return
        if trade.state is TradeState.SIGNED:
            self._signed.add(trade.id)
        elif trade.id in self._signed:
            self._signed.remove(trade.id)
            sent = {TradeState.SUBMITTED, TradeState.PARTIALLY_FILLED, TradeState.FILLED}
            slot.module.counters.submitted += trade.state in sent

    def propose_again(self, trade: Trade) -> None:
        """The confirmed price of `trade` no longer holds; its module may propose it afresh."""
        slot = self.slots.get(trade.intent.module)
        if slot is not None and slot.module is not None:
            slot.module.propose_again(trade)

    def check(self, now: int) -> None:
        """Health and capital, at the first event of each interval of market time."""
        if now < self._next_health_ms:
            return
        interval = self.session.settings.metrics.health_s * 1000
        self._next_health_ms = now - now % interval + interval
        desk, changed = self.session.desk, []
        for slot in self.slots.values():
            health, words = self._judge(slot, now)
            if health is not slot.health:
                changed.append(slot)
            slot.health, slot.health_words = health, words
        if changed:
            desk.record(tuple(slot.save(now) for slot in changed))
        committed = {module.name: module.committed() for module in self.modules}
        for found in self._watch.due(nearly(self.settings(), committed, self.session.settings.capital.total), now):
            desk.alert(Severity.HIGH, "capital", found.text, found.subject)

    def _judge(self, slot: Slot, now: int) -> tuple[Health, str]:
        return (Health.NONE, "") if slot.module is None else judge(slot.state, slot.reason, slot.module.pulse, now)

    def metrics(self, now: int) -> tuple[Statement, ...]:
        """One row of metrics for each module."""
        if not self.slots:
            return ()
        self._count_fills()
        rows = (measure(slot, self.session.desk, now) for slot in self.slots.values())
        return tuple(row for row in rows if row is not None)

    def _count_fills(self) -> None:
        rows = self.session.reader.rows(_FILLS, (self._last_fill,))
        counts = {row["module"]: row["n"] for row in rows}
        self._last_fill = max((row["last"] for row in rows), default=self._last_fill)
        for module in self.modules:
            module.counters.fills += counts.get(module.name, 0)


def _remember_loss(slot: Slot, committed: asyncio.Future[int]) -> None:
    slot.lost = committed.cancelled() or committed.exception() is not None


def _takes_none(slot: Slot) -> str:
    return f"Module {slot.name} is {slot.state.value}: it takes no new entry."
