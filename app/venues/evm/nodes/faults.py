"""What can be wrong with a node's answer, each by its name."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from app.errors import Sent
from app.venues.evm.rpc import RpcDown


class Fault(StrEnum):
    """The words are for the trader: "<node> <word>"."""

    NO_CONNECTION = "can not be reached"
    NOT_TRUSTED = "has no certificate that this machine trusts"
    NO_ANSWER = "did not answer in time"
    BROKEN_OFF = "closed the connection before its answer was complete"
    HTTP_STATUS = "answered with an HTTP error"
    NOT_ALLOWED = "does not accept our key"
    REDIRECTED = "points elsewhere; redirects are not followed"
    TOO_LARGE = "answered with more than is read"
    NOT_JSON = "answered with something that is not JSON"
    NOT_RPC = "answered with something that is not a JSON-RPC reply"
    WRONG_ID = "answered another request than ours"
    WRONG_SHAPE = "answered with something of a wrong form"
    WRONG_CHAIN = "is on another chain"
    FORKED = "has other blocks than the others"
    TOLD_TO_WAIT = "said that we ask too much"
    OUR_BUDGET = "may not be asked so soon: our own rate budget"
    RESTING = "failed of late and is not asked for a moment"
    BEHIND = "does not have that block yet"


BEFORE_A_BYTE: Final = frozenset(
    {Fault.NO_CONNECTION, Fault.NOT_TRUSTED, Fault.WRONG_CHAIN, Fault.FORKED, Fault.OUR_BUDGET, Fault.RESTING}
)
"""Faults of which it is certain that the request did not leave this machine."""
ITS_OWN: Final = frozenset(Fault) - {Fault.TOLD_TO_WAIT, Fault.OUR_BUDGET, Fault.RESTING, Fault.BEHIND}
"""Faults that say the endpoint is not well, which the breaker counts."""


class NodeFault(RpcDown):
    """One node gave no answer that can be used.

    Attributes:
        node: its name as shown: a host, never a key.
        fault: which.
        detail: a few more words, escaped, may be "".
        wait_ms: how long it asked us to wait (TOLD_TO_WAIT).
    """

    def __init__(self, node: str, fault: Fault, detail: str = "", *, wait_ms: int = 0, sent: Sent = "no") -> None:
        more = f" ({detail})" if detail else ""
        super().__init__(f"chain.{fault.name.lower()}", f"{node} {fault}{more}.", sent=sent)
        self.node, self.fault, self.detail, self.wait_ms = node, fault, detail, wait_ms


class Disagreement(RpcDown):
    """Nodes contradict one another in what matters. No new trade until they agree; and nothing that needs this.

    Attributes:
        nodes: those that contradict, by name.
    """

    def __init__(self, method: str, sides: tuple[tuple[str, str], ...]) -> None:
        says = "; ".join(f"{node} says {answer}" for node, answer in sides)
        super().__init__(
            "chain.disagreement",
            f"The nodes disagree about {method}: {says}.",
            next_step="No new trades until they agree. Compare them with a block explorer.",
        )
        self.nodes = tuple(node for node, _ in sides)
