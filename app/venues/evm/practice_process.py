"""Starts and ends the practice chain's process, as `app.venues.paper_process` does the paper venue's: it lives as long
as our end of its standard input."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

from app.errors import VenueError
from app.venues.evm.chain import Chain
from app.venues.evm.described import chain_of

_READY_S: Final = 60.0
"""The first start deploys everything: two seconds here, more on a slow disk."""
_STOP_S: Final = 5.0
_LONGEST_LINE: Final = 1 << 20


class PracticeChain:
    """One process on one folder."""

    def __init__(self, folder: Path, *, traders: int | None = None) -> None:
        self._folder, self._traders = folder, traders
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    async def start(self, fund: str) -> Chain:
        """Start it; `fund` is given coins and tokens, once in the life of the chain.

        Raises:
            VenueError: it did not become ready.
        """
        options = ["--state", str(self._folder), "--fund", fund]
        options += [] if self._traders is None else ["--traders", str(self._traders)]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app.practice",
            "chain",
            *options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in our terminal is ours to handle
            limit=_LONGEST_LINE,
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(_READY_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise VenueError("chain.start", f"The practice chain did not start: {await self._why()}")
        return chain_of(line.decode(errors="replace"))

    async def _why(self) -> str:
        process = self._process
        assert process is not None
        if process.returncode is None:
            try:
                async with asyncio.timeout(_STOP_S):
                    await process.wait()
            except TimeoutError:
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
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
