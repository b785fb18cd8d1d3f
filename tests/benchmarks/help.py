"""``countersign --help`` beside the least that a Python command line can cost: one JSON object on stdout.

Pairs of runs alternate, so that whatever else the machine does hits both; the ratio is that of the medians. Times are
CPU time of the process (user and system), which a busy machine changes little; wall time is told beside it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PAIRS: Final = 21
BARE: Final = "import argparse; p = argparse.ArgumentParser(); p.add_argument('name'); p.parse_args(['x'])"


def measure(command: Sequence[str | Path]) -> tuple[float, float]:
    """CPU and wall milliseconds of one run."""
    start = time.monotonic_ns()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return (usage.ru_utime + usage.ru_stime) * 1000, (time.monotonic_ns() - start) / 1e6


def main() -> int:
    """Measure and print."""
    ours: list[str | Path] = [Path(sys.executable).with_name("countersign"), "--help"]
    bare: list[str | Path] = [sys.executable, "-c", BARE]
    for command in (ours, bare):  # warm: the disk's cache, compiled files
        measure(command)
    pairs = [(measure(ours), measure(bare)) for _ in range(PAIRS)]
    columns = [[pair[side][kind] for pair in pairs] for kind in (0, 1) for side in (0, 1)]
    help_cpu, bare_cpu, help_wall, bare_wall = (statistics.median(column) for column in columns)
    figures = {
        "pairs": PAIRS,
        "help_ms": round(help_wall, 1),
        "bare_ms": round(bare_wall, 1),
        "ratio": round(help_wall / bare_wall, 2),
        "help_cpu_ms": round(help_cpu, 1),
        "bare_cpu_ms": round(bare_cpu, 1),
        "cpu_ratio": round(help_cpu / bare_cpu, 2),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
