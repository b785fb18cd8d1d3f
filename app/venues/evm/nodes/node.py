"""One endpoint: a request, its deadline, and its reply read strictly. What goes wrong has a name (`Fault`)."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from app.engine.clock import Clock
from app.venues.evm.nodes.faults import BEFORE_A_BYTE, ITS_OWN, Fault, NodeFault
from app.venues.evm.nodes.health import NodeHealth
from app.venues.evm.nodes.refusals import told_to_wait
from app.venues.evm.nodes.retry_after import wait_ms
from app.venues.evm.nodes.settings import NodeSettings
from app.venues.evm.nodes.wire import Unreadable, document, reply, request
from app.venues.evm.rpc import RpcRefused
from app.venues.resilience.breaker import Breaker, BreakerRules, Ticket
from app.venues.resilience.budget import RateBudget, RateRules
from app.venues.resilience.endpoint import scrub, shown

if TYPE_CHECKING:
    import aiohttp

_CHUNK: Final = 65_536
_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
"""Identity: a compressed reply could grow to any size while it is unpacked."""


class Op(StrEnum):
    """What a request is for. Each has a breaker: a node that takes no transactions may still be read, and the other
    way round."""

    READ = "read"
    SEND = "send"


@dataclass(slots=True)
class _Flight:
    """Where one request has got to, told by aiohttp."""

    reused: bool = False
    sent: bool = False


class Node:
    """One endpoint of a chain.

    Attributes:
        name: what is shown of its URL.
        headers: made for the exact bytes of each request, beside the usual ones.
    """

    def __init__(self, settings: NodeSettings, clock: Clock, breaker: BreakerRules, name: str = "") -> None:
        self.settings = settings
        self.headers: Callable[[bytes], Mapping[str, str]] = lambda _: {}
        self.name = name or shown(settings.url)
        self.health = NodeHealth()
        self.budget = RateBudget(clock, RateRules(settings.requests_per_s, settings.burst))
        self.breakers = {op: Breaker(clock, breaker) for op in Op}
        self._clock = clock
        self._numbers = itertools.count(1)
        self._sessions: dict[Op, aiohttp.ClientSession] = {}

    async def call(self, method: str, params: Sequence[Any] = (), *, op: Op = Op.READ, urgent: bool = False) -> Any:
        """One request, once. Its result as JSON has it.

        Args:
            op: SEND goes over a connection of its own, opened for it: one kept from before may be dead, and a
                transaction lost on it would be unknown for nothing. That costs one handshake.
            urgent: takes its place in the rate budget and waits for none.

        Raises:
            RpcRefused: the node answered with an error.
            NodeFault: it gave no answer that can be used.
        """
        ticket = self.breakers[op].begin()
        if ticket is None:
            raise self.fault(Fault.RESTING, self.breakers[op].view().reason)
        flight = _Flight()
        try:
            async with self._verdict(op, ticket):
                return await self._within_deadline(method, params, op, flight, urgent=urgent or op is Op.SEND)
        except NodeFault as fault:
            if op is Op.SEND and flight.sent and fault.fault not in BEFORE_A_BYTE:
                fault.sent = "unknown"
            raise

    async def document(self, path: str) -> Any:
        """A JSON document by HTTP GET, below the endpoint's URL.

        Raises:
            NodeFault: there is none that can be used.
        """
        ticket = self.breakers[Op.READ].begin()
        if ticket is None:
            raise self.fault(Fault.RESTING, self.breakers[Op.READ].view().reason)
        flight = _Flight()
        async with self._verdict(Op.READ, ticket):
            try:
                async with asyncio.timeout(self.settings.timeout_ms / 1000):
                    await self._place(self._clock.now_ms() + self.settings.timeout_ms, urgent=False)
                    status, body = await self._post(None, Op.READ, flight, path)
                    if status != 200:
                        raise self.fault(Fault.HTTP_STATUS, str(status))
                    return document(body)
            except TimeoutError:
                raise self.fault(Fault.NO_ANSWER, f"{self.settings.timeout_ms} ms") from None
            except Unreadable as error:
                raise self.fault(error.fault, scrub(error.detail, self.settings.url)) from None

    def fault(self, fault: Fault, detail: str = "", *, wait: int = 0) -> NodeFault:
        """A fault of this node."""
        return NodeFault(self.name, fault, detail, wait_ms=wait)

    async def close(self) -> None:
        """Close its connections."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def session(self, op: Op) -> aiohttp.ClientSession:
        """Its HTTP session, opened on the loop that asks first."""
        if op not in self._sessions:
            self._sessions[op] = _session(fresh=op is Op.SEND)
        return self._sessions[op]

    @asynccontextmanager
    async def _verdict(self, op: Op, ticket: Ticket) -> AsyncIterator[None]:
        """Tells breaker, budget and health how the call within went."""
        breaker = self.breakers[op]
        try:
            yield
        except RpcRefused:
            breaker.succeeded(ticket)
            self.health.went_well()
            raise
        except NodeFault as fault:
            self._judge(fault, breaker, ticket)
            raise
        else:
            breaker.succeeded(ticket)
            self.health.went_well()
        finally:
            breaker.withdrawn(ticket)  # nothing where it was decided above; a probe cancelled gives its place back

    def _judge(self, fault: NodeFault, breaker: Breaker, ticket: Ticket) -> None:
        if fault.fault is Fault.TOLD_TO_WAIT:
            self.budget.hold(fault.wait_ms)
        if fault.fault in ITS_OWN:
            breaker.failed(ticket, str(fault.fault))
        if fault.fault is not Fault.OUR_BUDGET:
            self.health.went_wrong(str(fault.fault))

    async def _within_deadline(
        self, method: str, params: Sequence[Any], op: Op, flight: _Flight, *, urgent: bool
    ) -> Any:
        deadline = self._clock.now_ms() + self.settings.timeout_ms
        try:
            async with asyncio.timeout(self.settings.timeout_ms / 1000):
                await self._place(deadline, urgent=urgent)
                return await self._exchange(method, params, op, flight)
        except TimeoutError:
            if not flight.sent:
                raise self.fault(Fault.NO_CONNECTION, "in time") from None
            raise self.fault(Fault.NO_ANSWER, f"{self.settings.timeout_ms} ms") from None

    async def _place(self, deadline_ms: int, *, urgent: bool) -> None:
        """Wait for a place in the rate budget."""
        if urgent:
            # What is urgent never waits, and is counted: the places after it come later.
            self.budget.reserve(self.settings.timeout_ms + 10**9)
            return
        # Half of the time is left for the answer.
        wait = self.budget.reserve(self.settings.timeout_ms // 2)
        if wait is None:
            raise self.fault(Fault.OUR_BUDGET)
        while wait:
            await self._clock.sleep_until(self._clock.now_ms() + wait)
            wait = self.budget.held_for_ms()
            if self._clock.now_ms() + wait > deadline_ms:
                self.budget.give_back()
                raise self.fault(Fault.OUR_BUDGET)

    async def _exchange(self, method: str, params: Sequence[Any], op: Op, flight: _Flight) -> Any:
        number = next(self._numbers)
        started = self._clock.monotonic_ns()
        try:
            status, body = await self._post(request(number, method, params), op, flight)
            self.health.took(self._clock.monotonic_ns() - started)
            result, refusal = reply(body, number)
        except Unreadable as error:
            raise self.fault(error.fault, scrub(error.detail, self.settings.url)) from None
        if refusal is None:
            if status != 200:
                raise self.fault(Fault.HTTP_STATUS, str(status))
            return result
        if told_to_wait(refusal.code, refusal.message):
            raise self.fault(Fault.TOLD_TO_WAIT, wait=wait_ms("", self._clock.now_ms()))
        raise RpcRefused(method, refusal.code, scrub(refusal.message, self.settings.url), refusal.data)

    async def _post(self, body: bytes | None, op: Op, flight: _Flight, path: str = "") -> tuple[int, bytes]:
        """Status and body of the reply; without a body of ours it is asked for by GET.

        Raises:
            NodeFault: as the HTTP library's many errors translate; none of their own text is kept: it holds URLs.
        """
        import aiohttp  # noqa: PLC0415 -- 0.4 s, which the start of the program would pay

        try:
            return await self._post_once(body, op, flight, path)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError, ssl.SSLError):
            raise self.fault(Fault.NOT_TRUSTED) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise self.fault(Fault.NO_CONNECTION) from None
        except aiohttp.ClientResponseError:
            raise self.fault(Fault.NOT_RPC, "no HTTP") from None
        except (aiohttp.ClientError, OSError):
            if flight.reused and op is Op.READ:
                # A kept connection that the node closed meanwhile. A read does no harm twice.
                flight.reused = False
                return await self._post(body, op, flight, path)
            raise self.fault(Fault.BROKEN_OFF) from None

    async def _post_once(self, body: bytes | None, op: Op, flight: _Flight, path: str) -> tuple[int, bytes]:
        async with self.session(op).request(
            "GET" if body is None else "POST",
            self.settings.url + path,
            data=body,
            headers=_HEADERS if body is None else {**_HEADERS, **self.headers(body)},
            allow_redirects=False,
            trace_request_ctx=flight,
        ) as answer:
            if answer.status in {429, 503}:
                told = answer.headers.get("Retry-After", "")
                raise self.fault(Fault.TOLD_TO_WAIT, f"HTTP {answer.status}", wait=wait_ms(told, self._clock.now_ms()))
            if 300 <= answer.status < 400:
                raise self.fault(Fault.REDIRECTED, f"HTTP {answer.status}")
            if answer.status in {401, 403}:
                raise self.fault(Fault.NOT_ALLOWED, f"HTTP {answer.status}")
            # Clients answer a bad request with 4xx and a reply in it; behind 5xx there is no node.
            if answer.status != 200 and not 400 <= answer.status < 500:
                raise self.fault(Fault.HTTP_STATUS, str(answer.status))
            return answer.status, await self._body(answer)

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        most = self.settings.most_reply_bytes
        parts: list[bytes] = []
        size = 0
        async for part in answer.content.iter_chunked(_CHUNK):
            size += len(part)
            if size > most:
                answer.close()
                raise self.fault(Fault.TOO_LARGE, f"{most} bytes")
            parts.append(part)
        return b"".join(parts)


def _session(*, fresh: bool) -> aiohttp.ClientSession:
    import aiohttp  # noqa: PLC0415 -- as above

    async def reused(_session: object, context: Any, _params: object) -> None:
        if context.trace_request_ctx is not None:  # a websocket's has none
            context.trace_request_ctx.reused = True

    async def sent(_session: object, context: Any, _params: object) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx.sent = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(reused)
    # Before the first byte is written, so "not sent" is certain.
    trace.on_request_headers_sent.append(sent)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=16, force_close=fresh, ttl_dns_cache=60),
        timeout=aiohttp.ClientTimeout(total=None),  # ours is around the whole call
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trace_configs=[trace],
    )
