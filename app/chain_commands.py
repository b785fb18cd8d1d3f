"""What a running trader answers about its chain: its nodes, and private transactions that are to be published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from app.errors import UsageError
from app.execution.control import Handler
from app.snapshots.chain import chain

if TYPE_CHECKING:
    from app.execution.publication import Publication
    from app.session import Session

WORD: Final = "PUBLISH"
"""Typed by whoever shows a private transaction to everybody."""


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

    async def publish(request: dict[str, Any]) -> dict[str, Any]:
        """Show the private transaction whose hash begins with ``id`` to the public mempool; ``word`` is what the trader
        typed for it."""
        made = publication(session)
        if made is None:
            raise UsageError("publish.order", "This session trades on no chain: nothing of it is private.")
        if request.get("word") != WORD:
            raise UsageError(
                "publish.word", f"It is published for whoever types {WORD}.", next_step="It stays private."
            )
        return await made.publish(request.get("id"))

    return {"nodes_reset": nodes_reset, "publish": publish}


def publication(session: Session) -> Publication | None:
    """Of a session on a chain; None of any other."""
    if session.plan.chain is None:
        return None
    from app.chain_setup import ChainSetup  # noqa: PLC0415 -- loaded with the session on a chain

    assert isinstance(session.setup, ChainSetup)
    return session.setup.publication
