"""How memory grows over a long replay: resident size against simulated hours, by least squares over the second half.

    python -m tests.benchmarks.memory

A generated recording of 60 days of minutes is replayed by the product's own command at full speed in another process;
its resident size is read from /proc while it runs. Prints one JSON object. Goal: <= 1 MB per 10 simulated hours.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DAYS = 60
PAGE_KB = 4


def write_recording(path: Path) -> None:
    """A random walk with slow waves, so that the momentum module trades."""
    rng, price = random.Random(5), 100.0
    with path.open("w", encoding="utf-8") as file:
        file.write("timestamp_ms,open,high,low,close,volume\n")
        for minute in range(DAYS * 1440):
            drift = 0.0004 * math.sin(minute / 200)
            close = max(1.0, price * (1 + drift + rng.gauss(0, 0.0006)))
            high, low = max(price, close) * 1.0003, min(price, close) * 0.9997
            volume = 50 + 40 * rng.random() + (80 if drift > 0.0003 else 0)
            file.write(
                f"{1_600_000_020_000 + minute * 60_000},{price:.4f},{high:.4f},{low:.4f},{close:.4f},{volume:.4f}\n"
            )
            price = round(close, 4)


def main() -> None:
    """Print the slope."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recording = folder / "bench_AAA-USDT_1m_60d.csv"
        write_recording(recording)
        command = [sys.executable, "-m", "app", "run", "--headless", "--auto-confirm", "--json"]
        process = subprocess.Popen(
            [*command, "--db", str(folder / "m.db"), "--replay", str(recording)],
            stdout=subprocess.PIPE,
            text=True,
        )
        samples: list[tuple[float, int]] = []
        start = time.monotonic()
        while process.poll() is None:
            try:
                pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            except (OSError, IndexError):
                break
            samples.append((time.monotonic() - start, pages * PAGE_KB))
            time.sleep(0.25)  # noqa: TID251 -- sampling another process
        document = json.loads(process.communicate()[0])
    # Market time is taken as even over the run after start-up: the replay does the same work per bar.
    half = samples[len(samples) // 2 :]
    hours = DAYS * 24 / (samples[-1][0] - samples[0][0])
    slope = _slope([(at * hours, kb) for at, kb in half])
    figures = {
        "seconds": round(samples[-1][0], 1),
        "trades": document["trades"],
        "peak_mb": round(max(kb for _, kb in samples) / 1024, 1),
        "mb_per_10_hours": round(slope * 10 / 1024, 4),
    }
    print(json.dumps(figures))


def _slope(points: list[tuple[float, int]]) -> float:
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


if __name__ == "__main__":
    main()
