"""What a durable transition costs, next to an append + fdatasync on the same disk in the same run.

    python -m tests.benchmarks.journal

One *transition* is what a filled order commits: a journal row with its hash, an order event, a fill, four postings with
their balances, the reservation, the order, the position and the cursor. Prints one JSON object; every figure is a ratio
of medians over alternated rounds, or a count of system calls. Goals: transition <= 3x, its CPU <= 150 us, one fdatasync
each; bare row <= 1.0x; 64 waiting transitions at most 2 syncs and >= 4x the single rate.
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
from pathlib import Path

from storage.database import open_for_trading
from storage.writer import Commit, Writer

ROUNDS = 400
GROUP = 64


def transition(number: int) -> Commit:
    """A filled order, as `app.execution.transition` commits it."""
    ident = f"{number:032x}"
    account, trading = "assets:paper", "trading:momentum"
    event = ("order_events", ident, "OPEN", "FILLED", "0.00217482", 3, number, '{"reason":"","venue_order_id":"v7"}')
    fill = ("fills", "paper", f"f{number}", ident, ident, "momentum", "ETH-BTC", "buy", "0.09196149", "0.00217482")
    postings = tuple(
        ("postings", *posting)
        for posting in (
            (account, "ETH", "0.00217482"),
            (trading, "ETH", "-0.00217482"),
            (account, "BTC", "-0.0001999996876818"),
            (trading, "BTC", "0.0001999996876818"),
        )
    )
    body = f'{{"set":[["trade","{ident}","FILLED",""],["reservation","{ident}","BTC","0.0002","0","RELEASED"]]}}'
    hold = "INSERT INTO reservations VALUES (?, ?, ?, ?, ?, ?)"
    order = "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    position = "INSERT OR REPLACE INTO module_positions VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    return Commit(
        ts_ms=number,
        kind="order.filled",
        subject=ident,
        body=body,
        rows=(event, (*fill, "0.0000002", "BTC", number), *postings),
        statements=(
            (hold, (ident, "BTC", "0.0002", "0", "RELEASED", number)),
            (order, (ident, ident, "entry", "{}", "FILLED", "0.00217482", 3, "v7", number)),
            (position, ("momentum", "ETH-BTC", "0.00217482", "0.00019999", "0", "0.0000002", 1, number)),
        ),
        cursor=("sha256:x", number, number),
    )


def bare_row(number: int) -> Commit:
    """One small record and nothing else."""
    sql = "INSERT INTO latencies (trade_id, step, micros) VALUES (?, 'bench', ?)"
    return Commit(number, "", statements=((sql, (f"{number:032x}", number)),))


async def measure(folder: Path) -> dict[str, object]:
    """Alternated rounds of the three operations, then groups."""
    database = open_for_trading(folder / "bench.db", "paper")
    writer = Writer(database.connection, database.path)
    writer.start(asyncio.get_running_loop())
    raw = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    times: dict[str, list[int]] = {"append": [], "transition": [], "row": [], "cpu": []}
    for number in range(1, ROUNDS + 1):
        start = time.perf_counter_ns()
        os.write(raw, b"x" * 4096)
        os.fdatasync(raw)
        times["append"].append(time.perf_counter_ns() - start)
        for name, commit in (("transition", transition(number)), ("row", bare_row(number))):
            start, cpu = time.perf_counter_ns(), time.process_time_ns()
            await writer.submit(commit)
            times[name].append(time.perf_counter_ns() - start)
            if name == "transition":
                times["cpu"].append(time.process_time_ns() - cpu)
    groups, group_times = [], []
    for batch in range(20):
        before, start = writer.stats.groups, time.perf_counter_ns()
        await asyncio.gather(*(writer.submit(transition(10_000 + batch * GROUP + n)) for n in range(GROUP)))
        group_times.append(time.perf_counter_ns() - start)
        groups.append(writer.stats.groups - before)
    writer.stop()
    database.close()
    os.close(raw)
    append, single = statistics.median(times["append"]), statistics.median(times["transition"])
    return {
        "append_fdatasync_us": round(append / 1000, 1),
        "transition_us": round(single / 1000, 1),
        "transition_vs_append": round(single / append, 2),
        "transition_cpu_us": round(statistics.median(times["cpu"]) / 1000, 1),
        "row_vs_append": round(statistics.median(times["row"]) / append, 2),
        "group_of_64_transactions": max(groups),
        "group_rate_vs_single": round(GROUP * single / statistics.median(group_times), 2),
    }


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
    for each in range(1, number + 1):
        await writer.submit(transition(each))
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
