"""The control socket: how other commands talk to a running trader. A 0600 Unix socket beside the database; one JSON
line in, one JSON line out. Only this user can connect; nothing here can do what a key on the screen could not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from app.errors import CountersignError, UsageError

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
_MOST_BYTES: Final = 64 * 1024
_PATIENCE_S: Final = 30.0


class ControlServer:
    """Serves commands on the trader's loop."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Bind. The database lock is held, so a socket file that is there is a dead trader's."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, path=self._path, limit=_MOST_BYTES)
        finally:
            os.umask(mask)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                line = await reader.readline()
            answer = await self._answer(line)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass  # the other side went away or sent more than a line may hold: nobody is left to tell
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict) or request.get("op") not in self._handlers:
                raise UsageError(
                    "control.op", "The trader does not know this command.", next_step="Are both of one version?"
                )
            return {"ok": await self._handlers[request["op"]](request)}
        except CountersignError as error:
            return {"error": _as_json(error)}
        except (ValueError, KeyError, TypeError) as error:
            wrong = UsageError("control.request", f"The request is malformed: {error!r}.")
            return {"error": _as_json(wrong)}


def _as_json(error: CountersignError) -> dict[str, Any]:
    return {
        "code": error.code,
        "what": error.what,
        "sent": error.sent,
        "next_step": error.next_step,
        "exit_code": error.exit_code,
    }
