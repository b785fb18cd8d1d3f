"""The terminal against a bare textual application, and under load: one JSON object on stdout.

First paint: time from the start of the process until status line and key line are on the pty, pairs of runs
alternating, ratio of the medians. Then a market of a thousand events a second on 160x48, start-up included: processor
time of the terminal's process, loop lag as its own watchdog measured it, and the time from a key to its frame. The
market is the practice one at 800 times its speed, so bars, metrics and health checks come 800 times as often too.
Last, the same while the device waits a minute for its person; then the market goes at real time, as it always does.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator

PAIRS: Final = 15
LOADED_S: Final = 60
COMMAND: Final = Path(sys.executable).with_name("countersign")
BARE: Final = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    BINDINGS = [("question_mark", "answer", "answer")]
    def compose(self):
        yield Static("hello")
    def action_answer(self):
        self.query_one(Static).update("the answer")
Bare().run()
"""


class Terminal:
    """A program on a pty of its own; what it writes is kept with its time."""

    def __init__(self, command: Sequence[str | Path], folder: Path, size: tuple[int, int] = (160, 48)) -> None:
        self.began = time.monotonic()
        names = ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")
        environment = {**os.environ, **{name: str(folder / name) for name in names}, "TERM": "xterm-256color"}
        # Compiled modules are kept, as on any trader's machine; a variable that forbids it would compile ours anew
        # at each start and those of the libraries not.
        unwanted = {"COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE"}
        environment = {name: value for name, value in environment.items() if name not in unwanted}
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execve(command[0], [str(part) for part in command], environment)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self._chunks: list[tuple[float, bytes]] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                select.select([self._fd], [], [])
                data = os.read(self._fd, 65_536)
            except OSError:
                return
            if not data:
                return
            with self._more:
                self._chunks.append((time.monotonic(), data))
                self._more.notify_all()

    def shows(self, *words: bytes, since: int = 0, patience_s: float = 30.0) -> float:
        """When all of `words` had been written, counted from chunk number `since`."""
        end = time.monotonic() + patience_s
        with self._more:
            while True:
                seen = b""
                for when, data in self._chunks[since:]:
                    seen += data
                    if all(word in seen for word in words):
                        return when
                if not self._more.wait(end - time.monotonic()):
                    raise SystemExit(f"{words!r} was not shown:\n{seen[-2000:]!r}")

    def press(self, key: bytes) -> tuple[float, int]:
        """When a key was pressed, and the number of the next chunk."""
        with self._more:
            number = len(self._chunks)
        os.write(self._fd, key)
        return time.monotonic(), number

    def cpu_s(self) -> float:
        """Processor time of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._reader.join()  # before the number of its file is another's
        os.close(self._fd)


def paint(folder: Path) -> dict[str, float]:
    """Both applications, one after the other, again and again."""
    ours: list[str | Path] = [COMMAND, "run", "--db", folder / "a.db"]
    bare: list[str | Path] = [sys.executable, "-c", BARE]
    times: dict[str, list[float]] = {
        name: [] for name in ("bare", "bare_key", "ours", "ours_key", "ours_panels", "ours_engine")
    }
    for _ in range(PAIRS + 1):
        terminal = Terminal(bare, folder)
        times["bare"].append(terminal.shows(b"hello") - terminal.began)
        _, number = terminal.press(b"?")
        times["bare_key"].append(terminal.shows(b"the answer", since=number) - terminal.began)
        terminal.end()
        terminal = Terminal(ours, folder)
        times["ours"].append(terminal.shows(b"PRACTICE", b"quit") - terminal.began)
        times["ours_panels"].append(terminal.shows(b"SOL-USDT", b"%", b"candles") - terminal.began)
        _, number = terminal.press(b"?")
        times["ours_key"].append(terminal.shows(b"Help", since=number) - terminal.began)
        times["ours_engine"].append(terminal.shows(b"equity") - terminal.began)
        terminal.end()
    middle = {name: statistics.median(each[1:]) for name, each in times.items()}  # the first filled the disk's cache
    return {
        "bare_ms": round(middle["bare"] * 1000),
        "first_paint_ms": round(middle["ours"] * 1000),
        "first_paint_ratio": round(middle["ours"] / middle["bare"], 2),
        "panels_and_key_ratio": round(middle["ours_key"] / middle["bare_key"], 2),
        "panels_ms": round(middle["ours_panels"] * 1000),
        "engine_ms": round(middle["ours_engine"] * 1000),
    }


def loaded(folder: Path) -> dict[str, float]:
    """A thousand market events a second, keys all the while."""
    db = folder / "loaded.db"
    options: list[str | Path] = ["run", "--db", db, "--speed", "800", "--set", "market.speed_waiting=max"]
    terminal = Terminal([COMMAND, *options], folder)
    terminal.shows(b"quit")
    terminal.shows(b"SOL-USDT", b"bp")
    answers: list[float] = []
    while time.monotonic() - terminal.began < LOADED_S:
        _walk(terminal, answers)
    opened, number = terminal.press(b"?")
    dialog = terminal.shows(b"Help", since=number) - opened
    elapsed, cpu = time.monotonic() - terminal.began, terminal.cpu_s()
    document = _command("health", db)
    terminal.end()
    lag, answers = document["trader"]["lag"], sorted(answers)
    return {
        "cpu_percent": round(100 * cpu / elapsed, 1),
        "events_per_s": round((document["trader"]["market"]["per_minute"] or 0) / 60),
        "lag_p50_ms": round(lag["p50_us"] / 1000, 1),
        "lag_p99_ms": round(lag["p99_us"] / 1000, 1),
        "lag_max_ms": round(lag["max_us"] / 1000, 1),
        "keys": len(answers),
        "key_to_dialog_ms": round(dialog * 1000, 1),
        "key_to_frame_p50_ms": round(statistics.median(answers) * 1000, 1),
        "key_to_frame_p99_ms": round(answers[int(len(answers) * 0.99)] * 1000, 1),
    }


def waiting(folder: Path) -> dict[str, float]:
    """A minute in front of the device: a trade by hand is confirmed, and its pages are turned to and fro."""
    db = folder / "waiting.db"
    terminal = Terminal([COMMAND, "run", "--db", db], folder)
    terminal.shows(b"SOL-USDT", b"equity", b"bp")
    trade = _command("buy", db, "BTC-USDT", "5", "--value", "--stop", "30000")["id"]
    _command("confirm", db, trade, typed="S\n")
    terminal.shows(b"1 of")
    began, before = time.monotonic(), terminal.cpu_s()
    answers: list[float] = []
    while time.monotonic() - began < LOADED_S:
        for key, page in ((b"l", b"2 of"), (b"h", b"1 of")):
            pressed, number = terminal.press(key)
            answers.append(terminal.shows(page, since=number) - pressed)
            threading.Event().wait(0.15)
    cpu, elapsed = terminal.cpu_s() - before, time.monotonic() - began
    lag = _command("health", db)["trader"]["lag"]
    terminal.end()
    answers.sort()
    return {
        "device_cpu_percent": round(100 * cpu / elapsed, 1),
        "device_lag_p99_ms": round(lag["p99_us"] / 1000, 1),
        "device_key_to_frame_p99_ms": round(answers[int(len(answers) * 0.99)] * 1000, 1),
    }


def hardware(folder: Path) -> dict[str, float]:
    """The same with a hardware wallet, whose person takes a minute and looks at other charts meanwhile."""
    db = folder / "hardware.db"
    with LedgerEmulator(LedgerDevice()) as device:
        given = ["--signer", "ledger", "--set", f"signer.ledger={device.url}"]
        terminal = Terminal([COMMAND, "run", "--db", db, *given], folder)
        terminal.shows(b"SOL-USDT", b"equity", b"bp")
        device.device.human = Human.NEVER
        trade = _command("buy", db, "BTC-USDT", "5", "--value", "--stop", "30000")["id"]
        _command("confirm", db, trade, typed="S\n")
        terminal.shows(b"give up")
        began = time.monotonic()
        answers: list[float] = []
        terminal.press(b"\x1b")  # it goes on waiting
        threading.Event().wait(0.5)  # an escape with a key right behind it would be another key
        while time.monotonic() - began < LOADED_S:
            _walk(terminal, answers)
        lag = _command("health", db)["trader"]["lag"]
        terminal.end()
    answers.sort()
    return {
        "hardware_lag_p99_ms": round(lag["p99_us"] / 1000, 1),
        "hardware_key_to_frame_p99_ms": round(answers[int(len(answers) * 0.99)] * 1000, 1),
    }


def _command(name: str, db: Path, *arguments: str, typed: str = "") -> Any:
    """What a command beside the terminal answers."""
    command = [str(COMMAND), name, *arguments, "--json", "--db", str(db)]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def _walk(terminal: Terminal, answers: list[float]) -> None:
    """Down the watchlist and up again; each step must bring another chart."""
    steps = [(b"j", b"ETH-BTC  "), (b"j", b"ETH-USDT  "), (b"j", b"SOL-USDT  ")]
    steps += [(b"k", b"ETH-USDT  "), (b"k", b"ETH-BTC  "), (b"k", b"BTC-USDT  ")]
    for key, title in steps:
        pressed, number = terminal.press(key)
        answers.append(terminal.shows(title, since=number) - pressed)
        threading.Event().wait(0.15)


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(json.dumps({**paint(folder), **loaded(folder), **waiting(folder), **hardware(folder)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
