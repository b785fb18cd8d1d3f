"""What a trader can do with a basket that is under way: cancel what it has not bought. Its exits stay."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.errors import VenueError, VenueRefused
from app.execution.pipeline import Pipeline
from app.execution.records import Trade


@dataclass(slots=True)
class Withdrawn:
    """What became of a basket's open entries, by client order id."""

    cancelled: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """With the venue's words."""
    unknown: list[str] = field(default_factory=list)
    """Not answered: maybe cancelled. Nothing is concluded; asking again does no harm."""


async def cancel_entries(pipeline: Pipeline, trade: Trade) -> Withdrawn:
    """Cancel every entry of `trade` that rests at the venue; what was bought keeps its stop and its target. Needs no
    authorisation, because it can only reduce risk; goes on when the venue refuses one.

    Raises:
        CountersignError: a report contradicts the record; nothing of it was booked.
    """
    result = Withdrawn()
    for entry in trade.resting_entries():
        client_id = entry.request.client_id
        try:
            await pipeline.cancel_order(entry)
        except VenueRefused as error:
            result.refused[client_id] = error.what
        except VenueError:
            result.unknown.append(client_id)
        else:
            result.cancelled.append(client_id)
    return result
