"""Starts and ends the practice chain's process."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from app.errors import VenueError
from app.venues.child import Child
from app.venues.evm.chain import Chain
from app.venues.evm.described import chain_of

_READY_S: Final = 60.0
"""The first start deploys everything: two seconds here, more on a slow disk."""
_STOP_S: Final = 5.0
"""It writes its whole state to disk before it ends."""


class PracticeChain(Child):
    """One process on one folder."""

    def __init__(self, folder: Path, *, traders: int | None = None) -> None:
        super().__init__()
        self.stop_patience_s = _STOP_S
        self._folder, self._traders = folder, traders

    async def start(self, fund: str) -> Chain:
        """Start it; `fund` is given coins and tokens, once in the life of the chain.

        Raises:
            VenueError: it did not become ready.
        """
        traders = [] if self._traders is None else ["--traders", str(self._traders)]
        line = await self._begin("chain", "--state", str(self._folder), "--fund", fund, *traders, ready_s=_READY_S)
        if not line:
            raise VenueError("chain.start", f"The practice chain did not start: {await self._why()}")
        return chain_of(line.decode(errors="replace"))
