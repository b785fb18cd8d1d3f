"""That a transaction is given away is on disk before it is: after a crash nothing else tells whether it was. A private
endpoint shows nobody what it holds, and a pool forgets. What has no such record was never sent.
"""

from __future__ import annotations

from typing import Final

from app.execution.desk import Desk
from app.execution.records import Payload, Trade
from app.venues.base import SignedTransaction

_GIVEN: Final = "transaction.given"
_KEPT: Final = "transaction.kept"
_NEWEST: Final = (
    "SELECT kind FROM journal WHERE seq > (SELECT seq FROM authorisations WHERE payload_id = ?) "
    "AND kind IN (?, ?) AND subject = ? ORDER BY seq DESC LIMIT 1"
)


async def giving(desk: Desk, trade: Trade, payload: Payload) -> None:
    """Call this before a transaction is handed to anybody; of what is signed in words the venue itself can tell."""
    await _note(desk, trade, payload, _GIVEN)


async def kept(desk: Desk, trade: Trade, payload: Payload) -> None:
    """For certain nobody took it."""
    await _note(desk, trade, payload, _KEPT)


def was_given(desk: Desk, payload: Payload) -> bool:
    """Whether a transaction may be with somebody, though nothing says that it was sent."""
    name = _name(payload)
    return bool(name) and desk.state.reader.value(_NEWEST, (payload.id, _GIVEN, _KEPT, name)) == _GIVEN


async def _note(desk: Desk, trade: Trade, payload: Payload, kind: str) -> None:
    if name := _name(payload):
        transition = desk.transition()
        transition.change(kind.rpartition(".")[2], trade.id, name)
        await desk.commit(transition, kind, name)


def _name(payload: Payload) -> str:
    return payload.signed.hash if isinstance(payload.signed, SignedTransaction) else ""
