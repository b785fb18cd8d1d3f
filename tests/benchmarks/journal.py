"""What a durable transition costs, next to an append + fdatasync on the same disk in the same run.

    python -m tests.benchmarks.journal

One *transition* is a filled order as the pipeline commits it, made by the product's own `Transition`: a journal row
with its hash, an order event, a fill, six postings with their balances, and the projections of order, trade,
reservation, position and cursor. Timed from the finished transition to the resolved future, like `Desk.commit`. Prints
one JSON object; every figure is a ratio of medians over alternated rounds, or a count of system calls. Goals: the
transition <= 3x, its CPU outside the sync (its process time less that of an append + fdatasync) <= 150 us, one
fdatasync each; bare row <= 1.0x; 64 waiting transitions at most 2 syncs and >= 4x the single rate.

Before the rounds the log is filled once and written over from its start, as in any session after its first minutes: a
file that still grows syncs slower. `first_transition_vs_append` is the ratio before that.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from app.execution.purse import Hold
from app.execution.records import Order, Role, Trade
from app.execution.states import TradeState
from app.execution.transition import Transition
from app.money import ZERO, mul
from app.portfolio.ledger import of_fill
from app.portfolio.positions import PositionBook
from app.venues.base import OrderKind, OrderReport, OrderRequest, OrderState, VenueFill
from storage.database import open_for_trading
from storage.writer import _CHECKPOINT_BUSY, Commit, Writer
from strategies.model import Exits, Instrument, Intent, Side

ROUNDS = 300
GROUP = 64
INSTRUMENT = Instrument("ETH-BTC", "ETH", "BTC", Decimal("0.00000001"), Decimal("0.00000001"))
PRICE, QUANTITY = Decimal("0.09196149"), Decimal("0.00217482")


class Fills:
    """Open entries to fill, and their fills, one at a time."""

    def __init__(self) -> None:
        self._book = PositionBook()
        self._open: dict[int, tuple[Trade, Order, Hold]] = {}

    def opened(self, number: int) -> Commit:
        """A submitted entry that rests at the venue."""
        ident = f"{number:032x}"
        exits = Exits(Decimal("0.09"), Decimal("0.1"))
        fee = Decimal("0.0000003")
        intent = Intent(
            ident, "momentum", "ETH-BTC", Side.BUY, QUANTITY, PRICE, fee, exits, "breakout", number, number + 60_000, 1
        )
        trade, transition = Trade(intent, TradeState.SUBMITTED), Transition(number)
        request = OrderRequest(ident, "ETH-BTC", Side.BUY, OrderKind.MARKET, QUANTITY, number + 60_000, PRICE)
        order, hold = Order(request, ident, Role.ENTRY), Hold("BTC", Decimal("0.0002003"), Decimal("0.0002003"))
        transition.new_trade(trade)
        transition.hold(trade.id, hold, "OPEN")
        transition.new_order(trade, order)
        transition.report(order, OrderReport(ident, f"v{number}", OrderState.OPEN, QUANTITY, ZERO, (), 1, number))
        self._open[number] = trade, order, hold
        return transition.commit("trade.submitted", ident, ("sha256:x", number, number))

    def filled(self, number: int) -> Transition:
        """Its fill, whole."""
        trade, order, hold = self._open.pop(number)
        fee = mul(mul(PRICE, QUANTITY), Decimal("0.001"))
        fill = VenueFill(f"f{number}", trade.id, "ETH-BTC", Side.BUY, PRICE, QUANTITY, fee, "BTC", number)
        transition, self._book = Transition(number), self._book if number % 50 else PositionBook()
        self._book.apply("momentum", fill)
        report = OrderReport(trade.id, f"v{number}", OrderState.FILLED, QUANTITY, QUANTITY, (fill,), 2, number)
        postings = of_fill("paper", "momentum", INSTRUMENT, fill)
        transition.report(order, report)
        transition.fill("paper", trade, fill, postings, self._book.holding("momentum", "ETH-BTC"))
        transition.trade(trade, TradeState.FILLED)
        hold.remaining = ZERO
        transition.hold(trade.id, hold, "RELEASED")
        return transition

    @staticmethod
    def commit(transition: Transition, number: int) -> Commit:
        """What `Desk.commit` hands to the writer."""
        return transition.commit("order.filled", f"{number:032x}", ("sha256:x", number, number))


def bare_row(number: int) -> Commit:
    """One small record and nothing else."""
    sql = "INSERT INTO latencies (trade_id, step, micros) VALUES (?, 'bench', ?)"
    return Commit(number, "", statements=((sql, (f"{number:032x}", number)),))


async def measure(folder: Path) -> dict[str, object]:
    """Alternated rounds of the three operations, then groups."""
    database = open_for_trading(folder / "bench.db", "paper")
    writer = Writer(database.connection, database.path)
    writer.start(asyncio.get_running_loop())
    first = await _rounds(writer, folder / "first", 1, 100)
    await _fill_the_log(writer)
    times = await _rounds(writer, folder / "raw", 10_000, ROUNDS)
    groups, group_times = await _groups(writer)
    writer.stop()
    database.close()
    append, single = statistics.median(times["append"]), statistics.median(times["transition"])
    cpu = statistics.median(times["cpu"]) - statistics.median(times["append_cpu"])
    return {
        "append_fdatasync_us": round(append / 1000, 1),
        "transition_us": round(single / 1000, 1),
        "transition_vs_append": round(single / append, 2),
        "transition_cpu_us": round(cpu / 1000, 1),
        "row_vs_append": round(statistics.median(times["row"]) / append, 2),
        "first_transition_vs_append": round(
            statistics.median(first["transition"]) / statistics.median(first["append"]), 2
        ),
        "group_of_64_transactions": max(groups),
        "group_rate_vs_single": round(GROUP * single / statistics.median(group_times), 2),
    }


async def _rounds(writer: Writer, raw_path: Path, start_at: int, rounds: int) -> dict[str, list[int]]:
    raw, fills = os.open(raw_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), Fills()
    times: dict[str, list[int]] = {"append": [], "append_cpu": [], "transition": [], "row": [], "cpu": []}
    for number in range(start_at, start_at + rounds):
        await writer.submit(fills.opened(number))
        start, cpu = time.perf_counter_ns(), time.process_time_ns()
        os.write(raw, b"x" * 4096)
        os.fdatasync(raw)
        times["append_cpu"].append(time.process_time_ns() - cpu)
        times["append"].append(time.perf_counter_ns() - start)
        transition = fills.filled(number)
        start, cpu = time.perf_counter_ns(), time.process_time_ns()
        await writer.submit(fills.commit(transition, number))
        times["cpu"].append(time.process_time_ns() - cpu)
        times["transition"].append(time.perf_counter_ns() - start)
        start = time.perf_counter_ns()
        await writer.submit(bare_row(number))
        times["row"].append(time.perf_counter_ns() - start)
    os.close(raw)
    return times


async def _fill_the_log(writer: Writer) -> None:
    """Until the writer has moved the log into the database and starts it over."""
    for number in range(1_000, 1_000 + _CHECKPOINT_BUSY):
        await writer.submit(Fills().opened(number))


async def _groups(writer: Writer) -> tuple[list[int], list[int]]:
    groups, group_times, fills = [], [], Fills()
    for batch in range(20):
        numbers = range(100_000 + batch * GROUP, 100_000 + (batch + 1) * GROUP)
        await asyncio.gather(*(writer.submit(fills.opened(number)) for number in numbers))
        waiting = [(fills.filled(number), number) for number in numbers]
        before, start = writer.stats.groups, time.perf_counter_ns()
        await asyncio.gather(*(writer.submit(fills.commit(*each)) for each in waiting))
        group_times.append(time.perf_counter_ns() - start)
        groups.append(writer.stats.groups - before)
    return groups, group_times


def syncs_per_transition() -> float | None:
    """fdatasync calls of 200 transitions less those of none, counted by strace; None where there is no strace."""
    if shutil.which("strace") is None:
        return None
    return (_syncs(200) - _syncs(0)) / 200


def _syncs(number: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        command = [sys.executable, "-m", "tests.benchmarks.journal", "--commit", str(number), "--in", folder]
        strace = ["strace", "-f", "-qq", "-e", "trace=fdatasync,fsync", "-o", str(trace)]
        subprocess.run([*strace, *command], check=True, capture_output=True)
        return len(re.findall(r"fdatasync\(|fsync\(", trace.read_text()))


async def commit_only(folder: Path, number: int) -> None:
    """What `_syncs` traces."""
    database = open_for_trading(folder / "count.db", "paper")
    writer = Writer(database.connection, database.path)
    writer.start(asyncio.get_running_loop())
    fills = Fills()
    for each in range(1, number + 1):
        fills.opened(each)  # not written: the fill's rows alone are counted
        await writer.submit(fills.commit(fills.filled(each), each))
    writer.stop()
    database.close()


def main() -> None:
    """Print the figures."""
    if "--commit" in sys.argv:
        asyncio.run(commit_only(Path(sys.argv[4]), int(sys.argv[2])))
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder)))
    print(json.dumps({**figures, "syncs_per_transition": syncs_per_transition()}))


if __name__ == "__main__":
    main()
