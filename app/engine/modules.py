"""A running module: one strategy per instrument, fed with bars, its signals turned into intents.

A module that raises is stopped with its reason shown; the others go on, and its exits rest at the venue as before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from app.engine.intents import IntentMaker, Skipped
from app.execution.records import Trade
from app.ids import intent_id
from app.money import to_text
from app.risk.model import Sizing, SizingMethod
from app.risk.sizing import annualised_volatility
from strategies.base import ModuleSpec, Strategy
from strategies.model import Bar, Direction, Intent, Signal

_VOLATILITY_BARS = 120
_MOST_AGAIN = 3
"""Fresh proposals in a row for one signal whose price ran away; after that the strategy must ask anew."""


class ModuleState(StrEnum):
    """Lifecycle as far as it is built: a module runs, is disabled by config, or has failed."""

    DISABLED = "disabled"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(slots=True)
class ModuleCounters:
    """Since start; written to module_metrics."""

    bars: int = 0
    signals: int = 0
    intents: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    """Signals that became no intent, by reason."""


class Module:
    """One module.

    Args:
        trades: decides whether an instrument is this module's.
        propose: the pipeline's door.
    """

    def __init__(
        self,
        *,
        spec: ModuleSpec,
        params: Any,
        allocation: Decimal,
        sizing: Sizing,
        maker: IntentMaker,
        run: str,
        trades: Callable[[str], bool],
        propose: Callable[[Intent], Trade | None],
    ) -> None:
        self.spec = spec
        self.params = params
        self.allocation = allocation
        self.state = ModuleState.RUNNING
        self.reason = ""
        self.counters = ModuleCounters()
        self._sizing = sizing
        self._maker = maker
        self._run = run
        self._trades = trades
        self._propose = propose
        self._strategies: dict[str, Strategy] = {}
        self._closes: dict[str, deque[Decimal]] = {}
        self._sequence = 0
        self._again: dict[str, int] = {}

    @property
    def name(self) -> str:
        """The spec's name."""
        return self.spec.name

    def warm_up(self, bars: Iterable[Bar]) -> None:
        """Feed bars of the past; opinions about the past are ignored. A strategy that raises fails its module only."""
        try:
            for bar in bars:
                if self.state is ModuleState.RUNNING and self._trades(bar.symbol):
                    self._feed(bar)
        except Exception as error:  # noqa: BLE001 -- another's code, as in the bus: the others must start
            self.fail(repr(error))

    def on_bar(self, bar: Bar) -> None:
        """React to a finished bar: at most one intent."""
        if self.state is not ModuleState.RUNNING or not self._trades(bar.symbol):
            return
        self.counters.bars += 1
        signal = self._feed(bar)
        if signal is not None:
            self.counters.signals += 1
            if signal.direction is Direction.FLAT:  # also where there is nothing to close: an entry may still wait
                self._maker.desk.on_unwanted(self.name, signal.symbol)
            self._offer(self._maker.from_signal(signal, self._next_id(), self._volatility(bar)))

    def propose_again(self, trade: Trade) -> None:
        """The confirmed price of `trade` no longer holds: a fresh proposal says what changed."""
        again = self._again.pop(trade.id, 0) + 1
        if self.state is ModuleState.RUNNING and again <= _MOST_AGAIN:
            made = self._maker.again(trade.intent, self._next_id(), trade.reason)
            if isinstance(made, Intent):
                self._again[made.id] = again
            self._offer(made)

    def row(self, ts_ms: int) -> tuple[str, tuple[object, ...]]:
        """The statement that stores how it stands."""
        values = (self.name, self.spec.version, self.state.value, to_text(self.allocation), self.reason, ts_ms)
        return "INSERT OR REPLACE INTO modules VALUES (?, ?, ?, ?, ?, ?)", values

    def fail(self, reason: str) -> None:
        """Take no new entries; resting exits stay."""
        self.state, self.reason = ModuleState.FAILED, reason

    def _feed(self, bar: Bar) -> Signal | None:
        strategy = self._strategies.get(bar.symbol)
        if strategy is None:
            strategy = self._strategies[bar.symbol] = self.spec.factory(self.params)
        if self._sizing.method is SizingMethod.VOLATILITY_TARGET:
            self._closes.setdefault(bar.symbol, deque(maxlen=_VOLATILITY_BARS)).append(bar.close)
        position = self._maker.desk.state.positions.holding(self.name, bar.symbol).view()
        return strategy.on_bar(bar, position)

    def _offer(self, made: Intent | Skipped) -> None:
        if isinstance(made, Skipped):
            self.counters.skipped[made.why] = self.counters.skipped.get(made.why, 0) + 1
            return
        self.counters.intents += 1
        self._propose(made)

    def _next_id(self) -> str:
        self._sequence += 1
        return intent_id(self._run, self.name, self._sequence)

    def _volatility(self, bar: Bar) -> float | None:
        closes = self._closes.get(bar.symbol)
        return annualised_volatility(closes, bar.timeframe_ms) if closes else None
