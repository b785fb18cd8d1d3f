"""Broken nodes: a server on a loopback socket that answers each JSON-RPC method with whatever bytes a test wants,
passes the rest on to a real chain, and remembers what it was asked; and a relay that can be cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp


@dataclass(frozen=True, slots=True)
class Said:
    """Bytes to write, then perhaps the end of the connection. `forever`: the connection then stays open in silence."""

    raw: bytes = b""
    close: bool = False
    forever: bool = False


Behaviour = Callable[[dict[str, Any]], "Said | Awaitable[Said]"]


def http(body: bytes | str, status: int = 200, *headers: str, length: int | None = None, close: bool = False) -> Said:
    data = body.encode() if isinstance(body, str) else body
    size = len(data) if length is None else length
    lines = [f"HTTP/1.1 {status} x", "Content-Type: application/json", f"Content-Length: {size}", *headers, "", ""]
    return Said("\r\n".join(lines).encode() + data, close=close)


def result(value: Any) -> Behaviour:
    return lambda asked: http(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": value}))


def error(code: int, message: str, data: Any = None) -> Behaviour:
    found = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return lambda asked: http(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": found}))


def raw(said: Said) -> Behaviour:
    return lambda _: said


HALF_OPEN = raw(Said(forever=True))
HANG_UP = raw(Said(close=True))


@dataclass
class FakeNode:
    """A node that is not well. Without a chain behind it, it is one of chain 31337 at block 16.

    Attributes:
        answers: by method; what is not here is passed on to `behind`.
        seen: (number of the connection, method, parameters), in the order they came.
    """

    behind: str = ""
    answers: dict[str, Behaviour] = field(default_factory=dict)
    seen: list[tuple[int, str, Any]] = field(default_factory=list)
    url: str = ""
    connections: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def asked(self, method: str, times: int) -> None:
        """Until it was asked so often."""
        async with asyncio.timeout(10):
            while self.count(method) < times:
                self.news.clear()
                await self.news.wait()

    def count(self, method: str) -> int:
        return sum(name == method for _, name, _ in self.seen)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                asked = json.loads(await reader.readexactly(size))
                self.seen.append((number, asked["method"], asked["params"]))
                self.news.set()
                said = self.answers.get(asked["method"], self._otherwise)(asked)
                said = said if isinstance(said, Said) else await said
                writer.write(said.raw)
                await writer.drain()
                if said.forever:
                    await asyncio.Event().wait()
                if said.close:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def forward(self, asked: dict[str, Any]) -> Said:
        async with aiohttp.ClientSession() as session, session.post(self.behind, json=asked) as answer:
            return http(await answer.read())

    def lagging(self, head: str) -> Behaviour:
        """For eth_getBlockByNumber: as if `head` were the last block."""

        async def answer(asked: dict[str, Any]) -> Said:
            number, *rest = asked["params"]
            if number != "latest" and int(number, 16) > int(head, 16):
                return http(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": None}))
            return await self.forward({**asked, "params": [head if number == "latest" else number, *rest]})

        return answer

    def _otherwise(self, asked: dict[str, Any]) -> Said | Awaitable[Said]:
        if self.behind:
            return self.forward(asked)
        known: dict[str, Behaviour] = {
            "eth_chainId": result(hex(31337)),
            "eth_blockNumber": result("0x10"),
            "eth_getBlockByNumber": lambda each: result(block(_number(each["params"][0])))(each),
        }
        return known.get(asked["method"], error(-32601, "method not found"))(asked)


def _number(text: str) -> int:
    return 16 if text == "latest" else int(text, 16)


def block(number: int, fork: int = 0) -> dict[str, Any]:
    """A block whose hash says its number and branch."""
    return {
        "number": hex(number), "hash": f"0x{number:062x}{fork:02x}", "parentHash": f"0x{number - 1:062x}{fork:02x}",
        "timestamp": hex(1_700_000_000 + number), "baseFeePerGas": "0x7",
    }  # fmt: skip


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]], port: int = 0
) -> AsyncIterator[int]:
    """A loopback server; its port. All its connections end with it."""
    tasks: set[asyncio.Task[None]] = set()

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await serve(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(tracked, "127.0.0.1", port, limit=2**20)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def faked(behind: str = "", **answers: Behaviour) -> AsyncIterator[FakeNode]:
    """A `FakeNode` that listens."""
    node = FakeNode(behind, dict(answers))
    async with listening(node.serve) as port:
        node.url = f"http://127.0.0.1:{port}"
        yield node


class Relay:
    """Passes bytes between a port of its own and another one; can be cut, or frozen: open in silence."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._writers: list[asyncio.StreamWriter] = []
        self._thawed = asyncio.Event()
        self._thawed.set()
        self.refuses = False
        self.port = 0
        self.connections = 0

    def cut(self) -> None:
        """End all connections at once."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def freeze(self) -> None:
        """Let nothing pass any more; connections stay."""
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.close()
            return
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, far_writer]
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await self._thawed.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def relayed(target: int) -> AsyncIterator[Relay]:
    relay = Relay(target)
    async with listening(relay.serve) as port:
        relay.port = port
        yield relay
