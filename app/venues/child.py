"""A venue's process of our own: it lives as long as our end of its standard input. When this process dies, even by
SIGKILL, the kernel closes the pipe and the other ends by itself.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

_STOP_S: Final = 2.0
_LONGEST_LINE: Final = 1 << 20
"""What it says when it is ready: a practice chain describes itself in one line."""


class Child:
    """One process of `app.practice`."""

    def __init__(self) -> None:
        self.stop_patience_s = _STOP_S
        """How long `stop` waits for it to end by itself."""
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    async def _begin(self, *arguments: str, ready_s: float) -> bytes:
        """Start it; the line it says when it is ready, or nothing when it did not come to that within `ready_s`."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app.practice",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in our terminal is ours to handle
            limit=_LONGEST_LINE,
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(ready_s):
                return await self._process.stdout.readline()
        except TimeoutError:
            return b""

    async def _why(self) -> str:
        """Why it is not ready, in its own last words; it is ended."""
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
