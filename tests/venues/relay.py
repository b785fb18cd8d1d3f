"""A relay between client and venue that loses what it is told to lose: the network's faults, made at will."""

from __future__ import annotations

import asyncio
from pathlib import Path

from app.venues.paper_process import PaperProcess


class RelayedProcess(PaperProcess):
    """A venue process that is reached through a relay; a new connection starts without faults."""

    def __init__(self, db: Path, socket_path: Path) -> None:
        super().__init__(db, socket_path.with_name("venue.sock"))
        self._inner = self.socket_path
        self._outer = socket_path
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.lose_replies = False
        self.lose_requests = False
        self.replied = asyncio.Event()
        """Set when the venue has answered something that was lost."""

    async def start(self) -> None:
        self.socket_path = self._inner
        await super().start()
        if self._server is None:
            self._server = await asyncio.start_unix_server(self._relay, self._outer)
        self.socket_path = self._outer

    async def shut(self) -> None:
        """End the relay and the process."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.stop()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lose_replies = self.lose_requests = False
        self.replied.clear()
        try:
            venue_reader, venue_writer = await asyncio.open_unix_connection(self._inner)
        except OSError:
            writer.close()
            return
        for task in (
            asyncio.ensure_future(self._forward(reader, venue_writer, to_venue=True)),
            asyncio.ensure_future(self._forward(venue_reader, writer, to_venue=False)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_venue: bool) -> None:
        try:
            while data := await reader.read(1 << 16):
                if self.lose_requests if to_venue else self.lose_replies:
                    if not to_venue:
                        self.replied.set()
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # one side went away: so does the other
        finally:
            writer.close()
