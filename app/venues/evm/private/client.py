"""One private endpoint over HTTP: the wire, deadlines, breakers and faults of a node (`app.venues.evm.nodes.node`)."""

from __future__ import annotations

from typing import Final

from app.engine.clock import Clock
from app.errors import VenueUnknown
from app.venues.evm.nodes.faults import Fault, NodeFault
from app.venues.evm.nodes.node import Node, Op
from app.venues.evm.nodes.refusals import MAYBE, TAKEN, classify
from app.venues.evm.nodes.settings import NodeSettings
from app.venues.evm.nodes.wire import Unreadable, quantity
from app.venues.evm.private.formats import PrivateStatus, ask, read_status
from app.venues.evm.private.reputation import Reputation
from app.venues.evm.private.way import PrivateKind, PrivateWay
from app.venues.evm.rpc import RpcDown, RpcRefused
from app.venues.resilience.breaker import BreakerRules, BreakerView

_MOST_REPLY: Final = 256 * 1024
_STATUS_PER_S: Final = 2


class PrivateClient:
    """Hands over signed bytes. It chooses nothing: who sends, and whether, is the venue's.

    Attributes:
        reputation: of a relay; None of an endpoint that asks for no signature.
    """

    def __init__(self, way: PrivateWay, chain_id: int, clock: Clock) -> None:
        self.way = way
        self._chain_id = chain_id
        self._checked = False
        self._node = Node(NodeSettings(way.url, most_reply_bytes=_MOST_REPLY), clock, BreakerRules(), way.host)
        self.reputation = None if way.kind is PrivateKind.RPC else Reputation()
        if self.reputation is not None:
            self._node.headers = self.reputation.header
        self._status: Node | None = None
        if way.status:
            terms = NodeSettings(way.status, requests_per_s=_STATUS_PER_S, most_reply_bytes=_MOST_REPLY)
            self._status = Node(terms, clock, BreakerRules())

    @property
    def sending(self) -> BreakerView:
        """Whether it is given transactions."""
        return self._node.breakers[Op.SEND].view()

    async def send(self, raw: bytes, head: int) -> int:
        """Hand it over once. Returns the last block that it is tried for.

        Raises:
            RpcRefused: it was refused, for certain.
            RpcDown: it was not given to it; `sent` is "no".
            VenueUnknown: no answer: it may have it.
        """
        asked = ask(self.way.kind, raw, head, self.way.blocks)
        try:
            await self._check_chain()
            await self._node.call(asked.method, asked.params, op=Op.SEND)
        except RpcRefused as refused:
            answer = classify(refused.rpc_code, refused.message)
            if answer in TAKEN:
                return asked.until
            if answer in MAYBE:
                raise _unknown(self.way.host, refused.message) from refused
            raise
        except NodeFault as fault:
            if fault.sent != "no":
                raise _unknown(self.way.host, fault.what) from fault
            raise RpcDown(
                "chain.not_sent",
                f"It goes privately through {self.way.host}, which could not be given it: {fault.what} "
                "It was not shown to the public mempool.",
                next_step="Try again, or see chains.NAME.private in the settings.",
            ) from fault
        return asked.until

    async def status(self, client_id: str) -> PrivateStatus | None:
        """What its status page says of a transaction; None where it has none, or gives no answer that can be used."""
        if self._status is None:
            return None
        try:
            return read_status(await self._status.document(f"/{client_id}"), client_id)
        except (NodeFault, Unreadable):
            return None

    async def close(self) -> None:
        """Close its connections."""
        await self._node.close()
        if self._status is not None:
            await self._status.close()

    async def _check_chain(self) -> None:
        """A node's twin says which chain it is of; a relay takes nothing but what it is for.

        Raises:
            NodeFault: another one, or no answer.
        """
        if self._checked or self.way.kind is not PrivateKind.RPC:
            return
        try:
            found = quantity(await self._node.call("eth_chainId", urgent=True))
        except (RpcRefused, Unreadable):
            raise self._node.fault(Fault.WRONG_CHAIN, "it does not say which") from None
        except NodeFault as fault:
            fault.sent = "no"  # a question, whatever became of it
            raise
        if found != self._chain_id:
            raise self._node.fault(Fault.WRONG_CHAIN, f"{found}, not {self._chain_id}")
        self._checked = True


def _unknown(host: str, words: str) -> VenueUnknown:
    return VenueUnknown(
        "chain.private_unknown",
        f"{host} may have it or not: {words} It was not shown to the public mempool.",
        next_step="Do not repeat it. The chain tells what becomes of it.",
    )
