"""A node's websocket: requests, and the notifications of what was subscribed to, read as strictly as over HTTP."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from app.venues.evm.nodes.faults import Fault
from app.venues.evm.nodes.node import Node, Op
from app.venues.evm.nodes.wire import Unreadable, document, reply, request
from app.venues.evm.rpc import RpcRefused
from app.venues.resilience.endpoint import scrub

if TYPE_CHECKING:
    import aiohttp

_MOST_WAITING: Final = 1_000
"""Notifications kept while a request waits for its reply."""


class Stream:
    """One open websocket. Used by one task."""

    def __init__(self, node: Node, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.node = node
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: deque[Any] = deque(maxlen=_MOST_WAITING)

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """One request.

        Raises:
            RpcRefused, NodeFault: as `Node.call`.
        """
        number = next(self._numbers)
        try:
            await self._socket.send_str(request(number, method, params).decode())
        except ConnectionError:
            raise self.node.fault(Fault.BROKEN_OFF, "websocket") from None
        while True:
            body = await self._body(self.node.settings.timeout_ms)
            found = self._read(document, body)
            if not (isinstance(found, dict) and "method" in found):
                break
            self._waiting.append(found)
        result, refusal = self._read(lambda text: reply(text, number), body)
        if refusal is not None:
            raise RpcRefused(method, refusal.code, scrub(refusal.message, self.node.settings.ws_url), refusal.data)
        return result

    async def notification(self, subscription: str, patience_ms: int) -> Any:
        """The next result of `subscription`.

        Raises:
            NodeFault: the socket ended, said something that is none, or nothing for `patience_ms`.
        """
        while True:
            found = self._waiting.popleft() if self._waiting else self._read(document, await self._body(patience_ms))
            params = found.get("params") if isinstance(found, dict) else None
            if not isinstance(params, dict) or found.get("method") != "eth_subscription":
                raise self.node.fault(Fault.NOT_RPC, "no notification")
            if params.get("subscription") == subscription:
                return params.get("result")

    async def _body(self, patience_ms: int) -> bytes:
        import aiohttp  # noqa: PLC0415 -- 0.4 s, which the start of the program would pay

        try:
            async with asyncio.timeout(patience_ms / 1000):
                message = await self._socket.receive()
        except TimeoutError:
            raise self.node.fault(Fault.NO_ANSWER, f"{patience_ms} ms, websocket") from None
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data).encode("utf-8", "replace")
        if message.type is aiohttp.WSMsgType.ERROR:
            raise self.node.fault(Fault.NOT_RPC, "websocket")
        raise self.node.fault(Fault.BROKEN_OFF, "websocket")

    def _read(self, reader: Any, body: bytes) -> Any:
        try:
            return reader(body)
        except Unreadable as error:
            raise self.node.fault(error.fault, scrub(error.detail, self.node.settings.ws_url)) from None


@asynccontextmanager
async def opened(node: Node) -> AsyncIterator[Stream]:
    """The node's websocket, closed at the end.

    Raises:
        NodeFault: it could not be opened in time.
    """
    import aiohttp  # noqa: PLC0415 -- as above

    settings = node.settings
    try:
        async with asyncio.timeout(settings.timeout_ms / 1000):
            socket = await node.session(Op.READ).ws_connect(
                settings.ws_url, max_msg_size=settings.most_reply_bytes, compress=0, heartbeat=20
            )
    except TimeoutError:
        raise node.fault(Fault.NO_ANSWER, "websocket") from None
    except (aiohttp.ClientError, OSError):
        raise node.fault(Fault.NO_CONNECTION, "websocket") from None
    try:
        yield Stream(node, socket)
    finally:
        await socket.close()
