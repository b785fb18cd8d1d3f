"""The node's process: on loopback only, on a port of its own, and never longer than the process that started it."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from app.practice.chain.node import Node
from app.practice.chain.parts import ChainFault, Parts

_END_S: Final = 5
_RICH: Final = 1_000_000
"""Coins of each of the node's own accounts."""
_PAST: Final = ("--prune-history", "128", "--transaction-block-keeper", "1000")
"""Blocks whose state can be asked for, and blocks with transactions that are remembered: of an endless chain the node
would keep 1 MB on disk per block, and 26 kB in every dump.
"""
_GUARD: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: stays through the exec
if os.getppid() != int(sys.argv[1]):  # whoever started us ended before we asked
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


def _guarded(command: list[str]) -> list[str]:
    """A command that the kernel kills when the thread that starts it ends, however it ends.

    Elsewhere than on Linux only an orderly end takes the node along. Asked for by a program of its own (20 ms): what
    `subprocess` would run in the forked child must not be Python in a process with threads.
    """
    if not sys.platform.startswith("linux"):
        return command
    return [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), *command]


class Anvil:
    """A running node.

    Attributes:
        url, ws_url: where it answers.
        node: a connection to it.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        chain_id: int,
        port: int = 0,
        state: Path | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        """Start it, ready when this returns.

        Args:
            parts: where it is installed.
            chain_id: of the chain.
            port: 0 takes a free one.
            state: what `dump` returned, in a file.
            options: more of anvil's own.

        Raises:
            PartsMissing: it is not installed.
            ChainFault: it does not start.
        """
        load = ("--load-state", str(state)) if state is not None else ()
        self.process = subprocess.Popen(  # noqa: S603 -- the program we installed
            _guarded([
                parts.anvil(), "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id),
                "--balance", str(_RICH), "--no-cors", "--no-request-size-limit",
                *_PAST, *load, *options,
            ]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for whoever started us
        )  # fmt: skip
        self.url = f"http://127.0.0.1:{self._listening()}"
        self.ws_url = self.url.replace("http", "ws", 1)
        self.node = Node(self.url)
        self.node.rpc("anvil_setLoggingEnabled", False)  # its output is read no further: a full pipe would hold it

    def _listening(self) -> int:
        """The port, from what it says when it is ready."""
        assert self.process.stdout is not None
        said: list[str] = []
        for line in self.process.stdout:
            said.append(line.decode(errors="replace").strip())
            if said[-1].startswith("Listening on "):
                return int(said[-1].rpartition(":")[2])
        self.stop()
        raise ChainFault(f"anvil did not start: {' '.join(each for each in said[-3:] if each) or 'no word'}")

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def dump(self) -> bytes:
        """The whole chain as it is now, for `state`: accounts, blocks, transactions; not what waits to be mined."""
        return gzip.decompress(bytes.fromhex(self.node.rpc("anvil_dumpState")[2:]))

    def stop(self) -> None:
        """End it."""
        node: Any = getattr(self, "node", None)
        if node is not None:
            node.close()
        self.process.terminate()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
