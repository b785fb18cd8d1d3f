"""What a running trader answers about its chain's nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.errors import UsageError
from app.execution.control import Handler
from app.snapshots.chain import chain

if TYPE_CHECKING:
    from app.session import Session


def chain_handlers(session: Session) -> Mapping[str, Handler]:
    """The command by name."""

    async def nodes_reset(request: dict[str, Any]) -> dict[str, Any]:
        """Believe nodes to be well again: all, or the one called ``name``. They are asked for their chain anew before
        anything else, so a node that is ill is found out at once."""
        seen, name = chain(session), request.get("name", "")
        if seen is None:
            raise UsageError("health.reset", "This session trades on no chain: there are no nodes.")
        names = [each.name for each in seen.nodes]
        if name not in {"", *names}:
            raise UsageError("health.reset", f"There is no node {name!r}; there are: {', '.join(names)}.")
        from app.venues.evm.venue import EvmVenue  # noqa: PLC0415 -- loaded with the session on a chain

        assert isinstance(session.venue, EvmVenue)
        nodes = session.venue.nodes
        nodes.reset(str(name))
        now = await nodes.start()
        return {"reset": [each for each in names if name in {"", each}], "mode": now.mode, "reason": now.reason}

    return {"nodes_reset": nodes_reset}
