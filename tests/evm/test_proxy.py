"""The fault proxy does to a node's answers what its script says, and no more; what the node got, the node tells."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, RemoteDisconnected
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType

from app.practice.chain.node import Node
from tests.evm import faults
from tests.evm.chain import LocalChain, out_of_pool
from tests.evm.faults import Behind, CutOff, DropReply, DropRequest, Duplicate, Hold, Http, Lie
from tests.evm.proxy import ALWAYS, FaultProxy

WHO = "0x" + "44" * 20


@pytest.fixture
def proxy(anvil: LocalChain) -> Iterator[FaultProxy]:
    with FaultProxy(anvil.url, anvil.ws_url) as proxy:
        yield proxy


class Answer:
    """What came back over HTTP, read to the end."""

    def __init__(self, proxy: FaultProxy, method: str, *params: Any, timeout: int = 10) -> None:
        connection = HTTPConnection("127.0.0.1", int(proxy.url.rpartition(":")[2]), timeout=timeout)
        body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        try:
            connection.request("POST", "/", body, {"content-type": "application/json"})
            response = connection.getresponse()
            self.status, self.headers = response.status, response.headers
            self.body = response.read()
        finally:
            connection.close()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def pay(proxy: FaultProxy, chain: LocalChain) -> Answer:
    """One wei to `WHO`, asked for in the node's own words."""
    sender = "0x" + chain.accounts[1].hex()
    return Answer(proxy, "eth_sendTransactionSync", {"from": sender, "to": WHO, "value": "0x1", "gas": "0x5208"})


def paid(chain: LocalChain) -> int:
    return chain.balance(bytes.fromhex(WHO[2:]))


def test_without_a_script_it_is_the_node(proxy: FaultProxy, anvil: LocalChain) -> None:
    node = Node(proxy.url)
    assert (node.number("eth_chainId"), node.accounts()) == (31337, anvil.accounts)
    node.close()
    assert [each.method for each in proxy.seen] == ["eth_chainId", "eth_accounts"]
    assert Answer(proxy, "eth_nothing").json["error"]["code"] == -32601
    assert pay(proxy, anvil).json["id"] == 7
    assert (paid(anvil), proxy.count("eth_sendTransactionSync"), proxy.seen[-1].params[0]["to"]) == (1, 1, WHO)


@pytest.mark.parametrize(("fault", "times"), [(DropReply(), 1), (DropRequest(), 0), (CutOff(), 1), (CutOff(0), 1)])
def test_the_connection_breaks(proxy: FaultProxy, anvil: LocalChain, fault: faults.Fault, times: int) -> None:
    proxy.script("eth_sendTransactionSync", fault)
    with pytest.raises((OSError, HTTPException)):
        pay(proxy, anvil)
    assert paid(anvil) == times
    assert pay(proxy, anvil).json["result"]["status"] == "0x1", "the next one passes"
    assert [each.fault for each in proxy.seen][:1] == [fault]


def test_what_the_node_gets_twice(proxy: FaultProxy, anvil: LocalChain) -> None:
    proxy.script("eth_sendTransactionSync", Duplicate())
    assert pay(proxy, anvil).json["result"]["status"] == "0x1"
    assert paid(anvil) == 2


def test_answers_of_something_before_the_node(proxy: FaultProxy, anvil: LocalChain) -> None:
    proxy.script("eth_sendTransactionSync", Http(429, headers={"Retry-After": "7"}))
    proxy.script("eth_sendTransactionSync", Http(500))
    proxy.script("eth_sendTransactionSync", faults.Refused(-32000, "nonce too low", "0x12"))
    limited, broken, refused = (pay(proxy, anvil) for _ in range(3))
    assert (limited.status, limited.headers["Retry-After"]) == (429, "7")
    assert (broken.status, broken.headers["Content-Type"], broken.body[:6]) == (500, "text/html", b"<html>")
    assert refused.json["error"] == {"code": -32000, "message": "nonce too low", "data": "0x12"}
    assert paid(anvil) == 0


def test_answers_that_are_not_the_nodes(proxy: FaultProxy, anvil: LocalChain) -> None:
    proxy.script("eth_chainId", faults.Truncated(9))
    proxy.script("eth_chainId", faults.WrongId())
    proxy.script("eth_chainId", Lie("0x5"))
    short = Answer(proxy, "eth_chainId")
    assert (short.status, short.body) == (200, b'{"jsonrpc'[:9])
    assert Answer(proxy, "eth_chainId").json["id"] == 999_999
    assert Answer(proxy, "eth_chainId").json["result"] == "0x5"
    assert Answer(proxy, "eth_chainId").json["result"] == "0x7a69"
    tx = pay(proxy, anvil).json["result"]["transactionHash"]
    proxy.script("eth_getTransactionReceipt", Lie("0x0", "status"), times=2)
    receipt = Answer(proxy, "eth_getTransactionReceipt", tx).json["result"]
    assert (receipt["status"], receipt["transactionHash"]) == ("0x0", tx)
    assert Answer(proxy, "eth_getTransactionReceipt", "0x" + "00" * 32).json["result"] is None


def test_calls_are_counted_from_when_the_script_is_written(proxy: FaultProxy) -> None:
    Answer(proxy, "eth_chainId")
    proxy.script("eth_chainId", Http(500), after=1, times=2)
    proxy.script("*", Http(503), after=5, times=ALWAYS)
    found = [Answer(proxy, method).status for method in ["eth_chainId", "net_version", *["eth_chainId"] * 4]]
    assert found == [200, 200, 500, 500, 200, 503]
    proxy.clear()
    assert Answer(proxy, "eth_chainId").status == 200


@pytest.mark.parametrize(("node_gets_it", "at_once", "at_last"), [("before", 1, 1), ("after", 0, 1), ("never", 0, 0)])
def test_what_is_held_is_half_open(
    proxy: FaultProxy, anvil: LocalChain, node_gets_it: str, at_once: int, at_last: int
) -> None:
    proxy.script("eth_sendTransactionSync", Hold(node_gets_it))
    got: list[Answer | Exception] = []

    def ask() -> None:
        try:
            got.append(pay(proxy, anvil))
        except OSError as error:
            got.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    assert Answer(proxy, "eth_chainId").status == 200, "another connection is not held"
    assert any(proxy.count("eth_sendTransactionSync") for _ in range(10**7))
    if at_once:
        assert any(paid(anvil) for _ in range(10_000))
    assert (paid(anvil), got, asker.is_alive()) == (at_once, [], True)
    while asker.is_alive():
        proxy.release()
        asker.join(1)
    assert paid(anvil) == at_last
    assert isinstance(got[0], RemoteDisconnected if node_gets_it == "never" else Answer)


def test_nobody_listens_and_then_again(proxy: FaultProxy) -> None:
    with socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2])), timeout=5) as kept:
        Answer(proxy, "eth_chainId")
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            Answer(proxy, "eth_chainId")
        assert kept.recv(1) == b"", "it was ended"
    proxy.refuse(on=False)
    assert Answer(proxy, "eth_chainId").status == 200


def test_a_node_that_is_behind(proxy: FaultProxy, anvil: LocalChain) -> None:
    height = anvil.mine(3)
    tx = pay(proxy, anvil).json["result"]["transactionHash"]
    out_of_pool(anvil.rpc, 1)
    proxy.script("*", Behind(2), times=ALWAYS)

    def ask(method: str, *params: Any) -> Any:
        return Answer(proxy, method, *params).json["result"]

    assert ask("eth_blockNumber") == hex(height - 1)
    assert ask("eth_getBalance", WHO, "latest") == "0x0"
    assert ask("eth_getTransactionReceipt", tx) is None
    assert ask("eth_getTransactionByHash", tx) is None
    assert ask("eth_getBlockByNumber", hex(height), False) is None
    assert ask("eth_getBlockByNumber", "latest", False)["number"] == hex(height - 1)
    anvil.mine(2)
    assert ask("eth_getBalance", WHO, "latest") == "0x1"
    assert ask("eth_getTransactionReceipt", tx)["status"] == "0x1"


async def test_a_batch_is_one_exchange(proxy: FaultProxy) -> None:
    def call(number: int, method: str) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": number, "method": method, "params": []}

    batch = [call(1, "eth_chainId"), call(2, "eth_nothing"), call(3, "eth_blockNumber")]
    async with ClientSession() as client:
        async with client.post(proxy.url, json=batch) as response:
            answers = await response.json()
        assert [each["id"] for each in answers] == [1, 2, 3]
        assert "error" in answers[1]
        proxy.script("eth_blockNumber", DropReply())
        with pytest.raises(ClientError):
            await client.post(proxy.url, json=batch)
    assert len(proxy.seen) == 6


async def ask(ws: ClientWebSocketResponse, method: str, *params: Any) -> Any:
    """One call over a websocket; announcements in between are left out."""
    await ws.send_json({"jsonrpc": "2.0", "id": 3, "method": method, "params": params})
    async with asyncio.timeout(10):
        async for message in ws:
            if message.type == WSMsgType.TEXT and "id" in (said := json.loads(message.data)):
                return said
    return None


async def test_websockets_have_the_same_faults(proxy: FaultProxy, anvil: LocalChain) -> None:
    async with ClientSession() as client:
        async with client.ws_connect(proxy.ws_url) as ws:
            assert await ask(ws, "eth_chainId") == {"jsonrpc": "2.0", "id": 3, "result": "0x7a69"}
            proxy.script("eth_chainId", Lie("0x5"))
            assert (await ask(ws, "eth_chainId"))["result"] == "0x5"
            proxy.script("eth_chainId", Hold())
            await ws.send_json({"jsonrpc": "2.0", "id": 9, "method": "eth_chainId", "params": []})
            assert (await ask(ws, "net_version"))["id"] == 3, "what is held does not hold the next"
            proxy.script("eth_chainId", DropReply())
            assert await ask(ws, "eth_chainId") is None
            assert ws.closed
        async with client.ws_connect(proxy.ws_url) as ws:
            await asyncio.to_thread(proxy.cut)
            assert await ask_or_end(ws) is None
        assert {each.over for each in proxy.seen} == {"ws"}


async def ask_or_end(ws: ClientWebSocketResponse) -> Any:
    try:
        return await ask(ws, "eth_chainId")
    except (ClientError, OSError):
        return None


async def test_announcements_pass_unless_muted(proxy: FaultProxy, anvil: LocalChain) -> None:
    async with ClientSession() as client, client.ws_connect(proxy.ws_url) as ws:
        subscription = (await ask(ws, "eth_subscribe", "newHeads"))["result"]
        height = await asyncio.to_thread(anvil.mine)
        heard = await ws.receive_json(timeout=10)
        assert heard["params"]["subscription"] == subscription
        assert heard["params"]["result"]["number"] == hex(height)
        proxy.muted = True
        await asyncio.to_thread(anvil.mine)
        assert (await ask(ws, "eth_blockNumber"))["result"] == hex(height + 1)
        proxy.muted = False
        await asyncio.to_thread(anvil.mine)
        assert (await ws.receive_json(timeout=10))["params"]["result"]["number"] == hex(height + 2)


def test_a_node_that_is_gone_breaks_the_connection(start_chain: Any) -> None:
    chain: LocalChain = start_chain(deployed=False)
    with FaultProxy(chain.url) as proxy:
        chain.anvil.process.kill()
        chain.anvil.process.wait()
        with pytest.raises((OSError, HTTPException)):
            Answer(proxy, "eth_chainId")
        assert proxy.count("eth_chainId") == 1
        proxy.script("*", Http(502))
        assert Answer(proxy, "eth_chainId").status == 502
