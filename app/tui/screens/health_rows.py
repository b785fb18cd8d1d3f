"""Columns, rows and lines of the Health screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.health import LEAST_FREE, Feed, Health, Part, size
from app.reports_troubles import AlertView, ErrorView
from app.snapshots.log import LogLine
from app.text import escape_untrusted
from app.tui import words
from app.tui.keys import keyed
from app.tui.screens.facts import fact
from app.tui.widgets.lines import Line, Piece, line, wrapped
from app.tui.widgets.table import Column, Row

if TYPE_CHECKING:
    from app.snapshots.chain import ChainView
    from app.venues.evm.nodes.health import NodeView
    from app.venues.resilience.breaker import BreakerView

Facts = list[tuple[str, str, str]]

PARTS: Final = (Column("part", 16), Column("state", 5), Column("detail", 0, rank=1))
NODES: Final = (
    Column("node", 22),
    Column("state", 8),
    Column("latency", 8, right=True),
    Column("head", 9, right=True),
    Column("lag", 4, right=True, rank=4),
    Column("age", 5, right=True, rank=5),
    Column("reading", 9, rank=2),
    Column("sending", 9, rank=3),
    Column("errors", 6, right=True, rank=6),
    Column("trouble", 0, rank=1, least=20),
)
FEEDS: Final = (
    Column("instrument", 12),
    Column("state", 5),
    Column("age", 6, right=True),
    Column("oldest", 6, right=True),
    Column("from", 6, rank=1),
)
ERRORS: Final = (
    Column("no", 5, right=True),
    Column("when", 14, rank=3),
    Column("severity", 8),
    Column("class", 10, rank=2),
    Column("code", 20, rank=1),
    Column("what", 0, least=40),
    Column("seen", 4),
)
ALERTS: Final = (Column("when", 14), Column("severity", 8), Column("kind", 14, rank=1), Column("text", 0, least=40))
LOG: Final = (
    Column("when", 14, rank=1),
    Column("level", 7),
    Column("event", 24),
    Column("fields", 0, rank=2, least=20),
)

_SEVERITIES: Final = {"CRITICAL": "alarm", "HIGH": "error", "MEDIUM": "warn"}
_LEVELS: Final = {"warning": "warn", "error": "error", "critical": "error", "debug": "dim"}


def part(seen: Part) -> Row:
    """Something that must run."""
    state = ("ok", "ok") if seen.works else ("DOWN", "error")
    return Row(seen.name, ((seen.name, ""), state, (escape_untrusted(seen.detail), "dim" if seen.works else "error")))


def node(seen: NodeView) -> Row:
    """One node of the chain: its host, never the rest of its address."""
    breakers = [_breaker(each) for each in (seen.reading, seen.sending)]
    return Row(
        seen.name,
        (
            (seen.name, ""),
            ("well", "ok") if seen.usable else ("NOT USED", "error"),
            (words.micros(seen.latency_us) if seen.latency_us else "-", ""),
            ("-" if seen.head is None else f"{seen.head:,}", ""),
            (str(seen.lag), "warn" if seen.lag else "dim"),
            (words.age(seen.head_age_ms), "dim"),
            *breakers,
            (f"{seen.errors_percent} %", "warn" if seen.errors_percent else "dim"),
            (escape_untrusted(seen.trouble), "warn"),
        ),
    )


def _breaker(seen: BreakerView) -> Piece:
    if seen.state == "closed":
        return "closed", "dim"
    left = f" {words.age(seen.retry_in_ms)}" if seen.retry_in_ms else ""
    return f"{seen.state}{left}", "error"


def chain(seen: ChainView, width: int) -> list[Line]:
    """What may be done on the chain, and why not more."""
    role = "ok" if seen.mode == "normal" else "error"
    number = "no block yet" if seen.block is None else f"block {seen.block:,}, {words.age(seen.age_ms)} old"
    lines = [line((seen.may, role), (f"  chain {seen.name} ({seen.chain_id}), {number}", ""))]
    if seen.reason:
        lines += wrapped(escape_untrusted(seen.reason), width, "warn", "  ")
    return [*lines, *wrapped(f"Nodes that must agree: {seen.quorum}.", width, "dim", "  "), *_sending(seen, width)]


def _sending(seen: ChainView, width: int) -> list[Line]:
    """Who sees a transaction before it is mined, and which of the private ones wait."""
    private = seen.private
    if private is None:
        return wrapped(
            "Transactions go to the public mempool: others see them before they are mined.", width, "dim", "  "
        )
    state = "" if private.sending.state == "closed" else f" It is not asked now: {private.sending.reason}."
    text = f"Transactions go privately through {private.host} ({private.kind}).{state}"
    lines = wrapped(escape_untrusted(text), width, "error" if state else "dim", "  ")
    for each in private.waiting:
        known = "" if each.known else ", ITS ANSWER WAS LOST"
        status = f", it says {each.status}" if each.status else ""
        late = each.blocks >= private.blocks
        words_ = f"{each.client_id[:10]} waits {each.blocks} of {private.blocks} blocks{known}{status}"
        lines += wrapped(escape_untrusted(words_), width, "warn" if late or known else "", "  ")
    return lines


def feed(seen: Feed) -> Row:
    """One instrument's newest quote."""
    state = ("fresh", "ok") if seen.fresh else ("STALE" if seen.kind != "none" else "none", "warn")
    return Row(
        seen.symbol,
        ((seen.symbol, ""), state, (words.age(seen.age_ms), ""), (words.age(seen.limit_ms), "dim"), (seen.kind, "dim")),
    )


def error(seen: ErrorView) -> Row:
    """One stored error."""
    done = seen.acknowledged_ms is not None
    return Row(
        str(seen.id),
        (
            (str(seen.id), "dim"),
            (words.clock(seen.ts_ms), "dim"),
            (seen.severity, "dim" if done else _SEVERITIES.get(seen.severity, "")),
            (seen.error_class, "dim"),
            (escape_untrusted(seen.code), "label"),
            (escape_untrusted(seen.what), "dim" if done else ""),
            ("yes" if done else "", "dim"),
        ),
    )


def alert(seen: AlertView) -> Row:
    """One stored alert."""
    return Row(
        str(seen.id),
        (
            (words.clock(seen.ts_ms), "dim"),
            (seen.severity, _SEVERITIES.get(seen.severity, "")),
            (escape_untrusted(seen.kind), "label"),
            (escape_untrusted(seen.text), ""),
        ),
    )


def log(seen: LogLine) -> Row:
    """One record."""
    return Row(
        str(seen.offset),
        (
            (words.clock(seen.ts_ms), "dim"),
            (seen.level, _LEVELS.get(seen.level, "")),
            (escape_untrusted(seen.event), "label"),
            (escape_untrusted(seen.fields), ""),
        ),
    )


def error_facts(seen: ErrorView) -> Facts:
    """All of an error."""
    sent = {"no": "nothing was sent", "yes": "it was sent", "unknown": "maybe sent: do not repeat"}
    return [
        ("what", seen.what, "title"),
        ("sent", sent.get(seen.sent, seen.sent), "" if seen.sent == "no" else "warn"),
        ("next step", seen.next_step, "key"),
        ("severity", seen.severity, _SEVERITIES.get(seen.severity, "")),
        ("class", seen.error_class, ""),
        ("code", seen.code, ""),
        ("about", seen.subject, ""),
        ("when", f"{words.clock(seen.ts_ms)} UTC, market time", ""),
        ("acknowledged", "" if seen.acknowledged_ms is None else f"{words.clock(seen.acknowledged_ms)} UTC", ""),
    ]


def alert_facts(seen: AlertView) -> Facts:
    """All of an alert."""
    return [
        ("alert", seen.text, "title"),
        ("severity", seen.severity, _SEVERITIES.get(seen.severity, "")),
        ("kind", seen.kind, ""),
        ("about", seen.subject, ""),
        ("when", f"{words.clock(seen.ts_ms)} UTC, market time", ""),
    ]


def log_facts(seen: LogLine) -> Facts:
    """All of a record."""
    return [
        ("event", seen.event, "title"),
        ("level", seen.level, _LEVELS.get(seen.level, "")),
        ("when", f"{words.clock(seen.ts_ms)} UTC, this machine's clock", ""),
        ("fields", seen.fields, ""),
    ]


def state(seen: Health | None, why: str, serious: int, width: int) -> list[Line]:
    """Ready or not, and each condition of it."""
    if seen is None:
        return [line(("NOT READY", "error")), *wrapped(escape_untrusted(why), width, "warn")]
    ready = seen.ready and not serious
    lines = [
        line(("READY" if ready else "NOT READY", "ok" if ready else "error"), ("  takes new trades" * ready, "dim"))
    ]
    checks = [(each.name, each.passed, each.detail) for each in seen.checks]
    checks.append(("no serious errors", serious == 0, f"{serious} not acknowledged"))
    if seen.chain is not None:
        lines += chain(seen.chain, width)
    for each in seen.books.differences if seen.books is not None else ():
        lines += wrapped(escape_untrusted(each.words), width, "error" if each.stops else "warn")
        lines += wrapped(escape_untrusted(keyed(each.next_step)), width, "key", "  ")
    for name, passed, detail in sorted(checks, key=lambda each: each[1]):
        head = ("ok   ", "ok") if passed else ("FAIL ", "error")
        first, *more = wrapped(escape_untrusted(detail), max(width - 24, 12), "dim" if passed else "warn")
        lines.append(line(head, (f"{name:<18} ", ""), *first.pieces))
        lines += [line(" " * 24, *each.pieces) for each in more]
    return lines


def numbers(seen: Health, width: int) -> list[Line]:
    """What is measured."""
    lag, market, machine = seen.lag, seen.market, seen.machine
    lines: list[Line] = []
    if lag is None:
        lines += fact("loop lag", "not watched: this replay keeps the loop busy on purpose", width, "dim")
    elif lag.p50_us is None or lag.p99_us is None or lag.max_us is None:
        lines += fact("loop lag", "measured in a moment", width, "dim")
    else:
        text = f"p50 {_ms(lag.p50_us)}, p99 {_ms(lag.p99_us)}, max {_ms(lag.max_us)} ms, last minute"
        lines += fact("loop lag", text, width, "warn" if lag.p99_us > 30_000 else "")
    for each in seen.slow[:4]:
        lines += fact("slow", f"{each.worst_ms} ms at worst, {each.count}x: {each.handler}", width, "warn")
    if market.per_minute is not None and market.silent_ms is not None:
        pace = f"{market.per_minute / 60:.1f} events a second, newest {words.age(market.silent_ms)} ago"
        lines += fact("market", pace, width)
    memory = "this system does not say" if machine.memory is None else size(machine.memory)
    free = machine.disk_free
    lines += fact("memory", memory, width)
    room = "?" if free is None else f"{size(free)} free"
    lines += fact("disk", room, width, "" if free is None or free >= LEAST_FREE else "error")
    lines += fact("database", f"{size(machine.database)}, log {size(machine.wal)}", width)
    lines += fact("journal", f"row {machine.journal_seq}, {machine.commits} commits since the start", width)
    if machine.mirror_failures:
        lines += fact("mirror", f"{machine.mirror_failures} writes of the journal's mirror failed", width, "warn")
    return lines


def _ms(micros: int) -> str:
    return f"{micros / 1000:.1f}"
