"""The venue's socket: one trader session at a time, one operation at a time, committed before it is answered.

A plain loop over `selectors`: asyncio would add 50 ms to each start and half as much again to each round trip, and
there is nothing here to wait for in between.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
from pathlib import Path
from typing import Any, Final

from app.practice.checks import Refused
from app.practice.venue import MALFORMED, Venue, parse
from app.venues.paper_wire import MOST_LINE_BYTES

_READ: Final = 1 << 18
_SEND_S: Final = 0.5
"""A trader that does not read its answers for this long is cut off: we must see our standard input end within 1 s."""


class _Connection:
    """Bytes of one peer that are not yet a whole line."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unread = bytearray()
        self.open = True


class Server:
    """Serves until standard input ends, SIGTERM or ``bye``."""

    def __init__(self, venue: Venue, socket_path: Path, stdin: int) -> None:
        self._venue = venue
        self._path = socket_path
        self._stdin = stdin
        self._selector = selectors.PollSelector()
        self._session: _Connection | None = None
        self._done = False

    def run(self) -> None:
        """Bind, say that we are ready, serve, clean up."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listener.bind(str(self._path))
        finally:
            os.umask(mask)
        listener.listen(8)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._stdin, selectors.EVENT_READ)
        signal.signal(signal.SIGTERM, lambda *_: self._end())
        wake, waker = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())  # else a signal between the check and the wait is seen one event late
        self._selector.register(wake, selectors.EVENT_READ)
        print(json.dumps({"ready": True, "pid": os.getpid()}), flush=True)
        while not self._done:
            for key, _ in self._selector.select():
                if key.fileobj is listener:
                    self._accept(listener)
                elif key.fileobj == self._stdin:
                    self._done = self._done or not os.read(self._stdin, _READ)
                elif isinstance(key.data, _Connection) and key.data.open and not self._done:
                    self._read(key.data)
        self._path.unlink(missing_ok=True)

    def _end(self) -> None:
        self._done = True

    def _accept(self, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        sock.settimeout(_SEND_S)
        self._selector.register(sock, selectors.EVENT_READ, _Connection(sock))

    def _close(self, connection: _Connection) -> None:
        """Whatever it still had to say is discarded unread."""
        if connection.open:
            connection.open = False
            connection.unread.clear()
            self._selector.unregister(connection.sock)
            connection.sock.close()
        if self._session is connection:
            self._session = None

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.sock.recv(_READ)
        except OSError:
            data = b""
        if not data:
            self._close(connection)
            return
        connection.unread += data
        while connection.open and not self._done:
            line, newline, rest = connection.unread.partition(b"\n")
            if len(line) > MOST_LINE_BYTES:
                self._venue.malformed("unknown", line.decode(errors="replace"), ValueError("the line is too long"))
                self._close(connection)
                return
            if not newline:
                return
            connection.unread = rest
            self._answer(connection, bytes(line))

    def _answer(self, connection: _Connection, line: bytes) -> None:
        lines = self._handle(connection, line)
        try:
            connection.sock.sendall(b"".join(json.dumps(each).encode() + b"\n" for each in lines))
        except OSError:
            self._close(connection)  # it went away or does not read; what it missed it will look up

    def _handle(self, connection: _Connection, line: bytes) -> list[dict[str, Any]]:
        number, body = None, line.decode(errors="replace")
        try:
            try:
                number, op, request = parse(line)
            except MALFORMED as error:
                raise self._venue.malformed("unknown", body, error) from error
            answer = self._operate(connection, op, request, body)
        except Refused as no:
            return [*self._pushes(), {"id": number, "error": {"code": no.code, "what": no.what}}]
        return [*self._pushes(), {"id": number, "ok": answer}]

    def _operate(self, connection: _Connection, op: str, request: dict[str, Any], body: str) -> Any:
        if op == "hello":
            return self._hello(connection, request, body)
        if self._session is not connection:
            raise Refused("session", "Say hello first.")
        if op == "bye":
            self._done = True
            return None
        return self._venue.operate(op, request, body)

    def _pushes(self) -> list[dict[str, Any]]:
        return [{"report": report} for report in self._venue.take_pushes()]

    def _hello(self, connection: _Connection, request: dict[str, Any], body: str) -> dict[str, int]:
        """Open the session and fence the one before it."""
        answer = self._venue.hello(request, body)
        if self._session is not None and self._session is not connection:
            self._close(self._session)
        self._session = connection
        return answer
