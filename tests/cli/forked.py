"""A run of the command by `tests.cli.zygote`, with the part of `subprocess.Popen` that the tests use."""

from __future__ import annotations

import atexit
import functools
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.alerts.servers import KEYRING
from tests.cli.zygote import SITE, STATUS

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def _zygote() -> socket.socket:
    """One for each process that runs tests; it ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.zygote", str(theirs.fileno())],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=ROOT, pass_fds=[theirs.fileno()],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


class Forked:
    """A process that runs. Its streams are pipes, but for a stdin of nothing."""

    def __init__(
        self, arguments: Sequence[str | bytes | Path], env: Mapping[str, str], cwd: Path, *, stdin: bool = False
    ) -> None:
        self.args = [os.fsdecode(each) for each in arguments]
        self.returncode: int | None = None
        out, err = os.pipe(), os.pipe()
        into = os.pipe() if stdin else (os.open(os.devnull, os.O_RDONLY), None)
        self._reply, theirs = socket.socketpair()
        request = json.dumps({"argv": self.args, "env": dict(env), "cwd": os.fspath(cwd)}).encode()
        given = [into[0], out[1], err[1], theirs.fileno()]
        socket.send_fds(_zygote(), [request], given)
        theirs.close()
        for each in given[:3]:
            os.close(each)
        self.stdin = None if into[1] is None else _text(into[1], "w")
        self.stdout, self.stderr = _text(out[0]), _text(err[0])
        self._said: dict[io.TextIOWrapper, str] = {}
        self.pid: int = STATUS.unpack(self._reply.recv(STATUS.size, socket.MSG_WAITALL))[0]

    def poll(self) -> int | None:
        """The return code, or None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its return code.

        Raises:
            TimeoutExpired: it goes on.
        """
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:  # noqa: A002 -- Popen's
        """What it says until its end.

        Raises:
            TimeoutExpired: it goes on.
        """

        def read(stream: io.TextIOWrapper) -> None:
            self._said[stream] = stream.read()
            stream.close()

        left = [each for each in (self.stdout, self.stderr) if each not in self._said]
        readers = [threading.Thread(target=read, args=(each,), daemon=True) for each in left]
        for each in readers:
            each.start()
        if self.stdin is not None:
            try:
                self.stdin.write(input or "")
                self.stdin.close()
            except BrokenPipeError:
                pass  # it did not want to hear all of it
        end = None if timeout is None else time.monotonic() + timeout
        for each in readers:
            each.join(None if end is None else max(0.0, end - time.monotonic()))
            if each.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(None if end is None else max(0.0, end - time.monotonic()))
        return self._said[self.stdout], self._said[self.stderr]

    def send_signal(self, number: int) -> None:
        """Unless it is over."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """At once."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._reply], [], [], timeout)[0]:
            (status,) = STATUS.unpack(self._reply.recv(STATUS.size, socket.MSG_WAITALL))
            self.returncode = os.waitstatus_to_exitcode(status)
            self._reply.close()
        return self.returncode


def can(env: Mapping[str, str]) -> bool:
    """Whether a run in this environment is no other for being forked: Python itself reads nothing else of it, and
    nobody looks at what is imported."""
    own = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    asks = any(name.startswith("PYTHON") and name not in own for name in env)
    folders = env.get("PYTHONPATH", "").split(os.pathsep)
    hooked = any(Path(each, SITE).exists() for each in folders) and KEYRING not in env
    return env.get("LC_ALL") == "C.UTF-8" and not asks and not hooked


def _text(descriptor: int, mode: str = "r") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.FileIO(descriptor, mode), encoding="utf-8", errors="surrogateescape")
