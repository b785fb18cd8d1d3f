"""Commands called in this process: many wrong words in little time. The real command is in tests/cli."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.__main__ import main
from tests.cli.harness import NOISE, Result

Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """Run one command with a home of its own; `stdin` is what is typed."""
    for name in list(os.environ):
        if name.startswith("COUNTERSIGN_"):
            monkeypatch.delenv(name)
    for name in ("DATA", "STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, stdin: str = "") -> Result:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        try:
            code = main([str(each) for each in arguments])
        except SystemExit as end:  # --help
            code = int(end.code or 0)
        out, err = capfd.readouterr()
        for noise in NOISE:
            assert noise not in err, err
        return Result(code, out, err)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
    ours = [(number, signal.getsignal(number)) for number in numbers]
    yield run
    for number, handler in ours:  # a session keeps its own to the end of its process
        signal.signal(number, handler)
