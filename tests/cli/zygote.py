"""The command, imported once and forked for each run of it: importing takes longer than most of what the command does,
and the tests run it more than a thousand times.

``python -m tests.cli.zygote FD``: over the socket FD come requests as JSON (``argv``, ``env``, ``cwd``), each with four
descriptors: stdin, stdout, stderr, and a socket that hears the process's id and then its wait status, four bytes each.
A run starts where the command's script would: `app.__main__` is imported by the run itself, and it ends by Python's own
way out. What importing shows of itself (how long it takes, what is imported at all) must be asked of a real process.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import socket
import struct
import sys
import sysconfig
from pathlib import Path
from typing import Any

PACKAGES = ("app", "signers", "storage", "strategies")
NOT_HERE = ("app.__main__", "app.tui", "app.practice")
"""The script itself; and what a run on the command line has no use for."""
SITE = "sitecustomize.py"
STATUS = struct.Struct("<i")


def load() -> None:
    """Import everything that a run could."""
    for name in PACKAGES:
        for found in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            if not found.name.startswith(NOT_HERE):
                importlib.import_module(found.name)
    gc.collect()
    gc.freeze()


def begin(request: dict[str, Any], streams: list[int]) -> None:
    """Make this process the one that was asked for, up to its first line."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    own = {sys.path[0], os.fspath(Path(__file__).resolve().parents[2]), os.getcwd()}
    given = [path for path in request["env"].get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [sysconfig.get_path("scripts"), *given, *(path for path in sys.path if path not in own)]
    sys.argv[:] = request["argv"]
    if any(Path(path, SITE).exists() for path in given):
        sys.modules.pop("sitecustomize", None)
        importlib.import_module("sitecustomize")


def serve(requests: socket.socket) -> int:
    """Fork for each request until whoever asks is gone. In a run: its exit code."""
    keepers: set[int] = set()
    while True:
        data, descriptors, _, _ = socket.recv_fds(requests, 1 << 20, 4)
        if not data:
            return 0
        if (keeper := os.fork()) == 0:
            break
        keepers.add(keeper)
        keepers = {each for each in keepers if os.waitpid(each, os.WNOHANG) == (0, 0)}
        for each in descriptors:
            os.close(each)
    requests.close()
    *streams, reply = descriptors
    child = os.fork()
    if child == 0:
        begin(json.loads(data), streams)
        from app.__main__ import main  # noqa: PLC0415 -- it looks at what this process is

        return main()
    for each in streams:
        os.close(each)
    # The keeper: it waits, so that whoever asked need not be the parent.
    os.write(reply, STATUS.pack(child))
    _, status = os.waitpid(child, 0)
    os.write(reply, STATUS.pack(status))
    os._exit(0)


if __name__ == "__main__":
    load()
    sys.exit(serve(socket.socket(fileno=int(sys.argv[1]))))
