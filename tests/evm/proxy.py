"""A JSON-RPC proxy before a real node, over HTTP and websockets, that does what a test's script says and remembers
everything it was asked: the record of what really left the product.

It runs in a thread of its own on a real loopback socket::

    with FaultProxy(anvil.url, anvil.ws_url) as proxy:
        proxy.script("eth_sendRawTransaction", DropReply())            # the next one
        proxy.script("eth_call", Http(429), after=2, times=3)          # the third to fifth from now
        proxy.script("*", Behind(2), times=ALWAYS)                     # every call, until `clear`
        ...
        assert proxy.count("eth_sendRawTransaction") == 1
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import ClientSession, ClientTimeout, WSMsgType, web

from tests.evm.faults import Call, Exchange, Fault, Nothing, Reply

_Send = Callable[[Sequence[Call]], Awaitable[list[Call]]]
ALWAYS: Final = 1 << 60
_PATIENCE_S: Final = 30
_LARGEST: Final = 1 << 26


@dataclass(frozen=True, slots=True)
class Seen:
    """One call that reached the proxy.

    Attributes:
        over: ``http`` or ``ws``.
        fault: what was done to it.
    """

    method: str
    params: Any
    over: str
    fault: Fault


@dataclass(slots=True)
class _Script:
    method: str
    fault: Fault
    after: int
    times: int


class FaultProxy:
    """See the module. Everything here may be called from the test's thread.

    Attributes:
        url, ws_url: where the product is sent to.
        seen: every call, in the order of arrival.
        muted: while true, nothing that the node announces by itself (heads, logs) goes through.
    """

    def __init__(self, url: str, ws_url: str | None = None) -> None:
        self._upstream, self._ws_upstream = url, ws_url or url.replace("http", "ws", 1)
        self.seen: list[Seen] = []
        self.muted = False
        self._scripts: list[_Script] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._held: set[asyncio.Future[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._thread.start()
        self._run(self._start())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    # the script

    def script(self, method: str, fault: Fault, *, after: int = 0, times: int = 1) -> None:
        """From now on, let `after` calls of `method` (``*``: of any) pass, then do `fault` to `times` of them.

        Of several that fit, the one that was written first is used until it is used up.
        """
        self._scripts.append(_Script(method, fault, after, times))

    def clear(self) -> None:
        """No more faults are scripted; what is held stays held."""
        self._scripts.clear()

    def release(self) -> None:
        """What `Hold` holds goes on now."""
        self._run(self._release())

    def cut(self) -> None:
        """Every open connection breaks now."""
        self._run(self._cut())

    def refuse(self, *, on: bool = True) -> None:
        """Nobody listens: new connections are refused, the open ones break. Off: the same port listens again."""
        self._run(self._refuse() if on else self._listen())

    # the record

    def count(self, method: str) -> int:
        """Calls of `method` that arrived, whatever was done to them."""
        return sum(each.method == method for each in self.seen)

    def raw(self) -> list[bytes]:
        """Every signed transaction that arrived, in order, as often as it arrived."""
        return [bytes.fromhex(each.params[0][2:]) for each in self.seen if each.method == "eth_sendRawTransaction"]

    def stop(self) -> None:
        """End it."""
        if self._thread.is_alive():
            self._run(self._stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_PATIENCE_S)
            self._loop.close()

    # inside the thread

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    async def _start(self) -> None:
        self._client = ClientSession(timeout=ClientTimeout(total=_PATIENCE_S))
        self._web = web.Server(self._handle)
        await self._listen()

    async def _listen(self) -> None:
        if self._server is None:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", self._port))
            self._port = sock.getsockname()[1]
            self._server = await self._loop.create_server(self._web, sock=sock)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self) -> None:
        for connection in list(self._web.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)

    async def _release(self) -> None:
        held, self._held = self._held, set()
        for each in held:
            if not each.done():
                each.set_result(None)

    async def _hold(self) -> None:
        waiting: asyncio.Future[None] = self._loop.create_future()
        self._held.add(waiting)
        await waiting

    async def _stop(self) -> None:
        await self._refuse()
        for each in [*self._tasks]:
            each.cancel()
        for waiting in self._held:
            waiting.cancel()
        await self._web.shutdown(0)
        await self._client.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await _Socket(self, request).run()
        asked = json.loads(await request.read())
        reply = await self.answer(asked, "http", self._forward)
        transport = request.transport
        if reply is None:
            if transport is not None:
                transport.abort()
            return web.Response()
        headers = {"Content-Type": "application/json", **reply.headers}
        if reply.cut is None:
            return web.Response(body=reply.body, status=reply.status, headers=headers)
        response = web.StreamResponse(status=reply.status, headers=headers)
        response.content_length = len(reply.body)
        await response.prepare(request)
        await response.write(reply.body[: reply.cut])
        if transport is not None:
            transport.close()  # what was written is still sent
        return response

    async def answer(self, asked: Any, over: str, send: _Send) -> Reply | None:
        """What the script makes of one request."""
        calls: list[Call] = asked if isinstance(asked, list) else [asked]
        fault = self._next(calls, over)
        try:
            return await fault.run(Exchange(calls, isinstance(asked, list), send, self._hold))
        except OSError:
            return None  # the node itself is gone

    def _next(self, calls: Sequence[Call], over: str) -> Fault:
        """The fault of the first call that has one; every call counts for every script."""
        chosen: Fault | None = None
        for call in calls:
            for script in self._scripts:
                if script.method not in {"*", call["method"]}:
                    continue
                if script.after:
                    script.after -= 1
                elif script.times and chosen is None:
                    script.times -= 1
                    chosen = script.fault
        fault = chosen or Nothing()
        self.seen += [Seen(each["method"], each.get("params", []), over, fault) for each in calls]
        return fault

    async def _forward(self, calls: Sequence[Call]) -> list[Call]:
        found = []
        for each in calls:
            async with self._client.post(self._upstream, json=each) as response:
                found.append(json.loads(await response.read()))
        return found


class _Socket:
    """One websocket: each call is answered on its own, so that one that is held does not hold the next."""

    def __init__(self, proxy: FaultProxy, request: web.BaseRequest) -> None:
        self._proxy, self._request = proxy, request
        self._client = web.WebSocketResponse(max_msg_size=_LARGEST)
        self._waiting: dict[int, asyncio.Future[Call]] = {}
        self._ids = count(1)
        self._told: set[str] = set()
        """Subscriptions whose id the asker has got: nothing of a subscription goes out before that."""
        self._early: list[tuple[str, str]] = []

    async def run(self) -> web.StreamResponse:
        """Until either side ends."""
        await self._client.prepare(self._request)
        tasks: set[asyncio.Task[None]] = set()
        async with self._proxy._client.ws_connect(self._proxy._ws_upstream, max_msg_size=_LARGEST) as self._node:
            tasks.add(asyncio.create_task(self._listen()))
            try:
                async for message in self._client:
                    if message.type == WSMsgType.TEXT:
                        tasks.add(asyncio.create_task(self._answer(message.data)))
            finally:
                for each in tasks:
                    each.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        return self._client

    async def _listen(self) -> None:
        async for message in self._node:
            if message.type != WSMsgType.TEXT:
                continue
            said = json.loads(message.data)
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
            elif not self._proxy.muted:
                subscription = said["params"]["subscription"]
                if subscription in self._told:
                    await self._client.send_str(message.data)
                else:
                    self._early.append((subscription, message.data))
        self._break()

    async def _send(self, calls: Sequence[Call]) -> list[Call]:
        answers = []
        for call in calls:
            number = next(self._ids)
            self._waiting[number] = asyncio.get_running_loop().create_future()
            await self._node.send_json(call | {"id": number})
            answers.append(await self._waiting[number] | {"id": call.get("id")})
        return answers

    async def _answer(self, text: str) -> None:
        asked = json.loads(text)
        reply = await self._proxy.answer(asked, "ws", self._send)
        if reply is None or reply.status != 200:
            self._break()
            return
        await self._client.send_str(reply.body[: reply.cut].decode(errors="replace"))
        if reply.cut is not None:
            self._break()
        elif isinstance(asked, dict) and asked["method"] == "eth_subscribe":
            self._told.add(json.loads(reply.body).get("result"))
            early, self._early = self._early, []
            for subscription, said in early:
                if subscription in self._told:
                    await self._client.send_str(said)
                else:
                    self._early.append((subscription, said))

    def _break(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()
