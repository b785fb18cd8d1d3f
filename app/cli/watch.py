"""Commands that only look: status, positions, orders, pnl, errors, alerts, modules."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any, Final

from app import reports, reports_execution
from app.cli import context, stakes
from app.errors import CountersignError, UsageError
from app.execution.stop_flag import StopFlag
from app.text import counted
from storage.database import Reader, reader, trader_pid
from storage.journal import head_of

_DIGITS: Final = 18
"""Of an error's number; SQLite's integers end at 19 digits."""


def when(ts_ms: int | None) -> str:
    """Market time for reading."""
    return "-" if ts_ms is None else f"{datetime.fromtimestamp(ts_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def status(options: argparse.Namespace) -> int:
    """What the trader is doing, running or not."""
    db = context.database(options)
    pid = trader_pid(db)
    live: dict[str, Any] | None = None
    if pid is not None:
        try:
            live = context.ask_trader(db, {"op": "status"}, timeout_s=2.0)
        except CountersignError as error:
            context.note(str(error))
    with reader(db) as data:
        document = {
            "database": str(db),
            "profile": data.value("SELECT value FROM meta WHERE key = 'profile'"),
            "source": data.value("SELECT value FROM meta WHERE key = 'source'"),
            "running": pid is not None,
            "pid": pid,
            "stop_in_force": StopFlag(db).raised(),
            "market_ms": data.value("SELECT ts_ms FROM cursor"),
            "open_positions": len(reports.positions(data)),
            "trades": _counts(data, "trades"),
            "orders": _counts(data, "orders"),
            "errors_unacknowledged": data.value("SELECT count(*) FROM errors WHERE acknowledged_ms IS NULL"),
            "journal_head": head_of(data.connection).seq,
            "latencies": reports_execution.latencies(data),
            "trader": live,
        }
    lines = [
        f"database    {db}",
        f"profile     {document['profile']}, source {str(document['source'])[:40]}",
        f"trader      {'runs, pid ' + str(pid) if pid else 'not running'}",
        f"market      {when(document['market_ms'])} UTC",
        f"stop        {'IN FORCE: countersign stop --reset lifts it' if document['stop_in_force'] else 'not in force'}",
        f"positions   {document['open_positions']} open",
        f"trades      {_words(document['trades'])}",
        f"orders      {_words(document['orders'])}",
        f"errors      {document['errors_unacknowledged']} not acknowledged",
        f"journal     {document['journal_head']} rows",
        f"latency     {_latency(document['latencies'])}",
    ]
    if live is not None:
        lines += [f"module      {module_words(each)}" for each in live["modules"]]
        lines.append(f"waiting     {live['waiting']} proposals for your answer")
        if live["halted"]:
            lines.append(f"HALTED      {live['halted']}")
    context.emit(options, "status", document, lines)
    return 0


def module_words(module: dict[str, Any]) -> str:
    """How a module stands, from what the trader says of it."""
    health = f", {module['health']}" if module["health"] not in {"", "failed"} else ""
    more = module["reason"] or module["health_words"]
    return f"{module['name']} {module['state']}{health}{': ' + more if more else ''}"


def _latency(steps: dict[str, Any]) -> str:
    words = ", ".join(f"{step} {took['p50_us'] / 1000:.1f}" for step, took in steps.items())
    return f"{words} ms (medians)" if words else "nothing measured yet"


def _counts(data: Reader, table: str) -> dict[str, int]:
    rows = data.rows(f"SELECT state, count(*) AS n FROM {table} GROUP BY state ORDER BY state")  # noqa: S608 -- our own table names
    return {row["state"]: row["n"] for row in rows}


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {state.lower()}" for state, n in counts.items()) or "none"


def positions(options: argparse.Namespace) -> int:
    """Open positions."""
    with reader(context.database(options)) as data:
        rows, liquidity = reports.positions(data), stakes.of(options, data)
    lines = [
        f"{r['symbol']:<12} {r['quantity']:>16} at {r['average_entry']:<16} unrealised {_signed(r['unrealised'])}  "
        f"exits {', '.join(e['role'] + ' ' + e['price'] for e in r['exits']) or 'UNCOVERED'}  [{r['module']}]"
        for r in rows
    ]
    lines += [line for each in liquidity for line in stakes.lines(each)]
    document = {"positions": rows, "liquidity": liquidity}
    context.emit(options, "positions", document, lines or ["No open positions."])
    return 0


def _signed(amount: str | None) -> str:
    if amount is None:
        return "unknown"
    return amount if amount.startswith("-") or amount == "0" else f"+{amount}"


def orders(options: argparse.Namespace) -> int:
    """Orders, newest first."""
    with reader(context.database(options)) as data:
        rows = reports.orders(data, limit=options.limit, offset=options.offset)
    lines = [
        f"{when(r['updated_ms'])}  {r['state']:<16} {_wanted(r)}  {_named(r)}"
        f"{'  HOT' if r['signer'] == 'keyring' else ''}"
        for r in rows
    ]
    context.emit(options, "orders", {"orders": rows}, lines or ["No orders."])
    return 0


def _wanted(order: dict[str, Any]) -> str:
    """An act has no side, no quantity and no price; and what is approved for one has none either."""
    if order["act"] is None:
        price = order["stop_price"] or order["limit_price"] or _at_market(order)
        return (
            f"{order['role']:<7} {order['side']:<4} {order['quantity']:>16} {order['symbol']:<12} {price:<14} "
            f"filled {order['filled']}"
        )
    moved = ", ".join(f"{each['amount']} {each['asset']}" for each in order["moves"])
    approves = "approve, to " if order["role"] == "approve" else ""
    return f"{approves}{order['title']}{f': {moved}' if moved else ''}"


def _at_market(order: dict[str, Any]) -> str:
    return "-" if order["kind"] == "transaction" else "market"  # an approval trades nothing


def _named(order: dict[str, Any]) -> str:
    """The beginning of its id; of a transaction, whose id is its hash, its block and its gas too."""
    if order["kind"] != "transaction":
        return str(order["client_id"][:8])
    place = "in no block" if order["block"] is None else f"block {order['block']}"
    return f"{order['client_id'][:10]}  {place}, gas {order['gas']}"


def pnl(options: argparse.Namespace) -> int:
    """Profit and loss."""
    with reader(context.database(options)) as data:
        document = {
            **reports.profit(data),
            "slippage": reports_execution.slippage(data),
            "liquidity": stakes.of(options, data),
        }
    lines = [
        f"{asset:<6} realised {_signed(t['realised'])}  fees -{t['fees']}  unrealised {_signed(t['unrealised'])}  "
        f"net {_signed(t['net'])}"
        for asset, t in document["by_asset"].items()
    ]
    trips = document["round_trips"]
    lines.append(f"{counted(document['fills'], 'fill')}; round trips {trips['won']} won, {trips['lost']} lost")
    lines += [
        f"slippage {each['module']} {each['symbol']}: {each['average_bps']} bps over "
        f"{counted(each['trades'], 'trade')}, worst {each['worst_bps']} bps"
        for each in document["slippage"]
    ]
    lines += [
        f"{each['act']} {each['module']}: {_signed(each['amount'])} {each['asset']}, before gas"
        for each in document["acts"]
    ]
    lines += [line for each in document["liquidity"] for line in stakes.lines(each)]
    lines += [f"gas     {each['module']:<12} -{each['amount']} {each['asset']}" for each in document["gas"]]
    lines += [
        f"adjusted {each['subject']:<5} {_signed(each['amount'])}  {each['reason']} ({when(each['wall_ms'])})"
        for each in document["adjustments"]
    ]
    lines += [f"balance {asset:<6} {amount}" for asset, amount in document["balances"].items()]
    context.emit(options, "pnl", document, lines)
    return 0


def errors(options: argparse.Namespace) -> int:
    """Stored errors, or acknowledge one."""
    if options.action == "ack":
        return _acknowledge(options)
    if options.id is not None:
        raise UsageError("errors.id", "Only ack takes a number: countersign errors ack 3")
    rows = _stored(options, "errors")
    lines = [
        f"{r['id']:>4} {when(r['ts_ms'])} {r['severity']:<8} {r['code']:<22} {r['what']} {r['next_step']}"
        f"{'' if r['acknowledged_ms'] is None else ' (acknowledged)'}"
        for r in rows
    ]
    context.emit(options, "errors", {"errors": rows}, lines or ["No errors."])
    return 0


def _acknowledge(options: argparse.Namespace) -> int:
    """Through the running trader, else under its lock."""
    from app.cli.alone import record  # noqa: PLC0415 -- asyncio and the writer, only to change something
    from app.trader_commands import ACKNOWLEDGE  # noqa: PLC0415 -- same

    db, text = context.database(options), options.id or ""
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        raise UsageError("errors.id", "Which error? Give its number: countersign errors ack 3")
    number = int(text)
    with reader(db) as data:
        row = data.one("SELECT acknowledged_ms FROM errors WHERE id = ?", (number,))
    if row is None:
        raise UsageError("errors.id", f"There is no error {number}.", next_step="See: countersign errors")
    if row["acknowledged_ms"] is None:
        if trader_pid(db) is not None:
            context.ask_trader(db, {"op": "acknowledge", "id": number})
        else:
            record(db, lambda now_ms: [(ACKNOWLEDGE, (now_ms, number))])
    context.emit(options, "acknowledged", {"id": number}, [f"Error {number} acknowledged."])
    return 0


def alerts(options: argparse.Namespace) -> int:
    """Stored alerts."""
    rows = _stored(options, "alerts")
    lines = [f"{r['id']:>4} {when(r['ts_ms'])} {r['severity']:<8} {r['kind']:<16} {r['text']}" for r in rows]
    context.emit(options, "alerts", {"alerts": rows}, lines or ["No alerts."])
    return 0


def _stored(options: argparse.Namespace, table: str) -> list[dict[str, Any]]:
    with reader(context.database(options)) as data:
        return data.rows(
            f"SELECT * FROM {table} ORDER BY id DESC LIMIT ? OFFSET ?",  # noqa: S608 -- our own table names
            (options.limit, options.offset),
        )
