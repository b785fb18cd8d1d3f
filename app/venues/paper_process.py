"""Starts and ends the paper venue's process. When its input ends it still finishes its current transaction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from app.errors import VenueError
from app.venues.child import Child

_READY_S: Final = 15.0


class PaperProcess(Child):
    """One venue process on one database."""

    def __init__(self, db: Path, socket_path: Path) -> None:
        super().__init__()
        self.socket_path = socket_path
        self._db = db

    async def start(self) -> None:
        """Start it unless it runs; return when it is ready.

        Raises:
            VenueError: it did not become ready.
        """
        if self.pid is not None:
            return
        line = await self._begin("--db", str(self._db), "--socket", str(self.socket_path), ready_s=_READY_S)
        if not line or not json.loads(line).get("ready"):
            raise VenueError(
                "paper.start",
                f"The paper venue did not start: {await self._why()}",
                next_step="Nothing new was sent; what rests at the venue rests there.",
            )
