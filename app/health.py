"""How a running trader fares: one picture for the Health screen, for ``countersign health`` and for the watch that
alerts. Plain reads, about 0.3 ms; nothing here waits."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.execution.standing_terms import Standing
from app.execution.standing_view import cover, on_chain
from app.reconcile_commands import BooksView, books_view
from app.risk.gate import oldest_quote_ms
from app.snapshots.chain import ChainView, chain
from app.text import counted

if TYPE_CHECKING:
    from app.engine.watchdog import Lag, Slow
    from app.execution.desk import Desk
    from app.trader import Trader

LEAST_FREE: Final = 500_000_000
"""Bytes of disk below which a session should not go on: what ``doctor`` asks for."""

_PATIENCE: Final = 3
"""Comparisons of venue and ledger that may come to no end before that is a fault: a trade may be under way."""

_ILL: Final = frozenset({"failed", "starved"})
"""A slow module, or one that is not warm yet, does what it should."""

SERIOUS: Final = "SELECT count(*) AS n FROM errors WHERE acknowledged_ms IS NULL AND severity IN ('HIGH', 'CRITICAL')"
"""Errors that a trader must have seen before everything is well."""


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of being ready."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Part:
    """Something that must run, and how it fares."""

    name: str
    works: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Feed:
    """The newest quote of an instrument: its age and the oldest that the gate trades on, market ms. `kind` is
    ``quote`` (the market's own), ``bar`` (made from bars) or ``none``."""

    symbol: str
    kind: str
    age_ms: int | None
    limit_ms: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class Market:
    """The market source: events so far, their rate, wall time since the newest; None where nobody measures it (a
    replay at full speed)."""

    position: int
    total_events: int | None
    per_minute: int | None
    silent_ms: int | None


@dataclass(frozen=True, slots=True)
class Machine:
    """Bytes. `memory` None: this system does not say it. `wal` is the database's log, not yet moved into it."""

    memory: int | None
    disk_free: int | None
    database: int
    wal: int
    journal_seq: int
    commits: int
    largest_group: int
    mirror_failures: int


@dataclass(frozen=True, slots=True)
class Health:
    """The whole picture. `lag` is None where the loop is not watched."""

    checks: tuple[Check, ...]
    parts: tuple[Part, ...]
    feeds: tuple[Feed, ...]
    market: Market
    lag: Lag | None
    slow: tuple[Slow, ...]
    machine: Machine
    chain: ChainView | None = None
    """None: the session trades on none."""
    books: BooksView | None = None
    """How venue and ledger stand to one another."""

    @property
    def ready(self) -> bool:
        """Takes new trades."""
        return all(check.passed for check in self.checks)

    def document(self) -> dict[str, Any]:
        """For the control socket and ``--json``."""
        return {"ready": self.ready, **asdict(self)}


def health(trader: Trader) -> Health:
    """How `trader`, whose session is open, fares now."""
    desk = trader.session.desk
    parts, feeds, machine = _parts(trader), _feeds(desk), _machine(trader)
    guard = trader.guard
    return Health(
        checks=_checks(trader, parts, feeds, machine),
        parts=parts,
        feeds=feeds,
        market=Market(
            position=trader.position,
            total_events=trader.source.total_events,
            per_minute=None if guard is None else guard.events_per_minute,
            silent_ms=None if guard is None else guard.silent_ms,
        ),
        lag=None if guard is None else guard.watchdog.lag(),
        slow=() if guard is None else guard.watchdog.slow(),
        machine=machine,
        chain=chain(trader.session),
        books=books_view(trader.session.recovery.books.books),
    )


def _checks(trader: Trader, parts: tuple[Part, ...], feeds: tuple[Feed, ...], machine: Machine) -> tuple[Check, ...]:
    session, desk = trader.session, trader.session.desk
    failed = session.writer.failed
    modules = [view for view in trader.manager.views() if view.enabled]
    ill = [f"{each.name} {each.health.value}: {each.health_words}" for each in modules if each.health.value in _ILL]
    ill += [f"{each.name} unavailable: {each.reason}" for each in modules if each.state.value == "registered"]
    states = ", ".join(f"{each.name} {each.state.value}" for each in modules) or "none is enabled"
    halted = "the emergency stop is in force" if desk.stop.raised() else desk.barred()
    unknown, down = desk.state.unknown_orders(), [part.name for part in parts if not part.works]
    fresh = sum(feed.fresh for feed in feeds)
    free = machine.disk_free
    return (
        Check("database writes", failed is None, failed.what if failed else f"{session.writer.queued} queued"),
        Check("takes new trades", not halted, halted or "yes"),
        Check("orders all known", unknown == 0, f"{unknown} unknown"),
        Check("modules run", not ill, "; ".join(ill) or states),
        Check("parts run", not down, ", ".join(down) or counted(len(parts), "part")),
        Check("market is fresh", fresh > 0, f"{fresh} of {counted(len(feeds), 'instrument')}"),
        Check("disk has room", free is None or free >= LEAST_FREE, "?" if free is None else f"{size(free)} free"),
    )


def _parts(trader: Trader) -> tuple[Part, ...]:
    session = trader.session
    writer, venue = session.writer, session.setup.running()
    wrong = writer.failed.what if writer.failed else "" if writer.alive else "the thread has ended"
    listening = trader.control is not None and trader.control.listening
    return (
        Part("engine", True, f"pid {os.getpid()}, event {trader.position}"),
        Part(venue.name, venue.well, venue.words),
        Part("database writer", not wrong, wrong or f"{writer.queued} queued"),
        Part("device", session.device.alive, f"{session.desk.terms.signer} {session.desk.terms.signer_address[:10]}"),
        *_comparing(trader),
        Part("control socket", listening, "other commands reach this trader" if listening else "nobody is answered"),
        *_standing(session.desk),
    )


def _standing(desk: Desk) -> tuple[Part, ...]:
    """On a chain: whether each position has its exit. One that is being asked for is on its way."""
    if not on_chain(desk):
        return ()
    held = desk.state.positions.open_holdings()
    bare = [(each.symbol, cover(desk, each.module, each.symbol)) for each in held]
    bare = [(symbol, seen) for symbol, seen in bare if not seen.covered]
    left = [symbol for symbol, seen in bare if seen.exit is None or seen.exit.standing is not Standing.ASKED]
    words = (
        f"UNCOVERED: {', '.join(symbol for symbol, _ in bare)}" if bare else f"{counted(len(held), 'position')} covered"
    )
    return (Part("standing exits", not left, words),)


def _comparing(trader: Trader) -> tuple[Part, ...]:
    """The task that compares venue and ledger; none in a replay at full speed. That they differ is no fault of it."""
    task, session = trader.comparing, trader.session
    books, every_s = session.recovery.books.books, session.settings.reconcile.every_s
    if task is None:
        return ()
    if task.done():
        return (Part("reconciliation", False, "it ended: venue and ledger are not compared any more"),)
    late = session.desk.wall.now_ms() - (books.compared_ms or 0) > _PATIENCE * every_s * 1000
    words = books.trouble or (counted(len(books.differences), "difference") if books.differences else "they agree")
    return (Part("reconciliation", not (books.trouble and late), f"every {every_s} s: {words}"),)


def _feeds(desk: Desk) -> tuple[Feed, ...]:
    return tuple(_feed(desk, symbol) for symbol in sorted(desk.instruments))


def _feed(desk: Desk, symbol: str) -> Feed:
    quote, bar_ms = desk.market.quote(symbol), desk.market.bar_ms(symbol)
    if quote is None:
        return Feed(symbol, "none", None, max(desk.limits.quote_age_ms, bar_ms), fresh=False)
    age, limit = desk.clock.now_ms() - quote.ts_ms, oldest_quote_ms(quote, bar_ms, desk.limits)
    return Feed(symbol, "bar" if quote.synthetic else "quote", age, limit, fresh=0 <= age <= limit)


def _machine(trader: Trader) -> Machine:
    db, writer = trader.session.plan.db, trader.session.writer
    return Machine(
        memory=_memory(),
        disk_free=_free(db.parent),
        database=_bytes(db),
        wal=_bytes(db.with_name(f"{db.name}-wal")),
        journal_seq=writer.head.seq,
        commits=writer.stats.commits,
        largest_group=writer.stats.largest_group,
        mirror_failures=writer.stats.mirror_failures,
    )


def _memory() -> int | None:
    try:
        with open(
            "/proc/self/statm", encoding="ascii"
        ) as file:  # proc(5): pages; the second number is what is resident
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def size(count: int) -> str:
    """Bytes for reading: ``812 kB``, ``1.5 GB``."""
    for unit, whole in (("GB", 1_000_000_000), ("MB", 1_000_000)):
        if count >= whole:
            return f"{count // whole}.{count % whole * 10 // whole} {unit}"
    return f"{count // 1000} kB"
