"""``make bench``: every benchmark in its own process, one after the other, then one table with the goals beside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

Row = tuple[str, Callable[[dict[str, Any]], Any], str]


def _of(figures: dict[str, Any] | None, name: str, unit: str) -> str:
    """A figure of a part that may not be installed."""
    return "not installed" if figures is None else f"{figures[name]}{unit}"


def _missed(figures: dict[str, Any]) -> str:
    found = figures["router"]
    return f"{found['missed']} of {found['markets']}, by {found['worst_share']:.1%} at most"


TABLE: Final[dict[str, tuple[Row, ...]]] = {
    "journal": (
        ("durable transition vs append + fdatasync", lambda f: f"{f['transition_vs_append']}x", "<= 3x"),
        ("its CPU outside the sync", lambda f: f"{f['transition_cpu_us']} us", "<= 150 us"),
        ("fdatasync calls per transition", lambda f: f["syncs_per_transition"], "1"),
        ("bare row vs append + fdatasync", lambda f: f"{f['row_vs_append']}x", "<= 1.0x"),
        ("64 waiting transitions: transactions", lambda f: f["group_of_64_transactions"], "<= 2"),
        ("64 waiting transitions vs one by one", lambda f: f"{f['group_rate_vs_single']}x", ">= 4x"),
    ),
    "decision": (
        ("quote to verdict, all ticks, p50", lambda f: f"{f['quote']['all_p50_us']} us", "<= 3 us"),
        ("quote to verdict, ticks with an intent, p50", lambda f: f"{f['quote']['intents_p50_us']} us", "<= 15 us"),
        ("quote to verdict, ticks with an intent, p99", lambda f: f"{f['quote']['intents_p99_us']} us", "<= 50 us"),
    ),
    "help": (("countersign --help vs Python + argparse", lambda f: f"{f['ratio']}x", "<= 2x"),),
    "terminal": (
        ("first paint vs a bare textual application", lambda f: f"{f['first_paint_ratio']}x", "<= 1.15x"),
        ("panels filled and first key answered, vs the same", lambda f: f"{f['panels_and_key_ratio']}x", "<= 1.6x"),
        ("1,000 quotes a second, 160x48: CPU of a core", lambda f: f"{f['cpu_percent']} %", "<= 25 %"),
        ("the same: loop lag p99", lambda f: f"{f['lag_p99_ms']} ms", "<= 30 ms"),
        ("the same: keystroke to frame p99", lambda f: f"{f['key_to_frame_p99_ms']} ms", "<= 50 ms"),
        ("the device waits a minute: loop lag p99", lambda f: f"{f['device_lag_p99_ms']} ms", "<= 30 ms"),
        ("the same: keystroke to frame p99", lambda f: f"{f['device_key_to_frame_p99_ms']} ms", "<= 50 ms"),
        ("a hardware wallet waits a minute: loop lag p99", lambda f: f"{f['hardware_lag_p99_ms']} ms", "<= 30 ms"),
    ),
    "signing": (
        ("added to a Ledger's own time for a signature, p99", lambda f: f"{f['ledger']['p99_ms']} ms", "<= 5 ms"),
        ("added to a Trezor's, p99", lambda f: f"{f['trezor']['p99_ms']} ms", "<= 5 ms"),
        ("the Ledger's bytes over a bare socket, p99", lambda f: f"{f['bare_socket']['p99_ms']} ms", "for comparison"),
    ),
    "evm": (
        ("200 pools read and quoted vs a loop of eth_call", lambda f: _of(f["quotes"], "cold_ratio", "x"), ">= 20x"),
        ("the same a block later, by its logs", lambda f: _of(f["quotes"], "block_ratio", "x"), ">= 20x"),
        ("best split on 500 pools, 3 hops, just read", lambda f: f"{f['router']['fresh_split_p50_ms']} ms", "< 50 ms"),
        ("below brute force, impact up to 10 %", lambda f: f"{f['router']['sensible_worst_share']:.3%}", "<= 0.1 %"),
        ("the same, whatever the impact: markets missed", _missed, "0"),
        ("block to ranked cycles, 1,000 pools, p50", lambda f: f"{f['cycles']['p50_ms']} ms", "< 20 ms"),
    ),
    "memory": (("memory growth of a long replay, per 10 hours", lambda f: f"{f['mb_per_10_hours']} MB", "<= 1 MB"),),
}


def main() -> int:
    """Run, print the raw figures on stderr and the table on stdout."""
    print("| measured | result | goal |\n|---|---|---|")
    for name, rows in TABLE.items():
        done = subprocess.run(
            [sys.executable, "-m", f"tests.benchmarks.{name}"], capture_output=True, text=True, check=False
        )
        print(f"{name}: {done.stdout or done.stderr}", file=sys.stderr)
        if done.returncode:
            return 1
        figures = json.loads(done.stdout)
        for title, figure, goal in rows:
            print(f"| {title} | {figure(figures)} | {goal} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
