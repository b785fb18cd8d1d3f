"""Where a transaction is: the block it is in, and whether the chain still has that."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import VenueError
from app.venues.base import OrderReport, OrderRequest
from app.venues.evm import abi
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.receipts import Mined


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A block that a transaction is in.

    Attributes:
        told: whoever follows the transaction was told of it; else only whoever asked for it by name.
    """

    number: int
    hash: str
    told: bool = True

    async def gone(self, nodes: Nodes) -> bool:
        """Whether the chain has another block in its place. That there is no receipt proves nothing: whoever was asked
        may be behind, and one address may stand for many nodes, of which now this and now that one answers.

        Raises:
            VenueError: no node answered, or they disagree.
        """
        found = await nodes.agreed("eth_getBlockByNumber", [abi.quantity(self.number), False])
        return found is not None and str(found.get("hash")).lower() != self.hash.lower()


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found of a transaction.

    Attributes:
        before: where it was seen last.
        mined: it is in a block.
        undone: the block that it was in last is not in the chain any more.
        report: of one that waits for a block, unless nobody knows it.
    """

    client_id: str
    request: OrderRequest
    unsigned: bytes
    before: Inclusion | None
    mined: Mined | None = None
    undone: bool = False
    waits: bool = False
    report: OrderReport | None = None


def inclusion_of(venue_order_id: str) -> Inclusion:
    """From ``number/hash``, as orders have it.

    Raises:
        ValueError: it is none.
    """
    number, _, block_hash = venue_order_id.partition("/")
    return Inclusion(int(number), block_hash)


def behind(client_id: str, place: Inclusion) -> VenueError:
    """A node knows nothing of a transaction that the chain has."""
    what = f"A node is behind: it knows nothing of {client_id[:10]}, which is in block {place.number}."
    return VenueError("chain.behind", what, next_step="Nothing was concluded; it is asked again.")
