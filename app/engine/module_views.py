"""What is known of a module, for screens, for the database, and for the commands that ask."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from app.config.schema import ModuleSettings
from app.engine.lifecycle import ModuleState
from app.engine.module_health import Health
from app.engine.modules import Module, ModuleCounters
from app.engine.registry import Available
from app.engine.supervision import Supervision
from app.execution.desk import Desk
from app.execution.records import Role
from app.execution.standing_view import cover, on_chain
from app.money import ZERO, add, mul, sub, to_text, total
from app.portfolio.positions import Holding
from app.text import counted

_SAVE: Final = (
    "INSERT INTO modules (name, version, state, allocation, reason, updated_ms, paused, restarts, file_hash, health, "
    "health_words) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
    "version = excluded.version, state = excluded.state, allocation = excluded.allocation, reason = excluded.reason, "
    "updated_ms = excluded.updated_ms, paused = excluded.paused, restarts = excluded.restarts, "
    "file_hash = excluded.file_hash, health = excluded.health, health_words = excluded.health_words"
)
_MEASURE: Final = (
    "INSERT INTO module_metrics (ts_ms, module, bars, signals, intents, denied, dropped, submitted, fills, state, "
    "skipped, errors, restarts, committed, realised) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
Statement = tuple[str, tuple[Any, ...]]


@dataclass(slots=True)
class Slot:
    """One name: what is installed under it, and the module once it was enabled.

    Attributes:
        settings: as they hold now.
        unavailable: why an enabled module can not run.
        paused: by the trader; outlives failures, restarts and sessions.
        file_hash: of a third party's files when the trader enabled it.
        lost: the disk lost the newest change of it, so that asking for the same again is not in vain.
    """

    name: str
    available: Available | None
    settings: ModuleSettings = field(default_factory=ModuleSettings)
    module: Module | None = None
    unavailable: str = ""
    paused: bool = False
    file_hash: str = ""
    supervision: Supervision = field(default_factory=Supervision)
    health: Health = Health.NONE
    health_words: str = ""
    lost: bool = False

    @property
    def state(self) -> ModuleState:
        """Where it stands."""
        return ModuleState.REGISTERED if self.module is None else self.module.state

    @property
    def reason(self) -> str:
        """Why it stands there; "" when nobody has to say."""
        return "" if self.module is None else self.module.reason

    @property
    def version(self) -> str:
        """The spec's version; "" without one."""
        return self.available.spec.version if self.available and self.available.spec else ""

    def save(self, now_ms: int) -> Statement:
        """The statement that stores how it stands."""
        values = (
            self.name,
            self.version,
            self.state.value,
            to_text(self.settings.allocation),
            self.reason or self.unavailable,
            now_ms,
            int(self.paused),
            self.supervision.restarts,
            self.file_hash,
            self.health.value,
            self.health_words,
        )
        return _SAVE, values


@dataclass(frozen=True, slots=True)
class ModuleView:
    """One module at one instant. Amounts in account currency; None where no price says so.

    Attributes:
        unavailable: why it can not run, or "".
        enabled: whether the settings switch it on.
        committed: cost of its open lots and pending entries.
        realised: profit of what was sold, after all fees paid so far.
        restart_ms: when it will be started again after a failure, or None.
        p99_us: time of its newest decisions, or None.
        params: its parameters that the settings name, as text.
        third_party: its code is not ours and runs with full rights.
        notes: what its strategies say of themselves, each with its instrument; escaped.
        exits_managed_by: who looks after the exits of what it holds, in whatever state it is itself.
    """

    name: str
    version: str
    summary: str
    state: ModuleState
    reason: str
    unavailable: str
    enabled: bool
    paused: bool
    allocation: Decimal
    committed: Decimal
    realised: Decimal | None
    unrealised: Decimal | None
    counters: ModuleCounters
    restarts: int
    restart_ms: int | None
    health: Health
    health_words: str
    last_bar_ms: int | None
    p99_us: int | None
    params: tuple[tuple[str, str], ...]
    instruments: tuple[str, ...]
    third_party: bool
    log_level: str
    notes: tuple[str, ...]
    exits_managed_by: str

    def document(self) -> dict[str, Any]:
        """For ``--json``: amounts as text, times ms UTC."""
        counters = self.counters
        return {
            "name": self.name,
            "version": self.version or None,
            "summary": self.summary,
            "unavailable": self.unavailable,
            "enabled": self.enabled,
            "allocation": to_text(self.allocation),
            "state": self.state.value,
            "reason": self.reason,
            "paused": self.paused,
            "committed": to_text(self.committed),
            "realised": None if self.realised is None else to_text(self.realised),
            "unrealised": None if self.unrealised is None else to_text(self.unrealised),
            "bars": counters.bars,
            "signals": counters.signals,
            "intents": counters.intents,
            "denied": counters.denied,
            "dropped": counters.dropped,
            "submitted": counters.submitted,
            "fills": counters.fills,
            "errors": counters.errors,
            "skipped": counters.skipped,
            "restarts": self.restarts,
            "restart_ms": self.restart_ms,
            "health": self.health.value,
            "health_words": self.health_words,
            "last_bar_ms": self.last_bar_ms,
            "p99_us": self.p99_us,
            "params": dict(self.params),
            "instruments": list(self.instruments),
            "third_party": self.third_party,
            "log_level": self.log_level,
            "notes": list(self.notes),
            "exits_managed_by": self.exits_managed_by,
        }


def view_of(slot: Slot, desk: Desk) -> ModuleView:
    """How a module stands now."""
    settings, module = slot.settings, slot.module
    spec = slot.available.spec if slot.available else None
    realised, unrealised = profit(desk, slot.name)
    return ModuleView(
        name=slot.name,
        version=slot.version,
        summary=spec.summary if spec else "",
        state=slot.state,
        reason=slot.reason,
        unavailable=slot.unavailable or (slot.available.unavailable if slot.available else "it is not installed"),
        enabled=settings.enabled,
        paused=slot.paused,
        allocation=settings.allocation,
        committed=module.committed() if module else ZERO,
        realised=realised,
        unrealised=unrealised,
        counters=replace(module.counters, skipped=dict(module.counters.skipped)) if module else ModuleCounters(),
        restarts=slot.supervision.restarts,
        restart_ms=slot.supervision.due_ms,
        health=slot.health,
        health_words=slot.health_words,
        last_bar_ms=module.pulse.last_bar_ms if module else None,
        p99_us=module.pulse.p99_us if module else None,
        params=tuple((name, str(value)) for name, value in sorted(settings.params.items())),
        instruments=settings.instruments,
        third_party=slot.available is not None and slot.available.third_party,
        log_level=settings.log_level,
        notes=module.notes() if module else (),
        exits_managed_by=exits_of(desk, slot.name),
    )


def exits_of(desk: Desk, module: str) -> str:
    """Who looks after the exits of what a module holds."""
    held = [holding for holding in desk.state.positions.open_holdings() if holding.module == module]
    bare = [words for holding in held if (words := _bare(desk, holding))]
    if bare:
        words = f"UNCOVERED: no exit {'stands' if on_chain(desk) else 'rests'} for {', '.join(bare)}"
    elif held and on_chain(desk):
        words = "the session keeps their standing exits, and sends them while it runs"
    elif held:
        words = "the venue holds stop and target; the session follows them"
    else:
        words = "nobody needs to: it holds nothing"
    mine = (trade for trade in desk.state.trades.values() if trade.intent.module == module)
    roles = [order.role for trade in mine for order in trade.resting_entries()]
    acts = roles.count(Role.ACT)
    if entries := len(roles) - acts:
        words += f"; {counted(entries, 'resting entry order')} may still buy"
    return f"{words}; {counted(acts, 'act')} may still get into a block" if acts else words


def _bare(desk: Desk, holding: Holding) -> str:
    """What of a holding no stop covers, in words; "" when all of it is."""
    key = holding.module, holding.symbol
    rest = sub(holding.quantity, total([each for _, each in desk.state.exit_groups(*key)]))
    left = cover(desk, *key).uncovered if on_chain(desk) else rest
    if left <= ZERO:
        return ""
    part = "" if left == holding.quantity else f"{to_text(left)} of {to_text(holding.quantity)} "
    return part + holding.symbol


def profit(desk: Desk, module: str) -> tuple[Decimal | None, Decimal | None]:
    """A module's realised profit after fees, and that of its open lots at the last marks; None where a price or a rate
    is missing."""
    realised: Decimal | None = ZERO
    unrealised: Decimal | None = ZERO
    for (owner, symbol), holding in sorted(desk.state.positions.holdings.items()):
        if owner != module or not (holding.quantity or holding.net):
            continue
        rate, mark = desk.valuation.last_rate(desk.instruments[symbol].quote), desk.market.mark(symbol)
        realised = None if realised is None or rate is None else add(realised, mul(holding.net, rate))
        if holding.quantity:
            known = unrealised is not None and rate is not None and mark is not None
            open_lots = ZERO if mark is None else holding.unrealised(mark[0])
            unrealised = add(unrealised, mul(open_lots, rate)) if known else None  # type: ignore[arg-type]  # `known`
    return realised, unrealised


def measure(slot: Slot, desk: Desk, now_ms: int) -> Statement | None:
    """The statement of one row of metrics; None for what was never enabled."""
    module = slot.module
    if module is None:
        return None
    counters, realised = module.counters, profit(desk, slot.name)[0]
    values = (
        now_ms,
        slot.name,
        counters.bars,
        counters.signals,
        counters.intents,
        counters.denied,
        counters.dropped,
        counters.submitted,
        counters.fills,
        slot.state.value,
        sum(counters.skipped.values()),
        counters.errors,
        slot.supervision.restarts,
        to_text(module.committed()),
        None if realised is None else to_text(realised),
    )
    return _MEASURE, values
