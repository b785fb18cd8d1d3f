"""What a private endpoint is asked, as JSON values, and what its status page answers, read strictly. No I/O.

Sources: flashbots-docs @272fd13 (2025-11-17): eth-sendPrivateTransaction.mdx, rpc-endpoint.mdx (eth_sendBundle and
"Authentication"), status-api.md; MEV Blocker's status has the same fields (docs.cow.fi).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.text import escape_untrusted
from app.venues.evm.nodes.faults import Fault
from app.venues.evm.nodes.wire import Unreadable
from app.venues.evm.private.way import MOST_BLOCKS, PrivateKind

SIGNATURE: Final = "X-Flashbots-Signature"
_MOST_WORDS: Final = 120


@dataclass(frozen=True, slots=True)
class Ask:
    """One hand-over.

    Attributes:
        until: the last block that it is tried for.
    """

    method: str
    params: tuple[Any, ...]
    until: int


def ask(kind: PrivateKind, raw: bytes, head: int, blocks: int) -> Ask:
    """How signed bytes are handed over when `head` is the newest block.

    Args:
        blocks: that they are waited for.
    """
    text = f"0x{raw.hex()}"
    if kind is PrivateKind.RPC:
        return Ask("eth_sendRawTransaction", (text,), head + min(blocks, MOST_BLOCKS))
    if kind is PrivateKind.RELAY:
        until = head + min(blocks, MOST_BLOCKS)
        # No hints of our own: what is shared with searchers is the relay's default, which the trader chose with it.
        told = {"tx": text, "maxBlockNumber": hex(until), "preferences": {"fast": True}}
        return Ask("eth_sendPrivateTransaction", (told,), until)
    return Ask("eth_sendBundle", ({"txs": [text], "blockNumber": hex(head + 1)},), head + 1)


class PrivateState(StrEnum):
    """What a private endpoint says of a transaction. It is told and never believed: the chain alone concludes."""

    PENDING = "PENDING"
    INCLUDED = "INCLUDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class PrivateStatus:
    """Its answer.

    Attributes:
        public: it was seen in the public mempool.
        why: what a simulation of theirs found wrong, escaped; "" where nothing is.
    """

    state: PrivateState
    public: bool = False
    why: str = ""

    @property
    def words(self) -> str:
        """For screens."""
        seen = ", SEEN IN THE PUBLIC MEMPOOL" if self.public else ""
        return f"{self.state.value}{seen}{f' ({self.why})' if self.why else ''}"


def read_status(document: Any, client_id: str) -> PrivateStatus:
    """The answer of a status page.

    Raises:
        Unreadable: it is none, or of another transaction.
    """
    status = document.get("status") if isinstance(document, Mapping) else None
    if not isinstance(status, str) or status not in set(PrivateState):
        raise Unreadable.shape("no status of a transaction")
    if str(document.get("hash", "")).lower() != client_id:
        raise Unreadable(Fault.WRONG_ID, "the status of another transaction")
    # The two that are there name a failed simulation differently.
    words = [document.get(key) for key in ("simError", "simulationError", "revertReason")]
    why = ", ".join(escape_untrusted(each, _MOST_WORDS) for each in words if isinstance(each, str) and each)
    return PrivateStatus(PrivateState(status), document.get("seenInMempool") is True, why)
