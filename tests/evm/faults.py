"""What the fault proxy (`tests.evm.proxy`) can do to one exchange with a node: what the node gets, what comes back.

Over a websocket, whatever is HTTP's own (`Http`) breaks the connection.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

Call = dict[str, Any]
"""One JSON-RPC request."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back.

    Attributes:
        body: of the answer; over a websocket, the message.
        cut: bytes of it that are sent before the connection breaks; None for all, and it stays.
    """

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request on its way: one call, or a batch of them.

    Attributes:
        calls: what was asked.
        batch: as a list.
        send: gives the node calls and returns its answers, in their order.
        held: ends when the test lets go (`FaultProxy.release`).
    """

    calls: Sequence[Call]
    batch: bool
    send: Callable[[Sequence[Call]], Awaitable[list[Call]]]
    held: Callable[[], Awaitable[None]]

    def reply(self, answers: Sequence[Call]) -> Reply:
        """Answers as the asker wants them."""
        return Reply(json.dumps(answers if self.batch else answers[0]).encode())


class Fault(Protocol):
    """One thing that goes wrong."""

    async def run(self, exchange: Exchange) -> Reply | None:
        """The answer; None breaks the connection without one."""
        ...


@dataclass(frozen=True, slots=True)
class Nothing:
    """The node gets it, its answer comes back."""

    async def run(self, exchange: Exchange) -> Reply | None:
        return exchange.reply(await exchange.send(exchange.calls))


@dataclass(frozen=True, slots=True)
class DropReply:
    """The node gets it; the connection breaks before its answer."""

    async def run(self, exchange: Exchange) -> Reply | None:
        await exchange.send(exchange.calls)
        return None


@dataclass(frozen=True, slots=True)
class DropRequest:
    """The node never gets it; the connection breaks."""

    async def run(self, exchange: Exchange) -> Reply | None:  # noqa: ARG002 -- the protocol's
        return None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The node gets it `times` times; its first answer comes back, or its last."""

    times: int = 2
    last: bool = False

    async def run(self, exchange: Exchange) -> Reply | None:
        answers = [await exchange.send(exchange.calls) for _ in range(self.times)]
        return exchange.reply(answers[-1 if self.last else 0])


@dataclass(frozen=True, slots=True)
class Hold:
    """No answer and no end until the test lets go: half open. The node gets it before that, after it, or never.

    After `release` the answer does come, late; never got, the connection breaks.
    """

    node_gets_it: str = "before"

    async def run(self, exchange: Exchange) -> Reply | None:
        answers = await exchange.send(exchange.calls) if self.node_gets_it == "before" else None
        await exchange.held()
        if self.node_gets_it == "after":
            answers = await exchange.send(exchange.calls)
        return exchange.reply(answers) if answers is not None else None


@dataclass(frozen=True, slots=True)
class Http:
    """The node never gets it; something before it answers. `Http(429, headers={"Retry-After": "7"})`."""

    status: int
    body: bytes = b"<html><body>Bad Gateway</body></html>"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "text/html"})

    async def run(self, exchange: Exchange) -> Reply | None:  # noqa: ARG002 -- the protocol's
        return Reply(self.body, self.status, self.headers)


@dataclass(frozen=True, slots=True)
class Refused:
    """The node never gets it; an error of this form is answered for each call."""

    code: int
    message: str
    data: Any = None

    async def run(self, exchange: Exchange) -> Reply | None:
        error = {"code": self.code, "message": self.message} | ({} if self.data is None else {"data": self.data})
        return exchange.reply([{"jsonrpc": "2.0", "id": each.get("id"), "error": error} for each in exchange.calls])


@dataclass(frozen=True, slots=True)
class Truncated:
    """The node gets it; the answer is whole as HTTP and its JSON ends after `keep` bytes."""

    keep: int = 20

    async def run(self, exchange: Exchange) -> Reply | None:
        return Reply(exchange.reply(await exchange.send(exchange.calls)).body[: self.keep])


@dataclass(frozen=True, slots=True)
class CutOff:
    """The node gets it; the connection breaks after `keep` bytes of the answer."""

    keep: int = 20

    async def run(self, exchange: Exchange) -> Reply | None:
        return Reply(exchange.reply(await exchange.send(exchange.calls)).body, cut=self.keep)


@dataclass(frozen=True, slots=True)
class WrongId:
    """The node gets it; its answer names another request."""

    id: Any = 999_999

    async def run(self, exchange: Exchange) -> Reply | None:
        return exchange.reply([each | {"id": self.id} for each in await exchange.send(exchange.calls)])


@dataclass(frozen=True, slots=True)
class Lie:
    """The node gets it; in its result the field at `path` is `value` (the whole result when `path` is empty).

    ``Lie("0x5")`` on ``eth_chainId`` is another chain; ``Lie("0x0", "status")`` on a receipt is a failure.
    """

    value: Any
    path: tuple[str | int, ...] | str = ()

    async def run(self, exchange: Exchange) -> Reply | None:
        path = (self.path,) if isinstance(self.path, str) else self.path
        return exchange.reply(
            [
                each | {"result": _changed(each["result"], path, self.value)} if "result" in each else each
                for each in await exchange.send(exchange.calls)
            ]
        )


def _changed(result: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    if result is None:
        return None
    copy = result.copy()
    copy[path[0]] = _changed(copy[path[0]], path[1:], value)
    return copy


_TAGS: Final = {"latest", "pending", "safe", "finalized"}
_BY_HASH: Final = {
    "eth_getTransactionReceipt": "blockNumber", "eth_getTransactionByHash": "blockNumber",
    "eth_getBlockByHash": "number", "eth_getBlockByNumber": "number",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Behind:
    """The node knows nothing of the last `blocks` blocks. What it is sent it does get.

    Past states are asked of the real node: it has those since the test began, no older ones.
    """

    blocks: int

    async def run(self, exchange: Exchange) -> Reply | None:
        asked: Call = {"jsonrpc": "2.0", "id": 0, "method": "eth_blockNumber", "params": []}
        ((head),) = await exchange.send([asked])
        height = int(head["result"], 16) - self.blocks
        above: Call = {"jsonrpc": "2.0", "id": 0, "method": "eth_getBlockByNumber", "params": ["latest", False]}
        missing = set()
        for _ in range(self.blocks):
            ((block),) = await exchange.send([above])
            missing.add(block["result"]["hash"])
            above = above | {"method": "eth_getBlockByHash", "params": [block["result"]["parentHash"], False]}
        calls = [each | {"params": _as_of(each.get("params", []), height)} for each in exchange.calls]
        answers = await exchange.send(calls)
        return exchange.reply(
            [
                _lacks(answer) if _named(call) & missing else _unknown_yet(call["method"], answer, height)
                for call, answer in zip(exchange.calls, answers, strict=True)
            ]
        )


def _named(call: Call) -> set[str]:
    """Blocks that a call names by their hash (EIP-1898, and a filter for logs)."""
    return {each["blockHash"] for each in call.get("params", []) if isinstance(each, dict) and "blockHash" in each}


def _lacks(answer: Call) -> Call:
    error = {"code": -32000, "message": "header not found"}
    return {key: value for key, value in answer.items() if key != "result"} | {"error": error}


def _as_of(params: Any, height: int) -> Any:
    def old(each: Any) -> Any:
        if isinstance(each, str) and each in _TAGS:
            return hex(height)
        if isinstance(each, dict) and "blockHash" not in each and {"fromBlock", "toBlock", "topics"} & each.keys():
            return {"toBlock": hex(height)} | {key: old(value) for key, value in each.items()}
        return each

    return [old(each) for each in params]


def _unknown_yet(method: str, answer: Call, height: int) -> Call:
    result = answer.get("result")
    if method == "eth_blockNumber":
        return answer | {"result": hex(height)}
    if method in _BY_HASH and result is not None:
        number = result[_BY_HASH[method]]
        if number is not None and int(number, 16) > height:
            return answer | {"result": None}
    return answer
