"""A private endpoint as a real HTTP server: what Flashbots Protect's RPC, its relay and its status page answer, before
anvil. What it includes it gives to anvil by a way of its own, so that a proxy before the public node sees none of it.

Shapes: flashbots-docs @272fd13 (2025-11-17). The signature header is checked with eth-account, which the product does
not sign with.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from app.practice.chain.node import Node, NodeRefused
from app.venues.evm.private.way import PrivateKind
from signers.evm import keccak

_PATIENCE_S = 30


class Does(Enum):
    """What it does with what it is given."""

    INCLUDE = auto()
    """Takes it, and the next block has it."""
    HOLD = auto()
    """Takes it, and no block has it."""
    REFUSE = auto()
    HANG = auto()
    """Neither takes it nor answers, until it is closed."""
    LOSE_REPLY = auto()
    """As INCLUDE, and the connection breaks before the answer."""
    LOSE_REQUEST = auto()
    """The connection breaks before it has taken it."""


@dataclass(slots=True)
class Given:
    """One hand-over that arrived."""

    method: str
    params: list[Any]
    raw: bytes
    signer: str = ""


class FakeRelay:
    """See the module.

    Attributes:
        given: every hand-over, in order, with what was done about it left out.
        does: from now on.
        refused: requests whose signature was wrong or missing.
    """

    def __init__(self, upstream: str, kind: PrivateKind = PrivateKind.RPC, does: Does = Does.INCLUDE) -> None:
        self._upstream, self._kind, self.does = upstream, kind, does
        self.given: list[Given] = []
        self.refused: list[str] = []
        self.chain_id = "0x7a69"
        self.status: dict[str, dict[str, Any]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake relay", daemon=True)
        self._thread.start()
        self._run(self._start())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        self._loop.close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def raw(self) -> list[bytes]:
        """Every signed transaction that was handed over, as often as it was."""
        return [each.raw for each in self.given]

    def include(self, raw: bytes) -> None:
        """Have the next block take it."""
        node = Node(self._upstream)
        try:
            node.rpc("eth_sendRawTransaction", f"0x{raw.hex()}")
        except NodeRefused as refused:
            if "already" not in refused.message and "nonce too low" not in refused.message:
                raise
        finally:
            node.close()

    # inside the thread

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_post("/", self._post)
        app.router.add_get("/tx/{hash}", self._tell)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        self._port = sock.getsockname()[1]
        await web.SockSite(self._runner, sock).start()

    async def _stop(self) -> None:
        await self._runner.cleanup()

    async def _tell(self, request: web.Request) -> web.Response:
        name = request.match_info["hash"]
        return web.json_response(self.status.get(name, {"status": "UNKNOWN", "hash": name}))

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.read()
        asked = json.loads(body)
        signer = ""
        if self._kind is not PrivateKind.RPC:
            signer = _signer(request.headers.get("X-Flashbots-Signature", ""), body)
            if not signer:
                self.refused.append(asked["method"])
                return web.json_response({"error": "signature is wrong"}, status=403)
        if asked["method"] == "eth_chainId" and self._kind is PrivateKind.RPC:
            return _result(asked, self.chain_id)
        raw = _raw(self._kind, asked)
        if raw is None:
            return _error(asked, -32601, f"the method {asked['method']} does not exist")
        return await self._take(request, asked, Given(asked["method"], asked["params"], raw, signer))

    async def _take(self, request: web.Request, asked: dict[str, Any], given: Given) -> web.Response:
        does = self.does
        if does is Does.LOSE_REQUEST:
            return _broken(request)
        self.given.append(given)
        if does is Does.HANG:
            await asyncio.Event().wait()  # until whoever asked has gone
        if does is Does.REFUSE:
            return _error(asked, -32003, "transaction rejected: not for us")
        if does in {Does.INCLUDE, Does.LOSE_REPLY}:
            await asyncio.to_thread(self.include, given.raw)
        if does is Does.LOSE_REPLY:
            return _broken(request)
        name = f"0x{keccak(given.raw).hex()}"
        return _result(asked, {"bundleHash": name} if self._kind is PrivateKind.BUNDLE else name)


def _raw(kind: PrivateKind, asked: dict[str, Any]) -> bytes | None:
    """The transaction of a hand-over in the endpoint's own form; None of anything else."""
    method, params = asked["method"], asked["params"]
    if kind is PrivateKind.RPC and method == "eth_sendRawTransaction":
        (text,) = params
    elif kind is PrivateKind.RELAY and method == "eth_sendPrivateTransaction":
        assert params[0].keys() <= {"tx", "maxBlockNumber", "preferences"}
        text = params[0]["tx"]
    elif kind is PrivateKind.BUNDLE and method == "eth_sendBundle":
        assert params[0].keys() <= {"txs", "blockNumber", "minTimestamp", "maxTimestamp", "revertingTxHashes"}
        (text,) = params[0]["txs"]
    else:
        return None
    return bytes.fromhex(text[2:])


def _signer(header: str, body: bytes) -> str:
    """Whose signature of the body it is; "" where it is not that of the address it names."""
    from eth_account import Account  # noqa: PLC0415 -- half a second
    from eth_account.messages import encode_defunct  # noqa: PLC0415 -- as above

    address, _, signature = header.partition(":")
    try:
        found = Account.recover_message(encode_defunct(text=f"0x{keccak(body).hex()}"), signature=signature)
    except (ValueError, TypeError):
        return ""
    return address if found == address else ""


def _result(asked: dict[str, Any], result: Any) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": result})


def _error(asked: dict[str, Any], code: int, message: str) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": code, "message": message}})


def _broken(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
