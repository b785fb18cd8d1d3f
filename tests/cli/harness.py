"""The real command in a home of its own, and a real third-party module that trades on demand."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from app import paths
from app.cli.context import ask_trader
from app.errors import CountersignError
from tests.cli import forked

COMMAND = Path(sys.executable).with_name("countersign")
ROOT = Path(__file__).resolve().parents[2]
NOISE = (
    "Traceback", "Exception ignored", "never retrieved", "Unhandled", "Fatal Python error", "Warning:",
    "unexpected fault",
)  # fmt: skip
"""What a trader must never read, whatever was typed."""

T = TypeVar("T")
Process: TypeAlias = subprocess.Popen[str] | forked.Forked

_MODULE = '''
"""Buys at bar `first`, sells `hold` bars later, and so on: trades without waiting for a market's mood."""
from dataclasses import dataclass
from strategies.base import ModuleSpec
from strategies.model import Direction, Level, Signal

@dataclass(frozen=True)
class Params:
    first: int = 2
    hold: int = 5
    fails_at: int = 0
    baskets: bool = False
    below: float = 0.0
    rest_s: int = 300

class Probe:
    def __init__(self, params):
        self.params, self.bars, self.held = params, 0, 0

    def on_bar(self, bar, position):
        self.bars += 1
        if self.bars == self.params.fails_at:
            raise RuntimeError("the probe fails")
        close = float(bar.close)
        if self.params.baskets and position is None and self.bars % 2 == 0:
            levels = tuple(Level(close * (1 - self.params.below - 0.001 * n), close * 1.5) for n in range(3))
            return Signal(
                bar.symbol, Direction.LONG, 0.5, 0.5, "probes", stop=close * 0.9, levels=levels,
                rest_ms=self.params.rest_s * 1000,
            )
        if position is None:
            self.held = 0
            if self.bars >= self.params.first:
                return Signal(bar.symbol, Direction.LONG, 0.5, 0.5, "probe", stop=close * 0.9, target=close * 1.5)
            return None
        self.held += 1
        return Signal(bar.symbol, Direction.FLAT, 0.5, 0.5, "enough") if self.held >= self.params.hold else None

SPEC = ModuleSpec("probe", "1.0", 1, Params, Probe, lambda params: 0, summary="trades on demand")
'''

PROBE = (
    "--set", "modules.momentum.enabled=false",
    "--set", "modules.mean_reversion.enabled=false",
    "--set", "modules.probe.enabled=true",
    "--set", "modules.probe.allocation=1000",
    "--set", "risk.cool_down_min=0",
    "--set", "risk.losses_in_row=1000",
    "--set", "risk.trades_per_day=100000",
)  # fmt: skip
"""Options of `run` under which the module above trades freely."""


def install_probe(folder: Path) -> Path:
    """Put the module where an installed package would be, entry point and all; returns the folder for PYTHONPATH."""
    info = folder / "countersign_probe-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "countersign_probe.py").write_text(_MODULE, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: countersign-probe\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[countersign.modules]\nprobe = countersign_probe:SPEC\n", encoding="utf-8")
    return folder


def write_candles(path: Path, bars: int = 120, every_ms: int = 60_000) -> Path:
    """A gentle wave of candles, the same every time."""
    rows = ["timestamp_ms,open,high,low,close,volume"]
    for n in range(bars):
        low, step = 10_000 + n % 20, n % 3
        values = (low + 5, low + 12, low, low + 5 + step)
        rows.append(f"{1_600_000_000_000 + every_ms * n}," + ",".join(f"{v / 100:.2f}" for v in values) + ",500.0001")
    text = "\n".join(rows) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        path.write_text(text, encoding="utf-8")
    return path


@dataclass(frozen=True)
class Result:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return one_document(self.out)


def one_document(out: str) -> Any:
    """`out` as exactly one JSON document on one line, with a schema, without a float, times as int."""
    assert out.count("\n") == 1, f"not one line: {out!r}"
    document = json.loads(out)
    assert isinstance(document, dict)
    name, _, version = document["schema"].partition("/")
    assert name.startswith("countersign.")
    assert version.isdigit()
    _check(document, "")
    return document


def _check(value: object, name: str) -> None:
    assert not isinstance(value, float), f"{name} is a float: {value!r}"
    if name.endswith("_ms") and "." not in name:  # with a point it is a setting's key
        assert value is None or type(value) is int, f"{name} is no int: {value!r}"
    if isinstance(value, dict):
        for key, item in value.items():
            _check(item, key)
    elif isinstance(value, list):
        for item in value:
            _check(item, name)


@dataclass
class Cli:
    """The command in a home of its own."""

    home: Path
    running: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.plugins = install_probe(self.home / "plugins")

    @property
    def db(self) -> Path:
        """The database tests name unless they say otherwise."""
        return self.home / "a.db"

    def env(self, **changes: str | None) -> dict[str, str]:
        """A bare environment: nothing of the machine's own settings, no keyring, no session bus."""
        env: dict[str, str | None] = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "PYTHONPATH": f"{self.plugins}{os.pathsep}{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
            **changes,
        }
        return {key: value for key, value in env.items() if value is not None}

    def __call__(
        self,
        *arguments: str | bytes | Path,
        stdin: str | None = "",
        timeout: float = 60.0,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Result:
        """Run one command to its end. Whatever happens, no traceback."""
        process = self._begun(arguments, env or self.env(), cwd or self.home, stdin=stdin is not None)
        try:
            out, err = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        code = process.wait()
        return checked(Result(code, out, err))

    @staticmethod
    def _begun(arguments: Sequence[str | bytes | Path], env: dict[str, str], cwd: Path, *, stdin: bool) -> Process:
        """Forked where that is the same."""
        line = [COMMAND, *arguments]
        if forked.can(env):
            return forked.Forked(line, env, cwd, stdin=stdin)
        return subprocess.Popen(
            line, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="surrogateescape", env=env, cwd=cwd,
        )  # fmt: skip

    def refused(self, *arguments: str | bytes | Path, code: int, says: str, **more: Any) -> Result:
        """Run a command that must end with `code`, `says` on stderr and nothing but an error document on stdout."""
        result = self(*arguments, **more)
        assert result.code == code, result
        assert says in result.err, result
        if "--json" in arguments:
            assert result.document["schema"] == "countersign.error/1"
            assert result.document["exit_code"] == code
        else:
            assert result.out == ""
        return result

    def start(self, *arguments: str | Path, env: dict[str, str] | None = None) -> Running:
        """Start a long command."""
        process = self._begun(arguments, env or self.env(), self.home, stdin=False)
        self.running.append(process)
        return Running(process)

    def replay(self, *more: str | Path, bars: int = 60, name: str = "paper_AAA-USDT_1m.csv") -> Result:
        """A short finished session on `db`."""
        data = write_candles(self.home / name, bars)
        return self(
            "run", "--headless", "--auto-confirm", "--json", "--db", self.db, "--replay", data, *PROBE, *more
        )  # fmt: skip

    def practice(self, *more: str | Path) -> Running:
        """A running session on the practice market and `db` that proposes at once."""
        return self._run("--speed", "60", "--set", "market.timeframe=5s", *more)

    @property
    def market(self) -> Path:
        """Two recorded instruments, a bar a second for an hour and a half."""
        folder = self.home / "market"
        if not folder.exists():
            folder.mkdir()
            for symbol in ("AAA", "BBB"):
                write_candles(folder / f"paper_{symbol}-USDT_1s.csv", 5_000, 1_000)
        return folder

    def trader(self, *more: str | Path, env: dict[str, str] | None = None) -> Running:
        """A running session on a recorded market at 20 bars a second, which starts faster than the practice market."""
        return self._run("--replay", self.market, "--speed", "20", *more, env=env)

    def _run(self, *more: str | Path, env: dict[str, str] | None = None) -> Running:
        """Start it; returns when it takes commands."""
        trader = self.start(
            "run", "--headless", "--json", "--db", self.db, *PROBE,
            "--set", "trade.slippage_bps=100", "--set", "risk.slippage_bps=100",
            "--set", "trade.proposal_expiry_ms=86400000", "--set", "trade.authorisation_validity_ms=86400000",
            "--set", "trade.time_in_force_ms=600000",
            "--set", "modules.probe.instruments=BTC-USDT,ETH-USDT,AAA-USDT,BBB-USDT",
            *more, env=env,
        )  # fmt: skip
        until(lambda: self.socket.exists() or trader.ended, "the trader takes commands")
        assert not trader.ended, trader.wait()
        return trader

    @property
    def socket(self) -> Path:
        """The control socket."""
        return paths.socket_path(self.db)

    def waiting(self, count: int = 1) -> list[Any]:
        """The first `count` proposals that wait."""

        def look() -> list[Any]:
            try:
                found: list[Any] = ask_trader(self.db, {"op": "proposals"})["proposals"]
            except CountersignError:
                return []  # the socket is bound a moment before it listens
            return found if len(found) >= count else []

        return until(look, f"{count} proposals wait")

    def stop_all(self) -> None:
        """End what a failed test left running."""
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.communicate()


@dataclass
class Running:
    """A command that runs."""

    process: Process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.process.poll() is not None

    def children(self) -> list[int]:
        """Its child processes: the paper venue."""
        return children_of(self.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, timeout: float = 30.0) -> Result:
        """Its end, without a traceback."""
        out, err = self.process.communicate(timeout=timeout)
        return checked(Result(self.process.wait(), out, err))


def checked(result: Result) -> Result:
    """`result` if nothing in it is a programmer's business."""
    for noise in NOISE:
        assert noise not in result.err, f"{result.err}\n{_log(result.err)}"
        assert noise not in result.out, result.out
    return result


def _log(words: str) -> str:
    """The end of the log that `words` points to."""
    found = re.search(r"details are in (\S+?)\.?$", words, re.MULTILINE)
    if not found or not Path(found[1]).exists():
        return ""
    return str(json.loads(Path(found[1]).read_text().splitlines()[-1]).get("exception"))


def children_of(pid: int) -> list[int]:
    """Direct children by /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "stat").read_text().rpartition(")")[2].split()[1] == str(pid):
                found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def until(condition: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """The first true value of `condition`; fails naming `what`."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while True:
        if value := condition():
            return value
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        pause.wait(0.02)


@contextlib.contextmanager
def commands(home: Path) -> Iterator[Cli]:
    """A `Cli` whose processes are gone afterwards."""
    cli = Cli(home)
    try:
        yield cli
    finally:
        cli.stop_all()


def read_ready(stream: Any, seconds: float) -> bool:
    """Whether `stream` has something to read within `seconds`."""
    return bool(select.select([stream], [], [], seconds)[0])


def shell(line: Sequence[str]) -> str:
    """The command's name in a shell line."""
    return " ".join([str(COMMAND), *line])
