"""One endpoint against every broken answer: each has its name, none is another exception, none is late."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.engine.clock import WallClock
from app.venues.evm.nodes.faults import Fault, NodeFault
from app.venues.evm.nodes.node import Node, Op
from app.venues.evm.nodes.settings import NodeSettings
from app.venues.evm.rpc import RpcRefused
from app.venues.resilience.breaker import BreakerRules, BreakerState
from tests.evm.nodes.server import HALF_OPEN, HANG_UP, Behaviour, Said, error, faked, http, raw, result

OK = result("0x1")
SHORT_MS = 400
"""For an answer that never comes: one that does may take longer on a busy machine."""
KEY = "a8f5f167f44f4964e6c998dee827110c"


def settings(url: str, **changes: Any) -> NodeSettings:
    return replace(NodeSettings(url, timeout_ms=5_000, most_reply_bytes=10_000), **changes)


@asynccontextmanager
async def node_of(url: str, failures: int = 3, **changes: Any) -> AsyncIterator[Node]:
    node = Node(settings(url, **changes), WallClock(), BreakerRules(failures=failures, pause_ms=200))
    try:
        yield node
    finally:
        await node.close()


def body(text: str) -> Behaviour:
    return raw(http(text))


def zipped(asked: dict[str, object]) -> Said:
    reply = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": "0x1"}).encode()
    return http(gzip.compress(reply), 200, "Content-Encoding: gzip")


@pytest.mark.parametrize(
    ("behaviour", "fault"),
    [
        (HALF_OPEN, Fault.NO_ANSWER),
        (raw(Said(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", forever=True)), Fault.NO_ANSWER),
        (raw(Said(b"HTTP/1.1 200 OK\r\n", forever=True)), Fault.NO_ANSWER),
        (HANG_UP, Fault.BROKEN_OFF),
        (raw(http('{"jsonrpc":"2.0",', length=500, close=True)), Fault.BROKEN_OFF),
        (raw(Said(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n{", close=True)), Fault.BROKEN_OFF),
        (raw(Said(b"SSH-2.0-OpenSSH_9\r\n\r\n", close=True)), Fault.NOT_RPC),
        (raw(Said(b"\x15\x03\x01\x00\x02\x02\x28" * 20, close=True)), Fault.NOT_RPC),
        (raw(Said(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", close=True)), Fault.NOT_RPC),
        (body("<html>502 Bad Gateway</html>"), Fault.NOT_JSON),
        (body('{"jsonrpc":"2.0","id":1,"result":"0x'), Fault.NOT_JSON),
        (body(""), Fault.NOT_JSON),
        (body("[" * 9_000), Fault.NOT_JSON),
        (zipped, Fault.NOT_JSON),
        (body('{"jsonrpc":"2.0","id":999,"result":"0x1"}'), Fault.WRONG_ID),
        (body("[]"), Fault.NOT_RPC),
        (body("x" * 10_001), Fault.TOO_LARGE),
        (raw(http("<html>", 500)), Fault.HTTP_STATUS),
        (raw(http("<html>", 502)), Fault.HTTP_STATUS),
        (raw(http("<html>", 404)), Fault.NOT_JSON),
        (raw(http("", 204)), Fault.HTTP_STATUS),
        (raw(http("", 302, "Location: http://127.0.0.1:1/")), Fault.REDIRECTED),
        (raw(http("", 307, "Location: http://127.0.0.1:1/")), Fault.REDIRECTED),
        (raw(http("no", 401)), Fault.NOT_ALLOWED),
        (raw(http("no", 403)), Fault.NOT_ALLOWED),
        (raw(http("slow down", 429)), Fault.TOLD_TO_WAIT),
        (raw(http("busy", 503)), Fault.TOLD_TO_WAIT),
        (error(429, "too many requests"), Fault.TOLD_TO_WAIT),
        (error(-32005, "daily request limit exceeded"), Fault.TOLD_TO_WAIT),
    ],
)
@pytest.mark.parametrize("op", [Op.READ, Op.SEND])
async def test_every_broken_answer_has_its_name(behaviour: Behaviour, fault: Fault, op: Op) -> None:
    timeout_ms = SHORT_MS if fault is Fault.NO_ANSWER else 5_000
    async with faked(eth_getX=behaviour) as fake, node_of(fake.url + f"/v3/{KEY}", timeout_ms=timeout_ms) as node:
        with pytest.raises(NodeFault) as caught:
            await node.call("eth_getX", op=op)
        assert caught.value.fault is fault
        assert caught.value.node == fake.url
        # A transaction that left this machine may be anywhere, whatever came back.
        assert caught.value.sent == ("no" if op is Op.READ else "unknown")
        assert KEY not in str(caught.value)
        assert fake.count("eth_getX") == 1, "never by itself again"


async def test_nobody_there_means_nothing_was_sent() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with node_of(url) as node:
            for op in Op:
                with pytest.raises(NodeFault) as caught:
                    await node.call("eth_getX", op=op)
                assert (caught.value.fault, caught.value.sent) == (Fault.NO_CONNECTION, "no")


async def test_a_server_that_accepts_nobody_means_nothing_was_sent() -> None:
    """Its queue of connections is full: connecting hangs, as behind a firewall that drops."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        async with node_of(f"http://127.0.0.1:{full.getsockname()[1]}", timeout_ms=SHORT_MS) as node:
            with pytest.raises(NodeFault) as caught:
                await node.call("eth_getX", op=Op.SEND)
            assert (caught.value.fault, caught.value.sent) == (Fault.NO_CONNECTION, "no")


async def test_a_certificate_that_nobody_vouches_for_gets_no_byte(tmp_path: Path) -> None:
    async def serve(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        raise AssertionError("somebody spoke to it")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server, node_of(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}") as node:
        with pytest.raises(NodeFault) as caught:
            await node.call("eth_chainId", op=Op.SEND)
        assert (caught.value.fault, caught.value.sent) == (Fault.NOT_TRUSTED, "no")


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "node.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


async def test_an_error_of_the_node_is_its_answer_without_our_key_and_without_escapes() -> None:
    words = f"\x1b[31mno for project {KEY}"
    async with faked(eth_getX=error(-32000, words, "0x1234")) as fake, node_of(f"{fake.url}/{KEY}") as node:
        with pytest.raises(RpcRefused) as caught:
            await node.call("eth_getX")
        assert (caught.value.rpc_code, caught.value.data) == (-32000, b"\x12\x34")
        assert caught.value.message == "\\x1b[31mno for project [redacted]"
        assert node.breakers[Op.READ].view().failures == 0, "a refusal is no failure of the endpoint"


async def test_clients_that_answer_400_with_a_reply_are_understood() -> None:
    def answer(asked: dict[str, object]) -> Said:
        said = {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32602, "message": "invalid"}}
        return http(json.dumps(said), 400)

    async with faked(eth_getX=answer) as fake, node_of(fake.url) as node:
        with pytest.raises(RpcRefused, match="invalid"):
            await node.call("eth_getX")


async def test_reads_share_a_connection_and_a_transaction_gets_its_own() -> None:
    async with faked(eth_getX=OK, eth_sendRawTransaction=OK) as fake, node_of(fake.url) as node:
        for _ in range(3):
            await node.call("eth_getX")
        for _ in range(2):
            await node.call("eth_sendRawTransaction", op=Op.SEND)
        assert [number for number, _, _ in fake.seen] == [1, 1, 1, 2, 3]


async def test_a_kept_connection_that_died_costs_a_read_nothing_and_repeats_no_transaction() -> None:
    async with faked(eth_getX=OK) as fake, node_of(fake.url) as node:
        assert await node.call("eth_getX") == "0x1"
        fake.answers["eth_getX"] = lambda asked: HANG_UP(asked) if fake.connections == 1 else OK(asked)
        assert await node.call("eth_getX") == "0x1"
        assert [number for number, _, _ in fake.seen] == [1, 1, 2]
        assert node.health.errors_percent == 0


async def test_retry_after_is_kept_by_the_whole_endpoint() -> None:
    busy = raw(http("", 429, "Retry-After: 7"))
    async with faked(eth_getX=busy, eth_y=OK) as fake, node_of(fake.url) as node:
        with pytest.raises(NodeFault) as caught:
            await node.call("eth_getX")
        assert caught.value.wait_ms == 7_000
        with pytest.raises(NodeFault) as caught:
            await node.call("eth_y")
        assert caught.value.fault is Fault.OUR_BUDGET
        assert fake.count("eth_y") == 0
        assert node.budget.view().held
        assert node.breakers[Op.READ].state is BreakerState.CLOSED, "busy is not broken"
        # What is urgent goes all the same: one more request costs a busy node nothing, an exit not sent costs money.
        assert await node.call("eth_y", urgent=True) == "0x1"


async def test_the_rate_budget_spaces_requests_and_gives_up_in_time() -> None:
    """What is urgent goes at once, and whoever comes behind it would wait longer than half of its time."""
    async with faked(eth_getX=OK) as fake, node_of(fake.url, requests_per_s=10, burst=1) as node:
        clock = WallClock()
        start = clock.monotonic_ns()
        await node.call("eth_getX")
        await node.call("eth_getX")
        assert clock.monotonic_ns() - start >= 90_000_000
        await asyncio.gather(*(node.call("eth_getX", op=Op.SEND) for _ in range(60)))
        with pytest.raises(NodeFault) as caught:
            await node.call("eth_getX")
        assert caught.value.fault is Fault.OUR_BUDGET
        assert fake.count("eth_getX") == 62


async def test_the_breaker_rests_a_dead_endpoint_and_one_probe_wakes_it() -> None:
    async with faked(eth_getX=HANG_UP) as fake, node_of(fake.url, failures=2) as node:
        for _ in range(2):
            with pytest.raises(NodeFault, match="closed the connection"):
                await node.call("eth_getX")
        with pytest.raises(NodeFault) as caught:
            await node.call("eth_getX")
        assert caught.value.fault is Fault.RESTING
        assert fake.count("eth_getX") == 2
        assert node.breakers[Op.SEND].state is BreakerState.CLOSED, "each class of operation has its own"
        fake.answers["eth_getX"] = OK
        await WallClock().sleep_until(WallClock().now_ms() + 210)
        assert await node.call("eth_getX") == "0x1"
        assert node.breakers[Op.READ].state is BreakerState.CLOSED
