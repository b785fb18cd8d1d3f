"""Ctrl-C at chosen instants, by a hook inside the process instead of a clock: words and 130, never a traceback."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.harness import COMMAND, Cli, Result, checked, until, write_candles

_HOOK = '''
"""Interrupts this process when a module is looked for, at every write to stdout, or at Python's own end."""
import atexit, os, signal, sys

def interrupt(times):
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            interrupt(1)

class Output:
    def __init__(self, stream):
        self.stream = stream
    def write(self, text):
        interrupt(4)
        return self.stream.write(text)
    def __getattr__(self, name):
        return getattr(self.stream, name)

MODULE = os.environ.get("INTERRUPT_AT_IMPORT")
if os.path.basename(getattr(sys, "orig_argv", ["", ""])[1]) == "countersign":
    if MODULE:
        sys.meta_path.insert(0, Finder())
    if os.environ.get("INTERRUPT_AT_OUTPUT"):
        sys.stdout = Output(sys.stdout)
        atexit.register(interrupt, 4)
'''


@pytest.fixture
def hooked(cli: Cli) -> Cli:
    """A command that can be interrupted from within."""
    (cli.plugins / "sitecustomize.py").write_text(_HOOK, encoding="utf-8")
    return cli


@pytest.mark.parametrize(
    "module",
    ["app.cli.parser", "argparse", "app.cli.dispatch", "app.cli.run", "app.config.load", "pydantic", "app.trader"],
)
def test_during_the_imports(hooked: Cli, module: str) -> None:
    data = write_candles(hooked.home / "paper_AAA-USDT_1m.csv", 3)
    env = hooked.env(INTERRUPT_AT_IMPORT=module)
    result = hooked("run", "--headless", "--auto-confirm", "--db", hooked.db, "--replay", data, env=env)
    assert (result.code, result.out, result.err) == (130, "", "countersign: Interrupted.\n")
    assert not hooked.db.exists()


@pytest.mark.parametrize("command", ["status", "config set risk.position 3", "doctor"])
def test_during_the_imports_of_another_command(hooked: Cli, command: str) -> None:
    hooked.replay(bars=3)
    module = "app.execution.stop_flag" if command == "status" else "pydantic"
    result = hooked(*command.split(), "--db", hooked.db, env=hooked.env(INTERRUPT_AT_IMPORT=module))
    assert (result.code, result.out, result.err) == (130, "", "countersign: Interrupted.\n")
    assert not (hooked.home / "config" / "countersign").exists()


def test_while_the_summary_is_written(hooked: Cli) -> None:
    """The session is over and on disk; an impatient trader still gets its summary."""
    data = write_candles(hooked.home / "paper_AAA-USDT_1m.csv", 30)
    for more in ((), ("--json",)):
        env = hooked.env(INTERRUPT_AT_OUTPUT="1")
        result = hooked("run", "--headless", "--auto-confirm", "--db", hooked.db, "--replay", data, *more, env=env)
        assert result.code == 0, result
        assert "data ended" in result.out


def test_again_and_again_while_it_ends(cli: Cli) -> None:
    trader = cli.trader("--auto-confirm")
    for _ in range(4):
        trader.signal(signal.SIGINT)
    result = trader.wait()
    assert result.code == 0
    assert result.document["outcome"] == "stopped by SIGINT"


def test_nohup_is_kept(cli: Cli) -> None:
    line = ["nohup", str(COMMAND), "run", "--headless", "--json", "--db", str(cli.db), "--replay", str(cli.market)]
    process = subprocess.Popen(
        [*line, "--speed", "20", "--for", "2"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=cli.env(),
        cwd=cli.home,
    )
    until(lambda: cli.socket.exists() or process.poll() is not None, "it takes commands")
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=30)
    result = checked(Result(process.returncode, out, err))
    assert result.code == 0
    assert result.document["outcome"] == "time is up"


def test_at_the_question_of_a_command(cli: Cli, tmp_path: Path) -> None:
    """Interrupted at the prompt: told, and nothing was changed."""
    process = subprocess.Popen(
        [COMMAND, "config", "set", "risk.position", "500"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=cli.env(), cwd=tmp_path,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.read(len("risk.position")) == "risk.position"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    result = checked(Result(process.returncode, out, err))
    assert (result.code, result.out) == (130, "")
    assert "Interrupted" in result.err
    assert not (cli.home / "config" / "countersign" / "config.toml").exists()
