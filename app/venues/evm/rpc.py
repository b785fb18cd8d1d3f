"""What the rest of the package needs of a chain's nodes. How many there are, which of them is well, and what to do when
they disagree is `app.venues.evm.nodes`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from app.errors import ErrorClass, VenueError, VenueRefused


class RpcRefused(VenueRefused):
    """A node answered with an error: definite, of this call alone.

    Attributes:
        rpc_code: the JSON-RPC code.
        message: the node's own words (untrusted text).
        data: revert bytes, where there are some.
    """

    error_class = ErrorClass.CHAIN

    def __init__(self, method: str, rpc_code: int, message: str, data: bytes = b"") -> None:
        super().__init__("chain.refused", f"The node refused {method}: {message} ({rpc_code}).")
        self.rpc_code, self.message, self.data = rpc_code, message, data


class RpcDown(VenueError):
    """No node answered, or those that did are not to be trusted. Nothing is known."""

    error_class = ErrorClass.CHAIN


class Asked(Protocol):
    """Something that can be asked."""

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """A read.

        Raises:
            RpcRefused: it was answered with an error.
            RpcDown: it was not answered.
        """
        ...


class Single(Asked, Protocol):
    """One node alone, whatever the others say."""

    @property
    def name(self) -> str:
        """Its host, as shown."""
        ...


@runtime_checkable
class Several(Protocol):
    """An `Rpc` of several nodes."""

    def singly(self) -> Sequence[Single]:
        """Each node that is well by itself, best first."""
        ...


class Rpc(Protocol):
    """JSON-RPC of one chain. Every call has a deadline; parameters and results are JSON values (quantities 0x text)."""

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """A read, answered by one node that is well; the next is asked when it does not answer.

        Raises:
            RpcRefused: a node answered with an error.
            RpcDown: none answered.
        """
        ...

    async def agreed(self, method: str, params: Sequence[Any] = ()) -> Any:
        """A read that matters: the answer that enough nodes give.

        Raises:
            RpcRefused, RpcDown: as `call`; RpcDown also when they disagree.
        """
        ...

    async def send_raw(self, raw: bytes) -> None:
        """Give a signed transaction to the nodes, once each, and never again by itself. Its hash is known before.

        Raises:
            RpcRefused: every node that answered refused it (nonce too low, underpriced, ...): the hash is looked up all
                the same before anything is concluded.
            RpcDown: it was given to no node (none can be used): `sent` is "no".
            VenueUnknown: no answer: maybe sent.
        """
        ...
