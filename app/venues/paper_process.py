"""Starts and ends the paper venue's process. It lives as long as our end of its standard input: when this process dies,
even by SIGKILL, the kernel closes the pipe and the venue ends after its current transaction."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from app.errors import VenueError

_READY_S = 15.0
_STOP_S = 2.0


class PaperProcess:
    """One venue process on one database."""

    def __init__(self, db: Path, socket_path: Path) -> None:
        self.socket_path = socket_path
        self.stop_patience_s = _STOP_S
        """How long `stop` waits for it to end by itself."""
        self._db = db
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    async def start(self) -> None:
        """Start it unless it runs; return when it is ready.

        Raises:
            VenueError: it did not become ready.
        """
        if self.pid is not None:
            return
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app.practice",
            "--db",
            str(self._db),
            "--socket",
            str(self.socket_path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in our terminal is ours to handle
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(_READY_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line or not json.loads(line).get("ready"):
            raise VenueError(
                "paper.start",
                f"The paper venue did not start: {await self._why()}",
                next_step="Nothing new was sent; what rests at the venue rests there.",
            )

    async def _why(self) -> str:
        process = self._process
        assert process is not None
        if process.returncode is None:
            process.kill()
        assert process.stderr is not None
        words = (await process.stderr.read()).decode(errors="replace").strip()
        await process.wait()
        return words.splitlines()[-1] if words else "no answer"

    async def stop(self) -> None:
        """End it: close its input, then wait, then kill."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(self.stop_patience_s):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
