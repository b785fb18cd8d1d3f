"""A module that was enabled: one strategy per instrument, fed with bars, its signals turned into intents.

While it is paused its opinions make no entry. A close goes on: it can only reduce risk, the trader confirms it like any
other trade, and a trader who pauses a module wants fewer positions, not more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, is_dataclass, replace
from decimal import Decimal
from typing import Any

from app import logs
from app.engine.intents import IntentMaker, Skipped
from app.engine.lifecycle import MODULE_EDGES, SEES_BARS, ModuleState
from app.engine.module_health import Pulse
from app.errors import Severity
from app.execution.records import Trade
from app.execution.states import check_edge
from app.ids import intent_id
from app.risk.model import Sizing, SizingMethod
from app.risk.sizing import annualised_volatility
from app.text import escape_untrusted
from strategies.base import NO_INSTRUMENT, ModuleSpec, Strategy
from strategies.model import Bar, Direction, Intent, Notice, Side, Signal

_VOLATILITY_BARS = 120
_MOST_AGAIN = 3
"""Fresh proposals in a row for one signal whose price ran away; after that the strategy must ask anew."""
_PAUSED = Skipped("paused")
_COLD = Skipped("not warm")


def log_name(module: str) -> str:
    """Name of a module's own logger."""
    return f"app.module.{module}"


@dataclass(slots=True)
class ModuleCounters:
    """Since start; written to module_metrics."""

    bars: int = 0
    signals: int = 0
    intents: int = 0
    denied: int = 0
    dropped: int = 0
    submitted: int = 0
    fills: int = 0
    errors: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    """Signals that became no intent, by reason."""


class Module:
    """One module. It begins ENABLED; whoever owns it feeds it the past, then moves it to RUNNING or PAUSED.

    Args:
        trades: decides whether an instrument is this module's.
        propose: the pipeline's door.
        publish: carries a message to the modules that listen.
        lacks: what it needs and does not have now, in words; "" when it may enter.
    """

    def __init__(
        self,
        *,
        spec: ModuleSpec,
        params: Any,
        sizing: Sizing,
        maker: IntentMaker,
        run: str,
        trades: Callable[[str], bool],
        propose: Callable[[Intent], Trade | None],
        publish: Callable[[object], None] = lambda _: None,
        lacks: Callable[[], str] = lambda: "",
    ) -> None:
        self.spec = spec
        self.params = params
        self.state = ModuleState.ENABLED
        self.reason = ""
        self.counters = ModuleCounters()
        self.pulse = Pulse()
        self._sizing = sizing
        self._maker = maker
        self._run = run
        self._trades = trades
        self._propose = propose
        self._publish, self._lacks = publish, lacks
        self._warmup = spec.warmup_bars(params)
        self._strategies: dict[str, Strategy] = {}
        self._seen: dict[str, int] = {}
        self._closes: dict[str, deque[Decimal]] = {}
        self._sequence = 0
        self._again: dict[str, int] = {}
        self._log = logs.get(log_name(spec.name)).bind(module=spec.name)

    @property
    def name(self) -> str:
        """The spec's name."""
        return self.spec.name

    @property
    def warmup(self) -> int:
        """Bars its strategies need before their opinions count."""
        return self._warmup

    @property
    def allocation(self) -> Decimal:
        """Its capital, account currency."""
        return self._maker.allocation

    def allocate(self, amount: Decimal) -> None:
        """Another capital, for the next intent."""
        self._maker = replace(self._maker, allocation=amount)

    def committed(self) -> Decimal:
        """What it has at work, account currency."""
        return self._maker.committed()

    def move(self, state: ModuleState, reason: str = "") -> None:
        """Change its state.

        Raises:
            IllegalTransition: `MODULE_EDGES` has no such edge.
        """
        check_edge(MODULE_EDGES, self.name, self.state, state)
        self._log.info("module.state", old=self.state.value, new=state.value, reason=reason)
        self.state, self.reason = state, reason

    def forget(self) -> None:
        """Start from nothing: fresh strategies, to be fed the past again. Counters and intent numbers go on."""
        self._strategies.clear()
        self._seen.clear()
        self._closes.clear()
        self.pulse = Pulse()

    def warm(self, bar: Bar, *, aloud: bool) -> None:
        """Take a bar of the past; opinions about the past are ignored.

        Args:
            aloud: publish what the strategy says of it. Not when this module alone is fed the past, which the others
                know already.

        Raises:
            Exception: whatever the strategy raises.
        """
        if self._trades(bar.symbol):
            self._feed(bar, aloud=aloud)

    def on_bar(self, bar: Bar) -> None:
        """React to a finished bar: at most one intent.

        Raises:
            Exception: whatever the strategy raises.
        """
        if self.state not in SEES_BARS or not self._trades(bar.symbol):
            return
        clock = self._maker.desk.clock
        begun = clock.monotonic_ns()
        self.counters.bars += 1
        signal = self._feed(bar, aloud=True)
        if signal is not None:
            self._decide(signal, bar.symbol, self._volatility(bar))
        self.pulse.decided(clock.monotonic_ns() - begun)

    def hear(self, message: Any) -> None:
        """Give a message of another module or of the chain to the strategy of its instrument, or to that of none; at
        most one intent.

        Raises:
            Exception: whatever the strategy raises.
        """
        symbol = message.symbol
        if self.state not in SEES_BARS | {ModuleState.ENABLED} or not (self._trades(symbol) or symbol == NO_INSTRUMENT):
            return
        strategy: Any = self._strategy(symbol)
        said: Signal | Notice | None = strategy.on_message(message)
        if said is None or self.state not in SEES_BARS:
            return
        if isinstance(said, Notice):
            self._maker.desk.alert(Severity.LOW, "module.notice", escape_untrusted(said.text), self.name)
        else:
            self._decide(said, symbol, None)

    def notes(self) -> tuple[str, ...]:
        """What its strategies have to say of themselves, by instrument."""
        found = []
        for symbol, strategy in sorted(self._strategies.items()):
            speaker: Any = strategy
            note = speaker.note() if hasattr(strategy, "note") else ""
            if note:
                found.append(escape_untrusted(f"{symbol}: {note}" if symbol else note))
        return tuple(found)

    def propose_again(self, trade: Trade) -> None:
        """The confirmed price of `trade` no longer holds: a fresh proposal says what changed."""
        again = self._again.pop(trade.id, 0) + 1
        closes = trade.intent.side is Side.SELL  # no strategy is asked, so it may have failed or be off
        if again <= _MOST_AGAIN and (closes or self.state is ModuleState.RUNNING):
            made = self._maker.again(trade.intent, self._next_id(), trade.reason)
            if isinstance(made, Intent):
                self._again[made.id] = again
            self._offer(made)

    def _strategy(self, symbol: str) -> Strategy:
        strategy = self._strategies.get(symbol)
        if strategy is None:
            strategy = self._strategies[symbol] = self.spec.factory(self.params)
            self._seen[symbol] = 0
            self.pulse.cold += self._warmup > 0 and symbol != NO_INSTRUMENT
        return strategy

    def _feed(self, bar: Bar, *, aloud: bool) -> Signal | None:
        pulse = self.pulse
        pulse.timeframe_ms = bar.timeframe_ms  # also of a bar on which it fails
        strategy = self._strategy(bar.symbol)
        if self._sizing.method is SizingMethod.VOLATILITY_TARGET:
            self._closes.setdefault(bar.symbol, deque(maxlen=_VOLATILITY_BARS)).append(bar.close)
        position = self._maker.desk.state.positions.holding(self.name, bar.symbol).view()
        signal = strategy.on_bar(bar, position)
        seen = self._seen[bar.symbol] = self._seen[bar.symbol] + 1
        pulse.cold -= seen == self._warmup
        pulse.last_bar_ms = bar.close_ms
        if aloud and self.spec.publishes:
            speaker: Any = strategy
            for message in speaker.messages():
                self._say(message)
        return signal

    def _say(self, message: object) -> None:
        kind = type(message)
        frozen = is_dataclass(kind) and kind.__dataclass_params__.frozen and hasattr(message, "symbol")  # type: ignore[attr-defined]  # every dataclass has it
        if kind not in self.spec.publishes or not frozen:
            raise TypeError(f"{kind.__name__} is no frozen dataclass with a symbol that the module's spec publishes")
        self._publish(message)

    def _decide(self, signal: Signal, symbol: str, volatility: float | None) -> None:
        if signal.symbol != symbol or symbol == NO_INSTRUMENT:  # what the settings do not let this module trade
            raise ValueError(f"an opinion about {signal.symbol or 'nothing'} where {symbol or 'nothing'} was told of")
        self.counters.signals += 1
        self._log.debug("module.signal", symbol=signal.symbol, direction=signal.direction.value, why=signal.reason)
        if signal.direction is Direction.FLAT:  # also where there is nothing to close: an entry may still wait
            self._maker.desk.on_unwanted(self.name, signal.symbol)
        if (why_not := self._no_entry(symbol)) and signal.direction is Direction.LONG:
            self._offer(why_not)
        else:
            self._offer(self._maker.from_signal(signal, self._next_id(), volatility))

    def _no_entry(self, symbol: str) -> Skipped | None:
        """Why its opinion makes no entry now."""
        if self.state is ModuleState.PAUSED:
            return _PAUSED
        if self._warmup and self._seen[symbol] <= self._warmup:  # the market had no past to warm it with
            return _COLD
        lack = self._lacks()
        return Skipped(lack) if lack else None

    def _offer(self, made: Intent | Skipped) -> None:
        counters, total = self.counters, self._maker.desk.counters
        if isinstance(made, Skipped):
            counters.skipped[made.why] = counters.skipped.get(made.why, 0) + 1
            self._log.debug("module.skipped", why=made.why)
            return
        counters.intents += 1
        denied, dropped = total.denied, total.dropped
        self._propose(made)
        counters.denied += total.denied - denied
        counters.dropped += total.dropped - dropped

    def _next_id(self) -> str:
        self._sequence += 1
        return intent_id(self._run, self.name, self._sequence)

    def _volatility(self, bar: Bar) -> float | None:
        closes = self._closes.get(bar.symbol)
        return annualised_volatility(closes, bar.timeframe_ms) if closes else None
