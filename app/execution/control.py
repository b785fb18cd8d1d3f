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

from app.errors import CountersignError, StorageError, UsageError
from storage.faults import StorageFault

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
_MOST_BYTES: Final = 64 * 1024
_MOST_CONNECTIONS: Final = 100
"""More would eat the file descriptors that the venue and the database need."""
_PATIENCE_S: Final = 5.0
"""For a whole line to arrive, and for an answer to be taken."""
_ENDING_S: Final = 1.0


class ControlServer:
    """Serves commands on the trader's loop."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._silent: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Bind. The database lock is held, so a socket file that is there is a dead trader's.

        Raises:
            StorageError: the socket can not be made there.
        """
        mask = os.umask(0o177)
        try:
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._accept, path=self._path, limit=_MOST_BYTES)
        except OSError as error:
            raise StorageError(
                "control.socket",
                f"The control socket {self._path} can not be made: {error.strerror}.",
                next_step="Choose another folder with --db.",
            ) from error
        finally:
            os.umask(mask)

    @property
    def listening(self) -> bool:
        """Commands can arrive."""
        return self._server is not None and self._server.is_serving() and self._path.exists()

    async def close(self) -> None:
        """Stop listening, remove the socket, end who has asked nothing yet, let answers on their way arrive."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(OSError):
            self._path.unlink()
        for writer in self._silent:
            writer.transport.abort()
        if self._serving:
            await asyncio.wait(self._serving, timeout=_ENDING_S)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._serving) >= _MOST_CONNECTIONS:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self._silent.add(writer)
            async with asyncio.timeout(_PATIENCE_S):
                line = await reader.readline()
            self._silent.discard(writer)
            if line.endswith(b"\n"):
                answer = await self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                async with asyncio.timeout(_PATIENCE_S):
                    await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass  # the other side went away, or sent more than a line may hold: nobody is left to tell
        finally:
            self._silent.discard(writer)
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            op = request.get("op") if isinstance(request, dict) else None
            if not isinstance(op, str) or op not in self._handlers:
                raise UsageError(
                    "control.op", "The trader does not know this command.", next_step="Are both of one version?"
                )
            return {"ok": await self._handlers[op](request)}
        except CountersignError as error:
            return {"error": _as_json(error)}
        except StorageFault as fault:
            return {"error": _as_json(StorageError(fault.code, fault.what, next_step=fault.next_step))}
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError, OSError) as error:
            wrong = UsageError("control.request", f"The request is malformed: {repr(error)[:200]}.")
            return {"error": _as_json(wrong)}


def _as_json(error: CountersignError) -> dict[str, Any]:
    return {
        "code": error.code,
        "what": error.what,
        "sent": error.sent,
        "next_step": error.next_step,
        "exit_code": error.exit_code,
    }
