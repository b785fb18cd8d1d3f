"""The command in a real terminal: tmux, both sizes, from the first start to the restart, and killed in every dialog."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_PAUSE = threading.Event()
"""Never set: what other processes do in real time can only be waited for."""
_LOOK_S = 0.1
COMMAND = Path(sys.executable).with_name("countersign")
PATIENCE_S = 90.0
"""How long a screen may take to show what it must; a loaded machine is slow, and nothing here measures time."""

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: apt-get install tmux")


class Tmux:
    """One session of one terminal."""

    def __init__(self, folder: Path, width: int, height: int) -> None:
        self.folder = folder
        self._starts = 0
        self._size = (str(width), str(height))
        self.folder.mkdir(exist_ok=True)

    def start(self, *arguments: str) -> None:
        """`countersign` in a new terminal, then a shell that says how it ended."""
        x, y = self._size
        self._starts += 1  # another server each time: the one before may still be ending
        names = ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")
        settings = [each for name in names for each in ("-e", f"{name}={self.folder / name}")]
        line = f"'{COMMAND}' {' '.join(arguments)}; echo ENDED $?; exec cat"
        self._tmux(
            "new-session", "-d", "-s", "t", "-x", x, "-y", y, *settings, "-e", "LC_ALL=C.UTF-8", "sh", "-c", line
        )

    def keys(self, *names: str) -> None:
        for name in names:
            self._tmux("send-keys", "-t", "t", name)

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-t", "t", "-x", str(width), "-y", str(height))

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", "t")

    def shows(self, words: str | Callable[[str], bool], *, again: str = "", every_s: float = 0.2) -> str:
        """The screen, once it shows these words; `again` is pressed first, and each time `every_s` has passed."""
        test = (lambda seen: words in seen) if isinstance(words, str) else words
        now = press = time.monotonic()
        end = now + PATIENCE_S
        while (now := time.monotonic()) < end:
            seen = self.screen()
            if test(seen):
                return seen
            if again and now >= press:
                self.keys(again)
                press = now + every_s
            _PAUSE.wait(_LOOK_S)
        raise AssertionError(f"{words!r} did not appear:\n{self.screen()}")

    @property
    def pid(self) -> int:
        """The terminal's program."""
        shell = int(self._tmux("list-panes", "-t", "t", "-F", "#{pane_pid}"))
        children = subprocess.run(["pgrep", "-P", str(shell)], capture_output=True, text=True, check=False).stdout
        return int(children.split()[0])

    def kill(self) -> None:
        """As a power cut would: nobody tidies."""
        os.kill(self.pid, signal.SIGKILL)
        self.shows("ENDED 137")

    def close(self) -> None:
        self._tmux("kill-server", check=False)

    @property
    def db(self) -> Path:
        return self.folder / "XDG_DATA_HOME" / "countersign" / "paper.db"

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(f"{self.db.as_uri()}?mode=ro", uri=True) as connection:
            return connection.execute(sql).fetchall()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another terminal's command on the same account."""
        names = ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")
        environment = {**os.environ, **{name: str(self.folder / name) for name in names}}
        return subprocess.run(
            [COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        # A size in the environment, as the test runner sets one, would count for more than the terminal's own.
        environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        command = ["tmux", "-S", str(self.folder / f"tmux{self._starts}"), "-f", "/dev/null", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout


@pytest.fixture(params=[(80, 24), (160, 48)], ids=["80x24", "160x48"])
def tmux(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tmux]:
    made = Tmux(tmp_path / "t", *request.param)
    yield made
    made.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Tmux]:
    made = Tmux(tmp_path / "t", 80, 24)
    yield made
    made.close()


FAST = ("run", "--speed", "2000")
SLOW = ("run", "--speed", "1")
"""No exit sells what is held before it is looked at."""


def _begin(tmux: Tmux, *arguments: str) -> None:
    tmux.start(*arguments)
    tmux.shows("Welcome to countersign")
    tmux.keys("1")
    tmux.shows("equity")


def _proposal(tmux: Tmux) -> None:
    """Until something waits, then its confirmation is open."""
    tmux.shows(lambda seen: " waiting" in seen and " 0 waiting" not in seen)
    _open_proposals(tmux)
    tmux.shows("it keeps waiting", again="Enter", every_s=5.0)  # a second one on a slow machine would close it again


def _open_proposals(tmux: Tmux) -> None:
    tmux.keys("C-o")
    tmux.shows(" d Proposals")
    tmux.keys("d")
    tmux.shows("Enter read and confirm")


def _confirm(tmux: Tmux) -> None:
    """Read to the end, then S until it counts."""
    tmux.shows("S submit to the signer", again="PageDown")
    tmux.shows("Compare each line", again="S", every_s=1.0)  # a key that repeats faster never counts


def _leave(tmux: Tmux) -> None:
    """Escape, alone: with the next key right behind it, both arrive as one Alt key."""
    tmux.keys("Escape")
    tmux.shows(lambda seen: "it keeps waiting" not in seen and "Esc close" not in seen)


def _approve(tmux: Tmux) -> None:
    tmux.shows("Sign this trade?", again="Right")
    tmux.keys("A")
    tmux.shows("Filled")
    _leave(tmux)


def test_from_the_first_start_to_the_restart(tmux: Tmux) -> None:
    _begin(tmux, *FAST)
    tmux.keys("?")
    tmux.shows("Everywhere" if tmux._size[1] == "48" else "Trade")
    tmux.keys("Escape")
    tmux.shows(lambda seen: "Esc back" not in seen)
    _proposal(tmux)
    _confirm(tmux)
    _approve(tmux)
    tmux.shows("open 1" if tmux._size[1] == "48" else "Positions (1)")
    tmux.keys("4")
    tmux.shows("capital used")
    tmux.keys("space")
    tmux.shows("paused")
    tmux.keys("P")
    tmux.shows(lambda seen: seen.count("paused") >= 2)
    tmux.keys("!")
    tmux.shows("EMERGENCY STOP")
    tmux.keys("q")
    tmux.shows("ENDED 0", again="y")
    held = tmux.rows("SELECT module, symbol, quantity FROM module_positions WHERE quantity <> '0'")
    assert tmux.command("journal", "verify").returncode == 0
    tmux.close()
    tmux.start(*SLOW)
    tmux.shows("EMERGENCY STOP")
    tmux.keys("4")
    tmux.shows(lambda seen: seen.count("paused") >= 2)
    assert tmux.rows("SELECT module, symbol, quantity FROM module_positions WHERE quantity <> '0'") == held
    tmux.keys("q")
    tmux.shows("ENDED 0", again="y")


def test_resized_to_almost_nothing_and_back(small: Tmux) -> None:
    _begin(small)
    for width, height in ((20, 5), (160, 48), (20, 5), (80, 24)):
        small.resize(width, height)
        small.keys("Tab")
    small.shows("equity")
    small.keys("q")
    small.shows("ENDED 0", again="y")


def _device(tmux: Tmux) -> None:
    _proposal(tmux)
    _confirm(tmux)


def _ticket(tmux: Tmux) -> None:
    tmux.keys("b")
    tmux.shows("Ctrl+S propose")


def _help(tmux: Tmux) -> None:
    tmux.keys("?")
    tmux.shows("Help")


def _typed_word(tmux: Tmux) -> None:
    tmux.keys("!")
    tmux.shows("EMERGENCY")
    tmux.keys("C-p")
    tmux.shows("Search")
    tmux.keys("L", "i", "f", "t")
    tmux.shows(lambda seen: "Lift the emergency stop" in seen and "Jump to a pane" not in seen)
    tmux.keys("Down", "Enter")
    tmux.shows("Type TRADE")


def _quitting(tmux: Tmux) -> None:
    _proposal(tmux)
    _leave(tmux)
    tmux.shows("stay", again="q")


DIALOGS: dict[str, Callable[[Tmux], None]] = {
    "confirm": _proposal,
    "device": _device,
    "ticket": _ticket,
    "help": _help,
    "typed word": _typed_word,
    "quit": _quitting,
}


@pytest.mark.parametrize("dialog", DIALOGS)
def test_killed_in_a_dialog_and_started_again(small: Tmux, dialog: str) -> None:
    _begin(small, *FAST)
    DIALOGS[dialog](small)
    small.kill()
    assert small.command("journal", "verify").returncode == 0
    small.close()
    small.start(*FAST)
    small.shows("equity")
    in_flight = "SELECT count(*) FROM reservations WHERE state = 'OPEN' AND trade_id NOT IN (SELECT id FROM trades)"
    assert small.rows(in_flight) == [(0,)]
    small.keys("q")
    small.shows("ENDED 0", again="y")
    assert small.command("journal", "verify").returncode == 0


def test_a_terminal_that_is_closed_takes_its_session_with_it(small: Tmux) -> None:
    _begin(small)
    pid = small.pid
    small.close()
    end = time.monotonic() + PATIENCE_S
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, "it runs on without a terminal"
        _PAUSE.wait(0.2)
    ended = small.rows("SELECT outcome FROM runs")
    assert ended == [("stopped by SIGHUP",)]


def test_bad_settings_leave_the_screen_with_words_and_exit_2(small: Tmux) -> None:
    small.start("run", "--set", "risk.position=many")
    small.shows("Welcome")
    small.keys("1")
    seen = small.shows("ENDED 2")
    assert "risk.position" in seen
    assert "Traceback" not in seen


def test_plain_ascii(small: Tmux) -> None:
    small.start("run", "--ascii")
    small.shows("Welcome to countersign")
    small.keys("1")
    seen = small.shows("equity")
    assert seen.isascii()
