"""A chain as screens show it: what may be done on it, its newest block, its nodes. Plain reads of what the nodes'
layer knows already; nobody is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.session import Session
    from app.venues.evm.nodes.health import Mode, NodeView
    from app.venues.evm.private.sends import PrivateView


@dataclass(frozen=True, slots=True)
class ChainView:
    """One chain.

    Attributes:
        mode: what may be done; `reason` why not more, "" where everything may.
        quorum: how many nodes must agree, in words.
        block, age_ms: the newest block and how long ago it was heard of, None before the first.
        stale_ms: from what age on the chain stands still.
        nodes: scheme, host and port only; the rest of their addresses may hold keys.
        last_send: each node's answer to the last transaction.
    """

    name: str
    chain_id: int
    coin: str
    mode: Mode
    reason: str
    quorum: str
    block: int | None
    age_ms: int | None
    stale_ms: int
    nodes: tuple[NodeView, ...]
    last_send: tuple[tuple[str, str], ...]
    private: PrivateView | None = None
    """Where transactions go past the public mempool, and which of them wait; None: they are public."""

    @property
    def may(self) -> str:
        """The mode as it is shown: ``DATA_ONLY``."""
        return self.mode.name


def chain(session: Session) -> ChainView | None:
    """The chain that a session trades on; None where it trades on none, or is not connected yet."""
    if session.plan.chain is None or not hasattr(session, "desk"):
        return None
    from app.venues.evm.venue import EvmVenue  # noqa: PLC0415 -- aiohttp and eth-abi, 0.7 s: only where it runs

    venue = session.venue
    assert isinstance(venue, EvmVenue)
    seen, settings = venue.nodes.snapshot(), venue.nodes.settings
    return ChainView(
        name=session.plan.chain.name,
        chain_id=seen.chain_id,
        coin=venue.chain.native.symbol,
        mode=seen.mode,
        reason=seen.reason,
        quorum=seen.quorum,
        block=seen.head,
        age_ms=seen.head_age_ms,
        stale_ms=settings.stale_blocks * settings.block_ms,
        nodes=seen.nodes,
        last_send=seen.last_send,
        private=venue.private.view(),
    )
