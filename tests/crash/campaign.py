"""Kill points and how they are reached.

A dry run under strace counts every ``fdatasync`` (each durable write of the trader) and every ``sendto`` and
``recvfrom`` (each byte to and from the venue). Then each point is hit once: strace kills the trader at the K-th call of
one kind, the venue process ends by itself, the trader is started again and runs to the end of the data. ``-b execve``
lets the venue go, so that only the trader is killed. SIGKILL proves ordering, not durability (the page cache survives
it): durability is asserted apart, in test_durability.py.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.crash.drill import write_candles
from tests.crash.judge import judge

ROOT = Path(__file__).resolve().parents[2]
CALLS = ("fdatasync", "sendto", "recvfrom")
LIMIT_S = 60
GRID = (
    "risk.position=1000", "risk.exposure=1000", "modules.grid.enabled=true", "modules.grid.allocation=1000",
    *(
        f"modules.grid.params.{param}"
        for param in (
            "adx_bars=3", "max_adx=100", "band_bars=4", "band_edge=0", "atr_bars=3", "levels=4", "spacing_atr=0.6",
            "stop_spacings=0.5", "rest_bars=5", "min_edge_bps=0",
        )
    ),
)  # fmt: skip
"""Baskets on a market of 90 bars: some legs sell at their target, some expire, some baskets are stopped out."""


@dataclass(frozen=True, slots=True)
class KillPoint:
    """The `number`-th `call` of the trader, or, with call ``"time"``, after `number` milliseconds."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number}"


class Campaign:
    """One folder of runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.candles = write_candles(folder / "paper_AAA-USDT_1m_drill.csv")

    def command(self, db: Path) -> list[str]:
        """The trader's command line."""
        options = ["run", "--headless", "--auto-confirm", "--json", "--db", str(db), "--replay", str(self.candles)]
        settings = ("risk.cool_down_min=0", "risk.losses_in_row=1000", "risk.trades_per_day=1000")
        for setting in (*settings, "modules.drill.enabled=true", "modules.drill.allocation=1000", *GRID):
            options += ["--set", setting]
        for module in ("mean_reversion", "momentum"):
            options += ["--set", f"modules.{module}.enabled=false"]
        return [sys.executable, "-m", "tests.crash.drill", *options]

    def dry_run(self) -> dict[str, int]:
        """How often the trader makes each call in an undisturbed run."""
        db, trace = self._fresh("dry") / "a.db", self.folder / "trace"
        strace = ["strace", "-f", "-qq", "-b", "execve", "-e", f"trace={','.join(CALLS)}", "-o", str(trace)]
        done = self._run([*strace, *self.command(db)])
        assert done.returncode == 0, done.stderr
        assert not judge(db), judge(db)
        calls = re.findall(r"^\d+\s+(\w+)\(", trace.read_text(errors="replace"), re.MULTILINE)
        return {call: calls.count(call) for call in CALLS}

    def points(self, counts: dict[str, int], most: int, seed: int) -> list[KillPoint]:
        """Every kill point when `most` allows, else a seeded sample that keeps the first and the last of each kind."""
        every = [KillPoint(call, number) for call in CALLS for number in range(1, counts[call] + 1)]
        if most >= len(every):
            rng = random.Random(seed)
            return every + [KillPoint("time", rng.randrange(300, 4000)) for _ in range(most - len(every))]
        durable = [point for point in every if point.call == "fdatasync"]
        others = [point for point in every if point.call != "fdatasync"]
        rng = random.Random(seed)
        half = min(len(durable), (most + 1) // 2)
        return sorted(rng.sample(durable, half) + rng.sample(others, most - half), key=str)

    def hit(self, point: KillPoint) -> list[str]:
        """Kill there, restart, judge. Returns what is wrong."""
        db = self._fresh(str(point).replace(" ", "-")) / "a.db"
        self._kill(point, db)
        self._venue_gone(db)
        again = self._run(self.command(db))
        wrong = [] if again.returncode == 0 else [f"the restart ended with {again.returncode}: {again.stderr[-500:]}"]
        wrong += judge(db)
        if not wrong:
            shutil.rmtree(db.parent)
        return [f"{point}: {each}" for each in wrong]

    def _kill(self, point: KillPoint, db: Path) -> None:
        if point.call == "time":
            process = subprocess.Popen(
                self.command(db), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_env(db.parent)
            )
            try:
                process.wait(point.number / 1000)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
            return
        inject = f"inject={point.call}:signal=KILL:when={point.number}"
        strace = ["strace", "-f", "-qq", "-b", "execve", "-e", f"trace={point.call}", "-e", inject, "-o", "/dev/null"]
        self._run([*strace, *self.command(db)])

    def _fresh(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        folder = Path(command[command.index("--db") + 1]).parent
        return subprocess.run(
            command, cwd=ROOT, env=_env(folder), capture_output=True, text=True, timeout=LIMIT_S, check=False
        )

    @staticmethod
    def _venue_gone(db: Path) -> None:
        """The venue ends with its trader; a successor would wait for its lock anyway."""
        lock = db.with_name("a.venue.db.lock")
        deadline = time.monotonic() + 5
        while lock.exists() and time.monotonic() < deadline:
            if subprocess.run(["flock", "-n", str(lock), "true"], check=False).returncode == 0:
                return


def _env(folder: Path) -> dict[str, str]:
    keep = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return keep | {"HOME": str(folder), "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}


def run(folder: Path, kills: int, seed: int, jobs: int) -> Iterator[tuple[KillPoint, list[str]]]:
    """The whole campaign, point by point as they are done, `jobs` at a time."""
    campaign = Campaign(folder)
    counts = campaign.dry_run()
    with ThreadPoolExecutor(jobs) as pool:
        hits = {pool.submit(campaign.hit, point): point for point in campaign.points(counts, kills, seed)}
        for done in as_completed(hits):
            yield hits[done], done.result()
