"""Whatever is done to modules, in whatever order: every change is an edge of the table, what is on disk is what is in
memory, and nobody takes an entry who must not."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Awaitable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.engine.lifecycle import MODULE_EDGES, ModuleState
from app.errors import SafetyError, UsageError
from app.market.events import MarketEvent
from strategies.model import Bar, Position, Signal
from tests.unit.engine.stage import Script, Stage, flat, install, long, on, plugin, stage

NAMES = st.sampled_from(["a", "b", "c"])


class Lives(RuleBasedStateMachine):
    """Three modules, a trader who changes his mind, a market, and faults."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.patch = pytest.MonkeyPatch()
        self.folder = Path(tempfile.mkdtemp(prefix="lives-"))
        self.events: list[MarketEvent] = []
        self.breaks: set[str] = set()
        scripts = {name: Script(opinion=self._opinion(name)) for name in "abc"}
        install(
            self.patch,
            plugin("a", scripts["a"], warmup=2),
            plugin("b", scripts["b"], after=("a",)),
            plugin("c", scripts["c"]),
        )
        self._open()

    def _opinion(self, name: str) -> Any:
        def opinion(bar: Bar, position: Position | None) -> Signal | None:
            if name in self.breaks:
                self.breaks.discard(name)
                raise RuntimeError("broken")
            return (
                flat() if position is not None and bar.open_ms // 60_000 % 3 == 0 else long() if not position else None
            )

        return opinion

    def _open(self) -> None:
        given = on("a", "b") | {"capital.total": "2500"}
        self.stage = stage(self.folder, events=self.events, settings=given)
        self.s: Stage = self._run(self.stage.__aenter__())

    def _run(self, work: Awaitable[Any]) -> Any:
        async def act() -> Any:
            return await work

        return self.runner.run(act())

    def _close(self) -> None:
        self._run(self.stage.__aexit__(None, None, None))

    def _try(self, work: Awaitable[Any]) -> None:
        try:
            self._run(work)
        except (UsageError, SafetyError):
            return

    @rule(name=NAMES, act=st.sampled_from(["pause", "resume", "enable", "disable"]))
    def asks(self, name: str, act: str) -> None:
        self._try(getattr(self.s.manager, act)(name))

    @rule(act=st.sampled_from(["pause_all", "resume_all"]))
    def asks_all(self, act: str) -> None:
        self._run(getattr(self.s.manager, act)())

    @rule(name=NAMES, amount=st.sampled_from(["500", "1000", "2000"]))
    def allocates(self, name: str, amount: str) -> None:
        self._try(self.s.manager.allocate(name, Decimal(amount)))

    @rule(name=NAMES)
    def will_break(self, name: str) -> None:
        self.breaks.add(name)

    @rule(close=st.sampled_from(["100", "100", "121", "89"]))
    def a_bar(self, close: str) -> None:
        before = {name: self._bought(name) for name in "abc"}
        may = {name for name in "abc" if self.s.state(name) in {"running", "failed", "enabled"}}
        self._run(self.s.bar(close))
        for name in "abc":
            assert name in may or self._bought(name) == before[name], f"{name} took an entry"

    @rule()
    def the_session_restarts(self) -> None:
        stood = {view.name: (view.paused, view.enabled, view.allocation) for view in self.s.manager.views()}
        self._close()
        self._open()
        for view in self.s.manager.views():
            assert (view.paused, view.enabled, view.allocation) == stood[view.name], view.name
            if view.paused and view.name in "abc":
                assert view.state in {ModuleState.PAUSED, ModuleState.FAILED}, view

    @invariant()
    def disk_is_memory(self) -> None:
        self._run(self.s.r.settle())
        stored = {row["name"]: row for row in self.s.r.rows("SELECT * FROM modules")}
        for view in self.s.manager.views():
            row = stored.get(view.name)
            if row is not None:
                assert (row["state"], bool(row["paused"])) == (view.state.value, view.paused), view.name
                assert row["restarts"] == view.restarts
            else:
                assert view.state is ModuleState.REGISTERED

    @invariant()
    def every_change_is_an_edge(self) -> None:
        for row in self.s.r.rows("SELECT kind, body FROM journal WHERE kind LIKE 'module%' ORDER BY seq"):
            for entity, name, old, new, who, _ in json.loads(row["body"])["set"]:
                assert (entity, who in {"trader", "engine", "start"}) == ("module", True)
                before, after = ModuleState(old), ModuleState(new)
                if who == "start":
                    # registered, enabled and warm in one transition; what failed meanwhile is on record already
                    assert after in {ModuleState.RUNNING, ModuleState.PAUSED, ModuleState.FAILED}
                else:
                    assert before is after or after in MODULE_EDGES[before], (name, old, new)

    @invariant()
    def capital_is_kept(self) -> None:
        given = sum((view.allocation for view in self.s.manager.views() if view.enabled), Decimal(0))
        assert given == self.s.r.desk.terms.capital <= 2500

    def teardown(self) -> None:
        try:
            self.s.r.assert_sound()
            self.s.r.assert_agrees_with_venue()
        finally:
            self._close()
            self.runner.close()
            self.patch.undo()
            shutil.rmtree(self.folder)

    def _bought(self, name: str) -> int:
        return int(
            self.s.r.session.reader.value("SELECT count(*) FROM trades WHERE module = ? AND side = 'buy'", (name,))
        )


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=6, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
