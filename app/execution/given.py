"""That a transaction is given away is on disk before it is: after a crash nothing else tells whether it was. A private
endpoint shows nobody what it holds, and a pool forgets. What has no such record was never sent.
"""

from __future__ import annotations

import asyncio
from typing import Final

from app.execution.desk import Desk
from app.execution.records import Payload, Trade
from app.venues.base import SignedTransaction

_GIVEN: Final = "transaction.given"
_NOT_TAKEN: Final = "transaction.not_taken"
_NEWEST: Final = (
    "SELECT kind FROM journal WHERE seq > (SELECT seq FROM authorisations WHERE payload_id = ?) "
    "AND kind IN (?, ?) AND subject = ? ORDER BY seq DESC LIMIT 1"
)


async def giving(desk: Desk, trade: Trade, payload: Payload) -> None:
    """Call this before a transaction is handed to anybody; of what is signed in words the venue itself can tell."""
    if name := _name(payload):
        try:
            await _noted(desk, trade, name, _GIVEN)
        except asyncio.CancelledError:  # the session ends in this very moment: it is handed to nobody
            _noted(desk, trade, name, _NOT_TAKEN)
            raise


async def nobody_took(desk: Desk, trade: Trade, payload: Payload) -> None:
    """For certain: it stands as before."""
    if name := _name(payload):
        await _noted(desk, trade, name, _NOT_TAKEN)


def was_given(desk: Desk, payload: Payload) -> bool:
    """Whether a transaction may be with somebody, though nothing says that it was sent."""
    name = _name(payload)
    return bool(name) and desk.state.reader.value(_NEWEST, (payload.id, _GIVEN, _NOT_TAKEN, name)) == _GIVEN


def _noted(desk: Desk, trade: Trade, name: str, kind: str) -> asyncio.Future[int]:
    transition = desk.transition()
    transition.change(kind.rpartition(".")[2], trade.id, name)
    return desk.commit(transition, kind, name)


def _name(payload: Payload) -> str:
    return payload.signed.hash if isinstance(payload.signed, SignedTransaction) else ""
