"""What was handed over privately in this session, and how long each has waited. What becomes of it, the chain tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from app.engine.clock import Clock
from app.errors import VenueError, VenueUnknown
from app.venues.evm.private.client import PrivateClient
from app.venues.evm.private.formats import PrivateStatus
from app.venues.evm.private.way import PrivateWay
from app.venues.evm.rpc import Rpc, RpcDown, RpcRefused
from app.venues.resilience.breaker import BreakerView

_ASK_MS: Final = 4_000
"""Between two looks at the status page: faster than blocks, slower than what such pages allow."""


@dataclass(frozen=True, slots=True)
class Route:
    """How one transaction of ours goes, by our own record.

    Attributes:
        host: of the private endpoint that the trader confirmed it with; "" is the public mempool.
        sent: it was given away before.
        published: it was confirmed as private, and was shown to the public since, by choice.
    """

    host: str = ""
    sent: bool = False
    published: bool = False

    @property
    def private(self) -> bool:
        """Nothing of it may reach a public node."""
        return bool(self.host) and not self.published


@dataclass(slots=True)
class _Held:
    """One that waits: `since` which block, tried `until` which (0: nobody knows whether it is)."""

    since: int
    until: int
    overdue: bool = False
    status: PrivateStatus | None = None


@dataclass(frozen=True, slots=True)
class PrivateWait:
    """One that waits, for screens.

    Attributes:
        blocks: it has waited.
        known: the endpoint has taken it; else its answer was lost.
        status: what its status page says; "" where it says nothing.
    """

    client_id: str
    blocks: int
    known: bool
    status: str


@dataclass(frozen=True, slots=True)
class PrivateView:
    """The private endpoint, for screens.

    Attributes:
        kind, fallback: as the settings have them.
        blocks: that are waited for.
        signs_as: address of the throwaway key; "" where none signs.
    """

    host: str
    kind: str
    fallback: str
    blocks: int
    signs_as: str
    sending: BreakerView
    waiting: tuple[PrivateWait, ...] = field(default=())


class PrivateSends:
    """Of one chain.

    Args:
        rpc: the public nodes.
        client: None where the settings name no private endpoint: what was confirmed with one then goes nowhere.
        route: our own record.
    """

    def __init__(self, rpc: Rpc, client: PrivateClient | None, route: Callable[[str], Route]) -> None:
        self._rpc, self._client, self._route = rpc, client, route
        self._held: dict[str, _Held] = {}
        self._head = 0
        self.on_overdue: Callable[[str], None] = lambda _: None
        """Told once of each that no block took in its time."""

    @property
    def way(self) -> PrivateWay | None:
        """As the settings have it."""
        return None if self._client is None else self._client.way

    async def give(self, client_id: str, raw: bytes) -> None:
        """Send signed bytes once: where they were confirmed to go, or, published since, to the nodes.

        Raises:
            RpcRefused: it was refused, for certain.
            RpcDown: it was given to nobody; `sent` is "no".
            VenueUnknown: no answer: maybe sent.
        """
        route = self._route(client_id)
        if not route.private:
            await self._rpc.send_raw(raw)
            return
        await self._hand_over(client_id, raw, route.host)

    async def _hand_over(self, client_id: str, raw: bytes, host: str) -> None:
        if self._client is None or self._client.way.host != host:
            raise RpcDown(
                "chain.private_gone",
                f"It was confirmed to go privately through {host}, which the settings no longer name. "
                "It was not shown to the public mempool.",
                next_step="Name it again, or publish the transaction.",
            )
        head = await self._height()
        first = client_id not in self._held
        held = self._held.setdefault(client_id, _Held(head, 0))
        try:
            held.until = await self._client.send(raw, head)
        except VenueUnknown:
            held.until = 0
            raise
        except VenueError:
            if first:
                self._held.pop(client_id, None)
            raise

    async def _height(self) -> int:
        """The newest block that enough nodes have: until when it is tried is counted from it.

        Raises:
            RpcDown: no node answered; `sent` is "no".
        """
        try:
            return int(await self._rpc.agreed("eth_blockNumber"), 16)
        except RpcRefused as error:
            raise RpcDown(error.code, error.what) from error

    def follows(self, client_id: str) -> bool:
        """It was handed over and may land, though no pool that can be asked shows it."""
        route = self._route(client_id)
        return route.private and route.sent

    def waits(self, client_id: str, head: int) -> bool:
        """It is known to be with the endpoint, which still tries."""
        held = self._held.get(client_id)
        return held is not None and head < held.until and self._route(client_id).private

    def ended(self, client_id: str) -> None:
        """It is in a block, or never will be."""
        self._held.pop(client_id, None)

    def look(self, head: int) -> None:
        """A new block: tell of those that have waited long enough."""
        self._head = head
        for client_id, held in list(self._held.items()):
            if not self._route(client_id).private:
                self._held.pop(client_id)
            elif self.way is not None and not held.overdue and head - held.since >= self.way.blocks:
                held.overdue = True
                self.on_overdue(client_id)

    async def run(self, clock: Clock) -> None:
        """Ask the status page for ever. To be run as a task, and cancelled."""
        while True:
            await clock.sleep_until(clock.now_ms() + _ASK_MS)
            for client_id, held in list(self._held.items()):
                if self._client is not None:
                    held.status = await self._client.status(client_id) or held.status

    def view(self) -> PrivateView | None:
        """For screens; None where the settings name no private endpoint."""
        if self._client is None:
            return None
        way, reputation = self._client.way, self._client.reputation
        return PrivateView(
            host=way.host,
            kind=way.kind.value,
            fallback=way.fallback.value,
            blocks=way.blocks,
            signs_as="" if reputation is None else reputation.address,
            sending=self._client.sending,
            waiting=tuple(
                PrivateWait(
                    client_id,
                    max(self._head - held.since, 0),
                    held.until > 0,
                    "" if held.status is None else held.status.words,
                )
                for client_id, held in self._held.items()
            ),
        )

    async def close(self) -> None:
        """Close its connections. What was handed over stays so."""
        if self._client is not None:
            await self._client.close()
